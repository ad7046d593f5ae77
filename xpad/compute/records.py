"""Passes over the data: an array function run over every block of records, in one compute."""

from __future__ import annotations

from collections.abc import Callable, Hashable, Iterator, Sequence
from concurrent.futures import Executor
from contextlib import nullcontext
from dataclasses import dataclass, replace
from functools import partial, reduce
from itertools import accumulate
from typing import Any
from uuid import uuid4

import numpy as np
import xarray as xr
from numpy.typing import NDArray

from xpad.compute.threads import _threads, one_blas_thread

ROWS = 65_536
"""Records of an in-memory array that are worked on at once, to bound temporary arrays."""
FAN_IN = 8

Function = Callable[..., Any]
Combine = Callable[[Any, Any], Any]


@dataclass(frozen=True)
class Records:
    """Aligned arrays over the same records, cut into blocks that are worked on one by one.

    Attributes
    ----------
    arrays : tuple of DataArray or None
        Record dimensions in sorted order first; None stands for an array that is not there.
    dims : tuple
        The record dimensions, sorted by name, so that a transpose moves no record.
    origin, whole : tuple of int
        Where these records begin among those that positions count, and how many there are of
        those along each dimension.
    """

    arrays: tuple[xr.DataArray | None, ...]
    dims: tuple[Hashable, ...]
    origin: tuple[int, ...]
    whole: tuple[int, ...]

    @classmethod
    def of(cls, arrays: Sequence[xr.DataArray | None], dims: Sequence[Hashable]) -> Records:
        """Align the arrays; chunks of other dimensions than the records' are joined."""
        ordered = tuple(sorted(dims, key=str))
        # Without coordinates, which xarray would hash whenever it chunks: a mission's times.
        present = [
            a.drop_vars(list(a.coords)).transpose(*(d for d in ordered if d in a.dims), ...)
            for a in arrays
            if a is not None
        ]
        if any(a.chunks is not None for a in present):
            whole = [a.chunk({d: -1 for d in a.dims if d not in ordered}) for a in present]
            unified = xr.unify_chunks(*whole)
            present = [a for a in unified if isinstance(a, xr.DataArray)]
        found = iter(present)
        filled = tuple(None if a is None else next(found) for a in arrays)
        shape = tuple(present[0].sizes[d] for d in ordered)
        return cls(filled, ordered, (0,) * len(ordered), shape)

    def part(self, dim: Hashable, at: slice) -> Records:
        """The records of a range along one dimension; they keep their positions."""
        arrays = tuple(
            a.isel({dim: at}) if a is not None and dim in a.dims else a for a in self.arrays
        )
        axis = self.dims.index(dim)
        origin = tuple(
            o + at.start if i == axis else o for i, o in enumerate(self.origin)
        )  # fmt: skip
        return replace(self, arrays=arrays, origin=origin)

    @property
    def shape(self) -> tuple[int, ...]:
        """Sizes of the record dimensions."""
        return tuple(self._first.sizes[d] for d in self.dims)

    @property
    def chunks(self) -> tuple[tuple[int, ...], ...]:
        """Lengths of the blocks along each record dimension."""
        if self._lazy:
            return tuple(self._first.chunksizes[d] for d in self.dims)
        if not self.dims:
            return ()
        longest = int(np.argmax(self.shape))
        return tuple(
            _cut(n) if axis == longest else (n,) for axis, n in enumerate(self.shape)
        )  # fmt: skip

    def __len__(self) -> int:
        return int(np.prod([len(lengths) for lengths in self.chunks], dtype=np.int64))

    def places(self) -> Iterator[slice | NDArray[np.int64]]:
        """Where the records of each block lie among these, in the order of the blocks."""
        for corner, sizes in self._corners():
            if len(self.dims) == 1:
                yield slice(corner[0], corner[0] + sizes[0])
            else:
                yield positions(corner, sizes, self.shape)

    def run(
        self,
        function: Function,
        *,
        combine: Combine | None = None,
        name: str = "xpad",
        pool: Executor | None = None,
        **kwargs: Any,
    ) -> Any:
        """Call ``function(*pieces, position, **kwargs)`` for every block.

        `position` (records,) says where the block's records lie among all.
        Returns the list of results in block order, or with `combine` their
        reduction by a tree. Lazy arrays cost one compute, of one layer of
        tasks, in the threads of `pool` where one is given.
        """
        if not self._lazy:
            call = partial(_call, function=function, given=self._given, whole=self.whole)
            results = [
                call(*self._piece(corner, sizes), self._from_origin(corner), **kwargs)
                for corner, sizes in self._corners()
            ]
            return reduce(combine, results) if combine is not None else results
        import dask.array as da

        objects = self._objects(function, f"{name}-{uuid4().hex}", kwargs)
        threads = _threads() if pool is None else nullcontext({"pool": pool})
        with one_blas_thread(), threads as in_pool:
            if combine is None:
                return list(objects.compute(**in_pool).ravel())
            fold = partial(_fold, combine=combine)
            folded = da.reduction(
                objects, chunk=_same, combine=fold, aggregate=fold, concatenate=True,
                split_every=dict.fromkeys(range(objects.ndim), FAN_IN),
                dtype=object, meta=_no_objects(0), name=f"{name}-combine",
            )  # fmt: skip
            return folded.compute(**in_pool).item()

    def _objects(self, function: Function, name: str, kwargs: dict[str, Any]) -> Any:
        """A dask array of results, one for each block, with all dimensions of the first array.

        With fewer, dask would not join the reading of a block and the work on it to one task. The
        name is unique: two fits may run on one cluster at the same time.
        """
        import dask.array as da
        from dask.delayed import delayed
        from dask.layers import ArraySliceDep

        axes = tuple(range(self._first.ndim))
        letters = dict(zip((*self.dims, *self._first.dims[len(self.dims) :]), axes, strict=True))
        arguments: list[Any] = []
        for array in self.arrays:
            if array is not None:
                arguments += [array.data, tuple(letters[d] for d in array.dims)]
        arguments += [ArraySliceDep(self.chunks), axes[: len(self.dims)]]
        # Models and grids are one node of the graph each, not a part of every task.
        bound = {k: delayed(v, pure=True, traverse=False) for k, v in kwargs.items()}
        return da.blockwise(
            _call_block, axes, *arguments, name=name, concatenate=None, align_arrays=False,
            adjust_chunks=dict.fromkeys(axes, _one), dtype=object, meta=_no_objects(len(axes)),
            function=function, given=self._given, origin=self.origin, whole=self.whole, **bound,
        )  # fmt: skip

    @property
    def _first(self) -> xr.DataArray:
        return next(a for a in self.arrays if a is not None)

    @property
    def _lazy(self) -> bool:
        return any(a is not None and a.chunks is not None for a in self.arrays)

    @property
    def _given(self) -> tuple[bool, ...]:
        return tuple(a is not None for a in self.arrays)

    def _starts(self) -> list[list[int]]:
        return [[0, *accumulate(lengths[:-1])] for lengths in self.chunks]

    def _corners(self) -> Iterator[tuple[list[int], list[int]]]:
        """The first index and the length of each block along each record dimension."""
        starts = self._starts()
        for index in np.ndindex(*(len(lengths) for lengths in self.chunks)):
            yield (
                [start[i] for start, i in zip(starts, index, strict=True)],
                [lengths[i] for lengths, i in zip(self.chunks, index, strict=True)],
            )

    def _from_origin(self, corner: Sequence[int]) -> list[int]:
        return [o + c for o, c in zip(self.origin, corner, strict=True)]

    def _piece(self, corner: Sequence[int], sizes: Sequence[int]) -> list[Any]:
        at = {
            d: slice(c, c + n) for d, c, n in zip(self.dims, corner, sizes, strict=True)
        }  # fmt: skip
        return [
            a.isel({d: s for d, s in at.items() if d in a.dims}).values
            for a in self.arrays
            if a is not None
        ]


def positions(
    corner: Sequence[int], sizes: Sequence[int], whole: Sequence[int]
) -> NDArray[np.int64]:
    """Where the records of a block lie among all of `whole`, from its first corner and its sizes."""
    total = np.zeros((1,) * len(sizes), dtype=np.int64)
    stride = 1
    for axis in reversed(range(len(sizes))):
        along = corner[axis] + np.arange(sizes[axis], dtype=np.int64)
        total = total + stride * along.reshape(-1, *(1,) * (len(sizes) - 1 - axis))
        stride *= whole[axis]
    return total.reshape(-1)


def _cut(size: int) -> tuple[int, ...]:
    lengths = [min(ROWS, size - start) for start in range(0, size, ROWS)]
    return tuple(lengths) or (0,)


def _call(
    *pieces: Any, function: Function, given: Sequence[bool], whole: Sequence[int], **kwargs: Any
) -> Any:
    *arrays, corner = pieces
    found = iter(arrays)
    filled = [next(found) if there else None for there in given]
    sizes = arrays[0].shape[: len(whole)]
    return function(*filled, positions(corner, sizes, whole), **kwargs)


def _call_block(*pieces: Any, origin: Sequence[int], **kwargs: Any) -> NDArray[np.object_]:
    *arrays, block = pieces
    corner = [start + at.start for start, at in zip(origin, block, strict=True)]
    return _alone(_call(*arrays, corner, **kwargs), arrays[0].ndim)


def _alone(item: Any, ndim: int) -> NDArray[np.object_]:
    """An array that holds one object."""
    found = np.empty((1,) * ndim, dtype=object)
    found.flat[0] = item
    return found


def _no_objects(ndim: int) -> NDArray[np.object_]:
    return np.empty((0,) * ndim, dtype=object)


def _one(_: int) -> int:
    return 1


def _same(x: Any, axis: Any, keepdims: bool) -> Any:
    return x


def _fold(x: Any, axis: Any, keepdims: bool, *, combine: Combine) -> Any:
    return _alone(reduce(combine, np.ravel(x).tolist()), x.ndim if keepdims else 0)
