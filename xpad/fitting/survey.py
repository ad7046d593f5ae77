"""The first pass over the data: what every record measured, and the rows to train on."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from xpad.compute.memory import in_one_piece
from xpad.compute.progress import Progress
from xpad.fitting.splitter import Splitter
from xpad.fitting.training_rows import Drawn
from xpad.pads.blocks import Block, Piece
from xpad.pads.dims import require_records
from xpad.pads.flux import Flux
from xpad.pads.prepare import Preparation
from xpad.pads.quality import OK, TOO_SPARSE, record_flags
from xpad.pads.regrid import beyond_grid
from xpad.pads.removed import Removed, is_ranged, removed_beyond, removed_from
from xpad.pads.valid import Counts, Floats, Measured, clean_records, measured, note_measured
from xpad.settings import Settings
from xpad.storage.scratch import Scratch


@dataclass(frozen=True)
class Survey:
    """What the first pass brings of all records, a byte or three each, and the rows it drew.

    Attributes
    ----------
    codes : (records,) int8
        Flags by position, as if no coverage were asked for.
    n_measured : (records,) unsigned or None
        Measured bins, where a coverage is asked for.
    ever_measured : (energies, pitch angles) bool
        Bins that at least one record measured.
    drawn : list of Drawn
        Rows to train on, in the order of the blocks.
    removed : Removed
        What cleaning took away.
    usable_bins : int
        Measured bins of all usable records together.
    """

    codes: NDArray[np.int8]
    n_measured: NDArray[np.unsignedinteger] | None
    ever_measured: NDArray[np.bool_]
    drawn: list[Drawn]
    removed: Removed
    usable_bins: int

    @property
    def missing_share(self) -> float:
        """Share of the bins that are ever measured which usable records lack."""
        bins = int((self.codes == OK).sum()) * int(self.ever_measured.sum())
        return 1 - self.usable_bins / bins if bins else 0.0

    def flags(self, settings: Settings) -> NDArray[np.int8]:
        """Why each record is usable or not, by position."""
        if self.n_measured is None:
            return self.codes
        few = self.n_measured < settings.min_coverage * int(self.ever_measured.sum())
        return np.where(few & (self.codes == OK), np.int8(TOO_SPARSE), self.codes)

    def holds(self, wanted: NDArray[np.int64]) -> bool:
        """Whether every one of these positions was drawn."""
        held = np.zeros(self.codes.size, dtype=bool)
        for part in self.drawn:
            held[part.position] = True
        return bool(held[wanted].all())


@dataclass(frozen=True)
class _Seen:
    """What one block brings."""

    codes: NDArray[np.int8]
    n_measured: NDArray[np.unsignedinteger] | None
    ever_measured: NDArray[np.bool_]
    drawn: Drawn | None
    removed: Removed = field(default_factory=Removed)
    usable_bins: int = 0


def _survey(
    block: Block,
    *,
    preparation: Preparation,
    splitter: Splitter | None,
    scratch: Scratch | None,
) -> _Seen:
    position, settings = block.position, preparation.settings
    ever = np.zeros(preparation.grid.shape, dtype=bool)
    if position.size == 0:
        return _Seen(np.empty(0, np.int8), None, ever, None)
    chosen = splitter.drawn(position) if splitter is not None else np.zeros(position.size, bool)
    beyond: list[Removed] = []
    static = block.energy_table is None and block.pitch_angle_table is None
    if static and preparation.counts_as_it_is:
        looks = [_look_once(block, chosen, preparation, ever)]
    else:
        looks = [_look(at, p, chosen, preparation, ever, beyond) for at, p in block.pieces()]
    bins, positive, bad_axis, drawn, rows, raw, sums = (
        np.concatenate(p) for p in zip(*looks, strict=True)
    )
    codes = record_flags(
        bins, positive, bad_axis, n_features=0, min_positive=settings.min_positive
    )  # fmt: skip
    counted = None
    if settings.min_coverage > 0:
        counted = bins.astype(_counts(0, preparation).dtype)
    kept = Drawn.of(rows, position[drawn], scratch) if splitter is not None else None
    before = Measured(raw, positive, np.empty(0, np.float32), sums)
    removed = sum(beyond, removed_from(block.flat()[0], block.limits, before))
    return _Seen(codes, counted, ever, kept, removed, int(bins[codes == OK].sum()))


_Looked = tuple[
    Counts, Counts, NDArray[np.bool_], NDArray[np.bool_], Floats, Counts, NDArray[np.float64]
]
"""Measured bins, positive bins, bad axis, drawn: each (records,); the drawn rows, normalised; and of
what was there before anything was put on a grid, bins and positive flux, where that is asked for."""


def _look_once(
    block: Block,
    chosen: NDArray[np.bool_],
    preparation: Preparation,
    ever: NDArray[np.bool_],
) -> _Looked:
    """Count the values of static axes where they lie; as a rule, only drawn records are copied."""
    values = in_one_piece(block.flat()[0])
    seen = measured(values, block.limits, summed=is_ranged(block.limits))
    note_measured(values, ever, block.limits)
    drawn = chosen & (seen.positive > 0)
    clean, of_drawn = clean_records(values, block.limits, np.flatnonzero(drawn))
    pads = preparation.pads(Piece(clean, None, None, of_drawn))
    never = np.zeros(len(values), bool)
    return seen.bins, seen.positive, never, drawn, pads.normalised(), seen.bins, seen.flux


def _look(
    at: Any,
    piece: Piece,
    chosen: NDArray[np.bool_],
    preparation: Preparation,
    ever: NDArray[np.bool_],
    beyond: list[Removed],
) -> _Looked:
    """The same of a clean piece and its tables, put on the grid first; what has no place there."""
    pads = preparation.pads(piece)
    tables = piece.energy_table, piece.pitch_angle_table
    where = beyond_grid(preparation.grid, *tables, preparation.settings.energies)
    if where is not None:
        beyond.append(removed_beyond(piece.flux, where))
    note_measured(pads.flux, ever)
    drawn = chosen[at] & (pads.n_positive > 0)
    rows, sums = pads.normalised(drawn), measured(piece.flux, summed=True).flux
    return pads.n_measured, pads.n_positive, pads.bad_axis, drawn, rows, piece.seen.bins, sums


def survey(
    flux: Flux,
    preparation: Preparation,
    splitter: Splitter | None,
    progress: Progress,
    scratch: Scratch | None = None,
) -> Survey:
    """The first pass: what every record measured, and the rows drawn for training.

    With `scratch`, the drawn rows are written there by whoever reads them, instead of returned.
    """
    require_records(flux.array)
    records = flux.records()
    with progress.blocks("reading", len(records), "xpad-survey"):
        parts: list[_Seen] = records.run(
            _survey, name="xpad-survey", preparation=preparation, splitter=splitter, scratch=scratch
        )
    total = int(np.prod(records.shape, dtype=np.int64))
    codes = np.empty(total, dtype=np.int8)
    counted = _counts(total, preparation) if preparation.settings.min_coverage > 0 else None
    for at, part in zip(records.places(), parts, strict=True):
        codes[at] = part.codes
        if counted is not None and part.n_measured is not None:
            counted[at] = part.n_measured
    ever = np.any([p.ever_measured for p in parts], axis=0)
    return Survey(
        codes=codes,
        n_measured=counted,
        ever_measured=ever,
        drawn=[p.drawn for p in parts if p.drawn is not None],
        removed=sum((p.removed for p in parts), Removed()),
        usable_bins=sum(p.usable_bins for p in parts),
    )


def _counts(records: int, preparation: Preparation) -> NDArray[np.unsignedinteger]:
    bins = preparation.grid.shape[0] * preparation.grid.shape[1]
    return np.zeros(records, dtype=np.min_scalar_type(bins))
