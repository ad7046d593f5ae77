"""Attributes that files can hold."""

import datetime
import json
from pathlib import Path

import numpy as np
import pytest
import xarray as xr

from xpad.storage.storable import storable, storable_value


def write_and_read(dataset: xr.Dataset, folder: Path) -> list[xr.Dataset]:
    dataset.to_zarr(folder / "a.zarr", consolidated=False)
    dataset.to_netcdf(folder / "a.nc", engine="h5netcdf")
    return [
        xr.open_zarr(folder / "a.zarr", consolidated=False, decode_timedelta=False).load(),
        xr.load_dataset(folder / "a.nc", engine="h5netcdf", decode_timedelta=False),
    ]


ODD = {
    "nested": {"VATT": {"DEPEND_1": "alpha", "FILLVAL": np.float32(-1e31)}, 3: None},
    "datetime": datetime.datetime(2013, 1, 1, 12),
    "datetime64": np.datetime64("2013-01-01"),
    "none": None,
    "bool": True,
    "numpy_bool": np.bool_(False),
    "mixed": ["a", 1, {"b": 2}],
    "times": [np.datetime64("2013-01-01", "ns"), datetime.date(2014, 1, 1)],
    "bools": [True, False],
    "text": np.str_("x"),
    "texts": np.array(["a", "b"]),
    "matrix": np.eye(2),
    "complex": np.complex128(1 + 2j),
    "bytes": b"abc",
    "huge": 2**70,
    "set": {1},
    "function": len,
    "empty": [],
    "objects": np.array([None, "a"], dtype=object),
    "zero_d": np.array(3.5),
    "datetimes": np.array(["2013-01-01"], dtype="M8[ns]"),
}


@pytest.mark.parametrize("key", ODD)
def test_every_odd_attribute_can_be_written(key: str, tmp_path: Path) -> None:
    dataset = xr.Dataset({"x": ("t", [1.0, 2.0], {key: ODD[key]})}, attrs={key: ODD[key]})
    for back in write_and_read(storable(dataset), tmp_path):
        np.testing.assert_array_equal(back["x"], dataset["x"])
        assert key in back.attrs
        assert key in back["x"].attrs


def test_numbers_text_and_flat_lists_stay_as_they_are() -> None:
    for value in ("a", 1, 2.5, np.float32(-1e31), np.int64(-(2**63)), [1.0, 2.0], ["a", "b"]):
        assert storable_value(value) == value
        assert type(storable_value(value)) is type(value)
    array = np.array([1, 2], dtype="f4")
    assert storable_value(array) is array


def test_json_keeps_what_the_file_could_not_hold() -> None:
    stored = json.loads(storable_value(ODD["nested"]))
    assert stored["VATT"] == {"DEPEND_1": "alpha", "FILLVAL": float(np.float32(-1e31))}
    assert stored["3"] is None
    assert storable_value(ODD["datetime"]) == "2013-01-01T12:00:00"
    assert storable_value(ODD["bools"]) == [1, 0]


def test_input_is_not_changed() -> None:
    times = xr.Variable("t", np.array(["2013-01-01"], dtype="M8[ns]"), {"units": "ns"})
    dataset = xr.Dataset({"x": ("t", [1.0], {"d": {}})}, {"t": times, "label": ("t", ["a"])})
    before = dataset.copy(deep=True)
    out = storable(dataset)
    assert dataset["x"].attrs == {"d": {}}
    assert dataset["t"].attrs == {"units": "ns"}
    assert dataset["label"].dtype == before["label"].dtype
    xr.testing.assert_identical(dataset, before)
    xr.testing.assert_equal(out, dataset)
    assert np.shares_memory(out["x"].values, dataset["x"].values)


def test_values_read_back_as_they_were(tmp_path: Path) -> None:
    """Units that look like time, and attributes of an encoding, change nothing on reading."""
    dataset = xr.Dataset(
        {
            "seconds": ("t", [1.0, 2.0], {"units": "seconds"}),
            "days": ("t", [1.0, 2.0], {"units": "days since 2000-01-01", "UNITS": "d"}),
            "scaled": ("t", [1.0, 2.0], {"scale_factor": 2.0, "_FillValue": 1.0}),
            "text": ("t", ["a", "bcd"]),
            "hdf5": ("t", [1.0, 2.0], {"NAME": "x", "CLASS": "y"}),
        },
        {"t": ("t", np.array(["2013-01-01", "NaT"], dtype="M8[ns]"), {"calendar": "x"})},
    )
    out = storable(dataset)
    assert out["seconds"].attrs == {"UNITS": "seconds"}
    assert out["scaled"].attrs == {"raw_scale_factor": 2.0, "raw_FillValue": 1.0}
    for back in write_and_read(out, tmp_path):
        xr.testing.assert_equal(back, dataset)


@pytest.mark.filterwarnings("ignore:Duplicate dimension names")  # cdflib's, for 3 x 3 tensors
@pytest.mark.parametrize("pattern", ["rbsp_hope/*.cdf", "mms_fpi/*20151201000000*.cdf"])
def test_raw_result_of_cdflib(shared_data: Path, tmp_path: Path, pattern: str) -> None:
    from cdflib.xarray import cdf_to_xarray

    (path,) = shared_data.glob(pattern)
    raw = cdf_to_xarray(str(path))
    if "mms" in pattern:
        with pytest.raises(ValueError, match="units"):
            raw.to_netcdf(tmp_path / "fails.nc", engine="h5netcdf")
    for back in write_and_read(storable(raw), tmp_path):
        xr.testing.assert_equal(back, raw)


def test_dask_values_stay_lazy() -> None:
    pytest.importorskip("dask")
    dataset = xr.Dataset({"x": ("t", np.arange(4.0), {"a": {}})}).chunk(t=2)
    assert storable(dataset)["x"].chunks == ((2, 2),)


def test_data_array(tmp_path: Path) -> None:
    array = xr.DataArray(
        np.ones((2, 3)),
        dims=("time", "v_dim"),
        coords={
            "time": np.array(["2013-01-01", "2013-01-02"], dtype="M8[ns]"),
            "v": ("v_dim", ["a", "b", "c"]),
        },
        name="FEDU",
        attrs={"CDF": {"VATT": {}}, "plot_options": {"create_time": datetime.datetime.now()}},
    )
    array["time"].attrs["units"] = "ns"
    out = storable(array)
    assert isinstance(out, xr.DataArray)
    assert out.attrs["CDF"] == '{"VATT": {}}'
    assert "units" in array["time"].attrs
    for back in write_and_read(out.to_dataset(), tmp_path):
        xr.testing.assert_equal(back["FEDU"], array)
