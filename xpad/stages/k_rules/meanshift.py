"""Mean shift with a flat kernel: how many groups there are, and where.

The result is scikit-learn's `MeanShift(bandwidth=…, bin_seeding=True)`: the same seeds, the same
ball, the same stopping rule and the same removal of duplicates. Only the mean over a ball is found
in another way, from sums along lines, since scikit-learn's takes minutes for a million points.
"""

from __future__ import annotations

import math
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from xpad.errors import NotEnoughDataError, OptionError
from xpad.stages.cells import CELLS_PER_BANDWIDTH, Cells, checked, distinct, keys, stable_order

Float64 = NDArray[np.float64]
Int64 = NDArray[np.int64]
Integers = NDArray[np.int32 | np.int64]

BANDWIDTH_ROWS = 64
"""Points whose distances to all others a thread holds at once."""
SUMMED = 500
"""Distances that are added up before they join the sum, so that it is rounded as scikit-learn's."""
SEED_ROWS = 65_536
BINS_PER_WIDTH = 4
"""Bins along a column to its width: finer ones leave fewer points to compare, and take memory."""
COLUMN_BITS = 40
"""A column's number takes at most so many bits, or as many as the number of points."""
STOP = 1e-3
"""A seed has arrived when it moves by less than this share of the bandwidth (scikit-learn's)."""


@dataclass(frozen=True)
class MeanShift:
    """The modes of a set of points.

    Attributes
    ----------
    modes : (k, c) float64
        Ordered as scikit-learn orders them: by descending intensity, then coordinates.
    intensity : (k,) int64
        Points within the bandwidth of each mode.
    n_iter : int
        Moves of the seed that took the most.
    bandwidth : float
    """

    modes: Float64
    intensity: Int64
    n_iter: int
    bandwidth: float


def estimate_bandwidth(
    x: ArrayLike, *, quantile: float = 0.1, n_samples: int = 6000, random_state: int = 0
) -> float:
    """Mean distance from a point to the one at the given quantile of its neighbours.

    Parameters
    ----------
    x : (rows, c)
    quantile : float
        Share of the points that are to be nearer, within 0…1.
    n_samples : int
        Points drawn for it.
    random_state : int

    Returns
    -------
    float
        What `sklearn.cluster.estimate_bandwidth` returns.

    Raises
    ------
    NotEnoughDataError
        If there are fewer than two points.
    OptionError
        If the quantile is not within 0…1.

    Examples
    --------
    >>> estimate_bandwidth([[0.0], [1.0], [2.0], [3.0]], quantile=0.5)
    1.0
    """
    from scipy.spatial.distance import cdist

    points = checked(x)
    if len(points) < 2:
        raise NotEnoughDataError(
            f"a bandwidth needs two points and there are {len(points)}: "
            "give more usable records, or pass bandwidth= or k="
        )
    if not 0 <= quantile <= 1:
        raise OptionError(f"quantile={quantile}; it must be within 0 and 1")
    drawn = points[np.random.RandomState(random_state).permutation(len(points))[:n_samples]]
    neighbours = max(int(len(drawn) * quantile), 1)

    def reach(start: int) -> Float64:
        """The distances from some points to their farthest neighbours."""
        squared = cdist(drawn[start : start + BANDWIDTH_ROWS], drawn, "sqeuclidean")
        squared.partition(neighbours - 1, axis=1)
        return np.sqrt(squared[:, neighbours - 1])

    # All distances, since a tree is slower where a good share of the points are neighbours.
    with ThreadPoolExecutor() as pool:
        found = np.concatenate(list(pool.map(reach, range(0, len(drawn), BANDWIDTH_ROWS))))
    total = sum(found[start : start + SUMMED].sum() for start in range(0, len(found), SUMMED))
    return float(total) / len(drawn)


def modes(
    x: ArrayLike,
    bandwidth: float,
    *,
    bin_seeding: bool = True,
    max_iter: int = 300,
    max_points: int = 2_000_000,
) -> MeanShift:
    """The modes that mean shift climbs to.

    Parameters
    ----------
    x : (rows, c)
    bandwidth : float
        Radius of the flat kernel.
    bin_seeding : bool
        Start from the points rounded to whole bandwidths; False: from every point.
    max_iter : int
        Moves of a seed at most.
    max_points : int
        More points than this are binned into cells first, as `Cells.of` does with
        `size=bandwidth / CELLS_PER_BANDWIDTH`, so that the cost does not grow with their number.
        Modes then agree with those of the points to some 0.1 % of the bandwidth.

    Returns
    -------
    MeanShift

    Raises
    ------
    NotEnoughDataError
        If there is no point, or the bandwidth is zero because points coincide.
    OptionError
        If the bandwidth is not a positive number.

    References
    ----------
    .. [1] Comaniciu and Meer (2002), doi 10.1109/34.1000236.

    Examples
    --------
    >>> import numpy as np
    >>> r = np.random.default_rng(0)
    >>> x = np.concatenate([r.normal(0, 1, (500, 3)), r.normal(9, 1, (200, 3))])
    >>> modes(x, 3.0).modes.round(0) + 0.0
    array([[0., 0., 0.],
           [9., 9., 9.]])
    """
    points = checked(x)
    _check(points.shape[0], bandwidth)
    if bin_seeding and len(points) > max_points:
        cells = Cells.of(points, bandwidth / CELLS_PER_BANDWIDTH)
        return modes_of_cells(cells, bandwidth, max_iter=max_iter)
    seeds: Float64 = points
    if bin_seeding:
        bins = _whole_bandwidths(points, bandwidth)
        if len(bins) < len(points):
            seeds = (bins * bandwidth).astype(np.float64)
    lines = _Lines(points, None, bandwidth)
    return _modes(lines, seeds, bandwidth, max_iter)


def modes_of_cells(cells: Cells, bandwidth: float, *, max_iter: int = 300) -> MeanShift:
    """As `modes`, of points that were binned into cells.

    Parameters
    ----------
    cells : Cells
        Made with `size=bandwidth / CELLS_PER_BANDWIDTH`.
    bandwidth : float
    max_iter : int

    Returns
    -------
    MeanShift
        A cell that the ball cuts counts in the share that lies within, if its points are spread
        over it evenly; a cell whose points coincide is within or not, as its points are.

    Examples
    --------
    >>> import numpy as np
    >>> x = np.random.default_rng(0).normal(size=(500, 3))
    >>> halves = [Cells.of(half, 3.0 / CELLS_PER_BANDWIDTH) for half in (x[:200], x[200:])]
    >>> len(modes_of_cells(halves[0] + halves[1], 3.0).modes)
    1
    """
    _check(len(cells), bandwidth)
    per_bandwidth = bandwidth / cells.size
    n = round(per_bandwidth)
    if n < 2 or n & (n - 1) or not math.isclose(n, per_bandwidth, rel_tol=1e-9):
        raise OptionError(
            f"cells of size {cells.size} do not fit bandwidth={bandwidth}: bin with "
            f"size={bandwidth / CELLS_PER_BANDWIDTH}, and raise max_cells= if they are still wider "
            "than half the bandwidth"
        )
    bins = distinct((cells.index + n // 2) // n).T
    seeds = (bins * bandwidth).astype(np.float64)
    if len(seeds) == cells.count.sum():
        seeds = cells.centroid  # each of a single point, as in `modes`
    # Spread evenly over this depth, points have that standard deviation.
    depth = np.minimum(math.sqrt(12) * cells.spread, cells.size)
    lines = _Lines(cells.centroid, cells.moments[0], bandwidth, depth)
    return _modes(lines, seeds, bandwidth, max_iter)


# ----------------------------------------------------------------------------------------- climbing


def _check(n: int, bandwidth: float) -> None:
    if n == 0:
        raise NotEnoughDataError("mean shift has no point: give it at least one usable record")
    if bandwidth == 0:
        raise NotEnoughDataError(
            "the bandwidth of mean shift is 0, since too many points coincide: "
            "raise quantile=, or pass bandwidth= or k="
        )
    if not 0 < bandwidth < math.inf:
        raise OptionError(f"bandwidth={bandwidth}; it must be positive and finite")


def _whole_bandwidths(points: Float64, bandwidth: float) -> Integers:
    """The different places that points have when they are rounded to whole bandwidths."""
    found = [
        distinct(np.round(points[start : start + SEED_ROWS] / bandwidth).astype(np.int64).T)
        for start in range(0, len(points), SEED_ROWS)
    ]
    return distinct(np.concatenate(found, axis=1)).T


def _modes(lines: _Lines, seeds: Float64, bandwidth: float, max_iter: int) -> MeanShift:
    centres, intensity, moves = _climb(lines, seeds, bandwidth, max_iter)
    if len(centres) == 0:
        raise NotEnoughDataError(
            f"no point lies within bandwidth={bandwidth} of a seed: raise the bandwidth"
        )
    order = np.lexsort((*centres.T[::-1], intensity))[::-1]
    kept = _without_duplicates(centres[order], bandwidth)
    return MeanShift(centres[order][kept], intensity[order][kept], moves, float(bandwidth))


def _climb(
    lines: _Lines, seeds: Float64, bandwidth: float, max_iter: int
) -> tuple[Float64, Int64, int]:
    """Where the seeds arrive, the points around there, and the most moves that one made."""
    # Means are rounded far below what matters, so that seeds whose balls come to hold the same
    # points go on as one; `known` then spares them all but the first one's steps.
    grain = bandwidth * 2.0**-36
    known: dict[bytes, tuple[Float64, float]] = {}

    def climb(seed: Float64) -> tuple[Float64, float, int]:
        place, moves = seed, 0
        while True:
            step = known.get(place.tobytes())
            if step is None:
                total, count = lines.ball(place)
                mean = np.round(total / (count or 1) / grain) * grain
                step = known[place.tobytes()] = (mean, count)
            mean, count = step
            if count == 0:
                return place, 0, moves
            shift = math.dist(mean, place)
            place = mean
            if shift <= STOP * bandwidth or moves == max_iter:
                return place, count, moves
            moves += 1

    # One after another: threads would wait for each other between NumPy's short calls.
    arrived = [climb(seed) for seed in seeds]
    reached = {tuple(place): count for place, count, _ in arrived if count}
    centres = np.array(list(reached), dtype=np.float64).reshape(len(reached), seeds.shape[1])
    intensity = np.rint(list(reached.values())).astype(np.int64)
    return centres, intensity, max((moves for *_, moves in arrived), default=0)


def _without_duplicates(centres: Float64, bandwidth: float) -> NDArray[np.bool_]:
    """Which centres to keep: each removes the later ones within the bandwidth."""
    kept = np.ones(len(centres), bool)
    for i, centre in enumerate(centres):
        if kept[i]:
            later = centres[i + 1 :]
            kept[i + 1 :] &= np.square(later - centre).sum(axis=1) > bandwidth**2
    return kept


# ---------------------------------------------------------------------------------- sums in a ball


class _Lines:
    """Weighted points on lines, for the number and the sum of those within a ball.

    The axis of the widest spread runs along the lines; on the others, space is cut into columns
    of equal width, each of which is a line of points, in the order of bins along it. Of each
    column, a ball takes a stretch of bins that is inside wherever in them their points are, whose
    sum is the difference of two cumulative sums, and at the stretch's two ends points that are
    compared one by one.

    Where a point stands for several that are spread evenly over a depth, it is within the ball in
    the share that a plane through it cuts off.
    """

    def __init__(
        self,
        points: Float64,
        weight: NDArray[Any] | None,
        radius: float,
        depth: Float64 | None = None,
    ) -> None:
        n, c = points.shape
        self._radius = radius
        # Rounding must never put a point among those that are not compared: hence the margin.
        self._margin = 1e-9 * radius + (0.0 if depth is None else depth.max() / 2)
        along = int(np.argmax(np.ptp(points, axis=0)))
        self._axes = np.array([axis for axis in range(c) if axis != along] + [along])
        self._back = np.argsort(self._axes)
        # A ball's work is the columns it meets, ~ fineness ** (c - 1), and the points at their
        # ends, ~ n / fineness. The factor is measured, at 1e4 to 1e6 points in three dimensions.
        fineness = min(max(round(0.18 * n ** (1 / c)), 2), 64)
        self._width = radius / fineness

        axes = [points[:, axis] for axis in self._axes]
        self._start = axes[-1].min()
        self._bin = self._width / BINS_PER_WIDTH
        columns, order = self._sorted(axes)
        self._coordinates = coordinates = np.empty((c, n))
        for own, places in zip(coordinates, axes, strict=True):
            places.take(order, out=own, mode="clip")  # any other mode makes a copy first
        self._weight = None if weight is None else np.asarray(weight, np.float64).take(order)
        self._depth = None if depth is None else depth.take(order)
        heads = np.flatnonzero(np.diff(columns, prepend=-1))
        self._low = np.minimum.reduceat(coordinates[:-1], heads, axis=1)
        self._high = np.maximum.reduceat(coordinates[:-1], heads, axis=1)
        self._slab = self._column_of(self._low[0]) if c > 1 else np.zeros(1, np.int64)
        self._index_bins(heads)

        self._cumulative = np.zeros((n + 1, c + 1))
        moments = self._cumulative[1:]
        moments[:, 0] = 1.0 if self._weight is None else self._weight
        for axis, places in enumerate(coordinates):
            np.multiply(places, moments[:, 0], out=moments[:, axis + 1])
        np.cumsum(moments, axis=0, out=moments)

    def _sorted(self, axes: list[Float64]) -> tuple[Integers, Integers]:
        """The points' order by column and bin along it; and in that order, each one's column."""
        columns = np.empty((len(axes) - 1, len(axes[-1])), np.int64)
        for own, places in zip(columns, axes[:-1], strict=True):
            own[:] = self._column_of(places)
        column, bits = keys(columns)
        del columns
        if bits > COLUMN_BITS:
            column = np.unique(column, return_inverse=True)[1]
            bits = len(column).bit_length()
        extent = axes[-1].max() - self._start
        while extent / self._bin >= 2.0 ** (61 - bits):
            self._bin *= 2
        bins = self._bin_of(axes[-1])
        n_bins = int(bins.max()) + 1
        order = stable_order(column * n_bins + bins, bits + n_bins.bit_length())
        return column.take(order), order

    def _index_bins(self, heads: Integers) -> None:
        """For each bin along each column, the first point that is in it or beyond.

        Bins without points count, so that a place is found without a search; they are made wider
        where that would take more memory than the points.
        """
        n = self._coordinates.shape[1]
        ends = np.append(heads[1:], n)
        bins = self._bin_of(self._coordinates[-1])
        while np.sum(bins[ends - 1] - bins[heads]) > 4 * n + 1_000_000:
            self._bin *= 2
            bins >>= 1  # exactly what `_bin_of` gives then
        n_bins = bins[ends - 1] - bins[heads] + 1
        # One more slot a column says where the column ends.
        after = np.cumsum(n_bins + 1)
        self._last_slot = after - 1
        self._first_slot = self._last_slot - n_bins
        self._slot_of_bin_0 = self._first_slot - bins[heads]
        slot = np.repeat(self._slot_of_bin_0, ends - heads) + bins
        begins = np.full(after[-1], n, np.int32)
        new = np.flatnonzero(np.diff(slot, prepend=-1))
        begins[slot[new]] = new
        begins[self._last_slot] = ends
        np.minimum.accumulate(begins[::-1], out=begins[::-1])
        self._begins = begins

    def _column_of(self, places: Float64) -> Int64:
        """The index along an axis of the columns that hold these places."""
        return np.floor(places * (1 / self._width)).astype(np.int64)

    def _bin_of(self, z: Float64) -> Int64:
        """The bin of each place; of one before the first bin, that or one after (both are safe)."""
        return ((z - self._start) * (1 / self._bin)).astype(np.int64)

    def ball(self, centre: Float64) -> tuple[Float64, float]:
        """The sum and the weight of the points within the radius of `centre`."""
        centre = centre[self._axes]
        least, most = self._radius - self._margin, self._radius + self._margin
        columns, near, far = self._columns_near(centre[:-1], most)
        outer = np.sqrt(np.maximum(most**2 - near, 0)) + 1e-9 * self._radius
        inner = np.sqrt(np.maximum(least**2 - far, 0)) - 1e-9 * self._radius

        lowest, highest = self._first_slot.take(columns), self._last_slot.take(columns)
        bin_0 = self._slot_of_bin_0.take(columns)

        def first_at(z: Float64, after: int) -> NDArray[np.int32]:
            """The first point of each column in the bin of `z`, or in the one after, or beyond."""
            slot = self._bin_of(z)
            slot += bin_0
            slot += after
            np.maximum(slot, lowest, out=slot)
            return self._begins.take(np.minimum(slot, highest, out=slot))

        z = centre[-1]
        first, last = first_at(z - outer, 0), first_at(z + outer, 1)
        inside_first, inside_last = first_at(z - inner, 1), first_at(z + inner, 0)
        none = (inner <= 0) | (far > least**2) | (inside_first >= inside_last)
        inside_first[none] = inside_last[none] = first[none]

        whole = self._cumulative.take(inside_last, axis=0)
        whole -= self._cumulative.take(inside_first, axis=0)
        moments = whole.sum(axis=0)
        edge = _ranges(np.append(first, inside_last), np.append(inside_first, last))
        # Axis by axis, which is several times as fast as a matrix of a few columns; without BLAS,
        # whose sums would depend on its threads.
        offset = [
            places.take(edge) - place
            for places, place in zip(self._coordinates, centre, strict=True)
        ]  # fmt: skip
        share = self._within(sum(map(np.square, offset)), edge)
        weight = share.sum()
        sums = np.array([np.einsum("i,i->", share, distance) for distance in offset])
        total = moments[1:] + sums + weight * centre
        return total[self._back], float(moments[0] + weight)

    def _within(self, squared: Float64, points: Int64) -> Float64:
        """How much of each point, by its squared distance from the centre, is within the radius."""
        share = (squared <= self._radius**2).astype(np.float64)
        if self._depth is not None:
            depth = self._depth.take(points)
            inward = self._radius - np.sqrt(squared)
            np.divide(inward, depth, out=share, where=depth > 0)
            share[depth > 0] += 0.5
            np.clip(share, 0, 1, out=share)
        if self._weight is not None:
            share *= self._weight.take(points)
        return share

    def _columns_near(self, centre: Float64, radius: float) -> tuple[Int64, Float64, Float64]:
        """Columns that a ball may meet, their squared distances: the least, the greatest."""
        if len(centre) == 0:
            return np.zeros(1, np.int64), np.zeros(1), np.zeros(1)
        first, last = self._column_of(centre[0] + np.array([-radius, radius]))
        start, stop = np.searchsorted(self._slab, [first, last + 1])
        near, far = np.zeros(stop - start), np.zeros(stop - start)
        for low, high, c in zip(self._low, self._high, centre, strict=True):
            below, above = low[start:stop] - c, c - high[start:stop]
            outside, across = np.maximum(below, above), np.minimum(below, above, out=below)
            np.maximum(outside, 0, out=outside)
            near += np.square(outside, out=outside)
            far += np.square(across, out=across)
        met = np.flatnonzero(near <= radius**2 * (1 + 1e-9))
        return met + start, near[met], far[met]


def _ranges(starts: Int64, stops: Int64) -> Int64:
    """All of range(start, stop), one after another."""
    lengths = stops - starts
    ends = np.cumsum(lengths)
    return np.arange(ends[-1] if len(ends) else 0) + np.repeat(starts - ends + lengths, lengths)
