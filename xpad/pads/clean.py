"""Fills and invalid values: what metadata say of them, and axes without them."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from xpad.pads.valid import FILL_TOLERANCE, UNPHYSICAL, Limits
from xpad.roles import metadata
from xpad.roles.missions import ZERO_IS_MISSING
from xpad.settings import Settings


def limits_of(
    attrs: Mapping[str, Any],
    encoding: Mapping[str, Any] | None = None,
    settings: Settings | None = None,
) -> Limits:
    """What counts as measured by the metadata, and by settings where they say otherwise.

    FILLVAL, VALIDMIN and VALIDMAX are read, CF's names of them, and its valid_range.
    """
    fills = []
    for name in ("FILLVAL", "_FillValue", "missing_value", "FILL_VALUE", "_fill"):
        for source in (attrs, encoding or {}):
            found = metadata.attribute(source, name)
            if found is not None:
                fills += [v for v in _numbers(found) if np.isfinite(v)]
    s = settings or Settings()
    low, high = (
        _range(attrs) if s.valid_range == "stated" else _RANGES.get(s.valid_range, s.valid_range)
    )
    return Limits(
        tuple(sorted(set(fills))),
        max(low, 0.0),
        min(high, UNPHYSICAL),
        s.negative,
        bool(attrs.get(ZERO_IS_MISSING, False)) if s.zeros == "stated" else s.zeros == "missing",
    )


_ALL = (0.0, UNPHYSICAL)
_RANGES: dict[Any, Any] = {"ignore": _ALL}


def _range(attrs: Mapping[str, Any]) -> tuple[float, float]:
    """The range that metadata state, which ends at least where any of them says."""
    valid = _finite(attrs, "valid_range")
    low = min([*_finite(attrs, "VALIDMIN", "valid_min"), *valid[:1]], default=0.0)
    high = max([*_finite(attrs, "VALIDMAX", "valid_max"), *valid[1:]], default=UNPHYSICAL)
    # A range that holds nothing says nothing.
    return (low, high) if max(low, 0.0) < min(high, UNPHYSICAL) else _ALL


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


def clean_energy(values: NDArray[Any], limits: Limits | None = None) -> NDArray[np.float64]:
    """Energies with NaN where they are fill, zero, negative (-1: not applicable) or infinite."""
    return _clean_axis(values, limits, low=np.nextafter(0, 1), high=UNPHYSICAL)


def clean_pitch_angle(
    values: NDArray[Any],
    limits: Limits | None = None,
    radians: bool = False,
    cosines: bool = False,
) -> NDArray[np.float64]:
    """Pitch angles in degrees within 0…180, NaN where they are fill; of radians or cosines, too.

    Angles of a full turn (180…360, FAST) and those just below zero (ELFIN) are
    folded back, since a pitch angle has no sign.
    """
    if cosines:
        found = _clean_axis(values, limits, low=-1.0 - 1e-6, high=1.0 + 1e-6)
        return np.asarray(np.rad2deg(np.arccos(np.clip(found, -1.0, 1.0))))
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
