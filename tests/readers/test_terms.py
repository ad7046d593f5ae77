"""Files that state fills, ranges or units differently are each cleaned by their own, and joined in one's."""

import numpy as np
import pytest
import xarray as xr
from hypothesis import given, settings
from hypothesis import strategies as st

import xpad
from xpad.errors import ReaderError, XpadWarning
from xpad.readers.terms import Rule, Terms, rules
from xpad.simulation import to_cdf

KEV, MEV = "1/(cm^2 s sr keV)", "cm!E-2!N s!E-1!N sr!E-1!N MeV!E-1!N"


def day(number, unit="MeV", fill=-1e31, top=None):
    """A day of the simulation in other terms, and the same with NaN for what is missing."""
    ds = xpad.simulate(days=0.05, seed=number)
    ds = ds.assign_coords(Epoch=ds.Epoch + np.timedelta64(number, "D"))
    per = {"MeV": (1, MEV), "keV": (1000, KEV)}[unit]
    attrs = ds.FEDU.attrs | {"FILLVAL": fill, "UNITS": per[1], "units": per[1]}
    attrs.pop("VALIDMAX")
    clean = ds.FEDU.where(ds.FEDU >= 0)
    if top is not None:
        attrs["VALIDMAX"] = top
        clean = clean.where(~(clean > top))
    flux = (ds.FEDU.where(ds.FEDU >= 0) / per[0]).fillna(fill).astype("f4").assign_attrs(attrs)
    energy = xr.Variable(
        "FEDU_Energy", ds.FEDU_Energy.values * np.float32(per[0]),
        ds.FEDU_Energy.attrs | {"UNITS": unit, "units": unit},
    )  # fmt: skip
    return ds.assign(FEDU=flux).assign_coords(FEDU_Energy=energy), clean


EVERY = pytest.mark.parametrize("suffix", ["nc", "zarr", "cdf"])


def opened(tmp_path, *days, suffix):
    for number, one in enumerate(days):
        if suffix == "cdf":
            to_cdf(one, tmp_path)
        elif suffix == "nc":
            one.to_netcdf(tmp_path / f"{number}.nc")
        else:
            one.to_zarr(tmp_path / f"{number}.zarr", consolidated=False)
    return xpad.open_dataset(str(tmp_path / f"*.{suffix}"))


@EVERY
def test_fills_of_each_file_are_its_own(tmp_path, suffix):
    one, clean_one = day(0)
    two, clean_two = day(1, fill=99999.0)
    with pytest.warns(XpadWarning, match="state fill of 'FEDU' differently"):
        ds = opened(tmp_path, one, two, suffix=suffix)
    found = ds.pad.flux.transpose(*one.FEDU.dims[:1], "pitch_angle", "energy").values
    np.testing.assert_array_equal(found, np.concatenate([clean_one, clean_two]))


@EVERY
def test_what_is_a_fill_in_one_file_may_be_flux_in_the_other(tmp_path, suffix):
    one, clean = day(0)
    place = np.unravel_index(int(np.nanargmax(clean.values)), clean.shape)
    values = one.FEDU.values.copy()
    values[place] = 99999.0
    one = one.assign(FEDU=one.FEDU.copy(data=values))
    two, _ = day(1, fill=99999.0)
    with pytest.warns(XpadWarning):
        ds = opened(tmp_path, one, two, suffix=suffix)
    assert int((ds.pad.flux == 99999).sum()) == 1


@EVERY
def test_units_of_each_file_are_converted(tmp_path, suffix):
    one, clean_one = day(0)
    two, clean_two = day(1, unit="keV")
    with pytest.warns(XpadWarning, match="units of 'FEDU'"):
        ds = opened(tmp_path, one, two, suffix=suffix)
    assert ds.pad.flux.units == MEV
    np.testing.assert_array_equal(ds.FEDU_Energy, one.FEDU_Energy)
    found = ds.pad.flux.transpose(..., "pitch_angle", "energy").values
    np.testing.assert_allclose(found, np.concatenate([clean_one, clean_two]), rtol=1e-5)


@EVERY
def test_units_of_other_kinds_are_refused(tmp_path, suffix):
    one, two = day(0)[0], day(1)[0]
    two.FEDU.attrs.update(units="keV/(cm^2 s sr keV)", UNITS="keV/(cm^2 s sr keV)")
    with pytest.raises(ReaderError, match=r"'FEDU' is in .* cannot be converted.*drop_variables"):
        opened(tmp_path, one, two, suffix=suffix)


@EVERY
def test_ranges_of_each_file_are_its_own(tmp_path, suffix):
    one, clean_one = day(0, top=1e4)
    two, clean_two = day(1, top=1e5)
    with pytest.warns(XpadWarning, match="valid range"):
        ds = opened(tmp_path, one, two, suffix=suffix)
    found = ds.pad.flux.transpose(..., "pitch_angle", "energy").values
    np.testing.assert_array_equal(found, np.concatenate([clean_one, clean_two]))


@EVERY
def test_the_same_terms_change_nothing(tmp_path, suffix):
    ds = opened(tmp_path, day(0)[0], day(1)[0], suffix=suffix)
    assert ds.FEDU.dtype == np.float32
    assert not ds.FEDU.isnull().any()


TERMS = st.builds(
    Terms,
    fills=st.sampled_from([(), (-1e31,), (99.0,)]),
    low=st.just(0.0),
    high=st.sampled_from([50.0, 1e30]),
    unit=st.sampled_from([KEV, MEV, ""]),
)


@settings(deadline=None)
@given(st.lists(TERMS, min_size=2, max_size=4))
def test_a_rule_brings_the_values_of_a_file_to_the_first(stated):
    for own, rule in zip(stated, rules("j", stated, ["a"] * len(stated)), strict=True):
        values = np.array([0, 7, 60, 99, -1e31], dtype="f4")
        found = rule(values) if isinstance(rule, Rule) else values
        by = 1.0 if "" in (own.unit, stated[0].unit) else {KEV: 1000, MEV: 1}[own.unit]
        by /= 1.0 if "" in (own.unit, stated[0].unit) else {KEV: 1000, MEV: 1}[stated[0].unit]
        assert found[1] == pytest.approx(7 * by)
        if rule is not None:
            assert all(np.isnan(found[values == np.float32(fill)]).all() for fill in own.fills)
