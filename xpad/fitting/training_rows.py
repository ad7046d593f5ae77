"""The rows that an autoencoder is trained on: drawn by the first pass, dealt to blocks.

They are held in memory, or in a scratch folder where they are too many for it. Which block a row
belongs to, and where in it, depends on its rank in the training's order alone, so that both ways
give the same blocks.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from uuid import uuid4

import numpy as np
from numpy.typing import NDArray

from xpad.stages.encoders.deal import Deal, empty_block
from xpad.storage.scratch import Scratch

Floats = NDArray[np.float32]
FIRST = 4096
"""Rows kept at hand for small statistics."""


@dataclass(frozen=True)
class Drawn:
    """Rows that one block of records brought, here or in a scratch folder.

    Attributes
    ----------
    position : (rows,) int64
    """

    position: NDArray[np.int64]
    _rows: Floats | None
    _name: str = ""

    @classmethod
    def of(cls, rows: Floats, position: NDArray[np.int64], scratch: Scratch | None) -> Drawn:
        """Keep the rows, or write them to the scratch folder."""
        if scratch is None:
            return cls(position, rows)
        name = f"drawn/{int(position[0]) if position.size else 0:015d}-{uuid4().hex}.npy"
        if position.size:
            scratch.put(name, rows)
        return cls(position, None, name)

    def rows(self, scratch: Scratch | None) -> Floats:
        """The rows, (rows, energies, pitch angles)."""
        if self._rows is not None:
            return self._rows
        assert scratch is not None
        return np.asarray(scratch.get(self._name))


@dataclass
class Sample:
    """Rows of features in the training's order, dealt to blocks.

    Attributes
    ----------
    shape : (rows, features)
    deal : Deal
        Which rows are in which block.
    first : (few, features)
        The first rows.
    """

    shape: tuple[int, int]
    deal: Deal
    first: Floats
    _blocks: dict[int, Floats] = field(default_factory=dict)
    _scratch: Scratch | None = None
    _folder: str = ""
    _pieces: dict[int, list[str]] = field(default_factory=dict)
    _places: dict[int, NDArray[np.int32]] = field(default_factory=dict)

    @property
    def held(self) -> bool:
        """Whether the blocks are in memory."""
        return self._scratch is None

    def block(self, number: int) -> Floats:
        """The rows of one block, in their order, padded to one size."""
        if self._scratch is None:
            return self._blocks[number]
        rows = empty_block(self.deal, self.shape[1])
        start, places = 0, self._places[number]
        for name in self._pieces[number]:
            piece = self._scratch.get(name)
            rows[places[start : start + len(piece)]] = piece
            start += len(piece)
        return rows


def gather(
    drawn: list[Drawn],
    wanted: Sequence[NDArray[np.int64]],
    features: NDArray[np.bool_],
    deals: Sequence[Deal],
    *,
    read_from: Scratch | None,
    spool: Scratch | None,
    buffer: int,
) -> list[Sample]:
    """Samples of wanted positions, each in its order.

    Parameters
    ----------
    drawn : list of Drawn
        What the first pass drew, more than is wanted; emptied, so that no row is held twice.
    wanted : sequence of (rows,) int64
        For each sample, positions in the training's order.
    features : (energies, pitch angles) bool
    deals : sequence of Deal
        For each sample.
    read_from : Scratch or None
        Where drawn rows were written.
    spool : Scratch or None
        Where to write the blocks; None holds them in memory.
    buffer : int
        Bytes that may wait to be written.
    """
    n = int(features.sum())
    samples = [_empty(part.size, n, deal, spool) for part, deal in zip(wanted, deals, strict=True)]
    orders = [np.argsort(part) for part in wanted]
    ascending = [part[order] for part, order in zip(wanted, orders, strict=True)]
    waiting = [_Waiting(sample, buffer // len(samples)) for sample in samples]
    while drawn:
        part = drawn.pop()
        all_rows = part.rows(read_from) if part.position.size else None
        for number, sample in enumerate(samples):
            chosen, ranks = _ranks(part.position, ascending[number], orders[number])
            if not chosen.size or all_rows is None:
                continue
            rows = all_rows[chosen][:, features]
            early = ranks < len(sample.first)
            sample.first[ranks[early]] = rows[early]
            waiting[number].add(rows, *sample.deal.where(ranks))
    for one in waiting:
        one.flush()
    return samples


def _empty(size: int, features: int, deal: Deal, spool: Scratch | None) -> Sample:
    first = np.empty((min(size, FIRST), features), np.float32)
    blocks = {}
    if spool is None:
        blocks = {number: empty_block(deal, features) for number in range(len(deal.sizes))}
    return Sample((size, features), deal, first, blocks, spool, f"sample-{uuid4().hex}")


def _ranks(
    position: NDArray[np.int64], ascending: NDArray[np.int64], by_position: NDArray[np.int64]
) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Which of the positions are wanted, and their ranks in the training's order."""
    chosen, place = among(position, ascending)
    return chosen, by_position[place]


def among(
    position: NDArray[np.int64], ascending: NDArray[np.int64]
) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Which of the positions are among some ascending ones, and where there."""
    if not ascending.size:
        return np.empty(0, np.int64), np.empty(0, np.int64)
    place = np.minimum(np.searchsorted(ascending, position), ascending.size - 1)
    chosen = np.flatnonzero(ascending[place] == position)
    return chosen, place[chosen]


class _Waiting:
    """Rows on their way into the blocks of a sample."""

    def __init__(self, sample: Sample, buffer: int) -> None:
        self._sample = sample
        self._buffer = buffer
        self._held: dict[int, list[Floats]] = {}
        self._bytes = 0

    def add(self, rows: Floats, block: NDArray[np.int64], place: NDArray[np.int64]) -> None:
        order = np.argsort(block, kind="stable")
        numbers, starts = np.unique(block[order], return_index=True)
        for number, own in zip(numbers.tolist(), np.split(order, starts[1:]), strict=True):
            if self._sample._scratch is None:
                self._sample._blocks[number][place[own]] = rows[own]
                continue
            known = self._sample._places.get(number, np.empty(0, np.int32))
            self._sample._places[number] = np.concatenate([known, place[own].astype(np.int32)])
            self._held.setdefault(number, []).append(rows[own])
            self._bytes += rows[own].nbytes
        if self._bytes > self._buffer:
            self.flush()

    def flush(self) -> None:
        for number, pieces in self._held.items():
            names = self._sample._pieces.setdefault(number, [])
            names.append(f"{self._sample._folder}/{number:05d}-{len(names):05d}.npy")
            assert self._sample._scratch is not None
            self._sample._scratch.put(names[-1], np.concatenate(pieces))
        self._held, self._bytes = {}, 0
