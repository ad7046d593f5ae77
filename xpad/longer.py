"""Dask arrays of short blocks, read in longer ones."""

from __future__ import annotations

from collections.abc import Hashable
from uuid import uuid4

import numpy as np
import xarray as xr
from xarray.core.indexing import ImplicitToExplicitIndexingAdapter

__all__ = ["in_longer_blocks"]


def in_longer_blocks(variable: xr.Variable, dim: Hashable, length: int) -> xr.Variable:
    """A variable that is read `length` at once along `dim`, where it comes straight from a file.

    Every read takes a millisecond or two, however short. Elsewhere, and where its blocks are long
    already, the variable as it is.

    Parameters
    ----------
    variable : xarray.Variable
    dim : hashable
        Its only dimension, else nothing is changed.
    length : int
    """
    if variable.chunks is None or variable.dims != (dim,) or max(variable.chunks[0]) >= length:
        return variable
    # Where xarray made the dask array of a lazy one, dask keeps that under this name.
    layer = variable.data.dask.layers.get(f"original-{variable.data.name}")
    sources = [] if layer is None else list(dict(layer).values())
    source = getattr(sources[0], "value", sources[0]) if len(sources) == 1 else None
    if not isinstance(source, ImplicitToExplicitIndexingAdapter) or source.shape != variable.shape:
        return variable
    import dask.array as da

    data = da.from_array(
        source, chunks=(length,), name=f"xpad-longer-{uuid4().hex}",
        meta=np.empty((0,), variable.dtype),
    )  # fmt: skip
    return xr.Variable(variable.dims, data, variable.attrs, variable.encoding)
