"""The canonical flux: (record…, energy, pitch_angle), cleaned, lazy, with grid or tables."""

from __future__ import annotations

import logging
from collections.abc import Hashable, Mapping
from dataclasses import replace

import numpy as np
import xarray as xr

from xpad.compute.records import ROWS
from xpad.errors import RolesError
from xpad.pads.bins import bin_starts, group_means
from xpad.pads.clean import clean_energy, clean_pitch_angle, limits_of
from xpad.pads.dims import ENERGY, PITCH_ANGLE, TABLES
from xpad.pads.flux import Flux
from xpad.pads.removed import BAD_QUALITY
from xpad.pads.valid import CLEAN, single
from xpad.roles import metadata, units
from xpad.roles.axes import Axis, aligned, tplot_units
from xpad.roles.evidence import COSINE, finite
from xpad.roles.missions import good, informed
from xpad.roles.recognise import Roles, as_dataset, recognise
from xpad.settings import Settings

_TEXTS_WITH_A_BAND = ("VAR_NOTES", "CATDESC", "TITLE", "title", "FIELDNAM", "long_name", "LABLAXIS")

MOST_NEGATIVE = -30.0
"""Degrees: angles just below zero occur (ELFIN) and are folded; those beyond mean something else."""

log = logging.getLogger(__name__)


def flux(obj: xr.Dataset | xr.DataArray, variable: str | None = None) -> xr.DataArray:
    """The flux in one form, whatever form the data have.

    Parameters
    ----------
    obj : xarray.Dataset or xarray.DataArray
        The data, raw or not; not changed.
    variable : str, optional
        The flux, where several are there.

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
    >>> xpad.flux(xpad.simulate(days=0.1)).dims
    ('Epoch', 'energy', 'pitch_angle')
    """
    return located(obj, variable).clean()


def located(
    obj: xr.Dataset | xr.DataArray,
    variable: str | None = None,
    *,
    roles: Roles | None = None,
    settings: Settings | None = None,
) -> Flux:
    """The flux for passes over the data, which clean it piece by piece: values as they lie in it.

    Parameters and errors as of `flux`; `roles` are those that are recognised already, `settings` say
    what of the values counts as measured, where it is other than usual.
    """
    given = as_dataset(obj)
    ds = informed(given)
    roles = roles if roles is not None else recognise(ds, variable)
    source = ds[roles.flux[0]]
    _require_no_logarithm(source)
    array = _gathered(ds, roles)
    array.attrs = {
        "units": metadata.units(source.attrs),
        "long_name": "differential particle flux",
    }
    limits = limits_of(source.attrs, source.encoding, settings)
    flux = _as_single(Flux(array, limits, roles, given))
    if settings is not None and settings.quality:
        flux = flux.mapped(_without_bad, ds, roles)
    axes = {ENERGY: _energies(ds, roles), PITCH_ANGLE: _pitch_angles(ds, roles)}
    by_both = all({ENERGY, PITCH_ANGLE} <= set(axis.dims) for axis in axes.values())
    if by_both and array.size:
        energy, along = roles.energy.variable, roles.pitch_angle.dim
        raise RolesError(
            f"the energies of {flux.name} ({energy}) differ from one pitch angle to the next, and its "
            f"pitch angles ({roles.pitch_angle.variable}) from one energy to the next; xpad puts one of "
            f"them on a grid. Where energies hardly differ: ds[{energy!r}] = ds[{energy!r}].mean({along!r})"
        )
    static = [r for r, v in axes.items() if v.dims == (r,) and isinstance(v.data, np.ndarray)]
    # Tables first: where the bins of a static axis are put in order, a table over them follows.
    known = {TABLES[r]: v for r, v in axes.items() if r not in static}
    flux = replace(flux, array=flux.array.assign_coords(known))
    for role in static:
        flux = _with_axis(flux, role, axes[role])
    if flux.array.sizes[PITCH_ANGLE] < 2:
        raise RolesError(
            f"the flux {flux.name} has {flux.array.sizes[PITCH_ANGLE]} pitch angle(s) with a "
            "value, which is no distribution; xpad needs at least two"
        )
    return flux


def _require_no_logarithm(flux: xr.DataArray) -> None:
    """Refuse logarithms: means and ratios of them are of no flux."""
    unit = units.parsed(metadata.units(flux.attrs))
    if unit is not None and unit.logarithm:
        raise RolesError(
            f"the units of {str(flux.name)!r} are {unit.text!r}, so its values are logarithms; give the "
            f"flux itself: ds[{str(flux.name)!r}] = 10.0 ** ds[{str(flux.name)!r}], with its units"
        )


def _as_single(flux: Flux) -> Flux:
    """The flux as native float32, with what is measured left to be seen."""
    if flux.array.dtype == np.float32 and flux.array.dtype.isnative:
        return flux
    limits = single(np.empty(0, flux.array.dtype), flux.limits)[1]
    array = xr.apply_ufunc(
        lambda values: single(values, flux.limits)[0],
        flux.array,
        dask="parallelized",
        output_dtypes=[np.float32],
    )
    return replace(flux, array=array.assign_attrs(flux.array.attrs), limits=limits)


def _without_bad(array: xr.DataArray, ds: xr.Dataset, roles: Roles) -> xr.DataArray:
    """The flux where the product's quality flags are good; elsewhere a number that is counted as such."""
    every = [good(ds, name) for name in roles.flux]
    found = [flags.variable for flags in every if flags is not None]
    if len(found) < len(every):
        raise RolesError(
            f"quality=True, and no quality flags are known of {roles.chosen.label} in these data; "
            "xpad.missions() lists the products of which they are, xpad.register_mission(quality=...) "
            "adds one"
        )
    fine = [_with_dims(flags, _renames(roles)) for flags in found]
    if roles.energy.dim is None and len(fine) > 1:
        whole: xr.Variable = xr.Variable.concat(fine, dim=ENERGY)
    else:
        whole = fine[0]
    if array.chunks is not None and whole.chunks is None:
        whole = whole.chunk({d: array.chunksizes[d] for d in whole.dims})
    bare = xr.DataArray(whole)
    kept = array.where(bare | array.isnull(), BAD_QUALITY)
    return kept.transpose(*array.dims).assign_attrs(array.attrs)


def _cleaned(flux: Flux) -> Flux:
    return replace(flux, array=flux.clean(), limits=CLEAN)


def _gathered(ds: xr.Dataset, roles: Roles) -> xr.DataArray:
    """The flux variable(s) on (record…, energy, pitch_angle), with the records' coordinates."""
    clash = [d for d in roles.record_dims if d in (ENERGY, PITCH_ANGLE)]
    if clash:
        raise RolesError(
            f"a record dimension of {roles.chosen.label} is called {clash[0]!r}, which xpad's own "
            f"result needs; rename it: ds.rename({clash[0]}=...)"
        )
    first = ds[roles.flux[0]]
    for role, axis in ((ENERGY, roles.energy), (PITCH_ANGLE, roles.pitch_angle)):
        if axis.dim is not None and not first.sizes[axis.dim]:
            raise RolesError(
                f"the flux {roles.chosen.label} has no {role.replace('_', ' ')}: its dimension "
                f"{axis.dim!r} has length 0; select at least one bin along it"
            )
    core = {d: 0 for d in (roles.energy.dim, roles.pitch_angle.dim) if d is not None}
    ours = (ENERGY, PITCH_ANGLE, *TABLES.values())
    other = [
        n for n, c in first.coords.items() if n in ours or not set(c.dims) <= set(roles.record_dims)
    ]
    coords = first.drop_vars(other).isel(core).coords
    every = [_in_blocks(ds.variables[n], roles.record_dims) for n in roles.flux]
    variables = [_on_dims(v, first.dims).to_base_variable() for v in every]
    if roles.energy.dim is None:
        variable = xr.Variable.concat(variables, dim=ENERGY, combine_attrs="override")
    else:
        variable = variables[0]
    variable = _with_dims(variable, _renames(roles))
    variable = variable.transpose(*roles.record_dims, ENERGY, PITCH_ANGLE)
    name = str(roles.flux[0]) if len(roles.flux) == 1 else roles.chosen.label
    # Assigned, they are shared; to its constructor's, DataArray gives copies of their indexes.
    return xr.DataArray(variable, name=name).assign_coords(coords)


def _on_dims(variable: xr.Variable, dims: tuple[Hashable, ...]) -> xr.Variable:
    """A variable on the dimensions of its companions; its own pitch angles have the same values."""
    own, others = (
        [d for d in a if d not in b] for a, b in ((variable.dims, dims), (dims, variable.dims))
    )
    return _with_dims(variable, dict(zip(own, others, strict=True))).transpose(*dims)


def _in_blocks(variable: xr.Variable, record_dims: tuple[Hashable, ...]) -> xr.Variable:
    """A variable that is still in its file, as dask arrays of some records each.

    Transposed as it is, xarray would read it point by point, all at once.
    """
    if variable.chunks is not None or variable._in_memory or not (record_dims and variable.size):
        return variable
    from xpad.compute.chunks import chunk_length

    longest = max(record_dims, key=lambda d: variable.sizes[d])
    stored = variable.encoding.get("preferred_chunks", {}).get(longest, ROWS)
    row_bytes = variable.nbytes // variable.sizes[longest]
    return variable.chunk({longest: chunk_length([min(stored, ROWS)], row_bytes)})


def _renames(roles: Roles) -> dict[Hashable, Hashable]:
    """The flux's own names of its axes → ours."""
    renames: dict[Hashable, Hashable] = {roles.pitch_angle.dim: PITCH_ANGLE}
    if roles.energy.dim is not None:
        renames[roles.energy.dim] = ENERGY
    return renames


def _with_dims(variable: xr.Variable, renames: Mapping[Hashable, Hashable]) -> xr.Variable:
    # Through a DataArray, as a Variable has no public rename of dimensions.
    known = {d: renames[d] for d in variable.dims if d in renames}
    return xr.DataArray(variable).rename(known).variable


def _energies(ds: xr.Dataset, roles: Roles) -> xr.Variable:
    axis = roles.energy
    if axis.variable is not None:
        return _axis_values(ds, roles, axis, ENERGY)
    if axis.dim is not None:
        return _channel_numbers(ds[roles.flux[0]].sizes[axis.dim])
    if len(roles.flux) == 1:
        scalar = _scalar_energy(ds[roles.flux[0]])
        if scalar is not None:
            return scalar
    return _band_energies(ds, roles)


def _scalar_energy(flux: xr.DataArray) -> xr.Variable | None:
    """The one energy of a flux that a scalar coordinate states, as Juno JEDI's."""
    scalar = flux.coords.get(ENERGY)
    if scalar is None or scalar.ndim or scalar.dtype.kind not in "fiu":
        return None
    # One number; where it is lazy, its value stays unread and the band's name must do.
    value = clean_energy(scalar.values) if isinstance(scalar.variable.data, np.ndarray) else np.nan
    if not np.isfinite(value):
        return None
    return xr.Variable((ENERGY,), [float(value)], {"units": metadata.units(scalar.attrs)})


def _band_energies(ds: xr.Dataset, roles: Roles) -> xr.Variable:
    """Energies of bands that only their descriptions name, else channel numbers."""
    ranges = []
    for name in roles.flux:
        attrs = ds[name].attrs
        texts = (metadata.text_of(attrs, a) for a in _TEXTS_WITH_A_BAND)
        named = metadata.energy_in_name(str(name))
        found = [named[:3]] if named is not None else []
        found += [r for r in map(metadata.energy_range, texts) if r is not None]
        if not found:
            return _channel_numbers(len(roles.flux))
        ranges.append(found[0])
    unit = ranges[0][2]
    scale = [metadata.KEV[r[2]] / metadata.KEV[unit] for r in ranges]
    centres = [
        metadata.centre(low, high) * s for (low, high, _), s in zip(ranges, scale, strict=True)
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
            f"dimension {axis.dim!r} of {roles.chosen.label} is the pitch angle ({axis.why}), but "
            f"no variable holds its values; add them: ds.assign_coords({axis.dim}=[…degrees…])"
        )
    values = _axis_values(ds, roles, axis, PITCH_ANGLE)
    stated = metadata.units(ds.variables[axis.variable].attrs)
    _require_angles(ds.variables[axis.variable], str(axis.variable))
    most = np.nanmax(values.data, initial=0) if isinstance(values.data, np.ndarray) else np.inf
    source = ds.variables[axis.variable]
    without = units.kind_of(stated) in ("", units.NUMBER) and not _says_cosine(axis, source, stated)
    if without and 0 < most <= np.pi + 0.01:
        looks = "cosines or radians" if most <= 1.0 + 1e-6 else "radians"
        raise RolesError(
            f"the pitch angles in {axis.variable!r} go up to {most:g} and "
            f"have no units, so they look like {looks}; say so (.attrs['units'] = 'rad', or 'cosine'), or "
            "convert them to degrees"
        )
    return values


def _require_angles(axis: xr.Variable, name: str) -> None:
    """Refuse angles of which half are negative: what their sign means, the data do not say."""
    if not axis._in_memory or axis.dtype.kind not in "fiu" or axis.size == 0:
        return
    parsed, found = units.parsed(metadata.units(axis.attrs)), finite(axis.values)
    if parsed is None or parsed.kind != units.ANGLE or not found.size:
        return
    low, high = float(found.min()) * parsed.factor, float(found.max()) * parsed.factor
    if -185 <= low < MOST_NEGATIVE:
        raise RolesError(
            f"the pitch angles in {name!r} go from {low:g} to {high:g} degrees, and a pitch angle lies "
            f"within 0 and 180. Where the sign is a side of the field, fold it: "
            f"ds[{name!r}] = abs(ds[{name!r}]); where they are latitudes, take 90 minus them"
        )


def _axis_values(ds: xr.Dataset, roles: Roles, axis: Axis, role: str) -> xr.Variable:
    """Cleaned values of an axis: dims (role,) where in memory and constant, else its table.

    A table has every record dimension, so that its rows belong to the flux's.
    """
    assert axis.variable is not None
    assert axis.dim is not None
    source = ds.variables[axis.variable]
    flux = ds.variables[roles.flux[0]]
    found = aligned(ds, axis.variable, roles.flux[0], axis.dim)
    if found is None:
        raise RolesError(
            f"{role} of {roles.chosen.label}: the dimensions of {axis.variable!r}, "
            f"{dict(source.sizes)}, do not fit the flux's, {dict(flux.sizes)}"
        )
    unit = metadata.units(source.attrs) or tplot_units(flux, axis.dim)
    if unit == metadata.units(flux.attrs):
        unit = ""  # ELFIN's pitch angles, and in tplot whatever has no units, carry the flux's
    limits = limits_of(source.attrs, source.encoding)
    cleaned = xr.apply_ufunc(
        clean_energy if role == ENERGY else clean_pitch_angle,
        _with_dims(found, _renames(roles)),
        kwargs={"limits": limits} | (_meaning(unit, axis, source) if role == PITCH_ANGLE else {}),
        dask="parallelized",
        output_dtypes=[np.float64],
    ).transpose(..., role)
    cleaned.attrs = {"units": "deg" if role == PITCH_ANGLE else unit}
    if isinstance(cleaned.data, np.ndarray):
        constant = _constant(cleaned)
        if constant is not None:
            return xr.Variable((role,), constant, cleaned.attrs)
    return _for_all_records(cleaned, ds[roles.flux[0]], roles.record_dims)


def _meaning(unit: str, axis: Axis, source: xr.Variable) -> dict[str, bool]:
    """What numbers of a pitch angle are: degrees, radians or cosines; others are refused."""
    parsed = units.parsed(unit)
    is_angle = parsed is not None and parsed.kind == units.ANGLE
    cosines = not is_angle and _says_cosine(axis, source, unit)
    if unit and parsed is None and not cosines and "deg" not in unit.lower():
        raise RolesError(
            f"the units of the pitch angles in {axis.variable!r} are {unit!r}, which is not known here; "
            "convert them to degrees, and say so: .attrs['units'] = 'deg'"
        )
    return {"radians": parsed is not None and is_angle and parsed.factor != 1.0, "cosines": cosines}


def _says_cosine(axis: Axis, source: xr.Variable, unit: str) -> bool:
    """Whether name, units or a text say that it holds cosines."""
    texts = [metadata.text_of(source.attrs, name) for name in _TEXTS_OF_AN_AXIS]
    return any(COSINE.search(text) for text in (str(axis.variable), unit, *texts))


_TEXTS_OF_AN_AXIS = ("long_name", "standard_name", "CATDESC", "FIELDNAM", "LABLAXIS")


def _constant(table: xr.Variable) -> np.ndarray | None:
    """The one row of a table of which all rows are equal."""
    rows = table.values.reshape(-1, table.shape[-1])
    for column in range(rows.shape[1]) if len(rows) else ():
        first, values = rows[0, column], rows[:, column]
        if not (np.isnan(values) if np.isnan(first) else values == first).all():
            return None
    return np.asarray(rows[0]) if len(rows) else None


def _for_all_records(
    table: xr.Variable, flux: xr.DataArray, record_dims: tuple[Hashable, ...]
) -> xr.Variable:
    """A table broadcast to every record dimension, without a copy and in the flux's chunks."""
    core = tuple(d for d in (ENERGY, PITCH_ANGLE) if d in table.dims)
    lacking = [d for d in record_dims if d not in table.dims]
    if not lacking:
        return table.transpose(*record_dims, *core)
    rest = tuple(d for d in record_dims if d in table.dims)
    table = table.transpose(*rest, *core)
    sizes = {d: flux.sizes[d] for d in lacking} | {d: table.sizes[d] for d in (*rest, *core)}
    if table.chunks is None:
        return xr.Variable(
            tuple(sizes), np.broadcast_to(table.values, tuple(sizes.values())), table.attrs
        ).transpose(*record_dims, *core)
    import dask.array as da

    own = dict(zip(table.dims, table.chunks, strict=True))
    new = {d: flux.chunksizes.get(d, (flux.sizes[d],)) for d in lacking}
    chunks = tuple((new | own)[d] for d in sizes)
    data = da.broadcast_to(table.data, tuple(sizes.values()), chunks=chunks)
    return xr.Variable(tuple(sizes), data, table.attrs).transpose(*record_dims, *core)


def _with_axis(flux: Flux, role: str, values: xr.Variable) -> Flux:
    """Give the flux an axis as ascending coordinate, without the bins whose value is fill."""
    axis = values.values
    known = np.flatnonzero(np.isfinite(axis))
    if known.size == 0:
        raise RolesError(
            f"every {role} value of the flux {flux.name} is fill, so its bins have no place"
        )
    if known.size < axis.size:
        log.info(
            "%s: %d of %d bins are fill in %s and left out",
            *(flux.name, axis.size - known.size, axis.size, role),
        )
    order = known[np.argsort(axis[known], kind="stable")]
    if not np.array_equal(order, np.arange(axis.size)):
        flux = flux.mapped(xr.DataArray.isel, {role: order})
    axis = axis[order]
    starts = bin_starts(axis, logarithmic=role == ENERGY)
    if not starts.all():  # no fill is averaged
        flux, axis = _cleaned(flux).mapped(_merged, role, starts), axis[starts]
    attrs = {"long_name": "pitch angle" if role == PITCH_ANGLE else "energy", **values.attrs}
    return flux.mapped(xr.DataArray.assign_coords, {role: (role, axis, attrs)})


def _merged(flux: xr.DataArray, role: str, starts: np.ndarray) -> xr.DataArray:
    """Bins of one place (a full turn folded, repeated energies) become their mean."""

    def means(values: np.ndarray) -> np.ndarray:
        merged = np.moveaxis(group_means(np.moveaxis(values, -1, 0), starts), 0, -1)
        return merged.astype(values.dtype)

    def merge(array: xr.DataArray) -> xr.DataArray:
        found = xr.apply_ufunc(
            means,
            array.chunk({role: -1}) if array.chunks is not None else array,
            input_core_dims=[[role]],
            output_core_dims=[[role]],
            exclude_dims={role},
            dask="parallelized",
            dask_gufunc_kwargs={"output_sizes": {role: int(starts.sum())}},
            output_dtypes=[array.dtype],
            keep_attrs=True,
        )
        return found.transpose(*array.dims)

    tables = {n: c for n, c in flux.coords.items() if role in c.dims and n in TABLES.values()}
    merged = {n: merge(c.reset_coords(drop=True)) for n, c in tables.items()}
    return merge(flux.drop_vars(list(tables))).assign_coords(merged)
