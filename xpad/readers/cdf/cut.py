"""What is whole of a CDF file that lacks its last part.

cdflib hands out zeros for what is missing at the end of a file, and follows chains of records into
nothing. Here it is found out which variables, records and attributes are there.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from xpad.errors import ReaderError
from xpad.readers.cdf.attributes import read_attributes
from xpad.readers.cdf.header import CVVR, VVR, VXR, Cut, Descriptor, Header, Walk
from xpad.readers.cdf.layout import VariableInfo

_MOST_NAMED = 6


@dataclass(frozen=True)
class Whole:
    """The records of one variable that are whole.

    Attributes
    ----------
    records : int
        They are the first ones.
    block : tuple of int
        First and last record of the block in which the file ends.
    size : int
        Bytes of the file.
    """

    records: int
    block: tuple[int, int]
    size: int


@dataclass(frozen=True)
class Remains:
    """All that is whole of a file.

    Attributes
    ----------
    header : Header
        Of the variables of which there is anything, with the records for which there are times.
    attrs, global_attrs : dict
        As far as they are there.
    wholes : dict of Whole
        How much there is of each variable.
    told : str
        What is not whole.
    """

    header: Header
    attrs: Mapping[str, dict[str, Any]]
    global_attrs: Mapping[str, Any]
    wholes: Mapping[str, Whole]
    told: str


def remains(header: Header, stored: str) -> Remains:
    """Find out what is whole of a file that is cut.

    Parameters
    ----------
    header : Header
        With its ``cut``.
    stored : str
        Where the file's content lies.

    Returns
    -------
    Remains

    Raises
    ------
    ReaderError
        If no variable is whole, nor any of its records.
    """
    cut = header.cut
    assert cut is not None
    with open(stored, "rb", buffering=0) as file:
        walk = Walk(header.path, file, may_be_cut=True)
        whole = {
            name: _whole(walk, header.variables[name], found)
            for name, found in header.descriptors.items()
        }
        attrs, global_attrs, doubtful = read_attributes(walk, header.descriptors)
    kept = {
        name: info
        for name, info in header.variables.items()
        if whole[name].records or not info.records
    }
    if not any(info.records for info in kept.values()):
        raise ReaderError(
            f"{header.path} is truncated: it has {cut.size} of {cut.announced} bytes, and nothing of "
            f"its variables is whole. Fetch it again, or pass on_error='skip'."
        )
    records: dict[int, int] = {}  # records without their time are none
    for name, info in kept.items():
        if info.is_time and not info.shape and whole[name].records < info.records:
            before = records.get(info.records, info.records)
            records[info.records] = min(before, whole[name].records)
    kept = {
        name: replace(info, records=records.get(info.records, info.records))
        if info.varying
        else info
        for name, info in kept.items()
    }
    for name in [name for name, info in kept.items() if whole[name].records < info.records]:
        if kept[name].is_text:  # which has no value that says that it is missing
            del kept[name]
        elif not kept[name].is_time:
            attrs[name].setdefault("FILLVAL", missing_value(kept[name], attrs[name]))
    told = _told(header, whole, kept, attrs, doubtful, cut)
    return Remains(replace(header, variables=kept), attrs, global_attrs, whole, told)


def missing_value(info: VariableInfo, attrs: Mapping[str, Any]) -> Any:
    """Return what stands for a value that is missing: FILLVAL, else what ISTP has for the type."""
    if info.is_time:
        return np.datetime64("NaT", "ns")
    fill = attrs.get("FILLVAL")
    if isinstance(fill, int | float | np.number):
        try:
            stored = np.asarray(fill).astype(info.dtype)
        except (OverflowError, ValueError):
            stored = None
        if stored is not None and (info.dtype.kind == "f" or stored == fill):
            return stored[()]
    if info.dtype.kind == "f":
        return info.dtype.type(np.nan)
    limits = np.iinfo(info.dtype)
    return info.dtype.type(limits.min if info.dtype.kind == "i" else limits.max)


def check_blocks(path: str, stored: str) -> None:
    """Refuse a file of which a block of records does not lie in it with all of its length.

    Raises
    ------
    ReaderError
        If there is such a block; the file is named.
    """
    with open(stored, "rb", buffering=0) as file:
        walk = Walk(path, file, may_be_cut=True)
        for name, found in walk.header().descriptors.items():
            for *_, position in _blocks(walk, found.index, set()):
                walk.require(position, f"a block of variable {name!r}")


# Records ----------------------------------------------------------------------------------------


def _whole(walk: Walk, info: VariableInfo, found: Descriptor) -> Whole:
    records, block = 0, (-1, -1)
    for first, last, position in _blocks(walk, found.index, set()):
        start = walk.read(position, walk.form.block.size) if position > 0 else b""
        if len(start) < walk.form.block.size:
            break
        length, kind = walk.form.block.unpack(start)
        if kind not in (VVR, CVVR):
            break
        if walk.is_there(position, length):
            records = last + 1
            continue
        if kind == VVR and found.record_bytes:
            there = (walk.size - position - walk.form.block.size) // found.record_bytes
            records, block = min(first + there, last), (first, last)
        break
    else:
        records = info.records if records else 0  # the rest are virtual
    return Whole(min(records, info.records), block, walk.size)


def _blocks(walk: Walk, index: int, seen: set[int]) -> Iterator[tuple[int, int, int]]:
    """Give first record, last record and position of all blocks; -1 where an index is not there."""
    form = walk.form
    while index:
        head = walk.read(max(index, 0), form.vxr.size)
        if index in seen or len(head) < form.vxr.size or form.vxr.unpack(head)[0] != VXR:
            yield -1, -1, -1
            return
        seen.add(index)
        _, entries, used = form.vxr.unpack(head)
        (length, _), step = form.block.unpack(head[: form.block.size]), form.position.size
        if not walk.is_there(index, length) or not 0 <= used <= entries <= length:
            yield -1, -1, -1
            return
        body = walk.read(index, length)
        numbers = np.frombuffer(body, ">i4", 2 * entries, form.vxr.size).tolist()
        for number in range(used):
            (position,) = form.position.unpack_from(
                body, form.vxr.size + 8 * entries + step * number
            )
            start = walk.read(max(position, 0), form.block.size)
            if len(start) == form.block.size and form.block.unpack(start)[1] == VXR:
                yield from _blocks(walk, position, seen)
            else:
                yield numbers[number], numbers[entries + number], position
        (index,) = form.position.unpack_from(body, form.block.size)


# Words ------------------------------------------------------------------------------------------


def _told(
    header: Header,
    whole: Mapping[str, Whole],
    kept: Mapping[str, VariableInfo],
    attrs: Mapping[str, Mapping[str, Any]],
    doubtful: list[str],
    cut: Cut,
) -> str:
    gone = [name for name in header.variables if name not in kept]
    if cut.lost:
        known = {name.lower() for name in header.variables}
        pointed = dict.fromkeys(
            value.strip()
            for own in attrs.values()
            for key, value in own.items()
            if key.startswith(("DEPEND", "LABL_PTR", "DELTA_", "COMPONENT"))
            and isinstance(value, str)
        )
        named = [name for name in pointed if name and name.lower() not in known]
        gone += named
        more = cut.lost - len(named)
        if more > 0:
            gone.append(f"{more} whose name{'s are' if more > 1 else ' is'} not there")
    parts = [
        f"{name} has {whole[name].records} of its {info.records} records"
        for name, info in header.variables.items()
        if name in kept and whole[name].records < info.records
    ]
    said = [f"{header.path} is truncated: it has {cut.size} of {cut.announced} bytes"]
    if parts:
        said.append(
            f"records are missing and set to the fill value, or left out where there is no time: "
            f"{_some(parts)}"
        )
    if gone:
        said.append(f"variables left out: {_some(gone)}")
    if doubtful:
        said.append(f"attributes of which some may be lost: {_some(doubtful)}")
    if len(said) == 1:
        said.append("all variables are whole")
    return f"{'; '.join(said)}. Fetch it again for the rest."


def _some(texts: list[str]) -> str:
    more = f" and {len(texts) - _MOST_NAMED} more" if len(texts) > _MOST_NAMED else ""
    return ", ".join(texts[:_MOST_NAMED]) + more
