"""Sums over records by bin, whatever the bins are: merged by `+`, in memory as out of core."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, fields
from operator import add
from typing import Any, Self, TypeVar

import numpy as np
import xarray as xr
from numpy.typing import NDArray

from xpad.compute.compiled import compiled, compiled_in_any_order
from xpad.compute.records import Records
from xpad.errors import OptionError
from xpad.pads.blocks import Block
from xpad.pads.dims import CELL_DIMS, Doubles, checked_record_dims
from xpad.pads.regrid import require_one_grid
from xpad.pads.valid import CLEAN, Counts, Floats, Measured
from xpad.statistics.keys import Integers, Key

SPARSE = 8
"""Bins for each record: where the bins of records reach over more, they are sorted, not tabled."""


# --- what is added -------------------------------------------------------------------------------


@dataclass(frozen=True)
class Sums:
    """How many records each bin has; kinds of sums that add up more of them are made of this.

    Attributes
    ----------
    bins : (n,)
        Numbers of the bins that have records, ascending.
    count : (n,)
        Records in each.

    Examples
    --------
    >>> import numpy as np
    >>> found = Sums.of(np.array([7, 2, -1, 7])) + Sums.of(np.array([2, 0]))
    >>> found.bins, found.count
    (array([0, 2, 7]), array([1, 2, 2]))
    >>> found.upto(4).count
    array([1, 0, 2, 0])
    """

    bins: Integers
    count: Integers

    @classmethod
    def of(cls, key: Integers, flux: Any = None) -> Self:
        """The sums of a block of records.

        Parameters
        ----------
        key : (records,)
            The bin of each; a negative one is none.
        flux : (record…, energies, pitch angles)
            NaN where missing; for kinds that add any of it up, piece by piece.
        """
        bins, count, _ = _numbered(key)
        return cls(bins, count)

    def __add__(self, other: Self) -> Self:
        if np.array_equal(self.bins, other.bins):
            pairs = zip(self._added(), other._added(), strict=True)
            return type(self)(self.bins, *(one + two for one, two in pairs))
        bins, _, place = _numbered(np.concatenate([self.bins, other.bins]))
        mine, theirs = place[: self.bins.size], place[self.bins.size :]
        merged = []
        for one, two in zip(self._added(), other._added(), strict=True):
            total = np.zeros((bins.size, *one.shape[1:]), one.dtype)
            total[mine] = one
            total[theirs] += two
            merged.append(total)
        return type(self)(bins, *merged)

    def upto(self, number: int) -> Self:
        """Those of the bins 0 … number - 1, with zeros for those without records."""
        inside = self.bins < number
        found = []
        for one in self._added():
            every = np.zeros((number, *one.shape[1:]), one.dtype)
            every[self.bins[inside]] = one[inside]
            found.append(every)
        return type(self)(np.arange(number), *found)

    def arrays(self) -> dict[str, NDArray[Any]]:
        """All of it by name, to be stored."""
        return {f.name: getattr(self, f.name) for f in fields(self)}

    def _added(self) -> list[NDArray[Any]]:
        return [getattr(self, f.name) for f in fields(self)[1:]]


@dataclass(frozen=True)
class PadSums(Sums):
    """What the PADs of each bin look like.

    Attributes
    ----------
    measured, positive : (n, energies, pitch angles)
        Values that were measured, and those above zero.
    level : (n, energies, pitch angles)
        Sums of the flux.
    shape, shaped : (n, energies, pitch angles)
        Sums of the PADs over their own maximum, and of how many values: a PAD without a positive
        one has no shape.
    """

    measured: Integers
    positive: Integers
    level: Doubles
    shape: Doubles
    shaped: Integers

    @classmethod
    def of(cls, key: Integers, flux: Any = None) -> PadSums:
        """The sums of a block of records, as `Sums.of`."""
        return _of_block(flux, key, None).pads


@dataclass(frozen=True)
class SpectrumSums(Sums):
    """What the spectra of each bin look like.

    Attributes
    ----------
    total, number : (n, energies)
        Sums of the records' flux averaged over the pitch angles that were measured, and how many
        records have one.
    """

    total: Doubles
    number: Integers

    @classmethod
    def of(cls, key: Integers, flux: Any = None) -> SpectrumSums:
        """The sums of a block of records, as `Sums.of`."""
        return _of_block(flux, None, key).spectra

    def means(self) -> Doubles:
        """Mean spectra (n, energies)."""
        return over(self.total, self.number)


@dataclass(frozen=True)
class Tally:
    """PADs by one key and spectra by another, in one look at every record.

    Attributes
    ----------
    pads : PadSums
    spectra : SpectrumSums

    Examples
    --------
    >>> from xpad.pads.valid import measured
    >>> flux = np.array([[[2, 4]], [[3, np.nan]]], dtype="f4")
    >>> label, run = np.array([1, 1]), np.array([0, 1])
    >>> found = Tally.of(flux, measured(flux), label, run) + Tally.none((1, 2))
    >>> found.pads.count, found.pads.shape[0], found.spectra.means()[:, 0]
    (array([2]), array([[1.5, 1. ]]), array([3., 3.]))
    """

    pads: PadSums
    spectra: SpectrumSums

    @classmethod
    def of(cls, flux: Floats, seen: Measured, pad_key: Integers, spectrum_key: Integers) -> Tally:
        """The sums of a piece.

        Parameters
        ----------
        flux : (records, energies, pitch angles) float32
            Not negative; NaN where missing.
        seen : Measured
            What the records measured.
        pad_key, spectrum_key : (records,)
            The bins that they belong to; negative ones are none.
        """
        n, energies, angles = flux.shape
        if not n == seen.bins.size == pad_key.size == spectrum_key.size:
            raise ValueError(
                f"{n} records, {seen.bins.size} of them looked at, "
                f"{pad_key.size} and {spectrum_key.size} keys"
            )
        bins, count, pad = _numbered(pad_key)
        some, above, shapeless = np.zeros((3, bins.size, energies * angles), np.int32)
        level, shape = np.zeros((2, bins.size, energies * angles))
        runs, records, spectrum = _numbered(spectrum_key)
        total, of_whole = np.zeros((runs.size, energies)), np.zeros((runs.size, energies * angles))
        number = np.zeros((runs.size, energies), np.int64)
        # Records without a gap need no count of each value, nor a mean of their own.
        whole, whole_spectra = (np.zeros((m, 1), np.int64) for m in (bins.size, runs.size))
        _add(
            np.ascontiguousarray(flux), seen.bins, seen.largest,
            pad, whole, some, above, shapeless, level, shape,
            spectrum, whole_spectra, number, total, of_whole,
        )  # fmt: skip
        measured = whole + some
        added = (measured, above.astype(np.int64), level, shape, measured - shapeless)
        cells = [one.reshape(bins.size, energies, angles) for one in added]
        total += of_whole.reshape(runs.size, energies, angles).sum(axis=2) / max(angles, 1)
        return cls(
            PadSums(bins, count, *cells),
            SpectrumSums(runs, records, total, number + whole_spectra),
        )

    @classmethod
    def none(cls, grid: tuple[int, ...]) -> Tally:
        """Of no records with so many energies and pitch angles."""
        nothing, nowhere = np.empty(0, np.float32), np.empty(0, np.int64)
        seen = Measured(np.empty(0, np.int32), np.empty(0, np.int32), nothing)
        return cls.of(nothing.reshape(0, *grid), seen, nowhere, nowhere)

    def __add__(self, other: Tally) -> Tally:
        return Tally(self.pads + other.pads, self.spectra + other.spectra)

    def arrays(self) -> dict[str, NDArray[Any]]:
        """All of it by name, to be stored."""
        kinds = {"pads": self.pads, "spectra": self.spectra}
        return {f"{k}_{n}": a for k, sums in kinds.items() for n, a in sums.arrays().items()}

    @classmethod
    def of_arrays(cls, arrays: Mapping[str, NDArray[Any]]) -> Tally:
        """What `arrays` gave."""
        pads = {f.name: arrays[f"pads_{f.name}"] for f in fields(PadSums)}
        spectra = {f.name: arrays[f"spectra_{f.name}"] for f in fields(SpectrumSums)}
        return cls(PadSums(**pads), SpectrumSums(**spectra))


def over(sums: NDArray[Any], numbers: Integers) -> Doubles:
    """Sums over how many they are of; NaN for those of nothing.

    Examples
    --------
    >>> over(np.array([3.0, 0.0]), np.array([2, 0]))
    array([1.5, nan])
    """
    return np.asarray(sums / np.where(numbers > 0, numbers, np.nan), dtype=np.float64)


# --- over all records ----------------------------------------------------------------------------

S = TypeVar("S", bound=Sums)


def summed(
    kind: type[S], key: Key, arrays: Sequence[xr.DataArray], flux: xr.DataArray | None = None
) -> S:
    """Take sums over all records, block by block. This computes, once.

    Parameters
    ----------
    kind : type of `Sums`
        What is added.
    key : callable
        Which bins records belong to; see `xpad.statistics.keys`.
    arrays : sequence of xarray.DataArray
        What the key takes of them, on the same record dimensions, in any order.
    flux : xarray.DataArray, optional
        Canonical flux, dims (record dims…, energy, pitch_angle), NaN where missing; for kinds
        that add any of it up.

    Raises
    ------
    OptionError
        The arrays do not fit the flux.
    GridMismatchError
        The energies or pitch angles change from record to record.

    Examples
    --------
    >>> import numpy as np, xarray as xr
    >>> from xpad.statistics.keys import by_number
    >>> labels = xr.DataArray(np.array([0, 2, 2]), dims="time")
    >>> summed(Sums, by_number, [labels]).upto(3).count
    array([1, 0, 2])
    """
    found: S = records_with(flux, *arrays).run(
        _by_key, combine=add, name="xpad-sums", kind=kind, key=key
    )
    return found


def records_with(flux: xr.DataArray | None, *arrays: xr.DataArray) -> Records:
    """The records of a flux on one grid, and other arrays that lie on them; or these alone."""
    if flux is None:
        return Records.of([None, *arrays], arrays[0].dims)
    dims = checked_record_dims(flux)
    require_one_grid(flux)
    own = {d: flux.sizes[d] for d in dims}
    for array in arrays:
        if dict(array.sizes) != own:
            raise OptionError(
                f"{array.name or 'an array'} has dims {dict(array.sizes)}, but the flux has records "
                f"{own}: it must lie on the flux's records"
            )
    return Records.of([flux.transpose(*dims, *CELL_DIMS), *arrays], dims)


def _by_key(flux: Any, *values: Any, kind: type[S], key: Key) -> S:
    *arrays, position = values
    return kind.of(key(*(np.ravel(a) for a in arrays), position), flux)


def _of_block(flux: Any, pad_key: Integers | None, spectrum_key: Integers | None) -> Tally:
    """The sums of a block (record…, energies, pitch angles), piece by piece."""
    total = Tally.none(flux.shape[-2:])
    for at, piece in Block(flux, None, None, CLEAN).pieces():
        nowhere = np.full(len(piece.flux), -1)
        keys = (nowhere if key is None else key[at] for key in (pad_key, spectrum_key))
        total += Tally.of(piece.flux, piece.seen, *keys)
    return total


# --- array core ----------------------------------------------------------------------------------


def _numbered(key: Integers) -> tuple[Integers, Integers, Integers]:
    """The bins that have records, ascending; how many; and each record's place among them, or -1."""
    first, last = (max(int(key.min()), 0), int(key.max())) if key.size else (0, -1)
    if last - first > SPARSE * key.size:
        bins, place, count = np.unique(key, return_inverse=True, return_counts=True)
        none = int(np.searchsorted(bins, 0))
        return bins[none:], count[none:], place - none
    count, place = np.zeros(max(last - first + 1, 0), np.int64), np.empty(key.size, np.int64)
    _number(key, first, count, place)
    bins = np.flatnonzero(count)
    return bins + first, count[bins], place


@compiled
def _number(key: Integers, first: int, count: Integers, place: Integers) -> None:
    for i in range(key.size):
        if key[i] >= 0:
            count[key[i] - first] += 1
    places, held = np.empty_like(count), 0
    for j in range(count.size):
        places[j] = held
        held += count[j] > 0
    for i in range(key.size):
        place[i] = places[key[i] - first] if key[i] >= 0 else -1


@compiled_in_any_order
def _add(
    flux: Floats,
    bins: Counts,
    largest: Floats,
    pad: Integers,
    whole: Integers,
    some: Counts,
    above: Counts,
    shapeless: Counts,
    level: Doubles,
    shape: Doubles,
    spectrum: Integers,
    whole_spectra: Integers,
    number: Integers,
    total: Doubles,
    of_whole: Doubles,
) -> None:
    # Loops of one sum each: of several at once, the compiler does not take several bins at a time.
    # No function or view for each record: calls and counted references took a third longer.
    zero = np.float32(0)
    energies, angles = flux.shape[1:]
    n = energies * angles
    rows = flux.reshape(len(flux), n)
    for i in range(len(rows)):
        at = spectrum[i]
        if at >= 0 and bins[i] == n:
            whole_spectra[at, 0] += 1
            for j in range(n):
                of_whole[at, j] += rows[i, j]
        elif at >= 0:
            for energy in range(energies):
                found, summed = 0, np.float64(0)
                for j in range(angles):
                    found += flux[i, energy, j] >= zero  # a NaN is not
                for j in range(angles):
                    value = flux[i, energy, j]
                    summed += value if value >= zero else zero
                if found:
                    number[at, energy] += 1
                    total[at, energy] += summed / found

        at = pad[i]
        if at < 0:
            continue
        for j in range(n):
            above[at, j] += np.int32(rows[i, j] > zero)
        scale = 0.0
        if largest[i] > zero:
            scale = 1 / np.float64(largest[i])
        else:
            for j in range(n):
                shapeless[at, j] += np.int32(rows[i, j] >= zero)
        if bins[i] == n:
            whole[at, 0] += 1
            for j in range(n):
                shape[at, j] += rows[i, j] * scale
            for j in range(n):
                level[at, j] += rows[i, j]
            continue
        for j in range(n):
            some[at, j] += np.int32(rows[i, j] >= zero)
        for j in range(n):
            value = rows[i, j]
            shape[at, j] += (value if value >= zero else zero) * scale
        for j in range(n):
            value = rows[i, j]
            level[at, j] += value if value >= zero else zero
