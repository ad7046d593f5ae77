"""Points binned into cells: statistics of bounded size that say where the points are."""

from __future__ import annotations

import math
from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from xpad.errors import OptionError

__all__ = ["CELLS_PER_BANDWIDTH", "Cells", "checked", "distinct", "grouped"]

Float64 = NDArray[np.float64]
Int64 = NDArray[np.int64]

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
    index : (c, m) int64
        Which cells hold points, in lexicographic order: cell i spans i·size to (i + 1)·size.
    moments : (2 + c, m) float64
        Of each cell: the number of its points, the sum of their squares, and the sums of their
        coordinates.
    max_cells : int
    """

    size: float
    index: Int64
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
        return cls._summed(size, index.astype(np.int64), moments, max_cells)._bounded()

    @classmethod
    def _summed(
        cls, size: float, index: Int64, moments: Iterable[Float64 | None], max_cells: int
    ) -> Cells:
        first, member = grouped(index)
        sums = [np.bincount(member, column, minlength=len(first)) for column in moments]
        return cls(size, index.take(first, axis=1), np.stack(sums).astype(np.float64), max_cells)

    def __len__(self) -> int:
        return self.index.shape[1]

    @property
    def count(self) -> Int64:
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
        a, b = self, other
        while a.size < b.size:
            a = a.coarsened(2)
        while b.size < a.size:
            b = b.coarsened(2)
        if a.size != b.size:
            raise OptionError(f"cells of sizes {self.size} and {other.size} cannot be merged")
        index = np.concatenate([a.index, b.index], axis=1)
        if index.size == 0:
            return a
        key, _ = _keys(index)
        order = np.argsort(key, kind="stable")  # which takes two ordered runs as it finds them
        new = _differs_from_before(key[order])
        both = np.concatenate([a.moments, b.moments], axis=1)
        moments = both.take(order[new], axis=1)
        again = np.flatnonzero(~new)  # at most once a cell, as each side has it once
        moments[:, (np.cumsum(new) - 1)[again]] += both[:, order[again]]
        return Cells(a.size, index.take(order[new], axis=1), moments, a.max_cells)._bounded()

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
        return self._summed(self.size * factor, self.index // factor, self.moments, self.max_cells)


def checked(x: ArrayLike) -> Float64:
    """`x` as float64 points, if they are finite."""
    points = np.asarray(x, dtype=np.float64)
    if points.ndim != 2 or points.shape[1] == 0:
        raise OptionError(f"points have shape {points.shape}; wanted (rows, components)")
    if not np.isfinite(points).all():
        raise OptionError("points are not all finite: leave out the records that are not usable")
    return points


def distinct(index: Int64) -> Int64:
    """The different columns of `index`, in lexicographic order."""
    return index.take(grouped(index)[0], axis=1)


def grouped(index: Int64) -> tuple[Int64, Int64]:
    """Equal columns: the first of each group, and the group of each, in lexicographic order."""
    n = index.shape[1]
    if index.size == 0:
        return np.zeros(min(n, 1), np.int64), np.zeros(n, np.int64)
    key, bits = _keys(index)
    order = _stable_order(key, bits)
    new = _differs_from_before(key[order])
    member = np.empty(n, np.int64)
    member[order] = np.cumsum(new) - 1
    return order[new], member


def _differs_from_before(key: Int64) -> NDArray[np.bool_]:
    new = np.ones(len(key), bool)
    np.not_equal(key[1:], key[:-1], out=new[1:])
    return new


def _keys(index: Int64) -> tuple[Int64, int]:
    """A number for each column that sorts as the column does, and how many bits it takes."""
    low = index.min(axis=1)
    spans = [int(span) for span in index.max(axis=1) - low + 1]
    if math.prod(spans) >= 2**62:
        key = np.unique(index, axis=1, return_inverse=True)[1].reshape(-1)
        return key, len(key).bit_length()
    key = np.zeros(index.shape[1], np.int64)
    for row, least, span in zip(index, low, spans, strict=True):
        key *= span
        key += row
        key -= least
    return key, math.prod(spans).bit_length()


def _stable_order(key: Int64, bits: int) -> Int64:
    """As np.argsort(key, kind="stable"), but several times as fast where there is room for it."""
    row_bits = len(key).bit_length()
    if bits + row_bits > 63:
        return np.argsort(key, kind="stable")
    with_row = (key << row_bits) | np.arange(len(key))
    with_row.sort()
    return with_row & ((1 << row_bits) - 1)
