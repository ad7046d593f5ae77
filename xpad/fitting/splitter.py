"""Which split every record of a flux belongs to, and which records a training draws."""

from __future__ import annotations

from collections.abc import Hashable, Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import xarray as xr
from dask.base import tokenize
from numpy.typing import NDArray

from xpad.compute.records import positions
from xpad.errors import OptionError
from xpad.pads.dims import ENERGY, PITCH_ANGLE, record_dims
from xpad.pads.flux import Flux
from xpad.settings import Settings
from xpad.settings.constraints import nanoseconds
from xpad.stages.split import (
    SPAN,
    TEST,
    TRAIN,
    block_split,
    by_shares,
    hashed,
    spans,
    stratified_uniform,
)

_SLACK = 20
"""Standard deviations of a share that are drawn beyond it, since usable records are known later."""
_MORE = 1.25
"""So many times `max_train` is drawn, since not every record is usable."""
_BINS = 2**16


@dataclass(frozen=True)
class Splitter:
    """Tells which split a position belongs to.

    Before the data are read, shares count all records; `exact` moves the two
    thresholds so that they count usable ones. Whatever concerns all records is
    done a span of positions at a time: only one byte a record is ever held.
    """

    total: int
    settings: Settings
    thresholds: tuple[float, float]
    by_block: NDArray[np.int8] | None = None
    wanted: NDArray[np.bool_] | None = None

    def split(self, position: NDArray[np.int64]) -> NDArray[np.int8]:
        """Train, validation or test."""
        if self.by_block is not None:
            return np.asarray(self.by_block[position])
        return by_shares(self._uniform(position), *self.thresholds)

    def expected(self) -> int:
        """About how many records `drawn` draws."""
        s = self.settings
        if self.wanted is not None:
            return int(self.wanted.sum())
        share = 1.0
        if s.max_train is not None:
            share = min(1.0, _MORE * s.max_train / max(s.train * self.total, 1.0))
        return round((s.train + s.validation) * share * self.total)

    def drawn(self, position: NDArray[np.int64]) -> NDArray[np.bool_]:
        """Records that may turn out to be trained on: as a rule all that will, and a few more."""
        if self.wanted is not None:
            return np.asarray(self.wanted[position])
        s = self.settings
        if self.by_block is not None:
            chosen = self.split(position) != TEST
        else:
            slack = _SLACK * (0.25 / self.total) ** 0.5
            chosen = self._uniform(position) < s.train + s.validation + slack
        expected = s.train * self.total
        if s.max_train is None or s.max_train >= expected:
            return np.asarray(chosen)
        most = _MORE * (s.max_train + 10 + _SLACK * s.max_train**0.5) / expected
        return np.asarray(chosen & (self._order(position) < most * 2.0**64))

    def codes(self, usable: NDArray[np.bool_]) -> NDArray[np.int8]:
        """The split of every record by position; -1 where it is not usable."""
        codes = np.empty(self.total, dtype=np.int8)
        for at in spans(self.total):
            split = self.split(np.arange(at.start, at.stop))
            codes[at] = np.where(usable[at], split, np.int8(-1))
        return codes

    def training(self, codes: NDArray[np.int8], split: int) -> NDArray[np.int64]:
        """Usable positions of a split that a training uses, in its order: that of a hash.

        The order is random in time, whatever the blocks of the data are; `max_train` keeps its
        beginning (of the validation split in proportion).
        """
        s = self.settings
        most = s.max_train
        if most is not None and split != TRAIN:
            most = max(1, round(most * s.validation / s.train))
        mine = np.empty(0, dtype=np.int64)
        for at in spans(self.total):
            more = np.flatnonzero(codes[at] == split) + at.start
            mine = np.concatenate([mine, more])
            if most is not None and len(mine) > 2 * most + SPAN:
                mine = self._first(mine, most)
        return self._first(mine, most)

    def _first(self, positions: NDArray[np.int64], most: int | None) -> NDArray[np.int64]:
        """The first so many of these ascending positions in the training's order."""
        # Stable: of two equal hashes, the lower position comes first.
        order = np.argsort(self._order(positions), kind="stable")
        return np.asarray(positions[order[:most]])

    def wanting(self, *positions: NDArray[np.int64]) -> Splitter:
        """The splitter that draws exactly these positions."""
        wanted = np.zeros(self.total, dtype=bool)
        for some in positions:
            wanted[some] = True
        return replace(self, wanted=wanted)

    def exact(self, usable: NDArray[np.bool_]) -> Splitter:
        """The splitter whose shares are exact to a record among the usable positions."""
        n = int(np.count_nonzero(usable))
        if self.by_block is not None or n == 0:
            return self
        s = self.settings
        n_train = round(s.train * n)
        both = n_train + round(s.validation * n)
        ranks = {r for r in (n_train - 1, n_train, both - 1, both) if 0 <= r < n}
        found = self._ranked(usable, sorted(ranks))
        low, high = ((found.get(m - 1, 0.0) + found.get(m, 1.0)) / 2 for m in (n_train, both))
        return replace(self, thresholds=(low, high))

    def _ranked(self, usable: NDArray[np.bool_], ranks: Sequence[int]) -> dict[int, float]:
        """The numbers at these ranks among those of the usable positions, all sorted."""
        counts = np.zeros(_BINS, dtype=np.int64)
        for u in self._usable_numbers(usable):
            counts += np.bincount((u * _BINS).astype(np.int64), minlength=_BINS)
        before = np.cumsum(counts) - counts
        bins = np.searchsorted(before, ranks, side="right") - 1
        held: dict[int, list[NDArray[np.float64]]] = {int(b): [] for b in bins}
        for u in self._usable_numbers(usable):
            own = (u * _BINS).astype(np.int64)
            for b in held:
                held[b].append(u[own == b])
        ordered = {b: np.sort(np.concatenate(parts)) for b, parts in held.items()}
        return {r: float(ordered[int(b)][r - before[b]]) for r, b in zip(ranks, bins, strict=True)}

    def _usable_numbers(self, usable: NDArray[np.bool_]) -> Iterator[NDArray[np.float64]]:
        for at in spans(self.total):
            yield self._uniform(np.flatnonzero(usable[at]) + at.start)

    def as_dict(self) -> dict[str, Any]:
        """What a model keeps of it."""
        return {"total": self.total, "thresholds": list(self.thresholds)}

    def _order(self, position: NDArray[np.int64]) -> NDArray[np.uint64]:
        return hashed(position, self.settings.seed("encoder"))

    def _uniform(self, position: NDArray[np.int64]) -> NDArray[np.float64]:
        return stratified_uniform(position, self.total, self.settings.seed("split"))


def splitter(flux: Flux, settings: Settings, known: dict[str, Any] | None = None) -> Splitter:
    """The split of a flux's records; with the thresholds `known` from a fit, that fit's."""
    total = int(np.prod([flux.array.sizes[d] for d in flux.record_dims], dtype=np.int64))
    shares = (settings.train, settings.train + settings.validation)
    if settings.split == "random":
        low, high = (known or {}).get("thresholds", shares)
        return Splitter(total, settings, (low, high))
    numbers = _block_numbers(flux.array, flux.ds, settings.block)
    by_block = block_split(numbers, settings.train, settings.validation, settings.seed("split"))
    return Splitter(total, settings, shares, by_block)


def split_of_records(flux: xr.DataArray, split: Splitter) -> xr.DataArray:
    """The split of every record of a flux in canonical form; lazy where it is."""
    dims = sorted(record_dims(flux), key=str)
    shape = tuple(flux.sizes[d] for d in dims)
    lazy = flux.chunks is not None
    if split.by_block is not None:
        found = xr.DataArray(split.by_block.reshape(shape), dims=dims)
        return found.chunk({d: flux.chunksizes[d] for d in dims}) if lazy else found
    if not lazy:
        total = np.arange(split.total, dtype=np.int64)
        return xr.DataArray(split.split(total).reshape(shape), dims=dims)
    import dask.array as da

    chunks = tuple(flux.chunksizes[d] for d in dims)
    data = da.map_blocks(
        _split_of_block, split=split, shape=shape, chunks=chunks, dtype=np.int8,
        meta=np.empty((0,) * len(dims), np.int8), name=f"xpad-split-{tokenize(split, chunks)}",
    )  # fmt: skip
    return xr.DataArray(data, dims=dims)


def _split_of_block(
    split: Splitter, shape: tuple[int, ...], block_info: Any = None
) -> NDArray[np.int8]:
    at = block_info[None]["array-location"]
    position = positions([low for low, _ in at], [high - low for low, high in at], shape)
    return split.split(position).reshape([high - low for low, high in at])


def _block_numbers(flux: xr.DataArray, ds: xr.Dataset, block: str) -> NDArray[np.int64]:
    """The block of every record by position: of a variable, or by length of time."""
    dims = sorted(record_dims(flux), key=str)
    template = flux.isel({ENERGY: 0, PITCH_ANGLE: 0}, drop=True)
    if block in ds.variables:
        given = ds[block]
        if not set(given.dims) <= set(dims):
            raise OptionError(
                f"block={block!r} has dimensions {given.dims}; the records have {tuple(dims)}"
            )
        _, numbers = np.unique(given.values, return_inverse=True)
        numbered = given.copy(data=numbers.reshape(given.shape))
    else:
        times = [c for d in dims if (c := flux.coords.get(d)) is not None and c.dtype.kind == "M"]
        times += [c for c in flux.coords.values() if c.dtype.kind == "M" and c.ndim == 1]
        if not times:
            raise OptionError(
                f"split='blocks' with block={block!r} needs a time coordinate on the records, or block= "
                "the name of a variable that numbers the blocks (such as an orbit number)"
            )
        length = nanoseconds(block)
        if length is None:
            raise OptionError(
                f"block={block!r} is neither a length of time ('1D', '9h') nor a variable of the Dataset"
            )
        stamps = times[0].values.astype("datetime64[ns]").astype(np.int64)
        numbered = times[0].copy(data=stamps // length)
    numbered = numbered.reset_coords(drop=True)
    everywhere = numbered.broadcast_like(_sizes_only(template, dims)).transpose(*dims)
    return np.asarray(everywhere.values, dtype=np.int64).ravel()


def _sizes_only(template: xr.DataArray, dims: Sequence[Hashable]) -> xr.DataArray:
    shape = tuple(template.sizes[d] for d in dims)
    return xr.DataArray(np.broadcast_to(np.int8(0), shape), dims=dims)
