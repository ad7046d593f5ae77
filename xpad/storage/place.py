"""Where a Zarr store stands: a local path, or an fsspec URL."""

from __future__ import annotations

import json
import os
import shutil
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path, PurePosixPath
from typing import Any

from filelock import FileLock, Timeout

from xpad.errors import OptionError
from xpad.roles.ours import prefixes
from xpad.storage.scratch import Scratch, file_system

Kind = Callable[[Path], bool]


def is_store(path: Path) -> bool:
    """Whether a folder is a Zarr store that xpad wrote: a result, or a model."""
    try:
        attrs = json.loads((path / "zarr.json").read_text()).get("attributes", {})
    except (OSError, ValueError):
        return False
    return is_output(attrs)


def is_output(attrs: Mapping[str, Any]) -> bool:
    """Whether attributes are those of a store that xpad wrote: a result, or a model."""
    return attrs.get("format") == "xpad-model" or bool(prefixes(attrs))


def is_demo(path: Path) -> bool:
    """Whether a folder is what ``xpad demo`` made."""
    return is_store(path / "rept.zarr")


def local(path: str | os.PathLike[str]) -> Path:
    """The path, refused where it is a URL.

    Raises
    ------
    OptionError
        It is a URL.
    """
    if "://" in str(path):
        raise OptionError(
            f"{path} is a URL; xpad writes and reads models and results on local paths"
        )
    return Path(path)


@contextmanager
def whole_or_nothing(
    target: str | os.PathLike[str], *, overwrite: bool, kind: Kind = is_store
) -> Iterator[Path]:
    """A path to write to, which becomes `target` when all went well and vanishes otherwise.

    Parameters
    ----------
    target : path
        Where the output is to stand.
    overwrite : bool
        Replace what stands there, if it is one of our own kind.
    kind : callable
        Tells whether a folder is of that kind.

    Raises
    ------
    OptionError
        See `require_free`.
    """
    target = local(target)
    require_free(target, overwrite=overwrite, kind=kind)
    part = target.with_name(f".{target.name}.{os.getpid()}.part")
    remove(part)
    try:
        yield part
        remove(target)
        part.rename(target)
    except BaseException:
        remove(part)
        raise


def require_free(target: Path, *, overwrite: bool, kind: Kind = is_store) -> None:
    """Refuse a place that is taken, or that cannot be.

    Raises
    ------
    OptionError
        Something is there and `overwrite` is not set, or what is there is of another kind
        (never deleted), or its folder does not exist.
    """
    if target.exists():
        if not overwrite:
            raise OptionError(
                f"{target} exists; give another name, or overwrite=True (--overwrite) to replace it"
            )
        empty = target.is_dir() and not any(target.iterdir())
        if not empty and not kind(target):
            raise OptionError(
                f"{target} exists and is not an output of xpad, so it is not replaced; "
                "give another name"
            )
    elif any((folder / "zarr.json").exists() for folder in target.resolve().parents):
        raise OptionError(f"{target} lies inside another Zarr store; give a place outside it")
    else:
        require_folder(target)


def require_folder(target: Path) -> None:
    """Refuse a place whose folder does not exist.

    Raises
    ------
    OptionError
    """
    if not target.parent.is_dir():
        raise OptionError(
            f"the folder {target.parent} does not exist, so {target.name} cannot be written"
        )


def remove(path: Path) -> None:
    """Delete a file or a folder, if it is there."""
    if path.is_dir() and not path.is_symlink():
        shutil.rmtree(path)
    else:
        path.unlink(missing_ok=True)


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
        return cls(url, dict(storage_options or {}))

    @property
    def local(self) -> Path | None:
        """The path, where it is one of this machine."""
        return None if "://" in self.url else Path(self.url)

    @property
    def zarr_arguments(self) -> dict[str, Any]:
        """``store`` and ``storage_options``, as zarr and xarray take them."""
        return {"store": self.url, "storage_options": self.options or None}

    def attrs(self) -> dict[str, Any] | None:
        """Attributes of the root group; None where there is no Zarr store of version 3."""
        try:
            text = (
                (self.local / "zarr.json").read_text()
                if self.local is not None
                else self._files().cat_file("zarr.json").decode()
            )
            found: dict[str, Any] = json.loads(text).get("attributes", {})
        except (OSError, ValueError):
            return None
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

    def require_reached(self) -> None:
        """Refuse a URL whose file system cannot be reached.

        Raises
        ------
        OptionError
        """
        if self.local is None:
            self._names()

    def _names(self) -> list[str]:
        """What lies at a URL."""
        try:
            return [str(name) for name in self._files().ls("", detail=False)]
        except FileNotFoundError:
            return []
        except OptionError:
            raise
        except Exception as err:  # every file system has errors of its own
            raise OptionError(
                f"{self.url} cannot be reached ({type(err).__name__}: {err})"
            ) from err

    def require_free(self, *, overwrite: bool) -> None:
        """Refuse a place that is taken, or that cannot be; see `xpad.storage.place.require_free`."""
        if self.local is not None:
            require_free(self.local, overwrite=overwrite)
            return
        if not self._names():
            return
        if not overwrite:
            raise OptionError(
                f"{self.url} exists; give another name, or overwrite=True (--overwrite) to replace it"
            )
        if not is_output(self.attrs() or {}):
            raise OptionError(
                f"{self.url} exists and is not an output of xpad, so it is not replaced; "
                "give another name"
            )

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
        require_folder(self.local)
        lock = FileLock(f"{self.url}.lock")
        try:
            lock.acquire(timeout=0)
        except Timeout:
            raise OptionError(
                f"another run is writing {self.url} at this moment; wait for its end, or give another "
                "name"
            ) from None
        except OSError as err:
            raise OptionError(f"{self.url} cannot be written: {err}") from err
        try:
            yield
        finally:
            Path(lock.lock_file).unlink(missing_ok=True)
            lock.release()

    def remove(self) -> None:
        """Delete the store, if it is there."""
        if self.local is not None:
            remove(self.local)
            return
        Scratch(self.url, self.options).remove()

    def beside(self, ending: str) -> Scratch:
        """A folder beside the store, whose name begins like the store's."""
        return Scratch(self.url + ending, self.options)

    def _files(self) -> Any:
        from fsspec.implementations.dirfs import DirFileSystem

        fs, path = file_system(self.url, self.options)
        fs.invalidate_cache()
        return DirFileSystem(path, fs)


def _plain(url: str) -> str:
    """A local URL as a path."""
    return url.removeprefix("file://").removeprefix("local://")
