"""NetCDF files with and without groups, and Zarr stores."""

import warnings
from pathlib import Path

import dask
import numpy as np
import pytest
import xarray as xr

from xpad.errors import ReaderError, XpadWarning
from xpad.readers import open_dataset
from xpad.readers.netcdf import flatten


@pytest.fixture
def example() -> xr.Dataset:
    times = np.array(["2013-01-01", "2013-01-02", "2013-01-03"], dtype="M8[ns]")
    return xr.Dataset(
        {
            "J": (("time", "alpha", "E"), np.arange(30.0).reshape(3, 5, 2), {"units": "s-1"}),
            "L": ("time", np.arange(3.0)),
            "text": ("alpha", list("abcde")),
            "width": ("E", [1.0, 2.0]),
        },
        {"time": times, "alpha": np.arange(5.0), "E": [1.0, 2.0]},
    )


def write_groups(path: Path) -> None:
    xr.Dataset({"n": ("time", [1, 2])}, attrs={"title": "root"}).to_netcdf(path, engine="h5netcdf")
    flux = xr.Dataset(
        {
            "J": (("time", "E_dim", "alpha"), np.ones((2, 3, 4), "f4")),
            "B": ("time", [1.0, 2.0]),
        },
        attrs={"title": "flux"},
    )
    flux.to_netcdf(path, group="flux", mode="a", engine="h5netcdf")
    model = xr.Dataset({"B": ("time", [3.0, 4.0])})
    model.to_netcdf(path, group="field/T89", mode="a", engine="h5netcdf")


def test_groups_are_flattened(tmp_path: Path) -> None:
    write_groups(tmp_path / "a.nc")
    ds = open_dataset(tmp_path / "a.nc")
    assert set(ds.data_vars) == {"n", "J", "flux_B", "field_T89_B"}
    np.testing.assert_array_equal(ds["field_T89_B"], [3.0, 4.0])
    assert ds.attrs == {"title": "root", "flux_title": "flux"}
    assert ds["J"].chunks is not None
    assert set(open_dataset(tmp_path / "a.nc", "J")) == {"J", "n", "flux_B", "field_T89_B"}


def test_variable_with_the_name_of_its_dimension() -> None:
    energy = xr.Variable(("time", "energy"), [[1.0, 2.0]])
    parts = {
        "/": xr.Dataset({"time": ("time", [0.0])}),
        "/flux": xr.Dataset({"J": (("time", "energy"), [[5.0, 6.0]])}).assign(energy_=energy),
    }
    parts["/flux"] = xr.Dataset(
        {name.rstrip("_"): item for name, item in parts["/flux"].variables.items()}
    )
    flat = flatten(parts)
    assert flat["J"].dims == flat["energy"].dims == ("time", "energy_dim")
    assert "energy" in flat.coords


def test_times_in_posix_seconds(tmp_path: Path) -> None:
    seconds = np.array([1504828800.0, 1504832384.0], dtype="f4")
    ds = xr.Dataset({"J": ("time", [1.0, 2.0])}, {"time": ("time", seconds)})
    ds["time"].attrs["units"] = "posixtime"
    ds.to_netcdf(tmp_path / "a.nc", engine="h5netcdf")
    found = open_dataset(tmp_path / "a.nc")
    assert found["time"].values[0] == np.datetime64("2017-09-08", "ns")
    assert found["time"].attrs["UNITS"] == "posixtime"
    assert "128 s" in found["time"].attrs["comment"]
    np.testing.assert_array_equal(found["J"], [1.0, 2.0])


@pytest.mark.parametrize("kind", ["nc", "zarr", "nc3"])
@pytest.mark.parametrize("chunks", ["auto", None, {"time": 2}])
def test_plain_files(tmp_path: Path, example: xr.Dataset, kind: str, chunks: object) -> None:
    path = tmp_path / ("a.zarr" if kind == "zarr" else "a.nc")
    example["text"] = example["text"].astype(object)
    if kind == "zarr":
        example.to_zarr(path, consolidated=False)
    elif kind == "nc3":
        example.drop_vars("text").to_netcdf(path, engine="scipy")
    else:
        example.to_netcdf(path, engine="h5netcdf")
    with dask.config.set(scheduler=lambda *args, **kwargs: pytest.fail("computed")):
        ds = open_dataset(path, chunks=chunks)
    assert (ds["J"].chunks is None) is (chunks is None)
    if chunks == {"time": 2}:
        assert ds["J"].chunks[0] == (2, 1)
    xr.testing.assert_equal(ds, example[list(ds)])
    assert ds.encoding["source"] == str(path)


@pytest.mark.parametrize("kind", ["nc", "zarr"])
def test_many_files_are_joined_in_time(tmp_path: Path, example: xr.Dataset, kind: str) -> None:
    example = example.drop_vars("text")
    for name, part in (("a", slice(2, 3)), ("b", slice(0, 2))):
        piece = example.isel(time=part)
        if kind == "zarr":
            piece.to_zarr(tmp_path / f"{name}.zarr", consolidated=False)
        else:
            piece.to_netcdf(tmp_path / f"{name}.nc", engine="h5netcdf")
    with dask.config.set(scheduler=lambda *args, **kwargs: pytest.fail("computed")):
        ds = open_dataset(tmp_path / f"*.{kind}")
    xr.testing.assert_equal(ds, example)


def test_files_that_do_not_fit_together(tmp_path: Path, example: xr.Dataset) -> None:
    example.to_netcdf(tmp_path / "a.nc", engine="h5netcdf")
    example.isel(E=[0]).to_netcdf(tmp_path / "b.nc", engine="h5netcdf")
    with pytest.raises(ReaderError, match="cannot be joined along 'time'"):
        open_dataset(tmp_path / "*.nc")
    xr.Dataset({"x": 1}).to_netcdf(tmp_path / "b.nc", engine="h5netcdf")
    with pytest.raises(ReaderError, match="share no record dimension"):
        open_dataset(tmp_path / "*.nc")


def test_url(example: xr.Dataset) -> None:
    pytest.importorskip("fsspec")
    example.drop_vars("text").to_zarr("memory://xpad-test.zarr", consolidated=False)
    ds = open_dataset("memory://xpad-test.zarr", "J")
    assert set(ds) == {"J", "L"}
    xr.testing.assert_equal(ds["J"], example["J"])


def test_store_with_groups_opens_at_its_root(tmp_path: Path, example: xr.Dataset) -> None:
    tree = xr.DataTree.from_dict({"/": example.drop_vars("text"), "/model": xr.Dataset({"k": 8})})
    tree.to_zarr(tmp_path / "out.zarr", consolidated=False)
    ds = open_dataset(tmp_path / "out.zarr")
    assert "J" in ds
    assert "k" not in ds
    model = xr.DataTree.from_dict({"/model": xr.Dataset({"k": 8})})
    model.to_zarr(tmp_path / "model.zarr", consolidated=False)
    with pytest.raises(ReaderError, match="load_model"):
        open_dataset(tmp_path / "model.zarr")


@pytest.mark.parametrize("name", ["a.nc", "a.zarr"])
def test_damaged(tmp_path: Path, example: xr.Dataset, name: str) -> None:
    path = tmp_path / name
    if name == "a.zarr":
        path.mkdir()
        (path / "zarr.json").write_text("{")
    else:
        example.to_netcdf(path, engine="h5netcdf")
        path.write_bytes(path.read_bytes()[:2000])
    with pytest.raises(ReaderError, match=rf"{name} cannot be read"):
        open_dataset(path)


def test_unknown_variable(tmp_path: Path, example: xr.Dataset) -> None:
    example.to_netcdf(tmp_path / "a.nc", engine="h5netcdf")
    with pytest.raises(ReaderError, match=r"no variable 'K'\. It holds J"):
        open_dataset(tmp_path / "a.nc", "K")


@pytest.mark.parametrize("kind", ["nc", "zarr"])
def test_one_damaged_file_is_left_out_and_named(
    tmp_path: Path, example: xr.Dataset, kind: str
) -> None:
    bad = tmp_path / f"a.{kind}"
    if kind == "zarr":
        example.drop_vars("text").to_zarr(tmp_path / "b.zarr", consolidated=False)
        bad.mkdir()
        (bad / "zarr.json").write_text("{")
    else:
        example.to_netcdf(tmp_path / "b.nc", engine="h5netcdf")
        bad.write_bytes((tmp_path / "b.nc").read_bytes()[:2000])
    with pytest.raises(ReaderError, match=rf"a\.{kind} cannot be read"):
        open_dataset(tmp_path / f"*.{kind}")
    with pytest.warns(XpadWarning, match=rf"1 of 2 files.*a\.{kind} cannot be read") as caught:
        ds = open_dataset(tmp_path / f"*.{kind}", on_error="skip")
    assert (len(caught), caught[0].filename) == (1, __file__)
    assert ds.attrs["xpad_skipped"] == [str(bad)]
    assert ds.encoding["source"] == str(tmp_path / f"b.{kind}")
    xr.testing.assert_equal(ds["J"], example["J"])


@pytest.mark.parametrize("kind", ["nc", "zarr"])
@pytest.mark.parametrize("fault", [DeprecationWarning("old"), MemoryError("full")])
def test_what_is_no_fault_of_the_file_is_not_told_as_one(
    tmp_path: Path,
    example: xr.Dataset,
    kind: str,
    fault: Exception,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    example = example.drop_vars("text")
    if kind == "zarr":
        example.to_zarr(tmp_path / "a.zarr", consolidated=False)
    else:
        example.to_netcdf(tmp_path / "a.nc", engine="h5netcdf")

    def failing(*args: object, **options: object) -> None:
        raise fault

    monkeypatch.setattr(xr, "open_dataset", failing)
    monkeypatch.setattr(xr, "open_groups", failing)
    with pytest.raises(type(fault), match=str(fault)) as error:
        open_dataset(tmp_path / f"a.{kind}", on_error="skip")
    assert f"a.{kind}" in error.value.__notes__[-1]


def test_rbsp_ect_combined(shared_data: Path, tmp_path: Path) -> None:
    ds = open_dataset(shared_data / "rbsp_ect_combined" / "*.nc")
    assert ds["FEDU"].dims == ("time", "energy_dim", "alpha")
    assert ds["energy"].dims == ("time", "energy_dim")
    assert "energy" in ds.coords
    assert {"alpha_local", "alpha_eq", "MLT", "Lstar", "B_local"} <= set(ds.data_vars)
    assert ds["time"].values[0] == np.datetime64("2017-09-08", "ns")
    assert float(ds["FEDU"].min()) == np.float32(-1e31)
    assert float(ds["energy"].min()) == pytest.approx(-1e28)  # one step of float32 below it
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        ds.to_zarr(tmp_path / "out.zarr", consolidated=False)
        ds.to_netcdf(tmp_path / "out.nc", engine="h5netcdf")
        zarr = xr.open_zarr(tmp_path / "out.zarr", consolidated=False).load()
    for back in (zarr, xr.load_dataset(tmp_path / "out.nc", engine="h5netcdf")):
        xr.testing.assert_equal(back, ds.load())
