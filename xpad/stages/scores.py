"""How well separated groups are: higher is better for the first score, lower for the second."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from numpy.typing import ArrayLike

__all__ = ["calinski_harabasz", "davies_bouldin"]


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
    from sklearn.metrics import calinski_harabasz_score

    return _score(calinski_harabasz_score, x, labels)


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
    from sklearn.metrics import davies_bouldin_score

    return _score(davies_bouldin_score, x, labels)


def _score(score: Callable[..., float], x: ArrayLike, labels: ArrayLike) -> float:
    label = np.asarray(labels)
    labelled = label >= 0
    points, label = np.asarray(x, np.float64)[labelled], label[labelled]
    if not 2 <= len(np.unique(label)) <= len(points) - 1:
        return float("nan")
    return float(score(points, label))
