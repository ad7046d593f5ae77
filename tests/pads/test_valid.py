"""What counts as measured: the compiled loops beside what NumPy says."""

import numpy as np
from helpers.pads import ORDERS, PADS
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from xpad.pads.valid import Limits, clean_flux, clean_records, measured, note_measured


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
