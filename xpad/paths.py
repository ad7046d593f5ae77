"""Outputs that are whole or not there: written beside their place, then moved into it."""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from xpad.errors import OptionError

STORE_MARKS = ("zarr.json", ".zgroup", ".zattrs")
DEMO_MARKS = ("rept.zarr",)


@contextmanager
def whole_or_nothing(
    target: str | os.PathLike[str], *, overwrite: bool, marks: tuple[str, ...] = STORE_MARKS
) -> Iterator[Path]:
    """A path to write to, which becomes `target` when all went well and vanishes otherwise.

    Parameters
    ----------
    target : path
        Where the output is to stand.
    overwrite : bool
        Replace what stands there, if it is one of our own kind.
    marks : tuple of str
        Names of which one lies in a folder of that kind.

    Raises
    ------
    OptionError
        See `require_free`.
    """
    target = Path(target)
    require_free(target, overwrite=overwrite, marks=marks)
    part = target.with_name(f".{target.name}.{os.getpid()}.part")
    remove(part)
    try:
        yield part
        remove(target)
        part.rename(target)
    except BaseException:
        remove(part)
        raise


def require_free(target: Path, *, overwrite: bool, marks: tuple[str, ...] = STORE_MARKS) -> None:
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
        if not empty and not any((target / mark).exists() for mark in marks):
            raise OptionError(
                f"{target} exists and is not an output of xpad, so it is not replaced; "
                "give another name"
            )
    elif not target.parent.is_dir():
        raise OptionError(
            f"the folder {target.parent} does not exist, so {target.name} cannot be written"
        )


def remove(path: Path) -> None:
    """Delete a file or a folder, if it is there."""
    if path.is_dir() and not path.is_symlink():
        shutil.rmtree(path)
    else:
        path.unlink(missing_ok=True)
