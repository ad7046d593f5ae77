"""Fills and invalid values become NaN; nothing else does."""

from __future__ import annotations

import warnings
from typing import Any

import numpy as np
import pytest
import xarray as xr
from helpers import missions
from hypothesis import given, settings
from hypothesis import strategies as st

import xpad
from xpad.errors import RolesError
from xpad.pads.clean import clean_energy, clean_pitch_angle, limits_of
from xpad.pads.valid import Limits, clean_flux


@pytest.fixture(autouse=True)
def _no_warning() -> Any:
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        yield


def cleaned(values: Any, dtype: Any = "f4", **attrs: Any) -> list[float]:
    array = np.asarray(values, dtype=dtype)
    before = array.copy()
    found = clean_flux(array, limits_of(attrs))
    np.testing.assert_array_equal(array, before)
    assert found.dtype == np.float32
    assert found.dtype.isnative
    return found.tolist()


def is_missing(values: list[float]) -> list[bool]:
    return np.isnan(values).tolist()


@pytest.mark.parametrize("fill", [-1e31, -1e38, -1e28, -2.4e32, -1, -32768, np.nan, np.inf, -np.inf,
                                  9.97e36, 1e31, -1e-30])  # fmt: skip
@pytest.mark.parametrize("dtype", ["f4", ">f4", "f8", ">f8"])
def test_fills_without_metadata(fill: float, dtype: str) -> None:
    assert is_missing(cleaned([1, fill, 0, 3e9], dtype)) == [False, True, False, False]


@pytest.mark.parametrize(
    "stated",
    [
        np.float64(-1e31),
        np.float32(-1e31),
        [-1e31],
        np.array([-1e31]),
        "-1e31",
        "none",
        None,
        [],
        np.nan,
        {"a": 1},
        np.datetime64("2013-01-01"),
    ],
)
def test_the_attribute_in_any_form(stated: Any) -> None:
    # The data's fill is the header's, or another one.
    values = [5.0, -1e31, -1e38]
    assert is_missing(cleaned(values, FILLVAL=stated)) == [False, True, True]


@pytest.mark.parametrize("name", ["FILLVAL", "_FillValue", "missing_value", "FILL_VALUE"])
@pytest.mark.parametrize("fill", [99999.0, 1e10, 4294967295, 0.1])
def test_positive_fills_are_told_by_metadata(name: str, fill: float) -> None:
    # A double in the attributes is not the float32 in the data: 0.1, 4294967295.
    values = [fill, fill * 1.001, fill * 0.999, 0.0]
    for dtype in ("f4", "f8"):
        # As float32 also where a loader widened the data.
        stored = np.array(values, "f4").astype(dtype)
        assert is_missing(cleaned(stored, dtype, **{name: fill})) == [True, False, False, False]
    assert is_missing(cleaned(values)) == [False] * 4
    tplot = {"CDF": {"VATT": {"FILLVAL": fill}}}
    assert is_missing(cleaned(values, **tplot)) == [True, False, False, False]


def test_fill_in_the_encoding() -> None:
    assert limits_of({}, {"_FillValue": np.float32(7)}).fills == (7.0,)


@pytest.mark.parametrize("dtype", ["u1", "u2", ">u2", "u4", ">u4", "i2", ">i2", "i4", "i8"])
def test_integers(dtype: str) -> None:
    top = np.iinfo(dtype).max
    stated = 2**62 if dtype == "i8" else top
    values = [0, 1, 100, stated]
    assert cleaned(values, dtype, FILLVAL=stated)[:3] == [0, 1, 100]
    assert is_missing(cleaned(values, dtype, FILLVAL=stated)) == [False, False, False, True]
    if np.dtype(dtype).kind == "i":
        lowest = np.iinfo(dtype).min
        assert is_missing(cleaned([0, -1, lowest], dtype)) == [False, True, True]
    elif dtype != "u1":
        assert is_missing(cleaned([0, top - 100, top], dtype)) == [False, False, True]


def test_integer_fill_without_metadata() -> None:
    assert is_missing(cleaned([5, 4294967295], "u4")) == [False, True]
    assert is_missing(cleaned([5, -32768, 32767], "i2")) == [False, True, True]


@pytest.mark.parametrize("shape", [(), (1,), "array"])
def test_valid_range(shape: Any) -> None:
    low, high = 10.0, 1e6
    attrs: dict[str, Any] = {"VALIDMIN": low, "VALIDMAX": high}
    if shape:
        attrs = {k: np.array([v]) for k, v in attrs.items()}
    values = [9.0, 10.0, 1e6, 1.1e6, 0.0]
    assert is_missing(cleaned(values, **attrs)) == [True, False, False, True, True]


@given(st.floats(1e-3, 1e20), st.sampled_from(["f4", "f8", ">f4"]))
@settings(deadline=None)
def test_the_edges_of_the_valid_range_survive_rounding(edge: float, dtype: str) -> None:
    # The bound is a double, the data's own float32 of it may lie beyond.
    stored = np.array([edge], dtype="f4").astype(dtype)
    for bounds in ({"VALIDMAX": edge}, {"VALIDMIN": edge, "VALIDMAX": edge * 2}):
        assert np.isfinite(clean_flux(stored, limits_of(bounds))).all()
    assert np.isnan(clean_flux(stored * 1.01, limits_of({"VALIDMAX": edge}))).all()


@pytest.mark.parametrize(
    ("low", "high"),
    [
        (0.0, 0.0),
        (5.0, 5.0),
        (10.0, 1.0),
        (0.0, -1e31),
        (1e31, 1e30),
        (np.nan, np.nan),
        (-1e31, 1e38),
        (0.0, 1.79e308),
        (0.0, np.inf),
        ("low", "high"),
        (0.0, "1.0E+33"),
    ],
)
def test_a_range_that_says_nothing(low: Any, high: Any) -> None:
    values = [0.0, 1.0, 1e20, -1.0, 1e31]
    found = cleaned(values, VALIDMIN=low, VALIDMAX=high)
    assert is_missing(found) == [False, False, False, True, True]


@given(
    st.lists(
        st.one_of(
            st.floats(0, 2.0**96, width=32), st.sampled_from([-1e31, np.nan, np.inf, -1.0, 9.97e36])
        ),
        min_size=1,
        max_size=20,
    )
)
@settings(deadline=None)
def test_only_what_is_no_measurement_goes(values: list[float]) -> None:
    array = np.array(values, dtype="f4")
    found = clean_flux(array, limits_of({"FILLVAL": -1e31}))
    good = np.isfinite(array) & (array >= 0) & (array < 1e30)
    np.testing.assert_array_equal(found[good], array[good])
    assert np.isnan(found[~good]).all()
    np.testing.assert_array_equal(clean_flux(found, Limits()), found)


def test_minus_zero_and_half_precision() -> None:
    assert cleaned([-0.0, 1.5], "f2") == [0.0, 1.5]


# -- axes --------------------------------------------------------------------------------


def test_energies() -> None:
    values = np.array([-1, 0, 1.5, -1e31, -1e28, 1e31, np.inf, np.nan, 9.97e36], dtype="f4")
    assert is_missing(clean_energy(values).tolist()) == [True, True, False] + [True] * 6
    assert is_missing(clean_energy(np.array([5, 999.0]), Limits((999.0,))).tolist()) == [
        False,
        True,
    ]


def test_pitch_angles() -> None:
    values = np.array([-1e31, -1.5, 0, 90, 180, 181.5, 270, 360, 400, np.nan])
    expected = [np.nan, 1.5, 0, 90, 180, 178.5, 90, 0, np.nan, np.nan]
    np.testing.assert_allclose(clean_pitch_angle(values), expected, atol=1e-9)
    radians = clean_pitch_angle(np.deg2rad(values), radians=True)
    np.testing.assert_allclose(radians, expected, atol=1e-6)
    filled = clean_pitch_angle(np.array([1.0, 255]), Limits((255.0,)), radians=True)
    assert is_missing(filled.tolist()) == [False, True]


def test_bins_whose_place_is_fill_go(caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level("INFO", logger="xpad.pads.canonical"):
        flux = xpad.flux(missions.mageis_protons().raw())
    assert flux.sizes["pitch_angle"] == 15
    assert "17 of 32 bins are fill in pitch_angle and left out" in caplog.text
    flux = xpad.flux(missions.rbspice().raw())
    assert flux.sizes["energy"] == 12


def test_fill_in_tables_is_nan() -> None:
    flux = xpad.flux(missions.mageis().raw())
    assert np.isnan(flux.energy_table.values).sum(axis=1).tolist() == [1] * missions.RECORDS
    flux = xpad.flux(missions.ect_combined())
    assert flux.sizes["energy"] == 10
    assert np.isnan(flux.pitch_angle_table).sum("pitch_angle").values.tolist() == [0] * 4 + [18, 0]


@pytest.mark.parametrize("axis", ["FEDU_Alpha", "FEDU_Energy"])
def test_an_axis_that_is_all_fill_is_named(axis: str) -> None:
    ds = missions.rept().raw()
    ds[axis] = ds[axis].copy(data=np.full(ds.sizes[axis], -1e31, "f4"))
    with pytest.raises(RolesError, match="value of the flux FEDU is fill"):
        xpad.flux(ds)


@pytest.mark.parametrize("unit", ["rad", "radians", "Radian"])
def test_pitch_angles_in_radians(unit: str) -> None:
    ds = missions.rept().raw()
    attrs = {**ds.FEDU_Alpha.attrs, "UNITS": unit, "units": unit}
    radians = np.deg2rad(ds.FEDU_Alpha.values)
    found = xpad.flux(ds.assign_coords(FEDU_Alpha=("FEDU_Alpha", radians, attrs)))
    np.testing.assert_allclose(found.pitch_angle, missions.REPT_ALPHA, rtol=1e-5)
    assert found.pitch_angle.attrs["units"] == "deg"


@pytest.mark.parametrize("dtype", ["f8", ">f4", "i4", "u2"])
@pytest.mark.parametrize("lazily", [False, True])
def test_fluxes_of_any_type(dtype: str, lazily: bool) -> None:
    ds = missions.plain(time=2)
    expected = ds.f.values.round().astype("f4")
    ds["f"] = ds.f.round().astype(dtype)
    flux = xpad.flux(ds.chunk() if lazily else ds)
    assert flux.dtype == np.float32
    np.testing.assert_array_equal(flux, expected)


def test_the_real_hope_file(shared_data: Any) -> None:
    from cdflib.xarray import cdf_to_xarray

    path = next(shared_data.glob("rbsp_hope/*.cdf"))
    ds = cdf_to_xarray(str(path), to_datetime=True)
    flux = xpad.flux(ds)
    raw = ds.FEDU.values.transpose(0, 2, 1)
    fill = (raw < 0) | ~np.isfinite(raw)
    np.testing.assert_array_equal(np.isnan(flux), fill)
    np.testing.assert_array_equal(flux.values[~fill], raw[~fill])
    assert flux.isel(pitch_angle=[0, -1]).isnull().all()
    assert isinstance(flux, xr.DataArray)
