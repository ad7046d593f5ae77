"""What cleaning takes away: how many values, why, and how much of the positive flux."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from xpad.compute.compiled import compiled, compiled_in_any_order
from xpad.compute.memory import as_they_lie
from xpad.pads.valid import FILL_TOLERANCE, LOWEST, UNPHYSICAL, Counts, Floats, Limits


@dataclass(frozen=True)
class Cause:
    """Why a value is no measurement.

    Attributes
    ----------
    text : str
        In words, after a number of values.
    remedy : str
        What a user may do; with the range that held in braces.
    from_share : float
        Share, of all values or of the positive flux, from which on a fit warns.
    """

    text: str
    remedy: str
    from_share: float = np.inf


CAUSES = {
    "fill": Cause("fill", "see missing="),
    "infinite": Cause(
        "infinite",
        "look at how the data were made: an infinite flux was once divided by zero",
        0.01,
    ),
    "negative": Cause(
        "negative",
        "where a background was taken off, negative='zero' counts them as no flux, "
        "negative='keep' as they are",
        0.02,
    ),
    "out_of_range": Cause(
        "outside the valid range, {range}",
        "where that range is wrong, valid_range='ignore', or valid_range=(low, high)",
        0.01,
    ),
    "zero": Cause("zero, which means missing here", "where it is measured, zeros='measured'"),
    "beyond_grid": Cause(
        "beyond the grid of energies and pitch angles",
        "energies or pitch angles change in time, and the grid is the commonest of them: see check()",
        0.05,
    ),
    "quality": Cause(
        "of bad quality by the product's flags", "quality=False takes them as they are"
    ),
}
"""In the order of a report; `_note_causes` has them by number."""

BAD_QUALITY = np.float32(-3e33)
"""Stands for a value that quality flags rule out, until it is cleaned and counted."""

BEYOND_GRID = list(CAUSES).index("beyond_grid")

MISSING_SHARE = 0.2
"""Share of missing bins in usable records from which on a fit that takes them for zero warns."""


@dataclass(frozen=True, eq=False)
class Removed:
    """Values that are no measurement, by cause; of several parts, the sum.

    Attributes
    ----------
    values : (causes,) int64
        How many, in the order of `CAUSES`.
    flux : (causes,) float64
        Sum of the positive ones that are no fill and finite.
    n_values : int
        All values.
    kept : float
        Sum of the positive flux that was measured; 0 where it need not be known.
    """

    values: NDArray[np.int64] = field(default_factory=lambda: np.zeros(len(CAUSES), np.int64))
    flux: NDArray[np.float64] = field(default_factory=lambda: np.zeros(len(CAUSES)))
    n_values: int = 0
    kept: float = 0.0

    def __add__(self, other: Removed) -> Removed:
        return Removed(
            self.values + other.values,
            self.flux + other.flux,
            self.n_values + other.n_values,
            self.kept + other.kept,
        )

    def shares(self) -> dict[str, tuple[int, float, float]]:
        """Of each cause that took any: values, their share of all, share of the positive flux."""
        total = self.kept + float(self.flux.sum())
        return {
            name: (
                int(n),
                int(n) / self.n_values,
                round(float(flux) / total, 6) if total > 0 else 0.0,
            )
            for name, n, flux in zip(CAUSES, self.values, self.flux, strict=True)
            if n
        }

    def stated(self) -> dict[str, Any]:
        """All of it, as JSON holds it."""
        return {
            "values": self.values.tolist(),
            "flux": self.flux.tolist(),
            "n_values": self.n_values,
            "kept": self.kept,
        }

    @classmethod
    def of_stated(cls, stated: Mapping[str, Any]) -> Removed:
        """The inverse of `stated`."""
        values, flux = np.array(stated["values"], np.int64), np.array(stated["flux"], np.float64)
        return cls(values, flux, int(stated["n_values"]), float(stated["kept"]))

    def as_dict(self) -> dict[str, Any]:
        """Plain values that JSON can hold."""
        parts = {
            name: {"values": n, "share": round(share, 6), "of_positive_flux": flux}
            for name, (n, share, flux) in self.shares().items()
        }
        return {"values": self.n_values, "removed": parts}


def told(removed: Removed, limits: Limits) -> dict[str, str]:
    """A line for each cause that took any value."""
    lines = {}
    for name, (n, share, of_flux) in removed.shares().items():
        what = _text(name, limits)
        flux = f", {of_flux:.2%} of the positive flux" if of_flux > 0 else ""
        lines[name] = f"{n:,} values ({share:.2%}{flux}) {what}"
    return lines


def warnings_of(name: str, removed: Removed, limits: Limits) -> list[str]:
    """What a fit says of what cleaning took away, where it is more than little."""
    lines = told(removed, limits)
    found = removed.shares()
    return [
        f"{name}: {lines[cause]} count as missing; {CAUSES[cause].remedy}"
        for cause, (_, share, of_flux) in found.items()
        if max(share, of_flux) >= CAUSES[cause].from_share
    ]


def _text(cause: str, limits: Limits) -> str:
    return CAUSES[cause].text.format(range=f"{limits.valid_min:g} to {limits.valid_max:g}")


def removed_from(flux: Floats, limits: Limits, bins: Counts, *, summed: bool = False) -> Removed:
    """What cleaning takes from records.

    Parameters
    ----------
    flux : (records, energies, pitch angles) float32
        As it lies in the data.
    limits : Limits
        What of it is measured.
    bins : (records,) int32
        How many values of each are.
    summed : bool
        Whether the flux that is kept must be known, since some may be lost.

    Examples
    --------
    >>> flux = np.array([[[1, 9, -1], [np.nan, 2, 1e31]]], dtype="f4")
    >>> found = removed_from(flux, Limits(valid_max=5), np.array([2], dtype="i4"))
    >>> found.as_dict()["removed"]["out_of_range"]
    {'values': 1, 'share': 0.166667, 'of_positive_flux': 0.75}
    """
    flat = as_they_lie(flux)
    values, lost = np.zeros(len(CAUSES), np.int64), np.zeros(len(CAUSES))
    # A greater one is infinite among the values, and counts as that.
    most = float(np.finfo(np.float32).max)
    fills = np.array([fill for fill in limits.fills if abs(fill) <= most], dtype=np.float32)
    low, high = limits.of_type(np.float32)[:2]
    lacking = np.flatnonzero(bins < flat.shape[1])
    _note_causes(flat, lacking, fills, low, high, limits.zero_is_missing, values, lost)
    summed = summed or limits.valid_max < UNPHYSICAL or limits.valid_min > 0
    kept = float(_positive(flat, max(low, np.float32(0)), high).sum()) if summed else 0.0
    return Removed(values, lost, flat.size, kept)


def removed_beyond(flux: Floats, beyond: NDArray[np.bool_]) -> Removed:
    """What records lose that measured where the grid has no place, beside `removed_from`.

    Parameters
    ----------
    flux : (records, energies, pitch angles) float32
        Clean.
    beyond : (records, energies, pitch angles) bool
        Or what can be broadcast to it.
    """
    lost = np.where(beyond, flux, np.float32(np.nan))
    values, sums = np.zeros(len(CAUSES), np.int64), np.zeros(len(CAUSES))
    values[BEYOND_GRID] = np.isfinite(lost).sum()
    sums[BEYOND_GRID] = _positive_sum(lost)
    return Removed(values, sums, 0, -float(sums[BEYOND_GRID]))


def _positive_sum(flux: Floats) -> float:
    return float(np.nansum(np.maximum(flux, 0), dtype=np.float64))


@compiled
def _note_causes(
    rows: Floats,
    chosen: NDArray[np.intp],
    fills: Floats,
    low: np.float32,
    high: np.float32,
    zero_is_missing: bool,
    values: NDArray[np.int64],
    lost: NDArray[np.float64],
) -> None:
    zero, top, floor = np.float32(0), np.float32(UNPHYSICAL), np.float32(LOWEST)
    for i in range(chosen.size):
        row = rows[chosen[i]]
        for j in range(row.size):
            value = row[j]
            cause = -1
            if value == np.float32(-3e33):
                cause = 6
            elif value != value:
                cause = 0
            elif abs(value) == np.inf:
                cause = 1
            elif value >= top or value < floor:
                cause = 0
            else:
                for fill in fills:
                    if abs(value - fill) <= np.float32(FILL_TOLERANCE) * abs(fill):
                        cause = 0
                if cause < 0 and value == zero and zero_is_missing:
                    cause = 4
                elif cause < 0 and (value < low or value > high):
                    cause = 2 if value < zero else 3
            if cause >= 0:
                values[cause] += 1
            if cause == 3:
                lost[cause] += value


@compiled_in_any_order
def _positive_of(row: Floats, low: np.float32, high: np.float32) -> Any:
    total = np.float32(0)
    for j in range(row.size):
        value = row[j]
        total += value if (value >= low) & (value <= high) else np.float32(0)
    return total


@compiled
def _positive(rows: Floats, low: np.float32, high: np.float32) -> NDArray[np.float64]:
    sums = np.empty(rows.shape[0])
    for i in range(rows.shape[0]):
        sums[i] = _positive_of(rows[i], low, high)
    return sums
