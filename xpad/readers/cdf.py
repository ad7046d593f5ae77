"""CDF files, one or thousands, as one lazy Dataset.

At opening, one header for each file is read, its record times, and its axes. The records stay on
disk until they are asked for, and are then read with ``cdflib.CDF.varget(name, startrec, endrec)``,
from a file opened for that read only: nothing is held open, and nothing that grows is cached.
"""

import difflib
import functools
import logging
import math
import os
import struct
from collections.abc import Collection, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import numpy as np
import xarray as xr
from numpy.typing import NDArray
from xarray.core import indexing

from xpad.attributes import storable
from xpad.errors import OptionError, ReaderError
from xpad.readers import times
from xpad.readers.istp import Entry, Layout, VariableInfo, attributes, lay_out
from xpad.readers.lazy import RecordArray, TableArray, chunk_length
from xpad.readers.notice import notice

__all__ = ["read_cdf", "read_records"]

_log = logging.getLogger("xpad.readers.cdf")


@dataclass(frozen=True)
class Header:
    """What the header of one file says.

    Attributes
    ----------
    path : str
    variables : dict of VariableInfo
    """

    path: str
    variables: Mapping[str, VariableInfo]

    @property
    def records(self) -> int:
        """The number of records of the longest variable."""
        return max((info.records for info in self.variables.values() if info.varying), default=0)


@dataclass(frozen=True)
class Scan:
    """What is kept of one file after opening.

    Attributes
    ----------
    path : str
    counts : dict of int
        Record dimension to the number of records.
    times : dict of numpy.ndarray
        Record dimension to the values of its coordinate.
    static : dict of numpy.ndarray
        The values of the static variables.
    faults : dict of str
        Variables that cannot be joined with those of the first file, and why.
    dtypes : dict of numpy.dtype
        Of the variables whose dtype is not the first file's.
    """

    path: str
    counts: Mapping[str, int]
    times: Mapping[str, NDArray]
    static: Mapping[str, NDArray]
    faults: Mapping[str, str]
    dtypes: Mapping[str, np.dtype]


def read_cdf(
    paths: Sequence[str],
    variable: str | Collection[str] | None = None,
    *,
    on_error: str = "raise",
    drop_variables: Collection[str] = (),
) -> xr.Dataset:
    """Open CDF files as one Dataset with lazily indexed variables.

    Parameters
    ----------
    paths : sequence of str
        Files of one product. They are put in the order of their first times, and their records
        follow each other as they stand: not sorted, nothing dropped.
    variable : str or several, optional
        Keep these, the axes they depend on, and those variables on the same record dimension
        that have no axis of their own (L, MLT, position…). Default: all.
    on_error : {"raise", "skip"}
        What to do about a file that cannot be read: stop, or leave it out with an `XpadWarning`
        and list it in ``attrs["xpad_skipped"]``.
    drop_variables : collection of str
        Variables to leave out.

    Returns
    -------
    xarray.Dataset
        Raw values: fill values as stored, FILLVAL among the attributes, times as datetime64[ns].
        An axis (energies, pitch angles) that is not the same in all files becomes a coordinate
        along the records. A variable that a file lacks, or holds in another shape, is left out
        with an `XpadWarning`. ``encoding["preferred_chunks"]`` has the length of a chunk.

    Raises
    ------
    ReaderError
        If a file is not a CDF file, or is truncated or damaged; if a variable that was asked for
        is missing; if two files have axes of different lengths.
    """
    if on_error not in ("raise", "skip"):
        raise OptionError(f"on_error={on_error!r} is not possible; use 'raise' or 'skip'.")
    asked = [variable] if isinstance(variable, str) else list(variable or [])
    skipped: list[str] = []
    tolerate = functools.partial(_tolerate, on_error=on_error, skipped=skipped)
    template, names, global_attrs = _template(paths, tolerate)
    layout = lay_out(template.variables, names)
    _select(layout, names, asked, drop_variables, template.path)

    scans = []
    for path in paths:
        with tolerate(path):
            scans.append(_scan(path, layout))
    if not scans:
        raise ReaderError(f"None of the {len(paths)} files can be read; the first: {skipped[0]}")
    scans = _in_time_order(scans)
    _leave_out_faulty(layout, scans, asked)

    dataset = _assemble(layout, names, scans)
    dataset.attrs = {**global_attrs, **dataset.attrs}
    if skipped:
        dataset.attrs["xpad_skipped"] = [line.split(": ")[0] for line in skipped]
        notice(
            f"{len(skipped)} of {len(paths)} files could not be read and are left out (see "
            f"attrs['xpad_skipped']). The first: {skipped[0]}"
        )
    _warn_of_times(dataset, layout)
    return storable(dataset)


def read_records(path: str, start: int, stop: int, *, variable: str, info: VariableInfo) -> NDArray:
    """Read records of one variable from one file.

    Parameters
    ----------
    path : str
    start, stop : int
        The records, counted from 0 in this file; `stop` is not among them.
    variable : str
    info : VariableInfo
        What the header said at opening.

    Returns
    -------
    numpy.ndarray
        Shape (stop - start, *info.shape), native byte order.

    Raises
    ------
    ReaderError
        If the file has gone, is truncated or damaged; it names file and variable.
    """
    with _named_errors(path, variable):
        cdf = _open(path)
        values = cdf.varget(variable, startrec=start, endrec=stop - 1)
        return _values(values, info, stop - start, path, variable)


def _values(
    values: Any, info: VariableInfo, records: int | None, path: str, variable: str
) -> NDArray:
    """Return what varget gave in the shape and dtype that the header promised."""
    shape = info.shape if records is None else (records, *info.shape)
    array = np.asarray(values)
    if array.size != math.prod(shape):
        raise ReaderError(
            f"{path}: variable {variable!r} gave {array.size} values where the header promises "
            f"{' x '.join(map(str, shape))}. The file is damaged; fetch it again."
        )
    array = array.reshape(shape)
    if info.is_time:
        return times.decode(array, info.cdf_type)
    return array.astype(info.dtype, copy=False)


# Opening one file -------------------------------------------------------------------------------


def _open(path: str) -> Any:
    """Open a CDF file with cdflib, if it is all there."""
    from cdflib import CDF

    _check_length(path)
    return CDF(path, string_encoding="latin-1")


def _check_length(path: str) -> None:
    """Compare the file's length with what its header announces.

    cdflib hands out zeros for what is missing at the end of a file.
    """
    with open(path, "rb") as file:
        start = file.read(64)
        if start[4:8] == b"\xcc\xcc\x00\x01" or len(start) < 20:
            return  # compressed as a whole: what is missing breaks the decompression
        is_version_3 = start.startswith(b"\xcd\xf3")
        position = struct.unpack(">q", start[20:28])[0] if is_version_3 else 0
        if not is_version_3:
            position = struct.unpack(">i", start[16:20])[0]
        file.seek(max(position, 0))
        header = file.read(44)
    size = os.path.getsize(path)
    try:
        if is_version_3:
            announced = struct.unpack(">q", header[36:44])[0]
        else:
            announced = struct.unpack(">i", header[20:24])[0]
    except struct.error:
        announced = position + 44
    if announced > size:
        raise ReaderError(
            f"{path} is truncated: its header announces {announced} bytes, the file has {size}. "
            f"Fetch it again, or pass on_error='skip'."
        )


@contextmanager
def _named_errors(path: str, variable: str | None = None) -> Iterator[None]:
    """Turn whatever a damaged file makes cdflib raise into an error that names the file."""
    try:
        yield
    except ReaderError:
        raise
    except FileNotFoundError as error:
        raise ReaderError(f"{path} does not exist (any more).") from error
    except Exception as error:
        where = f"{path}: variable {variable!r}" if variable else path
        reason = str(error) or "no reason given"
        raise ReaderError(
            f"{where} cannot be read: {type(error).__name__}: {reason}. The file is damaged or "
            f"truncated; fetch it again, or pass on_error='skip' to open_dataset."
        ) from error


@contextmanager
def _tolerate(path: str, *, on_error: str, skipped: list[str]) -> Iterator[None]:
    try:
        yield
    except ReaderError as error:
        if on_error == "raise":
            raise
        reason = str(error).removeprefix(path).strip(": ")
        if not any(line.startswith(f"{path}: ") for line in skipped):
            skipped.append(f"{path}: {reason}")


def _header(path: str, cdf: Any) -> Header:
    info = cdf.cdf_info()
    if info.Compressed:
        _log.info("%s is compressed as a whole, which makes every read of it slow", path)
    variables = {}
    for name in [*info.rVariables, *info.zVariables]:
        found = cdf.varinq(name)
        variables[name.strip()] = VariableInfo(
            cdf_type=found.Data_Type_Description,
            shape=tuple(int(size) for size in found.Dim_Sizes),
            records=int(found.Last_Rec) + 1,
            varying=bool(found.Rec_Vary),
        )
    if not variables:
        raise ReaderError(f"{path} holds no variables.")
    return Header(path, variables)


def _template(
    paths: Sequence[str], tolerate: Any
) -> tuple[Header, dict[str, dict[str, Any]], dict[str, Any]]:
    """Return the header and the attributes of the first file that is typical.

    A file of one record, or none, does not show which variables change in time.
    """
    best: Header | None = None
    for path in paths:
        with tolerate(path), _named_errors(path):
            header = _header(path, _open(path))
            if best is None or header.records > best.records:
                best = header
        if best is not None and best.records > 1:
            break
    if best is None:
        with _named_errors(paths[0]):
            best = _header(paths[0], _open(paths[0]))
    with _named_errors(best.path):
        return best, *_all_attributes(best)


def _all_attributes(header: Header) -> tuple[dict[str, dict[str, Any]], dict[str, Any]]:
    from cdflib import CDF

    try:
        cdf = CDF(header.path, string_encoding="utf-8")
        names = {name: cdf.varattsget(name) for name in header.variables}
        found = cdf.globalattsget()
    except UnicodeDecodeError:
        cdf = CDF(header.path, string_encoding="latin-1")
        names = {name: cdf.varattsget(name) for name in header.variables}
        found = cdf.globalattsget()
    return names, {
        key: entries[0] if len(entries) == 1 else list(entries) for key, entries in found.items()
    }


# Which variables --------------------------------------------------------------------------------


def _select(
    layout: Layout,
    attrs: Mapping[str, Mapping[str, Any]],
    asked: Sequence[str],
    dropped: Collection[str],
    path: str,
) -> None:
    """Remove from the layout what was not asked for."""
    for name in asked:
        if name not in layout.entries:
            raise ReaderError(_no_such_variable(name, layout, path))
    if asked:
        wanted = _with_company(layout, attrs, asked)
        layout.entries = {name: layout.entries[name] for name in layout.entries if name in wanted}
    for name in dropped:
        layout.entries.pop(name, None)
    kept = {entry.record for entry in layout.entries.values()}
    layout.epochs = {dim: epoch for dim, epoch in layout.epochs.items() if dim in kept}


def _with_company(
    layout: Layout, attrs: Mapping[str, Mapping[str, Any]], asked: Sequence[str]
) -> set[str]:
    wanted = set(asked)
    entries = layout.entries
    records = {entries[name].record for name in asked} - {None}
    along_axes = {
        dim
        for name, entry in entries.items()
        if entry.is_coordinate and not entry.info.is_text
        for dim in entry.dims
    }
    for name, entry in entries.items():
        if entry.record in records and not along_axes & set(entry.dims):
            wanted.add(name)
    for name in asked:
        wanted.update(entries[name].axes.values())
    for axis in list(wanted):
        wanted.update(entries[axis].axes.values())
    dims = {dim for name in wanted for dim in entries[name].dims}
    for name in list(wanted):
        pointed = (attrs.get(name, {}).get(f"DELTA_{sign}_VAR") for sign in ("PLUS", "MINUS"))
        wanted.update(other for other in pointed if other in entries)
    for name, entry in entries.items():
        if entry.is_coordinate and entry.info.is_text and set(entry.dims) <= dims:
            wanted.add(name)
    return wanted


def _no_such_variable(name: str, layout: Layout, path: str) -> str:
    data = [other for other, entry in layout.entries.items() if not entry.is_coordinate]
    close = difflib.get_close_matches(name, data, n=3)
    hint = f"did you mean {' or '.join(map(repr, close))}? " if close else ""
    return f"{path} holds no variable {name!r} with records: {hint}It holds {', '.join(data)}."


# All files --------------------------------------------------------------------------------------


def _scan(path: str, layout: Layout) -> Scan:
    """Read the header, the times and the axes of one file, opening it once."""
    with _named_errors(path):
        cdf = _open(path)
        variables = _header(path, cdf).variables
        counts = {dim: _count(dim, layout, variables) for dim in layout.epochs}
        faults, dtypes = _compare(layout, variables, counts)

        def read(name: str, *, records: int | None) -> NDArray:
            info = layout.entries[name].info
            with _named_errors(path, name):
                if records == 0:
                    return np.empty((0, *info.shape), dtype=info.dtype)
                values = cdf.varget(name)
                if records is None and variables[name].varying:
                    values = np.asarray(values)[0]
                return _values(values, info, records, path, name)

        return Scan(
            path=path,
            counts=counts,
            times={
                dim: read(epoch, records=counts[dim])
                for dim, epoch in layout.epochs.items()
                if epoch in layout.entries and epoch not in faults
            },
            static={
                name: read(name, records=None)
                for name, entry in layout.entries.items()
                if entry.record is None and name not in faults
            },
            faults=faults,
            dtypes=dtypes,
        )


def _count(dim: str, layout: Layout, variables: Mapping[str, VariableInfo]) -> int:
    """Return how many records a file has along a record dimension."""
    epoch = layout.epochs[dim]
    if epoch is not None and epoch in variables:
        return variables[epoch].records
    members = (name for name, entry in layout.entries.items() if entry.record == dim)
    return next((variables[name].records for name in members if name in variables), 0)


def _compare(
    layout: Layout, variables: Mapping[str, VariableInfo], counts: Mapping[str, int]
) -> tuple[dict[str, str], dict[str, np.dtype]]:
    """Compare the variables of a file with those of the template."""
    faults: dict[str, str] = {}
    dtypes: dict[str, np.dtype] = {}
    for name, entry in layout.entries.items():
        found = variables.get(name)
        expected = entry.info
        if found is None:
            faults[name] = "is missing"
        elif found.shape != expected.shape:
            faults[name] = f"has records of shape {found.shape} and not {expected.shape}"
        elif entry.record is not None and found.records != counts[entry.record]:
            faults[name] = f"has {found.records} records and not {counts[entry.record]}"
        elif entry.record is None and found.records == 0:
            faults[name] = "has no records"
        elif _kind(found) != _kind(expected) and expected.cdf_type != "UNIX":
            faults[name] = f"is of type {found.cdf_type} and not {expected.cdf_type}"
        elif not expected.is_time and found.dtype != expected.dtype:
            dtypes[name] = found.dtype
    return faults, dtypes


def _kind(info: VariableInfo) -> str:
    return "text" if info.is_text else "times" if info.is_time else "numbers"


def _in_time_order(scans: Sequence[Scan]) -> list[Scan]:
    """Sort the files by their first times; those without any keep their place at the end."""

    def first(scan: Scan) -> tuple[bool, Any]:
        for values in scan.times.values():
            valid = values[~np.isnat(values)] if values.dtype.kind == "M" else values
            if valid.size:
                return False, valid[0]
        return True, 0

    known = sorted((scan for scan in scans if not first(scan)[0]), key=lambda scan: first(scan)[1])
    return known + [scan for scan in scans if first(scan)[0]]


def _leave_out_faulty(layout: Layout, scans: Sequence[Scan], asked: Sequence[str]) -> None:
    """Remove variables that not all files hold alike, saying so; refuse if they are needed."""
    axes = {axis for entry in layout.entries.values() for axis in entry.axes.values()}
    needed = {*asked, *axes, *(epoch for epoch in layout.epochs.values() if epoch)}
    faulty: dict[str, tuple[str, str]] = {}
    for scan in scans:
        for name, fault in scan.faults.items():
            if name in needed:
                raise ReaderError(
                    f"{scan.path}: variable {name!r} {fault}, as in the first files; so the files "
                    f"cannot be joined. Open it by itself, or leave it out."
                )
            faulty.setdefault(name, (scan.path, fault))
    if faulty:
        name, (path, fault) = next(iter(faulty.items()))
        more = f"; likewise {', '.join(list(faulty)[1:])}" if len(faulty) > 1 else ""
        notice(
            f"Variable {name!r} {fault} in {path} and is left out{more}. Name the variables you "
            f"need with variable=… to make that an error."
        )
    for name in faulty:
        del layout.entries[name]


# The Dataset ------------------------------------------------------------------------------------


def _assemble(
    layout: Layout, attrs: Mapping[str, Mapping[str, Any]], scans: Sequence[Scan]
) -> xr.Dataset:
    paths = tuple(scan.path for scan in scans)
    ends = {dim: np.cumsum([scan.counts[dim] for scan in scans]) for dim in layout.epochs}
    own_attrs = {name: dict(attrs.get(name, {})) for name in layout.entries}
    tables = _make_changing_axes_vary(layout, own_attrs, scans)
    lengths = {dim: _chunk_length(dim, layout, scans) for dim in layout.epochs}

    variables: dict[str, xr.Variable] = {}
    for name, entry in layout.entries.items():
        dims = ([entry.record] if entry.record is not None else []) + entry.dims
        data: Any
        if name in tables:
            data = _lazy(TableArray(tables[name], ends[entry.record or ""]))
        elif entry.record is None:
            data = scans[0].static[name]
        elif entry.record == name:
            data = np.concatenate([scan.times[name] for scan in scans])
        else:
            read = functools.partial(read_records, variable=name, info=entry.info)
            shape = (int(ends[entry.record][-1]), *entry.info.shape)
            dtype = _common_dtype(name, entry, scans)
            data = _lazy(RecordArray(read, paths, ends[entry.record], shape, dtype))
        found = attributes(entry.info, own_attrs[name])
        variables[name] = xr.Variable(dims, data, found)
        if entry.record is not None:
            variables[name].encoding["preferred_chunks"] = {entry.record: lengths[entry.record]}
    coordinates = {
        name: variable for name, variable in variables.items() if layout.entries[name].is_coordinate
    }
    values = {name: variables[name] for name in variables if name not in coordinates}
    dataset = xr.Dataset(values, coordinates)
    dataset.encoding["source"] = paths[0] if len(paths) == 1 else list(paths)
    return dataset


def _lazy(array: RecordArray) -> indexing.LazilyIndexedArray:
    return indexing.LazilyIndexedArray(array)


def _common_dtype(name: str, entry: Entry, scans: Sequence[Scan]) -> np.dtype:
    others = {scan.dtypes[name] for scan in scans if name in scan.dtypes}
    return np.result_type(entry.info.dtype, *others) if others else entry.info.dtype


def _chunk_length(dim: str, layout: Layout, scans: Sequence[Scan]) -> int:
    sizes = [
        entry.info.bytes_per_record for entry in layout.entries.values() if entry.record == dim
    ]
    return chunk_length([scan.counts[dim] for scan in scans], max(sizes, default=1))


def _make_changing_axes_vary(
    layout: Layout, attrs: dict[str, dict[str, Any]], scans: Sequence[Scan]
) -> dict[str, list[NDArray]]:
    """Give a static variable that is not the same in all files a record dimension.

    Returns
    -------
    dict
        Variable to its table in each file.
    """
    tables: dict[str, list[NDArray]] = {}
    for name, entry in list(layout.entries.items()):
        if entry.record is not None or entry.info.is_text:
            continue
        first = scans[0].static[name]
        changed = next(
            (scan for scan in scans if not _same(scan.static[name], first)),
            None,
        )
        if changed is None:
            continue
        users = _record_dims_of(name, layout)
        for number, dim in enumerate(users):
            copy = name if number == 0 else f"{name}_{dim}"
            _make_vary(copy, name, dim, layout, attrs)
            tables[copy] = [scan.static[name] for scan in scans]
        _log.info("%s differs between files (first in %s)", name, changed.path)
    return tables


def _same(one: NDArray, other: NDArray) -> bool:
    return np.array_equal(one, other, equal_nan=one.dtype.kind in "fM")


def _record_dims_of(name: str, layout: Layout) -> list[str]:
    """Return the record dimensions on which variables use `name` as an axis; else the first."""
    found = [
        entry.record
        for entry in layout.entries.values()
        if entry.record is not None and name in entry.axes.values()
    ]
    shared = [
        entry.record
        for entry in layout.entries.values()
        if entry.record is not None and set(layout.entries[name].dims) & set(entry.dims)
    ]
    return list(dict.fromkeys(found or shared or list(layout.epochs)))


def _make_vary(
    copy: str, name: str, dim: str, layout: Layout, attrs: dict[str, dict[str, Any]]
) -> None:
    """Put `copy` of the static variable `name` onto the record dimension `dim`."""
    old = layout.entries[name]
    new = f"{name}_dim"
    dims = [new if other == name else other for other in old.dims]
    layout.entries[copy] = Entry(old.info, dim, dims, dict(old.axes), old.is_coordinate)
    attrs[copy] = {**attrs[name], "DEPEND_0": layout.epochs[dim] or dim}
    for user, entry in layout.entries.items():
        entry.dims = [new if other == name else other for other in entry.dims]
        if entry.record != dim or copy == name:
            continue
        for position, axis in entry.axes.items():
            if axis == name:
                entry.axes[position] = copy
                attrs[user][f"DEPEND_{position + 1}"] = copy


def _warn_of_times(dataset: xr.Dataset, layout: Layout) -> None:
    """Say, once, what is unusual about the times; none of it is an error."""
    remarks = []
    for dim in layout.epochs:
        if dim not in dataset.indexes:
            continue
        values = dataset.indexes[dim].to_numpy()
        is_missing = np.isnat(values) if values.dtype.kind == "M" else np.isnan(values)
        valid = values[~is_missing]
        found = []
        if is_missing.any():
            found.append(f"{int(is_missing.sum())} missing (NaT)")
        if (valid[1:] < valid[:-1]).any():
            found.append("not in ascending order")
            valid = np.sort(valid)
        repeated = int((valid[1:] == valid[:-1]).sum())
        if repeated:
            found.append(f"{repeated} duplicate")
        if found:
            remarks.append(f"{dim}: {', '.join(found)}")
    if remarks:
        notice(f"Unusual times ({'; '.join(remarks)}). The records are kept as they stand.")
