"""Neighbouring bins of an axis that are one: where each begins, and the mean of what they hold."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

SAME_ENERGY = 1e-6
"""Energies closer than this share of their value are one bin."""
SAME_ANGLE = 1e-3
"""Degrees: pitch angles closer than this are one bin; mirrored float32 are not quite equal."""


def bin_starts(axis: NDArray[np.float64], *, logarithmic: bool) -> NDArray[np.bool_]:
    """Where a new bin begins, along the last dimension of an ascending axis; NaN begins its own.

    Examples
    --------
    >>> bin_starts(np.array([1.0, 2.0, 2.0, 5.0]), logarithmic=True)
    array([ True,  True, False,  True])
    """
    with np.errstate(invalid="ignore"):
        step = np.diff(axis, axis=-1)
        same = step <= (SAME_ENERGY * np.abs(axis[..., 1:]) if logarithmic else SAME_ANGLE)
    first = np.ones((*axis.shape[:-1], min(axis.shape[-1], 1)), dtype=bool)
    return np.concatenate([first, ~same], axis=-1)


def group_means(values: NDArray[Any], starts: NDArray[np.bool_]) -> NDArray[np.float64]:
    """Mean over each run of the first dimension, of what was measured; NaN where nothing was.

    Parameters
    ----------
    values : (n, …)
    starts : (n,) bool
        Where a run begins; the first is True.

    Returns
    -------
    (runs, …) float64

    Examples
    --------
    >>> group_means(np.array([1.0, 3.0, np.nan, 7.0]), np.array([True, False, True, True]))
    array([ 2., nan,  7.])
    """
    first = np.flatnonzero(starts)
    measured = np.isfinite(values)
    total = np.add.reduceat(np.where(measured, values, 0.0).astype(np.float64), first, axis=0)
    count = np.add.reduceat(measured.astype(np.int64), first, axis=0)
    with np.errstate(invalid="ignore"):
        return np.asarray(np.where(count > 0, total / np.maximum(count, 1), np.nan))
