"""Files with bytes that are not as they were written: what `benchmarks/fuzz.py` found."""

import numpy as np
import pytest
import xarray as xr

import xpad
from xpad.errors import ReaderError, XpadWarning


def grid():
    rng = np.random.default_rng(0)
    return xr.Dataset(
        {"FEDU": (("time", "pitch_angle", "energy"), rng.gamma(2, 10, (400, 6, 4)).astype("f4"))},
        {"time": np.datetime64("2013-03-01", "ns") + np.arange(400) * np.timedelta64(11, "s"),
         "pitch_angle": ("pitch_angle", np.linspace(15, 165, 6), {"units": "deg"}),
         "energy": ("energy", [1.0, 2, 3, 4], {"units": "MeV"})},
    )  # fmt: skip


def damage_zarr(folder):
    path = folder / "a.zarr"
    grid().to_zarr(path, consolidated=False)
    chunk = max((path / "FEDU").rglob("*"), key=lambda found: found.stat().st_size)
    chunk.write_bytes(b"\0" * chunk.stat().st_size)
    return path


def damage_netcdf(folder):
    path = folder / "a.nc"
    grid().to_netcdf(path, engine="h5netcdf", encoding={"FEDU": {"zlib": True}})
    data = bytearray(path.read_bytes())
    data[len(data) // 2 : len(data) // 2 + 400] = bytes(400)
    path.write_bytes(data)
    return path


def test_what_a_library_warns_of_a_file_names_it(tmp_path):
    ds = xr.Dataset({"j": ("time", [1.0, 2])}, {"time": ("time", [0, 10**6])})
    ds["time"].attrs["units"] = "days since 1970-01-01"  # and so the year 4707
    ds.to_zarr(tmp_path / "a.zarr", consolidated=False)
    with pytest.warns(XpadWarning, match=r"a\.zarr: .*out of range"):
        xpad.open_dataset(tmp_path / "a.zarr")


def test_arrays_that_are_told_are_indexed_as_any(tmp_path):
    ds = grid()
    ds.to_zarr(tmp_path / "a.zarr", consolidated=False)
    for chunks in (None, "auto"):
        opened = xpad.open_dataset(tmp_path / "a.zarr", chunks=chunks)["FEDU"]
        for key in (np.s_[3, 2], np.s_[[5, 3, 9], ::-1, [0, 2]], np.s_[::7, 1]):
            np.testing.assert_array_equal(opened[key].values, ds["FEDU"][key].values)
        points = {dim: xr.DataArray([1, 2], dims="point") for dim in ("time", "energy")}
        xr.testing.assert_equal(opened.isel(points), ds["FEDU"].isel(points))


@pytest.mark.parametrize("damaged", [damage_zarr, damage_netcdf])
def test_chunks_that_cannot_be_read_are_named(damaged, tmp_path):
    path = damaged(tmp_path)
    ds = xpad.open_dataset(path)
    with pytest.raises(ReaderError, match=r"a\.(zarr|nc): variable 'FEDU' cannot be read: "):
        ds["FEDU"].load()
    with pytest.raises(ReaderError, match="variable 'FEDU'"):
        xpad.check(ds, progress=False)
