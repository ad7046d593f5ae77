"""How well separated groups are: higher is better for the first score, lower for the second.

Both follow from two passes over the points, in parts or whole: the groups' means, then how far the
points are from them. Differences are taken before they are squared, so that no digits are lost.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from xpad.stages.parts import Reduce, over

Float64 = NDArray[np.float64]
Label = Callable[[NDArray[Any]], NDArray[np.integer[Any]]]

ROWS = 16_384
"""Rows that are worked on at once, so that temporary arrays stay in the cache."""


def calinski_harabasz(x: ArrayLike, labels: ArrayLike) -> float:
    """Variance between the groups over that within them (Calinski and Harabasz 1974).

    Parameters
    ----------
    x : (rows, c)
    labels : (rows,)
        Rows with a negative label are left out.

    Returns
    -------
    float
        As `sklearn.metrics.calinski_harabasz_score`; NaN with one group, or as many as rows.

    References
    ----------
    .. [1] doi 10.1080/03610927408827101

    Examples
    --------
    >>> calinski_harabasz([[0.0], [1.0], [5.0], [6.0]], [0, 0, 1, 1])
    50.0
    >>> calinski_harabasz([[0.0], [1.0]], [0, 0])
    nan
    """
    return _of_points(x, labels)[0]


def davies_bouldin(x: ArrayLike, labels: ArrayLike) -> float:
    """Mean likeness of each group to the one most like it (Davies and Bouldin 1979).

    Parameters
    ----------
    x : (rows, c)
    labels : (rows,)
        Rows with a negative label are left out.

    Returns
    -------
    float
        As `sklearn.metrics.davies_bouldin_score`; NaN with one group, or as many as rows.

    References
    ----------
    .. [1] doi 10.1109/TPAMI.1979.4766909

    Examples
    --------
    >>> davies_bouldin([[0.0], [1.0], [5.0], [6.0]], [0, 0, 1, 1])
    0.2
    """
    return _of_points(x, labels)[1]


def counts(reduce: Reduce, label_of: Label, k: int) -> NDArray[np.int64]:
    """How many points lie in each part, (k,).

    Parameters
    ----------
    reduce, label_of, k
        As of `of_parts`.

    Examples
    --------
    >>> from xpad.stages.nearest import nearest
    >>> counts(over([np.array([[0.0], [5.0], [6.0]])]), partial(nearest, [[0.0], [6.0]]), 2)
    array([1, 2])
    """
    return np.asarray(reduce(partial(_counted, label_of=label_of, k=k)), dtype=np.int64)


def _counted(points: NDArray[np.float32], label_of: Label, k: int) -> NDArray[np.int64]:
    labels = label_of(points)
    return np.bincount(labels[labels >= 0], minlength=k)


def of_parts(
    reduce: Reduce, label_of: Label, k: int, shift: ArrayLike = 0.0
) -> tuple[float, float]:
    """Both scores of points that lie in parts, in two reductions.

    Parameters
    ----------
    reduce : Reduce
        Over parts of shape (rows, c).
    label_of : callable
        The labels, (rows,) and less than k, of points (rows, c). Rows with a negative one are left
        out.
    k : int
    shift : (c,)
        Subtracted from the points before they are summed; anywhere near them.

    Returns
    -------
    (float, float)
        Calinski and Harabasz's score, and Davies and Bouldin's.

    Examples
    --------
    >>> from xpad.stages.nearest import nearest
    >>> parts = [np.array([[0.0], [5.0]]), np.array([[6.0], [1.0]])]
    >>> of_parts(over(parts), partial(nearest, [[0.0], [6.0]]), 2)
    (50.0, 0.2)
    """
    groups = reduce(partial(_groups, label_of=label_of, k=k, shift=shift))
    filled = groups.count > 0
    count, offset = groups.count[filled], groups.total[filled] / groups.count[filled][:, None]
    n, found = int(count.sum()), len(count)
    if not 2 <= found <= n - 1:
        return float("nan"), float("nan")
    means = np.full(groups.total.shape, np.nan)
    means[filled] = offset + np.asarray(shift, np.float64)
    spread = reduce(partial(_spread, label_of=label_of, means=means))
    return (
        _calinski_harabasz(count, offset, spread.squared[filled]),
        _davies_bouldin(offset, spread.distance[filled] / count),
    )


@dataclass(frozen=True)
class Groups:
    """Number of each group's points, (k,), and sum of their offsets from a shift, (k, c)."""

    count: NDArray[np.int64]
    total: Float64

    @classmethod
    def of(cls, x: ArrayLike, labels: ArrayLike, k: int, shift: ArrayLike) -> Groups:
        """Take the groups of points (rows, c) with labels (rows,)."""
        points, label = np.asarray(x), np.asarray(labels)
        count, total = np.zeros(k, np.int64), np.zeros((k, points.shape[1]))
        about = np.broadcast_to(np.asarray(shift, np.float64), points.shape[1])
        for start in range(0, len(points), ROWS):
            columns, group = _labelled(points[start : start + ROWS], label[start : start + ROWS])
            count += np.bincount(group, minlength=k)
            for axis, column in enumerate(columns):
                total[:, axis] += np.bincount(group, column - about[axis], minlength=k)
        return cls(count, total)

    def __add__(self, other: Groups) -> Groups:
        return Groups(self.count + other.count, self.total + other.total)


@dataclass(frozen=True)
class Spread:
    """Sums, (k,), of the distances of each group's points to its mean, and of their squares."""

    distance: Float64
    squared: Float64

    @classmethod
    def of(cls, x: ArrayLike, labels: ArrayLike, means: Float64) -> Spread:
        """Take the spread of points (rows, c) with labels (rows,) about `means`, (k, c)."""
        points, label, k = np.asarray(x), np.asarray(labels), len(means)
        distances, squares = np.zeros(k), np.zeros(k)
        for start in range(0, len(points), ROWS):
            columns, group = _labelled(points[start : start + ROWS], label[start : start + ROWS])
            squared = np.zeros(len(group))
            for column, mean in zip(columns, means.T, strict=True):
                squared += np.square(column - mean[group])
            distances += np.bincount(group, np.sqrt(squared), minlength=k)
            squares += np.bincount(group, squared, minlength=k)
        return cls(distances, squares)

    def __add__(self, other: Spread) -> Spread:
        return Spread(self.distance + other.distance, self.squared + other.squared)


def _of_points(x: ArrayLike, labels: ArrayLike) -> tuple[float, float]:
    label = np.asarray(labels)
    labelled = label >= 0
    points = np.asarray(x, np.float64)[labelled]
    groups, member = np.unique(label[labelled], return_inverse=True)
    if len(points) == 0:
        return float("nan"), float("nan")
    return of_parts(over([points]), lambda _: member, len(groups), points[0])


def _groups(points: NDArray[Any], *, label_of: Label, k: int, shift: ArrayLike) -> Groups:
    return Groups.of(points, label_of(points), k, shift)


def _spread(points: NDArray[Any], *, label_of: Label, means: Float64) -> Spread:
    return Spread.of(points, label_of(points), means)


def _labelled(
    points: NDArray[Any], label: NDArray[np.integer[Any]]
) -> tuple[Float64, NDArray[np.intp]]:
    """Columns and labels of the rows that have one."""
    kept = label >= 0
    if not kept.all():
        points, label = points[kept], label[kept]
    return points.T.astype(np.float64, order="C"), label.astype(np.intp)


def _calinski_harabasz(count: NDArray[np.int64], means: Float64, squared: Float64) -> float:
    n, k = count.sum(), len(count)
    between = (count @ np.square(means - count @ means / n)).sum()
    within = squared.sum()
    return float(between / within * (n - k) / (k - 1)) if within > 0 else 1.0


def _davies_bouldin(means: Float64, radius: Float64) -> float:
    between = np.stack([np.sqrt(np.square(means - mean).sum(axis=1)) for mean in means])
    if not radius.any() or not between.any():
        return 0.0
    between[between == 0] = np.inf
    return float(((radius[:, None] + radius) / between).max(axis=1).mean())
