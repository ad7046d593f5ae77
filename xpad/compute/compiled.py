"""Loops over arrays, compiled by numba when they are first called."""

from __future__ import annotations

from collections.abc import Callable
from functools import cache, wraps
from typing import Any, ParamSpec, TypeVar

P = ParamSpec("P")
R = TypeVar("R")


def compiled(function: Callable[P, R]) -> Callable[P, R]:
    """Have a function of NumPy arrays and numbers compiled, once for each of their types.

    Threads run it side by side. The compiled code is kept on disk, beside the function's module or
    in the user's cache, for other processes; where nothing can be written, each compiles its own.
    Importing what is decorated does not import numba; the first call does.

    Examples
    --------
    >>> import numpy as np
    >>> @compiled
    ... def above(values, limit):
    ...     found = 0
    ...     for value in values:
    ...         found += value > limit
    ...     return found
    >>> above(np.array([0.0, 1.0, 2.0]), 0.5)
    2
    """
    return _compiled(function)


def compiled_in_any_order(function: Callable[P, R]) -> Callable[P, R]:
    """The same, where sums may be taken in another order than written, several numbers at once.

    The order is the same for every call with arrays of the same shapes.
    """
    return _compiled(function, fastmath={"reassoc", "contract"})


def _compiled(function: Callable[P, R], **options: Any) -> Callable[P, R]:
    @cache
    def program() -> Callable[P, R]:
        from numba import njit

        own = {"nogil": True, "error_model": "numpy", **options}
        try:
            return njit(function, cache=True, **own)
        except RuntimeError:  # numba's, where it has no place for its cache
            return njit(function, **own)

    @wraps(function)
    def call(*args: P.args, **kwargs: P.kwargs) -> R:
        try:
            return program()(*args, **kwargs)
        except OSError:  # it was compiled, but there was no room to keep it
            return program()(*args, **kwargs)

    return call
