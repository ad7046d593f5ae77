"""Records whose energies or pitch angles differ, put on one grid."""

from __future__ import annotations

import numpy as np
import xarray as xr
from numpy.typing import NDArray

from xpad.errors import GridMismatchError
from xpad.pads.bins import bin_starts, group_means
from xpad.pads.blocks import flat_records
from xpad.pads.dims import CELL_DIMS, ENERGY, PITCH_ANGLE, TABLES, Doubles, tables
from xpad.pads.grid import Grid, in_energy_units
from xpad.pads.valid import Floats

ROWS_AT_ONCE = 256
"""Small enough that a block's temporary arrays stay in the processor's cache."""
GAP = 2.5
"""Steps: across a wider gap between two bins of a table nothing is interpolated."""


def to_grid(
    flux: Floats, grid: Grid, energy_table: Doubles | None, pitch_angle_table: Doubles | None
) -> tuple[Floats, NDArray[np.bool_]]:
    """Put records on the grid.

    Parameters
    ----------
    flux : (records, energies, pitch angles)
    grid : Grid
    energy_table : (records, energies), (records, energies, pitch angles) or None
        None where the flux is on the grid's energies already.
    pitch_angle_table : (records, pitch angles), (records, energies, pitch angles) or None

    Returns
    -------
    flux : (records, grid energies, grid pitch angles)
    bad_axis : (records,) bool
        Records whose tables hold no value.
    """
    bad = np.zeros(len(flux), dtype=bool)
    for table in (energy_table, pitch_angle_table):
        if table is not None:
            bad |= ~np.isfinite(table).any(axis=tuple(range(1, np.ndim(table))))
    # Energies that differ from one pitch angle to the next are put on the grid before those move.
    by_angle = energy_table is not None and np.ndim(energy_table) == 3
    if energy_table is not None and by_angle:
        flux = _on_energies(flux, energy_table, grid)
    if pitch_angle_table is not None:
        flux = _on_pitch_angles(flux, pitch_angle_table, grid)
    if energy_table is not None and not by_angle:
        flux = _on_energies(flux, energy_table, grid)
    return flux, bad


def _on_energies(flux: Floats, table: Doubles, grid: Grid) -> Floats:
    """By one table for all pitch angles, (records, energies), or one for each."""
    table = np.asarray(table, dtype=np.float64)
    if table.ndim == 2:
        return _interpolate(flux, table, grid.energy, logarithmic=True)
    n, energies, pitch_angles = flux.shape
    rows = flux.transpose(0, 2, 1).reshape(-1, energies)[:, :, None]
    own = table.transpose(0, 2, 1).reshape(-1, energies)
    put = _interpolate(rows, own, grid.energy, logarithmic=True)
    return put.reshape(n, pitch_angles, grid.energy.size).transpose(0, 2, 1)


def _on_pitch_angles(flux: Floats, table: Doubles, grid: Grid) -> Floats:
    """By one table for all energies, (records, pitch angles), or one for each."""
    table = np.asarray(table, dtype=np.float64)
    if table.ndim == 2:
        swapped = flux.transpose(0, 2, 1)
        put = _interpolate(swapped, table, grid.pitch_angle, logarithmic=False)
        return put.transpose(0, 2, 1)
    rows = flux.reshape(-1, flux.shape[2])[:, :, None]
    flat = table.reshape(-1, table.shape[2])
    put = _interpolate(rows, flat, grid.pitch_angle, logarithmic=False)
    return put.reshape(len(flux), -1, grid.pitch_angle.size)


def beyond_grid(
    grid: Grid,
    energy_table: Doubles | None,
    pitch_angle_table: Doubles | None,
    energies: tuple[float, float] | None = None,
) -> NDArray[np.bool_] | None:
    """Which bins of records lie too far beyond the ends of the grid to count for any bin of it.

    Parameters
    ----------
    grid, energy_table, pitch_angle_table
        As of `to_grid`.
    energies : (low, high), optional
        Others were left out on purpose.

    Returns
    -------
    (records, energies or 1, pitch angles or 1) bool or None
        None where there are no tables.
    """
    found: NDArray[np.bool_] | None = None
    if energy_table is not None:
        rows = np.asarray(energy_table, dtype=np.float64)
        rows = rows[:, :, None] if rows.ndim == 2 else rows
        across = rows.transpose(0, 2, 1)
        with np.errstate(invalid="ignore", divide="ignore"):
            own = _beyond(np.log(across.reshape(-1, across.shape[2])), np.log(grid.energy))
        found = own.reshape(across.shape).transpose(0, 2, 1)
        if energies is not None:
            found = found & (rows >= energies[0]) & (rows <= energies[1])
    if pitch_angle_table is not None:
        table = np.asarray(pitch_angle_table, dtype=np.float64)
        own = _beyond(table.reshape(-1, table.shape[-1]), grid.pitch_angle).reshape(table.shape)
        own = own if table.ndim == 3 else own[:, None, :]
        found = own if found is None else found | own
    return found


def _beyond(places: Doubles, target: Doubles) -> NDArray[np.bool_]:
    """Places (rows, n) more than half a usual step beyond the ends of `target`; none of one place."""
    reach = _usual_step(np.sort(places, axis=1)) / 2 + 1e-12
    return np.asarray((places < target.min() - reach) | (places > target.max() + reach))


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
    """The (lower) median distance of a row's distinct neighbours, as a column; 0 of one bin.

    Where bins come in close pairs or more, as of a fan of sensors that turns and is folded at 0 and 180
    degrees, most distances are short: then it is the one that a sixth of them reach, if that is more
    than twice the median. Not the longest: that is a hole.
    """
    with np.errstate(invalid="ignore"):
        steps = np.diff(np.where(np.isfinite(x), x, np.nan), axis=1)
    steps = np.sort(np.where(steps > 0, steps, np.inf), axis=1)
    count = np.isfinite(steps).sum(axis=1, keepdims=True)
    if not steps.shape[1]:
        return np.zeros((len(x), 1))
    last = np.maximum(count - 1, 0)
    median, long = (np.take_along_axis(steps, at, axis=1) for at in (last // 2, (5 * last) // 6))
    return np.where(count > 0, np.where(long > 2 * median, long, median), 0.0)


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


def on_one_grid(flux: xr.DataArray) -> xr.DataArray:
    """Put records whose energies or pitch angles differ on the commonest grid, as ``fit`` does.

    Parameters
    ----------
    flux : xarray.DataArray
        Canonical flux, with or without ``energy_table`` and ``pitch_angle_table``.

    Returns
    -------
    xarray.DataArray
        `flux` itself where it has one grid; else dims (record dims…, energy, pitch_angle) with
        those two as coordinates, interpolated in log energy. Lazy if `flux` is, apart from the
        look at the tables that finds the commonest.

    Examples
    --------
    >>> import numpy as np, xarray as xr
    >>> flux = xr.DataArray(np.ones((1, 1, 2)), dims=("time", "energy", "pitch_angle"))
    >>> on_one_grid(flux) is flux
    True
    """
    if not any(f"{dim}_table" in flux.coords for dim in CELL_DIMS):
        return flux
    from xpad.pads.grid import common_grid
    from xpad.pads.regrid import on_grid

    return on_grid(flux, common_grid(flux))


def require_one_grid(flux: xr.DataArray) -> None:
    """Refuse a flux whose energies or pitch angles change from record to record.

    Parameters
    ----------
    flux : xarray.DataArray
        Canonical flux.

    Raises
    ------
    GridMismatchError
        If it has ``energy_table`` or ``pitch_angle_table`` in place of one energy or pitch-angle
        coordinate: a mean by index would mix different energies.

    Examples
    --------
    >>> import numpy as np, xarray as xr
    >>> require_one_grid(xr.DataArray(np.ones((1, 1, 1)), dims=("time", "energy", "pitch_angle")))
    """
    for dim in CELL_DIMS:
        if f"{dim}_table" in flux.coords:
            raise GridMismatchError(
                f"the {dim} of {flux.name or 'the flux'} changes from record to record "
                f"({dim}_table), and a mean needs one grid: "
                "put it on one with xpad.pads.regrid.on_one_grid(flux)"
            )
