"""What a finished store holds: every variable of the data as it was, and the results."""

import warnings

import numpy as np
import pytest
import xarray as xr
import zarr
from helpers import QUICK
from helpers.writing import assert_same

import xpad
from xpad.results.variables import RECORD_VARIABLES

pytestmark = [
    pytest.mark.filterwarnings("ignore:the autoencoder has hardly:xpad.XpadWarning"),
    pytest.mark.filterwarnings("ignore:.*process .* is multi-threaded:DeprecationWarning"),
]


@pytest.mark.parametrize("lazy", [True, False])
def test_numbers_of_any_kind_come_back(ds, fitted, tmp_path, lazy):
    n = ds.sizes["time"]
    rng = np.random.default_rng(0)
    steps = rng.integers(-(10**9), 10**9, n)
    stamps = np.datetime64("2015-03-01", "ms") + steps.astype("timedelta64[ms]")
    stamps[7] = np.datetime64("NaT", "ns")
    gap = steps.astype("timedelta64[us]")
    gap[3] = np.timedelta64("NaT", "ns")
    real = rng.normal(size=n)
    real[11] = np.nan
    own = {
        "stamp": stamps,
        "gap": gap,
        "eclipse": steps > 0,
        "orbit": steps.astype(">i4"),
        "flags": steps.astype(np.uint8),
        "real": real,
        "swapped": real.astype(">f4"),
        "exact": rng.integers(2**62, 2**63 - 1, n),
    }
    given = ds.assign({name: ("time", values) for name, values in own.items()})
    given = given.chunk(time=50) if lazy else given.compute()
    out = xpad.predict_to_zarr(given, fitted, tmp_path / "out.zarr", progress=False)
    for name, values in own.items():
        np.testing.assert_array_equal(out[name].values, values, err_msg=name)
        # xarray chooses the resolution of times when it opens a store.
        assert out[name].dtype.kind == values.dtype.kind
        assert out[name].dtype.itemsize == values.dtype.itemsize


def test_times_of_another_resolution_than_their_blocks_promise(ds, fitted, tmp_path):
    import dask.array as da

    stamps = ds.time.values + np.timedelta64(5, "s")
    promised = da.from_array(stamps, chunks=50).map_blocks(
        lambda block: block.astype("M8[s]"), dtype=stamps.dtype, meta=np.empty(0, stamps.dtype)
    )
    given = ds.assign(stamp=("time", promised))
    out = xpad.predict_to_zarr(given, fitted, tmp_path / "out.zarr", progress=False)
    np.testing.assert_array_equal(out.stamp, stamps)


def test_store_holds_its_model_and_readable_chunks(ds, tmp_path):
    path = tmp_path / "out.zarr"
    xpad.cluster_to_zarr(ds, path, **QUICK)
    assert xpad.load_model(path).k == 3
    group = zarr.open_group(path, mode="r")
    for name, variable in RECORD_VARIABLES.items():
        array = group[f"pad_{name}"]
        assert array.chunks == ((100, 3) if name == "pc" else (100,))
        assert array.dtype == variable.dtype
        np.testing.assert_equal(array.fill_value, variable.missing)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert xr.open_zarr(path).pad_label.dtype == np.int16


@pytest.mark.parametrize("chunks", [None, {"time": 77}, {"time": -1}])
def test_text_and_whatever_is_not_of_the_records_is_written(ds, tmp_path, chunks):
    n = ds.sizes["time"]
    held = ds.compute().assign_coords(
        orbit=("time", np.array([f"o{i}" for i in range(n)], dtype=object)),
        phase=("time", np.exp(1j * np.arange(n))),
        number=("time", np.arange(n, dtype=np.int8)),
        species=("kind", np.array(["e-", "H+"], dtype=object)),
        table=(("kind", "place"), np.arange(2.0 * 5000).reshape(2, 5000)),
    )
    given = held if chunks is None else held.chunk(chunks)
    out = xpad.cluster_to_zarr(given, tmp_path / "out.zarr", keep_flux=True, **QUICK)
    for name in ("orbit", "phase", "number", "species", "table", "time"):
        assert out[name].values.tolist() == held[name].values.tolist()


@pytest.mark.parametrize("unit", ["s", "us", "ns"])
def test_times_keep_their_resolution(ds, fitted, tmp_path, unit):
    times = np.datetime64("2015-01-01", unit) + np.arange(ds.sizes["time"])
    times[7] = np.datetime64("NaT", "ns")
    timed = ds.assign_coords(time=times)
    out = xpad.predict_to_zarr(timed, fitted, tmp_path / "out.zarr", progress=False)
    assert out.time.dtype == times.dtype
    np.testing.assert_array_equal(out.time.values, times)
    np.testing.assert_array_equal(xr.open_zarr(tmp_path / "out.zarr").time.values, times)


def test_the_result_shares_the_times_of_the_data(ds, fitted, tmp_path):
    """The times of a mission are neither read again nor held twice; the store holds them all the same."""
    times = np.datetime64("2015-01-01", "ns") + np.arange(ds.sizes["time"])
    timed = ds.assign_coords(time=("time", times, {"long_name": "time of measurement"}))
    out = xpad.predict_to_zarr(timed, fitted, tmp_path / "out.zarr", progress=False)
    assert np.shares_memory(out.indexes["time"].values, timed.indexes["time"].values)
    plain = xr.open_zarr(tmp_path / "out.zarr")
    xr.testing.assert_identical(out.load(), plain.load())


@pytest.mark.parametrize("keep_flux", [True, False])
@pytest.mark.parametrize("names", [[1, 2], ["rbspa", "rbspb"]])
def test_two_probes_joined_lazily(ds, tmp_path, names, keep_flux):
    """Chunks of one probe each, and probes by their names."""
    one = ds.assign(L=("time", np.arange(ds.sizes["time"]) * 1.0)).chunk(time=50)
    data = xr.concat([one, one.assign(L=one.L + 1)], "probe").assign_coords(probe=names)
    assert data.L.data.chunksize[0] == 1
    out = xpad.cluster_to_zarr(data, tmp_path / "out.zarr", keep_flux=keep_flux, **QUICK)
    assert_same(out, data.pad.cluster(**QUICK))
    assert list(out.probe.values) == names
    np.testing.assert_array_equal(out.L, data.L.transpose(*out.L.dims))


def test_chunks_of_other_dimensions(ds, expected, tmp_path):
    data = ds.chunk(energy=1, pitch_angle=2)
    out = xpad.cluster_to_zarr(data, tmp_path / "out.zarr", keep_flux=True, **QUICK)
    assert_same(out, expected)
    xr.testing.assert_equal(out.FEDU.load(), ds.FEDU.compute())
