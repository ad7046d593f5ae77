"""CEF files (``.cef``, ``.cef.gz``), the text format of the Cluster Science Archive.

A header of ``KEY = value`` lines, in blocks ``START_META``…``END_META`` and
``START_VARIABLE``…``END_VARIABLE``, says which variables there are, of what type and of which sizes;
``INCLUDE`` names further headers (``.ceh``), which lie beside the file. After
``DATA_UNTIL = "…"`` follow the records: the values of all variables that have no ``DATA`` in the
header, in the order of the header, parted by commas. Definition: Cluster Exchange Format, Data File
Syntax, DS-QMW-TN-0010.
"""

from __future__ import annotations

import gzip
import os
import re
import zlib
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import xarray as xr
from numpy.typing import NDArray

from xpad.errors import ReaderError, warn
from xpad.readers.times import from_iso

_DTYPES = {"FLOAT": "f4", "DOUBLE": "f8", "INT": "i4", "BYTE": "i1"}
_TIMES = ("ISO_TIME", "ISO_TIME_RANGE")
_TEXT = ("CHAR",)
_DEEPEST = 8  # headers that include headers
_LINE = re.compile(r"\s*(\w+)\s*=\s*(.*?)\s*$", re.DOTALL)
_VALUE = re.compile(r'\s*(?:"([^"]*)"|([^,]*?))\s*(?:,|$)')


@dataclass
class _Variable:
    """A variable of the header: its ``KEY = value`` lines."""

    name: str
    keys: dict[str, list[str]] = field(default_factory=dict)

    def one(self, key: str, default: str = "") -> str:
        return (self.keys.get(key) or [default])[0]

    @property
    def kind(self) -> str:
        return self.one("VALUE_TYPE", "CHAR").upper()

    @property
    def shape(self) -> tuple[int, ...]:
        """Of one record; a single value has none."""
        sizes = tuple(int(size) for size in self.keys.get("SIZES", ["1"]))
        return () if sizes == (1,) else sizes

    @property
    def columns(self) -> int:
        return int(np.prod(self.shape, dtype=int))


@dataclass
class _File:
    """What the header says."""

    attrs: dict[str, Any] = field(default_factory=dict)
    keys: dict[str, str] = field(default_factory=dict)
    variables: dict[str, _Variable] = field(default_factory=dict)
    missing: list[str] = field(default_factory=list)


def open_cef(path: str) -> xr.Dataset:
    """Read a CEF file.

    Parameters
    ----------
    path : str

    Returns
    -------
    xarray.Dataset
        In memory, raw as of a CDF file: fill values as stored, DEPEND_n, UNITS, FILLVAL… as
        attributes, times as datetime64[ns], variables that serve as axes as coordinates.

    Raises
    ------
    ReaderError
        If the file, or a header that it includes, cannot be read; it names the file and the line.

    Warns
    -----
    XpadWarning
        Of a file that ends within a record: the records before that are read.
    """
    file = _File()
    lines = _lines(path)
    _read_header(lines, path, file, 0)
    if not file.variables:
        raise ReaderError(
            f"{path} holds no variables: its header has no START_VARIABLE.{_hint(file)}"
        )
    if file.missing:
        warn(f"{path}: what its header includes is not read.{_hint(file)}")
    records = _read_records(lines, path, file)
    return _dataset(file, records, path)


# Text -------------------------------------------------------------------------------------------


def _lines(path: str) -> Iterator[tuple[int, str]]:
    """Give number and text of each line, unpacked if it is compressed with gzip."""
    is_packed = path.lower().endswith(".gz")
    number = 0
    try:
        with gzip.open(path, "rb") if is_packed else open(path, "rb") as file:
            for number, line in enumerate(file, 1):
                yield number, line.decode("latin-1")
    except (EOFError, zlib.error) as error:
        raise ReaderError(
            f"{path}: after line {number}, the compressed part is damaged or truncated ({error}). "
            f"Fetch it again, or pass on_error='skip'."
        ) from error
    except OSError as error:
        raise ReaderError(f"{path} cannot be opened: {error.strerror or error}.") from error


def _statements(lines: Iterator[tuple[int, str]]) -> Iterator[tuple[int, str, list[str]]]:
    """Give line, key and values of each ``KEY = value``; it goes on after a backslash or comma."""
    for number, line in lines:
        text = _without_comment(line)
        while text.endswith("\\"):
            _, following = next(lines, (0, ""))
            text = text[:-1] + _without_comment(following)
        if not text.strip():
            continue
        found = _LINE.match(text)
        if found is None:
            yield number, "", [text.strip()]
            continue
        while found[2].endswith(","):  # lists go on after a comma
            _, following = next(lines, (0, ""))
            more = _without_comment(following)
            found = _LINE.match(f"{found[1]} = {found[2]} {more}")
            if found is None or not more.strip():
                break
        if found is not None:
            yield number, found[1].upper(), _values(found[2])


def _without_comment(line: str) -> str:
    if "!" not in line:
        return line.rstrip()
    parts = line.split('"')
    for place in range(0, len(parts), 2):  # outside of quotes
        if "!" in parts[place]:
            return '"'.join([*parts[:place], parts[place].split("!")[0]]).rstrip()
    return line.rstrip()


def _values(text: str) -> list[str]:
    return [
        found[1] if found[1] is not None else found[2]
        for found in _VALUE.finditer(text)
        if found[0]
    ]


# The header -------------------------------------------------------------------------------------


def _read_header(lines: Iterator[tuple[int, str]], path: str, file: _File, depth: int) -> None:
    """Read a header to its end, which in a file with data is ``DATA_UNTIL``."""
    meta: str | None = None
    variable: _Variable | None = None
    for number, key, values in _statements(lines):
        value = values[0] if values else ""
        if not key:
            raise _malformed(path, number, f"a line KEY = value should stand here, not {value!r}")
        if key == "INCLUDE":
            _include(value, path, number, file, depth)
        elif key == "START_META":
            meta = value
            file.attrs.setdefault(meta, [])
        elif key == "START_VARIABLE":
            variable = file.variables.setdefault(value, _Variable(value))
        elif key in ("END_META", "END_VARIABLE"):
            meta = variable = None
        elif variable is not None:
            variable.keys[key] = values
        elif meta is not None:
            if key == "ENTRY":
                file.attrs[meta].extend(values)
        else:
            file.keys[key] = value
            if key == "DATA_UNTIL":
                return
    if depth == 0:
        raise _malformed(path, 0, "the header has no DATA_UNTIL: it is truncated, or no data file")


def _include(name: str, path: str, number: int, file: _File, depth: int) -> None:
    if depth >= _DEEPEST:
        raise _malformed(path, number, f"headers include each other more than {_DEEPEST} deep")
    beside = os.path.join(os.path.dirname(path), os.path.basename(name))
    if os.path.isfile(beside):
        _read_header(_lines(beside), beside, file, depth + 1)
    else:
        file.missing.append(name)


def _malformed(path: str, number: int, what: str) -> ReaderError:
    where = f"at line {number}, " if number else ""
    return ReaderError(f"{path} is not a well-formed CEF file: {where}{what}.")


# The records ------------------------------------------------------------------------------------


def _read_records(
    lines: Iterator[tuple[int, str]], path: str, file: _File
) -> dict[str, list[list[str]]]:
    """Read all records, and return the texts of each variable in each."""
    members = _in_records(file, path)
    columns = sum(one.columns for one in members)
    until = file.keys["DATA_UNTIL"].strip()
    end = file.keys.get("END_OF_RECORD_MARKER")
    rows: list[list[str]] = []
    rest, at, is_ended = "", 0, False
    for at, line in lines:  # noqa: B007 - where they end
        text = line.strip()
        if text.strip('"') == until:
            is_ended = True
            break
        if not text or text.startswith("!"):
            continue
        if end:
            *whole, rest = (rest + text).split(end)
            rows.extend(_row(one) for one in whole)
        elif line.endswith("\n"):
            rows.append(_row(text))
        else:
            rest = text
    if rest or not (is_ended or until.upper() == "EOF"):
        within = "within a record" if rest else f"without {until!r}"
        warn(
            f"{path} is truncated: it ends {within}, at line {at}. The {len(rows)} records that "
            f"are whole are read; fetch it again for the rest."
        )
    for place, row in enumerate(rows):
        if len(row) != columns:
            raise ReaderError(
                f"{path}: record {place + 1} has {len(row)} values where the header announces "
                f"{columns}.{_hint(file)}"
            )
    found, first = {}, 0
    for one in members:
        found[one.name] = [row[first : first + one.columns] for row in rows]
        first += one.columns
    return found


def _row(text: str) -> list[str]:
    plain = text.strip().rstrip(",")
    return _values(plain) if '"' in plain else [value.strip() for value in plain.split(",")]


def _hint(file: _File) -> str:
    names = ", ".join(file.missing)
    return f" Not beside it: {names}; put them there." if file.missing else ""


def _in_records(file: _File, path: str) -> list[_Variable]:
    found = []
    for one in file.variables.values():
        try:
            _ = one.columns
        except ValueError as error:
            raise ReaderError(f"{path}: variable {one.name!r} has no sizes ({error}).") from error
        if one.kind not in (*_DTYPES, *_TIMES, *_TEXT):
            known = ", ".join((*_DTYPES, *_TIMES, *_TEXT))
            raise ReaderError(
                f"{path}: variable {one.name!r} has VALUE_TYPE {one.kind!r}, which is none of {known}."
            )
        if "DATA" not in one.keys:
            found.append(one)
    return found


# The Dataset ------------------------------------------------------------------------------------


def _dataset(file: _File, records: dict[str, list[list[str]]], path: str) -> xr.Dataset:
    values = {}
    for one in file.variables.values():
        if "DATA" in one.keys:
            values[one.name] = _decoded([one.keys["DATA"]], one, path)[0]
        else:
            values[one.name] = _decoded(records[one.name], one, path)
    static = {name for name in values if "DATA" in file.variables[name].keys}
    times = next((name for name in values if file.variables[name].kind == "ISO_TIME"), "record")
    axes = {
        axis
        for one in file.variables.values()
        for number in range(1, len(one.shape) + 1)
        if (axis := one.one(f"DEPEND_{number}")) in values
    }
    variables = {
        name: xr.Variable(
            _dims(file.variables[name], file, static, times), data, _attrs(file.variables[name])
        )
        for name, data in values.items()
    }
    coordinates = {name: item for name, item in variables.items() if name in {*axes, times}}
    rest = {name: item for name, item in variables.items() if name not in coordinates}
    attrs = {key: found[0] if len(found) == 1 else found for key, found in file.attrs.items()}
    dataset = xr.Dataset(rest, coordinates, attrs)
    dataset.encoding["source"] = path
    return dataset


def _dims(one: _Variable, file: _File, static: set[str], times: str) -> list[str]:
    """Return the dimensions: the times, then those that DEPEND_n name, else by their sizes."""
    dims = [] if one.name in static else [times]
    for number, size in enumerate(one.shape, 1):
        axis = file.variables.get(one.one(f"DEPEND_{number}"))
        if axis is not None and axis.shape == (size,):
            dim = axis.name if axis.name in static else f"{axis.name}_dim"
        elif len(one.shape) == 1 and _is_axis(one, file):
            dim = one.name if one.name in static else f"{one.name}_dim"
        else:
            dim = f"dim{size}"
        dims.append(f"{dim}_{number}" if dim in dims else dim)
    return dims


def _is_axis(one: _Variable, file: _File) -> bool:
    return any(
        user.one(f"DEPEND_{number}") == one.name and (size,) == one.shape
        for user in file.variables.values()
        for number, size in enumerate(user.shape, 1)
    )


def _decoded(rows: list[list[str]], one: _Variable, path: str) -> NDArray:
    shape = (len(rows), *one.shape)
    columns = np.array(rows, dtype=str).reshape(len(rows), -1) if rows else np.empty((0, 1), "U1")
    if columns.size != np.prod(shape, dtype=int):
        raise ReaderError(
            f"{path}: variable {one.name!r} has {columns.size} values where its SIZES announce "
            f"{one.columns}."
        )
    if one.kind in _TEXT:
        return columns.astype(object).reshape(shape)
    try:
        if one.kind == "ISO_TIME":
            return _times(columns, one).reshape(shape)
        if one.kind == "ISO_TIME_RANGE":
            ends = np.char.partition(columns, "/")
            return _times(ends[..., 0], one).reshape(shape)
        numbers = columns.astype("f8")
        dtype = np.dtype(_DTYPES[one.kind])
        if dtype.kind == "i" and len(numbers):
            largest = np.iinfo(dtype)
            outside = (numbers < largest.min) | (numbers > largest.max) | (numbers % 1 != 0)
            dtype = np.dtype("f8") if outside.any() else dtype
        with np.errstate(over="ignore"):
            return numbers.astype(dtype).reshape(shape)
    except (ValueError, OverflowError) as error:
        raise ReaderError(
            f"{path}: variable {one.name!r} ({one.kind}) cannot be read: {error}."
        ) from error


def _times(text: NDArray, one: _Variable) -> NDArray[np.datetime64]:
    flat = np.char.strip(np.char.rstrip(np.char.strip(text.ravel()), "Z"))
    is_fill = flat == one.one("FILLVAL", "-").rstrip("Z")
    is_fill |= np.char.startswith(flat, "9999-")
    out = np.full(flat.shape, np.datetime64("NaT", "ns"))
    out[~is_fill] = from_iso(flat[~is_fill].tolist())
    return out.reshape(text.shape)


def _attrs(one: _Variable) -> dict[str, Any]:
    """Return the header's lines as the attributes of an ISTP variable."""
    is_time = one.kind in _TIMES
    attrs: dict[str, Any] = {}
    for key, values in one.keys.items():
        if key in ("DATA", "SIZES", "VALUE_TYPE") or (is_time and key in ("FILLVAL", "UNITS")):
            continue
        numbers = _numbers(values) if key in _NUMERIC else None
        found = numbers if numbers is not None else values
        attrs[key] = found[0] if len(found) == 1 else list(found)
    if attrs.get("UNITS"):
        attrs["units"] = attrs["UNITS"]
    label = attrs.get("LABLAXIS") or attrs.get("FIELDNAM") or attrs.get("CATDESC")
    if label:
        attrs["long_name"] = label
    return attrs


_NUMERIC = frozenset({"FILLVAL", "VALIDMIN", "VALIDMAX", "SCALEMIN", "SCALEMAX", "DELTA_PLUS"})
_NUMERIC |= frozenset({"DELTA_MINUS", "SIGNIFICANT_DIGITS", "QUALITY"})


def _numbers(values: list[str]) -> list[float] | None:
    try:
        return [float(value) for value in values]
    except ValueError:
        return None
