"""The order in which records lie in memory."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from xpad.compiled import compiled

Floats = NDArray[np.float32]

ALIGNED = 64
"""Bytes; where an array begins at a multiple, JAX need not copy it."""


def as_they_lie(pads: Floats) -> Floats:
    """Records (records, energies, pitch angles) as rows with their bins in the order of memory.

    Mostly nothing is copied.
    """
    dense = pads.swapaxes(1, 2) if pads.strides[1] < pads.strides[2] else pads
    return np.ascontiguousarray(dense).reshape(len(dense), dense.shape[1] * dense.shape[2])


def in_order(pads: Floats, chosen: NDArray[np.intp] | None = None) -> Floats:
    """All records or the chosen in C order; a copy, where they are not in it already.

    Examples
    --------
    >>> import numpy as np
    >>> pads = np.arange(12, dtype="f4").reshape(3, 2, 2).swapaxes(1, 2)
    >>> in_order(pads, np.array([2])).ravel()
    array([ 8., 10.,  9., 11.], dtype=float32)
    """
    if chosen is None:
        if pads.flags.c_contiguous:
            return pads
        chosen = np.arange(len(pads))
    shape = (len(chosen), *pads.shape[1:])
    size = int(np.prod(shape))
    held = np.empty(size + ALIGNED // 4, np.float32)
    first = -held.ctypes.data % ALIGNED // 4
    out = held[first : first + size].reshape(shape)
    _copy(pads, chosen, out)
    return out


@compiled
def _copy(pads: Floats, chosen: NDArray[np.intp], out: Floats) -> None:
    for i in range(chosen.size):
        record = chosen[i]
        for j in range(pads.shape[1]):
            for k in range(pads.shape[2]):
                out[i, j, k] = pads[record, j, k]
