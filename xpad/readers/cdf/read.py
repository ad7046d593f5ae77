"""CDF files, one or thousands, as one lazy Dataset.

At opening, one header for each file is read, its record times, and its axes. The records stay on
disk until they are asked for, and are then read with ``cdflib.CDF.varget(name, startrec, endrec)``,
from a file opened for that read only: nothing is held open, and nothing that grows is kept in
memory.
"""

from __future__ import annotations

import difflib
import functools
import logging
from collections.abc import Collection, Mapping, Sequence
from typing import Any

import numpy as np
import pandas as pd
import xarray as xr
from numpy.typing import NDArray
from xarray.core import indexing

from xpad.compute.chunks import chunk_length
from xpad.compute.times import warn_of_unusual_times
from xpad.errors import ReaderError, warn
from xpad.readers.cdf.attributes import TERMS, read_attributes, read_terms
from xpad.readers.cdf.cut import Remains, missing_value, remains
from xpad.readers.cdf.header import Header, Walk, read_header
from xpad.readers.cdf.layout import Entry, Layout, attributes, lay_out
from xpad.readers.cdf.records import named_errors, read_records
from xpad.readers.cdf.scan import Known, Scan, Scans, same, scan_file
from xpad.readers.cdf.unpacked import uncompressed
from xpad.readers.lazy import ReadRecords, RecordArray, TableArray
from xpad.readers.skipping import Skipping
from xpad.readers.terms import Rule, Terms, differ, different, joint_attrs, rules
from xpad.storage.storable import storable

_log = logging.getLogger("xpad.readers.cdf.read")


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
        If a file is not a CDF file, or is damaged, or truncated and one of several; if a variable
        that was asked for is missing; if two files have axes of different lengths.

    Warns
    -----
    XpadWarning
        Of a single file that is truncated: what is whole is read, and what is not is named.
    """
    skipping = Skipping(paths, on_error)
    asked = [variable] if isinstance(variable, str) else list(variable or [])
    template, names, global_attrs, left = _template(paths, skipping)
    layout = lay_out(template.variables, names)
    _select(layout, names, asked, drop_variables, template.path)

    terms = _terms(template) if len(paths) > 1 else None
    found = Scans()
    known: Known = {}
    for path in paths:
        with skipping.tolerate(path):
            found.add(scan_file(path, layout, known, left, terms))
    skipping.require_some()
    scans, record_times = found.in_time_order()
    _leave_out_faulty(layout, scans, asked)

    ruled = _rules(template.path, layout, names, scans)
    dataset = _assemble(layout, names, scans, record_times, left, ruled)
    dataset.attrs = {**global_attrs, **dataset.attrs}
    skipping.tell(dataset)
    if left is not None:
        warn(left.told)
    _warn_of_packed_files(scans)
    records = [dim for dim in layout.epochs if dim in dataset.indexes]
    warn_of_unusual_times({dim: dataset.indexes[dim].to_numpy() for dim in records})
    return storable(dataset)


# Opening one file -------------------------------------------------------------------------------


def _template(
    paths: Sequence[str], skipping: Skipping
) -> tuple[Header, Mapping[str, Mapping[str, Any]], Mapping[str, Any], Remains | None]:
    """Return the header and the attributes of the first file that is typical, and what is cut.

    A file of one record, or none, does not show which variables change in time. A file that is cut
    is read as far as it goes if it is the only one: beside others, it is one that cannot be read.
    """
    best: Header | None = None
    for path in paths:
        with skipping.tolerate(path):
            header = _header(path, may_be_cut=len(paths) == 1)
            if best is None or header.records > best.records:
                best = header
        if best is not None and best.records > 1:
            break
    if best is None:
        best = _header(paths[0])
    with named_errors(best.path), uncompressed(best.path) as stored:
        if best.cut is None:
            return best, *_all_attributes(best, stored), None
        left = remains(best, stored)
        return left.header, left.attrs, left.global_attrs, left


def _header(path: str, *, may_be_cut: bool = False) -> Header:
    with named_errors(path), uncompressed(path) as stored:
        return read_header(path, stored, may_be_cut=may_be_cut)


def _all_attributes(
    header: Header, stored: str
) -> tuple[dict[str, dict[str, Any]], dict[str, Any]]:
    from cdflib import CDF

    with open(stored, "rb", buffering=0) as file:
        read_attributes(Walk(header.path, file), header.descriptors)  # that cdflib will find them
    try:
        cdf = CDF(stored, string_encoding="utf-8")
        names = {name: cdf.varattsget(name) for name in header.variables}
        found = cdf.globalattsget()
    except UnicodeDecodeError:
        cdf = CDF(stored, string_encoding="latin-1")
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


def _leave_out_faulty(layout: Layout, scans: Sequence[Scan], asked: Sequence[str]) -> None:
    """Remove variables that not all files hold alike, saying so; refuse if they are needed."""
    axes = {axis for entry in layout.entries.values() for axis in entry.axes.values()}
    needed = {*asked, *axes, *(epoch for epoch in layout.epochs.values() if epoch)}
    faulty: dict[str, tuple[str, str]] = {}
    for scan in scans:
        for name, fault in scan.faults.items():
            if name in needed:
                raise ReaderError(
                    f"{scan.path}: variable {name!r} {fault}, unlike in the first of the files; "
                    f"so it cannot be joined to them. Open it by itself, or leave it out."
                )
            faulty.setdefault(name, (scan.path, fault))
    if faulty:
        name, (path, fault) = next(iter(faulty.items()))
        more = f"; likewise {', '.join(list(faulty)[1:])}" if len(faulty) > 1 else ""
        warn(
            f"Variable {name!r} {fault} in {path} and is left out{more}. Name the variables you "
            f"need with variable=… to make that an error."
        )
    for name in faulty:
        del layout.entries[name]


# Terms ------------------------------------------------------------------------------------------


def _terms(template: Header) -> dict[str, dict[str, Any]]:
    """What the first file states of its variables."""
    with named_errors(template.path), uncompressed(template.path) as stored:
        return read_terms(template.path, stored, template.descriptors)


def _rules(
    path: str,
    layout: Layout,
    attrs: Mapping[str, Mapping[str, Any]],
    scans: Sequence[Scan],
) -> dict[str, Sequence[Rule | None]]:
    """By variable, how the values of each file come to the terms of the first; static ones do here."""
    told: list[str] = []
    found: dict[str, Sequence[Rule | None]] = {}
    for name in dict.fromkeys(name for scan in scans for name in scan.terms):
        first = attrs.get(name, {})
        rest = {key: value for key, value in first.items() if key not in TERMS}
        each = [Terms.of(rest | dict(s.terms[name]) if name in s.terms else first) for s in scans]
        every = rules(name, [Terms.of(first), *each], [path, *(scan.path for scan in scans)])[1:]
        if all(rule is None for rule in every):
            continue
        told.append(f"{differ(every)} of {name!r}")
        if layout.entries[name].record is None:
            _convert_static(name, every, scans)
        else:
            found[name] = every
    if told:
        warn(different(told, len(scans), path))
    return found


def _convert_static(name: str, every: Sequence[Rule | None], scans: Sequence[Scan]) -> None:
    """Convert an axis; what is another file's but for rounding is that file's."""
    first = next((s.static[name] for s, rule in zip(scans, every, strict=True) if not rule), None)
    for scan, rule in zip(scans, every, strict=True):
        if rule is not None:
            values = rule(scan.static[name])
            near = first is not None and np.allclose(values, first, equal_nan=True)
            scan.static[name] = first if near and first is not None else values


class ByRule:
    """Reads records of a file, and brings them to the terms of the others."""

    def __init__(self, read: ReadRecords, by_path: Mapping[str, Rule | None]) -> None:
        self.read, self.by_path = read, by_path

    def __call__(self, path: str, start: int, stop: int) -> NDArray:
        """Records start…stop of a file."""
        values, rule = self.read(path, start, stop), self.by_path[path]
        return values if rule is None else rule(values)


# The Dataset ------------------------------------------------------------------------------------


def _assemble(
    layout: Layout,
    attrs: Mapping[str, Mapping[str, Any]],
    scans: Sequence[Scan],
    record_times: Mapping[str, NDArray],
    left: Remains | None,
    ruled: Mapping[str, Sequence[Rule | None]],
) -> xr.Dataset:
    paths = tuple(scan.path for scan in scans)
    ends = {dim: np.cumsum([scan.counts[dim] for scan in scans]) for dim in layout.epochs}
    own_attrs = {
        name: joint_attrs(attrs.get(name, {}), ruled.get(name, ())) for name in layout.entries
    }
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
            data = pd.Index(record_times[name], copy=False)
        else:
            how: dict[str, Any] = {"variable": name, "info": entry.info}
            if left is not None:
                missing = missing_value(entry.info, own_attrs[name])
                how |= {"whole": left.wholes[name], "missing": missing}
            read: ReadRecords = functools.partial(read_records, **how)
            shape = (int(ends[entry.record][-1]), *entry.info.shape)
            dtype = _common_dtype(name, entry, scans)
            if name in ruled:
                dtype = dtype if dtype.kind == "f" else np.dtype(np.float64)
                read = ByRule(read, dict(zip(paths, ruled[name], strict=True)))
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
            (scan for scan in scans if not same(scan.static[name], first)),
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


def _warn_of_packed_files(scans: Sequence[Scan]) -> None:
    packed = [scan.path for scan in scans if scan.is_packed]
    if packed:
        which = (
            f"{packed[0]} is"
            if len(scans) == 1
            else f"{len(packed)} of {len(scans)} files (the first: {packed[0]}) are"
        )
        warn(
            f"{which} compressed as a whole, which is slow: all of a file is decompressed into a "
            f"temporary folder before anything of it can be read. If you need them more than once, "
            f"convert them with NASA's cdfconvert to compression by variable, or write the Dataset "
            f"with to_zarr and open that."
        )
