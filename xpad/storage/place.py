"""Where a Zarr store stands: a local path, or an fsspec URL."""

from __future__ import annotations

import json
import os
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path, PurePosixPath
from typing import Any

from xpad.errors import OptionError, told_as
from xpad.roles.ours import is_output
from xpad.storage import paths
from xpad.storage.locks import discard, taken
from xpad.storage.scratch import Scratch, file_system, storage

UNFINISHED = ".unfinished"
"""Ending of the folder beside a store that is not finished."""


@dataclass(frozen=True)
class Place:
    """A Zarr store, there or yet to be written.

    Attributes
    ----------
    url : str
        A local path or an fsspec URL (``s3://…``, ``memory://…``).
    options : dict
        fsspec's storage options.
    """

    url: str
    options: dict[str, Any] = field(default_factory=dict)

    @classmethod
    def of(
        cls, path: str | os.PathLike[str], storage_options: Mapping[str, Any] | None = None
    ) -> Place:
        """The place that a user names."""
        if not isinstance(path, (str, os.PathLike)):
            raise OptionError(
                f"the store is a {type(path).__name__}; give its path or fsspec URL as text"
            )
        url = os.path.expanduser(_plain(os.fspath(path)).rstrip("/"))
        if not url:
            raise OptionError("the name of the store is empty; give a path or an fsspec URL")
        return cls(url, storage(storage_options))

    @property
    def local(self) -> Path | None:
        """The path, where it is one of this machine."""
        return None if "://" in self.url else Path(self.url)

    @property
    def zarr_arguments(self) -> dict[str, Any]:
        """``store`` and ``storage_options``, as zarr and xarray take them."""
        return {"store": self.url, "storage_options": self.options or None}

    def is_ours(self) -> bool:
        """Whether a Zarr store stands there that xpad wrote: a result, or a model."""
        return is_output(self.attributes())

    def attributes(self) -> dict[str, Any]:
        """Those of a Zarr store that stands there; none of what is no such store."""
        try:
            text = (
                (self.local / "zarr.json").read_text()
                if self.local is not None
                else self._files().cat_file("zarr.json").decode()
            )
            found: dict[str, Any] = json.loads(text).get("attributes", {})
        except (OSError, ValueError):
            return {}
        return found

    def require_apart(self, sources: Iterable[str]) -> None:
        """Refuse a place that is a source of the data, or holds one, or lies in one.

        Raises
        ------
        OptionError
            Names both.
        """
        for source in sources:
            here, there = (
                Path(url).resolve() if "://" not in url else PurePosixPath(url)
                for url in (self.url, source)
            )  # fmt: skip
            if here == there or here in there.parents or there in here.parents:
                raise OptionError(
                    f"the output {self.url} and the input {source} are in each other's place; give "
                    "another name"
                )

    def require_known(self) -> None:
        """Refuse a URL whose protocol nothing here knows.

        Raises
        ------
        OptionError
        """
        if self.local is None:
            file_system(self.url, self.options)

    def require_reached(self) -> None:
        """Refuse a URL whose file system cannot be reached.

        Raises
        ------
        OptionError
        """
        if self.local is None:
            self._names()

    def require_free(self, *, overwrite: bool) -> None:
        """Refuse a place that is taken, or that cannot be.

        Raises
        ------
        OptionError
            See `xpad.storage.paths.require_free`.
        """
        if self.local is not None:
            paths.require_free(self.local, overwrite=overwrite, ours=self.is_ours)
        elif self._names():
            paths.require_replaceable(self.url, overwrite=overwrite, ours=self.is_ours)

    @contextmanager
    def replaced(self, *, overwrite: bool) -> Iterator[Place]:
        """A place to write to that becomes this one: all at once where it is local.

        Raises
        ------
        OptionError
            See `require_free`.
        """
        if self.local is not None:
            with paths.whole_or_nothing(
                self.local, overwrite=overwrite, ours=self.is_ours
            ) as part:  # fmt: skip
                yield Place(str(part))
            return
        self.require_free(overwrite=overwrite)
        self.remove()
        yield self

    @contextmanager
    def alone(self) -> Iterator[None]:
        """Keep other runs out of a local store, by a lock that ends with this process.

        Raises
        ------
        OptionError
            Another run is writing it, or nothing can be written beside it.
        """
        if self.local is None:
            yield
            return
        paths.require_folder(self.local)
        try:
            lock = taken(f"{self.url}.lock")
        except OSError as err:
            raise OptionError(f"{self.url} cannot be written: {err}") from err
        if lock is None:
            raise OptionError(
                f"another run is writing {self.url} at this moment; wait for its end, or give another "
                "name"
            )
        try:
            yield
        finally:
            discard(lock)

    def remove(self) -> None:
        """Delete the store, if it is there."""
        if self.local is not None:
            paths.remove(self.local)
            return
        Scratch(self.url, self.options).remove()

    def beside(self, ending: str) -> Scratch:
        """A folder beside the store, whose name begins like the store's."""
        return Scratch(self.url + ending, self.options)

    def _names(self) -> list[str]:
        """What lies at a URL."""

        def unreachable(err: Exception) -> OptionError:  # every file system has errors of its own
            return OptionError(f"{self.url} cannot be reached ({type(err).__name__}: {err})")

        with told_as(self.url, unreachable), suppress(FileNotFoundError):
            return [str(name) for name in self._files().ls("", detail=False)]
        return []

    def _files(self) -> Any:
        from fsspec.implementations.dirfs import DirFileSystem

        fs, path = file_system(self.url, self.options)
        fs.invalidate_cache()
        return DirFileSystem(path, fs)


def _plain(url: str) -> str:
    """A local URL as a path."""
    return url.removeprefix("file://").removeprefix("local://")
