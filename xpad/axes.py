"""Which variable is the flux, and which dimension plays energy and pitch angle.

Every dimension of the flux that is neither is a record dimension. Nothing here
computes: roles follow from names, attributes and coordinates already in memory.
"""

from __future__ import annotations

from collections.abc import Callable, Hashable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import xarray as xr

from xpad import criteria
from xpad.errors import RolesError

ROLE_ATTRS = {"flux": "xpad_flux", "energy": "xpad_energy", "pitch_angle": "xpad_pitch_angle"}
MIN_AXIS_SCORE = 1.5


@dataclass(frozen=True)
class Axis:
    """One axis of the flux.

    `dim` is the flux's dimension, None where the flux has no such axis;
    `variable` holds its values, None where nothing does; `guessed` is True
    where only names or values, no stated link, tell the role.
    """

    dim: Hashable | None
    variable: Hashable | None
    why: str
    guessed: bool = False


@dataclass(frozen=True)
class Candidate:
    """A variable that could be the flux; candidates are ordered by `rank`, smallest first."""

    flux: tuple[Hashable, ...]
    energy: Axis
    pitch_angle: Axis
    record_dims: tuple[Hashable, ...]
    rank: tuple[Any, ...] = field(repr=False)
    why: str = ""

    @property
    def label(self) -> str:
        """The name, or the names of the companions that are stacked."""
        return " + ".join(map(str, self.flux))


@dataclass(frozen=True)
class Roles:
    """The flux that was picked, its axes, and what else was there to pick."""

    chosen: Candidate
    others: tuple[Candidate, ...] = ()

    @property
    def flux(self) -> tuple[Hashable, ...]:
        """Names of the flux: one, or several companions that are stacked in energy."""
        return self.chosen.flux

    @property
    def energy(self) -> Axis:
        """The energy axis."""
        return self.chosen.energy

    @property
    def pitch_angle(self) -> Axis:
        """The pitch-angle axis."""
        return self.chosen.pitch_angle

    @property
    def record_dims(self) -> tuple[Hashable, ...]:
        """Every other dimension of the flux, in its order."""
        return self.chosen.record_dims


def as_dataset(obj: xr.Dataset | xr.DataArray) -> xr.Dataset:
    """The object as a Dataset; a DataArray becomes its only data variable."""
    if isinstance(obj, xr.Dataset):
        return obj
    if not isinstance(obj, xr.DataArray):
        raise RolesError(
            f"xpad works on an xarray Dataset or DataArray, not on {type(obj).__name__}; "
            "open files with xpad.open_dataset, tplot variables with xpad.from_tplot"
        )
    name = obj.name if obj.name is not None else "flux"
    if name in obj.coords:
        name = f"{name}_flux"
    ds = obj.to_dataset(name=name)
    roles = {key: obj.attrs[key] for key in ROLE_ATTRS.values() if key in obj.attrs}
    if roles:
        roles[ROLE_ATTRS["flux"]] = str(name)
    return ds.assign_attrs(roles)


def assign_roles(
    obj: xr.Dataset | xr.DataArray,
    *,
    flux: str | Sequence[str] | None = None,
    energy: str | None = None,
    pitch_angle: str | None = None,
) -> Any:
    """State which variable is the flux and which plays energy and pitch angle.

    Parameters
    ----------
    obj : xarray.Dataset or xarray.DataArray
        The data; not changed.
    flux : str or sequence of str, optional
        The flux variable, or companion two-dimensional PADs to be stacked in
        energy, in ascending order of energy.
    energy, pitch_angle : str, optional
        The variable, coordinate or dimension that plays this role.

    Returns
    -------
    xarray.Dataset or xarray.DataArray
        A new object of the same kind that carries the roles in its attributes
        (``xpad_flux``, ``xpad_energy``, ``xpad_pitch_angle``).

    Raises
    ------
    RolesError
        A name is neither a variable nor a dimension of `obj`.

    Examples
    --------
    >>> import numpy as np, xarray as xr, xpad
    >>> ds = xr.Dataset({"j": (("t", "a", "b"), np.ones((4, 3, 2)))},
    ...                 coords={"a": [30.0, 90.0, 150.0], "b": [1.0, 2.0]})
    >>> ds = xpad.assign_roles(ds, flux="j", energy="b", pitch_angle="a")
    >>> ds.pad.flux.dims
    ('t', 'energy', 'pitch_angle')
    """
    names = [flux] if isinstance(flux, str) else list(flux or [])
    known = set(obj.coords) | set(obj.dims) | {getattr(obj, "name", None)}
    if isinstance(obj, xr.Dataset):
        known |= set(obj.data_vars)
    for role, name in [
        *(("flux", n) for n in names),
        ("energy", energy),
        ("pitch_angle", pitch_angle),
    ]:
        if name is not None and name not in known:
            raise RolesError(
                f"{role}={name!r}: there is no such variable or dimension; "
                f"there are {_listed(sorted(map(str, known - {None})))}"
            )
    attrs: dict[str, Any] = {}
    if names:
        attrs[ROLE_ATTRS["flux"]] = names[0] if len(names) == 1 else names
    if energy is not None:
        attrs[ROLE_ATTRS["energy"]] = energy
    if pitch_angle is not None:
        attrs[ROLE_ATTRS["pitch_angle"]] = pitch_angle
    return obj.assign_attrs(attrs)


def recognise(obj: xr.Dataset | xr.DataArray, variable: str | None = None) -> Roles:
    """Find the flux and its axes.

    A variable with a pitch-angle axis is a candidate. The order of preference:
    a role stated with `assign_roles` or `variable`; differential flux by its
    units before anything else; the complete energy × pitch-angle grid before
    pitch angle alone; data before support data; fewer record dimensions; names
    without words such as "sector", "unbinned", "average"; electrons before
    ions; the plain name (``FEDU``) before what is derived from it
    (``FEDU_0to180``). A tie after all that is an error.

    Raises
    ------
    RolesError
        Nothing has a pitch-angle axis, or several fluxes are equally likely.
    """
    ds = as_dataset(obj)
    stated = ds.attrs.get(ROLE_ATTRS["flux"]) if variable is None else variable
    if stated is not None:
        names = [stated] if isinstance(stated, str) else list(np.atleast_1d(stated))
        return Roles(_stated(ds, [str(n) for n in names]))
    candidates = sorted(_candidates(ds), key=lambda c: c.rank)
    if not candidates:
        raise RolesError(_nothing_found(ds))
    best = [c for c in candidates if c.rank == candidates[0].rank]
    plain = [c for c in best if _is_plainest(c, best)]
    if len(plain) != 1:
        names = _listed([c.label for c in best])
        raise RolesError(
            f"{len(best)} variables could be the flux and none is likelier: {names}. "
            f"Say which: ds.pad.assign_roles(flux={best[0].flux[0]!r}), or variable={best[0].flux[0]!r} "
            "(--variable on the command line)"
        )
    chosen = plain[0]
    return Roles(chosen, tuple(c for c in candidates if c is not chosen))


def _is_plainest(candidate: Candidate, others: Iterable[Candidate]) -> bool:
    mine = str(candidate.flux[0])
    return all(c is candidate or str(c.flux[0]).startswith(mine) for c in others)


def _listed(names: Sequence[str], most: int = 12) -> str:
    shown = ", ".join(names[:most])
    return shown + (f" and {len(names) - most} more" if len(names) > most else "")


def _stated(ds: xr.Dataset, names: list[str]) -> Candidate:
    missing = [n for n in names if n not in ds.variables]
    if missing:
        raise RolesError(
            f"the flux {missing[0]!r} is not in the Dataset; its variables are "
            f"{_listed([str(n) for n in ds.data_vars])}"
        )
    found = _candidate(ds, tuple(names))
    if found is None:
        flux = ds[names[0]]
        raise RolesError(
            f"the flux {names[0]!r} has dimensions {tuple(flux.dims)} and none of them is recognised "
            f"as pitch angle; name it: ds.pad.assign_roles(flux={names[0]!r}, pitch_angle=...)"
        )
    return found


def _nothing_found(ds: xr.Dataset) -> str:
    likely = [str(n) for n in ds.data_vars if ds[n].ndim >= 2 and ds[n].dtype.kind in "fiu"]
    hint = f"; variables with two or more dimensions: {_listed(likely)}" if likely else ""
    return (
        "no variable has a pitch-angle axis, so there are no pitch-angle distributions here"
        f"{hint}. If one of the dimensions is the pitch angle, say so: "
        "ds.pad.assign_roles(flux=..., pitch_angle=...)"
    )


def _candidates(ds: xr.Dataset) -> list[Candidate]:
    axes_cache: dict[tuple[Hashable, ...], Any] = {}
    found, grouped = [], set()
    results = tuple(
        str(a).removesuffix("settings") for a in ds.attrs if str(a).endswith("_settings")
    )
    for name in ds.data_vars:
        if name in grouped or str(name).startswith(results):
            continue
        group = band_group(ds, name)
        if group is not None:
            grouped.update(group)
            stacked = _candidate(ds, group, axes_cache)
            if stacked is not None:
                found.append(stacked)
        else:
            candidate = _candidate(ds, (name,), axes_cache)
            if candidate is not None:
                found.append(candidate)
    return found


def band_group(ds: xr.Dataset, name: Hashable) -> tuple[Hashable, ...] | None:
    """Companions of `name` that differ from it only in an energy word, low to high."""
    split = criteria.band_word(str(name))
    if split is None:
        return None
    members: dict[str, Hashable] = {}
    for other in ds.data_vars:
        parts = criteria.band_word(str(other))
        if (
            parts is not None
            and parts[0] == split[0]
            and ds[other].dims == ds[name].dims
            and criteria.units(ds[other].attrs) == criteria.units(ds[name].attrs)
        ):
            members[parts[1]] = other
    if len(members) < 2:
        return None
    return tuple(members[word] for word in criteria.ENERGY_BAND_WORDS if word in members)


def _candidate(
    ds: xr.Dataset,
    names: tuple[Hashable, ...],
    cache: dict[tuple[Hashable, ...], Any] | None = None,
) -> Candidate | None:
    flux = ds[names[0]]
    if flux.dtype.kind not in "fiu" or flux.ndim < 1:
        return None
    pitch, energy = find_axes(ds, flux, cache)
    if pitch is None:
        return None
    if len(names) > 1:
        if energy is not None and energy.dim is not None:
            return None  # companions of which each has an energy axis are no energy bands
        energy = Axis(None, None, "companions that differ in an energy word, stacked")
    if energy is None:
        energy = Axis(None, None, "none: one energy channel")
    record_dims = tuple(d for d in flux.dims if d not in (pitch.dim, energy.dim))
    rank, why = _rank(names, flux, energy, record_dims)
    if rank[0] >= 3 and ROLE_ATTRS["flux"] not in ds.attrs:
        return None
    return Candidate(names, energy, pitch, record_dims, rank, why)


def _rank(
    names: tuple[Hashable, ...], flux: xr.DataArray, energy: Axis, record_dims: tuple[Hashable, ...]
) -> tuple[tuple[Any, ...], str]:
    name = str(names[0])
    kind = criteria.flux_rank(name, flux.attrs)
    has_energy = energy.dim is not None or len(names) > 1
    support = criteria.attribute(flux.attrs, "VAR_TYPE") in ("support_data", "metadata")
    derived = bool(criteria.DERIVED_WORDS.search(name))
    species_rank, species_name = criteria.species(name, flux.attrs)
    rank = (
        kind,
        not has_energy,
        support,
        not record_dims,
        max(len(record_dims), 1),
        derived,
        species_rank,
    )
    why = ["differential flux by its units", "flux by its name", "by its axes only", "named"][kind]
    why += ", energy × pitch angle" if has_energy else ", pitch angle only"
    return rank, f"{why}, {species_name}" if species_name else why


def find_axes(
    ds: xr.Dataset, flux: xr.DataArray, cache: dict[tuple[Hashable, ...], Any] | None = None
) -> tuple[Axis | None, Axis | None]:
    """The pitch-angle and the energy axis of one variable, None where it has none."""
    links = _links(ds, flux)
    key = (flux.dims, tuple(sorted(map(str, links.items()))), tuple(map(str, flux.coords)))
    if cache is not None and key in cache:
        return cache[key]  # type: ignore[no-any-return]
    scored: dict[str, list[tuple[float, Axis]]] = {"pitch_angle": [], "energy": []}
    for dim in flux.dims:
        if is_time(ds, flux, dim):
            continue
        for variable, unit_hint, name_hint in _axis_variables(ds, flux, dim, links):
            for role, (score, why, linked) in _scores(
                ds, dim, variable, unit_hint, name_hint, links
            ):
                if score >= MIN_AXIS_SCORE:
                    guessed = not linked and "units" not in why
                    scored[role].append((score, Axis(dim, variable, why, guessed)))
    pitch = (
        _explicit(ds, flux, "pitch_angle")
        or _best(scored["pitch_angle"], ())
        or _by_values(ds, flux, criteria.surely_pitch_angles)
    )
    taken = () if pitch is None else (pitch.dim,)
    energy = _explicit(ds, flux, "energy") or _best(scored["energy"], taken)
    if energy is None and pitch is not None:
        energy = _by_values(ds, flux, criteria.surely_energies, taken)
    if energy is not None and pitch is not None and energy.dim == pitch.dim:
        energy = None
    result = (pitch, energy)
    if cache is not None:
        cache[key] = result
    return result


def _by_values(
    ds: xr.Dataset,
    flux: xr.DataArray,
    like: Callable[[np.ndarray], bool],
    taken: tuple[Hashable | None, ...] = (),
) -> Axis | None:
    """A coordinate without units that only its values tell to be the axis."""
    for name, coord in flux.coords.items():
        if coord.ndim != 1 or coord.dtype.kind not in "fiu" or coord.dims[0] in taken:
            continue
        if is_time(ds, flux, coord.dims[0]) or criteria.units(coord.attrs):
            continue
        if criteria.NOT_AN_AXIS_WORDS.search(str(name)):
            continue
        values = _in_memory(ds, name)
        if values is not None and like(values):
            return Axis(coord.dims[0], name, f"{name} (values)", guessed=True)
    return None


def is_time(ds: xr.Dataset, flux: xr.DataArray, dim: Hashable) -> bool:
    """Whether a dimension is time by its coordinate, DEPEND_0 or name: surely no axis of a PAD."""
    if dim in ds.variables and ds.variables[dim].dtype.kind == "M":
        return True
    return dim == criteria.attribute(flux.attrs, "DEPEND_0") or bool(
        criteria.TIME_WORDS.search(str(dim))
    )


def _best(scored: list[tuple[float, Axis]], taken: tuple[Hashable | None, ...]) -> Axis | None:
    free = [(score, axis) for score, axis in scored if axis.dim not in taken]
    return max(free, key=lambda pair: pair[0])[1] if free else None


def _explicit(ds: xr.Dataset, flux: xr.DataArray, role: str) -> Axis | None:
    name = ds.attrs.get(ROLE_ATTRS[role], flux.attrs.get(ROLE_ATTRS[role]))
    if name is None:
        return None
    if name in ds.variables:
        dims = [d for d in ds[name].dims if d in flux.dims]
        if dims:
            return Axis(dims[-1], name, "assigned")
    if name in flux.dims:
        return Axis(name, None, "assigned")
    raise RolesError(
        f"{role}={name!r} was assigned, but shares no dimension with the flux {flux.name!r}, "
        f"whose dimensions are {tuple(flux.dims)}"
    )


def _links(ds: xr.Dataset, flux: xr.DataArray) -> dict[Hashable, tuple[str, Hashable | None]]:
    """Dimension → (name by which its axis is known, variable), from DEPEND_n and tplot metadata."""
    links: dict[Hashable, tuple[str, Hashable | None]] = {}
    for number in (1, 2, 3):
        stated = criteria.attribute(flux.attrs, f"DEPEND_{number}")
        if not isinstance(stated, str) or not stated.strip():
            continue
        stated = stated.strip()
        if stated in ds.variables:
            dims = [d for d in ds[stated].dims if d in flux.dims]
            if dims:
                links[dims[-1]] = (stated, stated)
                continue
        for dim in (stated, f"{stated}_dim", f"v{number}_dim", "v_dim" if number == 1 else None):
            if dim is not None and dim in flux.dims and dim not in links:
                links[dim] = (stated, _tplot_coordinate(flux, dim))
                break
    return links


def _tplot_coordinate(flux: xr.DataArray, dim: str) -> Hashable | None:
    name = dim.removesuffix("_dim")
    return name if name in flux.coords else None


def _axis_variables(
    ds: xr.Dataset,
    flux: xr.DataArray,
    dim: Hashable,
    links: Mapping[Hashable, tuple[str, Hashable | None]],
) -> Iterable[tuple[Hashable | None, str, str]]:
    """Variables that could hold the values along `dim`: (variable, units hint, name hint)."""
    if dim in links:
        name, variable = links[dim]
        yield variable, _tplot_units(flux, dim), name
        if variable is not None:
            return
    yield (dim if dim in ds.variables else None), "", str(dim)
    record_like = [d for d in flux.dims if d != dim]
    for name in ds.variables:
        var = ds.variables[name]
        if (
            name in (dim, flux.name, "spec_bins")
            or dim not in var.dims
            or var.dtype.kind not in "fiu"
        ):
            continue
        if all(d == dim or d in record_like for d in var.dims) and var.ndim < max(flux.ndim, 2):
            yield name, _tplot_units(flux, dim), ""


def _tplot_units(flux: xr.DataArray, dim: Hashable) -> str:
    data_att = flux.attrs.get("data_att")
    number = str(dim).removeprefix("v").removesuffix("_dim") or "1"
    if isinstance(data_att, Mapping):
        found = data_att.get(f"depend_{number}_units")
        if isinstance(found, str):
            return found
    return ""


def _scores(
    ds: xr.Dataset,
    dim: Hashable,
    variable: Hashable | None,
    unit_hint: str,
    name_hint: str,
    links: Mapping[Hashable, tuple[str, Hashable | None]],
) -> Iterable[tuple[str, tuple[float, str, bool]]]:
    attrs = dict(ds[variable].attrs) if variable is not None else {}
    name = name_hint or str(variable)
    unit = criteria.units(attrs) or unit_hint
    linked = dim in links and (variable is None or links[dim][1] in (variable, None))
    scores = criteria.axis_scores(name, attrs, _in_memory(ds, variable), unit)
    for role, (score, why) in scores.items():
        if not linked and variable != dim and "name" not in why and "description" not in why:
            continue  # units alone would make any angle or temperature along the dimension an axis
        if variable is None and not linked:
            score -= 0.25  # a variable with values beats the bare name of the dimension
        if linked and score > 0:
            score += 1.5
            why = f"DEPEND {name} ({why})"
        elif why:
            why = f"{variable if variable is not None else f'dimension {dim}'} ({why})"
        yield role, (score, why, linked)


def _in_memory(ds: xr.Dataset, variable: Hashable | None, most: int = 100_000) -> np.ndarray | None:
    """Values of a coordinate where looking at them costs nothing."""
    if variable is None:
        return None
    var = ds.variables[variable]
    if not var._in_memory or var.size == 0:
        return None
    values = np.asarray(var.values if var.ndim == 1 else var[:64].values)
    return values if values.size <= most else values.ravel()[:most]
