"""The records of a store cut into regions, and everything that is written about one of them."""

from __future__ import annotations

from collections.abc import Hashable, Iterator, Mapping, Sequence
from concurrent.futures import Executor
from dataclasses import dataclass, replace
from typing import Any, NamedTuple

import numpy as np
import xarray as xr
from numpy.typing import NDArray

from xpad.compute.records import ROWS
from xpad.fitting.splitter import Splitter, splitter
from xpad.model.model import Model
from xpad.model.pipeline import Pipeline
from xpad.pads.blocks import Block, PadRecords
from xpad.pads.dims import record_dims, time_dim
from xpad.pads.flux import Flux
from xpad.results.variables import Packing, usable_only
from xpad.statistics.keys import Runs
from xpad.statistics.sums import Tally

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

    def chunks(self, sizes: Mapping[Hashable, int]) -> dict[Hashable, int]:
        """Lengths of the chunks of a variable of these sizes in the store."""
        return {d: self.chunk if d == self.dim else max(n, 1) for d, n in sizes.items()}

    def nothing(self, sizes: Mapping[Hashable, int], dtype: Any) -> Any:
        """An array of these sizes, in the chunks of the store, that is never computed."""
        import dask.array as da

        return da.zeros(
            tuple(sizes.values()), chunks=tuple(self.chunks(sizes).values()), dtype=dtype
        )

    def where(self, dims: Sequence[Hashable], at: slice) -> tuple[slice, ...]:
        """A range along `dim`, as an index of a variable of these dimensions."""
        return tuple(at if d == self.dim else slice(None) for d in dims)


def in_chunks(flux: Flux) -> Flux:
    """The flux and its data, chunked along their longest dimension where they are in memory."""
    ds = flux.ds
    if any(v.chunks is not None for v in ds.variables.values()):
        return flux
    longest = max(ds.sizes, key=lambda d: ds.sizes[d])
    cut = {longest: min(ds.sizes[longest], ROWS)}
    own = cut if longest in flux.record_dims else {}
    return replace(flux, array=flux.array.chunk(own), ds=ds.chunk(cut))


class Labelled(NamedTuple):
    """What is written about a region.

    Attributes
    ----------
    columns : (record…, column) DataArray
        All results of its records, side by side as the packing has them.
    sums : Tally
        Over its records.
    """

    columns: xr.DataArray
    sums: Tally


@dataclass(frozen=True)
class Labelling:
    """What labels the records of a flux, region by region.

    Attributes
    ----------
    records : PadRecords
    layout : Layout
    pipeline : Pipeline
    packing : Packing
        Of the results.
    split : Splitter or None
        Where the model was fitted on these records.
    """

    records: PadRecords
    layout: Layout
    pipeline: Pipeline
    packing: Packing
    split: Splitter | None

    @classmethod
    def of(cls, flux: Flux, layout: Layout, model: Model, *, fitted: bool) -> Labelling:
        """With a model, which was fitted on the flux or on another."""
        split = splitter(flux, model.settings, model.provenance["split"]) if fitted else None
        packing = Packing.of(model, fitted=fitted)
        return cls(flux.records(), layout, model.pipeline, packing, split)

    def region(self, at: slice, pool: Executor | None = None) -> Labelled:
        """Label the records of a region; this computes, once."""
        part = self.records.part(self.layout.dim, at)
        axis = [str(d) for d in self.records.dims].index(self.layout.time_dim)
        found = part.run(
            label_block, name="xpad-label", pool=pool, pipeline=self.pipeline,
            packing=self.packing, split=self.split,
            runs=Runs(self.records.records.whole, axis, self.layout.run),
        )  # fmt: skip
        columns = np.empty((int(np.prod(part.shape)), self.packing.size), dtype=np.float32)
        total = self.no_sums()
        for where, (own, sums) in zip(part.places(), found, strict=True):
            columns[where] = own
            total = total + sums
        shaped = columns.reshape(*part.shape, columns.shape[1])
        return Labelled(xr.DataArray(shaped, dims=(*self.records.dims, "column")), total)

    def no_sums(self) -> Tally:
        """The sums over no records."""
        return Tally.none(self.pipeline.preparation.grid.shape)


def label_block(
    block: Block,
    *,
    pipeline: Pipeline,
    packing: Packing,
    split: Splitter | None,
    runs: Runs,
) -> tuple[Floats, Tally]:
    """Everything that is written about a block of records, in one go through its flux."""
    position, preparation = block.position, pipeline.preparation
    columns = np.empty((position.size, packing.size), dtype=np.float32)
    tally, run = Tally.none(preparation.grid.shape), runs(position)
    for at, piece in block.pieces():
        pads = preparation.pads(piece)
        results = pipeline.results(pads)
        if split is not None:
            results["split"] = split.split(position[at])
        results = usable_only(results)
        columns[at] = packing.pack(results)
        tally += Tally.of(pads.flux, pads.seen, results["label"].astype(np.int64), run[at])
    return columns, tally
