"""k-means: groups around centres, ordered by size."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from xpad.errors import NotEnoughDataError, OptionError

__all__ = ["KMeans", "assign", "fit"]

Float64 = NDArray[np.float64]

ASSIGN_ROWS = 16_384


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
    """

    centres: Float64
    counts: NDArray[np.int64]
    inertia: float
    n_iter: int


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
    centres, counts, inertia = ordered(estimator.cluster_centers_, points)
    return KMeans(centres, counts, inertia, int(estimator.n_iter_))


def assign(centres: ArrayLike, x: ArrayLike) -> NDArray[np.int16]:
    """The nearest centre of each row.

    Parameters
    ----------
    centres : (k, c)
    x : (rows, c)

    Returns
    -------
    (rows,) int16
        The lowest index among equally near centres; -1 for a row with NaN. A row's label does not
        depend on the other rows of the call.

    Examples
    --------
    >>> assign([[0.0], [4.0]], [[1.0], [2.0], [3.0], [float("nan")]])
    array([ 0,  0,  1, -1], dtype=int16)
    """
    return _nearest(np.asarray(centres, np.float64), np.asarray(x))[0]


def checked_points(x: ArrayLike, k: int) -> Float64:
    """`x` as float64 points, if they are finite and at least k of them are distinct."""
    points = np.asarray(x, dtype=np.float64)
    if points.ndim != 2:
        raise OptionError(f"points have shape {points.shape}; wanted (rows, components)")
    if not 1 <= k <= np.iinfo(np.int16).max:
        raise OptionError(f"k={k}; it must be within 1 and {np.iinfo(np.int16).max}")
    if not np.isfinite(points).all():
        raise OptionError("points are not all finite: leave out the records that are not usable")
    # Sorting all is slow; a first part nearly always has k distinct points.
    distinct = 0
    for part in (points[: 10 * k + 1000], points):
        distinct = len(np.unique(part, axis=0)) if distinct < k else distinct
    if distinct < k:
        raise NotEnoughDataError(
            f"k={k} groups were asked of {len(points)} usable records with {distinct} distinct "
            f"points among them: ask for k of at most {distinct}, or give more records"
        )
    return points


def ordered(centres: Float64, points: Float64) -> tuple[Float64, NDArray[np.int64], float]:
    """The centres by descending size, their sizes, and the inertia, all over `points`."""
    label, squared = _nearest(centres, points)
    counts = np.bincount(label, minlength=len(centres))
    order = np.lexsort((*centres.T[::-1], -counts))
    return centres[order], counts[order].astype(np.int64), float(squared.sum())


def _nearest(centres: Float64, x: NDArray[np.generic]) -> tuple[NDArray[np.int16], Float64]:
    """The nearest centre of each row and its squared distance (-1 and NaN for a row with NaN).

    Distances are summed coordinate by coordinate, so that nothing rests on the number of rows.
    """
    label = np.full(len(x), -1, np.int16)
    nearest = np.full(len(x), np.nan)
    for start in range(0, len(x), ASSIGN_ROWS):
        rows = slice(start, start + ASSIGN_ROWS)
        columns = np.asarray(x[rows], np.float64).T.copy()
        best = np.full(columns.shape[1], np.inf)
        for i, centre in enumerate(centres):
            squared = np.zeros(columns.shape[1])
            for column, coordinate in zip(columns, centre, strict=True):
                squared += np.square(column - coordinate)
            closer = squared < best
            label[rows][closer] = i
            np.copyto(best, squared, where=closer)
        nearest[rows] = np.where(np.isfinite(best), best, np.nan)
    return label, nearest
