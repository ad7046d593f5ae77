"""What each record measured: how many bins, how many positive ones, and the largest value."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from xpad.clean import FILL_TOLERANCE, Limits, clean_flux
from xpad.compiled import compiled
from xpad.order import aligned, as_they_lie, lies_swapped

Floats = NDArray[np.float32]
Counts = NDArray[np.int32]


@dataclass(frozen=True)
class Measured:
    """Of every record.

    Attributes
    ----------
    bins, positive : (records,) int32
        Bins with a value, and with a value above zero.
    largest : (records,) float32
        Largest value; 0 where none is positive.
    """

    bins: Counts
    positive: Counts
    largest: Floats


def measured(flux: Floats, limits: Limits | None = None) -> Measured:
    """Look at each record once.

    Parameters
    ----------
    flux : (records, energies, pitch angles) float32
        Clean: NaN where missing.
    limits : Limits, optional
        Of a flux that is not clean: what counts as measured.

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
    largest = np.empty(len(flat), np.float32)
    _look(flat, flat.view(np.int32), low, high, bins, positive, largest.view(np.int32))
    return Measured(bins, positive, largest)


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
        as_they_lie(flux), chosen, *limits.in_float32(), lies_swapped(flux), out,
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
    low, high, fills = limits.in_float32()
    return clean_flux(flux, limits) if fills.size else flux, low, high


@compiled
def _look(
    flat: Floats,
    bits: Counts,
    low: np.float32,
    high: np.float32,
    bins: Counts,
    positive: Counts,
    largest: Counts,
) -> None:
    # Positive floats are in the order of their bits, and integers' maximum is the faster one.
    for i in range(flat.shape[0]):
        n, above, top = np.int32(0), np.int32(0), np.int32(0)
        for j in range(flat.shape[1]):
            value = flat[i, j]
            there = (value >= low) & (value <= high)
            more = there & (value > np.float32(0))
            n += np.int32(there)
            above += np.int32(more)
            top = max(top, bits[i, j] if more else np.int32(0))
        bins[i], positive[i], largest[i] = n, above, top


@compiled
def _clean_records(
    rows: Floats,
    chosen: NDArray[np.intp],
    low: np.float32,
    high: np.float32,
    fills: Floats,
    swapped: bool,
    out: Floats,
    out_bits: Counts,
    bins: Counts,
    positive: Counts,
    largest: Counts,
) -> None:
    missing, zero = np.float32(np.nan), np.float32(0)
    _, n, m = out.shape
    record = np.empty(n * m, np.float32)
    record_bits, across = record.view(np.int32), record.reshape(m, n)
    for i in range(chosen.size):
        row = rows[chosen[i]]
        clean = record if swapped else out[i].reshape(n * m)
        bits = record_bits if swapped else out_bits[i].reshape(n * m)
        for j in range(n * m):
            value = row[j]
            clean[j] = value if (value >= low) & (value <= high) else missing
        for fill in fills:
            near = np.float32(FILL_TOLERANCE) * fill
            for j in range(n * m):
                if abs(row[j] - fill) <= near:
                    clean[j] = missing
        # As in _look, of a record that is at hand: nothing clean is infinite.
        there, above, top = np.int32(0), np.int32(0), np.int32(0)
        for j in range(n * m):
            there += np.int32(clean[j] >= zero)
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
                if not ever[j, k] and low <= flux[i, j, k] <= high:
                    ever[j, k] = True
                    lacking -= 1
