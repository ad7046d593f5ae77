"""Attributes of a CDF file, read in one walk, as far as they are there."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping
from typing import Any

import numpy as np

from xpad.readers.cdf.header import TYPE_BYTES, Descriptor, Walk

TERMS = ("FILLVAL", "VALIDMIN", "VALIDMAX", "UNITS")
"""What says how the values of a variable are to be read."""

_BIG_ENDIAN = (1, 2, 5, 7, 9, 11, 12, 18)  # encodings
_GLOBAL = (1, 3)  # scopes of attributes
_TEXT = (51, 52)
_KINDS = {
    **dict.fromkeys((1, 2, 4, 8, 33, 41), "i"),
    **dict.fromkeys((11, 12, 14), "u"),
    **dict.fromkeys((21, 22, 31, 44, 45), "f"),
    32: "c",
}


def read_terms(
    path: str, stored: str, variables: Mapping[str, Descriptor]
) -> dict[str, dict[str, Any]]:
    """What a file states of each variable under the names in `TERMS`; nothing else is read.

    Parameters
    ----------
    path, stored : str
        As of `read_header`.
    variables : mapping
        Name to its descriptor.
    """
    with open(stored, "rb", buffering=0) as file:
        walk = Walk(path, file)
        return read_attributes(walk, variables, TERMS)[0]


def read_attributes(
    walk: Walk, variables: Mapping[str, Descriptor], wanted: Collection[str] = ()
) -> tuple[dict[str, dict[str, Any]], dict[str, Any], list[str]]:
    """Return the attributes of variables and file, and those of which entries may be lost.

    Only those that are `wanted`, where any are named.
    """
    form = walk.form
    names = {(found.is_z, found.number): name for name, found in variables.items()}
    attrs: dict[str, dict[str, Any]] = {name: {} for name in variables}
    global_attrs: dict[str, Any] = {}
    doubtful: list[str] = []
    position, count = form.attributes.unpack_from(walk.gdr)
    if not 0 <= count * form.adr.size <= max(walk.size, walk.announced):
        raise ValueError(f"{count} attributes are announced")
    for number in range(count):
        if position > 0 and not walk.is_cut:
            walk.require(position, "an attribute")
        if not walk.is_there(position, form.adr.size):
            doubtful.append(f"{count - number} whose names are not there")
            break
        _, following, first, scope, entries, first_z, z_entries, text = form.adr.unpack(
            walk.read(position, form.adr.size)
        )
        name = text.split(b"\0")[0].decode("latin-1").strip()
        position = following
        if wanted and name not in wanted:
            continue
        values = list(_entries(walk, first, entries))
        z_values = list(_entries(walk, first_z, z_entries))
        if len(values) < entries or len(z_values) < z_entries:
            doubtful.append(name)
        if scope in _GLOBAL:
            found = [value for _, value in values]
            if found:
                global_attrs[name] = found[0] if len(found) == 1 else found
        else:
            for is_z, members in ((False, values), (True, z_values)):
                for variable, value in members:
                    if (is_z, variable) in names:
                        attrs[names[is_z, variable]][name] = value
    return attrs, global_attrs, doubtful


def _entries(walk: Walk, position: int, count: int) -> Iterator[tuple[int, Any]]:
    """Give number and value of the entries of one attribute, as far as they are there."""
    form = walk.form
    for _ in range(count):
        if position > 0 and not walk.is_cut:
            walk.require(position, "an attribute's entry")
        if not walk.is_there(position, form.entry.size):
            return
        length, _, following, data_type, number, elements = form.entry.unpack(
            walk.read(position, form.entry.size)
        )
        size = elements * TYPE_BYTES.get(data_type, 0)
        if not walk.is_there(position, max(length, form.entry.size + size)):
            return
        yield number, _value(walk, walk.read(position + form.entry.size, size), data_type)
        position = following


def _value(walk: Walk, stored: bytes, data_type: int) -> Any:
    if data_type in _TEXT:
        text = stored.split(b"\0")[0]
        try:
            return text.decode("utf-8")
        except UnicodeDecodeError:
            return text.decode("latin-1")
    if data_type not in _KINDS:
        return None
    order = ">" if walk.encoding in _BIG_ENDIAN else "<"
    dtype = np.dtype(f"{order}{_KINDS[data_type]}{TYPE_BYTES[data_type]}")
    values = np.frombuffer(stored, dtype).astype(dtype.newbyteorder("="))
    return values[0] if values.size == 1 else values
