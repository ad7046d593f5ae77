"""Rows that an encoder learns from, block by block, and how its learning went."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol, runtime_checkable

import numpy as np
from numpy.typing import NDArray

from xpad.stages.encoders.deal import Deal

Float32 = NDArray[np.float32]


@dataclass(frozen=True)
class History:
    """What happened in a training.

    Attributes
    ----------
    loss : (epochs,)
        Mean loss over an epoch's batches, each as it was when it was trained on, as Keras reports.
    val_loss : (epochs,)
        Loss over the validation rows at the end of each epoch.
    steps : int
        Steps taken.
    best_epoch : int
        The epoch, counted from zero, with the lowest validation loss.
    stopped_early : bool
        Whether early stopping ended the training.
    """

    loss: NDArray[np.float64]
    val_loss: NDArray[np.float64]
    steps: int
    best_epoch: int
    stopped_early: bool


@runtime_checkable
class Rows(Protocol):
    """Rows that are handed out block by block, so that not all need to be in memory."""

    @property
    def shape(self) -> tuple[int, int]:
        """(rows, features)."""
        ...

    @property
    def deal(self) -> Deal:
        """Which rows are in which block."""
        ...

    @property
    def held(self) -> bool:
        """Whether the blocks are in memory, and so may stay on JAX's device as well."""
        ...

    def block(self, number: int) -> Float32:
        """The rows of a block, in the places that `deal` gives them, padded to one size."""
        ...


def means(rows: Rows) -> Float32:
    """Each feature's mean over its measured values; 0 where there is none."""
    total, count = np.zeros(rows.shape[1]), np.zeros(rows.shape[1])
    for number, size in enumerate(rows.deal.sizes):
        block = rows.block(number)[:size]
        total += np.nansum(block, axis=0, dtype=np.float64)
        count += np.count_nonzero(~np.isnan(block), axis=0)
    return (total / np.maximum(count, 1)).astype(np.float32)
