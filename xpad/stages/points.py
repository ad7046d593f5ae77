"""Points of the components' space, in memory or not, as labellers and rules for k look at them."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Protocol, TypeVar

import numpy as np
from numpy.typing import NDArray

from xpad.stages.cells import Cells
from xpad.stages.parts import Mergeable

T = TypeVar("T", bound=Mergeable)


class Points(Protocol):
    """Points that are to be grouped."""

    @property
    def n(self) -> int:
        """How many there are."""
        ...

    @property
    def sample(self) -> NDArray[np.float32]:
        """Some of them, (few, components), drawn by their ranks."""
        ...

    @property
    def one_by_one(self) -> bool:
        """Whether each is looked at by itself; else sums over all, and cells."""
        ...

    def rows(self) -> NDArray[np.float32]:
        """All of them, in memory: (n, components)."""
        ...

    def reduce(self, partial: Callable[[NDArray[Any]], T], /) -> T:
        """``partial(part) + partial(part) + …`` over all parts."""
        ...

    def cells(self, size: float) -> Cells:
        """All of them, binned into cells; those of a size are made once."""
        ...
