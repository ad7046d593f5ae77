"""Loops over arrays, compiled by numba when they are first called."""

from __future__ import annotations

from collections.abc import Callable
from functools import cache, wraps
from types import FunctionType
from typing import Any, ParamSpec, TypeVar

P = ParamSpec("P")
R = TypeVar("R")


def compiled(function: Callable[P, R]) -> Callable[P, R]:
    """Have a function of NumPy arrays and numbers compiled, once for each of their types.

    Threads run it side by side. The compiled code is kept on disk, beside the function's module or
    in the user's cache, for other processes; where nothing can be written, each compiles its own.
    Importing what is decorated does not import numba; the first call does. It may call other
    compiled functions, of its own module: what is kept is made anew where that module changes.

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
        whole = _with_programs(function)
        try:
            return njit(whole, cache=True, **own)
        except RuntimeError:  # numba's, where it has no place for its cache
            return njit(whole, **own)

    @wraps(function)
    def call(*args: P.args, **kwargs: P.kwargs) -> R:
        try:
            return program()(*args, **kwargs)
        except OSError:  # it was compiled, but there was no room to keep it
            return program()(*args, **kwargs)

    call._program = program  # type: ignore[attr-defined]
    return call


def _with_programs(function: Callable[P, R]) -> Callable[P, R]:
    """The function, where numba sees the programs of the compiled functions that it calls."""
    assert isinstance(function, FunctionType)
    named: dict[str, Any] = {n: function.__globals__.get(n) for n in function.__code__.co_names}
    programs = {n: g._program() for n, g in named.items() if hasattr(g, "_program")}
    if not programs:
        return function
    whole = FunctionType(
        function.__code__,
        function.__globals__ | programs,
        function.__name__,
        function.__defaults__,
        function.__closure__,
    )
    whole.__qualname__ = function.__qualname__
    return whole
