"""Records ready for the pipeline: on one grid, what each measured, and normalised where asked."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from xpad.normalisation import is_bounded, normalise_pads
from xpad.presets import Settings
from xpad.regrid import Grid, to_grid

Floats = NDArray[np.float32]
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
    _features: Mask | None
    _method: str
    _pitch_angle: NDArray[np.float64]

    @cached_property
    def measured(self) -> Mask:
        """Bins with a value, (records, energies, pitch angles)."""
        return np.isfinite(self.flux)

    @cached_property
    def n_measured(self) -> NDArray[np.int32]:
        """Bins in use with a value, (records,)."""
        return _count(self.measured if self._features is None else self.measured & self._features)

    @cached_property
    def n_positive(self) -> NDArray[np.int32]:
        """Bins in use with a positive value that normalising leaves, (records,)."""
        # A maximum is positive where anything is; the flux at 90 degrees may not be there.
        left = self._kept if is_bounded(self._method) else self.normalised()
        with np.errstate(invalid="ignore"):
            return _count(left > 0)

    def normalised(self, chosen: slice | NDArray = slice(None)) -> Floats:
        """PADs over their references, NaN where missing; of all records or the chosen."""
        return normalise_pads(self._kept[chosen], self._method, self._pitch_angle)


def prepare(
    flux: Floats,
    energy_table: NDArray[np.float64] | None,
    pitch_angle_table: NDArray[np.float64] | None,
    grid: Grid,
    settings: Settings,
    features: Mask | None = None,
) -> Pads:
    """Put records on the grid, and take the background off; what they measured is counted if asked.

    Parameters
    ----------
    flux : (records, energies, pitch angles)
    energy_table, pitch_angle_table : see `xpad.regrid.to_grid`
    grid : Grid
    settings : Settings
    features : (energies, pitch angles) bool, optional
        Bins in use; others count as missing.
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
    return Pads(on_grid, bad_axis, kept, features, settings.normalise, grid.pitch_angle)


def _count(bins: Mask) -> NDArray[np.int32]:
    """Bins of each record that are true."""
    if bins.strides[1] < bins.strides[2]:  # as they lie in memory
        bins = bins.swapaxes(1, 2)
    rows = bins.reshape(len(bins), bins.shape[1] * bins.shape[2])
    # Bytes add up several times as fast as wider numbers, if their sum is one too; so does einsum.
    if rows.shape[1] <= np.iinfo(np.uint8).max:
        return np.einsum("ij->i", rows.view(np.uint8)).astype(np.int32)
    return np.add.reduce(rows.view(np.uint8), axis=1, dtype=np.int32)
