"""What xpad raises and warns with."""

from __future__ import annotations

import sys
import warnings
from pathlib import Path
from types import FrameType

_INSIDE = ("xpad.", "xarray.", "contextlib")


def notice(message: str) -> None:
    """Warn with `XpadWarning`, as if from the line outside xpad and xarray that led here."""
    level, frame = 2, sys._getframe(1)
    while frame.f_back is not None and frame.f_globals.get("__name__", "").startswith(_INSIDE):
        frame = frame.f_back
        level += 1
    warnings.warn(message, XpadWarning, stacklevel=level)


class XpadError(Exception):
    """Base of every error that xpad raises on purpose."""


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


_PACKAGE = str(Path(__file__).parent)


def warn(message: str) -> None:
    """Warn with `XpadWarning` at the caller's own line, outside this package."""
    level = 1
    frame: FrameType | None = sys._getframe(0)
    while frame is not None and frame.f_code.co_filename.startswith(_PACKAGE):
        level += 1
        frame = frame.f_back
    warnings.warn(message, XpadWarning, stacklevel=level)
