"""Records whose energies or pitch angles differ, put on one grid."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np
import xarray as xr
from numpy.typing import NDArray

from xpad import criteria
from xpad.bins import bin_starts, group_means
from xpad.clean import Limits
from xpad.errors import GridMismatchError, OptionError, RolesError, warn
from xpad.flux import ENERGY, PITCH_ANGLE, TABLES, describe_axis, varies
from xpad.measured import Measured, clean_records
from xpad.order import in_one_piece

TABLE_SAMPLE = 10_000
"""Records looked at to find the commonest table; evenly spaced, so chunks do not matter."""
COMMON_SHARE = 0.05
SHORT, SHORT_SHARE = 1.25, 0.01
"""A table that ends this factor inside the grid is short; worth a warning from this share on."""
GRID_TOLERANCE = 1e-3
ROWS_AT_ONCE = 256
"""Small enough that a block's temporary arrays stay in the processor's cache."""
PIECE = 8192
"""Records that go through the pipeline at once: enough that calls, in which all threads wait for each other,
are few (4096 took longer), and little memory."""
GAP = 2.5
"""Steps: across a wider gap between two bins of a table nothing is interpolated."""

Floats = NDArray[np.float32]
Doubles = NDArray[np.float64]


@dataclass(frozen=True)
class Grid:
    """The energies and pitch angles (degrees) that every PAD is put on, ascending."""

    energy: Doubles
    pitch_angle: Doubles
    energy_units: str = ""
    flux_units: str = ""

    @property
    def shape(self) -> tuple[int, int]:
        """(energies, pitch angles)."""
        return self.energy.size, self.pitch_angle.size

    def __str__(self) -> str:
        energies = describe_axis(self.energy, self.energy_units)
        return f"energies: {energies}; pitch angles: {describe_axis(self.pitch_angle, 'deg')}"


def common_grid(
    flux: xr.DataArray, energy_tables: str = "interpolate", *, warn_of_short: bool = False
) -> Grid:
    """The grid of a canonical flux; of axes that vary, the commonest table.

    Looks at the values of a varying axis (so it computes), at most
    `TABLE_SAMPLE` records of them. Where no table is common (under 5 % of the
    records share one), the median of the sorted tables serves. `warn_of_short`
    warns where records leave out a part of the grid's energies.

    Raises
    ------
    OptionError
        `energy_tables` is "refuse" and the energies vary.
    RolesError
        An axis that varies has no valid value at all.
    """
    if energy_tables not in ("interpolate", "refuse"):
        raise OptionError(
            f"energy_tables={energy_tables!r} is not known; choose 'interpolate' or 'refuse'"
        )
    energy = _axis_values(
        flux, ENERGY, refuse=energy_tables == "refuse", warn_of_short=warn_of_short
    )
    pitch_angle = _axis_values(flux, PITCH_ANGLE)
    source = flux.coords[TABLES[ENERGY] if varies(flux, ENERGY) else ENERGY]
    return Grid(
        energy, pitch_angle, str(source.attrs.get("units", "")), str(flux.attrs.get("units", ""))
    )


def _axis_values(
    flux: xr.DataArray, role: str, *, refuse: bool = False, warn_of_short: bool = False
) -> Doubles:
    if not varies(flux, role):
        return np.asarray(flux.coords[role].values, dtype=np.float64)
    table = flux.coords[TABLES[role]]
    for dim in table.dims:
        size = table.sizes[dim]
        if dim != role and size > TABLE_SAMPLE:
            table = table.isel({dim: np.unique(np.linspace(0, size - 1, TABLE_SAMPLE).astype(int))})
    rows = table.transpose(..., role).values.reshape(-1, table.sizes[role])
    rows = np.sort(rows[np.isfinite(rows).any(axis=1)], axis=1)
    if len(rows) == 0:
        raise RolesError(
            f"every {role} value of the flux {flux.name} is fill, so its bins have no place"
        )
    # NaN is unequal to itself, also for np.unique over rows; no axis value is negative.
    unique, counts = np.unique(np.where(np.isfinite(rows), rows, -1.0), axis=0, return_counts=True)
    if refuse and len(unique) > 1:
        raise OptionError(
            f"the energies of {flux.name} change in time ({len(unique)} tables among the records "
            "looked at) and energy_tables='refuse'; use energy_tables='interpolate'"
        )
    commonest = unique[np.argmax(counts)]
    if counts.max() < COMMON_SHARE * len(rows):
        commonest = _median_table(rows)
    commonest = np.sort(commonest[commonest >= 0])
    if warn_of_short:
        _warn_of_short_tables(rows, commonest, flux)
    return commonest[bin_starts(commonest, logarithmic=role == ENERGY)]


def _warn_of_short_tables(rows: Doubles, grid: Doubles, flux: xr.DataArray) -> None:
    """Say so where records leave out a part of the grid: clusters may tell just that apart."""
    low, high = np.nanmin(rows, axis=1), np.nanmax(rows, axis=1)
    short = (low > SHORT * grid[0]) | (high < grid[-1] / SHORT)
    if short.mean() > SHORT_SHARE:
        common = "No energy is common to all of them"
        if low.max() < high.min():
            common = f"energies=({low.max():g}, {high.min():g}) keeps what all records have"
        warn(
            f"the energies of {flux.name} change in time, and {short.mean():.0%} of the records do not "
            f"reach over all of {grid[0]:g} … {grid[-1]:g}: the bins they leave out are missing, and "
            "clusters may tell no more than the tables apart, above all with missing='zero'. "
            f"{common}"
        )


def _median_table(rows: Doubles) -> Doubles:
    """Bin by bin the median of the tables with the commonest number of bins; NaN counts as none."""
    known = np.isfinite(rows).sum(axis=1)
    most = np.argmax(np.bincount(known))
    return np.asarray(np.median(rows[known == most, :most], axis=0))


def to_grid(
    flux: Floats, grid: Grid, energy_table: Doubles | None, pitch_angle_table: Doubles | None
) -> tuple[Floats, NDArray[np.bool_]]:
    """Put records on the grid.

    Parameters
    ----------
    flux : (records, energies, pitch angles)
    grid : Grid
    energy_table : (records, energies) or None
        None where the flux is on the grid's energies already.
    pitch_angle_table : (records, pitch angles), (records, energies, pitch angles) or None

    Returns
    -------
    flux : (records, grid energies, grid pitch angles)
    bad_axis : (records,) bool
        Records whose tables hold no value.
    """
    bad = np.zeros(len(flux), dtype=bool)
    if pitch_angle_table is not None:
        table = np.asarray(pitch_angle_table, dtype=np.float64)
        bad |= ~np.isfinite(table).any(axis=tuple(range(1, table.ndim)))
        if table.ndim == 2:
            swapped = flux.transpose(0, 2, 1)
            put = _interpolate(swapped, table, grid.pitch_angle, logarithmic=False)
            flux = put.transpose(0, 2, 1)
        else:
            rows = flux.reshape(-1, flux.shape[2])[:, :, None]
            flat = table.reshape(-1, table.shape[2])
            put = _interpolate(rows, flat, grid.pitch_angle, logarithmic=False)
            flux = put.reshape(len(flux), -1, grid.pitch_angle.size)
    if energy_table is not None:
        table = np.asarray(energy_table, dtype=np.float64)
        bad |= ~np.isfinite(table).any(axis=1)
        flux = _interpolate(flux, table, grid.energy, logarithmic=True)
    return flux, bad


def _interpolate(values: Floats, source: Doubles, target: Doubles, *, logarithmic: bool) -> Floats:
    """Row by row from `source` (rows, n) to `target` (m,): values (rows, n, p) → (rows, m, p).

    In log energy (flux in log too where both neighbours are positive), linear
    in pitch angle; of two neighbours of which one is missing, the nearer one
    decides. A bin reaches half the usual step beyond its middle: a target
    that no bin reaches, beyond the outermost bin or in a hole of the table
    (see `_wide_gaps`), is missing. Bins of equal place count as one, their mean.
    """
    out = np.full((len(values), target.size, values.shape[2]), np.nan, dtype=np.float32)
    same = np.zeros(len(values), dtype=bool)
    if source.shape[1] == target.size:
        same = (source == target).all(axis=1)
        out[same] = values[same]
    different = np.flatnonzero(~same)
    for start in range(0, different.size, ROWS_AT_ONCE):
        rows = different[start : start + ROWS_AT_ONCE]
        out[rows] = _interpolate_rows(values[rows], source[rows], target, logarithmic)
    return out


def _interpolate_rows(
    values: Floats, source: Doubles, target: Doubles, logarithmic: bool
) -> Floats:
    source, values = _ascending(values, source, logarithmic)
    x, t = (np.log(source), np.log(target)) if logarithmic else (source, target)
    known = np.isfinite(x).sum(axis=1, keepdims=True)
    right = np.zeros((len(source), target.size), dtype=np.intp)
    for column in source.T:
        right += column[:, None] <= target
    low = np.clip(right - 1, 0, np.maximum(known - 1, 0))
    high = np.clip(right, 0, np.maximum(known - 1, 0))
    x_low, x_high = np.take_along_axis(x, low, axis=1), np.take_along_axis(x, high, axis=1)
    step = _usual_step(x)
    # The distances to the nearest bin on each side; at the ends both are the outermost bin.
    below, above = np.abs(t - x_low), np.abs(x_high - t)
    nearest = np.minimum(below, above)
    between_last = np.clip(low, 0, max(x.shape[1] - 2, 0))
    wide = np.take_along_axis(_wide_gaps(x, step), between_last, axis=1)
    outside = (right == 0) | (right >= known) | wide
    with np.errstate(invalid="ignore", divide="ignore"):
        weight = np.where(x_high > x_low, below / (x_high - x_low), 0.0)
    weight = np.where(outside, (above < below).astype(np.float64), weight)
    weight[(outside & (nearest > step / 2 + 1e-12)) | (known == 0)] = np.nan
    return _between(values, low, high, weight, logarithmic)


def _ascending(values: Floats, source: Doubles, logarithmic: bool) -> tuple[Doubles, Floats]:
    """Rows in ascending order, missing bins last; bins of equal place all hold their mean."""
    order = np.argsort(np.where(np.isfinite(source), source, np.inf), axis=1, kind="stable")
    source = np.take_along_axis(source, order, axis=1)
    values = np.take_along_axis(values, order[:, :, None], axis=1)
    starts = bin_starts(source, logarithmic=logarithmic)
    repeated = np.flatnonzero(~starts.all(axis=1))
    if repeated.size:
        flat = starts[repeated].ravel()
        runs = np.diff(np.append(np.flatnonzero(flat), flat.size))
        held = values[repeated].reshape(flat.size, -1)
        means = np.repeat(group_means(held, flat), runs, axis=0)
        places = np.repeat(source[repeated].ravel()[flat], runs)
        values[repeated] = means.reshape(values[repeated].shape)
        source[repeated] = places.reshape(source[repeated].shape)
    return source, values


def _between(
    values: Floats,
    low: NDArray[np.intp],
    high: NDArray[np.intp],
    weight: Doubles,
    logarithmic: bool,
) -> Floats:
    """Values (rows, n, p) between the bins `low` and `high` (rows, m): (rows, m, p)."""
    rows = np.arange(len(values))[:, None]
    a, b = values[rows, low], values[rows, high]
    w = weight[:, :, None].astype(np.float32)
    with np.errstate(invalid="ignore", divide="ignore", over="ignore"):
        y = a + w * (b - a)
        if logarithmic:
            # Of the ratio, whose logarithm is small, float32 is exact enough.
            ratio = b / a
            y = np.where((ratio > 0) & np.isfinite(ratio), a * np.exp(w * np.log(ratio)), y)
    alone = (weight == 0)[:, :, None] | (weight == 1)[:, :, None] | np.isnan(y)
    y = np.where(alone, np.where(w < 0.5, a, b), y)
    y[np.isnan(weight)] = np.nan
    return y


def _wide_gaps(x: Doubles, step: Doubles) -> NDArray[np.bool_]:
    """Which gaps between neighbours (rows, n - 1; one at least) are holes in the table.

    Wider than `GAP` times both the usual step and the smaller of the gaps
    beside it, since a table may be of several instruments, fine and coarse.
    """
    if x.shape[1] < 2:
        return np.zeros((len(x), 1), dtype=bool)
    with np.errstate(invalid="ignore"):
        gaps = np.diff(x, axis=1)
    edge = np.full((len(x), 1), np.nan)
    beside = np.fmin(np.hstack([edge, gaps[:, :-1]]), np.hstack([gaps[:, 1:], edge]))
    return np.asarray(gaps > GAP * np.fmax(beside, step))


def _usual_step(x: Doubles) -> Doubles:
    """The (lower) median distance of a row's distinct neighbours, as a column; 0 of one bin."""
    with np.errstate(invalid="ignore"):
        steps = np.diff(np.where(np.isfinite(x), x, np.nan), axis=1)
    steps = np.sort(np.where(steps > 0, steps, np.inf), axis=1)
    count = np.isfinite(steps).sum(axis=1, keepdims=True)
    if not steps.shape[1]:
        return np.zeros((len(x), 1))
    middle = np.take_along_axis(steps, np.maximum((count - 1) // 2, 0), axis=1)
    return np.where(count > 0, middle, 0.0)


def require_same_grid(found: Grid, wanted: Grid, flux: xr.DataArray) -> None:
    """Refuse data on another grid than the model's; axes that vary are interpolated onto it.

    Raises
    ------
    GridMismatchError
        Names both grids.
    """
    pairs: list[tuple[str, Doubles, Doubles, str]] = []
    if not varies(flux, ENERGY):
        scale = criteria.energy_scale(found.energy_units, wanted.energy_units)
        known = criteria.energy_unit(found.energy_units) or not found.energy_units
        units = wanted.energy_units if known else f"{found.energy_units!r}, a unit not known here"
        pairs.append((ENERGY, found.energy * scale, wanted.energy, units))
    if not varies(flux, PITCH_ANGLE):
        pairs.append((PITCH_ANGLE, found.pitch_angle, wanted.pitch_angle, "deg"))
    for role, a, b, own_units in pairs:
        if a.shape != b.shape or not np.allclose(a, b, rtol=GRID_TOLERANCE, atol=1e-9):
            raise GridMismatchError(
                f"the data's {role} bins are not the model's: the data have "
                f"{describe_axis(a, own_units)}, and the model was fitted on "
                f"{describe_axis(b, wanted.energy_units if role == ENERGY else own_units)} "
                f"(its whole grid: {wanted}). Fit a model on these data, or regrid them first"
            )


def tables(flux: xr.DataArray) -> dict[str, xr.DataArray]:
    """The tables of the axes that vary, by coordinate name, without coordinates of their own."""
    return {
        name: flux.coords[name].reset_coords(drop=True)
        for name in TABLES.values()
        if name in flux.coords
    }


def as_table(flux: xr.DataArray, role: str) -> xr.DataArray:
    """A canonical flux whose constant axis is written as a table, one row a record.

    For a model of data whose tables vary, since a part of such data may happen not to.
    """
    if varies(flux, role):
        return flux
    axis = flux.coords[role]
    records = [d for d in flux.dims if d not in (ENERGY, PITCH_ANGLE)]
    shape = tuple(flux.sizes[d] for d in records)
    rows = np.broadcast_to(axis.values.astype(np.float64), (*shape, axis.size))
    table = xr.DataArray(rows, dims=(*records, role), attrs=axis.attrs)
    if flux.chunks is not None:
        table = table.chunk({d: flux.chunksizes[d] for d in (*records, role)})
    return flux.drop_vars(role).assign_coords({TABLES[role]: table})


def in_energy_units(flux: xr.DataArray, units: str) -> xr.DataArray:
    """A canonical flux whose energies, where they vary, are in other units."""
    table = flux.coords.get(TABLES[ENERGY])
    if table is None:
        return flux
    scale = criteria.energy_scale(str(table.attrs.get("units", "")), units)
    if scale == 1.0:
        return flux
    converted = (scale * table).assign_attrs(table.attrs | {"units": units})
    return flux.assign_coords({TABLES[ENERGY]: converted})


def on_grid(flux: xr.DataArray, grid: Grid) -> xr.DataArray:
    """A canonical flux with the axes that vary put on the grid; lazy, no other value changed."""
    flux = in_energy_units(flux, grid.energy_units)
    found = tables(flux)
    if not found:
        return flux
    given = [TABLES[ENERGY] in found, TABLES[PITCH_ANGLE] in found]
    bare = flux.drop_vars(list(found))
    core = [ENERGY, PITCH_ANGLE]
    arrays = [bare, *(found[TABLES[r]] for r, there in zip(core, given, strict=True) if there)]

    def put(pads: Floats, *rest: Doubles) -> Floats:
        pieces = iter(rest)
        energies, pitch_angles = (next(pieces) if there else None for there in given)
        flat, *flat_tables = flat_records(pads, energies, pitch_angles)
        rows, _ = to_grid(flat, grid, *flat_tables)
        return rows.reshape(*pads.shape[:-2], *grid.shape)

    sizes = dict(zip(("_energy", "_pitch_angle"), grid.shape, strict=True))
    placed = xr.apply_ufunc(
        put,
        *(
            a.chunk({d: -1 for d in core if d in a.dims}) if a.chunks is not None else a
            for a in arrays
        ),
        input_core_dims=[[d for d in core if d in a.dims] for a in arrays],
        output_core_dims=[list(sizes)],
        dask="parallelized",
        output_dtypes=[np.float32],
        dask_gufunc_kwargs={"output_sizes": sizes},
    )
    placed = placed.rename(_energy=ENERGY, _pitch_angle=PITCH_ANGLE)
    coords = {
        ENERGY: (ENERGY, grid.energy, {"units": grid.energy_units, "long_name": "energy"}),
        PITCH_ANGLE: (PITCH_ANGLE, grid.pitch_angle, {"units": "deg", "long_name": "pitch angle"}),
    }
    return placed.assign_coords(coords).assign_attrs(flux.attrs).rename(flux.name)


def flat_records(
    flux: Any, energy_table: Any, pitch_angle_table: Any
) -> tuple[Floats, Doubles | None, Doubles | None]:
    """A block's records on one axis; the tables have the flux's record dimensions or none."""
    flux = np.asarray(flux, dtype=np.float32)
    records, energies, pitch_angles = flux.shape[:-2], flux.shape[-2], flux.shape[-1]
    n = int(np.prod(records, dtype=np.int64))
    if energy_table is not None:
        energy_table = np.broadcast_to(energy_table, (*records, energies)).reshape(n, energies)
    if pitch_angle_table is not None:
        own = np.asarray(pitch_angle_table)
        by_energy = own.ndim == len(records) + 2
        shape = (energies, pitch_angles) if by_energy else (pitch_angles,)
        pitch_angle_table = np.broadcast_to(own, (*records, *shape)).reshape(n, *shape)
    return flux.reshape(n, energies, pitch_angles), energy_table, pitch_angle_table


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
