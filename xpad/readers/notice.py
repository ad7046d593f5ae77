"""Warnings that point at the user's own line."""

import sys
import warnings

from xpad.errors import XpadWarning

__all__ = ["notice"]

_INSIDE = ("xpad.", "xarray.", "contextlib")


def notice(message: str) -> None:
    """Warn with `XpadWarning`, as if from the line outside xpad and xarray that led here."""
    level, frame = 2, sys._getframe(1)
    while frame.f_back is not None and frame.f_globals.get("__name__", "").startswith(_INSIDE):
        frame = frame.f_back
        level += 1
    warnings.warn(message, XpadWarning, stacklevel=level)
