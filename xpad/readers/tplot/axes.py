"""What a tplot variable says of its axes and of itself."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import xarray as xr

from xpad.readers.tplot import options
from xpad.roles import units
from xpad.roles.evidence import Verdict, judged

ROLES = {units.ANGLE: "pitch_angle", units.ENERGY: "energy"}
"""What an axis with such units could be."""
_NO_GRADE = 9


@dataclass(frozen=True)
class StoredAxis:
    """An axis other than time.

    Attributes
    ----------
    number : int
        Its place: 1 for the first after time, as in DEPEND_1.
    label : str
        The CDF variable that it comes from, or tplot's own name, which says nothing.
    made_up : bool
        Whether the label is tplot's own.
    size : int
        Its length.
    values : array or None
        (size,), (time, size), or of the whole variable's shape; None where tplot keeps none.
    units : str
        Empty where nothing states them.
    """

    number: int
    label: str
    made_up: bool
    size: int
    values: np.ndarray | None
    units: str = ""


def axes(name: str, live: xr.DataArray, memory: Mapping[str, Any]) -> list[StoredAxis]:
    """The axes of a variable after time.

    Parameters
    ----------
    name : str
        Its name in tplot's memory.
    live : xarray.DataArray
        The variable itself, which is not changed.
    memory : mapping
        Everything in tplot's memory, for axes that are variables of their own.
    """
    described = mapping(mapping(live.attrs, "CDF"), "VATT")
    notes = mapping(live.attrs, "data_att")
    stated = [described.get(f"DEPEND_{number}") for number in (1, 2, 3)]
    links = [link.strip() if isinstance(link, str) else "" for link in stated]
    # Loaders copy the attributes of a variable to one with fewer axes: then none is to be trusted.
    stale = len([link for link in links if link]) > live.ndim - 1
    found = []
    for number, dim in enumerate(map(str, live.dims[1:]), start=1):
        values, link = _coordinate_along(live, dim), "" if stale else links[number - 1]
        if values is None and link:
            link, values = _in_memory(name, link, live, number, memory)
        if stale:
            link = _equal_in_memory(name, links, values, memory)
        found.append(
            StoredAxis(
                number,
                link or dim.removesuffix("_dim"),
                not link,
                live.sizes[dim],
                values,
                "" if stale else _stated_units(notes, number),
            )
        )
    return _with_units_of_the_plot(live, found)


def attributes(live: xr.DataArray) -> dict[str, Any]:
    """The attributes of the CDF variable and of tplot, without what is for plots only."""
    cdf, notes = mapping(live.attrs, "CDF"), mapping(live.attrs, "data_att")
    described = mapping(cdf, "VATT")
    out = {key: value for key, value in described.items() if not key.startswith("DEPEND_")}
    stated = notes.get("units")
    if not isinstance(stated, str) or stated in ("", "None"):
        stated = "" if "UNITS" in out else options.of_flux(mapping(live.attrs, "plot_options"))
    if stated:
        out.setdefault("UNITS", stated)
        out["units"] = stated
    for key in ("LABLAXIS", "FIELDNAM", "CATDESC"):
        if isinstance(out.get(key), str) and out[key].strip():
            out.setdefault("long_name", out[key].strip())
            break
    if cdf:
        out["CDF"] = {key: cdf[key] for key in ("GATT", "FILENAME", "LABELS") if cdf.get(key)}
    left_out = ("CDF", "data_att", "plot_options", "extra_v_values")
    out.update({key: value for key, value in live.attrs.items() if key not in left_out})
    if notes:
        out["data_att"] = dict(notes)
    return out


def mapping(attrs: Mapping[str, Any], key: str) -> Mapping[str, Any]:
    """A nested attribute; empty where there is none."""
    found = attrs.get(key)
    return found if isinstance(found, Mapping) else {}


def _coordinate_along(live: xr.DataArray, dim: str) -> np.ndarray | None:
    """The values that belong to a dimension: ``v1`` to ``v1_dim``."""
    for candidate in (dim.removesuffix("_dim"), "spec_bins"):
        if candidate in live.coords and dim in live.coords[candidate].dims:
            return np.asarray(live.coords[candidate].values)
    return None


def _in_memory(
    name: str, link: str, live: xr.DataArray, number: int, memory: Mapping[str, Any]
) -> tuple[str, np.ndarray | None]:
    """The variable that a DEPEND_n names, where it fits; else the name alone."""
    for called in _namesakes(name, link, memory):
        values = _values(memory[called])
        static, moving = (live.shape[number],), (live.shape[0], live.shape[number])
        if values.dtype.kind in "fiu" and values.shape in (static, moving, live.shape):
            return (link if values.ndim < 3 else called), values
    return link, None


def _equal_in_memory(
    name: str, links: Iterable[str], values: np.ndarray | None, memory: Mapping[str, Any]
) -> str:
    """Of the axes that stale attributes name, the one whose values these are."""
    for link in (link for link in links if link and values is not None):
        for called in _namesakes(name, link, memory):
            stored = _values(memory[called])
            if stored.dtype.kind in "fiu" and np.array_equal(stored, np.asarray(values)):
                return link
    return ""


def _namesakes(name: str, link: str, memory: Mapping[str, Any]) -> list[str]:
    """Names of a CDF variable in memory, with what the loader put before and after this one's."""
    found = []
    for called in map(str, memory):
        before, there, after = called.rpartition(link)
        if there and called != name and name.startswith(before) and name.endswith(after):
            found.append(called)
    return sorted(found, key=len, reverse=True)


def _values(live: Any) -> np.ndarray:
    return np.asarray(live.values if isinstance(live, xr.DataArray) else live["data"])


def _stated_units(notes: Mapping[str, Any], number: int) -> str:
    """Units of an axis; those of the values are not its own, for loaders put them where none are."""
    stated = notes.get(f"depend_{number}_units")
    is_known = isinstance(stated, str) and stated not in ("None", notes.get("units"))
    return str(stated) if is_known else ""


def _with_units_of_the_plot(live: xr.DataArray, found: list[StoredAxis]) -> list[StoredAxis]:
    """Give the units beside y to the axis without units that they fit best."""
    unit = options.of_axis(mapping(live.attrs, "plot_options"))
    role = ROLES.get(units.kind_of(unit))
    free = [axis for axis in found if not axis.units and axis.values is not None]
    if role is None or not free:
        return found
    other = next(r for r in ROLES.values() if r != role)
    ranked = sorted(
        (_rank(_verdict(role, axis, unit)), -_rank(_verdict(other, axis, "")), axis.number)
        for axis in free
    )
    if ranked[0][0] > _NO_GRADE or (len(ranked) > 1 and ranked[0][:2] == ranked[1][:2]):
        return found
    return [replace(a, units=unit) if a.number == ranked[0][2] else a for a in found]


def _verdict(role: str, axis: StoredAxis, unit: str) -> Verdict:
    return judged(role, axis.label, {}, axis.values, unit)


def _rank(verdict: Verdict) -> int:
    if verdict.against:
        return _NO_GRADE + 1
    return _NO_GRADE if verdict.grade is None else int(verdict.grade)
