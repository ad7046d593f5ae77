"""What each record measured: how many bins, how many positive ones, and the largest value."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from xpad.compute.compiled import compiled
from xpad.compute.memory import aligned, as_they_lie, lies_swapped
from xpad.pads.clean import FILL_TOLERANCE, Limits, clean_flux

FLAGS = ("ok", "all_fill", "no_positive_flux", "too_sparse", "bad_axis")
OK, ALL_FILL, NO_POSITIVE_FLUX, TOO_SPARSE, BAD_AXIS = range(len(FLAGS))

FLAG_ATTRS = {
    "long_name": "why a record has no label",
    "standard_name": "status_flag",
    "flag_values": np.arange(len(FLAGS), dtype=np.int8),
    "flag_meanings": " ".join(FLAGS),
}


def record_flags(
    n_measured: NDArray[np.integer],
    n_positive: NDArray[np.integer],
    bad_axis: NDArray[np.bool_],
    *,
    n_features: int,
    min_coverage: float = 0.0,
    min_positive: int = 1,
) -> NDArray[np.int8]:
    """One flag a record, from how many bins it measured and how many of them are positive.

    Parameters
    ----------
    n_measured, n_positive : (records,)
        Bins with a value, and with a positive one.
    bad_axis : (records,)
        Records whose energies or pitch angles are all invalid.
    n_features : int
        Bins that are ever measured, of which `min_coverage` is a share.
    min_coverage : float
        Least share of the features that a record must have measured.
    min_positive : int
        Least number of positive bins; the published rule is one.

    Returns
    -------
    (records,) int8
        Indices into `FLAGS`.

    Examples
    --------
    >>> import numpy as np
    >>> record_flags(np.array([4, 0, 4]), np.array([3, 0, 0]), np.zeros(3, bool), n_features=4)
    array([0, 1, 2], dtype=int8)
    """
    flags = np.full(len(n_measured), OK, dtype=np.int8)
    # The weightiest reason last: it stays.
    flags[(n_measured < min_coverage * n_features) | (n_positive < min_positive)] = TOO_SPARSE
    flags[n_positive == 0] = NO_POSITIVE_FLUX
    flags[n_measured == 0] = ALL_FILL
    flags[bad_axis] = BAD_AXIS
    return flags


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
