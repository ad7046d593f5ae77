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
from xpad.sampling import TEST, TRAIN, block_split, by_shares, stratified_uniform

_CAP_SEED = 0x5EED
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

    def split(self, position: NDArray[np.int64]) -> NDArray[np.int8]:
        """Train, validation or test."""
        if self.by_block is not None:
            return np.asarray(self.by_block[position])
        return by_shares(self._uniform(position), *self.thresholds)

    def drawn(self, position: NDArray[np.int64]) -> NDArray[np.bool_]:
        """Records that may turn out to train or validate: all that will, and a few more."""
        s = self.settings
        if self.by_block is not None:
            chosen = self.split(position) != TEST
        else:
            slack = _SLACK * (0.25 / self.total) ** 0.5
            chosen = self._uniform(position) < s.train + s.validation + slack
        expected = s.train * self.total
        if s.max_train is None or s.max_train >= expected:
            return np.asarray(chosen)
        spare = 10 + _SLACK * s.max_train**0.5
        u = stratified_uniform(position, self.total, s.seed("split") + _CAP_SEED)
        return np.asarray(chosen & (u < (s.max_train + spare) / expected))

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

    def most(self, split: int) -> int | None:
        """Rows of a split that a capped training uses: validation in proportion to training."""
        s = self.settings
        if s.max_train is None or split == TRAIN:
            return s.max_train
        return max(1, round(s.max_train * s.validation / s.train))

    def as_dict(self) -> dict[str, Any]:
        """What a model keeps of it."""
        return {"total": self.total, "thresholds": list(self.thresholds)}

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
        stamps = times[0].values.astype("datetime64[ns]").astype(np.int64)
        numbered = times[0].copy(data=stamps // length)
    numbered = numbered.reset_coords(drop=True)
    everywhere = numbered.broadcast_like(_sizes_only(template, dims)).transpose(*dims)
    return np.asarray(everywhere.values, dtype=np.int64).ravel()


def _sizes_only(template: xr.DataArray, dims: Sequence[Hashable]) -> xr.DataArray:
    shape = tuple(template.sizes[d] for d in dims)
    return xr.DataArray(np.broadcast_to(np.int8(0), shape), dims=dims)
