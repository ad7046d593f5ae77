"""What a rule for the number of clusters is: the interface of every entry of `K_RULES`."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any, Self

import numpy as np
import xarray as xr
from numpy.typing import NDArray

from xpad.settings import Settings
from xpad.stages.points import Points


@dataclass(frozen=True, eq=False)
class KRule(ABC):
    """What a rule found: places in the components' space, and how wide it looked.

    Attributes
    ----------
    modes : (modes, components) float64
        The places that it counts, the most populated first; none where it found nothing.
    bandwidth : float
        How wide it looked, in units of the components.
    counts : (modes,) int64
        Points that each of them is the nearest to; none where they were not counted.
    """

    modes: NDArray[np.float64]
    bandwidth: float
    counts: NDArray[np.int64] = field(default_factory=lambda: np.zeros(0, np.int64))

    @classmethod
    @abstractmethod
    def out_of_core(cls, settings: Settings) -> bool:
        """Whether it can look at more points than memory holds."""

    @classmethod
    @abstractmethod
    def find(cls, points: Points, settings: Settings, k: int | None) -> Self:
        """Look at points.

        Parameters
        ----------
        points : Points
        settings : Settings
        k : int or None
            The number of clusters, where it is given: then nothing hangs on what is found.

        Raises
        ------
        NotEnoughDataError
            There are too few points, or they hardly differ, and k is not given.
        """

    @property
    def k(self) -> int:
        """The number of clusters that it finds."""
        return len(self.modes)

    @property
    @abstractmethod
    def cell(self) -> float:
        """Size of the cells in which many points may be looked at."""

    @abstractmethod
    def remedy(self) -> str:
        """What to do where it finds one cluster only, in a sentence or two."""

    @classmethod
    @abstractmethod
    def evidence(
        cls, rows: NDArray[np.float32], settings: Settings, quantiles: Sequence[float]
    ) -> xr.Dataset:
        """What it finds in points (rows, components) as it looks more and more widely."""

    def to_node(self) -> xr.Dataset:
        """As plain arrays, for a store."""
        variables: dict[str, Any] = {"modes": (("mode", "component"), self.modes)}
        if self.counts.size:
            variables["counts"] = ("mode", self.counts)
        return xr.Dataset(variables, attrs={"bandwidth": self.bandwidth})

    @classmethod
    def from_node(cls, node: xr.Dataset) -> Self:
        """The inverse of `to_node`."""
        counts = {"counts": node.counts.values} if "counts" in node else {}
        return cls(node.modes.values, float(node.attrs["bandwidth"]), **counts)
