"""The first pass over the data: what every record measured, and the rows to train on."""

from __future__ import annotations

from collections.abc import Hashable, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import xarray as xr
from numpy.typing import NDArray

from xpad.blocks import positions, record_blocks, run
from xpad.errors import OptionError
from xpad.flux import ENERGY, PITCH_ANGLE, TABLES, record_dims, varies
from xpad.model import prepare
from xpad.presets import Settings
from xpad.progress import Progress
from xpad.regrid import Grid, common_grid, flat_records, tables
from xpad.sampling import (
    TEST,
    TRAIN,
    VALIDATION,
    block_split,
    hashed,
    random_split,
    stratified_uniform,
)

Floats = NDArray[np.float32]

_CAP_SEED = 0x5EED


def selected(flux: xr.DataArray, settings: Settings) -> xr.DataArray:
    """The canonical flux within the range of energies that the settings name."""
    if settings.energies is None or varies(flux, ENERGY):
        return flux
    low, high = settings.energies
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
    grid = common_grid(flux, settings.energy_tables)
    if settings.energies is not None:
        low, high = settings.energies
        inside = (grid.energy >= low) & (grid.energy <= high)
        if not inside.any():
            raise OptionError(f"energies=({low:g}, {high:g}) holds none of the data's energies")
        grid = replace(grid, energy=grid.energy[inside])
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
    train: Floats
    train_at: NDArray[np.int64]
    validation: Floats
    validation_at: NDArray[np.int64]


@dataclass(frozen=True)
class Splitter:
    """Tells which split a position belongs to, and whether a capped sample uses it."""

    total: int
    settings: Settings
    by_block: NDArray[np.int8] | None = None

    def split(self, position: NDArray[np.int64]) -> NDArray[np.int8]:
        """Train, validation or test."""
        if self.by_block is not None:
            return np.asarray(self.by_block[position])
        s = self.settings
        return random_split(position, self.total, s.train, s.validation, s.seed("split"))

    def used(self, position: NDArray[np.int64]) -> NDArray[np.bool_]:
        """Which records a training capped by `max_train` uses."""
        s = self.settings
        expected = s.train * self.total
        if s.max_train is None or s.max_train >= expected:
            return np.ones(position.shape, dtype=bool)
        u = stratified_uniform(position, self.total, s.seed("split") + _CAP_SEED)
        return np.asarray(u < s.max_train / expected)


def splitter(flux: xr.DataArray, ds: xr.Dataset, settings: Settings) -> Splitter:
    """The split of a canonical flux's records."""
    total = int(np.prod([flux.sizes[d] for d in record_dims(flux)], dtype=np.int64))
    if settings.split == "random":
        return Splitter(total, settings)
    numbers = _block_numbers(flux, ds, settings.block)
    by_block = block_split(numbers, settings.train, settings.validation, settings.seed("split"))
    return Splitter(total, settings, by_block)


def _block_numbers(flux: xr.DataArray, ds: xr.Dataset, block: str) -> NDArray[np.int64]:
    """The block of every record by position: of a variable, or by length of time."""
    dims = sorted(record_dims(flux), key=str)
    template = flux.isel({ENERGY: 0, PITCH_ANGLE: 0}, drop=True)
    if block in ds.variables:
        given = ds[block]
        if not set(given.dims) <= set(dims):
            raise OptionError(
                f"block={block!r} has dimensions {given.dims}; the records have {tuple(dims)}"
            )
        _, numbers = np.unique(given.values, return_inverse=True)
        numbered = given.copy(data=numbers.reshape(given.shape))
    else:
        import pandas as pd

        times = [c for d in dims if (c := flux.coords.get(d)) is not None and c.dtype.kind == "M"]
        if not times:
            raise OptionError(
                f"split='blocks' with block={block!r} needs a time coordinate on the records, or block= "
                "the name of a variable that numbers the blocks (such as an orbit number)"
            )
        try:
            length = pd.Timedelta(block).to_timedelta64().astype("timedelta64[ns]").astype(np.int64)
        except ValueError as err:
            raise OptionError(
                f"block={block!r} is neither a length of time ('1D', '9h') nor a variable of the Dataset"
            ) from err
        stamps = times[0].values.astype("datetime64[ns]").astype(np.int64)
        numbered = times[0].copy(data=stamps // length)
    numbered = numbered.reset_coords(drop=True)
    everywhere = numbered.broadcast_like(_sizes_only(template, dims)).transpose(*dims)
    return np.asarray(everywhere.values, dtype=np.int64).ravel()


def _sizes_only(template: xr.DataArray, dims: Sequence[Hashable]) -> xr.DataArray:
    shape = tuple(template.sizes[d] for d in dims)
    return xr.DataArray(np.broadcast_to(np.int8(0), shape), dims=dims)


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
    splits = splitter.split(at) if splitter is not None else np.full(at.shape, TEST)
    drawable = pads.n_positive > 0
    if splitter is not None:
        drawable &= splitter.used(at)
    drawn = [np.flatnonzero(drawable & (splits == s)) for s in (TRAIN, VALIDATION)]
    return Survey(
        at, pads.n_measured, pads.n_positive, pads.bad_axis, pads.ever_measured,
        pads.values[drawn[0]], at[drawn[0]], pads.values[drawn[1]], at[drawn[1]],
    )  # fmt: skip


def survey(
    flux: xr.DataArray,
    grid: Grid,
    settings: Settings,
    splitter: Splitter | None,
    progress: Progress,
) -> Survey:
    """The first pass: what every record measured, and the drawn training and validation rows."""
    blocks = survey_blocks(flux)
    with progress.blocks("reading", len(blocks), "xpad-survey"):
        parts: list[Survey] = run(
            _survey, blocks, name="xpad-survey", grid=grid, settings=settings, splitter=splitter
        )
    seed = settings.seed("encoder")
    by_position = np.argsort(np.concatenate([p.position for p in parts]), kind="stable")
    train, train_at = _shuffled([p.train for p in parts], [p.train_at for p in parts], seed)
    validation, validation_at = _shuffled(
        [p.validation for p in parts], [p.validation_at for p in parts], seed
    )
    return Survey(
        np.arange(by_position.size, dtype=np.int64),
        np.concatenate([p.n_measured for p in parts])[by_position],
        np.concatenate([p.n_positive for p in parts])[by_position],
        np.concatenate([p.bad_axis for p in parts])[by_position],
        np.any([p.ever_measured for p in parts], axis=0),
        train, train_at, validation, validation_at,
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


def _shuffled(
    rows: list[Floats], at: list[NDArray[np.int64]], seed: int
) -> tuple[Floats, NDArray[np.int64]]:
    """Drawn rows in the order of a hash of their positions: random, whatever the blocks were."""
    everywhere = np.concatenate(at)
    order = np.lexsort((everywhere, hashed(everywhere, seed)))
    return np.concatenate(rows)[order], everywhere[order]
