"""Tplot variables as a Dataset."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

import numpy as np
import xarray as xr

from xpad.readers.tplot import store
from xpad.readers.tplot.axes import StoredAxis, attributes, axes, mapping
from xpad.storage.storable import storable


def from_tplot(names: str | Iterable[str]) -> xr.Dataset:
    """Return tplot variables as a raw Dataset.

    Parameters
    ----------
    names : str or several
        Names of tplot variables in memory, as loaders return them; a name with ``*`` stands for all
        that match. Of several, those that are not there are told in a warning and left out.

    Returns
    -------
    xarray.Dataset
        Copies: changing them does not change pyspedas's. Times are the dimension ``time``
        (``time_<name>`` where a variable has other times than the first); the other dimensions and
        coordinates have the names of the CDF variables they come from (DEPEND_1, DEPEND_2), as
        far as the loader kept them, else tplot's own (``v``, ``v1``, ``v2``; numbered where they
        are several). The attributes of the CDF variable are attributes again, all of them
        storable; global attributes of the files are the Dataset's where all agree. Of the
        settings of plots only the units are taken, where nothing else states them.

    Raises
    ------
    ImportError
        If pyspedas is not installed.
    ReaderError
        If none of the names is a tplot variable.

    Examples
    --------
    >>> ds = xpad.from_tplot(pyspedas.projects.rbsp.rept(trange=[...]))  # doctest: +SKIP
    >>> ds = xpad.from_tplot(["FEDU", "L"])  # doctest: +SKIP
    """
    pyspedas = store.imported()
    live = store.variables(pyspedas)
    builder = _Builder(live)
    for name in dict.fromkeys(store.existing(pyspedas, names)):
        if isinstance(live[name], xr.DataArray):
            builder.add(name, live[name])
        else:
            builder.add_static(name, np.array(live[name]["data"]))
    return storable(builder.dataset())


class _Builder:
    """Collects tplot variables whose dimensions all have the same names, whatever they mean."""

    def __init__(self, live: Mapping[str, Any]) -> None:
        self.live = live
        self.values: dict[str, xr.Variable] = {}
        self.coordinates: dict[str, xr.Variable] = {}
        self.sizes: dict[str, int] = {}
        self.tables: set[str] = set()
        """Of the values, those that are axes of others."""
        self.globals: list[Mapping[str, Any]] = []
        self.placed: dict[str, list[str]] = {}
        """The names of an axis to those of the coordinates it became, one for each set of values."""

    def add(self, name: str, live: xr.DataArray) -> None:
        """Add a variable that lies along times."""
        if name in self.tables:
            return
        time = live.coords[live.dims[0]].values
        dims = [self._place("time", f"time_{name}", ("time",), time, {"axis": "T"})]
        attrs = {**attributes(live), "DEPEND_0": dims[0]}
        tables: dict[str, np.ndarray] = {}
        for axis in axes(name, live, self.live):
            attrs[f"DEPEND_{axis.number}"], dim = self._along(name, axis, dims[0])
            dims.append(dim)
            if axis.values is not None and axis.values.ndim > 2:
                tables[axis.label] = axis.values
        for label, values in tables.items():
            self.values[label] = xr.Variable(dims, np.array(values))
            self.tables.add(label)
        self.values[name] = xr.Variable(dims, np.array(live.values), attrs)
        self.globals.append(mapping(mapping(live.attrs, "CDF"), "GATT"))

    def add_static(self, name: str, values: np.ndarray) -> None:
        """Add a variable without times."""
        dims = [self._unused(f"{name}_dim{n}", size) for n, size in enumerate(values.shape)]
        self.values[name] = xr.Variable(dims, values)

    def dataset(self) -> xr.Dataset:
        """Return all that was added; a variable that is an axis of others only once."""
        values = dict(self.values)
        for name in [name for name in values if name in self.coordinates]:
            axis, variable = self.coordinates[name], values.pop(name)
            if axis.shape == variable.shape and _equal(axis.values, variable.values):
                self.coordinates[name] = axis._replace(attrs={**variable.attrs, **axis.attrs})
                continue
            # What the loader made of it is the axis: it steps aside, under another name.
            values = {key: _renamed(value, name) for key, value in values.items()}
            values[name] = _renamed(variable, name)
            self.coordinates = {
                key + "_axis" * (key == name): _renamed(value, name)
                for key, value in self.coordinates.items()
            }
        return xr.Dataset(values, self.coordinates, _common(self.globals))

    def _along(self, name: str, axis: StoredAxis, time: str) -> tuple[str, str]:
        """Enter an axis; its name and the dimension."""
        fresh = "" if axis.made_up else f"{axis.label}_{name}"
        own = {"UNITS": axis.units, "units": axis.units} if axis.units else {}
        if axis.values is None and axis.made_up:
            label = self._numbered(axis.label)
            self.placed.setdefault(axis.label, []).append(label)
            return label, self._unused(f"{label}_dim", axis.size)
        if axis.values is None or axis.values.ndim > 2:
            return axis.label, self._unused(f"{axis.label}_dim", axis.size)
        if axis.values.ndim == 1:
            placed = self._place(axis.label, fresh, (axis.label,), axis.values, own)
            return placed, placed
        own["DEPEND_0"] = time
        placed = self._place(axis.label, fresh, (time, f"{axis.label}_dim"), axis.values, own)
        return placed, str(self.coordinates[placed].dims[1])

    def _place(
        self, label: str, other: str, dims: tuple[str, ...], values: np.ndarray, attrs: Any
    ) -> str:
        """Enter a coordinate, once for all that have it; under another name beside other values."""
        for known in self.placed.get(label, []):
            found = self.coordinates.get(known)
            if found is not None and found.dims[:-1] == dims[:-1] and _equal(found.values, values):
                return known
        called = label if label not in self.placed else other or self._numbered(label)
        self.placed.setdefault(label, []).append(called)
        own = (
            *dims[:-1],
            called if len(dims) == 1 else self._unused(f"{called}_dim", len(values.T)),
        )
        self.coordinates[called] = xr.Variable(own, np.array(values), attrs)
        self.sizes.update(zip(own, values.shape, strict=True))
        return called

    def _numbered(self, label: str) -> str:
        there = len(self.placed.get(label, []))
        return label if there == 0 else f"{label}_{there + 1}"

    def _unused(self, dim: str, size: int) -> str:
        number, free = 1, dim
        while self.sizes.get(free, size) != size:
            number += 1
            free = f"{dim}_{number}"
        self.sizes[free] = size
        return free


def _equal(a: np.ndarray, b: np.ndarray) -> bool:
    return np.array_equal(a, b, equal_nan=a.dtype.kind in "fM" and b.dtype.kind in "fM")


def _renamed(variable: xr.Variable, name: str) -> xr.Variable:
    """The same, with its axis of this name called otherwise."""
    dims = [f"{dim}_axis" if dim == name else dim for dim in variable.dims]
    links = {k: f"{v}_axis" for k, v in variable.attrs.items() if k[:7] == "DEPEND_" and v == name}
    return xr.Variable(dims, variable.values, {**variable.attrs, **links})


def _common(found: list[Mapping[str, Any]]) -> dict[str, Any]:
    """The global attributes that all variables of files share."""
    found = [attrs for attrs in found if attrs]
    if not found:
        return {}
    first, *rest = found
    return {
        str(key): value
        for key, value in first.items()
        if all(key in attrs and attrs[key] == value for attrs in rest)
    }
