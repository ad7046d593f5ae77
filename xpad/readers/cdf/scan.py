"""What opening CDF files reads of each: its header, its times and its static variables."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from xpad.readers.cdf.attributes import read_terms
from xpad.readers.cdf.cut import Remains
from xpad.readers.cdf.header import read_header
from xpad.readers.cdf.layout import Entry, Layout, VariableInfo
from xpad.readers.cdf.records import decoded, lent, named_errors, read_records, values_of


class GrowingArray:
    """One-dimensional pieces joined into one array as they come.

    To keep all pieces and concatenate them takes their memory twice. Here the array is enlarged
    in place, by an eighth at a time, which the system does without copying where it is large.

    Attributes
    ----------
    size : int
        The number of values so far.

    Examples
    --------
    >>> import numpy as np
    >>> array = GrowingArray()
    >>> array.append(np.arange(3))
    >>> array.append(np.arange(2))
    >>> array.taken()
    array([0, 1, 2, 0, 1])
    """

    def __init__(self) -> None:
        self._values: NDArray | None = None
        self.size = 0

    def append(self, piece: NDArray) -> None:
        """Put `piece`, shape (n,), at the end; the first one decides about the dtype."""
        if self._values is None:
            self._values = np.empty(piece.shape, piece.dtype)
        needed = self.size + piece.size
        if needed > self._values.size:
            self._values.resize(needed + needed // 8, refcheck=False)
        self._values[self.size : needed] = piece
        self.size = needed

    def taken(self) -> NDArray:
        """Return the array, shape (size,), and forget it."""
        values = np.empty(0) if self._values is None else self._values
        values.resize(self.size, refcheck=False)
        self._values, self.size = None, 0
        return values


#: Static variables that were read already: (name, fingerprint) to values.
Known = dict[tuple[str, bytes], NDArray]


@dataclass
class Scan:
    """What is kept of one file after opening.

    Attributes
    ----------
    path : str
    counts : dict of int
        Record dimension to the number of records.
    times : dict of numpy.ndarray
        Record dimension to the values of its coordinate; empty after they were collected.
    first : numpy.datetime64 or float, optional
        The first time that is not missing.
    static : dict of numpy.ndarray
        The values of the static variables.
    faults : dict of str
        Variables that cannot be joined with those of the first file, and why.
    dtypes : dict of numpy.dtype
        Of the variables whose dtype is not the first file's.
    is_packed : bool
        Whether the file is compressed as a whole.
    terms : dict of dict
        Attributes (`TERMS`) of the variables of which the file states others than the first file.
    """

    path: str
    counts: Mapping[str, int]
    times: dict[str, NDArray]
    first: Any
    static: dict[str, NDArray]
    faults: Mapping[str, str]
    dtypes: Mapping[str, np.dtype]
    is_packed: bool
    terms: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)


def scan_file(
    path: str,
    layout: Layout,
    known: Known,
    remains: Remains | None = None,
    terms: Mapping[str, Mapping[str, Any]] | None = None,
) -> Scan:
    """Read the header, the times and the static variables of one file.

    Parameters
    ----------
    path : str
    layout : Layout
        Of the first file that is typical.
    known : dict
        Static variables of the files before, which are added to: what has been read once is not
        read, and not held, again.
    remains : Remains, optional
        Of a file that is cut.
    terms : mapping, optional
        What the first file states of each variable, to be compared.

    Returns
    -------
    Scan

    Raises
    ------
    ReaderError
        If the file cannot be read; it is named.
    """
    from cdflib import CDF

    with lent(path) as stored:
        with named_errors(path):
            header = remains.header if remains else read_header(path, stored)
            cdf = CDF(stored, string_encoding="latin-1")
        variables = header.variables
        counts = {dim: _count(dim, layout, variables) for dim in layout.epochs}
        faults, dtypes = _compare(layout, variables, counts)
        other_terms = {}
        if terms is not None:
            with named_errors(path):
                own = read_terms(path, stored, header.descriptors)
            other_terms = {
                name: own[name]
                for name, entry in layout.entries.items()
                if is_number(entry) and name not in faults and not _alike(own[name], terms[name])
            }

        def read(name: str, *, records: int | None) -> NDArray:
            info = layout.entries[name].info
            if info.is_time and variables[name].is_time and info.cdf_type != "UNIX":
                info = variables[name]  # files may count time in different ways
            if records == 0:
                return np.empty((0, *info.shape), dtype=info.dtype)
            if remains is not None and records is not None:
                whole = remains.wholes[name]
                return read_records(path, 0, records, variable=name, info=info, whole=whole)
            with named_errors(path, name):
                values = values_of(cdf, name)
                if records is None and variables[name].varying:
                    values = np.asarray(values)[0]
            return decoded(values, info, records, path, name)

        def read_static(name: str) -> NDArray:
            fingerprint = header.fingerprints.get(name)
            if fingerprint is None:
                return read(name, records=None)
            if (name, fingerprint) not in known:
                known[name, fingerprint] = read(name, records=None)
            return known[name, fingerprint]

        times = {
            dim: read(epoch, records=counts[dim])
            for dim, epoch in layout.epochs.items()
            if epoch in layout.entries and epoch not in faults
        }
        static = {
            name: read_static(name)
            for name, entry in layout.entries.items()
            if entry.record is None and name not in faults
        }
        return Scan(
            path=path,
            counts=counts,
            times=times,
            first=_first_time(times),
            static=static,
            faults=faults,
            dtypes=dtypes,
            is_packed=stored != path,
            terms=other_terms,
        )


def is_number(entry: Entry) -> bool:
    """Whether a variable holds numbers that fills, ranges and units are stated of."""
    return not entry.info.is_text and not entry.info.is_time


def _alike(one: Mapping[str, Any], other: Mapping[str, Any]) -> bool:
    return one.keys() == other.keys() and all(np.array_equal(one[key], other[key]) for key in one)


class Scans:
    """The scans of all files, their times joined."""

    def __init__(self) -> None:
        self._scans: list[Scan] = []
        self._times: dict[str, GrowingArray] = {}
        self._begins: list[dict[str, int]] = []

    def add(self, scan: Scan) -> None:
        """Add a scan, and take its times from it."""
        begins = {}
        for dim, values in scan.times.items():
            joined = self._times.setdefault(dim, GrowingArray())
            begins[dim] = joined.size
            joined.append(values)
        scan.times = {}
        self._scans.append(scan)
        self._begins.append(begins)

    def in_time_order(self) -> tuple[list[Scan], dict[str, NDArray]]:
        """Sort the files by their first times; those without any keep their place at the end.

        Returns
        -------
        list of Scan
        dict of numpy.ndarray
            Record dimension to its coordinate. To be called once.
        """
        scans = self._scans
        known = [number for number, scan in enumerate(scans) if scan.first is not None]
        known.sort(key=lambda number: scans[number].first)
        order = known + [number for number, scan in enumerate(scans) if scan.first is None]
        joined = {dim: array.taken() for dim, array in self._times.items()}
        if order != sorted(order):
            for dim, values in joined.items():
                places = [
                    (self._begins[number][dim], scans[number].counts[dim])
                    for number in order
                    if dim in self._begins[number]
                ]
                joined[dim] = np.concatenate([values[begin : begin + n] for begin, n in places])
        return [scans[number] for number in order], joined


def same(one: NDArray, other: NDArray) -> bool:
    """Return whether two arrays hold the same values; NaN equals NaN."""
    return one is other or np.array_equal(one, other, equal_nan=one.dtype.kind in "fM")


def _first_time(times: Mapping[str, NDArray]) -> Any:
    for values in times.values():
        is_missing = np.isnat if values.dtype.kind == "M" else np.isnan
        if values.size and not is_missing(values[0]):
            return values[0]
        valid = values[~is_missing(values)]
        if valid.size:
            return valid[0]
    return None


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
        elif found.cdf_type == expected.cdf_type or expected.cdf_type == "UNIX":
            continue
        elif _kind(found) != _kind(expected) or (
            found.is_time and not _read_at_opening(name, entry)
        ):
            faults[name] = f"is of type {found.cdf_type} and not {expected.cdf_type}"
        elif found.dtype != expected.dtype:
            dtypes[name] = found.dtype
    return faults, dtypes


def _kind(info: VariableInfo) -> str:
    return "text" if info.is_text else "times" if info.is_time else "numbers"


def _read_at_opening(name: str, entry: Entry) -> bool:
    """Whether each file's times are decoded by its own header, so that types may differ."""
    return entry.record in (None, name)
