"""No autoencoder: the features themselves, with something in the place of what is missing."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Self

import numpy as np
import xarray as xr

from xpad.settings import Settings
from xpad.stages import pca
from xpad.stages.encoders.base import Checkpoint, Encoder, Floats
from xpad.stages.encoders.rows import History, Rows, means


@dataclass(frozen=True, eq=False)
class Straight(Encoder):
    """Rows as they are; their reconstruction is that of their principal components.

    Attributes
    ----------
    fill : (features,) float32
        What stands for a missing feature: zero, or its mean over the training rows.
    """

    learns = False
    fill: Floats

    @classmethod
    def width(cls, n_features: int, settings: Settings) -> int:
        """As many as there are features."""
        return n_features

    @classmethod
    def train(
        cls,
        rows: Rows,
        validation: Rows,
        settings: Settings,
        *,
        bounded: bool,
        progress: Callable[[int, float, float], None] | None = None,
        save: Callable[[Checkpoint], None] | None = None,
        resume: Checkpoint | None = None,
    ) -> tuple[Self, History | None]:
        """Find what stands for missing features; there is nothing else to learn."""
        if settings.missing == "zero" or rows.shape[0] == 0:
            return cls(np.zeros(rows.shape[1], dtype=np.float32)), None
        return cls(means(rows)), None

    def encode(self, rows: Floats, over: Floats | None = None) -> Floats:
        """The rows over their divisors, filled."""
        rows = _divided(rows, over)
        return np.where(np.isfinite(rows), rows, self.fill)

    def reduce(
        self, rows: Floats, over: Floats | None, components: pca.PCA
    ) -> tuple[Floats, Floats]:
        """Components, and the squared error of what they stand for."""
        rows = _divided(rows, over)
        found = pca.project(components, self.encode(rows))
        squares = np.square(rows - pca.inverse(components, found))
        return found, np.asarray(np.fmax(squares, np.float32(0)).sum(axis=1))

    def to_node(self) -> xr.Dataset:
        """As plain arrays, for a store."""
        return xr.Dataset(
            {"fill": ("feature", self.fill, {"long_name": "stands for a missing bin"})}
        )

    @classmethod
    def from_node(cls, node: xr.Dataset) -> Self:
        """The inverse of `to_node`."""
        return cls(node.fill.values)


def _divided(rows: Floats, over: Floats | None) -> Floats:
    return rows if over is None else rows / over[:, None]
