"""Calls in threads of this process, whose results come in order."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Executor, Future
from contextvars import copy_context
from typing import TypeVar

__all__ = ["in_order"]

T = TypeVar("T")
Item = TypeVar("Item")


def in_order(
    pool: Executor, function: Callable[[Item], T], items: Iterable[Item], *, ahead: int
) -> Iterator[T]:
    """Yield ``function(item)`` for each item, while at most `ahead` further ones are under way.

    Each call sees what `contextvars` hold here, as the client that is current.

    Examples
    --------
    >>> from concurrent.futures import ThreadPoolExecutor
    >>> with ThreadPoolExecutor(2) as pool:
    ...     list(in_order(pool, abs, [-3, 1, -2], ahead=1))
    [3, 1, 2]
    """
    waiting: deque[Future[T]] = deque()
    for item in items:
        waiting.append(pool.submit(copy_context().run, function, item))
        if len(waiting) > ahead:
            yield waiting.popleft().result()
    while waiting:
        yield waiting.popleft().result()
