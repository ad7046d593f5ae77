"""How much memory there is, and how much of it xpad takes."""

from __future__ import annotations

import ctypes
import math
import os
import sys
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from xpad.errors import OptionError

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


SHARE = 0.25
"""Of what the machine or the container has: dask's chunks and the libraries need the rest."""
LEAST = 16 * 2**20
_CGROUP_FILES = ("/sys/fs/cgroup/memory.max", "/sys/fs/cgroup/memory/memory.limit_in_bytes")


def budget(memory: str | int | None = None) -> int:
    """Bytes that the samples and statistics of a fit may take.

    Parameters
    ----------
    memory : str or int, optional
        ``"2GiB"``, ``"500MB"`` or a number of bytes; by default a quarter of
        what the machine, the dask worker or the container has.

    Returns
    -------
    int

    Raises
    ------
    OptionError
        It is no amount of memory, or less than 16 MiB.

    Examples
    --------
    >>> budget("2GiB")
    2147483648
    """
    if memory is None:
        return max(int(SHARE * available()), LEAST)
    from dask.utils import parse_bytes

    try:
        if isinstance(memory, bool) or memory == "":
            raise ValueError
        found = parse_bytes(memory)
    except (ValueError, TypeError, AttributeError) as err:
        raise OptionError(
            f"memory={memory!r} is no amount of memory; give such as '2GiB' or '500MB'"
        ) from err
    if found < LEAST:
        raise OptionError(f"memory={memory!r} is less than the 16 MiB that xpad needs at least")
    return int(found)


def available() -> int:
    """Bytes that this process may use: the machine's, or less in a container or a dask worker."""
    found = [os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")]
    found += [n for n in (_limit_in(Path(f)) for f in _CGROUP_FILES) if n is not None]
    own = _worker_limit()
    return min([*found, *([own] if own else [])])


def release() -> None:
    """Give memory that is no longer in use back to the system, which glibc else may keep."""
    if sys.platform == "linux":
        trim = getattr(ctypes.CDLL(None), "malloc_trim", None)  # other C libraries have none
        if trim is not None:
            trim(0)


def _limit_in(file: Path) -> int | None:
    try:
        text = file.read_text().strip()
    except OSError:
        return None  # no control groups of this version
    return int(text) if text.isdigit() and int(text) > 0 else None


def _worker_limit() -> int | None:
    if "distributed" not in sys.modules:
        return None
    from distributed import get_worker

    try:
        return int(get_worker().memory_manager.memory_limit or 0) or None
    except ValueError:
        return None  # not within a task
