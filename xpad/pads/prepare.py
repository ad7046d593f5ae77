"""Records ready for the pipeline: on one grid, what each measured, and normalised where asked."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from xpad.compute.memory import in_one_piece
from xpad.pads.clean import Limits
from xpad.pads.grid import Grid
from xpad.pads.normalise import is_bounded, normalise_pads, over_reference, usable_reference
from xpad.pads.quality import Counts, Measured, clean_records, measured
from xpad.pads.records import Doubles, Floats, flat_records
from xpad.pads.regrid import to_grid
from xpad.settings import Settings

PIECE = 8192
"""Records that go through the pipeline at once: enough that calls, in which all threads wait for each other,
are few (4096 took longer), and little memory."""

FAINT = np.float32(1e-28)
"""A flux whose largest value is below it is normalised by NumPy."""

Mask = NDArray[np.bool_]


@dataclass(frozen=True)
class Pads:
    """PADs on the grid.

    Attributes
    ----------
    flux : (records, energies, pitch angles)
        NaN where missing.
    bad_axis : (records,) bool
        Records whose tables hold no value.
    """

    flux: Floats
    bad_axis: Mask
    _kept: Floats
    _method: str
    _pitch_angle: NDArray[np.float64]
    _known: Measured | None = None

    @property
    def seen(self) -> Measured:
        """What the records measured, in use or not."""
        return self._look if self._kept is self.flux else measured(self.flux)

    @property
    def n_measured(self) -> Counts:
        """Bins in use with a value, (records,)."""
        return self._look.bins

    @cached_property
    def n_positive(self) -> Counts:
        """Bins in use with a positive value that normalising leaves, (records,)."""
        # A maximum is positive where anything is; the flux at 90 degrees may not be there.
        return (
            self._look.positive
            if is_bounded(self._method)
            else measured(self.normalised()).positive
        )

    def with_divisors(self) -> tuple[Floats, Floats | None]:
        """PADs, and what is left to divide each by for normalising it: (records,), or nothing."""
        largest = self._look.largest
        # XLA takes numbers below float32's normal ones for zero: of a tiny flux, too much would go.
        if self._method != "max" or ((largest > 0) & (largest < FAINT)).any():
            return self.normalised(), None
        return self._kept, usable_reference(largest)

    def normalised(self, chosen: slice | NDArray = slice(None)) -> Floats:
        """PADs over their references, NaN where missing; of all records or the chosen."""
        kept = self._kept[chosen]
        if self._method == "max":
            return over_reference(kept, self._look.largest[chosen, None, None])
        return normalise_pads(kept, self._method, self._pitch_angle)

    @cached_property
    def _look(self) -> Measured:
        return measured(self._kept) if self._known is None else self._known


def counts_as_it_is(settings: Settings) -> bool:
    """Whether neither background nor normalising changes which bins are measured, or positive."""
    return settings.background is None and is_bounded(settings.normalise)


def prepare(
    flux: Floats,
    energy_table: NDArray[np.float64] | None,
    pitch_angle_table: NDArray[np.float64] | None,
    grid: Grid,
    settings: Settings,
    features: Mask | None = None,
    seen: Measured | None = None,
) -> Pads:
    """Put records on the grid, and take the background off; what they measured is counted if asked.

    Parameters
    ----------
    flux : (records, energies, pitch angles)
    energy_table, pitch_angle_table : see `xpad.pads.regrid.to_grid`
    grid : Grid
    settings : Settings
    features : (energies, pitch angles) bool, optional
        Bins in use; others count as missing.
    seen : Measured, optional
        What the records measured, where that is known.
    """
    on_grid, bad_axis = to_grid(flux, grid, energy_table, pitch_angle_table)
    kept = on_grid
    if features is not None and features.all():
        features = None
    if features is not None:
        kept = np.where(features, kept, np.float32(np.nan))
    if settings.background is not None:
        floor = np.asarray(settings.background, dtype=np.float32).reshape(-1, 1)
        with np.errstate(invalid="ignore"):
            kept = np.where(kept < floor, np.float32(0), kept)
    known = seen if kept is flux else None
    return Pads(on_grid, bad_axis, kept, settings.normalise, grid.pitch_angle, known)


class Piece(NamedTuple):
    """Some records, clean.

    Attributes
    ----------
    flux : (records, energies, pitch angles)
        NaN where missing.
    energy_table, pitch_angle_table
        As `to_grid` has them.
    seen : Measured
        What the records measured, before anything is put on a grid.
    """

    flux: Floats
    energy_table: Doubles | None
    pitch_angle_table: Doubles | None
    seen: Measured


def pieces(
    flux: Any,
    energy_table: Any,
    pitch_angle_table: Any,
    limits: Limits,
    chosen: NDArray[np.intp] | None = None,
) -> Iterator[tuple[Any, Piece]]:
    """A block's flat records, cleaned, in pieces that a processor's cache holds; where each is.

    Of the `chosen` records only, where they are given.
    """
    values, *tables = flat_records(flux, energy_table, pitch_angle_table)
    if chosen is not None:
        values = in_one_piece(values)  # once, not for every piece
    for start in range(0, len(values) if chosen is None else len(chosen), PIECE):
        at = slice(start, start + PIECE) if chosen is None else chosen[start : start + PIECE]
        energies, pitch_angles = (None if table is None else table[at] for table in tables)
        clean, seen = clean_records(values, limits, at)
        yield at, Piece(clean, energies, pitch_angles, seen)
