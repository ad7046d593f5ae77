"""Run a function of rows over the records of a canonical flux, lazily where the flux is lazy."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import xarray as xr
from numpy.typing import NDArray

from xpad.blocks import Records
from xpad.flux import record_dims
from xpad.regrid import flat_records
from xpad.survey import flux_records

RowFunction = Callable[..., NDArray[np.float32]]


def over_records(
    flux: xr.DataArray, function: RowFunction, dim: str, size: int, *, name: str, **kwargs: Any
) -> xr.DataArray:
    """Numbers for every record: (record…, dim) float32, in the flux's own order.

    Parameters
    ----------
    flux : canonical flux
    function : callable
        ``function(flux, energy_table, pitch_angle_table, **kwargs)`` of flat rows gives
        (rows, size).
    dim : str
        Name of the new dimension, of length `size`.
    name : str
        What a dashboard calls the tasks.
    **kwargs
        Models and the like: one node of the graph each, not a part of every task.
    """
    records, dims = flux_records(flux), record_dims(flux)
    given = tuple(a is not None for a in records.arrays)
    present = [a for a in records.arrays if a is not None]
    if present[0].chunks is None and all(a.chunks is None for a in present):
        data = _on_block(*(a.values for a in present), function=function, given=given, **kwargs)
    else:
        data = _lazily(records, function, size, name, given, kwargs)
    found = xr.DataArray(data, dims=(*records.dims, dim)).transpose(*dims, dim)
    return found.assign_coords({n: c for n, c in flux.coords.items() if set(c.dims) <= set(dims)})


def _lazily(
    records: Records,
    function: RowFunction,
    size: int,
    name: str,
    given: Sequence[bool],
    kwargs: dict[str, Any],
) -> Any:
    import dask.array as da
    from dask.delayed import delayed

    letters = {d: i for i, d in enumerate(records.dims)}
    new = len(letters)
    arguments: list[Any] = []
    for array in records.arrays:
        if array is not None:
            others = [d for d in array.dims if d not in letters]
            own = letters | {d: new + 1 + i for i, d in enumerate(others)}
            arguments += [array.data, tuple(own[d] for d in array.dims)]
    bound = {k: delayed(v, pure=True, traverse=False) for k, v in kwargs.items()}
    return da.blockwise(
        _on_block, (*letters.values(), new), *arguments, token=name, concatenate=True,
        new_axes={new: size}, align_arrays=False,
        dtype=np.float32, meta=np.empty((0,) * (new + 1), np.float32),
        function=function, given=given, **bound,
    )  # fmt: skip


def _on_block(
    *arrays: Any, function: RowFunction, given: Sequence[bool], **kwargs: Any
) -> NDArray[np.float32]:
    found = iter(arrays)
    flux, energies, pitch_angles = (np.asarray(next(found)) if there else None for there in given)
    assert flux is not None
    rows = function(*flat_records(flux, energies, pitch_angles), **kwargs)
    return np.asarray(rows, dtype=np.float32).reshape(*flux.shape[:-2], rows.shape[-1])
