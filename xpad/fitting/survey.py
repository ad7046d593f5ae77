"""The first pass over the data: what every record measured, and the rows to train on."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import xarray as xr
from numpy.typing import NDArray

from xpad.compute.memory import in_one_piece
from xpad.compute.progress import Progress
from xpad.fitting.splitter import Splitter
from xpad.fitting.training_rows import Drawn
from xpad.pads.clean import Limits, limits_of
from xpad.pads.grid import Grid
from xpad.pads.prepare import Piece, counts_as_it_is, pieces, prepare
from xpad.pads.quality import (
    OK,
    TOO_SPARSE,
    Counts,
    Floats,
    clean_records,
    measured,
    note_measured,
    record_flags,
)
from xpad.pads.records import flat_records, flux_records, require_records
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
    """

    codes: NDArray[np.int8]
    n_measured: NDArray[np.unsignedinteger] | None
    ever_measured: NDArray[np.bool_]
    drawn: list[Drawn]

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


def _survey(
    flux: Any,
    energy_table: Any,
    pitch_angle_table: Any,
    position: NDArray[np.int64],
    *,
    limits: Limits,
    grid: Grid,
    settings: Settings,
    splitter: Splitter | None,
    scratch: Scratch | None,
) -> _Seen:
    ever = np.zeros(grid.shape, dtype=bool)
    if position.size == 0:
        return _Seen(np.empty(0, np.int8), None, ever, None)
    chosen = splitter.drawn(position) if splitter is not None else np.zeros(position.size, bool)
    if energy_table is None and pitch_angle_table is None and counts_as_it_is(settings):
        looks = [_look_once(flux, limits, chosen, grid, settings, ever)]
    else:
        parts = pieces(flux, energy_table, pitch_angle_table, limits)
        looks = [_look(at, piece, chosen, grid, settings, ever) for at, piece in parts]
    bins, positive, bad_axis, drawn, rows = (np.concatenate(p) for p in zip(*looks, strict=True))
    codes = record_flags(
        bins, positive, bad_axis, n_features=0, min_positive=settings.min_positive
    )  # fmt: skip
    counted = bins.astype(_counts(0, grid).dtype) if settings.min_coverage > 0 else None
    kept = Drawn.of(rows, position[drawn], scratch) if splitter is not None else None
    return _Seen(codes, counted, ever, kept)


_Looked = tuple[Counts, Counts, NDArray[np.bool_], NDArray[np.bool_], Floats]
"""Measured bins, positive bins, bad axis, drawn: each (records,); and the drawn rows, normalised."""


def _look_once(
    flux: Any,
    limits: Limits,
    chosen: NDArray[np.bool_],
    grid: Grid,
    settings: Settings,
    ever: NDArray[np.bool_],
) -> _Looked:
    """Count the values of static axes where they lie; as a rule, only drawn records are copied."""
    values = in_one_piece(flat_records(flux, None, None)[0])
    seen = measured(values, limits)
    note_measured(values, ever, limits)
    drawn = chosen & (seen.positive > 0)
    clean, of_drawn = clean_records(values, limits, np.flatnonzero(drawn))
    pads = prepare(clean, None, None, grid, settings, seen=of_drawn)
    return seen.bins, seen.positive, np.zeros(len(values), bool), drawn, pads.normalised()


def _look(
    at: Any,
    piece: Piece,
    chosen: NDArray[np.bool_],
    grid: Grid,
    settings: Settings,
    ever: NDArray[np.bool_],
) -> _Looked:
    """The same of a clean piece and its tables, put on the grid first."""
    flux, energies, pitch_angles, seen = piece
    pads = prepare(flux, energies, pitch_angles, grid, settings, seen=seen)
    note_measured(pads.flux, ever)
    drawn = chosen[at] & (pads.n_positive > 0)
    return pads.n_measured, pads.n_positive, pads.bad_axis, drawn, pads.normalised(drawn)


def survey(
    flux: xr.DataArray,
    grid: Grid,
    settings: Settings,
    splitter: Splitter | None,
    progress: Progress,
    scratch: Scratch | None = None,
) -> Survey:
    """The first pass: what every record measured, and the rows drawn for training.

    With `scratch`, the drawn rows are written there by whoever reads them, instead of returned.
    """
    require_records(flux)
    records = flux_records(flux)
    with progress.blocks("reading", len(records), "xpad-survey"):
        parts: list[_Seen] = records.run(
            _survey, name="xpad-survey", limits=limits_of(flux.attrs), grid=grid,
            settings=settings, splitter=splitter, scratch=scratch,
        )  # fmt: skip
    total = int(np.prod(records.shape, dtype=np.int64))
    codes = np.empty(total, dtype=np.int8)
    counted = _counts(total, grid) if settings.min_coverage > 0 else None
    for at, part in zip(records.places(), parts, strict=True):
        codes[at] = part.codes
        if counted is not None and part.n_measured is not None:
            counted[at] = part.n_measured
    ever = np.any([p.ever_measured for p in parts], axis=0)
    return Survey(codes, counted, ever, [p.drawn for p in parts if p.drawn is not None])


def _counts(records: int, grid: Grid) -> NDArray[np.unsignedinteger]:
    return np.zeros(records, dtype=np.min_scalar_type(int(np.prod(grid.shape))))
