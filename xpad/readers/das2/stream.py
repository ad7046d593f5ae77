"""The packets of a das2 stream, and the headers that describe them."""

from __future__ import annotations

import re
import zlib
from dataclasses import dataclass, field
from xml.etree import ElementTree

import numpy as np

from xpad.errors import ReaderError

_BINARY = {
    "sun_real4": ">f4",
    "sun_real8": ">f8",
    "float": ">f4",
    "double": ">f8",
    "little_endian_real4": "<f4",
    "little_endian_real8": "<f8",
    **{f"little_endian_int{size}": f"<i{size}" for size in (1, 2, 4, 8)},
    **{f"little_endian_uint{size}": f"<u{size}" for size in (1, 2, 4, 8)},
    **{f"big_endian_int{size}": f">i{size}" for size in (1, 2, 4, 8)},
    **{f"big_endian_uint{size}": f">u{size}" for size in (1, 2, 4, 8)},
}


@dataclass(frozen=True)
class Plane:
    """One x, y, z or yscan of a packet.

    Attributes
    ----------
    kind : str
        "x", "y", "z" or "yscan".
    encoding : str
        As the stream calls it: ``ascii10``, ``time24``, ``sun_real4``…
    items : int
    attrs : dict
        Of the XML element.
    properties : dict
        Of the plane, over those of the stream.
    """

    kind: str
    encoding: str
    items: int
    attrs: dict[str, str]
    properties: dict[str, str]

    @property
    def width(self) -> int:
        """Bytes of one item."""
        if self.encoding in _BINARY:
            return np.dtype(_BINARY[self.encoding]).itemsize
        return int(re.sub(r"\D", "", self.encoding))


@dataclass
class Packets:
    """All data packets of one kind.

    Attributes
    ----------
    planes : list of Plane
        The x plane first.
    rows : list of bytes
    """

    planes: list[Plane]
    rows: list[bytes] = field(default_factory=list)

    @property
    def length(self) -> int:
        """Bytes of one packet."""
        return sum(plane.width * plane.items for plane in self.planes)


def _packets(data: bytes, path: str) -> list[Packets]:
    """Cut a stream into its packets."""
    found: list[Packets] = []
    current: dict[bytes, Packets] = {}
    stream: dict[str, str] = {}
    position = 0
    while position < len(data):
        start = data[position : position + 1]
        tag = data[position + 1 : position + 3]
        if start.isspace():
            position += 1
        elif start == b"[":
            text, end = _header(data, position, path)
            if tag == b"00":
                root = _xml(text, position, path)
                stream = _properties(root)
                if root.get("compression", "none").lower() == "deflate":
                    data = data[:end] + _inflate(data[end:], end, path)
            elif tag == b"xx":
                _refuse_exception(text, position, path)
            else:
                current[tag] = Packets(_planes(_xml(text, position, path), stream, position, path))
                found.append(current[tag])
            position = end
        elif start == b":" and data[position + 3 : position + 4] == b":":
            if tag not in current:
                raise _malformed(path, position, f"data packet {tag!r} before its header")
            end = position + 4 + current[tag].length
            row = data[position + 4 : end]
            is_text = not any(plane.encoding in _BINARY for plane in current[tag].planes)
            if len(row) < current[tag].length - is_text:
                raise _malformed(
                    path,
                    position,
                    f"the data packet needs {current[tag].length} bytes, {len(row)} are left: "
                    f"the file is truncated",
                )
            current[tag].rows.append(row.ljust(current[tag].length))
            position = end
        else:
            raise _malformed(
                path, position, f"a packet should start here, not {data[position : position + 8]!r}"
            )
    return found


def _header(data: bytes, position: int, path: str) -> tuple[bytes, int]:
    digits = data[position + 4 : position + 10]
    if data[position + 3 : position + 4] != b"]" or not digits.isdigit():
        raise _malformed(path, position, "a header should read [NN] and six digits")
    end = position + 10 + int(digits)
    if end > len(data):
        raise _malformed(
            path,
            position,
            f"the header announces {int(digits)} bytes, {len(data) - position - 10} are left: the "
            f"file is truncated",
        )
    return data[position + 10 : end], end


def _xml(text: bytes, position: int, path: str) -> ElementTree.Element:
    try:
        return ElementTree.fromstring(text.decode("utf-8", errors="replace").strip())
    except ElementTree.ParseError as error:
        raise _malformed(path, position, f"the header is no XML ({error})") from error


def _inflate(data: bytes, position: int, path: str) -> bytes:
    try:
        return zlib.decompressobj().decompress(data)
    except zlib.error as error:
        raise _malformed(path, position, f"the compressed part is damaged ({error})") from error


def _refuse_exception(text: bytes, position: int, path: str) -> None:
    if b"<exception" in text:
        found = _xml(text, position, path)
        raise ReaderError(
            f"{path} ends with the server's error at byte {position}: {found.get('type')}: "
            f"{found.get('message')}"
        )


def _malformed(path: str, position: int, what: str) -> ReaderError:
    return ReaderError(f"{path} is not a well-formed das2 stream: at byte {position}, {what}.")


def _properties(element: ElementTree.Element) -> dict[str, str]:
    """Return the properties below an element; "double:zFill" is called "zFill"."""
    return {
        key.split("}")[-1].split(":")[-1]: value
        for item in element.findall("properties")
        for key, value in item.attrib.items()
    }


def _planes(
    packet: ElementTree.Element, stream: dict[str, str], position: int, path: str
) -> list[Plane]:
    planes = []
    for element in packet:
        if element.tag not in ("x", "y", "z", "yscan"):
            continue
        encoding = element.get("type", "")
        if encoding not in _BINARY and not re.fullmatch(r"(ascii|time)\d+", encoding):
            known = ", ".join([*_BINARY, "asciiN", "timeN"])
            raise _malformed(path, position, f"type {encoding!r} is none of {known}")
        try:
            items = int(element.get("nitems", "1"))
        except ValueError as error:
            raise _malformed(path, position, f"nitems is no number ({error})") from error
        properties = {**stream, **_properties(element)}
        planes.append(Plane(element.tag, encoding, items, dict(element.attrib), properties))
    if len(planes) < 2 or planes[0].kind != "x":
        raise _malformed(path, position, "a packet needs an <x> and at least one plane more")
    return planes
