"""A place for what does not fit in memory: arrays by name, on a disk or behind an fsspec URL."""

from __future__ import annotations

import io
import os
import tempfile
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any, BinaryIO
from uuid import uuid4

import numpy as np
from numpy.typing import NDArray

from xpad.errors import OptionError, told_as
from xpad.storage.urls import lacking

PART = ".part"
"""Ending of a file that is not yet whole."""


@dataclass(frozen=True)
class Scratch:
    """Arrays by name below one folder; picklable, so that workers write to it too.

    A name is written whole or not at all, and writing it again replaces it, so that a task that
    is run twice does no harm.
    """

    url: str
    options: dict[str, Any] = field(default_factory=dict)

    def put(self, name: str, array: NDArray[Any]) -> None:
        """Write an array under a name."""
        # NumPy writes what does not lie in order a few values at a time.
        whole = np.asarray(array, order="C")
        self._write(name, lambda file: np.save(file, whole, allow_pickle=False))

    def get(self, name: str) -> NDArray[Any]:
        """The array of a name."""
        fs, path = self._at(name)
        if _is_local(fs):
            return np.load(path, allow_pickle=False)
        return np.load(io.BytesIO(fs.cat_file(path)), allow_pickle=False)

    def put_all(self, name: str, arrays: Mapping[str, NDArray[Any]]) -> None:
        """Write several arrays under one name."""
        # Not into the file itself: interrupted, older NumPy closes its archive after the file.
        archive = io.BytesIO()
        # As far as types tell, a name might be that of the argument allow_pickle; none is.
        np.savez(archive, **arrays)  # type: ignore[arg-type]
        self._write(name, lambda file: file.write(archive.getbuffer()))

    def get_all(self, name: str) -> dict[str, NDArray[Any]]:
        """The arrays of a name that `put_all` wrote."""
        fs, path = self._at(name)
        with np.load(io.BytesIO(fs.cat_file(path)), allow_pickle=False) as found:
            return {key: found[key] for key in found.files}

    def _write(self, name: str, dump: Callable[[BinaryIO], object]) -> None:
        fs, path = self._at(name)
        if not _is_local(fs):
            text = io.BytesIO()
            dump(text)
            fs.pipe_file(path, text.getvalue())
            return
        os.makedirs(os.path.dirname(path), exist_ok=True)
        part = f"{path}.{uuid4().hex}{PART}"
        with open(part, "wb") as file:
            dump(file)
        os.replace(part, path)

    def has(self, name: str) -> bool:
        """Whether something is written under a name."""
        fs, path = self._at(name)
        return bool(fs.exists(path))

    def names(self, folder: str) -> list[str]:
        """The names below a folder, sorted."""
        fs, path = self._at(folder)
        fs.invalidate_cache()
        if not fs.isdir(path):
            return []
        found = (os.path.basename(str(one).rstrip("/")) for one in fs.ls(path, detail=False))
        return sorted(f"{folder}/{one}" for one in found if not one.endswith(PART))

    def remove(self, name: str = "") -> None:
        """Delete a name, or a folder with all below it, if it is there."""
        fs, path = self._at(name)
        if fs.exists(path):
            fs.rm(path, recursive=True)

    def others(self, names: Iterable[str]) -> list[str]:
        """What lies in the folder beside these names, and beside what was begun under them, sorted.

        Raises
        ------
        OptionError
            A file stands in place of the folder.
        """
        return sorted(one for one in self._entries() if not _belongs(one, names))

    def remove_only(self, names: Iterable[str]) -> None:
        """Delete these names, in their order, and the folder where nothing else is in it."""
        there = self._entries()
        for name in names:
            for one in there:
                if _belongs(one, [name]):
                    self.remove(one)
        fs, path = self._at("")
        if _is_local(fs) and os.path.isdir(path) and not os.listdir(path):
            os.rmdir(path)

    def _entries(self) -> list[str]:
        """The names directly in the folder, with those of files that are not whole."""
        fs, path = self._at("")
        fs.invalidate_cache()
        if fs.isfile(path):
            raise OptionError(f"{self.url} is a file, not a folder; give another name")
        if not fs.isdir(path):
            return []
        return [os.path.basename(str(one).rstrip("/")) for one in fs.ls(path, detail=False)]

    def below(self, folder: str) -> Scratch:
        """A folder in it."""
        return Scratch(f"{self.url.rstrip('/')}/{folder}", self.options)

    def _at(self, name: str) -> tuple[Any, str]:
        fs, root = file_system(self.url, self.options)
        return fs, f"{root.rstrip('/')}/{name}".rstrip("/")


def storage(options: Mapping[str, Any] | None) -> dict[str, Any]:
    """Storage options of fsspec, as a user gives them.

    Raises
    ------
    OptionError
        They are no dict.
    """
    if not isinstance(options, Mapping | None):
        raise OptionError(
            f"storage_options={options!r} is no dict; give what fsspec takes for the URL"
        )
    return dict(options or {})


def file_system(url: str, options: Mapping[str, Any]) -> tuple[Any, str]:
    """The fsspec file system of a path or URL, and the path there.

    Raises
    ------
    OptionError
        Its protocol is not known, or the package for it is not installed.
    """
    from fsspec.core import url_to_fs

    needed = lacking(url) if "://" in url else None
    if needed is not None:
        raise OptionError(f"{url} cannot be used: {needed}")
    try:
        fs, path = url_to_fs(url, **options)
    except (ImportError, ValueError, TypeError) as err:
        raise OptionError(
            f"{url} cannot be used: {err}; storage_options= must be what fsspec takes for it"
        ) from err
    return fs, str(path)


def _belongs(entry: str, names: Iterable[str]) -> bool:
    """Whether a file is one of these names, or was to become it."""
    return any(entry == n or (entry.startswith(f"{n}.") and entry.endswith(PART)) for n in names)


def _is_local(fs: Any) -> bool:
    return "file" in ((fs.protocol,) if isinstance(fs.protocol, str) else fs.protocol)


@contextmanager
def temporary(
    place: str | os.PathLike[str] | None, options: dict[str, Any] | None = None
) -> Iterator[Scratch]:
    """A folder of its own below `place` (a path or URL; by default the system's), removed at the end.

    Raises
    ------
    OptionError
        Nothing can be written there, or a dask worker does not see what is written there.
    """
    base = str(place) if place is not None else tempfile.gettempdir()
    own = Scratch(f"{base.rstrip('/')}/xpad-{uuid4().hex[:12]}", dict(options or {}))
    unwritable = f"scratch={base!r}: nothing can be written there"
    with told_as(own.url, lambda err: OptionError(f"{unwritable} ({err})")):
        own.put("token", np.zeros(1))
    try:
        what = (
            "does not see" if place is not None else "shares no temporary folder with the client:"
        )
        require_shared(
            own, "token",
            f"{what} {own.url}, where what does not fit in memory is written; give scratch= a path or "
            "URL that all workers and the client reach (--scratch)",
        )  # fmt: skip
        yield own
    finally:
        own.remove()


def require_shared(scratch: Scratch, name: str, fault: str) -> None:
    """Workers of a cluster must see what the client wrote under a name.

    Raises
    ------
    OptionError
        One does not; `fault` says of it what it lacks.
    """
    from xpad.compute.workers import client

    found = client()
    if found is None:
        return
    blind = [worker for worker, sees in found.run(scratch.has, name).items() if not sees]
    if blind:
        raise OptionError(f"the dask worker {blind[0]} {fault}")
