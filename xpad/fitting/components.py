"""The principal components of many records: in memory, or in a scratch folder part by part."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from functools import partial as bind
from typing import Any, TypeVar

import numpy as np
from numpy.typing import NDArray

from xpad.compute.threads import in_order
from xpad.compute.workers import client
from xpad.stages.cells import Cells
from xpad.stages.parts import over
from xpad.storage.scratch import Scratch

Floats = NDArray[np.float32]
T = TypeVar("T")

PART = 65_536
"""Rows that are worked on at once."""
AHEAD = 2
"""Parts whose results may wait to be added."""


@dataclass(frozen=True)
class Components:
    """Rows of components, and sums over them.

    Attributes
    ----------
    n : int
        Rows.
    sample : (few, components)
        Some of the rows: those that were asked for, in that order.
    one_by_one : bool
        Whether each row is looked at by itself; else sums over all, and cells.
    """

    n: int
    sample: Floats
    one_by_one: bool = True
    _rows: Floats | None = None
    _scratch: Scratch | None = None
    _names: tuple[str, ...] = ()
    _cells: dict[float, Cells] = field(default_factory=dict)

    def rows(self) -> Floats:
        """All rows, in memory."""
        if self._rows is not None:
            return self._rows
        assert self._scratch is not None
        return np.concatenate([self._scratch.get(name) for name in self._names])

    def cells(self, size: float) -> Cells:
        """The rows, binned into cells; those of a size are made once."""
        if size not in self._cells:
            self._cells[size] = self.reduce(bind(Cells.of, size=size))
        return self._cells[size]

    def reduce(self, partial: Callable[[Floats], T]) -> T:
        """``partial(part) + partial(part) + …`` over all parts, as a tree, in one compute."""
        if self._rows is not None:
            parts: Any = [self._rows[i : i + PART] for i in range(0, max(self.n, 1), PART)]
            return _reduced_here(partial, parts)
        assert self._scratch is not None
        groups = _grouped(self._names, self.n)
        of_parts = bind(_of_parts, partial, self._scratch)
        if client() is None:
            return _reduced_here(of_parts, groups)
        from dask.delayed import delayed

        task = delayed(of_parts, pure=False)
        total: T = _added([task(names) for names in groups]).compute()
        return total


def _reduced_here(function: Callable[[Any], T], parts: Iterable[Any]) -> T:
    """In threads of this process, with few results held at a time."""
    from dask.system import CPU_COUNT

    with ThreadPoolExecutor(CPU_COUNT) as pool:
        results: Iterable[Any] = in_order(pool, function, parts, ahead=AHEAD)
        return over(results)(_same)


def _of_parts(partial: Callable[[Floats], Any], scratch: Scratch, names: Sequence[str]) -> Any:
    return partial(np.concatenate([scratch.get(name) for name in names]))


def _grouped(names: Sequence[str], n: int) -> list[list[str]]:
    """Runs of names of about `PART` rows each: thousands of small tasks would take longer."""
    count = max(1, -(-len(names) * PART // max(n, 1)))
    return [list(names[i : i + count]) for i in range(0, len(names), count)]


def _same(x: Any) -> Any:
    return x


def _added(level: list[Any]) -> Any:
    from dask.delayed import delayed

    while len(level) > 1:
        pairs = [level[i : i + 2] for i in range(0, len(level), 2)]
        level = [delayed(_add)(*pair) if len(pair) == 2 else pair[0] for pair in pairs]
    return level[0]


def _add(a: Any, b: Any) -> Any:
    return a + b
