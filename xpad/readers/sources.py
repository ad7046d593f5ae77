"""Which files a path means, and what format each has."""

from __future__ import annotations

import glob
import os
from collections.abc import Iterable
from pathlib import Path

from xpad.errors import OptionError, ReaderError
from xpad.storage.place import UNFINISHED

FORMATS = ("cdf", "das2", "netcdf", "zarr")

_MAGIC = {
    b"\xcd\xf3\x00\x01": "cdf",
    b"\xcd\xf2\x60\x02": "cdf",
    b"\x00\x00\xff\xff": "cdf",
    b"\x89HDF": "netcdf",
    b"CDF\x01": "netcdf",
    b"CDF\x02": "netcdf",
    b"CDF\x05": "netcdf",
    b"[00]": "das2",
}
_SUFFIX = {
    ".cdf": "cdf",
    ".d2s": "das2",
    ".d2t": "das2",
    ".nc": "netcdf",
    ".nc4": "netcdf",
    ".h5": "netcdf",
    ".hdf5": "netcdf",
    ".zarr": "zarr",
}
_ZARR_MARKS = ("zarr.json", ".zgroup", ".zmetadata", ".zarray")


def is_url(path: str) -> bool:
    """Return whether `path` is an fsspec URL (``s3://…``, ``memory://…``)."""
    return "://" in path


def resolve(path: str | os.PathLike[str] | Iterable[str | os.PathLike[str]]) -> list[str]:
    """Return the files that `path` means.

    Parameters
    ----------
    path : str, path, or several
        Each a file, a pattern (``*``, ``?``, ``[…]``, ``**``), a Zarr folder or a URL of one.
        What a pattern matches is sorted by name; the order of a list is kept.

    Returns
    -------
    list of str
        At least one.

    Raises
    ------
    ReaderError
        If nothing is there; the message says which folder was looked in.

    Examples
    --------
    >>> resolve("memory://store.zarr")
    ['memory://store.zarr']
    """
    if isinstance(path, str | os.PathLike):
        return _resolve_one(os.fspath(path))
    paths = [one for item in path for one in _resolve_one(os.fspath(item))]
    if not paths:
        raise ReaderError("The list of paths is empty: name at least one file.")
    return paths


def detect(path: str, engine: str | None = None) -> str:
    """Return the format of one file, by its first bytes, or as `engine` says.

    Parameters
    ----------
    path : str
        An existing file, a Zarr folder, or a URL (taken for Zarr).
    engine : str, optional
        One of `FORMATS`.

    Returns
    -------
    str
        One of `FORMATS`.

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
        if engine not in FORMATS:
            known = ", ".join(repr(name) for name in FORMATS)
            raise OptionError(f"engine={engine!r} is not a format that xpad reads; use {known}.")
        return engine
    if is_url(path):
        return "zarr"
    if os.path.isdir(path):
        if any(os.path.exists(os.path.join(path, mark)) for mark in _ZARR_MARKS):
            return "zarr"
        raise ReaderError(
            f"{path} is a folder and no Zarr store: give a pattern such as "
            f"{os.path.join(path, '*.cdf')!r}, or the name of a store."
        )
    start = first_bytes(path)
    for magic, name in _MAGIC.items():
        if start.startswith(magic):
            return name
    raise ReaderError(_unknown(path, start))


def first_bytes(path: str) -> bytes:
    """Return the first eight bytes of a file."""
    try:
        with open(path, "rb") as file:
            return file.read(8)
    except OSError as error:
        raise ReaderError(f"{path} cannot be opened: {error.strerror or error}.") from error


def _unknown(path: str, start: bytes) -> str:
    if not start:
        return f"{path} is empty (0 bytes): fetch it again, or leave it out."
    if start.startswith(b"\x1f\x8b"):
        return f"{path} is compressed with gzip: unpack it with gunzip first."
    if start.startswith(b"|"):
        return f"{path} is a das2 stream of version 2.3 or later; xpad reads 2.2 (tags like [00])."
    expected = _SUFFIX.get(Path(path).suffix.lower())
    wanted = (
        f"is not the {expected} file that its name promises"
        if expected
        else "is none of the formats that xpad reads (CDF, das2 stream, netCDF, Zarr)"
    )
    return f"{path} {wanted}: it starts with the bytes {start!r}. It may be damaged or a web page."


def _resolve_one(path: str) -> list[str]:
    if not path:
        raise ReaderError("The path is empty: name a file, a pattern or a Zarr store.")
    if is_url(path):
        return [path]
    path = os.path.expanduser(path)
    if os.path.exists(path):
        return [path]
    if glob.has_magic(path):
        found = sorted(glob.glob(path, recursive=True))
        if found:
            return found
        raise ReaderError(_nothing(path, "No file matches the pattern"))
    if os.path.isdir(path + UNFINISHED):
        raise ReaderError(
            f"{path} is not there yet: a run that is to write it is fitting, or was cut off while it "
            f"did ({path + UNFINISHED} holds how far it is); the same call again goes on from there."
        )
    raise ReaderError(_nothing(path, "There is no file"))


def _nothing(path: str, what: str) -> str:
    folder = os.path.dirname(path) or "."
    while glob.has_magic(folder):
        folder = os.path.dirname(folder) or "."
    where = os.path.abspath(folder)
    if not os.path.isdir(where):
        return f"{what} {path!r}: the folder {where} does not exist."
    names = sorted(os.listdir(where))
    if not names:
        return f"{what} {path!r}: the folder {where} is empty."
    some = ", ".join(names[:3]) + (", …" if len(names) > 3 else "")
    return f"{what} {path!r}: looked in {where}, which holds {len(names)} entries ({some})."
