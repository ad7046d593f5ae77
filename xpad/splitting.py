"""Which split every record of a flux belongs to, and which records a training draws."""

from __future__ import annotations

from collections.abc import Hashable, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import xarray as xr
from numpy.typing import NDArray

from xpad.errors import OptionError
from xpad.flux import ENERGY, PITCH_ANGLE, record_dims
from xpad.presets import Settings
from xpad.sampling import TEST, TRAIN, block_split, by_shares, hashed, stratified_uniform

_SLACK = 20
"""Standard deviations of a share that are drawn beyond it, since usable records are known later."""


@dataclass(frozen=True)
class Splitter:
    """Tells which split a position belongs to.

    Before the data are read, shares count all records; `exact` moves the two
    thresholds so that they count usable ones.
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
        most = (s.max_train + 10 + _SLACK * s.max_train**0.5) / expected
        return np.asarray(chosen & (self._order(position) < most * 2.0**64))

    def training(self, usable: NDArray[np.int64], split: int) -> NDArray[np.int64]:
        """Usable positions of a split that a training uses, in its order: that of a hash.

        The order is random in time, whatever the blocks of the data are; `max_train` keeps its
        beginning (of the validation split in proportion).
        """
        s = self.settings
        mine = usable[self.split(usable) == split]
        mine = mine[np.lexsort((mine, self._order(mine)))]
        if s.max_train is None:
            return np.asarray(mine)
        most = s.max_train
        if split != TRAIN:
            most = max(1, round(most * s.validation / s.train))
        return np.asarray(mine[:most])

    def wanting(self, *positions: NDArray[np.int64]) -> Splitter:
        """The splitter that draws exactly these positions."""
        wanted = np.zeros(self.total, dtype=bool)
        for some in positions:
            wanted[some] = True
        return replace(self, wanted=wanted)

    def exact(self, usable: NDArray[np.int64]) -> Splitter:
        """The splitter whose shares are exact to a record among the usable positions."""
        if self.by_block is not None or usable.size == 0:
            return self
        s = self.settings
        u = np.sort(self._uniform(usable))
        n_train = round(s.train * u.size)
        n_validation = round(s.validation * u.size)
        at = (_between(u, n_train), _between(u, n_train + n_validation))
        return replace(self, thresholds=at)

    def as_dict(self) -> dict[str, Any]:
        """What a model keeps of it."""
        return {"total": self.total, "thresholds": list(self.thresholds)}

    def _order(self, position: NDArray[np.int64]) -> NDArray[np.uint64]:
        return hashed(position, self.settings.seed("encoder"))

    def _uniform(self, position: NDArray[np.int64]) -> NDArray[np.float64]:
        return stratified_uniform(position, self.total, self.settings.seed("split"))


def _between(u: NDArray[np.float64], n: int) -> float:
    """A threshold that `n` of the sorted numbers lie below."""
    low = u[n - 1] if n > 0 else 0.0
    high = u[n] if n < u.size else 1.0
    return float((low + high) / 2)


def splitter(
    flux: xr.DataArray, ds: xr.Dataset, settings: Settings, known: dict[str, Any] | None = None
) -> Splitter:
    """The split of a canonical flux's records; with the thresholds `known` from a fit, that fit's."""
    total = int(np.prod([flux.sizes[d] for d in record_dims(flux)], dtype=np.int64))
    shares = (settings.train, settings.train + settings.validation)
    if settings.split == "random":
        low, high = (known or {}).get("thresholds", shares)
        return Splitter(total, settings, (low, high))
    numbers = _block_numbers(flux, ds, settings.block)
    by_block = block_split(numbers, settings.train, settings.validation, settings.seed("split"))
    return Splitter(total, settings, shares, by_block)


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
        import pandas as pd

        times = [c for d in dims if (c := flux.coords.get(d)) is not None and c.dtype.kind == "M"]
        times += [c for c in flux.coords.values() if c.dtype.kind == "M" and c.ndim == 1]
        if not times:
            raise OptionError(
                f"split='blocks' with block={block!r} needs a time coordinate on the records, or block= "
                "the name of a variable that numbers the blocks (such as an orbit number)"
            )
        try:
            length = pd.Timedelta(block).to_timedelta64().astype("timedelta64[ns]").astype(np.int64)
        except ValueError as err:
            raise OptionError(
                f"block={block!r} is neither a length of time ('1D', '9h') nor a variable of the Dataset"
            ) from err
        if length <= 0:
            raise OptionError(f"block={block!r} must be a positive length of time")
        stamps = times[0].values.astype("datetime64[ns]").astype(np.int64)
        numbered = times[0].copy(data=stamps // length)
    numbered = numbered.reset_coords(drop=True)
    everywhere = numbered.broadcast_like(_sizes_only(template, dims)).transpose(*dims)
    return np.asarray(everywhere.values, dtype=np.int64).ravel()


def _sizes_only(template: xr.DataArray, dims: Sequence[Hashable]) -> xr.DataArray:
    shape = tuple(template.sizes[d] for d in dims)
    return xr.DataArray(np.broadcast_to(np.int8(0), shape), dims=dims)
