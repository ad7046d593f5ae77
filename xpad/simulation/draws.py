"""Random numbers that depend on seed, stream and position only.

Philox is a counter-based generator (Salmon et al. 2011, doi 10.1145/2063384.2063405): any
row of any stream is reached at once, so that a record's numbers do not depend on which other
records are made, in what order, or in what chunks.
"""

from __future__ import annotations

from enum import IntEnum
from functools import lru_cache
from statistics import NormalDist

import numpy as np
from numpy.typing import NDArray

# Rows before the start of the mission (a storm that began earlier) stay non-negative.
_ROW_OFFSET = 1 << 40


class Stream(IntEnum):
    """One independent sequence of rows each."""

    MISSION = 0
    CLOCK = 1
    GAPS = 2
    STORMS = 3
    CELLS = 4
    KNOTS = 5
    RECORDS = 6
    COUNTS = 7
    ECLIPSES = 8


@lru_cache(maxsize=64)
def _key(seed: int, probe: int) -> NDArray[np.uint64]:
    return np.random.SeedSequence([seed, probe]).generate_state(2, np.uint64).astype(np.uint64)


def words(
    seed: int, probe: int, stream: Stream, first: int, rows: int, columns: int
) -> NDArray[np.uint64]:
    """Raw 64-bit words of consecutive rows.

    Parameters
    ----------
    seed, probe : int
        What the generator is keyed on, both non-negative.
    stream : Stream
        Which sequence; a stream is always read with the same number of columns.
    first, rows : int
        The first row (may be negative) and how many.
    columns : int
        Words a row, a multiple of four (the words of one Philox step).

    Returns
    -------
    ndarray of uint64, shape (rows, columns)
    """
    step = (int(first) + _ROW_OFFSET) * (columns // 4)
    low, high = step & 0xFFFFFFFFFFFFFFFF, step >> 64
    bits = np.random.Philox(key=_key(seed, probe), counter=[low, high, 0, int(stream)])
    return bits.random_raw(rows * columns).reshape(rows, columns)


def uniform(raw: NDArray[np.uint64]) -> NDArray[np.float64]:
    """Uniform numbers in (0, 1), of the shape of the raw words."""
    return ((raw >> np.uint64(12)).astype(np.float64) + 0.5) * 2.0**-52


@lru_cache(maxsize=1)
def normal_table() -> NDArray[np.float32]:
    """The 65536 quantiles of the standard normal at the middles of equal shares."""
    distribution = NormalDist()
    lower = [distribution.inv_cdf((i + 0.5) / 65536) for i in range(32768)]
    table = np.asarray(lower + [-z for z in reversed(lower)], dtype=np.float32)
    table.flags.writeable = False
    return table


def normal(raw: NDArray[np.uint64]) -> NDArray[np.float32]:
    """Standard normal numbers (|z| < 4.2), of the shape of the raw words."""
    return normal_table()[(raw >> np.uint64(48)).astype(np.intp)]


def gumbel(raw: NDArray[np.uint64]) -> NDArray[np.float32]:
    """Standard Gumbel numbers, of the shape of the raw words."""
    return (-np.log(-np.log(uniform(raw)))).astype(np.float32)
