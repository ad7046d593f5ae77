"""Which record is trained on: a counter-based hash of its position, nothing else.

A record's split depends on its position, the number of records and the seed;
not on chunks, workers or memory, and without a permutation of all records.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from xpad.compute.compiled import compiled
from xpad.errors import NotEnoughDataError

STRATUM = 100
"""Consecutive positions among which each share is drawn exactly (to one record)."""

TRAIN, VALIDATION, TEST = 0, 1, 2
SPLITS = ("train", "validation", "test")
SPLIT_ATTRS = {
    "long_name": "split that the record belongs to",
    "flag_values": np.array([TRAIN, VALIDATION, TEST], dtype=np.int8),
    "flag_meanings": " ".join(SPLITS),
}

Integers = NDArray[np.integer]
SPAN = 2**20
"""Positions that are worked on at once; whole bytes of bits."""


def spans(total: int) -> Iterator[slice]:
    """Runs of positions that are worked on at once."""
    for start in range(0, total, SPAN):
        yield slice(start, min(start + SPAN, total))


def hashed(numbers: Integers, seed: int) -> NDArray[np.uint64]:
    """splitmix64 of each number with a seed (Steele et al. 2014, doi:10.1145/2714064.2660195)."""
    start = (int(seed) * 0xD1342543DE82EF95 + 0x632BE59BD9B4E019) % 2**64
    mixed = np.asarray(numbers).astype(np.uint64, order="C")
    _mix(mixed.reshape(-1), np.uint64(start))
    return mixed


# As long as all are of this type, products wrap round.
_STEP, _FIRST, _SECOND = (
    np.uint64(number) for number in (0x9E3779B97F4A7C15, 0xBF58476D1CE4E5B9, 0x94D049BB133111EB)
)
_30, _27, _31, _11 = (np.uint64(bits) for bits in (30, 27, 31, 11))


@compiled
def _mix(numbers: NDArray[np.uint64], start: np.uint64) -> None:
    for i in range(numbers.size):
        z = numbers[i] * _STEP + start
        z = (z ^ (z >> _30)) * _FIRST
        z = (z ^ (z >> _27)) * _SECOND
        numbers[i] = z ^ (z >> _31)


def stratified_uniform(positions: Integers, total: int, seed: int) -> NDArray[np.float64]:
    """A number in [0, 1) for each position, evenly spread within every stratum of positions.

    Parameters
    ----------
    positions : (n,) int
        Positions of records, any subset in any order.
    total : int
        Number of records; the last stratum may be short.
    seed : int

    Returns
    -------
    (n,) float64

    Examples
    --------
    >>> import numpy as np
    >>> int((stratified_uniform(np.arange(1000), 1000, seed=4) < 0.2).sum())
    200
    """
    positions = np.asarray(positions, dtype=np.int64)
    strata, inverse = _strata(positions)
    members = strata[:, None] * STRATUM + np.arange(STRATUM)
    keys = hashed(members, seed)
    out = np.empty(positions.size)
    _spread(positions, inverse, total, keys, out)
    return out


@compiled
def _spread(
    positions: Integers,
    inverse: Integers,
    total: int,
    keys: NDArray[np.uint64],
    out: NDArray[np.float64],
) -> None:
    known, size = -1, 0
    rank = np.empty(STRATUM, np.int32)
    for i in range(positions.size):
        row = inverse[i]
        place = positions[i] % STRATUM
        if row != known:
            known, size = row, min(STRATUM, total - (positions[i] - place))
            for j in range(size):
                smaller = np.int32(0)
                for other in range(size):
                    smaller += np.int32(keys[row, other] < keys[row, j])
                rank[j] = smaller
        # Each rank owns an equal cell of [0, 1); the place in the cell orders the strata at random.
        within = np.float64(keys[row, place] >> _11) * 2.0**-53
        out[i] = (rank[place] + within) / size


def _strata(positions: Integers) -> tuple[Integers, Integers]:
    """Strata, ascending, among them all that hold the positions; and which of them holds each."""
    number = positions // STRATUM
    if number.size:
        first, last = int(number.min()), int(number.max())
        if last - first < number.size:  # a block of records: nothing to sort
            return np.arange(first, last + 1), number - first
    return np.unique(number, return_inverse=True)


@dataclass(frozen=True)
class Members:
    """A set of positions, a bit for each position there is: small enough to go to every worker."""

    bits: NDArray[np.uint8]

    @classmethod
    def of(cls, codes: NDArray[np.int8], code: int) -> Members:
        """The positions that have one of several codes."""
        parts = [np.packbits(codes[at] == code) for at in spans(codes.size)]
        return cls(np.concatenate([np.empty(0, np.uint8), *parts]))

    def among(self, positions: Integers) -> NDArray[np.intp]:
        """Which of these positions are members.

        Examples
        --------
        >>> import numpy as np
        >>> Members.of(np.array([2, 0, 2, -1, 2], dtype=np.int8), 2).among(np.array([1, 2, 4]))
        array([1, 2])
        """
        shifted = self.bits[positions >> 3] >> (7 - (positions & 7)).astype(np.uint8)
        return np.flatnonzero(shifted & 1)


def by_shares(u: NDArray[np.float64], train: float, validation: float) -> NDArray[np.int8]:
    """Train below one threshold, validation below the other, test above."""
    return (u >= train).view(np.int8) + (u >= validation).view(np.int8)


def block_split(blocks: Integers, train: float, validation: float, seed: int) -> NDArray[np.int8]:
    """Train, validation or test for each record, all records of a block alike.

    Parameters
    ----------
    blocks : (n,) int
        The block (day, orbit) that each of all records belongs to.

    Raises
    ------
    NotEnoughDataError
        Fewer than three blocks.
    """
    unique, inverse = np.unique(blocks, return_inverse=True)
    n = unique.size
    if n < 3:
        raise NotEnoughDataError(
            f"split='blocks' needs at least three blocks (train, validation, test) and the data hold {n}; "
            "use shorter blocks (block='3h') or split='random'"
        )
    n_train = min(max(1, round(train * n)), n - 2)
    n_validation = min(max(1, round(validation * n)), n - n_train - 1)
    order = np.argsort(hashed(unique, seed), kind="stable")
    split = np.full(n, TEST, dtype=np.int8)
    split[order[:n_train]] = TRAIN
    split[order[n_train : n_train + n_validation]] = VALIDATION
    return np.asarray(split[inverse])
