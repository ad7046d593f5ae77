"""Which variable is the flux, and which dimension plays energy and pitch angle.

Every dimension of the flux that is neither is a record dimension. Nothing here
computes: roles follow from names, attributes and coordinates already in memory.
"""

from __future__ import annotations

from collections.abc import Hashable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import xarray as xr

from xpad.errors import OptionError, RolesError
from xpad.roles import metadata, missions
from xpad.roles import words as criteria
from xpad.roles.axes import MISSION_ATTR, ROLE_ATTRS, Axis, AxisFinder
from xpad.roles.evidence import Grade
from xpad.roles.ours import results

RANK_TEXTS = (
    "differential flux by its units",
    "differential energy flux by its units",
    "flux by its name",
    "by its axes only",
    "named",
)
NOT_A_FLUX = 4


@dataclass(frozen=True)
class Candidate:
    """A variable that could be the flux; candidates are ordered by `rank`, smallest first."""

    flux: tuple[Hashable, ...]
    energy: Axis
    pitch_angle: Axis
    record_dims: tuple[Hashable, ...]
    rank: tuple[Any, ...] = field(repr=False)
    why: str = ""
    mission: str = ""
    """The row of the missions table that was used, by its id."""

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
    as_dataset(obj)
    several = isinstance(flux, Iterable) and not isinstance(flux, str)
    names = list(flux or []) if several else [flux] if flux is not None else []
    known = set(obj.coords) | set(obj.dims) | {getattr(obj, "name", None)}
    if isinstance(obj, xr.Dataset):
        known |= set(obj.data_vars)
    for role, name in [
        *(("flux", n) for n in names),
        ("energy", energy),
        ("pitch_angle", pitch_angle),
    ]:
        if name is not None and (not isinstance(name, Hashable) or name not in known):
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

    1. a role stated with `assign_roles`, or `variable`;
    2. the flux of a product in the missions table (`xpad.missions`), in the order of its row;
    3. differential number flux by its units, then energy flux, then a flux by its name, then
       anything else;
    4. the complete energy × pitch-angle grid before pitch angle alone;
    5. data before support data (``VAR_TYPE``);
    6. fewer record dimensions, but at least one;
    7. names without a word such as "sector", "unbinned", "avg", "spin";
    8. electrons, protons, helium, oxygen, sulfur, other ions, unknown;
    9. the plain name (``FEDU``) before what is derived from it (``FEDU_0to180``).

    A tie after all that is an error. Companions that differ only in an energy
    word (``…_lowen_…``, ``…_miden_…``, ``…_highen_…``) count as one flux.

    Parameters
    ----------
    obj : xarray.Dataset or xarray.DataArray
    variable : str, optional
        The flux, where another than the preferred one is meant.

    Returns
    -------
    Roles

    Raises
    ------
    RolesError
        Nothing has a pitch-angle axis, or several fluxes are equally likely.
    OptionError
        `variable` is no name.

    Examples
    --------
    >>> import xpad
    >>> roles = xpad.recognise(xpad.simulate(days=0.1))
    >>> roles.flux, roles.energy.dim, roles.pitch_angle.dim, roles.record_dims
    (('FEDU',), 'FEDU_Energy', 'FEDU_Alpha', ('Epoch',))
    """
    if not isinstance(variable, str | None):
        raise OptionError(
            f"variable is the name of the flux, and was given a {type(variable).__name__}; give other "
            "arguments by their names (model=…, settings=…), several variables by "
            "ds.pad.assign_roles(flux=[…])"
        )
    ds = missions.informed(as_dataset(obj))
    finder = AxisFinder(ds)
    candidates = sorted(_candidates(ds, finder), key=lambda c: c.rank)
    assigned = ds.attrs.get(ROLE_ATTRS["flux"])
    stated = assigned if variable is None else variable
    if stated is not None:
        chosen = _stated(ds, finder, _names(stated), strict=variable is None or assigned is None)
        return Roles(chosen, tuple(c for c in candidates if c.flux != chosen.flux))
    if not candidates:
        raise RolesError(finder.unclear[0] if finder.unclear else _nothing_found(ds, finder))
    best = [c for c in candidates if c.rank == candidates[0].rank]
    plain = [c for c in best if _is_plainest(c, best)]
    if len(plain) != 1:
        first = best[0].flux
        call = f"flux={str(first[0])!r}" if len(first) == 1 else f"flux={[*map(str, first)]!r}"
        settled = f", or variable={str(first[0])!r} (--variable on the command line)"
        raise RolesError(
            f"{len(best)} variables could be the flux and none is likelier: "
            f"{_listed([c.label for c in best])}. "
            f"Say which: ds.pad.assign_roles({call}){settled if len(first) == 1 else ''}"
        )
    return Roles(plain[0], tuple(c for c in candidates if c is not plain[0]))


def _names(stated: Any) -> tuple[str, ...]:
    return (stated,) if isinstance(stated, str) else tuple(map(str, np.atleast_1d(stated)))


def _is_plainest(candidate: Candidate, others: Iterable[Candidate]) -> bool:
    mine = str(candidate.flux[0])
    return all(c is candidate or str(c.flux[0]).startswith(mine) for c in others)


def _listed(names: Sequence[str], most: int = 12) -> str:
    shown = ", ".join(names[:most])
    return shown + (f" and {len(names) - most} more" if len(names) > most else "")


def _stated(
    ds: xr.Dataset, finder: AxisFinder, names: tuple[str, ...], *, strict: bool
) -> Candidate:
    if not names:
        raise RolesError(
            f"the attribute {ROLE_ATTRS['flux']} assigns the role of the flux to nothing; name the "
            "flux, ds.pad.assign_roles(flux=...), or delete the attribute"
        )
    missing = [n for n in names if n not in ds.variables]
    if missing:
        raise RolesError(
            f"the flux {missing[0]!r} is not in the Dataset; its variables are "
            f"{_listed([str(n) for n in ds.data_vars])}"
        )
    try:
        found = _candidate(ds, finder, names, _assigned_axes(ds, names[0]))
    except RolesError:
        if strict:
            raise
        # The axes in the attributes were assigned for another flux than `variable`.
        found = _candidate(ds, finder, names, {})
    if found is None:
        flux = ds.variables[names[0]]
        raise RolesError(
            f"the flux {names[0]!r} ({flux.dtype}) has dimensions {tuple(flux.dims)} and none of "
            f"them is recognised as pitch angle; name it: "
            f"ds.pad.assign_roles(flux={names[0]!r}, pitch_angle=...)"
        )
    return found


def _nothing_found(ds: xr.Dataset, finder: AxisFinder) -> str:
    assigned = _assigned_axes(ds, None)
    if assigned:
        told = " and ".join(f"{role}={name!r}" for role, name in assigned.items())
        return f"no variable has the axes that were assigned, {told}; name the flux too (flux=...)"
    likely = [
        str(n) for n in ds.data_vars if ds.variables[n].ndim >= 2 and _is_numeric(ds.variables[n])
    ]
    hint = f"; variables with two or more dimensions: {_listed(likely)}" if likely else ""
    return (
        "no variable has a pitch-angle axis, so there are no pitch-angle distributions here"
        f"{hint}{_ruled_out(finder)}. If one of the dimensions is the pitch angle, say so: "
        "ds.pad.assign_roles(flux=..., pitch_angle=...)"
    )


def _ruled_out(finder: AxisFinder) -> str:
    """What was looked at and is none, and why."""
    told = [f"{name} ({why})" for name, why in finder.ruled_out.items()]
    return f"; no pitch angle: {_listed(told, most=4)}" if told else ""


def _is_numeric(variable: xr.Variable) -> bool:
    return variable.dtype.kind in "fiu"


def _assigned_axes(ds: xr.Dataset, flux: Hashable | None) -> dict[str, Any]:
    """The axes that somebody assigned, in the Dataset's attributes or the flux's own."""
    own = {} if flux is None else ds.variables[flux].attrs
    found = {
        role: ds.attrs.get(ROLE_ATTRS[role], own.get(ROLE_ATTRS[role]))
        for role in ("energy", "pitch_angle")
    }
    return {
        role: name if isinstance(name, Hashable) else str(name)
        for role, name in found.items()
        if name is not None
    }


def _candidates(ds: xr.Dataset, finder: AxisFinder) -> list[Candidate]:
    found: list[Candidate] = []
    groups = _band_groups(ds)
    for name in ds.data_vars:
        if _is_result(ds, str(name)):
            continue
        group = groups.get(name)
        if group is not None and name != group[0]:
            continue
        together = _allowed(ds, finder, group) if group is not None else None
        if together is not None:
            found.append(together)
            continue
        for single in group or (name,):
            alone = _allowed(ds, finder, (single,))
            if alone is not None:
                found.append(alone)
    return found


def _allowed(ds: xr.Dataset, finder: AxisFinder, names: tuple[Hashable, ...]) -> Candidate | None:
    """A candidate that is no flag, uncertainty or the like and has the assigned axes."""
    if criteria.flux_rank(str(names[0]), ds.variables[names[0]].attrs) >= NOT_A_FLUX:
        return None
    try:
        return _candidate(ds, finder, names, _assigned_axes(ds, names[0]))
    except RolesError:
        return None  # the assigned axes are another variable's, so that one is meant


def _is_result(ds: xr.Dataset, name: str) -> bool:
    """Whether a variable was added by `cluster` or `predict`, under whatever prefix."""
    return any(name.startswith(f"{prefix}_") for prefix in results(ds))


def _band_groups(ds: xr.Dataset) -> dict[Hashable, tuple[Hashable, ...]]:
    """Companions that differ only in their energy: each member → all of them, low to high."""
    members: dict[Any, list[tuple[tuple[float, float], Hashable]]] = {}
    for name in ds.data_vars:
        band = criteria.band(str(name))
        if band is not None:
            variable = ds.variables[name]
            key = (band.others, band.kind, variable.shape, metadata.units(variable.attrs))
            members.setdefault(key, []).append((band.order, name))
    groups: dict[Hashable, tuple[Hashable, ...]] = {}
    for found in members.values():
        found = [
            (ends, name) for ends, name in found if not _is_of_all(ends, [e for e, _ in found])
        ]
        ordered = tuple(name for _, name in sorted(found, key=lambda member: member[0]))
        if len(ordered) > 1 and len({ends for ends, _ in found}) == len(ordered):
            groups.update(dict.fromkeys(ordered, ordered))
    return groups


def _is_of_all(ends: tuple[float, float], others: Iterable[tuple[float, float]]) -> bool:
    """Whether a band of energy holds two others, whose sum or mean it is then."""
    return sum(o != ends and ends[0] <= o[0] and o[1] <= ends[1] for o in others) > 1


def _candidate(
    ds: xr.Dataset,
    finder: AxisFinder,
    names: tuple[Hashable, ...],
    assigned: Mapping[str, Any],
) -> Candidate | None:
    flux = ds.variables[names[0]]
    if not all(_is_numeric(ds.variables[n]) for n in names) or flux.ndim < 1:
        return None
    pitch, energy = finder.axes(names[0], assigned)
    if pitch is None:
        return None
    unlike = [n for n in names[1:] if not _is_alike(ds, finder, n, names[0], pitch)]
    if unlike:
        raise RolesError(
            f"{names[0]!r} has the dimensions {dict(ds[names[0]].sizes)} and {unlike[0]!r} "
            f"{dict(ds[unlike[0]].sizes)}; only fluxes of equal dimensions, or with pitch angles of "
            "equal values, can be stacked in energy"
        )
    if len(names) > 1:
        if energy is not None and energy.dim is not None:
            return None  # companions of which each has an energy axis are no energy bands
        energy = _stacked(names)
    if energy is None:
        energy = Axis(None, None, "none: one energy channel")
    record_dims = tuple(d for d in flux.dims if d not in (pitch.dim, energy.dim))
    _require_explained(ds, finder, names[0], record_dims, pitch, energy)
    rank, why = _rank(names, flux, energy, record_dims)
    mission = str(flux.attrs.get(MISSION_ATTR, ""))
    return Candidate(names, energy, pitch, record_dims, rank, why, mission)


def _is_alike(
    ds: xr.Dataset, finder: AxisFinder, name: Hashable, first: Hashable, pitch: Axis
) -> bool:
    """Whether a flux lies as the first does; on pitch angles of its own, if those have equal values."""
    if ds[name].sizes == ds[first].sizes:
        return True
    own = finder.axes(name)[0]
    if own is None or own.variable is None or pitch.variable is None:
        return False
    a, b = ds.variables[own.variable], ds.variables[pitch.variable]
    renamed = {pitch.dim if d == own.dim else d: n for d, n in ds[name].sizes.items()}
    fits = renamed == dict(ds[first].sizes) and a._in_memory and b._in_memory
    return fits and np.array_equal(a.values, b.values)


def _require_explained(
    ds: xr.Dataset,
    finder: AxisFinder,
    name: Hashable,
    record_dims: tuple[Hashable, ...],
    pitch: Axis,
    energy: Axis,
) -> None:
    """Refuse a dimension that may as well be an axis: its bins would be taken for records."""
    flux = ds.variables[name]
    lengths = {flux.sizes[axis.dim] for axis in (pitch, energy) if axis.dim is not None}
    for dim in record_dims:
        said = any(dim in v.dims for n, v in ds.variables.items() if v.ndim == 1 and n != name)
        if said or dim == flux.dims[0] or finder.is_time(name, dim):
            continue
        if energy.dim is not None and flux.sizes[dim] not in lengths:
            continue
        told = (
            f"of the flux {name!r}, with dimensions {dict(flux.sizes)}, {pitch.dim!r} is the pitch "
            f"angle, and nothing says what {dim!r} is. Where it is energies, "
            f"ds.assign_coords({dim}=({dim!r}, [...], {{'units': 'keV'}})); where it is records, "
            f"ds.assign_coords({dim}=range({flux.sizes[dim]}))"
        )
        finder.unclear.append(told)
        raise RolesError(told)


def _stacked(names: tuple[Hashable, ...]) -> Axis:
    """The energies of companions; a guess where their names only number them."""
    band = criteria.band(str(names[0]))
    kind = band.kind if band is not None else "energy"
    grade = Grade.GUESS if kind == "channel number" else Grade.TOGETHER
    return Axis(None, None, f"companions that differ in their {kind}, stacked", grade)


def _rank(
    names: tuple[Hashable, ...], flux: xr.Variable, energy: Axis, record_dims: tuple[Hashable, ...]
) -> tuple[tuple[Any, ...], str]:
    name = str(names[0])
    kind = criteria.flux_rank(name, flux.attrs)
    has_energy = energy.dim is not None or len(names) > 1
    support = metadata.text_of(flux.attrs, "VAR_TYPE") in ("support_data", "metadata")
    derived = bool(criteria.DERIVED_WORDS.search(name))
    species_rank, species_name = criteria.species(name, flux.attrs)
    place = flux.attrs.get(missions.PLACE_ATTR)
    rank = (
        (place is None, place or 0),
        kind,
        not has_energy,
        support,
        not record_dims,
        max(len(record_dims), 1),
        derived,
        species_rank,
        len(names) > 1,
    )
    why = RANK_TEXTS[kind] + (", energy × pitch angle" if has_energy else ", pitch angle only")
    return rank, f"{why}, {species_name}" if species_name else why
