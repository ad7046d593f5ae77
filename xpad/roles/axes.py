"""Which dimension of one variable is the pitch angle, which the energy, and where their values are.

Evidence, strongest first: assigned roles, DEPEND_n and tplot links, units and names, values.
Nothing here computes: only what is in memory already is looked at.
"""

from __future__ import annotations

import re
from collections.abc import Hashable, Iterator, Mapping
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

import numpy as np
import xarray as xr

from xpad.errors import RolesError
from xpad.roles import metadata
from xpad.roles import words as criteria
from xpad.roles.evidence import SIGNS, Grade, Verdict, judged

ROLE_ATTRS = {"flux": "xpad_flux", "energy": "xpad_energy", "pitch_angle": "xpad_pitch_angle"}
MISSION_ATTR = "xpad_mission"
"""Attribute of a flux whose axes, in attributes of its own, a row of the missions table named."""
SCORES = {Grade.METADATA: 6.0, Grade.TOGETHER: 4.5, Grade.GUESS: 2.0}
LINK_BONUS = 1.2
_TPLOT_AXIS = re.compile(r"v[12](_\d+)?(_dim)?")
BINS_LOOKED_AT = 128
"""Of each dimension of a table; enough to tell along which of them it changes."""


@dataclass(frozen=True)
class Axis:
    """One axis of the flux.

    `dim` is the flux's dimension, None where the flux has no such axis;
    `variable` holds its values, None where nothing does; `grade` says how
    certain its role is, by the evidence in `why`.
    """

    dim: Hashable | None
    variable: Hashable | None
    why: str
    grade: Grade = Grade.STATED

    @property
    def guessed(self) -> bool:
        """Whether too little says that it is this axis."""
        return self.grade is Grade.GUESS


@dataclass(frozen=True)
class _Claim:
    role: str
    score: float
    axis: Axis


@dataclass
class AxisFinder:
    """Finds the axes of the variables of one Dataset; remembers what equal dimensions share."""

    ds: xr.Dataset
    ruled_out: dict[Hashable, str] = field(default_factory=dict)
    """What lies along a dimension and is no pitch angle: name to the reason."""
    unclear: list[str] = field(default_factory=list)
    """Of what two readings cannot be told apart, and the calls that settle it."""
    _found: dict[Any, tuple[Axis | None, Axis | None]] = field(default_factory=dict)
    _verdicts: dict[Any, dict[str, Verdict]] = field(default_factory=dict)

    def axes(
        self, name: Hashable, assigned: Mapping[str, Any] | None = None
    ) -> tuple[Axis | None, Axis | None]:
        """The pitch-angle and the energy axis of a variable, None where it has none.

        Parameters
        ----------
        name : hashable
            The variable that could be the flux.
        assigned : mapping, optional
            Role to the name that plays it, where somebody said so.

        Raises
        ------
        RolesError
            An assigned axis is none of this variable.
        """
        flux = self.ds.variables[name]
        assigned = assigned or {}
        pitch, energy = (self._assigned(name, role, assigned) for role in ("pitch_angle", "energy"))
        if pitch is not None and energy is not None and pitch.dim == energy.dim:
            raise RolesError(
                f"pitch_angle={assigned['pitch_angle']!r} and energy={assigned['energy']!r} lie on "
                f"one dimension of {name!r}, {pitch.dim!r}; they must be two"
            )
        if pitch is not None and energy is not None:
            return pitch, energy
        links = self._links(name)
        # Variables of equal dimensions and links have equal axes, unless one holds the other's.
        key = (flux.dims, flux.shape, tuple(links.items()), str(pitch), str(energy), _hints(flux))
        if key not in self._found:
            found = self._recognised(name, links, pitch, energy)
            if any(axis is not None and axis.variable == name for axis in found):
                return found
            self._found[key] = found
        found = self._found[key]
        if any(axis is not None and axis.variable == name for axis in found):
            return self._recognised(name, links, pitch, energy)
        return found

    def _recognised(
        self,
        name: Hashable,
        links: Mapping[Hashable, tuple[str, Hashable | None]],
        pitch: Axis | None,
        energy: Axis | None,
    ) -> tuple[Axis | None, Axis | None]:
        taken = {axis.dim for axis in (pitch, energy) if axis is not None}
        claims = [c for c in self._claims(name, links) if c.axis.dim not in taken]
        pitches = [] if pitch is not None else [c for c in claims if c.role == "pitch_angle"]
        energies = [] if energy is not None else [c for c in claims if c.role == "energy"]
        best_pitch, best_energy = _best_pair(pitches, energies)
        pitch, energy = pitch or best_pitch, energy or best_energy
        if pitch is None:
            pitch = self._by_values(name, "pitch_angle", {energy.dim} if energy else set())
        if pitch is not None and energy is None:
            energy = self._by_values(name, "energy", {pitch.dim})
            energy = energy or self._left_by_tplot(name, pitch)
        return pitch, energy

    def is_time(self, name: Hashable, dim: Hashable) -> bool:
        """Whether a dimension is time by its values, DEPEND_0 or name: surely no axis of a PAD."""
        if dim in self._with_times or criteria.TIME_WORDS.search(str(dim)):
            return True
        return bool(dim == (metadata.text_of(self.ds.variables[name].attrs, "DEPEND_0") or None))

    @cached_property
    def _with_times(self) -> set[Hashable]:
        return {
            coord.dims[0] for coord in self.ds.variables.values()
            if coord.ndim == 1 and coord.dtype.kind == "M"
        }  # fmt: skip

    def own_dim(self, name: Hashable, variable: Hashable, role: str | None = None) -> Hashable:
        """The dimension of the flux `name` along which an axis variable counts; None if none.

        A table of energies lies on (record, energy), a pitch angle perhaps on
        (record, energy, pitch angle), in any order.
        """
        flux, axis = self.ds.variables[name], self.ds.variables[variable]
        dims = [d for d in axis.dims if d in flux.dims and not self.is_time(name, d)]
        if len(dims) < 2:
            return dims[0] if dims else None
        for dim in dims:
            if str(dim) in (str(variable), f"{variable}_dim"):
                return dim
        values = self.in_memory(variable)
        if values is not None and values.ndim == axis.ndim:
            return max(dims, key=lambda d: _change_along(values, axis.dims.index(d)))
        if role is not None:
            words = criteria.AXIS_WORDS[role]
            for dim in dims:
                stated = metadata.text_of(flux.attrs, f"DEPEND_{flux.dims.index(dim)}")
                if words.search(str(dim)) or words.search(stated):
                    return dim
        unlabelled = [d for d in dims if d not in self.ds.variables]
        return unlabelled[-1] if unlabelled else dims[-1]

    def in_memory(self, variable: Hashable | None) -> np.ndarray | None:
        """Values of a variable where looking at them costs nothing: a corner of a table."""
        if variable is None:
            return None
        var = self.ds.variables[variable]
        if not var._in_memory or var.size == 0 or var.dtype.kind not in "fiu":
            return None
        if var.ndim > 1:
            var = var[(slice(BINS_LOOKED_AT),) * var.ndim]
        return np.asarray(var.values)

    @cached_property
    def _axis_like(self) -> list[Hashable]:
        """Variables that could hold an axis by what they say of themselves."""
        found = []
        for name, var in self.ds.variables.items():
            if var.dtype.kind not in "fiu" or var.ndim == 0 or name == "spec_bins":
                continue
            unit = metadata.units(var.attrs)
            if var.ndim > 1 and not unit and criteria.band(str(name)) is not None:
                continue  # one energy of a flux: f_pitch_E07
            verdicts = self._judged(name, str(name), unit).values()
            named = any(v.named for v in verdicts)
            if named and not criteria.is_measurement(str(name), var.attrs):
                found.append(name)
        return found

    def _judged(
        self,
        variable: Hashable | None,
        called: str,
        unit: str,
        *,
        flux_unit: str = "",
        linked: bool = False,
    ) -> dict[str, Verdict]:
        """What the evidence for each role comes to, of a variable or a bare name."""
        key = (variable, called, unit, flux_unit, linked)
        if key not in self._verdicts:
            attrs = {} if variable is None else self.ds.variables[variable].attrs
            values = self.in_memory(variable)
            self._verdicts[key] = {
                role: judged(role, called, attrs, values, unit, flux_unit=flux_unit, linked=linked)
                for role in SIGNS
            }
        return self._verdicts[key]

    def _assigned(self, name: Hashable, role: str, assigned: Mapping[str, Any]) -> Axis | None:
        stated = assigned.get(role)
        if stated is None:
            return None
        flux = self.ds.variables[name]
        if stated in self.ds.variables:
            kind = self.ds.variables[stated].dtype
            if kind.kind not in "fiu":
                raise RolesError(f"{role}={stated!r} was assigned, but holds no numbers ({kind})")
            dim = self.own_dim(name, stated, role)
            if dim is not None:
                return Axis(dim, stated, *self._said_by(name, role))
        if stated in flux.dims:
            return Axis(stated, None, *self._said_by(name, role))
        raise RolesError(
            f"{role}={stated!r} was assigned, but shares no dimension with the flux {name!r}, "
            f"whose dimensions are {tuple(flux.dims)}"
        )

    def _said_by(self, name: Hashable, role: str) -> tuple[str, Grade]:
        """Who assigned a role: a user, in the Dataset's attributes, or the missions table, in the flux's."""
        row = self.ds.variables[name].attrs.get(MISSION_ATTR)
        if row is None or ROLE_ATTRS[role] in self.ds.attrs:
            return "assigned", Grade.STATED
        return f"missions table: {row}", Grade.MISSION

    def _links(self, name: Hashable) -> dict[Hashable, tuple[str, Hashable | None]]:
        """Dimension → (name by which its axis is known, variable), from DEPEND_n and tplot."""
        flux = self.ds.variables[name]
        links: dict[Hashable, tuple[str, Hashable | None]] = {}
        homeless: list[str] = []
        for number in (1, 2, 3):
            stated = metadata.text_of(flux.attrs, f"DEPEND_{number}")
            if not stated:
                continue
            named = [stated, f"{stated}_dim", f"v{number}_dim", *(["v_dim"] if number == 1 else [])]
            dim: Hashable = next((d for d in named if d in flux.dims and d not in links), None)
            if dim is None and stated in self.ds.variables and stated != name:
                dim = self.own_dim(name, stated)
                if dim is None:
                    homeless.append(stated)
            if dim is not None and dim not in links and not self.is_time(name, dim):
                links[dim] = (stated, self._values_along(name, dim, stated))
        for stated in homeless:
            dim = self._only_fit(name, stated, links)
            if dim is not None:
                links[dim] = (stated, stated)
        return links

    def _values_along(self, name: Hashable, dim: Hashable, stated: str) -> Hashable | None:
        """The variable with the values of a linked dimension, None where none fits."""
        there = stated in self.ds.variables and stated != name
        if there and aligned(self.ds, stated, name, dim) is not None:
            return stated
        return self._tplot_coordinate(dim)

    def _only_fit(
        self, name: Hashable, axis: Hashable, links: Mapping[Hashable, Any]
    ) -> Hashable | None:
        """The one dimension that an axis on unrelated dimensions fits by its size."""
        free = [
            d for d in self.ds.variables[name].dims if d not in links and not self.is_time(name, d)
        ]
        fits = [d for d in free if aligned(self.ds, axis, name, d) is not None]
        return fits[0] if len(fits) == 1 else None

    def _tplot_coordinate(self, dim: Hashable) -> Hashable | None:
        name = str(dim).removesuffix("_dim")
        return name if name != str(dim) and name in self.ds.coords else None

    def _claims(
        self, name: Hashable, links: Mapping[Hashable, tuple[str, Hashable | None]]
    ) -> Iterator[_Claim]:
        flux = self.ds.variables[name]
        flux_unit = metadata.units(flux.attrs)
        for dim in flux.dims:
            if self.is_time(name, dim):
                continue
            called, variable = links.get(dim, (None, None))
            hint = tplot_units(flux, dim)
            if called is not None:
                unit = self._unit(variable, hint)
                verdicts = self._judged(variable, called, unit, flux_unit=flux_unit, linked=True)
                yield from self._claimed(verdicts, dim, variable, f"DEPEND {called}", LINK_BONUS)
                if variable is not None:
                    continue
            coordinate = dim if dim in self.ds.variables else self._tplot_coordinate(dim)
            source = f"dimension {dim}" if coordinate is None else str(coordinate)
            unit = self._unit(coordinate, hint)
            verdicts = self._judged(coordinate, str(dim), unit, flux_unit=flux_unit)
            # A variable with values beats the bare name of the dimension.
            yield from self._claimed(
                verdicts, dim, coordinate, source, -0.25 * (coordinate is None)
            )
        for variable in self._axis_like:
            var = self.ds.variables[variable]
            if variable == name or variable in flux.dims or not set(var.dims) <= set(flux.dims):
                continue
            unit = self._unit(variable, "")
            verdicts = self._judged(variable, str(variable), unit, flux_unit=flux_unit)
            for role, verdict in verdicts.items():
                dim = self.own_dim(name, variable, role)
                # Units alone would make any angle or temperature along the dimension an axis.
                if (
                    dim is not None
                    and links.get(dim, (None, None))[1] != variable
                    and verdict.named
                ):
                    yield from self._claimed({role: verdict}, dim, variable, str(variable), 0.0)

    def _unit(self, variable: Hashable | None, hint: str) -> str:
        stated = "" if variable is None else metadata.units(self.ds.variables[variable].attrs)
        return stated or hint

    def _claimed(
        self,
        verdicts: Mapping[str, Verdict],
        dim: Hashable,
        variable: Hashable | None,
        source: str,
        bonus: float,
    ) -> Iterator[_Claim]:
        for role, verdict in verdicts.items():
            if verdict.against and role == "pitch_angle":
                self.ruled_out.setdefault(
                    variable if variable is not None else dim, verdict.against
                )
            if verdict.grade is None:
                continue
            penalty = 0.5 if criteria.EQUATORIAL_WORDS.search(source) else 0.0
            score = SCORES[verdict.grade] + bonus - penalty + 0.1 * len(verdict.reasons)
            told = f"{source} ({', '.join(verdict.reasons)})"
            yield _Claim(role, score, Axis(dim, variable, told, verdict.grade))

    def _by_values(self, name: Hashable, role: str, taken: set[Hashable | None]) -> Axis | None:
        """A coordinate without units that only its values tell to be the axis; none of several."""
        flux = self.ds.variables[name]
        found: dict[Hashable, Hashable] = {}
        for variable in self.ds.coords:
            coord = self.ds.variables[variable]
            if coord.dtype.kind not in "fiu" or not coord.ndim or variable == "spec_bins":
                continue
            if not set(coord.dims) <= set(flux.dims) or metadata.units(coord.attrs):
                continue
            dim = self.own_dim(name, variable)
            if (
                dim is None
                or dim in taken
                or self._judged(variable, str(variable), "")[role].against
            ):
                continue
            values = self.in_memory(variable)
            if values is not None and criteria.SURELY[role](
                np.moveaxis(values, coord.dims.index(dim), -1)
            ):
                found.setdefault(dim, variable)
        if len(found) > 1:
            calls = " or ".join(
                f"ds.pad.assign_roles(flux={str(name)!r}, {role}={str(v)!r})"
                for v in found.values()
            )
            self.unclear.append(
                f"the values of {' and '.join(repr(str(v)) for v in found.values())} could each be the "
                f"{role.replace('_', ' ')}s of {str(name)!r}, and nothing else tells them apart. Say "
                f"which: {calls}"
            )
            return None
        for dim, variable in found.items():
            return Axis(dim, variable, f"{variable} (values)", Grade.GUESS)
        return None

    def _left_by_tplot(self, name: Hashable, pitch: Axis) -> Axis | None:
        """The other axis of a tplot variable that was stored with only one; tplot has no more."""
        if not _TPLOT_AXIS.fullmatch(str(pitch.dim)):
            return None
        left = [d for d in self.ds.variables[name].dims if _TPLOT_AXIS.fullmatch(str(d))]
        left = [d for d in left if d != pitch.dim and self._tplot_coordinate(d) is None]
        if not left:
            return None
        return Axis(left[0], None, "the other axis of a tplot variable", Grade.GUESS)


def aligned(
    ds: xr.Dataset, variable: Hashable, flux: Hashable, dim: Hashable
) -> xr.Variable | None:
    """An axis variable on the flux's own dimensions; None where it does not fit.

    Loaders give a three-dimensional DEPEND_n, or the (2, n) bounds of an axis,
    dimensions unrelated to the flux's: they are matched by size, and bounds
    become their geometric mean.
    """
    axis, target = ds.variables[variable].to_base_variable(), ds.variables[flux]
    foreign = [d for d in axis.dims if d not in target.dims]
    if axis.dtype.kind not in "fiu":
        return None
    if not foreign:
        return axis if dim in axis.dims else None
    sizes = dict(zip(target.dims, target.shape, strict=True))
    finder = AxisFinder(ds)
    free = [d for d in target.dims if d not in axis.dims and not finder.is_time(flux, d)]
    free.sort(key=lambda d: d != dim)
    renames: dict[Hashable, Hashable] = {}
    for wanted in free:
        match = [d for d in foreign if axis.sizes[d] == sizes[wanted] and d not in renames]
        if match:
            renames[match[-1] if wanted == dim else match[0]] = wanted
    left = [d for d in foreign if d not in renames]
    if left and (len(left) > 1 or axis.sizes[left[0]] != 2):
        return None
    # Swapped through a DataArray, as a Variable has no public rename of dimensions.
    named = xr.DataArray(axis).rename(renames).variable
    if dim not in named.dims:
        return None
    return _geometric_mean(named, left[0]) if left else named


def _geometric_mean(bounds: xr.Variable, dim: Hashable) -> xr.Variable:
    low, high = bounds.isel({dim: 0}), bounds.isel({dim: 1})
    middle = xr.apply_ufunc(_between_bounds, low, high, dask="parallelized", output_dtypes=[float])
    return middle._replace(attrs=dict(bounds.attrs))


def _between_bounds(low: np.ndarray, high: np.ndarray) -> np.ndarray:
    low, high = np.asarray(low, dtype=np.float64), np.asarray(high, dtype=np.float64)
    with np.errstate(invalid="ignore", over="ignore"):
        good = (low >= 0) & (high > 0) & np.isfinite(low) & np.isfinite(high)
        middle = np.where(low > 0, np.sqrt(low) * np.sqrt(high), high / 2)
    return np.where(good, middle, np.nan)


def tplot_units(flux: xr.Variable, dim: Hashable) -> str:
    """Units that tplot states of a dimension."""
    data_att = metadata.mapping(flux.attrs, "data_att")
    number = str(dim).removeprefix("v").removesuffix("_dim") or "1"
    found = data_att.get(f"depend_{number}_units")
    return found.strip() if isinstance(found, str) else ""


def _hints(flux: xr.Variable) -> tuple[str, ...]:
    return tuple(tplot_units(flux, dim) for dim in flux.dims)


def _best_pair(pitches: list[_Claim], energies: list[_Claim]) -> tuple[Axis | None, Axis | None]:
    """The likeliest pair on two dimensions, by the sum of scores; either may be missing."""
    nothing = _Claim("", 0.0, Axis(None, None, ""))
    best, total = (nothing, nothing), 0.0
    for pitch in [*pitches, nothing]:
        for energy in [*energies, nothing]:
            apart = pitch.axis.dim != energy.axis.dim or pitch is nothing
            if apart and pitch.score + energy.score > total:
                best, total = (pitch, energy), pitch.score + energy.score
    found = [None if claim is nothing else claim.axis for claim in best]
    return found[0], found[1]


def _change_along(values: np.ndarray, axis: int) -> float:
    """How much values change along one of their axes, as a share of all their change."""
    values = np.where(np.abs(values) < criteria.NO_VALUE, values, np.nan).astype(np.float64)
    with np.errstate(invalid="ignore"):
        span = np.fmax.reduce(values, axis=axis) - np.fmin.reduce(values, axis=axis)
    span = span[np.isfinite(span)]
    return float(span.mean()) if span.size else 0.0
