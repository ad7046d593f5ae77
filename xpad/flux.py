"""The canonical flux: (record…, energy, pitch_angle), cleaned, lazy, on one grid or with its tables."""

from __future__ import annotations

import logging
import re
from collections.abc import Callable, Hashable, Mapping
from typing import Any

import numpy as np
import xarray as xr

from xpad import criteria
from xpad.axes import Axis, Roles, as_dataset, recognise
from xpad.clean import Limits, clean_energy, clean_flux, clean_pitch_angle, limits_of
from xpad.errors import RolesError

ENERGY = "energy"
PITCH_ANGLE = "pitch_angle"
TABLES = {ENERGY: "energy_table", PITCH_ANGLE: "pitch_angle_table"}
_RADIANS = re.compile(r"^\s*rad(ian)?s?\s*$", re.IGNORECASE)
_TEXTS_WITH_A_BAND = ("VAR_NOTES", "CATDESC", "TITLE", "title", "FIELDNAM", "long_name", "LABLAXIS")

log = logging.getLogger(__name__)


def canonical_flux(
    obj: xr.Dataset | xr.DataArray, variable: str | None = None, *, roles: Roles | None = None
) -> xr.DataArray:
    """The flux in one form, whatever form the data have.

    Parameters
    ----------
    obj : xarray.Dataset or xarray.DataArray
        The data, raw or not; not changed.
    variable : str, optional
        The flux, where several are there.
    roles : Roles, optional
        Roles already recognised.

    Returns
    -------
    xarray.DataArray
        float32, dims (record…, ``energy``, ``pitch_angle``), in the units of
        the data; NaN where nothing was measured. ``energy`` and
        ``pitch_angle`` (degrees) are ascending coordinates, and bins whose
        coordinate is fill are left out. An axis that changes from record to
        record has instead a table of values, ``energy_table`` or
        ``pitch_angle_table``. Lazy where the data are.

    Raises
    ------
    RolesError
        The flux or its pitch angles cannot be told from the metadata.

    Examples
    --------
    >>> import xpad
    >>> xpad.canonical_flux(xpad.simulate(days=0.1)).dims
    ('Epoch', 'energy', 'pitch_angle')
    """
    ds = as_dataset(obj)
    roles = roles if roles is not None else recognise(ds, variable)
    flux = _cleaned(_gathered(ds, roles), ds[roles.flux[0]])
    flux = _with_axis(flux, ENERGY, _energies(ds, roles))
    flux = _with_axis(flux, PITCH_ANGLE, _pitch_angles(ds, roles))
    if flux.sizes[PITCH_ANGLE] < 2:
        raise RolesError(
            f"the flux {roles.chosen.label} has {flux.sizes[PITCH_ANGLE]} pitch angle(s) with a value, "
            "which is no distribution; xpad needs at least two"
        )
    return flux


def varies(flux: xr.DataArray, axis: str) -> bool:
    """Whether an axis of a canonical flux changes from record to record."""
    return TABLES[axis] in flux.coords


def _gathered(ds: xr.Dataset, roles: Roles) -> xr.DataArray:
    """The flux variable(s) on (record…, energy, pitch_angle), with the records' coordinates."""
    first = ds[roles.flux[0]]
    variables = [ds.variables[name] for name in roles.flux]
    if roles.energy.dim is None:
        variable = xr.Variable.concat(variables, dim=ENERGY, combine_attrs="override")
    else:
        variable = variables[0]
    clash = [d for d in roles.record_dims if d in (ENERGY, PITCH_ANGLE)]
    if clash:
        raise RolesError(f"the record dimension is called {clash[0]!r}; rename it with ds.rename")
    renames = {roles.pitch_angle.dim: PITCH_ANGLE, roles.energy.dim: ENERGY}
    variable = _with_dims(variable, renames).transpose(*roles.record_dims, ENERGY, PITCH_ANGLE)
    coords = {
        name: coord.variable
        for name, coord in first.coords.items()
        if set(coord.dims) <= set(roles.record_dims) and name not in (ENERGY, PITCH_ANGLE)
    }
    name = str(roles.flux[0]) if len(roles.flux) == 1 else roles.chosen.label
    return xr.DataArray(variable, coords=coords, name=name)


def _with_dims(variable: xr.Variable, renames: Mapping[Hashable | None, str]) -> xr.Variable:
    known = {d: renames[d] for d in variable.dims if d in renames}
    return xr.DataArray(variable).rename(known).variable


def _cleaned(flux: xr.DataArray, source: xr.DataArray) -> xr.DataArray:
    limits = limits_of(source.attrs, source.encoding)
    cleaned = xr.apply_ufunc(
        clean_flux, flux, kwargs={"limits": limits}, dask="parallelized", output_dtypes=[np.float32]
    )
    return cleaned.assign_attrs(
        units=criteria.units(source.attrs), long_name="differential particle flux"
    )


def _energies(ds: xr.Dataset, roles: Roles) -> xr.Variable:
    axis = roles.energy
    if axis.variable is not None:
        return _axis_values(ds, roles, axis, ENERGY, clean_energy)
    if axis.dim is not None:
        return _channel_numbers(ds[roles.flux[0]].sizes[axis.dim])
    scalar = ds[roles.flux[0]].coords.get(ENERGY)
    if len(roles.flux) == 1 and scalar is not None and scalar.ndim == 0 and float(scalar) > 0:
        return xr.Variable((ENERGY,), [float(scalar)], {"units": criteria.units(scalar.attrs)})
    return _band_energies(ds, roles)


def _band_energies(ds: xr.Dataset, roles: Roles) -> xr.Variable:
    """Energies of bands that only their descriptions name, else channel numbers."""
    ranges = []
    for name in roles.flux:
        attrs = ds[name].attrs
        texts = [str(name), *(str(criteria.attribute(attrs, a) or "") for a in _TEXTS_WITH_A_BAND)]
        found = [r for r in map(criteria.energy_range, texts) if r is not None]
        if not found:
            return _channel_numbers(len(roles.flux))
        ranges.append(found[0])
    unit = ranges[0][2]
    scale = [criteria.KEV[r[2]] / criteria.KEV[unit] for r in ranges]
    centres = [
        criteria.centre(low, high) * s for (low, high, _), s in zip(ranges, scale, strict=True)
    ]
    if not (np.diff(centres) > 0).all():
        return _channel_numbers(len(roles.flux))
    return xr.Variable((ENERGY,), centres, {"units": unit, "comment": "centre of the energy band"})


def _channel_numbers(size: int) -> xr.Variable:
    attrs = {"units": "1", "long_name": "energy channel", "comment": "the data name no energies"}
    return xr.Variable((ENERGY,), np.arange(1.0, size + 1), attrs)


def _pitch_angles(ds: xr.Dataset, roles: Roles) -> xr.Variable:
    axis = roles.pitch_angle
    if axis.variable is None:
        raise RolesError(
            f"dimension {axis.dim!r} of {roles.chosen.label} is the pitch angle ({axis.why}), but no "
            f"variable holds its values; add them: ds.assign_coords({axis.dim}=[…degrees…])"
        )
    return _axis_values(ds, roles, axis, PITCH_ANGLE, clean_pitch_angle)


def _axis_values(
    ds: xr.Dataset, roles: Roles, axis: Axis, role: str, clean: Callable[..., Any]
) -> xr.Variable:
    """Cleaned values of an axis: dims (role,) where in memory and constant, else its table."""
    source = ds.variables[axis.variable]
    unit = criteria.units(source.attrs) or _unit_hint(ds[roles.flux[0]], axis)
    limits = limits_of(source.attrs, source.encoding)
    renames = {roles.pitch_angle.dim: PITCH_ANGLE, roles.energy.dim: ENERGY}
    variable = _with_dims(source.to_base_variable(), renames)
    if role == PITCH_ANGLE and _RADIANS.match(unit):
        variable, limits = np.rad2deg(variable), Limits()
    cleaned = xr.apply_ufunc(
        clean, variable, kwargs={"limits": limits}, dask="parallelized", output_dtypes=[np.float64]
    )
    cleaned.attrs = {"units": "deg" if role == PITCH_ANGLE else unit}
    if cleaned.ndim > 1 and isinstance(cleaned.data, np.ndarray):
        cleaned = cleaned.transpose(..., role)
        rows = cleaned.values.reshape(-1, cleaned.shape[-1])
        if len(rows) and np.array_equal(rows, np.broadcast_to(rows[0], rows.shape), equal_nan=True):
            return xr.Variable((role,), rows[0], cleaned.attrs)
    return cleaned


def _unit_hint(flux: xr.DataArray, axis: Axis) -> str:
    number = str(axis.dim).removeprefix("v").removesuffix("_dim")
    data_att = flux.attrs.get("data_att")
    hint = data_att.get(f"depend_{number or 1}_units") if isinstance(data_att, dict) else None
    return hint if isinstance(hint, str) else ""


def _with_axis(flux: xr.DataArray, role: str, values: xr.Variable) -> xr.DataArray:
    """Attach an axis: an ascending coordinate without fill, or a table."""
    if values.dims != (role,) or not isinstance(values.data, np.ndarray):
        return flux.assign_coords({TABLES[role]: values})
    axis = values.values
    known = np.flatnonzero(np.isfinite(axis))
    if known.size == 0:
        raise RolesError(
            f"every {role} value of the flux {flux.name} is fill, so its bins have no place"
        )
    if known.size < axis.size:
        log.info("%s: %d of %d bins are fill in %s and left out",
                 flux.name, axis.size - known.size, axis.size, role)  # fmt: skip
    order = known[np.argsort(axis[known], kind="stable")]
    if not np.array_equal(order, np.arange(axis.size)):
        flux = flux.isel({role: order})
        axis = axis[order]
    flux = _merged(flux, role, axis) if (np.diff(axis) == 0).any() else flux
    attrs = {"long_name": "pitch angle" if role == PITCH_ANGLE else "energy", **values.attrs}
    return flux.assign_coords({role: (role, np.unique(axis), attrs)})


def _merged(flux: xr.DataArray, role: str, axis: np.ndarray) -> xr.DataArray:
    """Bins of equal coordinate (a full turn of pitch angle folded) become their mean."""
    unique, group = np.unique(axis, return_inverse=True)
    parts = [flux.isel({role: np.flatnonzero(group == g)}).mean(role) for g in range(unique.size)]
    merged = xr.concat(parts, dim=role, coords="minimal", compat="override")
    return merged.transpose(*flux.dims).assign_attrs(flux.attrs).rename(flux.name)


def describe_axis(values: np.ndarray, unit: str, most: int = 3) -> str:
    """'12 energies 1.8 … 20 MeV'-like text for messages."""
    values = np.asarray(values, dtype=float)
    ends = f"{values[0]:g}" if values.size == 1 else f"{values[0]:g} … {values[-1]:g}"
    return (
        f"{values.size} from {ends} {unit}".rstrip() if values.size > 1 else f"1 at {ends} {unit}"
    )


def record_dims(flux: xr.DataArray) -> tuple[Hashable, ...]:
    """Record dimensions of a canonical flux, in its order."""
    return tuple(d for d in flux.dims if d not in (ENERGY, PITCH_ANGLE))
