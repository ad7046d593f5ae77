"""Make attributes that a file can hold.

NetCDF and Zarr hold text, real numbers and flat lists of either. Loaders of mission data attach
much more: nested dicts, datetimes, arrays of arrays, plot settings, a ``units`` on times. What a
file cannot hold is written as JSON; the values and the coordinates are left alone.
"""

from __future__ import annotations

import datetime
import json
from collections.abc import Hashable, Mapping
from typing import Any, TypeVar

import numpy as np
import pandas as pd
import xarray as xr

DatasetOrArray = TypeVar("DatasetOrArray", xr.Dataset, xr.DataArray)

#: Units that a reader of the file would take for a time span, and turn the numbers into one.
_SPANS = frozenset(
    ["days", "hours", "minutes", "seconds", "milliseconds", "microseconds", "nanoseconds"],
)
#: Attributes that belong to the encoding: found among the attributes of values in memory, they
#: would change those values when the file is read.
_ENCODING_ONLY = frozenset(
    [
        "_FillValue",
        "missing_value",
        "scale_factor",
        "add_offset",
        "_Unsigned",
        "dtype",
        "coordinates",
    ]
)
#: Attributes that HDF5 and netCDF-4 keep for themselves.
_RESERVED = frozenset(
    {
        "CLASS",
        "NAME",
        "DIMENSION_LIST",
        "REFERENCE_LIST",
        "_Netcdf4Coordinates",
        "_Netcdf4Dimid",
        "_nc3_strict",
        "_NCProperties",
    }
)


def storable(obj: DatasetOrArray) -> DatasetOrArray:
    """Return the same data with attributes that netCDF and Zarr can hold.

    Parameters
    ----------
    obj : xarray.Dataset or xarray.DataArray
        For example the raw result of ``cdflib.xarray.cdf_to_xarray``, or a DataArray of pyspedas.
        It is not changed.

    Returns
    -------
    xarray.Dataset or xarray.DataArray
        A shallow copy: the same values (also where they are dask arrays), dimensions and
        coordinates. Nested dicts, datetimes, mixed lists and objects among the attributes are
        JSON text; ``units`` and ``calendar`` are gone from times, which carry their own; a
        ``units`` that would turn numbers into times on reading is kept as ``UNITS``; an attribute
        that belongs to an encoding (``scale_factor``, ``_FillValue``…) or to HDF5 (``NAME``) is
        kept under the name ``raw_…``. Fixed-width text becomes variable-width text, which Zarr
        specifies.

    Examples
    --------
    >>> import xarray as xr
    >>> flux = xr.DataArray([1.0, 2.0], dims="time", name="FEDU")
    >>> flux.attrs = {"CDF": {"VATT": {"DEPEND_1": "FEDU_Alpha"}}, "units": "s-1"}
    >>> storable(flux).attrs
    {'CDF': '{"VATT": {"DEPEND_1": "FEDU_Alpha"}}', 'units': 's-1'}
    """
    out = obj.copy(deep=False)
    out.attrs = _attributes(obj.attrs)
    if isinstance(out, xr.DataArray):
        out.attrs = _variable_attributes(out.variable)
        if out.dtype.kind == "U":
            out = out.copy(data=_text(out.variable))
        names: list[Hashable] = list(out.coords)
    else:
        names = list(out.variables)
    for name in names:
        variable = out[name].variable
        # A level of an index of several belongs to that, and no store holds one.
        is_level = isinstance(out.indexes.get(name), pd.MultiIndex)
        if variable.dtype.kind == "U" and not is_level:
            replaced = {name: xr.Variable(variable.dims, _text(variable))}
            is_coordinate = name in out.coords
            out = out.assign_coords(replaced) if is_coordinate else out.assign(replaced)
        out[name].attrs = _variable_attributes(variable)
    return out


def storable_value(value: Any) -> Any:
    """Return one attribute's value as text, a real number, or a flat list or array of either.

    Parameters
    ----------
    value : object
        Anything found in an ``attrs``.

    Returns
    -------
    object
        Numbers keep their NumPy type, booleans become 0 and 1, times become ISO 8601 text, and
        all that a file cannot hold becomes JSON text.

    Examples
    --------
    >>> storable_value({"a": [1, None]})
    '{"a": [1, null]}'
    >>> storable_value(True)
    1
    """
    if isinstance(value, str):
        return str(value)
    if isinstance(value, bytes):
        return value.decode("utf-8", errors="replace")
    if isinstance(value, bool | np.bool_):
        return int(value)
    if isinstance(value, np.ndarray):
        return _array(value)
    if _is_time(value):
        return _plain(value)
    if isinstance(value, np.generic):
        return value if value.dtype.kind in "iuf" else json.dumps(_plain(value))
    if isinstance(value, int):
        return value if -(2**63) <= value < 2**63 else str(value)
    if isinstance(value, float):
        return value
    if isinstance(value, list | tuple):
        return _sequence(list(value))
    return json.dumps(_plain(value))


def _array(value: np.ndarray) -> Any:
    if value.ndim == 0:
        return storable_value(value[()])
    if value.ndim == 1 and value.dtype.kind in "iuf":
        return value
    if value.ndim == 1:
        return _sequence(list(value))
    return json.dumps(_plain(value))


def _sequence(values: list[Any]) -> Any:
    stored = [storable_value(value) for value in values]
    if all(isinstance(value, str) for value in values):
        return stored
    if all(_is_time(value) for value in values):
        return stored
    numeric = (int, float, np.integer, np.floating, np.bool_)
    if all(isinstance(value, numeric) for value in values):
        return stored
    return json.dumps(_plain(values))


def _is_time(value: Any) -> bool:
    times = (datetime.datetime, datetime.date, datetime.timedelta, np.datetime64, np.timedelta64)
    return isinstance(value, times)


def _plain(value: Any) -> Any:
    """Return `value` out of what JSON knows; what has no such form is described by its repr."""
    if value is None or isinstance(value, bool | int | float | str):
        return value if not isinstance(value, np.generic) else value.item()
    if isinstance(value, Mapping):
        return {str(key): _plain(item) for key, item in value.items()}
    if isinstance(value, list | tuple | set | frozenset):
        return [_plain(item) for item in value]
    if isinstance(value, np.ndarray):
        return [_plain(item) for item in value] if value.ndim else _plain(value[()])
    if isinstance(value, datetime.date):
        return value.isoformat()
    if _is_time(value) or isinstance(value, np.complexfloating | complex):
        return str(value)
    if isinstance(value, np.generic):
        return _plain(value.item())
    if isinstance(value, bytes):
        return value.decode("utf-8", errors="replace")
    return repr(value)


def _attributes(attrs: Mapping[Any, Any]) -> dict[str, Any]:
    return _renamed({str(key): storable_value(item) for key, item in attrs.items()}, _RESERVED)


def _renamed(attrs: dict[str, Any], keys: frozenset[str]) -> dict[str, Any]:
    return {f"raw_{key.lstrip('_')}" if key in keys else key: attrs[key] for key in attrs}


def _variable_attributes(variable: xr.Variable) -> dict[str, Any]:
    attrs = _renamed(_attributes(variable.attrs), _ENCODING_ONLY)
    if variable.dtype.kind in "mM":
        attrs.pop("units", None)
        attrs.pop("calendar", None)
    units = attrs.get("units")
    if isinstance(units, str) and (units in _SPANS or " since " in units):
        attrs.setdefault("UNITS", attrs.pop("units"))
    return attrs


def _text(variable: xr.Variable) -> Any:
    """Return text of fixed width as text of variable width; lazily where it is a dask array."""
    is_lazy = variable.chunks is not None
    string_dtype = getattr(getattr(np, "dtypes", None), "StringDType", None)
    wanted = string_dtype() if is_lazy and string_dtype is not None else np.dtype(object)
    return variable.data.astype(wanted)
