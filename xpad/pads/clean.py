"""Fill and invalid values to NaN, in the flux and in its coordinates; arrays in, arrays out."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from xpad.compute.compiled import compiled
from xpad.roles import metadata

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


# No measured flux reaches this; every positive fill seen (1e31, 1e38, 9.97e36) lies above it.
UNPHYSICAL = 1e30
INTEGER_FILLS = (4294967295, 65535, 32767, 2147483647, 255)
FILL_TOLERANCE = 1e-5


@dataclass(frozen=True)
class Limits:
    """What counts as a measured value.

    `fills` are compared to a relative 1e-5, because a double -1e31 in the
    attributes is not the float32 that the data hold.
    """

    fills: tuple[float, ...] = ()
    valid_min: float = 0.0
    valid_max: float = UNPHYSICAL

    def as_attrs(self) -> dict[str, Any]:
        """Attributes that `limits_of` reads as these."""
        return {
            "missing_value": list(self.fills),
            "valid_min": self.valid_min,
            "valid_max": self.valid_max,
        }

    def in_float32(self) -> tuple[np.float32, np.float32, NDArray[np.float32]]:
        """The lowest and the highest valid number, and the fills that could lie between."""
        low = np.float32(self.valid_min * (1 - FILL_TOLERANCE))
        high = np.float32(
            min(
                self.valid_max * (1 + FILL_TOLERANCE),
                np.nextafter(np.float32(UNPHYSICAL), np.float32(0)),
            )
        )
        between = [fill for fill in self.fills if 0 <= fill < UNPHYSICAL]
        return low, high, np.array(between, dtype=np.float32)


CLEAN = Limits()
"""Of a flux that holds NaN for everything that was not measured."""


def limits_of(attrs: Mapping[str, Any], encoding: Mapping[str, Any] | None = None) -> Limits:
    """Read FILLVAL, VALIDMIN and VALIDMAX (also CF's names) from metadata."""
    fills = []
    for name in ("FILLVAL", "_FillValue", "missing_value", "FILL_VALUE", "_fill"):
        for source in (attrs, encoding or {}):
            found = metadata.attribute(source, name)
            if found is not None:
                fills += [v for v in _numbers(found) if np.isfinite(v)]
    low = min(_finite(attrs, "VALIDMIN", "valid_min"), default=0.0)
    high = max(_finite(attrs, "VALIDMAX", "valid_max"), default=UNPHYSICAL)
    if not max(low, 0.0) < min(high, UNPHYSICAL):
        low, high = 0.0, UNPHYSICAL  # a range that holds nothing says nothing
    return Limits(tuple(sorted(set(fills))), max(low, 0.0), min(high, UNPHYSICAL))


def _finite(attrs: Mapping[str, Any], *names: str) -> list[float]:
    found = [v for name in names for v in _numbers(metadata.attribute(attrs, name))]
    return [v for v in found if np.isfinite(v)]


def _numbers(value: Any) -> list[float]:
    if value is None:
        return []
    try:
        return [float(v) for v in np.ravel(np.asarray(value, dtype=np.float64))]
    except (TypeError, ValueError):
        return []  # a text where a number should be says nothing


def clean_flux(values: NDArray[Any], limits: Limits) -> NDArray[np.float32]:
    """Flux as float32 with NaN for everything that is no measurement.

    Fills, negative, infinite and unphysical values and those outside the valid
    range become NaN. The input is not changed.
    """
    values = np.asarray(values)
    if values.dtype == np.float32 and values.dtype.isnative and values.ndim:
        return _clean_float32(values, limits)
    fills, near = limits.fills, FILL_TOLERANCE
    if values.dtype.kind in "iu":
        near = 0.0  # integers are what they are
        top = np.iinfo(values.dtype).max
        fills = (*fills, *(f for f in INTEGER_FILLS if f == top))
        values = values.astype(np.float64)
    elif not values.dtype.isnative or values.dtype not in (np.float32, np.float64):
        values = values.astype(np.float64 if values.dtype.itemsize > 4 else np.float32)
    low = limits.valid_min * (1 - FILL_TOLERANCE)
    high = limits.valid_max * (1 + FILL_TOLERANCE)
    with np.errstate(invalid="ignore", over="ignore"):
        good = (values >= low) & (values <= high) & (values < UNPHYSICAL)
        for fill in fills:
            if fill >= 0:
                good &= np.abs(values - fill) > near * fill
        return np.where(good, values, np.nan).astype(np.float32, copy=False)


def _clean_float32(values: NDArray[np.float32], limits: Limits) -> NDArray[np.float32]:
    """The same for what nearly all files hold, in one go."""
    out = np.empty_like(values, subok=False)
    if values.strides != out.strides:  # does not lie in one piece
        values = np.ascontiguousarray(values)
        out = np.empty_like(values)
    _clean(values.ravel(order="K"), *limits.in_float32(), out.ravel(order="K"))
    return out


@compiled
def _clean(
    values: NDArray[np.float32],
    low: np.float32,
    high: np.float32,
    fills: NDArray[np.float32],
    out: NDArray[np.float32],
) -> None:
    missing = np.float32(np.nan)
    for i in range(values.size):
        value = values[i]
        out[i] = value if (value >= low) & (value <= high) else missing
    for fill in fills:
        near = np.float32(FILL_TOLERANCE) * fill
        for i in range(values.size):
            if abs(values[i] - fill) <= near:
                out[i] = missing


def clean_energy(values: NDArray[Any], limits: Limits | None = None) -> NDArray[np.float64]:
    """Energies with NaN where they are fill, zero, negative (-1: not applicable) or infinite."""
    return _clean_axis(values, limits, low=np.nextafter(0, 1), high=UNPHYSICAL)


def clean_pitch_angle(
    values: NDArray[Any], limits: Limits | None = None, radians: bool = False
) -> NDArray[np.float64]:
    """Pitch angles in degrees within 0…180, NaN where they are fill.

    Angles of a full turn (180…360, FAST) and those just below zero (ELFIN) are
    folded back, since a pitch angle has no sign.
    """
    turn = 2 * np.pi if radians else 360.0
    found = _clean_axis(values, limits, low=-turn / 4, high=turn * (1 + 1e-5))
    found = np.abs(np.rad2deg(found) if radians else found)
    return np.where(found > 180.0, np.abs(360.0 - found), found)


def _clean_axis(
    values: NDArray[Any], limits: Limits | None, *, low: float, high: float
) -> NDArray[np.float64]:
    values = np.asarray(values).astype(np.float64)
    with np.errstate(invalid="ignore"):
        good = np.isfinite(values) & (values >= low) & (values <= high)
        for fill in limits.fills if limits is not None else ():
            good &= np.abs(values - fill) > FILL_TOLERANCE * abs(fill)
    return np.where(good, values, np.nan)
