"""Which dimension of one variable is the pitch angle, which the energy, and where their values are.

Evidence, strongest first: assigned roles, DEPEND_n and tplot links, units and names, values.
Nothing here computes: only what is in memory already is looked at.
"""

from __future__ import annotations

from collections.abc import Hashable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from functools import cached_property
from typing import Any

import numpy as np
import xarray as xr

from xpad.errors import RolesError
from xpad.roles import metadata
from xpad.roles import words as criteria

ROLE_ATTRS = {"flux": "xpad_flux", "energy": "xpad_energy", "pitch_angle": "xpad_pitch_angle"}
MIN_AXIS_SCORE = 1.5
LINK_BONUS = 1.5
BINS_LOOKED_AT = 128
"""Of each dimension of a table; enough to tell along which of them it changes."""


@dataclass(frozen=True)
class Axis:
    """One axis of the flux.

    `dim` is the flux's dimension, None where the flux has no such axis;
    `variable` holds its values, None where nothing does; `guessed` is True
    where only names or values, no stated link or unit, tell the role.
    """

    dim: Hashable | None
    variable: Hashable | None
    why: str
    guessed: bool = False


@dataclass(frozen=True)
class _Claim:
    role: str
    score: float
    axis: Axis


@dataclass
class AxisFinder:
    """Finds the axes of the variables of one Dataset; remembers what equal dimensions share."""

    ds: xr.Dataset
    _found: dict[Any, tuple[Axis | None, Axis | None]] = field(default_factory=dict)
    _scores: dict[Any, dict[str, tuple[float, str]]] = field(default_factory=dict)

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
                if words.search(str(dim)):
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
            if any(
                score >= MIN_AXIS_SCORE and ("name" in why or "description" in why)
                for score, why in self._scores_of(name, str(name), "").values()
            ) and not criteria.is_measurement(str(name), var.attrs):
                found.append(name)
        return found

    def _scores_of(
        self, variable: Hashable | None, called: str, unit_hint: str
    ) -> dict[str, tuple[float, str]]:
        key = (variable, called, unit_hint)
        if key not in self._scores:
            attrs = {} if variable is None else self.ds.variables[variable].attrs
            unit = metadata.units(attrs) or unit_hint
            self._scores[key] = criteria.axis_scores(called, attrs, self.in_memory(variable), unit)
        return self._scores[key]

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
                return Axis(dim, stated, "assigned")
        if stated in flux.dims:
            return Axis(stated, None, "assigned")
        raise RolesError(
            f"{role}={stated!r} was assigned, but shares no dimension with the flux {name!r}, "
            f"whose dimensions are {tuple(flux.dims)}"
        )

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
        for dim in flux.dims:
            if self.is_time(name, dim):
                continue
            called, variable = links.get(dim, (None, None))
            hint = tplot_units(flux, dim)
            if called is not None:
                yield from self._linked_claims(dim, variable, called, hint)
                if variable is not None:
                    continue
            coordinate = dim if dim in self.ds.variables else self._tplot_coordinate(dim)
            source = f"dimension {dim}" if coordinate is None else str(coordinate)
            for role, (score, why) in self._scores_of(coordinate, str(dim), hint).items():
                # A variable with values beats the bare name of the dimension.
                score -= 0.25 if coordinate is None else 0.0
                if score >= MIN_AXIS_SCORE and why:
                    yield self._claim(role, score, dim, coordinate, source, why)
        for variable in self._axis_like:
            var = self.ds.variables[variable]
            if variable == name or variable in flux.dims or not set(var.dims) <= set(flux.dims):
                continue
            for role, (score, why) in self._scores_of(variable, str(variable), "").items():
                dim = self.own_dim(name, variable, role)
                if dim is None or links.get(dim, (None, None))[1] is not None:
                    continue
                # Units alone would make any angle or temperature along the dimension an axis.
                if score >= MIN_AXIS_SCORE and ("name" in why or "description" in why):
                    yield self._claim(role, score, dim, variable, str(variable), why)

    def _linked_claims(
        self, dim: Hashable, variable: Hashable | None, called: str, hint: str
    ) -> Iterator[_Claim]:
        for role, (score, why) in self._scores_of(variable, called, hint).items():
            if score > 0 and score + LINK_BONUS >= MIN_AXIS_SCORE:
                axis = Axis(dim, variable, f"DEPEND {called} ({why})")
                yield _Claim(role, score + LINK_BONUS, axis)

    @staticmethod
    def _claim(
        role: str, score: float, dim: Hashable, variable: Hashable | None, source: str, why: str
    ) -> _Claim:
        axis = Axis(dim, variable, f"{source} ({why})", guessed="units" not in why)
        return _Claim(role, score, axis)

    def _by_values(self, name: Hashable, role: str, taken: set[Hashable | None]) -> Axis | None:
        """A coordinate without units that only its values tell to be the axis."""
        flux = self.ds.variables[name]
        for variable in self.ds.coords:
            coord = self.ds.variables[variable]
            if coord.dtype.kind not in "fiu" or not coord.ndim or variable == "spec_bins":
                continue
            if not set(coord.dims) <= set(flux.dims) or metadata.units(coord.attrs):
                continue
            dim = self.own_dim(name, variable)
            if dim is None or dim in taken or criteria.NOT_AN_AXIS_WORDS.search(str(variable)):
                continue
            values = self.in_memory(variable)
            if values is not None and criteria.SURELY[role](
                np.moveaxis(values, coord.dims.index(dim), -1)
            ):
                return Axis(dim, variable, f"{variable} (values)", guessed=True)
        return None

    def _left_by_tplot(self, name: Hashable, pitch: Axis) -> Axis | None:
        """The other axis of a tplot variable that was stored with only one; tplot has no more."""
        if str(pitch.dim) not in ("v1_dim", "v2_dim"):
            return None
        left = [d for d in self.ds.variables[name].dims if d in ("v1_dim", "v2_dim")]
        left = [d for d in left if d != pitch.dim and self._tplot_coordinate(d) is None]
        return Axis(left[0], None, "the other axis of a tplot variable", True) if left else None


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
    found = [None if claim is nothing else replace(claim.axis) for claim in best]
    return found[0], found[1]


def _change_along(values: np.ndarray, axis: int) -> float:
    """How much values change along one of their axes, as a share of all their change."""
    values = np.where(np.abs(values) < criteria.NO_VALUE, values, np.nan).astype(np.float64)
    with np.errstate(invalid="ignore"):
        span = np.fmax.reduce(values, axis=axis) - np.fmin.reduce(values, axis=axis)
    span = span[np.isfinite(span)]
    return float(span.mean()) if span.size else 0.0
