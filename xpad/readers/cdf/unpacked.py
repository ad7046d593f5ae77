"""Uncompressed copies of CDF files that are compressed as a whole.

Such a file must be decompressed to the end before a byte of it can be read, and cdflib does so
each time that it opens one. Here this is done once in a process, into a temporary folder that is
bounded in size (the copies that were not used for longest go first) and is removed when the process
ends; what a killed process has left behind is removed by the next one. The folder is made where
dask's ``temporary-directory`` says, else where Python's `tempfile` does.

The format (the internal records CCR and CPR) is described in "CDF Internal Format Description",
NASA Space Physics Data Facility, https://cdf.gsfc.nasa.gov.
"""

from __future__ import annotations

import errno
import itertools
import logging
import os
import re
import shutil
import socket
import struct
import tempfile
import threading
import zlib
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from multiprocessing.util import Finalize
from pathlib import Path

import dask

from xpad.errors import ReaderError
from xpad.storage.locks import Lock, taken

_log = logging.getLogger("xpad.readers.cdf.unpacked")

#: The copies of one process together take no more bytes than this, nor than half of the disk's
#: free space; those being read at the moment excepted.
LARGEST_TOTAL = 2 * 2**30

_PACKED = b"\xcc\xcc\x00\x01"
_PLAIN = b"\x00\x00\xff\xff"
_RUN_LENGTH, _GZIP = 1, 5
_BLOCK = 2**20
#: A file that a folder gets once its lock is held: without it, the lock may not be held yet.
_LOCKED = "locked"
_REMEDY = (
    "Set the environment variable TMPDIR, or dask's temporary-directory, to a folder that can be "
    "written and lies on a large disk."
)


def is_packed(path: str) -> bool:
    """Return whether a CDF file is compressed as a whole.

    Parameters
    ----------
    path : str

    Returns
    -------
    bool

    Raises
    ------
    OSError
        If the file cannot be opened.
    """
    with open(path, "rb", buffering=0) as file:
        return file.read(8)[4:] == _PACKED


@contextmanager
def uncompressed(path: str) -> Iterator[str]:
    """Lend a CDF file that can be read anywhere: itself, or its uncompressed copy.

    Parameters
    ----------
    path : str

    Yields
    ------
    str
        `path`, or where its copy lies; the copy stays at least until the block is left.

    Raises
    ------
    ReaderError
        If the file is shorter than it says, compressed in a way that cannot be read, or if there
        is no room for the copy.
    OSError, EOFError, zlib.error, struct.error
        If it is damaged in another way.
    """
    if not is_packed(path):
        yield path
        return
    with _cache.lend(path) as copy:
        yield copy


@dataclass(eq=False)
class _Copy:
    path: Path
    size: int = 0  # until it is written
    users: int = 0
    being_written: threading.Lock = field(default_factory=threading.Lock)


class _Cache:
    """The copies that this process has made; those used last stand last."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._copies: dict[tuple[str, int, int], _Copy] = {}
        self._total = 0
        self._folder: Path | None = None
        self._limit = 0
        self._numbers = itertools.count()

    @contextmanager
    def lend(self, path: str) -> Iterator[str]:
        copy = self._take(path)
        try:
            with copy.being_written:
                if not copy.path.is_file():
                    _unpack(path, copy.path)
                    _log.debug("%s decompressed to %s", path, copy.path)
                    self._count(copy)
            yield str(copy.path)
        finally:
            self._give_back(copy)

    def _take(self, path: str) -> _Copy:
        found = os.stat(path)
        key = os.path.abspath(path), found.st_size, found.st_mtime_ns
        with self._lock:
            if self._folder is None:
                self._folder = _make_folder(path)
                self._limit = min(LARGEST_TOTAL, shutil.disk_usage(self._folder).free // 2)
            copy = self._copies.pop(key, None)
            if copy is None:
                copy = _Copy(self._folder / f"{next(self._numbers)}.cdf")
            self._copies[key] = copy
            copy.users += 1
            return copy

    def _count(self, copy: _Copy) -> None:
        with self._lock:
            before, copy.size = copy.size, copy.path.stat().st_size
            self._total += copy.size - before

    def _give_back(self, copy: _Copy) -> None:
        with self._lock:
            copy.users -= 1
            if self._total <= self._limit and copy.size:
                return
            for key, oldest in list(self._copies.items()):
                if oldest.users == 0 and (self._total > self._limit or not oldest.size):
                    oldest.path.unlink(missing_ok=True)
                    self._total -= oldest.size
                    del self._copies[key]


_cache = _Cache()


def _forget() -> None:
    """Start anew in a forked process; the copies belong to its parent."""
    global _cache
    _cache = _Cache()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_forget)


# The folder ---------------------------------------------------------------------------------------


def _make_folder(path: str) -> Path:
    """Make the folder of this process, of which `path` is the first file to need it."""
    parent = dask.config.get("temporary-directory", None) or tempfile.gettempdir()
    prefix = f"xpad-cdf-{socket.gethostname()}-"
    try:
        os.makedirs(parent, exist_ok=True)
        _remove_abandoned(Path(parent), prefix)
        folder = Path(tempfile.mkdtemp(prefix=prefix, dir=parent))
        lock = taken(folder / "lock")
        (folder / _LOCKED).touch()
    except OSError as error:
        raise ReaderError(
            f"{path} is compressed as a whole, and cannot be decompressed in {parent} ({error}). "
            f"{_REMEDY}"
        ) from error
    # Unlike atexit, this is also called at the end of processes that multiprocessing started.
    Finalize(None, _remove_folder, (folder, lock), exitpriority=0)
    return folder


def _remove_folder(folder: Path, lock: Lock) -> None:
    lock.release()
    shutil.rmtree(folder, ignore_errors=True)


def _remove_abandoned(parent: Path, prefix: str) -> None:
    """Remove the folders of processes of this machine that have ended without doing so."""
    for mark in parent.glob(f"{prefix}*/{_LOCKED}"):
        with suppress(OSError):  # another user's
            lock = taken(mark.parent / "lock")
            if lock is not None:
                _remove_folder(mark.parent, lock)


# One file -----------------------------------------------------------------------------------------


def _unpack(path: str, copy: Path) -> None:
    partial = copy.with_suffix(".part")
    try:
        _decompress(path, partial)
        partial.replace(copy)
    except OSError as error:
        if error.errno != errno.ENOSPC:
            raise
        raise ReaderError(
            f"{path} is compressed as a whole, and there is no room to decompress it in "
            f"{copy.parent}. {_REMEDY}"
        ) from error
    finally:
        partial.unlink(missing_ok=True)


def _decompress(path: str, to: Path) -> None:
    with open(path, "rb") as source:
        magic = source.read(8)
        is_version_3 = magic.startswith(b"\xcd\xf3")
        ccr = struct.Struct(">q4xqq4x" if is_version_3 else ">i4xii4x")
        length, cpr, promised = ccr.unpack(source.read(ccr.size))
        # No more than there is: a damaged length would have memory made for it.
        packed = source.read(min(max(length - ccr.size, 0), os.path.getsize(path)))
        source.seek(cpr + (12 if is_version_3 else 8))
        method = int.from_bytes(source.read(4), "big") or _method(packed)
    is_cut = len(packed) < length - ccr.size or os.path.getsize(path) < cpr + 16
    with to.open("wb") as target:
        target.write(magic[:4] + _PLAIN)
        if method == _GZIP:
            for piece in _inflated(packed):
                target.write(piece)
        elif method == _RUN_LENGTH:
            target.write(_without_run_lengths(packed))
        else:
            raise ReaderError(
                f"{path} is compressed with method {method}, and xpad reads {_RUN_LENGTH} (run "
                f"lengths) and {_GZIP} (gzip): convert it with NASA's cdfconvert."
            )
        written = target.tell() - 8
    if written != promised and not (is_cut and written < promised):
        raise ReaderError(
            f"{path} is truncated or damaged: decompressed, it has {written} bytes where its "
            f"header announces {promised}. Fetch it again, or pass on_error='skip'."
        )


def _method(packed: bytes) -> int:
    """Return the method of a file whose last part, where that stands, is not there."""
    return _GZIP if packed.startswith(b"\x1f\x8b") else _RUN_LENGTH


def _inflated(packed: bytes) -> Iterator[bytes]:
    """Decompress as much as there is."""
    stream = zlib.decompressobj(wbits=31)
    yield stream.decompress(packed, _BLOCK)
    while stream.unconsumed_tail:
        yield stream.decompress(stream.unconsumed_tail, _BLOCK)
    yield stream.flush()


def _without_run_lengths(packed: bytes) -> bytes:
    """Write out the zeros of which only the number less one is stored, after a single zero."""
    return re.sub(rb"\x00(.)", lambda run: bytes(run[1][0] + 1), packed, flags=re.DOTALL)
