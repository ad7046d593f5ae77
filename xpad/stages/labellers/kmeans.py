"""k-means: groups around centres, ordered by size.

Of points in memory, `fit` finds them as scikit-learn does. Of points that lie in parts, `fit_parts`
takes its starts from cells and makes exact steps of Lloyd's algorithm from sums over the parts.
"""

from __future__ import annotations

import logging
from collections.abc import Iterator
from dataclasses import dataclass
from functools import partial
from typing import Any, Self

import numpy as np
from numpy.typing import ArrayLike, NDArray

from xpad.errors import NotEnoughDataError, OptionError, warn
from xpad.settings import Settings
from xpad.stages.cells import Cells
from xpad.stages.labellers.base import Labeller
from xpad.stages.parts import Reduce
from xpad.stages.points import Points

Float64 = NDArray[np.float64]

ROWS = 16_384
"""Rows that are worked on at once, so that temporary arrays stay in the cache."""

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class KMeans:
    """Groups of points, the largest first (of equally large ones, by their centres' coordinates).

    Attributes
    ----------
    centres : (k, c) float64
    counts : (k,) int64
        Points nearest to each centre.
    inertia : float
        Sum over the points of the squared distance to the nearest centre.
    n_iter : int
        Iterations of the best start.
    reseeded : int
        How often a group had lost all its points and was started anew at the point that was
        farthest from its centre.
    """

    centres: Float64
    counts: NDArray[np.int64]
    inertia: float
    n_iter: int
    reseeded: int = 0


def fit(
    x: ArrayLike,
    k: int,
    *,
    n_init: int = 10,
    random_state: int = 0,
    max_iter: int = 300,
    tol: float = 1e-4,
) -> KMeans:
    """Find k centres as `sklearn.cluster.KMeans` does, and order them by size.

    Parameters
    ----------
    x : (rows, c)
    k : int
    n_init : int
        Starts, of which the one with the least inertia is kept.
    random_state : int
    max_iter : int
        Iterations of a start at most.
    tol : float
        Movement of the centres, relative to the points' variance, that ends a start.

    Returns
    -------
    KMeans

    Raises
    ------
    NotEnoughDataError
        If there are fewer than k distinct points.
    OptionError
        If `k` is less than 1, or a point is not finite.

    Examples
    --------
    >>> groups = fit([[0.0], [5.0], [5.2]], 2)
    >>> groups.centres.round(1).tolist(), groups.counts.tolist()
    ([[5.1], [0.0]], [2, 1])
    """
    from sklearn import cluster

    points = checked_points(x, k)
    estimator = cluster.KMeans(
        n_clusters=k, n_init=n_init, random_state=random_state, max_iter=max_iter, tol=tol
    ).fit(points)
    found = Sums.of(points, estimator.cluster_centers_)
    return KMeans(*ordered(estimator.cluster_centers_, found), int(estimator.n_iter_))


def fit_parts(
    reduce: Reduce,
    cells: Cells,
    k: int,
    *,
    n_init: int = 10,
    random_state: int = 0,
    max_iter: int = 300,
    tol: float = 1e-4,
) -> KMeans:
    """As `fit`, of points that lie in parts: the best of the starts on cells, then exact steps.

    Parameters
    ----------
    reduce : Reduce
        Over parts of shape (rows, c).
    cells : Cells
        Of the same points.
    k, n_init, random_state, max_iter, tol
        As of `fit`.

    Returns
    -------
    KMeans
        Centres, counts and inertia are those of all points.

    Raises
    ------
    NotEnoughDataError
        If there are fewer than k cells with points, or fewer than k distinct points.
    OptionError
        If `k` is less than 1.

    Examples
    --------
    >>> import numpy as np
    >>> from xpad.stages.parts import over
    >>> parts = [np.array([[0.0], [5.0]]), np.array([[5.2]])]
    >>> groups = fit_parts(over(parts), Cells.of(np.concatenate(parts), 0.1), 2)
    >>> groups.centres.round(1).tolist(), groups.counts.tolist()
    ([[5.1], [0.0]], [2, 1])
    """
    start = starts(cells, k, n_init=n_init, random_state=random_state)
    return lloyd(reduce, start, max_iter=max_iter, tol=tol)


def starts(
    cells: Cells, k: int, *, n_init: int = 10, random_state: int = 0, max_cells: int = 50_000
) -> Float64:
    """Centres to start from: scikit-learn's k-means of cells, each at its centroid with its weight.

    Parameters
    ----------
    cells : Cells
    k : int
    n_init : int
        A third of the starts by k-means++, of which the one with the least inertia is kept.
    random_state : int
    max_cells : int
        More cells than this are made coarser first, so that the cost does not grow with the data.

    Returns
    -------
    (k, c) float64

    Raises
    ------
    NotEnoughDataError
        If there are fewer than k cells with points.
    OptionError
        If `k` is less than 1.
    """
    from sklearn import cluster
    from threadpoolctl import threadpool_limits

    _check_k(k)
    if len(cells) < k:
        raise NotEnoughDataError(
            f"k={k} groups were asked and the records' components fill {len(cells)} cells of "
            f"size {cells.size:.3g}: ask for fewer, or give finer cells or more records"
        )
    while len(cells) > max(max_cells, k):
        coarser = cells.coarsened(2)
        if len(coarser) < k:
            break
        cells = coarser
    # Starts on cells cost little, and so do more of them, and steps until nothing moves. Threads
    # would add up in the order in which they end, and the last bits would differ.
    with threadpool_limits(1):
        estimator = cluster.KMeans(k, n_init=3 * n_init, random_state=random_state, tol=1e-7).fit(
            cells.centroid, sample_weight=cells.moments[0]
        )
    return np.asarray(estimator.cluster_centers_, np.float64)


def lloyd(reduce: Reduce, start: ArrayLike, *, max_iter: int = 300, tol: float = 1e-4) -> KMeans:
    """Lloyd's algorithm on points that lie in parts, one reduction over the parts a step.

    Parameters
    ----------
    reduce : Reduce
        Over parts of shape (rows, c). Rows that are not finite are left out.
    start : (k, c)
        Centres to start from.
    max_iter : int
        Steps at most.
    tol : float
        The steps end when the sum of the centres' squared movements is at most this share of the
        points' variance (the mean of the coordinates'), or nothing moves.

    Returns
    -------
    KMeans
        As `sklearn.cluster.KMeans(init=start, n_init=1, tol=tol)`, but for the order, and for
        groups without points, which never remain unless `max_iter` ends the steps.

    Raises
    ------
    NotEnoughDataError
        If there are fewer than k distinct points.

    Examples
    --------
    >>> import numpy as np
    >>> from xpad.stages.parts import over
    >>> groups = lloyd(over([np.array([[0.0], [1.0]]), np.array([[9.0]])]), [[0.0], [2.0]])
    >>> groups.centres.tolist(), groups.n_iter
    ([[0.5], [9.0]], 2)
    """
    centres = np.array(start, np.float64)
    _check_k(len(centres))
    sums = reduce(partial(Sums.of, centres=centres))
    tolerance = tol * sums.variance(centres)
    steps = reseeded = 0
    while steps < max_iter:
        before, (centres, n_new) = centres, sums.moved()
        steps, reseeded = steps + 1, reseeded + n_new
        movement = np.square(centres - before).sum()
        if movement == 0:
            break
        sums = reduce(partial(Sums.of, centres=centres))
        if movement <= tolerance and sums.count.all():
            break
    log.info("k-means of k=%d: %d steps, %d groups started anew", len(centres), steps, reseeded)
    return KMeans(*ordered(centres, sums), steps, reseeded)


def checked_points(x: ArrayLike, k: int) -> Float64:
    """`x` as float64 points, if they are finite and at least k of them are distinct."""
    points = np.asarray(x, dtype=np.float64)
    if points.ndim != 2:
        raise OptionError(f"points have shape {points.shape}; wanted (rows, components)")
    _check_k(k)
    if not np.isfinite(points).all():
        raise OptionError("points are not all finite: leave out the records that are not usable")
    # Sorting all is slow; a first part nearly always has k distinct points.
    distinct = 0
    for part in (points[: 10 * k + 1000], points):
        distinct = len(np.unique(part, axis=0)) if distinct < k else distinct
    if distinct < k:
        _refuse(k, len(points), distinct)
    return points


def ordered(centres: ArrayLike, sums: Sums) -> tuple[Float64, NDArray[np.int64], float]:
    """The centres by descending size, their sizes, and the inertia, where `sums` are about them."""
    places = np.asarray(centres, np.float64)
    order = np.lexsort((*places.T[::-1], -sums.count))
    return places[order], sums.count[order], sums.squared


@dataclass(frozen=True)
class Sums:
    """What a step of k-means asks of points and k centres. Merge by `+`.

    Attributes
    ----------
    count : (k,) int64
        Points nearest to each centre, as `xpad.stages.nearest` says.
    total : (k, c) float64
        Sum of those points.
    squared : float
        Sum of all points' squared distances to their centres.
    far : (at most k, c) float64
        The points farthest from their centres, the farthest first.
    far_squared, far_label : (at most k,)
        Their squared distances, and their centres.
    """

    count: NDArray[np.int64]
    total: Float64
    squared: float
    far: Float64
    far_squared: Float64
    far_label: NDArray[np.int64]

    @classmethod
    def of(cls, points: ArrayLike, centres: ArrayLike) -> Sums:
        """Take the sums of points, shape (rows, c); those that are not finite are left out."""
        places = np.asarray(centres, np.float64)
        k, c = places.shape
        count, total, squared = np.zeros(k, np.int64), np.zeros((k, c)), 0.0
        far = cls(count, total, squared, np.empty((0, c)), np.empty(0), np.empty(0, np.int64))
        for _, columns, label, distance in _nearest(places, np.asarray(points)):
            finite = label >= 0
            if not finite.all():
                columns, label, distance = columns[:, finite], label[finite], distance[finite]
            group = label.astype(np.intp)
            count += np.bincount(group, minlength=k)
            for axis, column in enumerate(columns):
                total[:, axis] += np.bincount(group, column, minlength=k)
            squared += float(distance.sum())
            far = far._or_farther(columns, distance, group)
        return cls(count, total, squared, far.far, far.far_squared, far.far_label)

    def __add__(self, other: Sums) -> Sums:
        both = self._or_farther(other.far.T, other.far_squared, other.far_label)
        return Sums(
            self.count + other.count,
            self.total + other.total,
            self.squared + other.squared,
            both.far,
            both.far_squared,
            both.far_label,
        )

    def variance(self, centres: Float64) -> float:
        """Mean of the coordinates' variances, of sums that were taken about `centres`."""
        n = self.count.sum()
        if n == 0:
            return 0.0
        filled = self.count > 0
        count = self.count[filled]
        means = self.total[filled] / count[:, None]
        about_centres = count @ np.square(means - centres[filled])
        about_mean = count @ np.square(means - self.total.sum(axis=0) / n)
        return float((self.squared + (about_mean - about_centres).sum()) / (n * centres.shape[1]))

    def moved(self) -> tuple[Float64, int]:
        """The means of the groups; one without points takes the farthest point of all from another.

        Returns
        -------
        (k, c) float64, and the number of groups without points

        Raises
        ------
        NotEnoughDataError
            If a group has no point, and all points coincide with the centres of others.
        """
        count, total = self.count.copy(), self.total.copy()
        empty = np.flatnonzero(count == 0)
        if len(empty) and not self.far_squared[:1].any():
            _refuse(len(count), int(count.sum()), len(count) - len(empty))
        taken = zip(empty, self.far, self.far_label, strict=False)
        for group, point, taken_from in taken:
            total[taken_from] -= point
            count[taken_from] -= 1
            total[group], count[group] = point, 1
        means = total / np.maximum(count, 1)[:, None]
        means[count == 0] = means[count.argmax()]  # the next step starts it anew
        return means, len(empty)

    def _or_farther(
        self, columns: Float64, distance: Float64, group: NDArray[np.integer[Any]]
    ) -> Sums:
        """The farthest points of these and those, whatever the order in which they come."""
        k = len(self.count)
        least = self.far_squared[-1] if len(self.far_squared) == k else -np.inf
        if len(distance) == 0 or distance.max() < least:
            return self
        if len(distance) > k:
            least = max(least, np.partition(distance, -k)[-k])
        new = np.flatnonzero(distance >= least)
        points = np.concatenate([self.far, columns[:, new].T])
        squared = np.concatenate([self.far_squared, distance[new]])
        label = np.concatenate([self.far_label, group[new]])
        kept = np.lexsort((*points.T[::-1], -squared))[:k]
        return Sums(self.count, self.total, self.squared, points[kept], squared[kept], label[kept])


def _check_k(k: int) -> None:
    if not 1 <= k <= np.iinfo(np.int16).max:
        raise OptionError(f"k={k}; it must be within 1 and {np.iinfo(np.int16).max}")


def _refuse(k: int, n: int, distinct: int) -> None:
    raise NotEnoughDataError(
        f"k={k} groups were asked of {n} usable records with {distinct} distinct points among "
        f"them: ask for k of at most {distinct}, or give more records"
    )


def _nearest(
    centres: Float64, x: NDArray[Any]
) -> Iterator[tuple[slice, Float64, NDArray[np.int16], Float64]]:
    """Rows of `x`, piece by piece: where, their columns, nearest centres and squared distances.

    Distances are summed coordinate by coordinate, so that nothing rests on the number of rows. A
    row that is not finite has label -1.
    """
    for start in range(0, len(x), ROWS):
        rows = slice(start, start + ROWS)
        columns = np.asarray(x[rows], np.float64).T.copy()
        n = columns.shape[1]
        label, best = np.zeros(n, np.int16), np.full(n, np.inf)
        squared, term, closer = np.empty(n), np.empty(n), np.empty(n, bool)
        for i, centre in enumerate(centres):
            squared.fill(0)
            for column, coordinate in zip(columns, centre, strict=True):
                np.subtract(column, coordinate, out=term)
                np.square(term, out=term)
                squared += term
            np.less(squared, best, out=closer)
            # Later centres have higher numbers.
            np.maximum(label, closer * np.int16(i), out=label)
            np.minimum(best, squared, out=best)
        label[~np.isfinite(best)] = -1
        yield rows, columns, label, best


@dataclass(frozen=True, eq=False)
class KMeansLabeller(Labeller):
    """Clusters of k-means, as published; of more points than memory holds, too."""

    out_of_core = True

    @classmethod
    def fit(cls, points: Points, k: int, settings: Settings, *, cell: float) -> Self:
        """The best of `settings.n_init` starts; many points are started from in cells."""
        chosen = {"n_init": settings.n_init, "random_state": settings.seed("cluster")}
        if points.one_by_one:
            found = fit(points.rows(), k, **chosen)
        else:
            found = fit_parts(points.reduce, points.cells(cell), k, **chosen)
        if found.reseeded:
            warn(
                f"k-means: {found.reseeded} cluster(s) lost all their records on the way and were begun "
                f"again at the records farthest from the others; k={k} may be too many"
            )
        return cls(found.centres, found.counts.astype(np.int64))
