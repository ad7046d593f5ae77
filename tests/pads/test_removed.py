"""What cleaning takes away is counted, by cause, whatever the data look like."""

import numpy as np
import pytest
import xarray as xr
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

import xpad
from xpad.errors import XpadWarning
from xpad.pads.removed import CAUSES, Removed, removed_from
from xpad.pads.valid import Limits, clean_flux, measured

VALUES = st.sampled_from(
    [0.0, -0.0, 1.0, 3.5, 7.0, 9.0, -1.0, -2.5, -1e28, -1e31, 1e31, 9.97e36, 99.0, np.inf, -np.inf, np.nan]
)  # fmt: skip
LIMITS = st.builds(
    Limits,
    fills=st.sampled_from([(), (99.0,), (-1.0,), (0.0,), (-1e31, 7.0)]),
    valid_min=st.sampled_from([0.0, 2.0]),
    valid_max=st.sampled_from([8.0, 1e30]),
    negative=st.sampled_from(["drop", "zero", "keep"]),
    zero_is_missing=st.booleans(),
)


@settings(deadline=None)
@given(arrays(np.float32, (5, 2, 3), elements=VALUES), LIMITS)
def test_every_value_is_measured_or_has_one_cause(flux, limits):
    clean = clean_flux(flux, limits)
    seen = measured(flux, limits)
    np.testing.assert_array_equal(seen.bins, np.isfinite(clean).sum(axis=(1, 2)))
    removed = removed_from(flux, limits, seen)
    assert removed.n_values == flux.size
    assert removed.values.sum() == np.isnan(clean).sum()
    counted = dict(zip(CAUSES, removed.values, strict=True))
    assert counted["infinite"] == np.isinf(flux).sum()
    if limits.negative != "drop":
        assert counted["negative"] == 0
    if not limits.zero_is_missing:
        assert counted["zero"] == 0


@settings(deadline=None)
@given(arrays(np.float32, (6, 2, 3), elements=VALUES), LIMITS)
def test_parts_add_up_to_the_whole(flux, limits):
    def of(part):
        return removed_from(part, limits, measured(part, limits, summed=True))

    whole, parts = of(flux), of(flux[:2]) + of(flux[2:])
    assert whole.as_dict() == parts.as_dict()
    assert Removed.of_stated(whole.stated()).as_dict() == whole.as_dict()


def data(change=None, **attrs):
    ds = xpad.simulate(days=0.3)
    flux = ds.FEDU if change is None else change(ds.FEDU).assign_attrs(ds.FEDU.attrs)
    return ds.assign(FEDU=flux.assign_attrs(attrs))


@pytest.mark.parametrize("dtype", ["f4", "f8", ">f4"])
def test_a_range_below_the_peak_is_told(dtype):
    flux = data().FEDU.values
    top = float(np.nanquantile(flux[flux > 0], 0.9))
    ds = data(lambda f: f.astype(dtype), VALIDMAX=top)
    found = ds.pad.check(progress=False)
    kept, all_of_it = flux[(flux > 0) & (flux <= top)].sum(), flux[flux > 0].sum()
    share = f"{1 - kept / all_of_it:.0%}"
    assert f"outside the valid range, 0 to {top:g}" in found.removed["out_of_range"]
    assert float(
        found.removed["out_of_range"].partition(", ")[2].partition("%")[0]
    ) == pytest.approx(float(share[:-1]), abs=1)
    with pytest.warns(XpadWarning, match="outside the valid range.*valid_range='ignore'"):
        out = ds.pad.cluster(encoder=None, k=3, progress=False)
    assert "out_of_range" in out.attrs["pad_cleaning"]
    whole = data().pad.cluster(encoder=None, k=3, progress=False)
    again = ds.pad.cluster(encoder=None, k=3, progress=False, valid_range="ignore")
    np.testing.assert_array_equal(whole.pad_label, again.pad_label)
    wide = ds.pad.cluster(encoder=None, k=3, progress=False, valid_range=(0, 1e9))
    np.testing.assert_array_equal(whole.pad_label, wide.pad_label)


def test_negative_values_are_told_and_kept_as_asked():
    level = float(np.nanquantile(data().FEDU, 0.7))
    ds = data(lambda f: f - np.float32(level))
    assert "negative" in ds.pad.check(progress=False).removed
    with pytest.warns(XpadWarning, match="negative='zero'"):
        model = ds.pad.fit(encoder=None, k=3, progress=False, missing="mask")
    assert model.provenance["cleaning"]["removed"]["negative"]["share"] > 0.2
    zero = xpad.fit(ds, encoder=None, k=3, progress=False, negative="zero")
    of_zeros = data(lambda f: (f - np.float32(level)).where(~(f - np.float32(level) < 0), 0))
    expected = xpad.fit(of_zeros, encoder=None, k=3, progress=False)
    np.testing.assert_array_equal(zero.centres, expected.centres)
    kept = ds.pad.cluster(encoder=None, k=3, progress=False, negative="keep")
    assert kept.pad_error.notnull().any()
    assert "negative" not in ds.pad.check(progress=False, negative="keep").removed


def test_predict_cleans_as_the_fit_did():
    ds = data(VALIDMAX=1.0)
    model = xpad.fit(ds, encoder=None, k=3, progress=False, valid_range="ignore")
    assert (xpad.predict(ds, model).pad_label >= 0).any()


def test_half_of_the_bins_missing_is_told():
    ds = data(lambda f: f.where((np.arange(f.size).reshape(f.shape) * 7919) % 13 < 6))
    with pytest.warns(XpadWarning, match="lack 5[0-9].*missing='mask'"):
        ds.pad.fit(encoder=None, k=3, progress=False)
    assert "lack 5" in repr(ds.pad.check(progress=False))
    ds.pad.fit(encoder=None, k=3, progress=False, missing="mask")


def test_zeros_that_mean_missing():
    ds = data(lambda f: f.where(f.notnull(), 0))
    expected = data().pad.check(progress=False)
    found = ds.pad.check(progress=False, zeros="missing")
    assert found.reasons == expected.reasons
    assert "zero" in found.removed
    stated = ds.assign(FEDU=ds.FEDU.assign_attrs(xpad_zero_is_missing=1))
    assert stated.pad.check(progress=False).removed == found.removed


def test_values_beyond_the_grid_are_counted():
    n = 400
    rng = np.random.default_rng(0)
    energy = np.tile(np.geomspace(10, 100, 6), (n, 1))
    energy[300:] *= 30
    ds = xr.Dataset(
        {"j": (("time", "energy_bin", "pa"), rng.random((n, 6, 9), np.float32) + 1)},
        coords={
            "time": np.datetime64("2020-01-01", "ns") + np.arange(n) * np.timedelta64(1, "s"),
            "pa": ("pa", np.linspace(10, 170, 9), {"units": "deg", "long_name": "pitch angle"}),
            "energy": (("time", "energy_bin"), energy, {"units": "keV", "long_name": "energy"}),
        },
    )
    ds.j.attrs["units"] = "1/(cm^2 s sr keV)"
    with pytest.warns(XpadWarning, match="change in time"):
        found = ds.pad.check(progress=False)
    assert found.removed["beyond_grid"].startswith("5,400 values (25.00%, 2")


@pytest.mark.parametrize("chunk", [None, 100, 333])
def test_counts_do_not_depend_on_chunks(chunk):
    ds = data(VALIDMAX=100.0)
    ds = ds if chunk is None else ds.chunk(Epoch=chunk)
    whole = data(VALIDMAX=100.0).pad.check(progress=False)
    assert ds.pad.check(progress=False).removed == whole.removed


def test_what_is_made_of_a_result_is_cleaned_as_it_was():
    level = float(np.nanquantile(data().FEDU, 0.7))
    ds = data(lambda f: f - np.float32(level))
    kept = ds.pad.cluster(encoder=None, k=3, progress=False, negative="keep")
    zero = ds.pad.cluster(encoder=None, k=3, progress=False, negative="zero")
    assert (
        float(kept.pad.catalogue().pad_mean.min()) < 0 <= float(zero.pad.catalogue().pad_mean.min())
    )


@pytest.mark.filterwarnings("error::RuntimeWarning")
def test_a_fill_beyond_single_precision_is_infinite():
    flux = np.array([[[1.0, np.inf, 2.0]]], dtype=np.float32)
    limits = Limits(fills=(-1e300, 1e300))
    found = removed_from(flux, limits, measured(flux, limits))
    assert {c: found["values"] for c, found in found.as_dict()["removed"].items()} == {
        "infinite": 1
    }
