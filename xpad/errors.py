"""What xpad raises and warns with."""

from __future__ import annotations

import sys
import warnings
from collections.abc import Callable, Iterator
from contextlib import contextmanager

_INSIDE = frozenset({"xpad", "xarray", "contextlib"})
"""Packages whose lines are not the user's own."""


class XpadError(Exception):
    r"""Base of every error that xpad raises on purpose; its text is one line, whatever it tells of.

    Examples
    --------
    >>> print(XpadError("'a\nb' is not there"))
    'a b' is not there
    """

    def __str__(self) -> str:
        return one_line(super().__str__())


def one_line(text: str) -> str:
    r"""Text with its lines joined, as names, attributes and what a library says may bring some.

    Examples
    --------
    >>> one_line("no engine\n  for this file")
    'no engine for this file'
    """
    return " ".join(line.strip() for line in text.splitlines())


class RolesError(XpadError, ValueError):
    """No flux, energy or pitch angle could be recognised, or several equally well."""


class ReaderError(XpadError, OSError):
    """A file cannot be found, read or written."""


class OptionError(XpadError, ValueError):
    """An argument has a value that it cannot take."""


class NotEnoughDataError(XpadError, ValueError):
    """Fewer usable records than a step of the method needs."""


class TrainingError(XpadError, RuntimeError):
    """The autoencoder's training did not converge to finite numbers."""


class GridMismatchError(XpadError, ValueError):
    """A model was applied to data on another energy or pitch-angle grid."""


class ModelStoreError(XpadError, ValueError):
    """A saved model cannot be used: not a model, newer than this xpad, or damaged."""


class XpadWarning(UserWarning):
    """Something the user should know that does not stop the work."""


def warn(message: str) -> None:
    """Warn with `XpadWarning` at the user's own line: the last one outside xpad and xarray."""
    level, frame = 2, sys._getframe(1)
    while frame.f_back is not None and _package(frame.f_globals) in _INSIDE:
        level, frame = level + 1, frame.f_back
    warnings.warn(one_line(message), XpadWarning, stacklevel=level)


def _package(names: dict[str, object]) -> str:
    return str(names.get("__name__", "")).partition(".")[0]


NOT_OF_THE_FILE = (
    Warning,  # which a filter has made an error
    MemoryError,
    SystemError,
    ImportError,
    NameError,
    AttributeError,
    AssertionError,
)
"""What a library raises that says nothing of the file it reads: rather of itself, or of the machine."""


@contextmanager
def told_as(what: str, tell: Callable[[Exception], XpadError]) -> Iterator[None]:
    """Turn what a library raises of a file or a store into an error of ours.

    Put nothing but the library's calls into the block: a fault of ours is none of the file.

    Parameters
    ----------
    what : str
        The file or store, for a note on errors that are not of it (`NOT_OF_THE_FILE`) and pass.
    tell : callable
        Makes the error of ours from the library's.

    Examples
    --------
    >>> with told_as("a.nc", lambda err: ReaderError(f"a.nc is damaged ({err})")):
    ...     raise ValueError("no signature")
    Traceback (most recent call last):
    xpad.errors.ReaderError: a.nc is damaged (no signature)
    """
    try:
        yield
    except XpadError:
        raise
    except NOT_OF_THE_FILE as error:
        if isinstance(error, AttributeError) and error.name is not None and error.obj is None:
            raise tell(error) from error  # None, where the file should have had something
        _note(error, what)
        raise
    except Exception as error:
        raise tell(error) from error


@contextmanager
def warned_as(what: str) -> Iterator[None]:
    """Have what a library warns of in a file or a store be `XpadWarning`, and name it.

    Examples
    --------
    >>> with warnings.catch_warnings(record=True) as seen:
    ...     warnings.simplefilter("always")
    ...     with warned_as("a.nc"):
    ...         warnings.warn("dates out of range", RuntimeWarning)
    >>> print(seen[0].message)
    a.nc: dates out of range
    """
    with warnings.catch_warnings(record=True) as seen:
        warnings.simplefilter("always")
        yield
    for found in seen:
        if issubclass(found.category, _OF_A_FILE) and not issubclass(found.category, XpadWarning):
            warn(f"{what}: {found.message}")
        else:
            warnings.warn_explicit(found.message, found.category, found.filename, found.lineno)


_OF_A_FILE = (UserWarning, RuntimeWarning)


def _note(error: Exception, what: str) -> None:
    """Say with an error that is not of a file at which one it came up."""
    doubt = "; unless memory is short, it is damaged" if isinstance(error, MemoryError) else ""
    error.add_note(f"This came up at work on {what}{doubt}.")
