"""Run an array function over the record blocks of lazy or in-memory arrays, in one compute."""

from __future__ import annotations

from collections.abc import Callable, Hashable, Sequence
from functools import reduce
from typing import Any
from uuid import uuid4

import numpy as np
import xarray as xr

ROWS = 65_536
"""Records of an in-memory array that are worked on at once, to bound temporary arrays."""
FAN_IN = 8


def is_lazy(*arrays: xr.DataArray) -> bool:
    """Whether any of the arrays is chunked."""
    return any(a.chunks is not None for a in arrays)


def positions(template: xr.DataArray, dims: Sequence[Hashable]) -> xr.DataArray:
    """The position of every record, counted over `dims` in sorted order of their names.

    Sorted, so that transposing the data changes no record's position. Lazy
    where the template is.
    """
    total = xr.DataArray(np.int64(0))
    stride = 1
    for dim in sorted(dims, key=str, reverse=True):
        size = template.sizes[dim]
        along = xr.DataArray(np.arange(size, dtype=np.int64), dims=[dim])
        if template.chunks is not None:
            along = along.chunk({dim: template.chunksizes[dim]})
        total = total + stride * along
        stride *= size
    return total.transpose(*dims)


def record_blocks(
    arrays: Sequence[xr.DataArray], dims: Sequence[Hashable]
) -> list[tuple[Any, ...]]:
    """Cut aligned arrays into blocks of records.

    Each block holds one piece of every array, over all of that array's other
    dimensions: `dask.delayed` pieces where any array is lazy, else NumPy views.
    """
    if is_lazy(*arrays):
        return _lazy_blocks(arrays, dims)
    first = max(dims, key=lambda d: arrays[0].sizes[d], default=None)
    size = arrays[0].sizes[first] if first is not None else 1
    blocks = []
    for start in range(0, size, ROWS):
        cut = slice(start, start + ROWS)
        blocks.append(
            tuple(a.isel({first: cut}).values if first in a.dims else a.values for a in arrays)
        )
    return blocks


def _lazy_blocks(arrays: Sequence[xr.DataArray], dims: Sequence[Hashable]) -> list[tuple[Any, ...]]:
    whole = [a.chunk({d: -1 for d in a.dims if d not in dims}) for a in arrays]
    aligned = xr.unify_chunks(*whole)
    counts = {d: len(aligned[0].chunksizes[d]) for d in dims}
    pieces = [(a.dims, a.data.to_delayed()) for a in aligned]
    blocks = []
    for index in np.ndindex(*counts.values()):
        at = dict(zip(counts, index, strict=True))
        blocks.append(tuple(grid[tuple(at.get(d, 0) for d in of)] for of, grid in pieces))
    return blocks


def run(
    function: Callable[..., Any],
    blocks: Sequence[tuple[Any, ...]],
    *,
    combine: Callable[[Any, Any], Any] | None = None,
    name: str = "xpad",
    **kwargs: Any,
) -> Any:
    """Apply `function` to every block.

    Returns the list of results in block order, or, with `combine`, their
    reduction by a tree. Lazy blocks cost one compute.
    """
    if not blocks or not any(hasattr(piece, "dask") for piece in blocks[0]):
        results = [function(*block, **kwargs) for block in blocks]
        return reduce(combine, results) if combine is not None else results
    import dask.base
    from dask.delayed import delayed

    # Keys must be unique: two fits may run on one cluster at the same time.
    name = f"{name}-{uuid4().hex}"
    # Models and grids are traversed once, not once a block.
    bound = {k: delayed(v, pure=True, traverse=False) for k, v in kwargs.items()}
    task = delayed(function, pure=False, name=None)
    level = [task(*block, **bound, dask_key_name=f"{name}-{i}") for i, block in enumerate(blocks)]
    if combine is None:
        return list(dask.base.compute(*level))
    depth = 0
    while len(level) > 1:
        groups = [level[i : i + FAN_IN] for i in range(0, len(level), FAN_IN)]
        level = [
            delayed(_fold)(g, combine, dask_key_name=f"{name}-combine-{depth}-{i}")
            for i, g in enumerate(groups)
        ]
        depth += 1
    return dask.base.compute(level[0])[0]


def _fold(results: list[Any], combine: Callable[[Any, Any], Any]) -> Any:
    return reduce(combine, results)
