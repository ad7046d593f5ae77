"""Outputs that are whole or not there: written beside their place, then moved into it."""

from __future__ import annotations

import json
import os
import shutil
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from xpad.errors import OptionError

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
    prefixes = [name.removesuffix("_settings") for name in attrs if name.endswith("_settings")]
    return attrs.get("format") == "xpad-model" or any(f"{p}_preset" in attrs for p in prefixes)


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
