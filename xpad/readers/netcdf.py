"""NetCDF files, plain or with groups, as one flat Dataset."""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Hashable, Mapping
from typing import Any

import numpy as np
import xarray as xr

from xpad.errors import ReaderError, told_as, warned_as
from xpad.readers import times
from xpad.readers.lazy import told
from xpad.readers.paths import first_bytes

#: Units that mean seconds since 1970, in words that CF does not know.
_POSIX = frozenset({"posixtime", "posix time", "unixtime", "unix time"})
_CLASSIC = (b"CDF\x01", b"CDF\x02")


def flatten(groups: Mapping[str, xr.Dataset]) -> xr.Dataset:
    """Put the variables of all groups into one Dataset.

    Parameters
    ----------
    groups : mapping
        Path of the group ("/", "/flux") to its Dataset.

    Returns
    -------
    xarray.Dataset

    Examples
    --------
    >>> import xarray as xr
    >>> parts = {"/": xr.Dataset({"L": ("time", [4.0])}), "/a": xr.Dataset({"j": ("time", [1.0])})}
    >>> list(flatten(parts).data_vars)
    ['L', 'j']
    """
    names = Counter(name for dataset in groups.values() for name in dataset.variables)
    clashes = {
        name
        for name, count in names.items()
        if count > 1 and not _is_same_everywhere(name, groups.values())
    }
    values: dict[str, xr.Variable] = {}
    coordinates: dict[str, xr.Variable] = {}
    attrs: dict[str, Any] = {}
    for path, dataset in groups.items():
        group = path.strip("/").replace("/", "_")
        for name, variable in dataset.variables.items():
            full = f"{group}_{name}" if group and name in clashes else str(name)
            (coordinates if name in dataset.coords else values)[full] = variable
        for key, value in dataset.attrs.items():
            attrs[f"{group}_{key}" if group and key in attrs else str(key)] = value
    return _free_dimension_names(values, coordinates, attrs)


def _is_same_everywhere(name: Hashable, datasets: Collection[xr.Dataset]) -> bool:
    found = [dataset.variables[name] for dataset in datasets if name in dataset.variables]
    return all(one.dims == (name,) and one.equals(found[0]) for one in found)


def _free_dimension_names(
    values: dict[str, xr.Variable], coordinates: dict[str, xr.Variable], attrs: dict[str, Any]
) -> xr.Dataset:
    """Rename dimensions whose name a variable of several dimensions has; make it a coordinate."""
    everything = {**values, **coordinates}
    dims = {dim for variable in everything.values() for dim in variable.dims}
    taken = {
        name: f"{name}_dim"
        for name, variable in everything.items()
        if name in dims and variable.ndim > 1
    }
    renamed = {name: _rename_dims(variable, taken) for name, variable in everything.items()}
    is_coordinate = {*coordinates, *taken, *(name for name in renamed if name in dims)}
    return xr.Dataset(
        {name: renamed[name] for name in renamed if name not in is_coordinate},
        {name: renamed[name] for name in renamed if name in is_coordinate},
        attrs,
    )


def _rename_dims(variable: xr.Variable, names: Mapping[str, str]) -> xr.Variable:
    dims = [names.get(str(dim), dim) for dim in variable.dims]
    return xr.Variable(dims, variable._data, variable.attrs, variable.encoding, fastpath=True)


def open_netcdf(path: str) -> xr.Dataset:
    """Open a netCDF file lazily; groups are flattened into one Dataset.

    Parameters
    ----------
    path : str

    Returns
    -------
    xarray.Dataset
        Variables of groups under their plain names, or as ``group_name`` where two groups share a
        name. A variable of several dimensions that has the name of one of them (``energy(time,
        energy)``) is made a coordinate, and the dimension is called ``<name>_dim``. Seconds since
        1970 that call themselves "posixtime" become times.

    Raises
    ------
    ReaderError
        If the file cannot be read.
    """
    start = first_bytes(path)
    options: dict[str, Any] = {"decode_timedelta": False, "chunks": None, "cache": False}
    with warned_as(path), told_as(path, lambda error: _unreadable(path, error)):
        if start.startswith(b"\x89HDF"):
            groups = xr.open_groups(path, engine="h5netcdf", **options)
        else:
            # The C library hangs on some damaged files of the classic formats.
            engine = "scipy" if start.startswith(_CLASSIC) else None
            groups = {"/": xr.open_dataset(path, engine=engine, **options)}
    dataset = told(flatten(groups), path)
    if not dataset.variables:
        raise ReaderError(f"{path} holds no variables.")
    decoded = {
        name: _plain_times(variable)
        for name, variable in dataset.variables.items()
        if str(variable.attrs.get("units", "")).strip().lower() in _POSIX
        and variable.dtype.kind in "iuf"
    }
    coordinates = {name: decoded[name] for name in decoded if name in dataset.coords}
    values = {name: decoded[name] for name in decoded if name not in dataset.coords}
    return dataset.assign(values).assign_coords(coordinates)


def _unreadable(path: str, error: Exception) -> ReaderError:
    return ReaderError(
        f"{path} cannot be read as netCDF: {type(error).__name__}: {error}. It is damaged or "
        f"truncated, or of a kind that xarray.open_dataset does not read."
    )


def _plain_times(variable: xr.Variable) -> xr.Variable:
    """Decode seconds since 1970 that CF does not recognise by their units."""
    attrs = {key: value for key, value in variable.attrs.items() if key != "units"}
    attrs["UNITS"] = variable.attrs["units"]
    if variable.dtype == np.float32 and variable.size:
        step = float(np.spacing(np.float32(np.nanmax(np.abs(variable.values)))))
        attrs["comment"] = f"stored as float32 seconds since 1970, so only good to {step:g} s"
    return xr.Variable(variable.dims, times.decode(variable.values, "UNIX"), attrs)
