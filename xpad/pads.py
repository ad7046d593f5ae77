"""Records ready for the pipeline: on one grid, what each measured, and normalised where asked."""

from __future__ import annotations

from dataclasses import dataclass

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
    measured : (records, energies, pitch angles) bool
    n_measured, n_positive : (records,)
        Bins in use with a value, and with a positive one that normalising leaves.
    bad_axis : (records,) bool
        Records whose tables hold no value.
    """

    flux: Floats
    measured: Mask
    n_measured: NDArray[np.int32]
    n_positive: NDArray[np.int32]
    bad_axis: Mask
    _kept: Floats
    _method: str
    _pitch_angle: NDArray[np.float64]

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
    """Put records on the grid, take the background off, and count what they measured.

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
    measured = in_use = np.isfinite(on_grid)
    if features is not None and not features.all():
        kept, in_use = np.where(features, kept, np.float32(np.nan)), measured & features
    with np.errstate(invalid="ignore"):
        if settings.background is not None:
            floor = np.asarray(settings.background, dtype=np.float32).reshape(-1, 1)
            kept = np.where(kept < floor, np.float32(0), kept)
        # A maximum is positive where anything is; the flux at 90 degrees may not be there.
        left = kept
        if not is_bounded(settings.normalise):
            left = normalise_pads(kept, settings.normalise, grid.pitch_angle)
        positive = left > 0
    return Pads(
        on_grid, measured, _count(in_use), _count(positive), bad_axis,
        kept, settings.normalise, grid.pitch_angle,
    )  # fmt: skip


def _count(bins: Mask) -> NDArray[np.int32]:
    """Bins of each record that are true."""
    if bins.strides[1] < bins.strides[2]:  # as they lie in memory
        bins = bins.swapaxes(1, 2)
    rows = bins.reshape(len(bins), bins.shape[1] * bins.shape[2])
    # Bytes add up several times as fast as wider numbers, if their sum is one too.
    narrow = np.uint8 if rows.shape[1] <= 255 else np.int32
    return np.add.reduce(rows.view(np.uint8), axis=1, dtype=narrow).astype(np.int32)
