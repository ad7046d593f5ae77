"""What cleaning takes away: how many values, why, and how much of the positive flux."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from xpad.compute.compiled import compiled
from xpad.compute.memory import as_they_lie
from xpad.pads.valid import FILL_TOLERANCE, LOWEST, UNPHYSICAL, Floats, Limits, Measured, measured


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
"""In the order of a report."""

BAD_QUALITY = np.float32(-3e33)
"""Stands for a value that quality flags rule out, until it is cleaned and counted."""

FILL, INFINITE, NEGATIVE, OUT_OF_RANGE, ZERO, BEYOND_GRID, QUALITY = range(len(CAUSES))

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


def is_ranged(limits: Limits) -> bool:
    """Whether a range, which may be wrong, cuts positive flux off: then all of it is to be known."""
    return limits.valid_max < UNPHYSICAL or limits.valid_min > 0


def removed_from(flux: Floats, limits: Limits, seen: Measured) -> Removed:
    """What cleaning takes from records.

    Parameters
    ----------
    flux : (records, energies, pitch angles) float32
        As it lies in the data.
    limits : Limits
        What of it is measured.
    seen : Measured
        What each record measured, its positive flux summed if that is to be known.

    Examples
    --------
    >>> flux, limits = np.array([[[1, 9, -1], [np.nan, 2, 1e31]]], dtype="f4"), Limits(valid_max=5)
    >>> found = removed_from(flux, limits, measured(flux, limits, summed=True))
    >>> found.as_dict()["removed"]["out_of_range"]
    {'values': 1, 'share': 0.166667, 'of_positive_flux': 0.75}
    """
    flat = as_they_lie(flux)
    lacking = np.flatnonzero(seen.bins < flat.shape[1])
    values, lost = np.zeros(len(CAUSES), np.int64), np.zeros(len(CAUSES))
    ranges = _ranges(limits)
    causes, ends = (
        [cause for cause, _ in ranges],
        np.array([ends for _, ends in ranges], np.float32),
    )
    _note(flat, lacking, np.array(causes), ends, values)
    if values[OUT_OF_RANGE]:
        for cause, (low, high) in ranges:
            if cause == OUT_OF_RANGE:
                lost[cause] += _sum_within(flat, lacking, np.float32(low), np.float32(high))
    # Fills that lie among numbers are only fills, whatever else was said of them.
    low, high = limits.of_type(np.float32)[:2]
    for fill in limits.fills:
        is_said = fill == 0 and limits.zero_is_missing
        if LOWEST <= fill < UNPHYSICAL and not low <= fill <= high and not is_said:
            _note_fill(flat, lacking, np.float32(fill), values, lost)
    values[FILL] = lacking.size * flat.shape[1] - int(seen.bins[lacking].sum()) - values.sum()
    return Removed(values, lost, flat.size, float(seen.flux.sum()))


def _ranges(limits: Limits) -> list[tuple[int, tuple[Any, Any]]]:
    """Cause and the lowest and the highest number that goes for it; fills are the rest."""
    kind, zero = np.float32, np.float32(0)
    low, high, _, _ = limits.of_type(kind)
    below, above = (
        (lambda x: np.nextafter(x, kind(-np.inf))),
        (lambda x: np.nextafter(x, kind(np.inf))),
    )
    found: list[tuple[int, tuple[Any, Any]]] = [
        (INFINITE, (np.inf, np.inf)),
        (INFINITE, (-np.inf, -np.inf)),
        (NEGATIVE, (LOWEST, below(min(low, zero)))),
        (OUT_OF_RANGE, (above(high), below(kind(UNPHYSICAL)))),
        (OUT_OF_RANGE, (above(zero) if limits.zero_is_missing else zero, below(low))),
        (QUALITY, (BAD_QUALITY, BAD_QUALITY)),
    ]
    found += [(ZERO, (zero, zero))] if limits.zero_is_missing else []
    return [(cause, ends) for cause, ends in found if ends[0] <= ends[1]]


def removed_beyond(flux: Floats, beyond: NDArray[np.bool_]) -> Removed:
    """What records lose that measured where the grid has no place, beside `removed_from`.

    Parameters
    ----------
    flux : (records, energies, pitch angles) float32
        Clean.
    beyond : (records, energies, pitch angles) bool
        Or what can be broadcast to it.
    """
    lost = measured(np.where(beyond, flux, np.float32(np.nan)), summed=True)
    values, sums = np.zeros(len(CAUSES), np.int64), np.zeros(len(CAUSES))
    values[BEYOND_GRID], sums[BEYOND_GRID] = lost.bins.sum(), lost.flux.sum()
    return Removed(values, sums, 0, -float(sums[BEYOND_GRID]))


@compiled
def _within(row: Floats, low: np.float32, high: np.float32) -> Any:
    found = np.int32(0)
    for j in range(row.shape[0]):
        value = row[j]
        found += np.int32((value >= low) & (value <= high))
    return found


@compiled
def _note(
    rows: Floats,
    chosen: NDArray[np.intp],
    causes: NDArray[np.intp],
    ends: Floats,
    values: NDArray[np.int64],
) -> None:
    for i in range(chosen.size):
        for number in range(causes.size):
            values[causes[number]] += _within(rows[chosen[i]], ends[number, 0], ends[number, 1])


@compiled
def _sum_within(rows: Floats, chosen: NDArray[np.intp], low: np.float32, high: np.float32) -> float:
    total = 0.0
    for i in range(chosen.size):
        row = rows[chosen[i]]
        for j in range(row.size):
            if (row[j] >= low) & (row[j] <= high):
                total += row[j]
    return total


@compiled
def _note_fill(
    rows: Floats,
    chosen: NDArray[np.intp],
    fill: np.float32,
    values: NDArray[np.int64],
    lost: NDArray[np.float64],
) -> None:
    reach = np.float32(FILL_TOLERANCE) * abs(fill)
    for i in range(chosen.size):
        row = rows[chosen[i]]
        for j in range(row.size):
            if abs(row[j] - fill) <= reach:
                if fill < np.float32(0):
                    values[NEGATIVE] -= 1
                else:
                    values[OUT_OF_RANGE] -= 1
                    lost[OUT_OF_RANGE] -= row[j]
