"""NetCDF files, plain or with groups, as one flat Dataset."""

from collections import Counter
from collections.abc import Collection, Hashable, Mapping, Sequence
from typing import Any

import numpy as np
import xarray as xr

from xpad.attributes import storable
from xpad.errors import ReaderError
from xpad.readers import times
from xpad.readers.files import first_bytes
from xpad.readers.lazy import chunk_length, chunked

__all__ = ["flatten", "join", "read_netcdf", "select"]

#: Units that mean seconds since 1970, in words that CF does not know.
_POSIX = frozenset({"posixtime", "posix time", "unixtime", "unix time"})


def read_netcdf(paths: Sequence[str], variable: str | Collection[str] | None = None) -> xr.Dataset:
    """Open netCDF files lazily; groups are flattened into one Dataset.

    Parameters
    ----------
    paths : sequence of str
        Several files are joined along their first shared dimension of times, else along the
        first dimension of the first variable, in the order of their first values.
    variable : str or several, optional
        Keep these and the variables of the same records that have no further dimension.

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
        If a file cannot be read.
    """
    dataset = join([_open_one(path) for path in paths], paths)
    return storable(select(dataset, variable, paths[0]))


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


def join(datasets: Sequence[xr.Dataset], paths: Sequence[str]) -> xr.Dataset:
    """Join Datasets along their records, in the order of their first times.

    Parameters
    ----------
    datasets : sequence of xarray.Dataset
    paths : sequence of str
        Where they come from.

    Returns
    -------
    xarray.Dataset
        With an empty encoding, so that it can be written with other chunks than it was read with.

    Raises
    ------
    ReaderError
        If they do not fit together.
    """
    dataset = datasets[0]
    if len(datasets) > 1:
        dim = next(iter(record_dimensions(dataset)), None)
        if dim is None or any(dim not in other.dims for other in datasets):
            raise ReaderError(
                f"{paths[0]} and {len(paths) - 1} more share no record dimension to be joined "
                f"along: open them one by one."
            )
        lazy = [chunked(_without_encoding(one), "auto", {}) for one in datasets]
        ordered = sorted(lazy, key=lambda one: one[dim].values[:1].tolist())
        try:
            dataset = xr.concat(
                ordered,
                dim=dim,
                data_vars="minimal",
                coords="minimal",
                compat="equals",
                join="exact",
                combine_attrs="override",
            )
        except ValueError as error:
            raise ReaderError(
                f"{paths[0]} and {len(paths) - 1} more cannot be joined along {dim!r}: {error}"
            ) from error
    dataset = _without_encoding(dataset)
    dataset.encoding["source"] = paths[0] if len(paths) == 1 else list(paths)
    return dataset


def _without_encoding(dataset: xr.Dataset) -> xr.Dataset:
    """Drop what would bind a later writing to the chunks and codecs of this file."""
    # Not by drop_encoding, which loads the variables in xarray before 2025.12.
    out = dataset.copy()
    out.encoding = {}
    for item in out.variables.values():
        item.encoding = {}
    for dim in record_dimensions(dataset):
        records = dataset.sizes[dim]
        members = [item for item in dataset.variables.values() if dim in item.dims]
        largest = max(item.nbytes // max(records, 1) for item in members)
        for name, item in out.variables.items():
            if dim in item.dims:
                own = dataset.variables[name].encoding.get("preferred_chunks")
                length = chunk_length([records], largest)
                item.encoding["preferred_chunks"] = own or {dim: length}
    return out


def record_dimensions(dataset: xr.Dataset) -> list[Hashable]:
    """Return the dimensions of times, else the first dimension of the first variable."""
    found = [name for name, index in dataset.indexes.items() if index.dtype.kind == "M"]
    if not found and "time" in dataset.dims:
        found = ["time"]
    first = next((item.dims[0] for item in dataset.data_vars.values() if item.dims), None)
    return found or ([first] if first is not None else [])


def select(dataset: xr.Dataset, variable: str | Collection[str] | None, path: str) -> xr.Dataset:
    """Keep some variables, and those of the same records that have no further dimension."""
    if variable is None:
        return dataset
    asked = [variable] if isinstance(variable, str) else list(variable)
    for name in asked:
        if name not in dataset.variables:
            known = ", ".join(map(str, dataset.data_vars))
            raise ReaderError(f"{path} holds no variable {name!r}. It holds {known}.")
    records = {dim for name in asked for dim in dataset[name].dims[:1]}
    company = [
        name
        for name, other in dataset.data_vars.items()
        if other.dims and set(other.dims) <= records
    ]
    return dataset[list(dict.fromkeys([*asked, *company]))]


def _open_one(path: str) -> xr.Dataset:
    is_hdf5 = first_bytes(path).startswith(b"\x89HDF")
    options: dict[str, Any] = {"decode_timedelta": False, "chunks": None, "cache": False}
    try:
        if is_hdf5:
            groups = xr.open_groups(path, engine="h5netcdf", **options)
        else:
            groups = {"/": xr.open_dataset(path, **options)}
    except ReaderError:
        raise
    except Exception as error:
        raise ReaderError(
            f"{path} cannot be read as netCDF: {type(error).__name__}: {error}. It is damaged or "
            f"truncated, or of a kind that xarray.open_dataset does not read."
        ) from error
    dataset = flatten(groups)
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


def _plain_times(variable: xr.Variable) -> xr.Variable:
    """Decode seconds since 1970 that CF does not recognise by their units."""
    attrs = {key: value for key, value in variable.attrs.items() if key != "units"}
    attrs["UNITS"] = variable.attrs["units"]
    if variable.dtype == np.float32 and variable.size:
        step = float(np.spacing(np.float32(np.nanmax(np.abs(variable.values)))))
        attrs["comment"] = f"stored as float32 seconds since 1970, so only good to {step:g} s"
    return xr.Variable(variable.dims, times.decode(variable.values, "UNIX"), attrs)
