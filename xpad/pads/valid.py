"""What counts as measured: one rule, and the loops over records that go by it.

A value is measured where it lies within the valid range and is none of the fills. `clean_flux` makes
NaN of everything else; `measured`, `clean_records` and `note_measured` look at records by the same
rule, before or while they are cleaned.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import DTypeLike, NDArray

from xpad.compute.compiled import compiled, compiled_in_any_order
from xpad.compute.memory import aligned, as_they_lie, lies_swapped
from xpad.settings import Negative

Floats = NDArray[np.float32]
Counts = NDArray[np.int32]

# No measured flux reaches this; every positive fill seen (1e31, 1e38, 9.97e36) lies above it.
UNPHYSICAL = 1e30
# Nor does a flux less its background lie below this; negative fills seen (-1e28, -1e31, -1e38) do.
LOWEST = -1e25
INTEGER_FILLS = (4294967295, 65535, 32767, 2147483647, 255)
FILL_TOLERANCE = 1e-5


@dataclass(frozen=True)
class Limits:
    """What counts as a measured value.

    Attributes
    ----------
    fills : tuple of float
        Compared to a relative 1e-5, because a double -1e31 in the attributes is not the float32 that
        the data hold.
    valid_min, valid_max : float
        The range of what is measured, its ends to the same 1e-5.
    negative : {"drop", "zero", "keep"}
        What a value below zero is: missing, no flux (0), or measured; unless it is dropped, `valid_min`
        holds for none.
    zero_is_missing : bool
        Whether a zero says that nothing was measured.
    """

    fills: tuple[float, ...] = ()
    valid_min: float = 0.0
    valid_max: float = UNPHYSICAL
    negative: Negative = "drop"
    zero_is_missing: bool = False

    def of_type(self, dtype: DTypeLike) -> Bounds:
        """As numbers of a float type."""
        kind: Any = np.dtype(dtype).type
        top = min(self.valid_max * (1 + FILL_TOLERANCE), np.nextafter(kind(UNPHYSICAL), kind(0)))
        low = self.valid_min * (1 - FILL_TOLERANCE) if self.negative == "drop" else LOWEST
        between = [fill for fill in self.fills if low <= fill < UNPHYSICAL]
        if self.zero_is_missing and self.negative == "drop":
            low = max(low, float(np.nextafter(kind(0), kind(1))))
        elif self.zero_is_missing:
            between.append(0.0)
        least = kind(0) if self.negative == "zero" else kind(-np.inf)
        return Bounds(kind(low), kind(top), np.array(between, dtype=kind), least)


class Bounds(NamedTuple):
    """`Limits` as a loop takes them.

    Attributes
    ----------
    low, high : number
        The lowest and the highest value that is measured.
    fills : (n,)
        Those between them.
    least : number
        What lies below it counts as it.
    """

    low: Any
    high: Any
    fills: NDArray[Any]
    least: Any


CLEAN = Limits(negative="keep")
"""Of a flux that holds NaN for everything that was not measured."""


def clean_flux(values: NDArray[Any], limits: Limits) -> Floats:
    """Flux as float32 with NaN for everything that is no measurement.

    Fills, negative, infinite and unphysical values and those outside the valid
    range become NaN. The input is not changed.
    """
    floats, limits = single(np.asarray(values), limits)
    out = np.empty_like(floats, np.float32, subok=False)
    if [s * 4 for s in floats.strides] != [s * floats.itemsize for s in out.strides]:
        floats = np.ascontiguousarray(floats)  # does not lie in one piece
        out = np.empty_like(floats, np.float32)
    near = np.float32(FILL_TOLERANCE)
    _clean(floats.ravel(order="K"), *limits.of_type(np.float32), near, out.ravel(order="K"))
    return out


def single(values: NDArray[Any], limits: Limits) -> tuple[Floats, Limits]:
    """Numbers as float32, and what of them is measured.

    Fills of integers become NaN here: they are those numbers and none near them.
    """
    if values.dtype.kind not in "iu":
        with np.errstate(over="ignore"):  # what is too large is infinite, and no measurement
            return values.astype(np.float32, copy=False), limits
    top = np.iinfo(values.dtype).max
    fills = [*limits.fills, *(fill for fill in INTEGER_FILLS if fill == top)]
    floats = np.where(np.isin(values, fills), np.float32(np.nan), values.astype(np.float32))
    return floats, replace(limits, fills=())


@dataclass(frozen=True)
class Measured:
    """Of every record.

    Attributes
    ----------
    bins, positive : (records,) int32
        Bins with a value, and with a value above zero.
    largest : (records,) float32
        Largest value; 0 where none is positive.
    flux : (records,) float64, or (0,)
        Sum of what is positive, where that was asked for.
    """

    bins: Counts
    positive: Counts
    largest: Floats
    flux: NDArray[np.float64] = field(default_factory=lambda: np.empty(0))


def measured(flux: Floats, limits: Limits | None = None, *, summed: bool = False) -> Measured:
    """Look at each record once.

    Parameters
    ----------
    flux : (records, energies, pitch angles) float32
        Clean: NaN where missing.
    limits : Limits, optional
        Of a flux that is not clean: what counts as measured.
    summed : bool
        Whether the positive flux is to be added up, too.

    Examples
    --------
    >>> import numpy as np
    >>> found = measured(np.array([[[0, 3], [np.nan, 2]]], dtype="f4"))
    >>> found.bins, found.positive, found.largest
    (array([3], dtype=int32), array([2], dtype=int32), array([3.], dtype=float32))
    """
    flux, low, high = _within(flux, limits)
    flat = as_they_lie(flux)
    bins, positive = (np.empty(len(flat), np.int32) for _ in range(2))
    largest, sums = np.empty(len(flat), np.float32), np.empty(len(flat) if summed else 0)
    _look(flat, flat.view(np.int32), low, high, bins, positive, largest.view(np.int32), sums)
    return Measured(bins, positive, largest, sums)


def clean_records(
    flux: Floats, limits: Limits, chosen: slice | NDArray[np.intp]
) -> tuple[Floats, Measured]:
    """The chosen records, cleaned, in C order, and what each measured; each is gone through once.

    Parameters
    ----------
    flux : (records, energies, pitch angles) float32
        In any order of memory; not changed.
    limits : Limits
    chosen : slice or (n,) int

    Examples
    --------
    >>> flux = np.array([[[-1e31, 3]], [[4, 2]]], dtype="f4")
    >>> clean, found = clean_records(flux, Limits(), slice(None))
    >>> clean[0], found.bins
    (array([[nan,  3.]], dtype=float32), array([1, 2], dtype=int32))
    """
    if isinstance(chosen, slice):
        flux = flux[chosen]
        chosen = np.arange(len(flux))
    n = len(chosen)
    out = aligned((n, *flux.shape[1:]))
    bins, positive = (np.empty(n, np.int32) for _ in range(2))
    largest = np.empty(n, np.float32)
    _clean_records(
        as_they_lie(flux), chosen, *limits.of_type(np.float32), lies_swapped(flux), out,
        out.view(np.int32), bins, positive, largest.view(np.int32),
    )  # fmt: skip
    return out, Measured(bins, positive, largest)


def note_measured(flux: Floats, ever: NDArray[np.bool_], limits: Limits | None = None) -> None:
    """Mark the bins, in `ever` (energies, pitch angles), that some record of `flux` measured.

    The flux is clean, or has `limits`, as for `measured`.
    """
    flux, low, high = _within(flux, limits)
    _note(flux, low, high, ever)


def _within(flux: Floats, limits: Limits | None) -> tuple[Floats, np.float32, np.float32]:
    """A flux, and the range of its numbers that are measured."""
    if limits is None:
        everything = np.finfo(np.float32)
        return flux, everything.min, everything.max
    low, high, fills, _ = limits.of_type(np.float32)
    return clean_flux(flux, limits) if fills.size else flux, low, high


# ------------------------------------------------------------------------------------------- loops


@compiled
def _is_within(value: Any, low: Any, high: Any) -> Any:
    return (value >= low) & (value <= high)


@compiled
def _clean(
    values: NDArray[Any],
    low: Any,
    high: Any,
    fills: NDArray[Any],
    least: Any,
    near: Any,
    out: Floats,
) -> None:
    missing = np.float32(np.nan)
    for i in range(values.size):
        value = values[i]
        out[i] = max(value, least) if _is_within(value, low, high) else missing
    for fill in fills:
        reach = near * abs(fill)
        for i in range(values.size):
            if abs(values[i] - fill) <= reach:
                out[i] = missing


@compiled_in_any_order
def _positive_sum(row: Floats, high: np.float32) -> Any:
    total = np.float32(0)
    for j in range(row.size):
        value = row[j]
        total += value if (value > np.float32(0)) & (value <= high) else np.float32(0)
    return total


@compiled
def _look(
    flat: Floats,
    bits: Counts,
    low: np.float32,
    high: np.float32,
    bins: Counts,
    positive: Counts,
    largest: Counts,
    sums: NDArray[np.float64],
) -> None:
    # Positive floats are in the order of their bits, and integers' maximum is the faster one.
    for i in range(flat.shape[0]):
        n, above, top = np.int32(0), np.int32(0), np.int32(0)
        for j in range(flat.shape[1]):
            value = flat[i, j]
            there = _is_within(value, low, high)
            more = there & (value > np.float32(0))
            n += np.int32(there)
            above += np.int32(more)
            top = max(top, bits[i, j] if more else np.int32(0))
        bins[i], positive[i], largest[i] = n, above, top
        if sums.size:  # by itself, of a row that is at hand: sums of floats take more care
            sums[i] = _positive_sum(flat[i], high)


@compiled
def _clean_records(
    rows: Floats,
    chosen: NDArray[np.intp],
    low: np.float32,
    high: np.float32,
    fills: Floats,
    least: np.float32,
    swapped: bool,
    out: Floats,
    out_bits: Counts,
    bins: Counts,
    positive: Counts,
    largest: Counts,
) -> None:
    zero, tolerance = np.float32(0), np.float32(FILL_TOLERANCE)
    _, n, m = out.shape
    record = np.empty(n * m, np.float32)
    record_bits, across = record.view(np.int32), record.reshape(m, n)
    for i in range(chosen.size):
        row = rows[chosen[i]]
        clean = record if swapped else out[i].reshape(n * m)
        bits = record_bits if swapped else out_bits[i].reshape(n * m)
        _clean(row, low, high, fills, least, tolerance, clean)
        # As in _look, of a record that is at hand: nothing clean is infinite.
        there, above, top = np.int32(0), np.int32(0), np.int32(0)
        for j in range(n * m):
            there += np.int32(clean[j] == clean[j])
            above += np.int32(clean[j] > zero)
            top = max(top, bits[j] if clean[j] > zero else np.int32(0))
        bins[i], positive[i], largest[i] = there, above, top
        if swapped:
            for j in range(n):
                for k in range(m):
                    out[i, j, k] = across[k, j]


@compiled
def _note(flux: Floats, low: np.float32, high: np.float32, ever: NDArray[np.bool_]) -> None:
    lacking = ever.size - ever.sum()
    for i in range(flux.shape[0]):
        if lacking == 0:
            break  # mostly at the first record
        for j in range(flux.shape[1]):
            for k in range(flux.shape[2]):
                if not ever[j, k] and _is_within(flux[i, j, k], low, high):
                    ever[j, k] = True
                    lacking -= 1
