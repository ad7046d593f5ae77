"""Statistics over points that lie in parts: one function per part, its results merged by `+`."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any, Protocol, Self, TypeVar

from numpy.typing import NDArray

from xpad.errors import OptionError

TREE = 8
"""Parts that are merged as a tree; what comes of them is added to one result, so that memory does
not grow with their number."""


class Mergeable(Protocol):
    """A statistic of some points; the sum of two is the statistic of all their points."""

    def __add__(self, other: Self, /) -> Self: ...


T = TypeVar("T", bound=Mergeable)


class Reduce(Protocol):
    """`reduce(f)` is f(part 0) + f(part 1) + …, wherever the parts lie and whoever works on them.

    The order of the additions may be any that is the same for the same parts. It should begin as a
    tree: sums are rounded less, and cells are merged in n log n steps. `f` can be pickled.
    """

    def __call__(self, f: Callable[[NDArray[Any]], T], /) -> T:
        """The merged statistic of all points."""


def over(parts: Iterable[NDArray[Any]]) -> Reduce:
    """Reduce over parts that lie in memory, or that a re-iterable object reads one by one.

    Parameters
    ----------
    parts : iterable of (rows, c)
        Gone through once a call.

    Returns
    -------
    Reduce

    Raises
    ------
    OptionError
        On a call, if there is no part.

    Examples
    --------
    >>> import numpy as np
    >>> over([np.array([1.0, 2.0]), np.array([3.0])])(np.size)
    3
    """

    def reduce(f: Callable[[NDArray[Any]], T], /) -> T:
        # Each entry stands for twice as many parts as the next, or for more; few are held.
        merged: list[tuple[int, T]] = []
        for part in parts:
            merged.append((1, f(part)))
            while len(merged) > 1 and min(merged[-2][0], TREE) <= merged[-1][0]:
                _merge_last(merged)
        if not merged:
            raise OptionError("there is no part to reduce over; give at least one, if an empty one")
        while len(merged) > 1:
            _merge_last(merged)
        return merged[0][1]

    return reduce


def _merge_last(merged: list[tuple[int, T]]) -> None:
    size, statistic = merged.pop()
    before, earlier = merged.pop()
    merged.append((before + size, earlier + statistic))
