"""What other libraries hand out, as raw Datasets.

An entry of `KINDS` is one kind of object: how it is told, by its module and attributes alone, so that no
library is imported for it, and what makes a Dataset of it.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import xarray as xr
from numpy.typing import NDArray

from xpad.errors import ReaderError
from xpad.readers.cdf.layout import VariableInfo, attributes, lay_out
from xpad.readers.times import from_iso
from xpad.storage.storable import storable


@dataclass(frozen=True)
class Kind:
    """A kind of object: an entry of `KINDS`.

    Attributes
    ----------
    title : str
        What a message calls it.
    fits : callable
        Whether an object is one.
    read : callable
        Makes the Dataset.
    """

    title: str
    fits: Callable[[Any], bool]
    read: Callable[[Any], xr.Dataset]


def as_dataset(obj: Any) -> xr.Dataset:
    """Return what another library has read as a raw Dataset, with its metadata.

    Parameters
    ----------
    obj : object
        A speasy ``SpeasyVariable``, or a list or dict of them; a spacepy ``SpaceData`` (as of
        ``fromCDF``); the pair ``(data, meta)`` of hapiclient; a pitch-angle distribution of
        pyrfu; an xarray Dataset (as of cdasws, or ``cdflib.xarray.cdf_to_xarray``) or DataArray.
        Names of tplot variables are for `xpad.from_tplot`, paths for `xpad.open_dataset`.

    Returns
    -------
    xarray.Dataset
        Values as they stand, fill values with them; ISTP's attributes (DEPEND_n, UNITS, FILLVAL);
        times as datetime64[ns]. The object is not changed. A Dataset is returned as it is.

    Raises
    ------
    ReaderError
        If the object is of none of these kinds, or holds no variables.

    Examples
    --------
    >>> import numpy as np
    >>> import xpad
    >>> data = np.array([(b"2013-03-01T00:00:00Z", [3.0, 4.0])], [("Time", "S20"), ("j", "f8", 2)])
    >>> bins = [{"name": "pitch angle", "units": "deg", "centers": [45.0, 135.0]}]
    >>> names = [{"name": "Time", "type": "isotime"}, {"name": "j", "units": "1/s", "bins": bins}]
    >>> xpad.as_dataset((data, {"parameters": names}))["j"].dims
    ('Time', 'pitch_angle')
    """
    for kind in KINDS.values():
        if kind.fits(obj):
            return kind.read(obj)
    if isinstance(obj, str):
        raise ReaderError(
            f"{obj!r} is a text: open a file with xpad.open_dataset({obj!r}), take a tplot variable "
            f"with xpad.from_tplot({obj!r})."
        )
    known = "; ".join(kind.title for kind in KINDS.values())
    raise ReaderError(
        f"xpad knows no object of {type(obj).__module__}.{type(obj).__qualname__}; it knows {known}. "
        f"Make an xarray Dataset of it."
    )


# Variables with ISTP's attributes -----------------------------------------------------------------


@dataclass
class _Variables:
    """Arrays by name, with the attributes that a CDF file would have of them."""

    values: dict[str, NDArray] = field(default_factory=dict)
    attrs: dict[str, dict[str, Any]] = field(default_factory=dict)

    def place(self, name: str, owner: str, values: NDArray, attrs: Mapping[str, Any]) -> str:
        """Enter an axis under its name, or with its owner's where another has that name."""
        for candidate in (name, f"{owner}_{name}"):
            found = self.values.get(candidate)
            if found is None:
                self.values[candidate] = values
                self.attrs[candidate] = dict(attrs)
                return candidate
            if _same(found, values):
                return candidate
        raise ReaderError(f"{owner!r} has two different axes called {name!r}: rename one of them.")

    def dataset(self, global_attrs: Mapping[str, Any], what: str) -> xr.Dataset:
        """Name the dimensions, by the rules for CDF files."""
        if not self.values:
            raise ReaderError(f"{what} holds no variables.")
        infos = {name: self._info(name) for name in self.values}
        layout = lay_out(infos, self.attrs)
        variables = {}
        for name, entry in layout.entries.items():
            dims = ([entry.record] if entry.record is not None else []) + entry.dims
            found = attributes(entry.info, self.attrs[name])
            found.pop("CDF_DATA_TYPE", None)
            variables[name] = xr.Variable(dims, self.values[name], found)
        coordinates = {
            name: item for name, item in variables.items() if layout.entries[name].is_coordinate
        }
        rest = {name: item for name, item in variables.items() if name not in coordinates}
        return storable(xr.Dataset(rest, coordinates, dict(global_attrs)))

    def _info(self, name: str) -> VariableInfo:
        values = self.values[name]
        is_time = values.dtype.kind == "M"
        kind = (
            "CDF_EPOCH" if is_time else "CDF_CHAR" if values.dtype.kind in "OSUT" else "CDF_REAL8"
        )
        pointed = {attrs.get("DEPEND_0") for attrs in self.attrs.values()}
        varying = values.ndim > 0 and ("DEPEND_0" in self.attrs[name] or name in pointed or is_time)
        shape = values.shape[1:] if varying else values.shape
        return VariableInfo(kind, shape, len(values) if varying else 1, varying)


def _same(one: NDArray, other: NDArray) -> bool:
    return np.array_equal(one, other, equal_nan=one.dtype.kind in "fM" and other.dtype.kind in "fM")


def _plain(values: Any) -> NDArray:
    """Return an array of numbers, texts or datetime64[ns]; times may be objects or ISO 8601."""
    array = np.array(values)
    if array.dtype.kind == "M" or (array.dtype == object and _holds_times(array)):
        return array.astype("datetime64[ns]")
    return array


def _holds_times(array: NDArray) -> bool:
    return array.size > 0 and hasattr(array.ravel()[0], "isoformat")


def _from(module: str, name: str) -> Callable[[Any], bool]:
    """Whether an object's class, or one that it is made of, has that name in that library."""

    def fits(obj: Any) -> bool:
        return any(
            one.__name__ == name and one.__module__.partition(".")[0] == module
            for one in type(obj).__mro__
        )

    return fits


# speasy -------------------------------------------------------------------------------------------

_is_speasy = _from("speasy", "SpeasyVariable")


def _are_speasy(obj: Any) -> bool:
    several = obj.values() if isinstance(obj, Mapping) else obj
    return (
        isinstance(obj, Mapping | list | tuple)
        and len(obj) > 0
        and all(_is_speasy(one) for one in several)
    )


def _read_speasy(obj: Any) -> xr.Dataset:
    found = _Variables()
    named: Iterable[tuple[Any, Any]]
    if isinstance(obj, Mapping):
        named = obj.items()
    else:
        named = ((one.name, one) for one in (obj if isinstance(obj, Sequence) else [obj]))
    for key, one in named:
        name = str(key or "flux")
        attrs = {k: v for k, v in one.meta.items() if not str(k).startswith("DEPEND_")}
        if one.unit:
            attrs.setdefault("UNITS", str(one.unit))
        if one.fill_value is not None:
            attrs.setdefault("FILLVAL", one.fill_value)
        time, *axes = one.axes
        attrs["DEPEND_0"] = found.place(time.name or "time", name, _plain(time.values), {})
        for number, axis in enumerate(axes, 1):
            own = {k: v for k, v in axis.meta.items() if not str(k).startswith("DEPEND_")}
            if axis.unit:
                own.setdefault("UNITS", str(axis.unit))
            if axis.is_time_dependent:
                own["DEPEND_0"] = attrs["DEPEND_0"]
            label = axis.name or f"{name}_axis{number}"
            attrs[f"DEPEND_{number}"] = found.place(label, name, _plain(axis.values), own)
        values = np.array(one.values)
        if values.ndim == 2 and values.shape[1] == 1 and not axes:  # speasy's single values
            values = values[:, 0]
        found.place(name, "speasy", values, attrs)
    return found.dataset({}, "The speasy variable")


# spacepy ------------------------------------------------------------------------------------------


def _read_spacepy(obj: Any) -> xr.Dataset:
    found = _Variables()
    for name, values in obj.items():
        found.values[str(name)] = _plain(values)
        found.attrs[str(name)] = {str(key): value for key, value in _attrs_of(values).items()}
    return found.dataset({str(key): value for key, value in obj.attrs.items()}, "The SpaceData")


def _attrs_of(values: Any) -> Mapping[str, Any]:
    return getattr(values, "attrs", {})


# hapiclient ---------------------------------------------------------------------------------------


def _is_hapi(obj: Any) -> bool:
    return (
        isinstance(obj, tuple | list)
        and len(obj) == 2
        and isinstance(obj[0], np.ndarray)
        and obj[0].dtype.names is not None
        and isinstance(obj[1], Mapping)
        and "parameters" in obj[1]
    )


def _read_hapi(obj: Any) -> xr.Dataset:
    data, meta = obj
    found = _Variables()
    parameters = [one for one in meta["parameters"] if one["name"] in data.dtype.names]
    time = parameters[0]["name"]
    for one in parameters:
        name = one["name"]
        attrs = {"CATDESC": one.get("description"), "UNITS": _unit(one.get("units"))}
        if one.get("label"):
            attrs["LABLAXIS"] = str(one["label"])
        if one.get("type") == "isotime":
            found.values[name], found.attrs[name] = _hapi_times(data[name], one), {}
            if name != time:
                found.attrs[name]["DEPEND_0"] = time
            continue
        fill = _number(one.get("fill"))
        if fill is not None:
            attrs["FILLVAL"] = fill
        attrs["DEPEND_0"] = time
        for number, axis in enumerate(one.get("bins") or [], 1):
            label = str(axis.get("name") or f"{name}_bins{number}").strip().replace(" ", "_")
            centers = axis.get("centers")
            if isinstance(centers, str):  # another parameter, which changes in time
                attrs[f"DEPEND_{number}"] = centers
                continue
            if centers is None and axis.get("ranges") is not None:
                centers = np.mean(np.asarray(axis["ranges"], dtype="f8"), axis=1)
            if centers is None or isinstance(axis.get("ranges"), str):
                continue
            own = {"UNITS": _unit(axis.get("units")), "CATDESC": axis.get("description")}
            values = np.array([np.nan if center is None else center for center in centers])
            attrs[f"DEPEND_{number}"] = found.place(label, name, values, _given(own))
        found.values[name], found.attrs[name] = np.array(data[name]), _given(attrs)
    about = {key: meta[key] for key in ("description", "resourceURL", "x_dataset") if key in meta}
    return found.dataset(about, "The HAPI data")


def _hapi_times(values: NDArray, parameter: Mapping[str, Any]) -> NDArray[np.datetime64]:
    fill = str(parameter.get("fill"))
    texts = [one.decode() if isinstance(one, bytes) else str(one) for one in values.ravel()]
    known = np.array([text not in ("", fill) for text in texts], dtype=bool)
    out = np.full(len(texts), np.datetime64("NaT", "ns"))
    try:
        out[known] = from_iso(text for text in texts if text not in ("", fill))
    except ValueError as error:
        raise ReaderError(f"The HAPI data cannot be read: {error}.") from error
    return out.reshape(values.shape)


def _unit(units: Any) -> str | None:
    first = next((one for one in units if one), None) if isinstance(units, list) else units
    return str(first) if first else None


def _number(text: Any) -> float | None:
    try:
        return float(text)
    except (TypeError, ValueError):
        return None


def _given(attrs: Mapping[str, Any]) -> dict[str, Any]:
    return {key: value for key, value in attrs.items() if value is not None}


# xarray -------------------------------------------------------------------------------------------


def _is_pyrfu(obj: Any) -> bool:
    """Whether it is what pyrfu's ``get_pitch_angle_dist`` gives; its ``theta`` says not of what."""
    if not isinstance(obj, xr.Dataset) or not {"data", "energy", "theta"} <= set(obj.variables):
        return False
    theta, data = obj["theta"], obj["data"]
    return (
        "phi" not in obj.variables
        and data.ndim == 3
        and theta.ndim > 0
        and str(theta.dims[-1]).startswith("idx")
        and {*theta.dims, *obj["energy"].dims} <= set(data.dims)
    )


def _read_pyrfu(obj: xr.Dataset) -> xr.Dataset:
    out = obj.copy()
    for name in ("data", "energy", "theta"):
        out[name].attrs = dict(out[name].attrs)
    is_angle = {
        "UNITS": "deg",
        "units": "deg",
        "CATDESC": "Pitch angle",
        "long_name": "pitch angle",
    }
    out["theta"].attrs.update(is_angle)
    out["energy"].attrs.setdefault("UNITS", "eV")
    out["energy"].attrs.setdefault("units", str(out["energy"].attrs["UNITS"]))
    data = out["data"]
    if "UNITS" in data.attrs:
        data.attrs.setdefault("units", str(data.attrs["UNITS"]))
    axes = {out["energy"].dims[-1]: "energy", out["theta"].dims[-1]: "theta"}
    for number, dim in enumerate(data.dims):
        if dim in axes:
            data.attrs[f"DEPEND_{number}"] = axes[dim]
    out = out.drop_vars([dim for dim in axes if dim in out.coords])  # they count, no more
    return storable(out.set_coords(["energy", "theta"]))


def _read_array(obj: xr.DataArray) -> xr.Dataset:
    return obj.to_dataset(name=obj.name if obj.name is not None else "flux")


KINDS: dict[str, Kind] = {
    "pyrfu": Kind("pitch-angle distributions of pyrfu", _is_pyrfu, _read_pyrfu),
    "dataset": Kind("xarray Datasets", lambda obj: isinstance(obj, xr.Dataset), lambda obj: obj),
    "array": Kind("DataArrays", lambda obj: isinstance(obj, xr.DataArray), _read_array),
    "speasy": Kind(
        "SpeasyVariables, a list or dict of them",
        lambda obj: _is_speasy(obj) or _are_speasy(obj),
        _read_speasy,
    ),
    "spacepy": Kind("SpaceData of spacepy", _from("spacepy", "SpaceData"), _read_spacepy),
    "hapi": Kind("(data, meta) of hapiclient", _is_hapi, _read_hapi),
}
"""Each kind of object that `as_dataset` takes; the first that fits is it."""
