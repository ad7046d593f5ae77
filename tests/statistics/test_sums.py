"""Sums over records by any key: against NumPy, merged in any order, in memory as out of core."""

import tracemalloc
from functools import reduce
from itertools import pairwise
from operator import add

import numpy as np
import pytest
import xarray as xr
from helpers import computes
from helpers.pads import ORDERS, PADS
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from xpad.errors import GridMismatchError, OptionError
from xpad.pads.valid import measured
from xpad.statistics.keys import by_number
from xpad.statistics.sums import PadSums, SpectrumSums, Sums, Tally, over, summed

KINDS = (Sums, PadSums, SpectrumSums)
FAR = 10**12
"""A bin so far away that no table reaches it."""


def keys(n, bins=(-1, 0, 1, 2, 5)):
    return hnp.arrays(np.int64, n, elements=st.sampled_from(bins))


def assert_same(found, wanted):
    """Counts to the last one, sums but for their rounding."""
    assert type(found) is type(wanted)
    for name, values in wanted.arrays().items():
        own = found.arrays()[name]
        assert own.dtype == values.dtype
        if values.dtype.kind == "f":
            np.testing.assert_allclose(own, values, rtol=1e-12, err_msg=name)
        else:
            np.testing.assert_array_equal(own, values, err_msg=name)


def by_numpy(flux, key):
    """PADs and spectra by bin, record by record."""
    there, doubles = np.isfinite(flux), np.nan_to_num(flux).astype(np.float64)
    largest = doubles.max(axis=(1, 2), keepdims=True, initial=0)
    shaped = there & (largest > 0)
    shapes = np.where(shaped, doubles / np.where(largest > 0, largest, 1), 0)
    number = there.sum(axis=2)
    means = doubles.sum(axis=2) / np.maximum(number, 1)
    bins, count = np.unique(key[key >= 0], return_counts=True)

    def summed_by_bin(values):
        own = [values[key == one].sum(axis=0) for one in bins]
        return np.array(own, values.dtype).reshape(len(bins), *values.shape[1:])

    pads = (there.astype(np.int64), (doubles > 0).astype(np.int64), doubles, shapes)
    return (
        PadSums(bins, count, *map(summed_by_bin, (*pads, shaped.astype(np.int64)))),
        SpectrumSums(bins, count, *map(summed_by_bin, (means, (number > 0).astype(np.int64)))),
    )


@settings(deadline=None)  # the first call compiles
@given(PADS, ORDERS, st.data())
def test_what_is_added_up(flux, order, data):
    pad, run = data.draw(keys(len(flux))), data.draw(keys(len(flux), (3, 4, FAR)))
    tally = Tally.of(order(flux), measured(flux), pad, run)
    assert_same(tally.pads, by_numpy(flux, pad)[0])
    assert_same(tally.spectra, by_numpy(flux, run)[1])
    assert_same(PadSums.of(pad, order(flux)), tally.pads)
    assert_same(SpectrumSums.of(run, order(flux)), tally.spectra)
    for kind, key in ((PadSums, pad), (SpectrumSums, run)):
        np.testing.assert_array_equal(Sums.of(key).count, kind.of(key, flux).count)


@settings(deadline=None)
@given(PADS, st.data())
def test_parts_merged_in_any_order_are_the_whole(flux, data):
    n = len(flux)
    key = data.draw(keys(n, (-1, 0, 1, 7, FAR)))
    part = data.draw(hnp.arrays(np.int64, n, elements=st.integers(0, 3)))
    order = data.draw(st.permutations(range(4)))
    for kind in KINDS:
        parts = [kind.of(key[part == p], flux[part == p]) for p in order]
        whole = kind.of(key, flux)
        assert_same(reduce(add, parts), whole)
        assert_same(parts[0] + (parts[1] + (parts[2] + parts[3])), whole)
    seen = [measured(flux[part == p]) for p in order]
    tallies = [
        Tally.of(flux[part == p], one, key[part == p], part[part == p])
        for p, one in zip(order, seen, strict=True)
    ]
    assert_same(reduce(add, tallies), Tally.of(flux, measured(flux), key, part))


@settings(deadline=None)
@given(PADS, st.data())
def test_any_chunks_give_what_memory_gives(flux, data):
    n = len(flux)
    key = data.draw(keys(n))
    cuts = data.draw(st.lists(st.integers(1, n), max_size=3).map(set).map(sorted))
    lengths = tuple(np.diff([0, *(c for c in cuts if c < n), n]).tolist())
    array = xr.DataArray(flux, dims=("time", "energy", "pitch_angle"))
    label = xr.DataArray(key, dims="time")
    lazy = array.chunk(time=lengths, energy=1)
    for kind in KINDS:
        with computes(1):
            found = summed(kind, by_number, [label], lazy)
        assert_same(found, summed(kind, by_number, [label], array))
        assert_same(found, kind.of(key, flux))


def test_records_without_a_flux_are_counted():
    label = xr.DataArray([[2, 0, -1], [2, 2, 7]], dims=("probe", "time"))
    for one in (label, label.T, label.chunk(time=1)):
        with computes(1):
            found = summed(Sums, by_number, [one])
        assert found.bins.tolist() == [0, 2, 7]
        assert found.count.tolist() == [1, 3, 1]


@pytest.mark.parametrize("chunks", [None, {"time": 70}, {"time": 70, "probe": 1}])
def test_another_key_than_the_label(chunks):
    """Nothing but the key is new: clusters by bins of L, of records with two dimensions."""
    random = np.random.default_rng(0)
    sizes, k, edges = (3, 200), 4, np.array([2.0, 3.0, 4.5, 6.0])
    label = xr.DataArray(random.integers(-1, k, sizes).astype("i2"), dims=("probe", "time"))
    lshell = xr.DataArray(random.uniform(1.5, 6.5, sizes), dims=("probe", "time"))
    lshell[0, 5] = np.nan
    flux = xr.DataArray(
        random.gamma(1.0, 50.0, (*sizes, 2, 3)).astype("f4"),
        dims=(*label.dims, "energy", "pitch_angle"),
    )
    flux[1, 7] = np.nan

    def by_label_and_l(labels, shells, position):
        place = np.digitize(shells, edges) - 1
        inside = (labels >= 0) & (place >= 0) & (place < edges.size - 1)
        return np.where(inside, labels * (edges.size - 1) + place, -1)

    given = (label.T, lshell, flux.transpose("time", "pitch_angle", "energy", "probe"))
    given = given if chunks is None else tuple(a.chunk(chunks) for a in given)
    with computes(1):
        occurrence = summed(Sums, by_label_and_l, given[:2])
    with computes(1):
        pads = summed(PadSums, by_label_and_l, given[:2], given[2])
    every = (k, edges.size - 1)
    counts = occurrence.upto(12).count.reshape(every)
    levels = over(pads.upto(12).level, pads.upto(12).measured).reshape(*every, 2, 3)
    for cluster in range(k):
        wanted, _ = np.histogram(lshell.values[label.values == cluster], edges)
        np.testing.assert_array_equal(counts[cluster], wanted)
        for place, (low, high) in enumerate(pairwise(edges)):
            own = (label.values == cluster) & (lshell.values >= low) & (lshell.values < high)
            mean = np.nanmean(flux.values[own].astype("f8"), axis=0)
            np.testing.assert_allclose(levels[cluster, place], mean, rtol=1e-12)
    np.testing.assert_array_equal(pads.count, occurrence.count)


def test_a_key_of_where_records_lie():
    label = xr.DataArray(np.zeros(10, int), dims="time").chunk(time=3)
    found = summed(Sums, lambda labels, position: position // 4, [label])
    assert found.upto(3).count.tolist() == [4, 4, 2]


@given(hnp.arrays(np.int64, st.integers(0, 20), elements=st.integers(-3, 40) | st.just(FAR)))
def test_bins_near_and_far(key):
    bins, count = np.unique(key[key >= 0], return_counts=True)
    found = Sums.of(key)
    np.testing.assert_array_equal(found.bins, bins)
    np.testing.assert_array_equal(found.count, count)


@given(keys(20), st.integers(0, 9))
def test_every_bin_up_to_a_number(key, number):
    found = Sums.of(key).upto(number)
    assert found.bins.tolist() == list(range(number))
    assert found.count.tolist() == [(key == one).sum() for one in range(number)]


def test_records_without_a_number_are_in_no_bin():
    for number in ([np.nan, 2, -1, -7], np.array([-1, 2, -5, -9], "i2")):
        key = by_number(np.array(number))
        assert key.dtype == np.int64
        assert Sums.of(key).bins.tolist() == [2]


def test_sums_are_exact_where_float32_would_not_be():
    block = np.full((20_000, 1, 1), 16_777_217 / 16_777_216, "f4")
    block[0] = 2.0**24
    found = PadSums.of(np.zeros(20_000, int), block)
    assert found.level[0, 0, 0] == block.astype("f8").sum()


@pytest.mark.parametrize("missing", [np.nan, np.inf, -np.inf, -1e31])
def test_what_is_no_measurement_is_left_out(missing):
    flux = np.array([[[1.0, missing], [4.0, 2.0]], [[missing, missing], [0.0, 8.0]]])
    key = np.zeros(2, int)
    pads, spectra = PadSums.of(key, flux), SpectrumSums.of(key, flux)
    assert pads.measured[0].tolist() == [[1, 0], [2, 2]]
    assert pads.level[0].tolist() == [[1, 0], [4, 10]]
    assert pads.shape[0].tolist() == [[0.25, 0], [1, 1.5]]
    assert pads.positive[0].tolist() == [[1, 0], [1, 2]]
    assert spectra.means()[0].tolist() == [1, 3.5]
    assert spectra.number[0].tolist() == [1, 2]


def test_faint_records_have_a_shape():
    """Below the smallest normal number of float32, too."""
    flux = np.array([[[4e-45, 8e-45]]], "f4")
    assert PadSums.of(np.zeros(1, int), flux).shape[0].tolist() == [[0.5, 1]]


def test_a_block_is_gone_through_piece_by_piece():
    flux = np.ones((120_000, 4, 5), "f4")
    key = np.arange(120_000) % 7
    PadSums.of(key[:9], flux[:9])  # compiled
    tracemalloc.start()
    try:
        PadSums.of(key, flux)
        _, most = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert most < flux.nbytes / 4


@pytest.mark.parametrize("cut", ["flux", "seen", "pad_key", "spectrum_key"])
def test_what_is_not_of_the_same_records_is_refused(cut):
    flux, key = np.ones((3, 2, 2), "f4"), np.zeros(3, int)
    given = {"flux": flux, "seen": measured(flux), "pad_key": key, "spectrum_key": key}
    given[cut] = measured(flux[:2]) if cut == "seen" else given[cut][:2]
    with pytest.raises(ValueError, match="records"):
        Tally.of(**given)


def test_arrays_that_do_not_lie_on_the_flux_are_refused():
    flux = xr.DataArray(np.ones((3, 1, 2), "f4"), dims=("time", "energy", "pitch_angle"))
    for sizes in ((2,), (3, 2)):
        other = xr.DataArray(np.zeros(sizes, int), dims=("time", "probe")[: len(sizes)], name="L")
        with pytest.raises(OptionError, match=r"L has dims .*records \{'time': 3\}"):
            summed(PadSums, by_number, [other], flux)
    varying = flux.assign_coords(energy_table=(("time", "energy"), np.ones((3, 1))))
    with pytest.raises(GridMismatchError, match="energy_table"):
        summed(PadSums, by_number, [xr.DataArray(np.zeros(3, int), dims="time")], varying)


@settings(deadline=None)
@given(PADS, st.data())
def test_a_tally_is_stored_as_arrays(flux, data):
    tally = Tally.of(flux, measured(flux), data.draw(keys(len(flux))), data.draw(keys(len(flux))))
    assert_same(Tally.of_arrays(tally.arrays()), tally)
    assert_same(Tally.none(flux.shape[1:]) + tally, tally)
