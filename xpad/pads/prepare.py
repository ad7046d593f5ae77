"""Records ready for the pipeline: on one grid, what each measured, and normalised where asked."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import numpy as np
import xarray as xr
from numpy.typing import NDArray

from xpad.pads.blocks import Piece
from xpad.pads.grid import Grid
from xpad.pads.normalise import Normalisation, normalisation, over_reference, usable_reference
from xpad.pads.quality import record_flags
from xpad.pads.regrid import to_grid
from xpad.pads.valid import Counts, Floats, Measured, measured
from xpad.settings import Settings

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
    _normalisation: Normalisation
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
        bounded = self._normalisation.bounded
        return self._look.positive if bounded else measured(self.normalised()).positive

    def with_divisors(self) -> tuple[Floats, Floats | None]:
        """PADs, and what is left to divide each by for normalising it: (records,), or nothing."""
        largest = self._look.largest
        # XLA takes numbers below float32's normal ones for zero: of a tiny flux, too much would go.
        if not self._normalisation.is_largest or ((largest > 0) & (largest < FAINT)).any():
            return self.normalised(), None
        return self._kept, usable_reference(largest)

    def normalised(self, chosen: slice | NDArray = slice(None)) -> Floats:
        """PADs over their references, NaN where missing; of all records or the chosen."""
        kept = self._kept[chosen]
        if self._normalisation.is_largest:
            return over_reference(kept, self._look.largest[chosen, None, None])
        return self._normalisation.of(kept, self._pitch_angle)

    @cached_property
    def _look(self) -> Measured:
        return measured(self._kept) if self._known is None else self._known


@dataclass(frozen=True, eq=False)
class Preparation:
    """How records become rows of features, and which of them are usable.

    Attributes
    ----------
    grid : Grid
        Energies and pitch angles that PADs are put on.
    settings : Settings
        Of these, what concerns one record: background, normalisation, least coverage.
    features : (energies, pitch angles) bool
        Bins in use; others count as missing.
    varying : tuple of str
        Axes that changed from record to record in the data of the fit.
    """

    grid: Grid
    settings: Settings
    features: Mask
    varying: tuple[str, ...] = ()

    @classmethod
    def of_all(cls, grid: Grid, settings: Settings, varying: tuple[str, ...] = ()) -> Preparation:
        """With all bins in use, as before any record was looked at."""
        return cls(grid, settings, np.ones(grid.shape, dtype=bool), varying)

    @property
    def n_features(self) -> int:
        """Width of a row."""
        return int(self.features.sum())

    @property
    def normalisation(self) -> Normalisation:
        """What PADs are divided by."""
        return normalisation(self.settings.normalise)

    @property
    def counts_as_it_is(self) -> bool:
        """Whether neither background nor normalising changes which bins are measured, or positive."""
        return self.settings.background is None and self.normalisation.bounded

    def pads(self, piece: Piece) -> Pads:
        """PADs on the grid, less the background; what they measured is counted if asked."""
        on_grid, bad_axis = to_grid(
            piece.flux, self.grid, piece.energy_table, piece.pitch_angle_table
        )  # fmt: skip
        kept = on_grid
        if not self.features.all():
            kept = np.where(self.features, kept, np.float32(np.nan))
        if self.settings.background is not None:
            floor = np.asarray(self.settings.background, dtype=np.float32).reshape(-1, 1)
            with np.errstate(invalid="ignore"):
                kept = np.where(kept < floor, np.float32(0), kept)
        known = piece.seen if kept is piece.flux else None
        return Pads(on_grid, bad_axis, kept, self.normalisation, self.grid.pitch_angle, known)

    def rows(self, pads: Pads) -> Floats:
        """Rows of features, normalised, NaN where missing: (records, features)."""
        return self._in_use(pads.normalised())

    def rows_with_divisors(self, pads: Pads) -> tuple[Floats, Floats | None]:
        """Rows of features, and what is left to divide each by: what encoders take."""
        values, over = pads.with_divisors()
        return self._in_use(values), over

    def _in_use(self, values: Floats) -> Floats:
        rows = values.reshape(len(values), self.features.size)
        return rows if self.features.all() else rows[:, self.features.ravel()]

    def flags(self, pads: Pads) -> NDArray[np.int8]:
        """Why each record is usable or not."""
        return record_flags(
            pads.n_measured,
            pads.n_positive,
            pads.bad_axis,
            n_features=self.n_features,
            min_coverage=self.settings.min_coverage,
            min_positive=self.settings.min_positive,
        )

    def to_node(self) -> xr.Dataset:
        """As plain arrays, for a store; without the settings."""
        return xr.Dataset(
            {"features": (("energy", "pitch_angle"), self.features, {"long_name": "bins in use"})},
            coords={
                "energy": ("energy", self.grid.energy, {"units": self.grid.energy_units}),
                "pitch_angle": ("pitch_angle", self.grid.pitch_angle, {"units": "deg"}),
            },
            attrs={"flux_units": self.grid.flux_units, "varying": " ".join(self.varying)},
        )

    @classmethod
    def from_node(cls, node: xr.Dataset, settings: Settings) -> Preparation:
        """The inverse of `to_node`."""
        grid = Grid(
            node.energy.values,
            node.pitch_angle.values,
            str(node.energy.attrs["units"]),
            str(node.attrs["flux_units"]),
        )
        return cls(grid, settings, node.features.values, tuple(node.attrs["varying"].split()))
