"""Ward's agglomerative clustering of a sample, the choice of Bakrania et al. (2020)."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Self

import numpy as np
from numpy.typing import ArrayLike

from xpad.errors import OptionError
from xpad.settings import Settings
from xpad.stages.labellers import kmeans
from xpad.stages.labellers.base import Labeller
from xpad.stages.points import Points


@dataclass(frozen=True)
class Ward(kmeans.KMeans):
    """Groups of points as in `KMeans`; `n_iter` is 0, since Ward's method does not iterate."""


def fit(x: ArrayLike, k: int, *, max_samples: int = 20_000, random_state: int = 0) -> Ward:
    """Merge points into k groups, each time the two whose merger adds least to the variance.

    Parameters
    ----------
    x : (rows, c)
    k : int
    max_samples : int
        Points drawn where there are more: memory and time grow as their square (20,000 take about
        2 GB). The others belong to the group with the nearest centre.
    random_state : int

    Returns
    -------
    Ward
        Centres are the means of the agglomerated groups; counts are of the points of `x` nearest
        to each.

    Raises
    ------
    NotEnoughDataError
        If there are fewer than k distinct points.
    OptionError
        If `k` is less than 1 or more than `max_samples`, or a point is not finite.

    References
    ----------
    .. [1] Bakrania et al. (2020), doi 10.3389/fspas.2020.593516.

    Examples
    --------
    >>> groups = fit([[0.0], [5.0], [5.2]], 2)
    >>> groups.centres.round(1).tolist(), groups.counts.tolist()
    ([[5.1], [0.0]], [2, 1])
    """
    from sklearn import cluster

    points = kmeans.checked_points(x, k)
    if k > max_samples:
        raise OptionError(f"max_samples={max_samples}; k={k} groups need at least as many")
    sample = points
    if len(points) > max_samples:
        drawn = np.random.default_rng(random_state).choice(len(points), max_samples, replace=False)
        sample = points[np.sort(drawn)]
    label = np.zeros(len(sample), np.int64)
    if k > 1:
        label = cluster.AgglomerativeClustering(n_clusters=k, linkage="ward").fit_predict(sample)
    means = np.stack([sample[label == group].mean(axis=0) for group in range(k)])
    return Ward(*kmeans.ordered(means, kmeans.Sums.of(points, means)), n_iter=0)


@dataclass(frozen=True, eq=False)
class WardLabeller(Labeller):
    """Clusters of Ward's method on a bounded sample; others go to the nearest centre."""

    out_of_core = False

    @classmethod
    def fit(cls, points: Points, k: int, settings: Settings, *, cell: float) -> Self:
        """Of `settings.max_ward` points at most.

        Raises
        ------
        OptionError
            These are fewer than the groups.
        """
        if k > settings.max_ward:
            raise OptionError(
                f"max_ward={settings.max_ward} is less than the {k} groups that are to be built from so "
                "many records: give a larger max_ward, or a smaller k"
            )
        found = fit(
            points.rows(), k, max_samples=settings.max_ward, random_state=settings.seed("cluster")
        )
        return cls(found.centres, found.counts.astype(np.int64))
