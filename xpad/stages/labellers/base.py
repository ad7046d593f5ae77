"""What a labeller is: the interface of every entry of `LABELLERS`."""

from __future__ import annotations

from abc import ABC, abstractmethod
from dataclasses import dataclass
from typing import ClassVar, Self

import numpy as np
import xarray as xr
from numpy.typing import NDArray

from xpad.settings import Settings
from xpad.stages.nearest import nearest
from xpad.stages.points import Points


@dataclass(frozen=True, eq=False)
class Labeller(ABC):
    """Fitted clusters: each point belongs to the one with the nearest centre.

    Attributes
    ----------
    centres : (k, components) float64
        The largest cluster among the fitted points first.
    counts : (k,) int64
        Fitted points in each cluster.
    """

    out_of_core: ClassVar[bool]
    """Whether it can be fitted to more points than memory holds."""

    centres: NDArray[np.float64]
    counts: NDArray[np.int64]

    @classmethod
    @abstractmethod
    def fit(cls, points: Points, k: int, settings: Settings, *, cell: float) -> Self:
        """Give points to k clusters.

        Parameters
        ----------
        points : Points
        k : int
        settings : Settings
        cell : float
            Size of the cells that many points are looked at in.
        """

    def assign(self, points: NDArray[np.floating]) -> NDArray[np.int16]:
        """The cluster of each point (rows, components); -1 for one with NaN."""
        return nearest(self.centres, points)

    def to_node(self) -> xr.Dataset:
        """As plain arrays, for a store."""
        return xr.Dataset(
            {
                "centres": (("cluster", "component"), self.centres),
                "counts": ("cluster", self.counts),
            }
        )

    @classmethod
    def from_node(cls, node: xr.Dataset) -> Self:
        """The inverse of `to_node`."""
        return cls(node.centres.values, node.counts.values)
