"""The records of a store cut into regions, and everything that is written about one of them."""

from __future__ import annotations

from collections.abc import Iterator
from concurrent.futures import Executor
from dataclasses import dataclass

import numpy as np
import xarray as xr
from numpy.typing import NDArray

from xpad.fitting.splitter import Splitter
from xpad.model.pipeline import UNUSABLE, Pipeline
from xpad.pads.blocks import Block, PadRecords
from xpad.pads.dims import record_dims, time_dim
from xpad.pads.quality import OK
from xpad.results.variables import Packing
from xpad.statistics.sums import Sums, Tally

CHUNK = 2**18
REGION = 2**18
"""Records in a chunk of the results, and in a region, about."""
BINS = 1500
"""Runs of records in the small spectrogram."""

Floats = NDArray[np.float32]


@dataclass(frozen=True)
class Layout:
    """How the records of a store are cut.

    Attributes
    ----------
    dim : str
        The longest record dimension, along which regions follow each other.
    size : int
    chunk, region : int
        Records in a chunk of the store and in a region, of whole chunks.
    run : int
        Records of `time_dim` that one column of the spectrogram averages.
    """

    dim: str
    size: int
    chunk: int
    region: int
    time_dim: str
    run: int

    @classmethod
    def of(cls, flux: xr.DataArray) -> Layout:
        """Chunks of the store begin where those of the data do, where these are of one length."""
        dims = [str(d) for d in record_dims(flux)]
        dim = max(dims, key=lambda d: flux.sizes[d])
        lengths = flux.chunksizes[dim] if flux.chunks is not None else (CHUNK,)
        own = lengths[0] if len(set(lengths[:-1])) <= 1 and lengths[-1] <= lengths[0] else CHUNK
        per_record = int(np.prod([flux.sizes[d] for d in dims if d != dim], dtype=np.int64))
        chunk = own * max(1, round(CHUNK / own / per_record))
        chunk = min(chunk, max(flux.sizes[dim], 1))
        region = chunk * max(1, round(REGION / chunk / per_record))
        along = time_dim(flux)
        run = max(1, -(-flux.sizes[along] // BINS))
        return cls(dim, flux.sizes[dim], chunk, region, along, run)

    def regions(self) -> Iterator[slice]:
        """Ranges along `dim`."""
        for start in range(0, self.size, self.region):
            yield slice(start, min(start + self.region, self.size))


def labelled_region(
    records: PadRecords,
    layout: Layout,
    at: slice,
    pipeline: Pipeline,
    packing: Packing,
    split: Splitter | None,
    pool: Executor | None = None,
) -> tuple[xr.DataArray, Tally]:
    """All results of a region's records, side by side on ``column``, and their sums."""
    part, k = records.part(layout.dim, at), len(pipeline.labeller.centres)
    axis = [str(d) for d in records.dims].index(layout.time_dim)
    found = part.run(
        label_block, name="xpad-label", pool=pool, pipeline=pipeline, packing=packing, split=split,
        sizes=records.records.whole, axis=axis, run=layout.run,
    )  # fmt: skip
    columns = np.empty((int(np.prod(part.shape)), packing.size), dtype=np.float32)
    tally = Tally.none(k, *pipeline.preparation.grid.shape)
    for where, (own, sums) in zip(part.places(), found, strict=True):
        columns[where] = own
        tally = tally + sums
    shaped = columns.reshape(*part.shape, columns.shape[1])
    return xr.DataArray(shaped, dims=(*records.dims, "column")), tally


def label_block(
    block: Block,
    *,
    pipeline: Pipeline,
    packing: Packing,
    split: Splitter | None,
    sizes: tuple[int, ...],
    axis: int,
    run: int,
) -> tuple[Floats, Tally]:
    """Everything that is written about a block of records, in one go through its flux."""
    position, preparation = block.position, pipeline.preparation
    columns = np.empty((position.size, packing.size), dtype=np.float32)
    k, runs = len(pipeline.labeller.centres), _runs(position, sizes, axis, run)
    sums = Sums(k, preparation.grid.shape, runs)
    for at, piece in block.pieces():
        pads = preparation.pads(piece)
        results = pipeline.results(pads)
        if split is not None:
            of_piece = split.split(position[at])
            results["split"] = np.where(results["flag"] == OK, of_piece, UNUSABLE)
        columns[at] = packing.pack(results)
        sums.add(at, pads.flux, results["label"], pads.seen)
    return columns, sums.tally()


def _runs(
    position: NDArray[np.int64], whole: tuple[int, ...], axis: int, run: int
) -> NDArray[np.int64]:
    """The run of every record: counted along one dimension, and apart for each of the others."""
    index = np.unravel_index(position, whole)
    bins = -(-whole[axis] // run)
    number = np.zeros(position.size, dtype=np.int64)
    for other, (i, size) in enumerate(zip(index, whole, strict=True)):
        if other != axis:
            number = number * size + i
    return np.asarray(number * bins + index[axis] // run)
