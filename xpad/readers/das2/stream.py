"""The packets of a das2 stream, and the headers that describe them."""

from __future__ import annotations

import re
import zlib
from collections import ChainMap
from collections.abc import Mapping
from dataclasses import dataclass, field
from xml.etree import ElementTree
from xml.parsers import expat

import numpy as np

from xpad.errors import ReaderError

_BINARY = {
    "sun_real4": ">f4",
    "sun_real8": ">f8",
    "float": ">f4",
    "double": ">f8",
    "little_endian_real4": "<f4",
    "little_endian_real8": "<f8",
    "big_endian_real4": ">f4",
    "big_endian_real8": ">f8",
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
    properties : collections.ChainMap
        Of the plane, then those of its packet and of the stream; by their names alone, without the
        type that some makers put before them (``double:zFill``).
    """

    kind: str
    encoding: str
    items: int
    attrs: dict[str, str]
    properties: ChainMap[str, str]

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

    @property
    def ends_in_blank(self) -> bool:
        """Whether the last byte of a packet is a blank, which the last of a file may lack."""
        is_text = not any(plane.encoding in _BINARY for plane in self.planes)
        return is_text and bool(self.rows) and self.rows[-1][-1:].isspace()


@dataclass
class Stream:
    """What a das2 stream holds.

    Attributes
    ----------
    packets : list of Packets
        A kind of packet each, in the order of their headers.
    short : str or None
        What the file ends within, where it ends before a packet does.
    """

    packets: list[Packets]
    short: str | None = None


class _Short(Exception):
    """The file ends within a packet; said is within what."""


def read_stream(data: bytes, path: str) -> Stream:
    """Cut a stream into its packets.

    Parameters
    ----------
    data : bytes
        Of the whole file.
    path : str
        For errors.

    Returns
    -------
    Stream
        With all packets that are whole.

    Raises
    ------
    ReaderError
        If it is malformed, or if no data packet is whole.
    """
    walk = _Walk(data, path)
    try:
        walk.to_the_end()
    except _Short as end:
        walk.short = str(end)
    if walk.short and not any(kind.rows for kind in walk.found):
        raise ReaderError(
            f"{path} is truncated: it ends {walk.short}, and holds no whole data packet. Fetch it "
            f"again, or pass on_error='skip'."
        )
    return Stream(walk.found, walk.short)


class _Walk:
    """One walk through the packets of a stream."""

    def __init__(self, data: bytes, path: str) -> None:
        self.data = data
        self.path = path
        self.position = 0
        self.found: list[Packets] = []
        self.current: dict[bytes, Packets] = {}
        self.stream: dict[str, str] = {}
        self.short: str | None = None

    def to_the_end(self) -> None:
        while self.position < len(self.data):
            start = self.data[self.position : self.position + 1]
            if start.isspace():
                self.position += 1
            elif start == b"[":
                self._header()
            elif start == b":":
                self._row()
            else:
                found = self.data[self.position : self.position + 8]
                raise self._malformed(f"a packet should start here, not {found!r}")

    def _header(self) -> None:
        head = self._taken(self.position, 10, "a header")
        length = head[4:].strip()  # some makers pad it with blanks
        if head[3:4] != b"]" or not length.isdigit():
            raise self._malformed("a header should read [NN] and six digits")
        text = self._taken(self.position + 10, int(length), "a header")
        end = self.position + 10 + len(text)
        tag = head[1:3]
        if tag == b"00":
            root = _xml(text, self.position, self.path)
            self.stream = _properties(root)
            if root.get("compression", "none").lower() == "deflate":
                self._inflate(end)
        elif tag == b"xx":
            _refuse_exception(text, self.position, self.path)
        else:
            root = _xml(text, self.position, self.path)
            planes = _planes(root, self.stream, self.position, self.path)
            self.current[tag] = Packets(planes)
            self.found.append(self.current[tag])
        self.position = end

    def _row(self) -> None:
        head = self._taken(self.position, 4, "a data packet")
        tag = head[1:3]
        if head[3:4] != b":":
            found = self.data[self.position : self.position + 8]
            raise self._malformed(f"a packet should start here, not {found!r}")
        if tag not in self.current:
            raise self._malformed(f"data packet {tag!r} before its header")
        kind = self.current[tag]
        row = self.data[self.position + 4 : self.position + 4 + kind.length]
        if len(row) < kind.length - kind.ends_in_blank:
            raise _Short(f"within a data packet ({len(row)} of {kind.length} bytes)")
        kind.rows.append(row.ljust(kind.length))
        self.position += 4 + len(row)

    def _taken(self, start: int, length: int, what: str) -> bytes:
        """Return bytes that must be there, unless the file is short."""
        found = self.data[start : start + length]
        if len(found) < length:
            raise _Short(f"within {what} ({len(found)} of {length} bytes)")
        return found

    def _inflate(self, end: int) -> None:
        """Replace what follows the stream's header, which is compressed, by what it holds."""
        stream = zlib.decompressobj()
        try:
            plain = stream.decompress(self.data[end:])
        except zlib.error as error:
            raise _malformed(self.path, end, f"the compressed part is damaged ({error})") from error
        self.data = self.data[:end] + plain
        if not stream.eof:
            self.short = "within its compressed part"

    def _malformed(self, what: str) -> ReaderError:
        return _malformed(self.path, self.position, what)


def _xml(text: bytes, position: int, path: str) -> ElementTree.Element:
    """Parse a header; its prefixes (``double:zFill``) are no namespaces, and are declared nowhere."""
    builder = ElementTree.TreeBuilder()
    parser = expat.ParserCreate()
    parser.StartElementHandler = builder.start
    parser.EndElementHandler = builder.end
    try:
        parser.Parse(text.decode("utf-8", errors="replace").strip(), True)
    except expat.ExpatError as error:
        raise _malformed(path, position, f"the header is no XML ({error})") from error
    return builder.close()


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
        key.split(":")[-1]: value
        for item in element.findall("properties")
        for key, value in item.attrib.items()
    }


def _planes(
    packet: ElementTree.Element, stream: Mapping[str, str], position: int, path: str
) -> list[Plane]:
    planes = []
    for element in packet:
        if element.tag not in ("x", "y", "z", "yscan"):
            continue
        encoding = element.get("type", "")
        if encoding not in _BINARY and not re.fullmatch(r"(ascii|time)[1-9]\d*", encoding):
            known = ", ".join([*_BINARY, "asciiN", "timeN"])
            raise _malformed(path, position, f"type {encoding!r} is none of {known}")
        try:
            items = int(element.get("nitems", "1"))
        except ValueError as error:
            raise _malformed(path, position, f"nitems is no number ({error})") from error
        if items < 1:
            raise _malformed(path, position, f"nitems is {items}")
        properties = ChainMap(_properties(element), _properties(packet), dict(stream))
        planes.append(Plane(element.tag, encoding, items, dict(element.attrib), properties))
    if len(planes) < 2 or planes[0].kind != "x":
        raise _malformed(path, position, "a packet needs an <x> and at least one plane more")
    return planes
