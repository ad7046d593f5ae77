"""Calls in threads of this process, whose results come in order."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Executor, Future, ThreadPoolExecutor
from contextlib import contextmanager
from contextvars import copy_context
from typing import Any, TypeVar

from xpad.compute.workers import client

SPARE_THREADS = 2
"""Threads beyond the number of cores, since a thread that reads waits for Zarr's own threads, and any
thread for the others while these are in Python."""

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


def one_blas_thread() -> Any:
    """Keep each task to one thread of NumPy's matrix products: the tasks are as many as the cores."""
    from threadpoolctl import threadpool_limits

    return threadpool_limits(limits=1, user_api="blas")


@contextmanager
def side_by_side() -> Iterator[tuple[int, Executor | None]]:
    """How many passes may run at once, and the threads that they share.

    Two, so that no core is idle while one ends and the next begins; one where
    their tasks are not run by threads of this process or by a cluster.
    """
    import dask
    from dask.system import CPU_COUNT

    if client() is not None:
        yield 2, None
    elif not _in_threads() or dask.config.get("pool", None) is not None:
        yield 1, None
    else:
        threads = dask.config.get("num_workers", None) or CPU_COUNT + SPARE_THREADS
        with one_blas_thread(), ThreadPoolExecutor(threads) as pool:
            yield 2, pool


def _in_threads() -> bool:
    """Whether dask's tasks are run by threads of this process."""
    import dask.threaded
    from dask.base import get_scheduler

    return get_scheduler() in (None, dask.threaded.get)


@contextmanager
def _threads() -> Iterator[dict[str, Executor]]:
    """Have dask run more threads than there are cores, where nobody chose otherwise.

    They end with the pass: the memory that each keeps for its blocks is the next pass's then.
    """
    import dask
    from dask.system import CPU_COUNT

    chosen = not _in_threads() or any(
        dask.config.get(name, None) is not None for name in ("scheduler", "num_workers", "pool")
    )
    if chosen:
        yield {}
        return
    with ThreadPoolExecutor(CPU_COUNT + SPARE_THREADS) as pool:
        yield {"pool": pool}
