"""From the header of a CDF file to named dimensions, by the ISTP conventions.

The rules are those of ``cdflib.xarray.cdf_to_xarray``: the record dimension is called after
DEPEND_0; a static one-dimensional DEPEND_n gives a dimension of its own name; a DEPEND_n that
changes from record to record gives the dimension ``<name>_dim``; what has no DEPEND_n gets
``dim0``, ``dim1``…, shared by equal sizes. Where cdflib gives up (no attributes at all, a DEPEND_n
of several dimensions, one size twice in a variable), this module finds names too.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np

from xpad.readers import times

_DTYPES = {
    "CDF_INT1": "i1",
    "CDF_BYTE": "i1",
    "CDF_INT2": "i2",
    "CDF_INT4": "i4",
    "CDF_INT8": "i8",
    "CDF_UINT1": "u1",
    "CDF_UINT2": "u2",
    "CDF_UINT4": "u4",
    "CDF_REAL4": "f4",
    "CDF_FLOAT": "f4",
    "CDF_REAL8": "f8",
    "CDF_DOUBLE": "f8",
}


@dataclass(frozen=True)
class VariableInfo:
    """What the header of one file says of one variable.

    Attributes
    ----------
    cdf_type : str
        ``CDF_REAL4``…, or ``UNIX`` for seconds since 1970 that serve as record times.
    shape : tuple of int
        Of one record.
    records : int
        Records written.
    varying : bool
        Whether the variable changes from record to record.
    """

    cdf_type: str
    shape: tuple[int, ...]
    records: int
    varying: bool

    @property
    def is_time(self) -> bool:
        """Whether the values are times."""
        return self.cdf_type in times.TIME_TYPES

    @property
    def is_text(self) -> bool:
        """Whether the values are text."""
        return self.cdf_type in ("CDF_CHAR", "CDF_UCHAR")

    @property
    def dtype(self) -> np.dtype:
        """The dtype of the values as they are handed out."""
        if self.is_time:
            return np.dtype("datetime64[ns]")
        if self.is_text:
            string_dtype = getattr(getattr(np, "dtypes", None), "StringDType", None)
            wanted = string_dtype() if self.varying and string_dtype else object
            return np.dtype(wanted)
        return np.dtype(_DTYPES[self.cdf_type])

    @property
    def bytes_per_record(self) -> int:
        """The size of one record in memory."""
        return math.prod(self.shape) * self.dtype.itemsize


@dataclass
class Entry:
    """One variable of the Dataset to be.

    Attributes
    ----------
    record : str or None
        The record dimension; None for a static variable.
    dims : list of str
        The other dimensions.
    axes : dict
        Position among `dims` to the variable that labels that dimension (DEPEND_n).
    """

    info: VariableInfo
    record: str | None
    dims: list[str] = field(default_factory=list)
    axes: dict[int, str] = field(default_factory=dict)
    is_coordinate: bool = False


@dataclass
class Layout:
    """The variables of the Dataset to be, and the record dimensions with their times.

    Attributes
    ----------
    entries : dict of Entry
    epochs : dict
        Record dimension to the variable that holds its times, or None where there is none.
    """

    entries: dict[str, Entry]
    epochs: dict[str, str | None]


def lay_out(
    variables: Mapping[str, VariableInfo], attrs: Mapping[str, Mapping[str, Any]]
) -> Layout:
    """Name the dimensions of all variables of a file.

    Parameters
    ----------
    variables : mapping of VariableInfo
    attrs : mapping
        Variable to its CDF attributes.

    Returns
    -------
    Layout
        Variables without any record (virtual ones) are left out.

    Examples
    --------
    >>> found = lay_out(
    ...     {
    ...         "Epoch": VariableInfo("CDF_EPOCH", (), 9, True),
    ...         "Alpha": VariableInfo("CDF_REAL4", (17,), 1, False),
    ...         "FEDU": VariableInfo("CDF_REAL4", (17, 12), 9, True),
    ...     },
    ...     {"FEDU": {"DEPEND_0": "Epoch", "DEPEND_1": "Alpha"}},
    ... )
    >>> found.entries["FEDU"].record, found.entries["FEDU"].dims
    ('Epoch', ['Alpha', 'dim0'])
    """
    return _Namer(variables, attrs).layout()


def attributes(info: VariableInfo, attrs: Mapping[str, Any]) -> dict[str, Any]:
    """Return the attributes of a variable, with CF's ``units`` and ``long_name`` added.

    For times, bounds such as VALIDMIN become ISO 8601 text, and FILLVAL, which is now NaT, and
    UNITS go.
    """
    out = {key: value for key, value in attrs.items() if value is not None}
    if info.is_time:
        out.pop("FILLVAL", None)
        out.pop("UNITS", None)
        for key in ("VALIDMIN", "VALIDMAX", "SCALEMIN", "SCALEMAX"):
            if key in out and not isinstance(out[key], str):
                out[key] = times.iso(out[key], info.cdf_type)
        out["CDF_DATA_TYPE"] = info.cdf_type
    units = out.get("UNITS")
    if isinstance(units, str) and units.strip():
        out.setdefault("units", units.strip())
    for key in ("LABLAXIS", "FIELDNAM", "CATDESC"):
        text = out.get(key)
        if isinstance(text, str) and text.strip():
            out.setdefault("long_name", text.strip())
            break
    return out


class _Namer:
    """Names dimensions; one pass for each question, each of which needs the answers before."""

    def __init__(
        self, variables: Mapping[str, VariableInfo], attrs: Mapping[str, Mapping[str, Any]]
    ) -> None:
        self.variables = variables
        self.attrs = attrs
        self.by_lower_name = {name.lower(): name for name in variables}
        self.epochs: dict[str, str | None] = {}
        self.sizes: dict[str, int] = {}
        self.generic: dict[tuple[int, int], str] = {}

    def layout(self) -> Layout:
        self.record_of = self._times_pointed_at()
        self.entries = {
            name: Entry(info, self._record(name))
            for name, info in self.variables.items()
            if info.records > 0 or self._is_of_an_empty_file(name)
        }
        for name, entry in self.entries.items():
            entry.is_coordinate = entry.record == name
        self._name_axes()
        for name, entry in self.entries.items():
            if not entry.dims:
                entry.dims = self._dims(name)
        self._name_companions()
        return Layout(self.entries, self.epochs)

    def _times_pointed_at(self) -> dict[str, str]:
        """Return the record times of each variable that names them, itself for those times."""
        found: dict[str, str] = {}
        for name, info in self.variables.items():
            for key in ("DEPEND_0", "DEPEND_TIME"):
                epoch = self._pointed(name, key)
                if epoch is None or not info.varying or self.variables[epoch].shape:
                    continue
                if self.variables[epoch].records != info.records:
                    continue
                if key == "DEPEND_TIME" and not self.variables[epoch].is_time:
                    seconds = replace(self.variables[epoch], cdf_type="UNIX")
                    self.variables = {**self.variables, epoch: seconds}
                found[name] = found[epoch] = epoch
                break
        return found

    def _pointed(self, name: str, key: str) -> str | None:
        """Return the variable that an attribute such as DEPEND_0 names, if there is one."""
        value = self.attrs.get(name, {}).get(key)
        if not isinstance(value, str):
            return None
        return self.by_lower_name.get(value.strip().lower())

    def _is_of_an_empty_file(self, name: str) -> bool:
        """Whether a variable has no records because its times have none either (an empty day)."""
        is_virtual = str(self.attrs.get(name, {}).get("VIRTUAL", "")).strip().lower() == "true"
        return name in self.record_of and not is_virtual

    def _record(self, name: str) -> str | None:
        info = self.variables[name]
        if not info.varying:
            return None
        epoch = self.record_of.get(name)
        if epoch is None and info.is_time and not info.shape:
            epoch = name
        if epoch is not None:
            self.epochs.setdefault(epoch, epoch)
            return epoch
        if info.records == 1:
            return None
        candidates = [
            other
            for other, found in self.variables.items()
            if found.is_time and not found.shape and found.records == info.records
        ]
        if len(candidates) == 1:
            self.epochs.setdefault(candidates[0], candidates[0])
            return candidates[0]
        for dim, epoch in self.epochs.items():
            if epoch is None and self.sizes[dim] == info.records:
                return dim
        number = sum(epoch is None for epoch in self.epochs.values())
        while f"record{number}" in self.variables:
            number += 1
        dim = f"record{number}"
        self.epochs[dim] = None
        self.sizes[dim] = info.records
        return dim

    def _name_axes(self) -> None:
        """Decide which DEPEND_n hold, and name the dimensions of the axes themselves."""
        complicated: list[tuple[str, int, str]] = []
        for name, entry in self.entries.items():
            used: set[str] = set()
            for position, size in enumerate(entry.info.shape):
                axis = self._axis(name, position)
                if axis is None or axis in used or axis == name:
                    continue
                used.add(axis)
                shape = self.entries[axis].info.shape
                same_records = self.entries[axis].record in (None, entry.record)
                if shape == (size,) and same_records:
                    entry.axes[position] = axis
                elif len(shape) > 1 and size in shape and same_records:
                    complicated.append((name, position, axis))
        for entry in self.entries.values():
            for axis in entry.axes.values():
                self._name_simple_axis(axis)
        for name, position, axis in complicated:
            self._name_complicated_axis(name, position, axis)

    def _axis(self, name: str, position: int) -> str | None:
        axis = self._pointed(name, f"DEPEND_{position + 1}")
        if axis is None and self.entries[name].record is None:
            # Some static variables count their axes from DEPEND_0.
            axis = self._pointed(name, f"DEPEND_{position}")
        return axis if axis in self.entries else None

    def _name_simple_axis(self, axis: str) -> None:
        entry = self.entries[axis]
        entry.dims = [axis if entry.record is None else f"{axis}_dim"]
        entry.is_coordinate = True
        self.sizes[entry.dims[0]] = entry.info.shape[0]

    def _name_complicated_axis(self, name: str, position: int, axis: str) -> None:
        """Name the dimensions of an axis that itself depends on others, as MAVEN SWEA's."""
        entry, target = self.entries[name], self.entries[axis]
        dim = f"{axis}_dim"
        size = entry.info.shape[position]
        if self.sizes.setdefault(dim, size) != size:
            return
        entry.axes[position] = axis
        target.is_coordinate = True
        if target.dims:
            return
        if target.info.shape == entry.info.shape:
            target.dims = self._dims(name)
            return
        where = len(target.info.shape) - 1 - target.info.shape[::-1].index(size)
        target.dims = [
            dim if other == where else self._generic_dim(length, 0)
            for other, length in enumerate(target.info.shape)
        ]

    def _dims(self, name: str) -> list[str]:
        entry = self.entries[name]
        dims: list[str] = []
        for position, size in enumerate(entry.info.shape):
            axis = entry.axes.get(position)
            dim = None
            if axis is not None:
                is_simple = len(self.entries[axis].info.shape) == 1
                static = self.entries[axis].record is None
                dim = axis if is_simple and static else f"{axis}_dim"
            if dim is None or dim in dims:
                repeat = sum(entry.info.shape[before] == size for before in range(position))
                dim = self._generic_dim(size, repeat)
            dims.append(dim)
        return dims

    def _generic_dim(self, size: int, repeat: int) -> str:
        key = (size, repeat)
        if key not in self.generic:
            number = len(self.generic)
            while f"dim{number}" in self.variables:
                number += 1
            self.generic[key] = f"dim{number}"
            self.sizes[f"dim{number}"] = size
        return self.generic[key]

    def _name_companions(self) -> None:
        """Give uncertainties the dimensions of what they belong to, and labels those they label."""
        for name, entry in self.entries.items():
            for key in ("DELTA_PLUS_VAR", "DELTA_MINUS_VAR"):
                self._adopt(self._pointed(name, key), entry.dims, entry.info.shape)
            for position, size in enumerate(entry.info.shape):
                label = self._pointed(name, f"LABL_PTR_{position + 1}")
                if label is not None and self._adopt(label, [entry.dims[position]], (size,)):
                    self.entries[label].is_coordinate = True

    def _adopt(self, name: str | None, dims: list[str], shape: tuple[int, ...]) -> bool:
        entry = self.entries.get(name) if name is not None else None
        if entry is None or entry.info.shape != shape or entry.is_coordinate or entry.axes:
            return False
        entry.dims = list(dims)
        return True
