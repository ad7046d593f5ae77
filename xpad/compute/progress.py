"""Progress of long work: a bar per step, off where nobody looks."""

from __future__ import annotations

import logging
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from time import perf_counter
from typing import Any

log = logging.getLogger(__name__)


class Progress:
    """Shows what a fit is doing; does nothing where `show` is False.

    `show=None` shows bars in a terminal or a notebook only.
    """

    def __init__(self, show: bool | None = None) -> None:
        self.show = _somebody_looks() if show is None else show

    @contextmanager
    def step(self, text: str, total: int | None = None, unit: str = "it") -> Iterator[Any]:
        """A bar for one step; its `update` counts, `note` adds figures behind it."""
        with _logged(text):
            if not self.show:
                yield _Silent()
                return
            from tqdm.auto import tqdm

            with tqdm(total=total, desc=f"xpad: {text}", unit=unit, leave=False) as bar:
                yield _Bar(bar)

    @contextmanager
    def blocks(self, text: str, total: int, name: str) -> Iterator[None]:
        """A bar that counts the tasks of one pass over the data (local dask schedulers)."""
        if not self.show:
            with _logged(text):
                yield
            return
        from dask.callbacks import Callback

        with self.step(text, total, unit="block") as bar:

            def finished(key: Any, *_: Any) -> None:
                if str(key).startswith(f"{name}-") and "combine" not in str(key):
                    bar.update(1)

            with Callback(posttask=finished):
                yield


@contextmanager
def _logged(text: str) -> Iterator[None]:
    """Say at level INFO when a step begins, and how long it took."""
    log.debug("%s begins", text, extra={"step": text, "seconds": None})
    begun = perf_counter()
    yield
    seconds = perf_counter() - begun
    log.debug("%s took %.2f s", text, seconds, extra={"step": text, "seconds": seconds})


class _Silent:
    def update(self, by: int = 1) -> None: ...

    def note(self, **figures: Any) -> None: ...


class _Bar:
    def __init__(self, bar: Any) -> None:
        self._bar = bar

    def update(self, by: int = 1) -> None:
        self._bar.update(by)

    def note(self, **figures: Any) -> None:
        self._bar.set_postfix(figures, refresh=False)


def _somebody_looks() -> bool:
    if sys.stderr is not None and sys.stderr.isatty():
        return True
    ipython = sys.modules.get("IPython")
    shell = ipython.get_ipython() if ipython is not None else None
    return shell is not None and type(shell).__name__ == "ZMQInteractiveShell"
