"""Compiled loops beside what NumPy says: cleaning, what a record measured, sums over clusters."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from xpad.compute.compiled import compiled
from xpad.pads.valid import Limits, clean_flux, clean_records, measured, note_measured
from xpad.statistics.sums import Sums, Tally

VALUES = st.sampled_from(np.array([np.nan, 0, 1e-45, 1e-39, 0.5, 1, 3, 2e8, 9.9e29], np.float32))
PADS = hnp.arrays(np.float32, hnp.array_shapes(min_dims=3, max_dims=3, max_side=9), elements=VALUES)
ORDERS = st.sampled_from(
    [
        lambda x: x,
        lambda x: np.ascontiguousarray(x.swapaxes(1, 2)).swapaxes(1, 2),
        lambda x: np.repeat(x, 2, axis=0)[::2],
        lambda x: np.repeat(x, 2, axis=2)[:, :, ::2],
        lambda x: x[::-1].copy()[::-1],
    ]
)


def test_where_the_compiled_code_cannot_be_kept():
    """A function that no file holds has no place in numba's cache; it is compiled all the same."""
    scope = {}
    exec("def twice(x):\n    return 2 * x", scope)
    assert compiled(scope["twice"])(3) == 6


def test_no_room_to_keep_the_compiled_code(monkeypatch):
    import numba

    def full_at_first(function, **options):
        calls = []

        def call(*args):
            calls.append(args)
            if len(calls) == 1:
                raise OSError("no space left on device")
            return function(*args)

        return call

    monkeypatch.setattr(numba, "njit", full_at_first)
    assert compiled(lambda x: 2 * x)(3) == 6


def test_an_error_of_the_compiler_is_not_swallowed():
    def unknown(x):
        return x.no_such_attribute

    with pytest.raises(Exception, match="no_such_attribute"):
        compiled(unknown)(np.zeros(3))


@settings(deadline=None)  # the first call compiles
@given(PADS, ORDERS)
def test_what_a_record_measured(flux, order):
    found = measured(order(flux))
    np.testing.assert_array_equal(found.bins, np.isfinite(flux).sum(axis=(1, 2)))
    np.testing.assert_array_equal(found.positive, (flux > 0).sum(axis=(1, 2)))
    np.testing.assert_array_equal(found.largest, np.nan_to_num(flux).max(axis=(1, 2)))


@settings(deadline=None)  # the first call compiles
@given(PADS, ORDERS, st.sampled_from([(), (3.0,), (1.0, 2e8)]))
def test_what_a_record_measured_before_it_is_cleaned(flux, order, fills):
    flux[flux == 0] = -1e31
    flux[flux == np.float32(0.5)] = np.inf
    limits = Limits(fills, 1e-39, 1e29)
    clean = clean_flux(flux, limits)
    found, expected = measured(order(flux), limits), measured(clean)
    for name in ("bins", "positive", "largest"):
        np.testing.assert_array_equal(getattr(found, name), getattr(expected, name))
    ever = np.zeros(flux.shape[1:], bool)
    note_measured(order(flux), ever, limits)
    np.testing.assert_array_equal(ever, np.isfinite(clean).any(axis=0))


def test_infinity_is_no_measurement():
    assert measured(np.array([[[np.inf, 1, -np.inf]]], np.float32)).bins.tolist() == [1]


@settings(deadline=None)  # the first call compiles
@given(PADS, ORDERS, st.data())
def test_bins_that_some_record_measured(flux, order, data):
    before = data.draw(hnp.arrays(bool, flux.shape[1:]))
    ever = before.copy()
    note_measured(order(flux), ever)
    np.testing.assert_array_equal(ever, before | np.isfinite(flux).any(axis=0))


@settings(deadline=None)  # the first call compiles
@given(PADS, ORDERS, st.sampled_from([(), (3.0,), (1.0, 2e8)]))
def test_cleaning_is_that_of_doubles(flux, order, fills):
    flux[flux == 0] = -1e31
    limits = Limits(fills, 1e-39, 1e29)
    given = order(flux)
    given.flags.writeable = False
    found = clean_flux(given, limits)
    expected = clean_flux(flux.astype(np.float64), limits)
    np.testing.assert_array_equal(found, expected)
    assert found.dtype == np.float32
    assert found.shape == flux.shape


@settings(deadline=None)  # the first call compiles
@given(PADS, ORDERS, st.integers(1, 4), st.data())
def test_sums_over_clusters_and_runs(flux, order, k, data):
    n, energies, _ = flux.shape
    labels = data.draw(hnp.arrays(np.int16, n, elements=st.integers(-1, k - 1)))
    run = data.draw(hnp.arrays(np.int64, n, elements=st.integers(3, 6)))
    tally = Tally.of(order(flux), labels, k, run)

    there, doubles = np.isfinite(flux), np.nan_to_num(flux).astype(np.float64)
    largest = doubles.max(axis=(1, 2), keepdims=True)
    shaped = largest >= np.finfo(np.float32).tiny
    shapes = np.where(shaped, doubles / np.where(shaped, largest, 1), 0)
    for cluster in range(k):
        own = labels == cluster
        assert tally.count[cluster] == own.sum()
        np.testing.assert_array_equal(tally.measured[cluster], there[own].sum(axis=0))
        np.testing.assert_array_equal(tally.positive[cluster], (doubles[own] > 0).sum(axis=0))
        np.testing.assert_allclose(tally.level[cluster], doubles[own].sum(axis=0), rtol=1e-12)
        np.testing.assert_allclose(tally.shape[cluster], shapes[own].sum(axis=0), rtol=1e-12)

    number = there.sum(axis=2)
    means = doubles.sum(axis=2) / np.maximum(number, 1)
    np.testing.assert_array_equal(tally.run, np.unique(run))
    for i, one in enumerate(tally.run):
        own = run == one
        np.testing.assert_allclose(tally.spectrum[i], means[own].sum(axis=0), rtol=1e-12)
        np.testing.assert_array_equal(tally.spectra[i], (number[own] > 0).sum(axis=0))
    assert tally.spectrum.shape == (len(tally.run), energies)


@settings(deadline=None)
@given(PADS, st.integers(1, 4), st.data())
def test_sums_piece_by_piece(flux, k, data):
    n = len(flux)
    labels = data.draw(hnp.arrays(np.int16, n, elements=st.integers(-1, k - 1)))
    run = data.draw(hnp.arrays(np.int64, n, elements=st.integers(3, 6)))
    cut = data.draw(st.integers(0, n))
    sums = Sums(k, flux.shape[1:], run)
    for at in (slice(cut), slice(cut, None)):
        sums.add(at, flux[at], labels[at], measured(flux[at]))
    found, whole = sums.tally().arrays(), Tally.of(flux, labels, k, run).arrays()
    for name, values in whole.items():
        np.testing.assert_allclose(found[name], values, rtol=1e-12, err_msg=name)


def test_sums_of_pieces_that_do_not_fit():
    flux = np.ones((3, 2, 2), np.float32)
    sums = Sums(2, (2, 2), np.zeros(5, np.int64))
    with pytest.raises(ValueError, match="3 records, 3 labels, 2 runs"):
        sums.add(slice(2), flux, np.zeros(3, np.int16), measured(flux))


@settings(deadline=None)
@given(PADS, ORDERS, st.sampled_from([(), (3.0,), (1.0, 2e8)]), st.data())
def test_records_are_cleaned_in_c_order(flux, order, fills, data):
    flux[flux == 0] = -1e31
    limits = Limits(fills, 1e-39, 1e29)
    n = len(flux)
    chosen = data.draw(
        st.one_of(
            st.slices(n).filter(lambda s: s.step in (None, 1)),
            hnp.arrays(np.intp, st.integers(0, 5), elements=st.integers(0, n - 1)),
        )
    )
    given = order(flux)
    before = given.copy()
    found, seen = clean_records(given, limits, chosen)
    np.testing.assert_array_equal(found, clean_flux(flux, limits)[chosen])
    for name, values in vars(measured(found)).items():
        np.testing.assert_array_equal(getattr(seen, name), values, err_msg=name)
    np.testing.assert_array_equal(given, before)
    assert found.flags.c_contiguous
    assert found.ctypes.data % 64 == 0 or not found.size


@settings(deadline=None)  # the first call compiles
@given(PADS, ORDERS, st.sampled_from([(), (3.0,)]))
def test_zeros_are_measured_and_not_positive_also_while_cleaning(flux, order, fills):
    clean, seen = clean_records(order(flux), Limits(fills), slice(None))
    np.testing.assert_array_equal(seen.bins, np.isfinite(clean).sum(axis=(1, 2)))
    np.testing.assert_array_equal(seen.positive, (clean > 0).sum(axis=(1, 2)))
    np.testing.assert_array_equal(seen.largest, np.nan_to_num(clean).max(axis=(1, 2)))


def test_a_fill_beyond_float32_takes_nothing_else_away():
    flux = np.array([[[1.0, 2.0]]], np.float32)
    for limits in (Limits((1e39,)), Limits((1.797e308,))):
        assert clean_flux(flux, limits).tolist() == [[[1.0, 2.0]]]
        assert clean_records(flux, limits, slice(None))[0].tolist() == [[[1.0, 2.0]]]
