"""What an encoder is: the interface of every entry of `ENCODERS`."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable
from typing import Any, ClassVar, Self

import numpy as np
import xarray as xr
from numpy.typing import NDArray

from xpad.settings import Settings
from xpad.stages.encoders.rows import History, Rows
from xpad.stages.pca import PCA

Floats = NDArray[np.float32]
Checkpoint = dict[str, NDArray[Any]]


class Encoder(ABC):
    """A fitted encoder of rows of features; what it does to a row does not depend on other rows."""

    learns: ClassVar[bool]
    """Whether `train` learns from the rows, and needs rows to validate by."""

    @classmethod
    @abstractmethod
    def width(cls, n_features: int, settings: Settings) -> int:
        """Numbers of an encoded row."""

    @classmethod
    @abstractmethod
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
        """Fit an encoder.

        Parameters
        ----------
        rows, validation : Rows
            Rows of features to learn from, and to judge by; NaN where missing.
        settings : Settings
        bounded : bool
            Whether the features lie within 0…1.
        progress : callable, optional
            Called after each epoch with its number (from zero), loss and validation loss.
        save : callable, optional
            Called after each epoch with what is needed to go on from there.
        resume : dict, optional
            What `save` was called with.
        """

    @abstractmethod
    def encode(self, rows: Floats, over: Floats | None = None) -> Floats:
        """Encode rows (records, features), NaN where missing: (records, width).

        Each is divided by its number in `over` (records,) first, where that is given.
        """

    @abstractmethod
    def reduce(self, rows: Floats, over: Floats | None, components: PCA) -> tuple[Floats, Floats]:
        """Components (records, components) of encoded rows, and how far their reconstruction is off.

        The latter, (records,), is the sum over measured features of the squared differences. It is
        most of the work: project the encoded rows where nobody asks for it.
        """

    @abstractmethod
    def to_node(self) -> xr.Dataset:
        """As plain arrays, for a store."""

    @classmethod
    @abstractmethod
    def from_node(cls, node: xr.Dataset) -> Self:
        """The inverse of `to_node`."""
