"""Dask arrays of short blocks, read in longer ones."""

from __future__ import annotations

from collections.abc import Hashable, Sequence
from uuid import uuid4

import numpy as np
import xarray as xr
from xarray.core.indexing import ImplicitToExplicitIndexingAdapter

#: A chunk is about a file, but within these bounds.
SMALLEST_CHUNK = 4 * 2**20
LARGEST_CHUNK = 128 * 2**20


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


def chunk_length(file_lengths: Sequence[int], bytes_per_record: int) -> int:
    """Return how many records a chunk holds: about a file, neither tiny nor huge.

    All chunks have this length (but the last), which Zarr demands of what is written to it; where
    the files are of one length, their borders are borders of chunks.

    Parameters
    ----------
    file_lengths : sequence of int
        Records in each file.
    bytes_per_record : int
        Of the largest variable.

    Returns
    -------
    int
        At least 1.

    Examples
    --------
    >>> chunk_length([7854, 7854], 17 * 12 * 4)
    7854
    >>> chunk_length([10_000_000], 17 * 12 * 4)
    163935
    """
    longest = max(file_lengths, default=0)
    if longest == 0:
        return 1
    size = longest * max(bytes_per_record, 1)
    if size > LARGEST_CHUNK:
        return -(-longest // -(-size // LARGEST_CHUNK))
    return longest * -(-SMALLEST_CHUNK // size)
