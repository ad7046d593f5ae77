"""The formats that xpad reads: what a file of each looks like, and what reads it.

An entry of `SOURCES` is one object that does all of its kind: another format is one `Source` here, and
a module with what opens one file of it, which is imported when such a file is first read.
"""

from __future__ import annotations

import os
import zlib
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from importlib import import_module
from typing import Any, Protocol

import xarray as xr

from xpad.errors import OptionError, ReaderError
from xpad.readers.paths import first_bytes, is_url

_START = 4096  # bytes by which a format is told
_GZIP = b"\x1f\x8b"


class OpenOne(Protocol):
    """What opens one file of a format."""

    def __call__(self, path: str) -> xr.Dataset:
        """Open a file.

        Parameters
        ----------
        path : str

        Returns
        -------
        xarray.Dataset
            Raw, lazily indexed or in memory, with its times as an index; of variables along records,
            ``encoding["preferred_chunks"]`` may have the length of a chunk.

        Raises
        ------
        ReaderError
            If the file cannot be read; it is named.
        """


class Read(Protocol):
    """What reads all files of one format as one Dataset: where that is not to open and join each."""

    def __call__(
        self,
        paths: Sequence[str],
        variable: str | Collection[str] | None = None,
        *,
        on_error: str = "raise",
        drop_variables: Collection[str] = (),
    ) -> xr.Dataset:
        """Read files as one Dataset.

        Parameters
        ----------
        paths : sequence of str
            At least one. In the order of their first times, their records follow each other.
        variable : str or several, optional
            Keep these, their axes, and what lies on the same records without an axis of its own.
        on_error : {"raise", "skip"}
            What to do about a file that cannot be read; see `xpad.readers.skipping`.
        drop_variables : collection of str
            Variables to leave out.

        Returns
        -------
        xarray.Dataset
            Raw, lazily indexed or in memory, and storable (`xpad.storage.storable`); of variables
            along records, ``encoding["preferred_chunks"]`` has the length of a chunk.
            ``encoding["source"]`` has the path, or a list of them.

        Raises
        ------
        ReaderError
            If a file cannot be read; it is named.
        """


@dataclass(frozen=True)
class Source:
    """A format: an entry of `SOURCES`.

    Attributes
    ----------
    title : str
        What a message calls one such file or store.
    read : Read, optional
        Reads all files, with all that this asks for.
    suffixes : tuple of str
        How the names of such files end, in lower case.
    magic : tuple of bytes
        How such files begin.
    words : tuple of bytes
        Of which one stands in the first lines of such files, where these may begin with comments.
    may_be_packed : bool
        Whether it may be compressed with gzip.
    marks : tuple of str
        Names of which a folder of this format holds one.
    has_urls : bool
        Whether what an fsspec URL names is taken for one.
    is_claimed : bool
        Whether ``xr.open_dataset`` leaves files of these suffixes to xpad where no engine is named.
    refused : mapping of bytes to str
        How files begin that look like this format and cannot be read, and what to say of them.
    open_one : OpenOne, optional
        Instead of `read`: opens one file; several are joined, variables selected and files that
        cannot be read skipped for it.
    """

    title: str
    read: Read | None = None
    suffixes: tuple[str, ...] = ()
    magic: tuple[bytes, ...] = ()
    words: tuple[bytes, ...] = ()
    may_be_packed: bool = False
    marks: tuple[str, ...] = ()
    has_urls: bool = False
    is_claimed: bool = False
    refused: Mapping[bytes, str] = field(default_factory=dict)
    open_one: OpenOne | None = None

    def __post_init__(self) -> None:
        if (self.read is None) == (self.open_one is None):
            raise TypeError(f"the source {self.title!r} needs either read or open_one")

    def opened(
        self,
        paths: Sequence[str],
        variable: str | Collection[str] | None = None,
        *,
        on_error: str = "raise",
        drop_variables: Collection[str] = (),
    ) -> xr.Dataset:
        """Read files as one Dataset, as `Read` says."""
        if self.read is not None:
            return self.read(paths, variable, on_error=on_error, drop_variables=drop_variables)
        from xpad.readers.joining import read_each

        assert self.open_one is not None
        return read_each(
            self.open_one, paths, variable, on_error=on_error, drop_variables=drop_variables
        )

    def is_promised(self, path: str) -> bool:
        """Whether the name of a file ends as those of this format do."""
        return path.lower().endswith(self.suffixes)

    def is_kind_of_folder(self, path: str) -> bool:
        """Whether a folder is of this format."""
        return any(os.path.exists(os.path.join(path, mark)) for mark in self.marks)

    def is_kind_of_file(self, start: bytes) -> bool:
        """Whether a file that begins with `start` is of this format."""
        if start.startswith(_GZIP):
            return self.may_be_packed and self.is_kind_of_file(_unpacked(start))
        return start.startswith(self.magic) or any(word in start for word in self.words)


@dataclass(frozen=True)
class Later:
    """A `Read` or `OpenOne` whose module is imported when it is first called."""

    module: str
    name: str

    def __call__(self, *given: Any, **named: Any) -> xr.Dataset:
        """Call it."""
        found: xr.Dataset = getattr(import_module(self.module), self.name)(*given, **named)
        return found


SOURCES: dict[str, Source] = {
    "cdf": Source(
        "CDF",
        Later("xpad.readers.cdf.read", "read_cdf"),
        suffixes=(".cdf",),
        magic=(b"\xcd\xf3\x00\x01", b"\xcd\xf2\x60\x02", b"\x00\x00\xff\xff"),
        is_claimed=True,
    ),
    "das2": Source(
        "das2 stream",
        Later("xpad.readers.das2.read", "read_das2"),
        suffixes=(".d2s", ".d2t"),
        magic=(b"[00]",),
        is_claimed=True,
        refused={
            b"|": "is a das2 stream of version 2.3 or later; xpad reads 2.2 (tags like [00])."
        },
    ),
    "cef": Source(
        "CEF",
        open_one=Later("xpad.readers.cef", "open_cef"),
        suffixes=(".cef", ".cef.gz"),
        magic=(b"FILE_NAME",),
        words=(b"FILE_FORMAT_VERSION",),
        may_be_packed=True,
        is_claimed=True,
    ),
    "netcdf": Source(
        "netCDF",
        open_one=Later("xpad.readers.netcdf", "open_netcdf"),
        suffixes=(".nc", ".nc4", ".h5", ".hdf5"),
        magic=(b"\x89HDF", b"CDF\x01", b"CDF\x02", b"CDF\x05"),
    ),
    "zarr": Source(
        "Zarr store",
        open_one=Later("xpad.readers.zarr", "open_zarr"),
        suffixes=(".zarr",),
        marks=("zarr.json", ".zgroup", ".zmetadata", ".zarray"),
        has_urls=True,
    ),
}
"""Each value that `xpad.open_dataset` takes for ``engine``."""


def detect(path: str, engine: str | None = None) -> str:
    """Return the format of one file, by its content, or as `engine` says.

    Parameters
    ----------
    path : str
        An existing file, a folder, or a URL.
    engine : str, optional
        A key of `SOURCES`.

    Returns
    -------
    str
        A key of `SOURCES`.

    Raises
    ------
    ReaderError
        If the content is none of them.
    OptionError
        If `engine` is none of them.

    Examples
    --------
    >>> detect("memory://store.zarr")
    'zarr'
    """
    if engine is not None:
        return _known(engine)
    if is_url(path):
        return next(name for name, source in SOURCES.items() if source.has_urls)
    return _of_folder(path) if os.path.isdir(path) else _of_file(path)


def promised(path: str) -> str | None:
    """Return the format that the name of a file promises.

    Examples
    --------
    >>> promised("rept.CDF"), promised("rept.txt")
    ('cdf', None)
    """
    return next((name for name, source in SOURCES.items() if source.is_promised(path)), None)


def _known(engine: str) -> str:
    if engine not in SOURCES:
        known = ", ".join(map(repr, SOURCES))
        raise OptionError(f"engine={engine!r} is not a format that xpad reads; use {known}.")
    return engine


def _of_folder(path: str) -> str:
    for name, source in SOURCES.items():
        if source.is_kind_of_folder(path):
            return name
    folders = " or ".join(source.title for source in SOURCES.values() if source.marks)
    raise ReaderError(
        f"{path} is a folder and no {folders}: give a pattern such as "
        f"{os.path.join(path, '*.cdf')!r}, or the name of a store."
    )


def _of_file(path: str) -> str:
    start = first_bytes(path, _START)
    for name, source in SOURCES.items():
        if source.is_kind_of_file(start):
            return name
    raise ReaderError(f"{path} {_unknown(path, start)}")


def _unpacked(start: bytes) -> bytes:
    """Return the first bytes of what is compressed with gzip, as far as they can be made out."""
    try:
        return zlib.decompressobj(wbits=31).decompress(start, _START)
    except zlib.error:
        return b""


def _unknown(path: str, start: bytes) -> str:
    """What to say of a file of none of the formats."""
    if not start:
        return "is empty (0 bytes): fetch it again, or leave it out."
    if start.startswith(_GZIP):
        return "is compressed with gzip: unpack it with gunzip first."
    for source in SOURCES.values():
        for beginning, told in source.refused.items():
            if start.startswith(beginning):
                return told
    expected = promised(path)
    titles = ", ".join(source.title for source in SOURCES.values())
    wanted = (
        f"is not the {expected} file that its name promises"
        if expected
        else f"is none of the formats that xpad reads ({titles})"
    )
    return f"{wanted}: it starts with the bytes {start[:8]!r}. It may be damaged or a web page."
