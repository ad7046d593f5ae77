"""Passes over PADs: the records of a block, cleaned piece by piece."""

from __future__ import annotations

from collections.abc import Callable, Hashable, Iterator, Sequence
from concurrent.futures import Executor
from dataclasses import dataclass, field, replace
from functools import partial
from typing import Any, NamedTuple

import numpy as np
import xarray as xr
from numpy.typing import NDArray

from xpad.compute.memory import in_one_piece
from xpad.compute.records import Records
from xpad.pads.dims import ENERGY, PITCH_ANGLE, TABLES, Doubles, record_dims, tables
from xpad.pads.valid import Floats, Limits, Measured, clean_records

PIECE = 8192
"""Records that go through the pipeline at once: enough that calls, in which all threads wait for each other,
are few (4096 took longer), and little memory."""


class Piece(NamedTuple):
    """Some records, clean.

    Attributes
    ----------
    flux : (records, energies, pitch angles)
        NaN where missing.
    energy_table, pitch_angle_table
        As `to_grid` has them.
    seen : Measured
        What the records measured, before anything is put on a grid.
    """

    flux: Floats
    energy_table: Doubles | None
    pitch_angle_table: Doubles | None
    seen: Measured


@dataclass(frozen=True)
class Block:
    """The records of one task, as they lie in the data.

    Attributes
    ----------
    flux : (record…, energies, pitch angles)
    energy_table, pitch_angle_table : array or None
        Of the axes that vary, on the flux's record dimensions or fewer.
    limits : Limits
        What of the flux is measured.
    position : (records,) int64
        Where each record lies among all.
    """

    flux: Any
    energy_table: Any
    pitch_angle_table: Any
    limits: Limits
    position: NDArray[np.int64] = field(default_factory=lambda: np.empty(0, np.int64))

    def __len__(self) -> int:
        return int(np.prod(self.flux.shape[:-2], dtype=np.int64))

    def flat(self) -> tuple[Floats, Doubles | None, Doubles | None]:
        """Flux and tables with the records on one axis."""
        return flat_records(self.flux, self.energy_table, self.pitch_angle_table)

    def pieces(self, chosen: NDArray[np.intp] | None = None) -> Iterator[tuple[Any, Piece]]:
        """Its records, cleaned, in pieces that a processor's cache holds; where each is.

        Of the `chosen` records only, where they are given.
        """
        values, *own_tables = self.flat()
        if chosen is not None:
            values = in_one_piece(values)  # once, not for every piece
        for start in range(0, len(values) if chosen is None else len(chosen), PIECE):
            at = slice(start, start + PIECE) if chosen is None else chosen[start : start + PIECE]
            energies, pitch_angles = (None if t is None else t[at] for t in own_tables)
            clean, seen = clean_records(values, self.limits, at)
            yield at, Piece(clean, energies, pitch_angles, seen)

    def rows(self, function: Callable[[Piece], Floats], size: int) -> Floats:
        """Numbers of every record, (records, size), by a function of a `Piece`."""
        out = np.empty((len(self), size), dtype=np.float32)
        for at, piece in self.pieces():
            out[at] = function(piece)
        return out


@dataclass(frozen=True)
class PadRecords:
    """The records of a flux, worked on block by block."""

    records: Records
    limits: Limits

    @classmethod
    def of(cls, flux: xr.DataArray, limits: Limits) -> PadRecords:
        """Those of a canonical flux, of which `limits` say what is measured."""
        return cls(Records.of(_arrays(flux), record_dims(flux)), limits)

    @property
    def dims(self) -> tuple[Hashable, ...]:
        """The record dimensions, sorted by name."""
        return self.records.dims

    @property
    def shape(self) -> tuple[int, ...]:
        """Sizes of the record dimensions."""
        return self.records.shape

    def __len__(self) -> int:
        return len(self.records)

    def part(self, dim: Hashable, at: slice) -> PadRecords:
        """The records of a range along one dimension; they keep their positions."""
        return replace(self, records=self.records.part(dim, at))

    def places(self) -> Iterator[slice | NDArray[np.int64]]:
        """Where the records of each block lie among these, in the order of the blocks."""
        return self.records.places()

    def run(
        self,
        function: Callable[..., Any],
        *,
        combine: Callable[[Any, Any], Any] | None = None,
        name: str = "xpad",
        pool: Executor | None = None,
        **kwargs: Any,
    ) -> Any:
        """Call ``function(block, **kwargs)`` for every `Block`; see `xpad.compute.records.Records.run`."""
        work = partial(_on_block, function, self.limits)
        return self.records.run(work, combine=combine, name=name, pool=pool, **kwargs)

    def map(
        self, function: Callable[..., Floats], dim: str, size: int, *, name: str, **kwargs: Any
    ) -> xr.DataArray:
        """Numbers for every record, (record…, dim) float32, lazily where the flux is lazy.

        Parameters
        ----------
        function : callable
            ``function(block, **kwargs)`` gives (records of the block, size).
        dim : str
            Name of the new dimension, of length `size`.
        name : str
            What a dashboard calls the tasks.
        **kwargs
            Models and the like: one node of the graph each, not a part of every task.
        """
        arrays = self.records.arrays
        given, present = [a is not None for a in arrays], [a for a in arrays if a is not None]
        own = dict(function=function, given=given, **kwargs, limits=self.limits)
        if all(a.chunks is None for a in present):
            data = _rows_of_block(*(a.values for a in present), **own)
        else:
            data = _lazily(self.records, size, name, own)
        return xr.DataArray(data, dims=(*self.dims, dim))


def _on_block(
    function: Callable[..., Any],
    limits: Limits,
    flux: Any,
    energy_table: Any,
    pitch_angle_table: Any,
    position: NDArray[np.int64],
    **kwargs: Any,
) -> Any:
    return function(Block(flux, energy_table, pitch_angle_table, limits, position), **kwargs)


def _lazily(records: Records, size: int, name: str, own: dict[str, Any]) -> Any:
    import dask.array as da
    from dask.delayed import delayed

    letters = {d: i for i, d in enumerate(records.dims)}
    new = len(letters)
    arguments: list[Any] = []
    for array in records.arrays:
        if array is not None:
            others = [d for d in array.dims if d not in letters]
            axes = letters | {d: new + 1 + i for i, d in enumerate(others)}
            arguments += [array.data, tuple(axes[d] for d in array.dims)]
    plain = ("function", "given")
    bound = {
        k: v if k in plain else delayed(v, pure=True, traverse=False) for k, v in own.items()
    }  # fmt: skip
    return da.blockwise(
        _rows_of_block, (*letters.values(), new), *arguments, token=name, concatenate=True,
        new_axes={new: size}, align_arrays=False,
        dtype=np.float32, meta=np.empty((0,) * (new + 1), np.float32), **bound,
    )  # fmt: skip


def _rows_of_block(
    *arrays: Any,
    function: Callable[..., Floats],
    given: Sequence[bool],
    limits: Limits,
    **kwargs: Any,
) -> Floats:
    found = iter(arrays)
    flux, energies, pitch_angles = (np.asarray(next(found)) if there else None for there in given)
    assert flux is not None
    rows = function(Block(flux, energies, pitch_angles, limits), **kwargs)
    return np.asarray(rows, dtype=np.float32).reshape(*flux.shape[:-2], rows.shape[-1])


def flat_records(
    flux: Any, energy_table: Any, pitch_angle_table: Any
) -> tuple[Floats, Doubles | None, Doubles | None]:
    """A block's records on one axis; the tables have the flux's record dimensions or none."""
    flux = np.asarray(flux, dtype=np.float32)
    records, energies, pitch_angles = flux.shape[:-2], flux.shape[-2], flux.shape[-1]
    n = int(np.prod(records, dtype=np.int64))
    found = []
    for table, size in ((energy_table, energies), (pitch_angle_table, pitch_angles)):
        if table is not None:
            own = np.asarray(table)
            by_both = own.ndim == len(records) + 2
            shape = (energies, pitch_angles) if by_both else (size,)
            table = np.broadcast_to(own, (*records, *shape)).reshape(n, *shape)
        found.append(table)
    energy_table, pitch_angle_table = found
    return flux.reshape(n, energies, pitch_angles), energy_table, pitch_angle_table


def _arrays(flux: xr.DataArray) -> list[xr.DataArray | None]:
    """A canonical flux and the tables of its varying axes, records in sorted order of dims."""
    dims = sorted(record_dims(flux), key=str)
    bare = flux.reset_coords(drop=True).transpose(*dims, ENERGY, PITCH_ANGLE)
    found = tables(flux)
    ordered: list[xr.DataArray | None] = [bare]
    for role in (ENERGY, PITCH_ANGLE):
        table = found.get(TABLES[role])
        if table is not None:
            table = table.transpose(*(d for d in bare.dims if d in table.dims))
        ordered.append(table)
    return ordered
