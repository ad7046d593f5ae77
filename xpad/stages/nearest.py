"""The nearest of some centres."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from xpad.compute.compiled import compiled
from xpad.errors import OptionError

Float64 = NDArray[np.float64]


def nearest(centres: ArrayLike, x: ArrayLike) -> NDArray[np.int16]:
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
    >>> nearest([[0.0], [4.0]], [[1.0], [2.0], [3.0], [float("nan")]])
    array([ 0,  0,  1, -1], dtype=int16)
    """
    points, middles = np.ascontiguousarray(x), np.ascontiguousarray(centres, np.float64)
    if points.dtype not in (np.float32, np.float64):
        points = points.astype(np.float64)
    if points.ndim != 2 or middles.ndim != 2 or points.shape[1] != middles.shape[1]:
        raise OptionError(
            f"points have shape {points.shape} and centres {middles.shape}; "
            "wanted (rows, components) and (k, components)"
        )
    labels = np.empty(len(points), np.int16)
    _assign(middles, points, labels)
    return labels


@compiled
def _assign(centres: Float64, points: NDArray[Any], labels: NDArray[np.int16]) -> None:
    for i in range(points.shape[0]):
        found, best = -1, np.inf
        for cluster in range(centres.shape[0]):
            squared = 0.0
            for j in range(centres.shape[1]):
                squared += (points[i, j] - centres[cluster, j]) ** 2
            if squared < best:
                found, best = cluster, squared
        labels[i] = found
