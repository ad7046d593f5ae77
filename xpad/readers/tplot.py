"""From and to the tplot variables of pyspedas."""

from __future__ import annotations

import sys
from collections.abc import Iterable, Mapping
from typing import Any

import numpy as np
import xarray as xr

from xpad.errors import OptionError, ReaderError, warn
from xpad.storage.storable import storable

#: What `to_tplot` stores, and how tplot should draw it.
_RESULTS: dict[str, dict[str, Any]] = {
    "label": {"ytitle": "PAD cluster", "marker": ".", "line_style": "none"},
    "pc": {"ytitle": "PAD components", "legend_names": ["PC 1", "PC 2", "PC 3"]},
    "error": {"ytitle": "PAD error", "ysubtitle": "[RMSE]", "ylog": False},
    "flag": {"ytitle": "PAD flag", "marker": ".", "line_style": "none"},
}


def from_tplot(names: str | Iterable[str]) -> xr.Dataset:
    """Return tplot variables as a raw Dataset.

    Parameters
    ----------
    names : str or several
        Names of tplot variables in memory; a name with ``*`` stands for all that match.

    Returns
    -------
    xarray.Dataset
        Copies: changing them does not change pyspedas's. Times are the dimension ``time``
        (``time_<name>`` for a variable with other times than the first); the other dimensions and
        coordinates have the names of the CDF variables they come from (DEPEND_1, DEPEND_2), as
        far as the loader kept them. The attributes of the CDF variable are attributes again, all
        of them storable; settings of plots are left out.

    Raises
    ------
    ImportError
        If pyspedas is not installed.
    ReaderError
        If there is no such tplot variable.

    Examples
    --------
    >>> pyspedas.projects.rbsp.rept(trange=["2013-03-01", "2013-03-02"])  # doctest: +SKIP
    >>> ds = xpad.from_tplot(["FEDU", "L"])  # doctest: +SKIP
    """
    pyspedas = _pyspedas()
    wanted = [names] if isinstance(names, str) else list(names)
    found = [name for item in wanted for name in _matching(pyspedas, item)]
    builder = _Builder()
    for name in dict.fromkeys(found):
        live = pyspedas.get_data(name, xarray=True)
        if isinstance(live, xr.DataArray):
            builder.add(name, live)
        else:
            builder.add_static(name, np.array(live))
    return storable(builder.dataset())


def to_tplot(out: xr.Dataset, prefix: str = "pad") -> list[str]:
    """Store labels, components, errors and flags as tplot variables.

    Parameters
    ----------
    out : xarray.Dataset
        The result of `xpad.cluster` or `xpad.predict`, with one record dimension of times.
    prefix : str
        The prefix of the results, ``pad`` unless it was chosen otherwise.

    Returns
    -------
    list of str
        The names of the tplot variables: ``pad_label``, ``pad_pc``, ``pad_error``, ``pad_flag``,
        those of them that `out` has.

    Raises
    ------
    ImportError
        If pyspedas is not installed.
    OptionError
        If `out` has no such results, or they do not lie along times.

    Examples
    --------
    >>> pyspedas.tplot(["FEDU", *xpad.to_tplot(out)])  # doctest: +SKIP
    """
    pyspedas = _pyspedas()
    present = {f"{prefix}_{key}": key for key in _RESULTS if f"{prefix}_{key}" in out}
    if not present:
        raise OptionError(
            f"The Dataset holds no {prefix}_label, {prefix}_pc, {prefix}_error or {prefix}_flag: "
            f"pass the result of cluster or predict, and its prefix."
        )
    for name, key in present.items():
        variable = out[name]
        times = _times_of(variable, key)
        is_valid = ~np.isnat(times)
        if not is_valid.all():
            warn(f"{name}: {int((~is_valid).sum())} records without a time are not stored.")
        units = str(variable.attrs.get("units", ""))
        pyspedas.store_data(
            name,
            data={"x": times[is_valid], "y": variable.values[is_valid]},
            attr_dict={"data_att": {"units": units, "coord_sys": ""}},
        )
        settings = _RESULTS[key]
        if key == "pc":
            numbers = range(1, variable.shape[1] + 1)
            settings = {**settings, "legend_names": [f"PC {number}" for number in numbers]}
        for option, value in settings.items():
            pyspedas.options(name, option, value)
    return list(present)


def _pyspedas() -> Any:
    """Import pyspedas without letting it change xarray's options."""
    is_first = "pyspedas" not in sys.modules
    keep_attrs = xr.get_options()["keep_attrs"]
    try:
        import pyspedas
    except ImportError as error:
        raise ImportError(
            "tplot variables need pyspedas, which cannot be imported "
            f"({error}). Install it with: pip install 'xpad[tplot]'"
        ) from error
    finally:
        if is_first:
            xr.set_options(keep_attrs=keep_attrs)
    return pyspedas


def _matching(pyspedas: Any, name: str) -> list[str]:
    known = list(pyspedas.tplot_tools.data_quants)
    if name in known:
        return [name]
    matches = list(pyspedas.tnames(name)) if "*" in name or "?" in name else []
    if not matches:
        there = ", ".join(map(str, known)) or "none at all"
        raise ReaderError(f"There is no tplot variable {name!r}. In memory: {there}.")
    return matches


def _times_of(variable: xr.DataArray, key: str) -> np.ndarray:
    dim = variable.dims[0] if variable.dims else None
    expected = 2 if key == "pc" else 1
    if variable.ndim != expected or dim not in variable.coords:
        raise OptionError(
            f"{variable.name!r} has the dimensions {variable.dims}: tplot needs one record "
            f"dimension with times as its coordinate. Select one, for example with .isel(probe=0)."
        )
    times = variable.coords[dim].values
    if times.dtype.kind != "M":
        raise OptionError(
            f"{variable.name!r} lies along {dim!r}, which holds {times.dtype} and no times: tplot "
            f"needs datetime64."
        )
    return times.astype("datetime64[ns]")


class _Builder:
    """Collects tplot variables whose dimensions all have the same names, whatever they mean."""

    def __init__(self) -> None:
        self.values: dict[str, xr.Variable] = {}
        self.coordinates: dict[str, xr.Variable] = {}
        self.sizes: dict[str, int] = {}

    def add(self, name: str, live: xr.DataArray) -> None:
        """Add a variable that lies along times."""
        cdf = live.attrs.get("CDF")
        described = dict(cdf.get("VATT", {})) if isinstance(cdf, Mapping) else {}
        data_att = live.attrs.get("data_att")
        notes = dict(data_att) if isinstance(data_att, Mapping) else {}
        attrs = _attrs(live.attrs, described, notes)
        dims = [self._place("time", name, ("time",), live.coords["time"].values, {"axis": "T"})]
        attrs["DEPEND_0"] = dims[0]
        for position, dim in enumerate(live.dims[1:], start=1):
            source = described.get(f"DEPEND_{position}")
            axis = _coordinate_along(live, str(dim))
            label = str(source) if isinstance(source, str) and source.strip() else f"{name}_{dim}"
            label = label.strip().removesuffix("_dim")
            if axis is None:
                dims.append(self._unused(f"{label}_dim", name, live.sizes[dim]))
                continue
            units = notes.get(f"depend_{position}_units")
            is_known = isinstance(units, str) and units != notes.get("units")
            axis_attrs = {"UNITS": units, "units": units} if is_known else {}
            values = axis.values
            if axis.ndim == 1:
                placed = self._place(label, name, (label,), values, axis_attrs)
                dims.append(placed)
            else:
                axis_attrs["DEPEND_0"] = dims[0]
                placed = self._place(label, name, (dims[0], f"{label}_dim"), values, axis_attrs)
                dims.append(str(self.coordinates[placed].dims[1]))
            attrs[f"DEPEND_{position}"] = placed
        self.values[name] = xr.Variable(dims, np.array(live.values), attrs)

    def add_static(self, name: str, values: np.ndarray) -> None:
        """Add a variable without times."""
        dims = [
            self._unused(f"{name}_dim{number}", name, size)
            for number, size in enumerate(values.shape)
        ]
        self.values[name] = xr.Variable(dims, values)

    def dataset(self) -> xr.Dataset:
        """Return all that was added."""
        return xr.Dataset(self.values, self.coordinates)

    def _place(
        self, label: str, name: str, dims: tuple[str, ...], values: np.ndarray, attrs: Any
    ) -> str:
        """Enter a coordinate; under another name where one of that name has other values."""
        for candidate in (label, f"{label}_{name}"):
            found = self.coordinates.get(candidate)
            own = tuple(dim.replace(label, candidate, 1) if dim != dims[0] else dim for dim in dims)
            own = (candidate,) if len(dims) == 1 else own
            if found is None:
                self.coordinates[candidate] = xr.Variable(own, np.array(values), attrs)
                self.sizes.update(zip(own, values.shape, strict=True))
                return candidate
            if found.dims == own and np.array_equal(
                found.values, values, equal_nan=values.dtype.kind in "fM"
            ):
                return candidate
        raise ReaderError(
            f"The tplot variable {name!r} has two different axes called {label!r}: rename one of "
            f"the CDF variables, or load it with open_dataset."
        )

    def _unused(self, dim: str, name: str, size: int) -> str:
        free = dim if self.sizes.get(dim, size) == size else f"{dim}_{name}"
        self.sizes[free] = size
        return free


def _coordinate_along(live: xr.DataArray, dim: str) -> xr.DataArray | None:
    """Return the coordinate that belongs to a dimension: ``v1`` to ``v1_dim``."""
    for candidate in (dim.removesuffix("_dim"), "spec_bins"):
        if candidate in live.coords and dim in live.coords[candidate].dims:
            return live.coords[candidate]
    return None


def _attrs(
    attrs: Mapping[str, Any], described: Mapping[str, Any], notes: Mapping[str, Any]
) -> dict[str, Any]:
    out = {key: value for key, value in described.items() if not key.startswith("DEPEND_")}
    units = notes.get("units")
    if isinstance(units, str) and units not in ("", "None"):
        out.setdefault("UNITS", units)
        out["units"] = units
    for key in ("LABLAXIS", "FIELDNAM", "CATDESC"):
        if isinstance(out.get(key), str) and out[key].strip():
            out.setdefault("long_name", out[key].strip())
            break
    cdf = attrs.get("CDF")
    if isinstance(cdf, Mapping):
        out["CDF"] = {key: cdf[key] for key in ("GATT", "FILENAME", "LABELS") if cdf.get(key)}
    left_out = ("CDF", "data_att", "plot_options", "extra_v_values")
    out.update({key: value for key, value in attrs.items() if key not in left_out})
    if notes:
        out["data_att"] = dict(notes)
    return out
