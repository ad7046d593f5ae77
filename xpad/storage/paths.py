"""Local paths that are written whole or not at all, and nothing of others' deleted for it."""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from xpad.errors import OptionError


@contextmanager
def whole_or_nothing(target: Path, *, overwrite: bool, ours: Callable[[], bool]) -> Iterator[Path]:
    """A path to write to, which becomes `target` when all went well and vanishes otherwise.

    Parameters
    ----------
    target : path
        Where the output is to stand.
    overwrite, ours
        As of `require_free`.

    Raises
    ------
    OptionError
        See `require_free`.
    """
    require_free(target, overwrite=overwrite, ours=ours)
    target = target.resolve() if target.name == ".." else target
    part = target.with_name(f".{target.name}.{os.getpid()}.part")
    remove(part)
    try:
        yield part
        remove(target)
        part.rename(target)
    except BaseException:
        remove(part)
        raise


def require_free(target: Path, *, overwrite: bool, ours: Callable[[], bool]) -> None:
    """Refuse a path that is taken, or that cannot be.

    Parameters
    ----------
    target : path
    overwrite : bool
        Replace what stands there, if it is our own.
    ours : callable
        Whether what stands there is.

    Raises
    ------
    OptionError
        Something is there and `overwrite` is not set, or what is there is not ours (never
        deleted) or holds the working folder, or it lies inside a Zarr store, or its folder does
        not exist.
    """
    if target.exists():
        if target.resolve() in (Path.cwd(), *Path.cwd().parents):
            raise OptionError(
                f"{target} is the folder at work in, or holds it, so it cannot be replaced; give the "
                "name of a new one"
            )
        empty = target.is_dir() and not any(target.iterdir())
        require_replaceable(str(target), overwrite=overwrite, ours=lambda: empty or ours())
    elif any((folder / "zarr.json").exists() for folder in target.resolve().parents):
        raise OptionError(f"{target} lies inside another Zarr store; give a place outside it")
    else:
        require_folder(target)


def require_replaceable(name: str, *, overwrite: bool, ours: Callable[[], bool]) -> None:
    """Refuse to write where something stands, unless that is ours and to be replaced.

    Raises
    ------
    OptionError
    """
    if not overwrite:
        raise OptionError(
            f"{name} exists; give another name, or overwrite=True (--overwrite) to replace it"
        )
    if not ours():
        raise OptionError(
            f"{name} exists and is not an output of xpad, so it is not replaced; give another name"
        )


def require_folder(target: Path) -> None:
    """Refuse a path whose folder does not exist.

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
