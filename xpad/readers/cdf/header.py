"""What the header of a CDF file says of its variables, read in one walk.

A CDF file is a chain of internal records: the CDR at its beginning points to the GDR, that to the
first of the variable descriptors (VDR), each of which points to the next, and to an index (VXR) of
the blocks (VVR, CVVR) that hold the variable's values. cdflib walks the chain of descriptors again
for every name that it is asked for, which is most of the time that opening thousands of files
takes; here it is walked once. The values are left to cdflib.

The format is described in "CDF Internal Format Description", NASA Space Physics Data Facility,
https://cdf.gsfc.nasa.gov.
"""

from __future__ import annotations

import math
import os
import struct
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from hashlib import blake2b
from typing import BinaryIO

from xpad.errors import ReaderError
from xpad.readers.cdf.layout import VariableInfo

_TYPES = {
    1: "CDF_INT1",
    2: "CDF_INT2",
    4: "CDF_INT4",
    8: "CDF_INT8",
    11: "CDF_UINT1",
    12: "CDF_UINT2",
    14: "CDF_UINT4",
    21: "CDF_REAL4",
    22: "CDF_REAL8",
    31: "CDF_EPOCH",
    32: "CDF_EPOCH16",
    33: "CDF_TIME_TT2000",
    41: "CDF_BYTE",
    44: "CDF_FLOAT",
    45: "CDF_DOUBLE",
    51: "CDF_CHAR",
    52: "CDF_UCHAR",
}
TYPE_BYTES = {
    **dict.fromkeys((1, 11, 41, 51, 52), 1),
    **dict.fromkeys((2, 12), 2),
    **dict.fromkeys((4, 14, 21, 44), 4),
    **dict.fromkeys((8, 22, 31, 33, 45), 8),
    32: 16,
}
# The types of internal records.
_R_VDR, _Z_VDR, VXR, VVR, CVVR = 3, 8, 6, 7, 13
_VARIES_WITH_RECORDS, _IS_COMPRESSED = 1, 4  # bits of a descriptor's flags
_MOST_DIMENSIONS = 10  # that a CDF variable may have
_LONGEST_DESCRIPTOR = 512  # bytes, more than one of ten dimensions has
_LONGEST_FINGERPRINTED = 2**20  # bytes
_MOST_EXPANSION = 1032  # bytes that one of gzip may become


@dataclass(frozen=True)
class Descriptor:
    """Where a variable's values and attributes are found.

    Attributes
    ----------
    index : int
        Position of the first index (VXR) of its blocks.
    record_bytes : int
        The size of one record in the file.
    number : int
        By which attributes name it.
    is_z : bool
        Whether it is a zVariable; they are numbered apart.
    """

    index: int
    record_bytes: int
    number: int
    is_z: bool


@dataclass(frozen=True)
class Cut:
    """What a file lacks at its end.

    Attributes
    ----------
    size, announced : int
        Bytes that are there, and that there should be.
    lost : int
        Variables whose descriptors are not there, and so not even their names.
    """

    size: int
    announced: int
    lost: int


@dataclass(frozen=True)
class Header:
    """What the header of one file says.

    Attributes
    ----------
    path : str
    variables : dict of VariableInfo
    fingerprints : dict of bytes
        Of variables of one record, as far as they are stored simply: a digest of their type,
        shape, byte order and stored bytes. Where two files have the same, they have the same
        values; the reverse need not be.
    descriptors : dict of Descriptor
    cut : Cut or None
        Of a file that is shorter than it says.
    """

    path: str
    variables: Mapping[str, VariableInfo]
    fingerprints: Mapping[str, bytes]
    descriptors: Mapping[str, Descriptor]
    cut: Cut | None = None

    @property
    def records(self) -> int:
        """The number of records of the longest variable."""
        return max((info.records for info in self.variables.values() if info.varying), default=0)


@dataclass(frozen=True)
class _Format:
    """Where the fields stand that are read, in one version of the format.

    Attributes
    ----------
    cdr : struct.Struct
        In the whole file. Position of the GDR, encoding, flags.
    gdr : struct.Struct
        First rVDR, first zVDR, length of the file, number of rVariables, number of the dimensions
        that all rVariables have, number of zVariables.
    r_sizes : int
        Where the sizes of those dimensions stand in the GDR.
    vdr : struct.Struct
        Kind, next VDR, data type, last record, VXR, flags, number of elements, name. After it: in
        a zVDR the number of dimensions, their sizes, and whether each varies; in an rVDR only the
        last.
    vxr : struct.Struct
        Kind, number of entries, number of those used. After it: first records, last records and
        positions of all entries.
    position : struct.Struct
        One such position.
    block : struct.Struct
        Length and kind.
    number : int
        Where the variable's number stands in a VDR.
    attributes : struct.Struct
        Of the GDR: first ADR, number of attributes.
    adr : struct.Struct
        Kind, next ADR, first entry, scope, number of entries, first and number of those of
        zVariables, name.
    entry : struct.Struct
        Length, kind, next entry, data type, number of the variable, number of elements. After it:
        the values.
    """

    cdr: struct.Struct
    gdr: struct.Struct
    r_sizes: int
    vdr: struct.Struct
    vxr: struct.Struct
    position: struct.Struct
    block: struct.Struct
    number: int
    attributes: struct.Struct
    adr: struct.Struct
    entry: struct.Struct


_VERSION_3 = _Format(
    cdr=struct.Struct(">20x q 8x i i"),
    gdr=struct.Struct(">12x q q 8x q i 8x i i"),
    r_sizes=84,
    vdr=struct.Struct(">8x i q i i q 8x i 16x i 16x 256s"),
    vxr=struct.Struct(">8x i 8x i i"),
    position=struct.Struct(">q"),
    block=struct.Struct(">q i"),
    number=68,
    attributes=struct.Struct(">28x q 12x i"),
    adr=struct.Struct(">8x i q q i 4x i 8x q i 8x 256s"),
    entry=struct.Struct(">q i q 4x i i i 20x"),
)
_VERSION_2 = _Format(
    cdr=struct.Struct(">16x i 8x i i"),
    gdr=struct.Struct(">8x i i 4x i i 8x i i"),
    r_sizes=60,
    vdr=struct.Struct(">4x i i i i i 4x i 16x i 12x 64s"),
    vxr=struct.Struct(">4x i 4x i i"),
    position=struct.Struct(">i"),
    block=struct.Struct(">i i"),
    number=52,
    attributes=struct.Struct(">16x i 8x i"),
    adr=struct.Struct(">4x i i i i 4x i 8x i i 8x 64s"),
    entry=struct.Struct(">i i i 4x i i i 20x"),
)
#: Before version 2.5, each descriptor was 128 bytes longer.
_BEFORE_2_5 = replace(
    _VERSION_2, vdr=struct.Struct(">4x i i i i i 4x i 144x i 12x 64s"), number=180
)


def read_header(path: str, stored: str | None = None, *, may_be_cut: bool = False) -> Header:
    """Read the descriptors of all variables of one CDF file.

    Parameters
    ----------
    path : str
    stored : str, optional
        Where the file's content lies, if not at `path`: the copy of a file that was compressed as
        a whole.
    may_be_cut : bool
        Whether to read as much as is there of a file that is shorter than it says.

    Returns
    -------
    Header
        rVariables first, each kind in the order of the file, without the dimensions in which a
        variable does not vary.

    Raises
    ------
    ReaderError
        If the file is shorter than it says, or holds no variables.
    ValueError, struct.error, OSError
        If it is damaged in another way.
    """
    with open(stored or path, "rb", buffering=0) as file:
        return Walk(path, file, may_be_cut=may_be_cut).header()


def check_length(path: str, stored: str | None = None, size: int | None = None) -> None:
    """Compare the length of a CDF file with what its header announces.

    cdflib hands out zeros for what is missing at the end of a file.

    Parameters
    ----------
    path, stored : str
        As for `read_header`.
    size : int, optional
        Its length at opening, if it was shorter then already.

    Raises
    ------
    ReaderError
        If the file is shorter.
    """
    with open(stored or path, "rb", buffering=0) as file:
        if size is None or os.fstat(file.fileno()).st_size < size:
            Walk(path, file)


class Walk:
    """One walk through the descriptors of an open file."""

    def __init__(self, path: str, file: BinaryIO, *, may_be_cut: bool = False) -> None:
        self.path = path
        self.file = file
        self.size = os.fstat(file.fileno()).st_size
        start = self.read(0, 64)
        if len(start) < 48:
            raise ReaderError(
                f"{path} is truncated: its {len(start)} bytes are less than the header of a CDF "
                f"file has. Fetch it again, or pass on_error='skip'."
            )
        self.form = _format_of(start)
        gdr_position, encoding, flags = self.form.cdr.unpack_from(start)
        self.encoding = encoding
        self.storage = struct.pack(">ii", encoding, flags)
        self.gdr_position = gdr_position
        self.gdr = self.read(max(gdr_position, 0), self.form.r_sizes + 4 * _MOST_DIMENSIONS)
        self.announced = self._announced()
        self.most = _MOST_EXPANSION * max(self.size, self.announced)
        self.is_cut = self.announced > self.size
        if self.is_cut and (not may_be_cut or len(self.gdr) < self.form.gdr.size):
            raise ReaderError(
                f"{self.path} is truncated: its header announces {self.announced} bytes, the file "
                f"has {self.size}. Fetch it again, or pass on_error='skip'."
            )

    def header(self) -> Header:
        """Walk through the descriptors."""
        first_r, first_z, _, r_count, r_dims, z_count = self.form.gdr.unpack_from(self.gdr)
        if not r_count and not z_count:
            raise ReaderError(f"{self.path} holds no variables.")
        if not 0 <= max(r_count, z_count) * self.form.vdr.size <= max(self.size, self.announced):
            raise ValueError(f"{r_count + z_count} variables are announced")
        if not self.is_cut:
            self.require(8, "the header")
            self.require(self.gdr_position, "the header")
        self.r_sizes = _integers(self.gdr, self.form.r_sizes, r_dims)
        variables: dict[str, VariableInfo] = {}
        fingerprints: dict[str, bytes] = {}
        descriptors: dict[str, Descriptor] = {}
        for first, count in ((first_r, r_count), (first_z, z_count)):
            for name, info, descriptor, fingerprint in self._descriptors(first, count):
                variables[name] = info
                descriptors[name] = descriptor
                if fingerprint is not None:
                    fingerprints[name] = fingerprint
        cut = None
        if self.is_cut:
            cut = Cut(self.size, self.announced, r_count + z_count - len(variables))
        return Header(self.path, variables, fingerprints, descriptors, cut)

    def read(self, position: int, length: int) -> bytes:
        """Return the bytes there, or as many of them as the file has."""
        self.file.seek(position)
        return self.file.read(length)

    def is_there(self, position: int, length: int) -> bool:
        """Whether the file has these bytes."""
        return position > 0 and length >= 0 and position + length <= self.size

    def require(self, position: int, what: str) -> None:
        """Refuse an internal record that does not lie in the file with all of its length.

        cdflib asks for memory for as much as it says.
        """
        start = self.read(max(position, 0), self.form.block.size)
        length = self.form.block.unpack(start)[0] if len(start) == self.form.block.size else -1
        if length < self.form.block.size or not self.is_there(position, length):
            raise ReaderError(
                f"{self.path} is damaged: {what} is announced at byte {position} with {length} bytes, "
                f"and the file has {self.size}. Fetch it again, or pass on_error='skip'."
            )

    def _announced(self) -> int:
        if len(self.gdr) >= self.form.gdr.size:
            return self.form.gdr.unpack_from(self.gdr)[2]
        return self.file.tell() + 44

    def _descriptors(
        self, position: int, count: int
    ) -> Iterator[tuple[str, VariableInfo, Descriptor, bytes | None]]:
        form = self.form
        for _ in range(count):
            vdr = self.read(position, _LONGEST_DESCRIPTOR)
            if self.is_cut and not self._is_whole(position, vdr):
                return
            if not self.is_cut:
                self.require(position, "a variable")
            kind, following, data_type, last, index, flags, elements, name = form.vdr.unpack_from(
                vdr
            )
            if kind == _Z_VDR:
                (dims,) = struct.unpack_from(">i", vdr, form.vdr.size)
                sizes = _integers(vdr, form.vdr.size + 4, dims)
                varies = _integers(vdr, form.vdr.size + 4 + 4 * dims, dims)
            elif kind == _R_VDR:
                sizes, varies = self.r_sizes, _integers(vdr, form.vdr.size, len(self.r_sizes))
            else:
                raise ValueError(f"there is no variable descriptor at byte {position}")
            if flags & _IS_COMPRESSED and not self.is_cut:
                self.require(
                    form.position.unpack_from(vdr, form.number + 4)[0], "a variable's compression"
                )
            if data_type not in _TYPES:
                raise ValueError(f"a variable of type {data_type} is announced")
            if last < -1 or min(sizes, default=0) < 0:
                raise ValueError(f"a variable of {last + 1} records of shape {sizes} is announced")
            record_bytes = math.prod(sizes) * elements * TYPE_BYTES[data_type]
            if elements < 0 or record_bytes * max(last + 1, 1) > self.most:
                raise ValueError(
                    f"a variable of {last + 1} records of shape {sizes} is announced, and the file "
                    f"has {self.size} bytes"
                )
            info = VariableInfo(
                cdf_type=_TYPES[data_type],
                shape=tuple(size for size, vary in zip(sizes, varies, strict=True) if vary),
                records=last + 1,
                varying=bool(flags & _VARIES_WITH_RECORDS),
            )
            fingerprint = None
            if last == 0:
                stored_as = struct.pack(
                    f">ii{2 * len(sizes)}i", data_type, elements, *sizes, *varies
                )
                fingerprint = self._fingerprint(stored_as, index)
            (number,) = struct.unpack_from(">i", vdr, form.number)
            record_bytes = math.prod(info.shape) * elements * TYPE_BYTES[data_type]
            yield (
                name.rstrip(b"\0").replace(b"\0", b"").decode("latin-1").strip(),
                info,
                Descriptor(index, record_bytes, number, kind == _Z_VDR),
                fingerprint,
            )
            position = following

    def _is_whole(self, position: int, vdr: bytes) -> bool:
        if len(vdr) < self.form.block.size:
            return False
        return self.is_there(position, self.form.block.unpack_from(vdr)[0])

    def _fingerprint(self, stored_as: bytes, index: int) -> bytes | None:
        """Return a digest of a variable of one record, if that lies in one block."""
        form = self.form
        vxr = self.read(max(index, 0), 256)
        if len(vxr) < form.vxr.size:
            return None
        kind, entries, used = form.vxr.unpack_from(vxr)
        where = form.vxr.size + 8 * entries
        if kind != VXR or used != 1 or not 0 < where <= len(vxr) - form.position.size:
            return None
        (position,) = form.position.unpack_from(vxr, where)
        start = self.read(max(position, 0), form.block.size)
        if len(start) < form.block.size:
            return None
        length, kind = form.block.unpack(start)
        if kind not in (VVR, CVVR) or not 0 < length < _LONGEST_FINGERPRINTED:
            return None
        block = self.read(position, length)
        return blake2b(self.storage + stored_as + block, digest_size=32).digest()


def _format_of(start: bytes) -> _Format:
    if start.startswith(b"\xcd\xf3"):
        return _VERSION_3
    version, release = struct.unpack_from(">ii", start, 20)
    return _VERSION_2 if (version, release) >= (2, 5) else _BEFORE_2_5


def _integers(record: bytes, position: int, count: int) -> tuple[int, ...]:
    if not 0 <= count <= _MOST_DIMENSIONS:
        raise ValueError(f"a variable of {count} dimensions is announced")
    return struct.unpack_from(f">{count}i", record, position)
