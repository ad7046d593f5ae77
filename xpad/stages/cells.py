"""Points binned into cells: statistics of bounded size that say where the points are."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, DTypeLike, NDArray

from xpad.errors import OptionError

Float64 = NDArray[np.float64]
Integers = NDArray[np.int32 | np.int64]

CELLS_PER_BANDWIDTH = 256
"""Edges of a cell that make a bandwidth of mean shift, where the points are not too many; a power
of two, so that a point's cell is exactly a part of the point rounded to whole bandwidths."""
MAX_CELLS = 1_000_000


@dataclass(frozen=True)
class Cells:
    """Points binned on a grid of cubes with a corner at the origin. Merge by `+`.

    Where there would be more cells than `max_cells`, each eight (in three dimensions) become one,
    as often as it takes. That never depends on how the points were split.

    Attributes
    ----------
    size : float
        Edge of a cell.
    index : (c, m) int32 or int64
        Which cells hold points, in lexicographic order: cell i spans i·size to (i + 1)·size.
    moments : (2 + c, m) float64
        Of each cell: the number of its points, the sum of their squares, and the sums of their
        coordinates.
    max_cells : int
    """

    size: float
    index: Integers
    moments: Float64
    max_cells: int = MAX_CELLS

    @classmethod
    def of(cls, x: ArrayLike, size: float, max_cells: int = MAX_CELLS) -> Cells:
        """Bin the rows of `x`, shape (rows, c), into cells of edge `size` or a power of two more."""
        columns = checked(x).T.copy()
        place = columns / size
        index = np.floor(place)
        # NumPy rounds a half to the even side; so do the cells that are to be rounded as their
        # points are. Only there, a cell includes its upper border.
        border = np.nonzero(place == index)
        index[border] -= index[border] % (2 * CELLS_PER_BANDWIDTH) == CELLS_PER_BANDWIDTH // 2
        moments = [None, np.einsum("ij,ij->j", columns, columns), *columns]
        return cls._summed(size, _whole(index), moments, max_cells)._bounded()

    @classmethod
    def _summed(
        cls, size: float, index: Integers, moments: Iterable[Float64 | None], max_cells: int
    ) -> Cells:
        first, member = grouped(index)
        columns = list(moments)
        sums = np.empty((len(columns), len(first)))
        for total, column in zip(sums, columns, strict=True):
            total[:] = np.bincount(member, column, minlength=len(first))
        return cls(size, index.take(first, axis=1), sums, max_cells)

    def __len__(self) -> int:
        return self.index.shape[1]

    @property
    def count(self) -> Integers:
        """Points of each cell, (m,)."""
        return self.moments[0].astype(np.int64)

    @property
    def centroid(self) -> Float64:
        """Mean of each cell's points, (m, c)."""
        return (self.moments[2:] / self.moments[0]).T.copy()

    @property
    def spread(self) -> Float64:
        """Standard deviation of each cell's points about their mean, on average of the axes, (m,)."""
        at = np.square(self.moments[2:] / self.moments[0]).sum(axis=0)
        squared = self.moments[1] / self.moments[0] - at
        squared[squared < 1e-14 * at + 1e-12 * self.size**2] = 0  # rounding: the points coincide
        return np.sqrt(squared / len(self.index))

    def __add__(self, other: Cells) -> Cells:
        size = max(self.size, other.size)
        factors = [round(size / cells.size) for cells in (self, other)]
        if any(f * cells.size != size for f, cells in zip(factors, (self, other), strict=True)):
            raise OptionError(f"cells of sizes {self.size} and {other.size} cannot be merged")
        if len(self) == 0 or len(other) == 0:
            cells, factor = (self, factors[0]) if len(other) == 0 else (other, factors[1])
            return cells.coarsened(factor)
        # As many times larger as it takes, before memory is taken for what comes of them.
        while True:
            (key_a, key_b), decoded = _common_keys(
                self._index(factors[0]), other._index(factors[1])
            )
            key = _merged(key_a, key_b)
            if len(key) <= self.max_cells:
                break
            size, factors = 2 * size, [2 * factor for factor in factors]
        moments = np.zeros((len(self.moments), len(key)))
        for cells, own in ((self, key_a), (other, key_b)):
            at = np.searchsorted(key, own)
            for total, column in zip(moments, cells.moments, strict=True):
                total += np.bincount(at, column, minlength=len(key))
        return Cells(size, decoded(key), moments, self.max_cells)

    def _index(self, factor: int) -> Integers:
        """Which cells of edge `factor` · `size` these are in."""
        return self.index if factor == 1 else self.index // factor

    def _bounded(self) -> Cells:
        cells = self
        while len(cells) > self.max_cells:
            cells = cells.coarsened(2)
        return cells

    def coarsened(self, factor: int) -> Cells:
        """The same points in cells of edge `factor` · `size`.

        Parameters
        ----------
        factor : int

        Returns
        -------
        Cells
            Numbers and sums are as exact as those of these cells.

        Examples
        --------
        >>> Cells.of([[0.5], [1.5], [9.5]], 1.0).coarsened(2).count.tolist()
        [2, 1]
        """
        if factor < 1:
            raise OptionError(f"factor={factor}; it must be at least 1")
        if factor == 1:
            return self
        return self._summed(self.size * factor, self._index(factor), self.moments, self.max_cells)


def _whole(index: Float64) -> Integers:
    """The same as integers, in half the memory where they fit."""
    narrow = np.abs(index).max(initial=0) < np.iinfo(np.int32).max // 2
    return index.astype(np.int32 if narrow else np.int64)


def checked(x: ArrayLike) -> Float64:
    """`x` as float64 points, if they are finite."""
    points = np.asarray(x, dtype=np.float64)
    if points.ndim != 2 or points.shape[1] == 0:
        raise OptionError(f"points have shape {points.shape}; wanted (rows, components)")
    if not np.isfinite(points).all():
        raise OptionError("points are not all finite: leave out the records that are not usable")
    return points


def distinct(index: Integers) -> Integers:
    """The different columns of `index`, in lexicographic order."""
    low, spans = _box(index)
    if math.prod(spans) >= 2**62:
        return np.unique(index, axis=1)
    return _unpacked(np.unique(_packed(index, low, spans)), low, spans, index.dtype)


def grouped(index: Integers) -> tuple[Integers, Integers]:
    """Equal columns: the first of each group, and the group of each, in lexicographic order."""
    n = index.shape[1]
    if index.size == 0:
        return np.zeros(min(n, 1), np.int64), np.zeros(n, np.int64)
    key, bits = keys(index)
    order = stable_order(key, bits)
    new = _differs_from_before(key[order])
    member = np.empty(n, np.int64)
    member[order] = np.cumsum(new) - 1
    return order[new], member


def _differs_from_before(key: Integers) -> NDArray[np.bool_]:
    new = np.ones(len(key), bool)
    np.not_equal(key[1:], key[:-1], out=new[1:])
    return new


def keys(index: Integers) -> tuple[Integers, int]:
    """A number for each column that sorts as the column does, and how many bits it takes."""
    low, spans = _box(index)
    if math.prod(spans) >= 2**62:
        key = np.unique(index, axis=1, return_inverse=True)[1].reshape(-1)
        return key, len(key).bit_length()
    return _packed(index, low, spans), math.prod(spans).bit_length()


def _common_keys(
    a: Integers, b: Integers
) -> tuple[tuple[Integers, Integers], Callable[[Integers], Integers]]:
    """Such numbers for the columns of both, and what makes columns of them again."""
    boxes = [_box(index) for index in (a, b)]
    low = np.min([low for low, _ in boxes], axis=0)
    high = np.max([low + spans for low, spans in boxes], axis=0)
    spans = [int(n) for n in high - low]
    if math.prod(spans) >= 2**62:
        columns, member = np.unique(np.concatenate([a, b], axis=1), axis=1, return_inverse=True)
        member = member.reshape(-1).astype(np.int64)
        return (member[: a.shape[1]], member[a.shape[1] :]), lambda key: columns.take(key, axis=1)

    dtype = np.result_type(a, b)
    packed = (_packed(a, low, spans), _packed(b, low, spans))
    return packed, lambda key: _unpacked(key, low, spans, dtype)


def _merged(a: Integers, b: Integers) -> Integers:
    """The different numbers of two sequences, ascending."""
    key = np.concatenate([a, b])
    key.sort(kind="stable")  # which takes two ordered runs as it finds them
    return key[_differs_from_before(key)]


def _box(index: Integers) -> tuple[Integers, list[int]]:
    """The least index along each axis, and how many there are from it to the greatest."""
    low = index.min(axis=1)
    low = low.astype(np.int64)
    return low, [int(span) for span in index.max(axis=1) - low + 1]


def _packed(index: Integers, low: Integers, spans: Sequence[int]) -> Integers:
    key = np.zeros(index.shape[1], np.int64)
    for row, least, span in zip(index, low, spans, strict=True):
        key *= span
        key += row
        key -= least
    return key


def _unpacked(key: Integers, low: Integers, spans: Sequence[int], dtype: DTypeLike) -> Integers:
    found = np.empty((len(spans), len(key)), dtype)
    for axis in reversed(range(len(spans))):
        key, found[axis] = np.divmod(key, spans[axis])
    found += low[:, None].astype(dtype)
    return found


def stable_order(key: Integers, bits: int) -> Integers:
    """As np.argsort(key, kind="stable"), but several times as fast where there is room for it."""
    row_bits = len(key).bit_length()
    if bits + row_bits > 63:
        return np.argsort(key, kind="stable")
    with_row = (key << row_bits) | np.arange(len(key))
    with_row.sort()
    return with_row & ((1 << row_bits) - 1)
