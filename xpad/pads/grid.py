"""The energies and pitch angles that every PAD is put on."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import xarray as xr
from numpy.typing import NDArray

from xpad.errors import GridMismatchError, NotEnoughDataError, OptionError, RolesError, warn
from xpad.pads.bins import bin_starts
from xpad.pads.dims import ENERGY, PITCH_ANGLE, TABLES, Doubles, describe_axis, varies
from xpad.pads.normalise import normalisation
from xpad.roles import metadata
from xpad.settings import Settings

TABLE_SAMPLE = 10_000
"""Records looked at to find the commonest table; evenly spaced, so chunks do not matter."""
COMMON_SHARE = 0.05
SHORT, SHORT_SHARE = 1.25, 0.01
"""A table that ends this factor inside the grid is short; worth a warning from this share on."""
GRID_TOLERANCE = 1e-3
END_TOLERANCE = 1e-5
"""Of the ends of a range of energies, relative."""


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
    if table.size == 0:
        raise NotEnoughDataError(
            f"the flux {flux.name} holds no records (as a master file, or an empty day): open files "
            f"that do"
        )
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


def require_same_grid(found: Grid, wanted: Grid, flux: xr.DataArray) -> None:
    """Refuse data on another grid than the model's; axes that vary are interpolated onto it.

    Raises
    ------
    GridMismatchError
        Names both grids.
    """
    pairs: list[tuple[str, Doubles, Doubles, str]] = []
    if not varies(flux, ENERGY):
        scale = metadata.energy_scale(found.energy_units, wanted.energy_units)
        known = metadata.energy_unit(found.energy_units) or not found.energy_units
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
    scale = metadata.energy_scale(str(table.attrs.get("units", "")), units)
    if scale == 1.0:
        return flux
    converted = (scale * table).assign_attrs(table.attrs | {"units": units})
    return flux.assign_coords({TABLES[ENERGY]: converted})


def grid_coords(grid: Grid) -> dict[str, Any]:
    """The axes of a grid as coordinates."""
    return {
        "energy": ("energy", grid.energy, {"long_name": "energy", "units": grid.energy_units}),
        "pitch_angle": (
            "pitch_angle",
            grid.pitch_angle,
            {"long_name": "pitch angle", "units": "deg"},
        ),
    }


def selected(flux: xr.DataArray, settings: Settings, units: str = "") -> xr.DataArray:
    """The canonical flux within the range of energies that the settings name.

    `units` are those of the range, where they may be others than the data's.
    """
    if settings.energies is None or varies(flux, ENERGY):
        return flux
    scale = metadata.energy_scale(units, str(flux.coords[ENERGY].attrs.get("units", "")))
    low, high = (scale * bound for bound in settings.energies)
    energy = flux.coords[ENERGY].values
    inside = np.flatnonzero(_within(energy, low, high))
    if inside.size == 0:
        raise OptionError(
            f"energies=({low:g}, {high:g}) holds none of the data's energies, "
            f"{energy[0]:g} … {energy[-1]:g} {flux.coords[ENERGY].attrs.get('units', '')}"
        )
    return flux.isel({ENERGY: inside})


def _within(energy: Doubles, low: float, high: float) -> NDArray[np.bool_]:
    """Which energies lie in a range; its ends belong to it, though float32 rounds them."""
    return (energy >= low * (1 - END_TOLERANCE)) & (energy <= high * (1 + END_TOLERANCE))


def grid_of(flux: xr.DataArray, settings: Settings) -> Grid:
    """The grid that a fit puts its PADs on."""
    grid = common_grid(flux, settings.energy_tables, warn_of_short=settings.energies is None)
    if settings.energies is not None:
        low, high = settings.energies
        inside = _within(grid.energy, low, high)
        if not inside.any():
            raise OptionError(f"energies=({low:g}, {high:g}) holds none of the data's energies")
        grid = replace(grid, energy=grid.energy[inside])
    require = normalisation(settings.normalise).require
    if require is not None:
        require(grid.pitch_angle)
    if isinstance(settings.background, tuple) and len(settings.background) != grid.energy.size:
        raise OptionError(
            f"background has {len(settings.background)} values and the data {grid.energy.size} energies; "
            "give one number, or one for each energy in use"
        )
    return grid
