"""Files with bytes that are not as they were written: what `benchmarks/fuzz.py` found."""

import struct

import numpy as np
import pytest
import xarray as xr
from helpers.cdf import write_day

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


@pytest.mark.parametrize("number", [2**31 - 1, 2**32 - 1, 10**6])
def test_more_netcdf_dimensions_than_a_file_has_are_damage(tmp_path, number):
    path = tmp_path / "a.nc"
    grid().to_netcdf(path, engine="scipy")
    data = bytearray(path.read_bytes())
    struct.pack_into(">I", data, 12, number)
    path.write_bytes(data)
    with pytest.raises(ReaderError, match=r"a\.nc cannot be read as netCDF"):
        xpad.open_dataset(path)


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


# CDF: where a length stands in an internal record of version 3, and how the record begins after it
CDR, VDR, VXR, VVR, GDR, ADR, ENTRY = 1, 8, 6, 7, 2, 4, 9


def positions(data, kind):
    """Where internal records of a kind begin, found by walking over all of them."""
    at = 8
    while at + 12 <= len(data):
        length, found = struct.unpack_from(">qi", data, at)
        if found == kind:
            yield at
        at += length


@pytest.mark.parametrize("kind", [CDR, GDR, VDR, ADR, ENTRY])
@pytest.mark.parametrize("length", [2**40, 0, -1])
def test_a_cdf_record_longer_than_its_file_is_damage(tmp_path, kind, length):
    path = tmp_path / "a.cdf"
    write_day(path)
    data = bytearray(path.read_bytes())
    at = next(positions(data, kind))
    struct.pack_into(">q", data, at, length)
    path.write_bytes(data)
    with pytest.raises(
        ReaderError, match=rf"a\.cdf is damaged: .* at byte {at} with {length} bytes"
    ):
        xpad.open_dataset(path)


@pytest.mark.parametrize("kind", [VXR, VVR])
def test_a_cdf_block_longer_than_memory_is_damage(tmp_path, kind):
    path = tmp_path / "a.cdf"
    write_day(path)
    data = bytearray(path.read_bytes())
    for at in positions(bytes(data), kind):
        struct.pack_into(">q", data, at, 2**60)
    path.write_bytes(data)
    with pytest.raises(ReaderError, match=r"a\.cdf is damaged: a block of variable"):
        xpad.open_dataset(path).load()


@pytest.mark.parametrize(("offset", "number", "told"), [
    (8 + 12 + 4, 2**31 - 2, "records of shape"),  # the last record
    (8 + 4 + 8 + 4 + 4 + 8 + 8 + 4 + 4 + 4 + 4 + 4, 10**9, "records of shape"),  # elements
])  # fmt: skip
def test_more_cdf_values_than_a_file_can_hold_are_damage(tmp_path, offset, number, told):
    path = tmp_path / "a.cdf"
    write_day(path)
    data = bytearray(path.read_bytes())
    at = next(positions(data, VDR)) + offset
    struct.pack_into(">i", data, at, number)
    path.write_bytes(data)
    with pytest.raises(
        ReaderError, match=f"{told}.* is announced, and the file has {len(data)} bytes"
    ):
        xpad.open_dataset(path)


@pytest.mark.parametrize("length", [2**60, -1])
def test_a_packed_cdf_longer_than_its_file_is_damage(tmp_path, length):
    path = tmp_path / "a.cdf"
    packed = struct.pack(">qiqq4x", length, 10, 40, 10**6) + b"\x1f\x8b" + bytes(40)
    path.write_bytes(b"\xcd\xf3\x00\x01\xcc\xcc\x00\x01" + packed)
    with pytest.raises(ReaderError, match=r"a\.cdf"):
        xpad.open_dataset(path)
