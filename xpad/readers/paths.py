"""Which files a path means, and how they begin."""

from __future__ import annotations

import glob
import os
from collections.abc import Iterable

from xpad.errors import OptionError, ReaderError

PathLike = str | os.PathLike[str]


def resolve(path: PathLike | Iterable[PathLike]) -> list[str]:
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
    OptionError
        If something is no path.

    Examples
    --------
    >>> resolve("memory://store.zarr")
    ['memory://store.zarr']
    """
    if isinstance(path, str | os.PathLike):
        return _resolve_one(path)
    given: object = path
    if not isinstance(given, Iterable) or isinstance(given, bytes):
        raise _no_path(given)
    paths = [one for item in path for one in _resolve_one(item)]
    if not paths:
        raise ReaderError("The list of paths is empty: name at least one file.")
    return paths


def is_url(path: str) -> bool:
    """Return whether `path` is an fsspec URL (``s3://…``, ``memory://…``)."""
    return "://" in path


def first_bytes(path: str, count: int = 8) -> bytes:
    """Return the first bytes of a file.

    Raises
    ------
    ReaderError
        If it cannot be opened.
    """
    try:
        with open(path, "rb") as file:
            return file.read(count)
    except OSError as error:
        raise ReaderError(f"{path} cannot be opened: {error.strerror or error}.") from error


def _no_path(given: object) -> OptionError:
    return OptionError(
        f"files are opened by their paths, and a {type(given).__name__} is none; give a path, a pattern, "
        "or a list of them"
    )


def _resolve_one(given: PathLike) -> list[str]:
    path = os.fspath(given) if isinstance(given, str | os.PathLike) else None
    if not isinstance(path, str):
        raise _no_path(given)
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
    from xpad.storage.place import UNFINISHED  # imports more than any other path needs

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
