"""The first pass over the data: what every record measured, and the rows to train on."""

from __future__ import annotations

from collections.abc import Hashable, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import xarray as xr
from numpy.typing import NDArray

from xpad import criteria
from xpad.blocks import positions, record_blocks, run
from xpad.errors import NotEnoughDataError, OptionError
from xpad.flux import ENERGY, PITCH_ANGLE, TABLES, record_dims, varies
from xpad.model import prepare
from xpad.normalisation import require_ninety
from xpad.presets import Settings
from xpad.progress import Progress
from xpad.regrid import Grid, common_grid, flat_records, tables
from xpad.splitting import Splitter

Floats = NDArray[np.float32]


def selected(flux: xr.DataArray, settings: Settings, units: str = "") -> xr.DataArray:
    """The canonical flux within the range of energies that the settings name.

    `units` are those of the range, where they may be others than the data's.
    """
    if settings.energies is None or varies(flux, ENERGY):
        return flux
    scale = criteria.energy_scale(units, str(flux.coords[ENERGY].attrs.get("units", "")))
    low, high = (scale * bound for bound in settings.energies)
    energy = flux.coords[ENERGY].values
    inside = np.flatnonzero((energy >= low) & (energy <= high))
    if inside.size == 0:
        raise OptionError(
            f"energies=({low:g}, {high:g}) holds none of the data's energies, "
            f"{energy[0]:g} … {energy[-1]:g} {flux.coords[ENERGY].attrs.get('units', '')}"
        )
    return flux.isel({ENERGY: inside})


def grid_of(flux: xr.DataArray, settings: Settings) -> Grid:
    """The grid that a fit puts its PADs on."""
    grid = common_grid(flux, settings.energy_tables, warn_of_short=settings.energies is None)
    if settings.energies is not None:
        low, high = settings.energies
        inside = (grid.energy >= low) & (grid.energy <= high)
        if not inside.any():
            raise OptionError(f"energies=({low:g}, {high:g}) holds none of the data's energies")
        grid = replace(grid, energy=grid.energy[inside])
    if settings.normalise == "90deg":
        require_ninety(grid.pitch_angle)
    if isinstance(settings.background, tuple) and len(settings.background) != grid.energy.size:
        raise OptionError(
            f"background has {len(settings.background)} values and the data {grid.energy.size} energies; "
            "give one number, or one for each energy in use"
        )
    return grid


def record_arrays(flux: xr.DataArray) -> list[xr.DataArray | None]:
    """A canonical flux and the tables of its varying axes, records in sorted order of dims."""
    dims = sorted(record_dims(flux), key=str)
    bare = flux.reset_coords(drop=True).transpose(*dims, ENERGY, PITCH_ANGLE)
    found = tables(flux)
    ordered: list[xr.DataArray | None] = [bare]
    for role in (ENERGY, PITCH_ANGLE):
        table = found.get(TABLES[role])
        if table is not None:
            table = table.transpose(*(d for d in bare.dims if d in table.dims))
        ordered.append(table)
    return ordered


@dataclass(frozen=True)
class Survey:
    """What the first pass brings, of one block or of all."""

    position: NDArray[np.int64]
    n_measured: NDArray[np.int32]
    n_positive: NDArray[np.int32]
    bad_axis: NDArray[np.bool_]
    ever_measured: NDArray[np.bool_]
    drawn: Floats
    drawn_at: NDArray[np.int64]

    def holds(self, wanted: NDArray[np.int64]) -> bool:
        """Whether every one of these positions was drawn."""
        return bool(np.isin(wanted, self.drawn_at).all())

    def rows(self, wanted: NDArray[np.int64], features: NDArray[np.bool_]) -> Floats:
        """Rows of these positions, in their order, features only."""
        place = np.searchsorted(self.drawn_at, wanted)
        return self.drawn[place][:, features]


def _survey(
    flux: Any,
    energy_table: Any,
    pitch_angle_table: Any,
    position: Any,
    *,
    grid: Grid,
    settings: Settings,
    splitter: Splitter | None,
) -> Survey:
    rows, energies, pitch_angles = flat_records(flux, energy_table, pitch_angle_table)
    at = np.asarray(position).reshape(-1)
    pads = prepare(rows, energies, pitch_angles, grid, settings)
    drawn = pads.n_positive > 0
    drawn &= splitter.drawn(at) if splitter is not None else False
    chosen = np.flatnonzero(drawn)
    return Survey(
        at, pads.n_measured, pads.n_positive, pads.bad_axis, pads.ever_measured,
        pads.values[chosen], at[chosen],
    )  # fmt: skip


def survey(
    flux: xr.DataArray,
    grid: Grid,
    settings: Settings,
    splitter: Splitter | None,
    progress: Progress,
) -> Survey:
    """The first pass: what every record measured, and the drawn rows drawn for training."""
    if flux.size == 0:
        sizes = ", ".join(f"{d}: {flux.sizes[d]}" for d in record_dims(flux))
        raise NotEnoughDataError(f"{flux.name} has no records ({sizes})")
    blocks = survey_blocks(flux)
    with progress.blocks("reading", len(blocks), "xpad-survey"):
        parts: list[Survey] = run(
            _survey, blocks, name="xpad-survey", grid=grid, settings=settings, splitter=splitter
        )
    by_position = np.argsort(np.concatenate([p.position for p in parts]), kind="stable")
    drawn_at = np.concatenate([p.drawn_at for p in parts])
    order = np.argsort(drawn_at, kind="stable")
    return Survey(
        np.arange(by_position.size, dtype=np.int64),
        np.concatenate([p.n_measured for p in parts])[by_position],
        np.concatenate([p.n_positive for p in parts])[by_position],
        np.concatenate([p.bad_axis for p in parts])[by_position],
        np.any([p.ever_measured for p in parts], axis=0),
        np.concatenate([p.drawn for p in parts])[order],
        drawn_at[order],
    )  # fmt: skip


def survey_blocks(flux: xr.DataArray) -> list[tuple[Any, ...]]:
    """Blocks of a canonical flux: flux, energy table, pitch-angle table, positions."""
    dims = sorted(record_dims(flux), key=str)
    arrays = record_arrays(flux)
    assert arrays[0] is not None
    return _aligned([*arrays, positions(arrays[0], dims)], dims)


def _aligned(
    arrays: Sequence[xr.DataArray | None], dims: Sequence[Hashable]
) -> list[tuple[Any, ...]]:
    """Record blocks with None standing where there is no table."""
    present = [a for a in arrays if a is not None]
    found = record_blocks(present, dims)
    filled = []
    for block in found:
        pieces = iter(block)
        filled.append(tuple(None if a is None else next(pieces) for a in arrays))
    return filled
