"""Rows dealt to blocks of whole batches, so that not all need to be in memory at a time."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

BLOCK_ROWS = 65_536
BLOCK_BYTES = 64 * 2**20
"""A block has at most so many rows, and as float32 about so many bytes."""
SMALL_BATCH = 65_536
"""A batch of more rows than this is padded to no more rows than there are."""
ALIGNMENT = 64

Integers = NDArray[np.int64]


@dataclass(frozen=True)
class Deal:
    """Which block each of `n` rows belongs to, and its place in it.

    There are as few blocks as the limits allow, equal to within a batch; the last batch may be
    partial. Rows are dealt like cards, for a block to be a sample of the whole: training on a
    month at a time would forget the months before.

    Attributes
    ----------
    sizes : tuple of int
        Rows in each block.
    steps : int
        Batches in all blocks.
    padded_rows : int
        Rows that a block is padded to: of few sizes, for few compilations.
    """

    n: int
    batch: int
    sizes: tuple[int, ...]
    steps: int
    padded_rows: int

    @classmethod
    def of(cls, n: int, batch: int, features: int) -> Deal:
        """Deal `n` rows of so many features."""
        batch = batch_of(n, batch)
        rows = min(BLOCK_ROWS, 2 ** int(math.log2(max(BLOCK_BYTES / (4 * features), 1))))
        most = max(rows // batch, 1)
        steps = math.ceil(n / batch)
        blocks = max(math.ceil(steps / most), 1)
        per_block, longer = divmod(steps, blocks)
        sizes = [(per_block + (block < longer)) * batch for block in range(blocks)]
        sizes[-1] -= steps * batch - n
        padded = _padded_steps(math.ceil(sizes[0] / batch), most) * batch
        return cls(n, batch, tuple(sizes), steps, padded)

    def where(self, rank: Integers) -> tuple[Integers, Integers]:
        """The block of each row, and its place in the block."""
        blocks, least = len(self.sizes), min(self.sizes)
        dealt = least * blocks
        tails = dealt + np.cumsum([0] + [size - least for size in self.sizes])
        tail_block = np.searchsorted(tails, rank, side="right") - 1
        in_tail = rank >= dealt
        block = np.where(in_tail, tail_block, rank % blocks)
        place = np.where(in_tail, least + rank - tails[tail_block], rank // blocks)
        return block, place

    def rows(self, block: int) -> Integers:
        """The ranks of a block's rows, in their places."""
        blocks, least = len(self.sizes), min(self.sizes)
        tail = least * blocks + sum(size - least for size in self.sizes[:block])
        return np.concatenate(
            [
                np.arange(block, least * blocks, blocks),
                np.arange(tail, tail + self.sizes[block] - least),
            ]
        )


def batch_of(n: int, batch: int) -> int:
    """Rows in a batch of `n` rows, which a block is padded to: no more than there are, if many."""
    return min(batch, max(n, SMALL_BATCH))


def empty_block(deal: Deal, features: int) -> NDArray[np.float32]:
    """A block of zeros, (padded rows, features), aligned so that JAX need not copy it on a CPU."""
    size = deal.padded_rows * features
    raw = np.zeros(4 * size + ALIGNMENT, dtype=np.uint8)
    start = -raw.ctypes.data % ALIGNMENT
    found = raw[start : start + 4 * size].view(np.float32)
    return found.reshape(deal.padded_rows, features)


def _padded_steps(steps: int, most: int) -> int:
    """The least of 4, 16, 64 … that holds `steps`, or `most`."""
    padded = 4
    while padded < steps:
        padded *= 4
    return min(padded, most)
