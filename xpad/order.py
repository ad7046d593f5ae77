"""How records lie in memory."""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float32]

ALIGNED = 64
"""Bytes; where an array begins at a multiple, JAX need not copy it."""


def lies_swapped(pads: Floats) -> bool:
    """Whether the pitch angles of records (records, energies, pitch angles) lie farther apart."""
    return bool(pads.strides[1] < pads.strides[2])


def in_one_piece(pads: Floats) -> Floats:
    """The records themselves where they lie one after the other, bins in either order; or a copy."""
    dense = pads.swapaxes(1, 2) if lies_swapped(pads) else pads
    return pads if dense.flags.c_contiguous else np.ascontiguousarray(pads)


def as_they_lie(pads: Floats) -> Floats:
    """Records (records, energies, pitch angles) as rows with their bins in the order of memory.

    Mostly nothing is copied.
    """
    dense = pads.swapaxes(1, 2) if lies_swapped(pads) else pads
    return np.ascontiguousarray(dense).reshape(len(dense), dense.shape[1] * dense.shape[2])


def aligned(shape: tuple[int, ...]) -> Floats:
    """An array of nothing yet, which begins where JAX wants it to."""
    size = math.prod(shape)
    held = np.empty(size + ALIGNED // 4, np.float32)
    first = -held.ctypes.data % ALIGNED // 4
    return held[first : first + size].reshape(shape)
