"""Results written region by region: the same as in memory, and what cannot be is refused first."""

import os
import urllib.request
from functools import partial

import numpy as np
import pytest
import xarray as xr
from helpers import QUICK, made
from helpers.writing import RESULTS, assert_same, cut_off, cut_off_after

import xpad
from xpad.errors import NotEnoughDataError, OptionError
from xpad.statistics.spectrogram import quicklook

pytestmark = [
    pytest.mark.filterwarnings("ignore:the autoencoder has hardly:xpad.XpadWarning"),
    pytest.mark.filterwarnings("ignore:.*process .* is multi-threaded:DeprecationWarning"),
]


@pytest.mark.parametrize("keep_flux", [True, False])
@pytest.mark.parametrize("lazy", [True, False])
def test_is_what_cluster_returns(ds, expected, tmp_path, keep_flux, lazy):
    """The writer adds no warning, whatever the input; coordinates and attributes are intact."""
    source = ds if lazy else ds.compute()
    out = xpad.cluster_to_zarr(source, tmp_path / "out.zarr", keep_flux=keep_flux, **QUICK)
    assert_same(out, expected)
    assert out.attrs.pop("pad_run")
    assert out.attrs == expected.attrs
    xr.testing.assert_identical(out.time.load(), expected.time)
    xr.testing.assert_identical(out.L.load(), expected.L)
    xr.testing.assert_identical(out.kind.load(), expected.kind)
    assert ("FEDU" in out) == keep_flux
    if keep_flux:
        xr.testing.assert_identical(out.FEDU.load(), expected.FEDU)
    assert os.listdir(tmp_path) == ["out.zarr"]


def test_catalogue_and_spectrogram_are_those_of_the_result(ds, expected, tmp_path):
    """They are summed while the labels are written, without a second look at the flux."""
    out = xpad.cluster_to_zarr(ds, tmp_path / "out.zarr", **QUICK)
    wanted = expected.pad.catalogue()
    for name in wanted.data_vars:
        np.testing.assert_allclose(out[name], wanted[name], rtol=1e-5, err_msg=name)
        assert out[name].attrs == wanted[name].attrs
    spectrum = quicklook(expected.pad.flux)
    np.testing.assert_allclose(out.pad_spectrum, spectrum, rtol=1e-5)
    assert out.pad_spectrum.attrs == spectrum.attrs
    np.testing.assert_array_equal(out.pad_quicklook_end, spectrum.pad_quicklook_end)


@pytest.mark.parametrize("dims", [("time", "probe"), ("probe", "time"), ("a_probe", "time")])
def test_two_record_dimensions(tmp_path, dims):
    one, two = made(300, seed=1), made(300, seed=2)
    probe = next(d for d in dims if d != "time")
    both = xr.concat([one[["FEDU"]], two[["FEDU"]]], probe).transpose(*dims, ...)
    both = both.chunk(time=70)
    wanted = both.pad.cluster(**QUICK)
    out = xpad.cluster_to_zarr(both, tmp_path / "out.zarr", **QUICK)
    assert_same(out, wanted)
    spectrum = quicklook(wanted.pad.flux).transpose(*out.pad_spectrum.dims)
    np.testing.assert_allclose(out.pad_spectrum, spectrum, rtol=1e-5)


def test_predict_to_zarr(ds, fitted, tmp_path):
    out = xpad.predict_to_zarr(ds, fitted, tmp_path / "out.zarr", progress=False)
    wanted = ds.pad.predict(fitted).compute()
    assert "pad_split" not in out
    assert_same(out, wanted, names=[n for n in RESULTS if n != "pad_split"])


def test_what_is_complete_or_foreign_is_refused(ds, tmp_path):
    path = tmp_path / "out.zarr"
    xpad.cluster_to_zarr(ds, path, **QUICK)
    with pytest.raises(OptionError, match="exists"):
        xpad.cluster_to_zarr(ds, path, **QUICK | {"cluster_seed": 5})
    xpad.cluster_to_zarr(ds, path, overwrite=True, **QUICK)
    foreign = tmp_path / "foreign.zarr"
    xr.Dataset({"a": 1}).to_zarr(foreign, consolidated=False)
    with pytest.raises(OptionError, match="not an output of xpad"):
        xpad.cluster_to_zarr(ds, foreign, overwrite=True, **QUICK)
    assert xr.open_zarr(foreign, consolidated=False).a == 1


def test_the_data_are_not_overwritten(ds, fitted, tmp_path):
    """A result put in the place of its own input would lose what it is yet to read."""
    path = tmp_path / "in.zarr"
    xpad.cluster_to_zarr(ds, path, keep_flux=True, **QUICK)
    opened = xpad.open_dataset(path)
    for place in (path, path / "inner.zarr"):
        with pytest.raises(OptionError, match="in each other's place"):
            xpad.cluster_to_zarr(opened, place, overwrite=True, **QUICK)
        with pytest.raises(OptionError, match="in each other's place"):
            xpad.predict_to_zarr(opened, fitted, place, overwrite=True, progress=False)
    assert "FEDU" in xr.open_zarr(path)


@pytest.mark.parametrize(
    ("store", "options", "named"),
    [("out.zarr", {"memory": "1MB"}, "16 MiB"), ("out.zarr", {"memory": ""}, "no amount"),
     ("out.zarr", {"scratch": "no-such-protocol://x"}, "no-such-protocol://x"),
     ("out.zarr", {"training_worker": "a"}, "no dask"),
     ("no-such-protocol://x/out.zarr", {}, "cannot be used")],
)  # fmt: skip
def test_what_cannot_be_had_is_said_before_anything_is_begun(
    ds, tmp_path, monkeypatch, store, options, named
):
    monkeypatch.chdir(tmp_path)
    with pytest.raises(OptionError, match=named):
        xpad.cluster_to_zarr(ds, store, **QUICK, **options)
    assert os.listdir(tmp_path) == []
    with pytest.raises(OptionError, match="empty"):
        xpad.cluster_to_zarr(ds, "", **QUICK)


def test_what_the_same_configuration_has_finished_is_done(ds, fitted, tmp_path, monkeypatch):
    """A job that is started again finds it done: nothing is fitted, nothing written."""
    path, other = tmp_path / "out.zarr", tmp_path / "predicted.zarr"
    made = xpad.cluster_to_zarr(ds, path, **QUICK).compute()
    predicted = xpad.predict_to_zarr(ds, fitted, other, progress=False).compute()
    before = {p: p.stat().st_mtime_ns for p in tmp_path.rglob("*")}
    monkeypatch.setattr("xpad.writing.to_zarr.begun", None)
    xr.testing.assert_identical(xpad.cluster_to_zarr(ds, path, **QUICK).compute(), made)
    again = xpad.predict_to_zarr(ds, fitted, other, progress=False).compute()
    xr.testing.assert_identical(again, predicted)
    assert {p: p.stat().st_mtime_ns for p in tmp_path.rglob("*")} == before


@pytest.mark.parametrize("option", ["overwrite", "keep_flux"])
def test_a_text_is_no_switch(ds, fitted, tmp_path, option):
    for call in (
        lambda **o: xpad.cluster_to_zarr(ds, tmp_path / "a.zarr", **QUICK, **o),
        lambda **o: xpad.predict_to_zarr(ds, fitted, tmp_path / "a.zarr", progress=False, **o),
    ):
        with pytest.raises(OptionError, match=f"{option}='no' must be True or False"):
            call(**{option: "no"})


def test_other_data_of_the_same_shape_are_not_taken_for_finished(ds, tmp_path):
    path = tmp_path / "out.zarr"
    xpad.cluster_to_zarr(ds, path, **QUICK)
    name = str(ds.pad.flux.name)
    for other in (ds.assign({name: (ds[name] * 2).assign_attrs(ds[name].attrs)}), ds.compute()):
        changed = other.copy(deep=True)
        changed[name] = (other[name] * 3).assign_attrs(other[name].attrs)
        with pytest.raises(OptionError, match="exists"):
            xpad.cluster_to_zarr(changed, path, **QUICK)


def test_a_result_of_another_store_is_not_taken_for_finished(ds, tmp_path):
    made = xpad.cluster_to_zarr(ds, tmp_path / "a.zarr", keep_flux=True, **QUICK)
    again = xpad.cluster(made, encoder=None, k=2, progress=False)
    again.to_zarr(tmp_path / "b.zarr", consolidated=False)
    with pytest.raises(OptionError, match="exists"):
        xpad.cluster_to_zarr(ds, tmp_path / "b.zarr", keep_flux=True, **QUICK)


def test_memory_store(ds, expected):
    url = "memory://xpad-test/out.zarr"
    out = xpad.cluster_to_zarr(ds, url, overwrite=True, **QUICK)
    assert_same(out, expected)
    with pytest.raises(OptionError, match="exists"):
        xpad.cluster_to_zarr(ds, url, **QUICK | {"cluster_seed": 5})
    assert_same(xpad.cluster_to_zarr(ds, url, **QUICK), expected)
    assert xpad.load_model(url).k == 3


@pytest.fixture
def bucket(monkeypatch):
    """A local S3 server with one bucket, and the storage options that reach it."""
    pytest.importorskip("s3fs")
    server = pytest.importorskip("moto.server")
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "test")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "test")
    running = server.ThreadedMotoServer(ip_address="127.0.0.1", port=0, verbose=False)
    running.start()
    host, port = running.get_host_and_port()
    options = {
        "client_kwargs": {"endpoint_url": f"http://{host}:{port}", "region_name": "us-east-1"}
    }
    urllib.request.urlopen(urllib.request.Request(f"http://{host}:{port}/bucket", method="PUT"))
    yield options
    running.stop()


@pytest.mark.filterwarnings("default")
def test_object_store(ds, expected, bucket, monkeypatch):
    """On S3: written, cut off, gone on with, spooled to, read, and its model saved and loaded."""
    url = "s3://bucket/out.zarr"
    options = QUICK | {"storage_options": bucket}
    with monkeypatch.context() as patched, cut_off():
        cut_off_after(patched, 2)
        xpad.cluster_to_zarr(ds, url, **options)
    assert (xr.open_zarr(url, storage_options=bucket).pad_label[400:] == -1).all()
    out = xpad.cluster_to_zarr(ds, url, **options)
    assert_same(out, expected)
    with pytest.raises(OptionError, match="exists"):
        xpad.cluster_to_zarr(ds, url, **options | {"cluster_seed": 5})
    model = xpad.load_model(url, storage_options=bucket)
    xpad.save_model(model, "s3://bucket/model.zarr", storage_options=bucket)
    again = xpad.load_model("s3://bucket/model.zarr", storage_options=bucket)
    np.testing.assert_array_equal(again.centres, model.centres)


@pytest.mark.parametrize("protocol", ["file", "local"])
def test_a_file_url_is_a_path(ds, expected, tmp_path, protocol):
    out = xpad.cluster_to_zarr(ds, f"{protocol}://{tmp_path}/out.zarr", **QUICK)
    assert (tmp_path / "out.zarr").is_dir()
    assert_same(out, expected)


def test_data_without_a_record_are_refused(ds, tmp_path):
    model = xpad.fit(ds, progress=False, encoder=None, k=3)
    with pytest.raises(NotEnoughDataError, match="no records"):
        xpad.predict_to_zarr(ds.isel(time=slice(0)), model, tmp_path / "out.zarr")
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize(("option", "value"), [("prefix", 5), ("store", 5)])
def test_what_is_no_name_is_refused(ds, fitted, tmp_path, option, value):
    given = {"store": tmp_path / "out.zarr", option: value}
    with pytest.raises(OptionError, match=option):
        xpad.predict_to_zarr(ds, fitted, given.pop("store"), progress=False, **given)


def test_an_object_store_that_cannot_be_reached_is_named_as_it_was_given(ds, fitted):
    pytest.importorskip("s3fs")
    with pytest.raises(OptionError) as caught:
        xpad.predict_to_zarr(
            ds, fitted, "s3://nowhere/out.zarr", progress=False,
            storage_options={"endpoint_url": "http://127.0.0.1:1", "key": "k", "secret": "s",
                             "config_kwargs": {"retries": {"max_attempts": 1}, "connect_timeout": 1}},
        )  # fmt: skip
    assert "s3://nowhere/out.zarr" in str(caught.value)
    assert "unfinished" not in str(caught.value)


def test_a_multiindex_is_refused_by_name(ds, fitted, tmp_path):
    n = ds.sizes["time"]
    levels = ds.assign_coords(orbit=("time", np.arange(n) // 100), n=("time", np.arange(n)))
    stacked = levels.drop_vars("time", errors="ignore").set_index(time=["orbit", "n"])
    for write in (
        partial(xpad.cluster_to_zarr, **QUICK),
        partial(xpad.predict_to_zarr, model=fitted),
    ):
        with pytest.raises(OptionError, match=r"MultiIndex.*reset_index\('time'\)"):
            write(stacked, store=tmp_path / "out.zarr")
    assert os.listdir(tmp_path) == []
    out = xpad.predict_to_zarr(stacked.reset_index("time"), fitted, tmp_path / "out.zarr")
    assert {"orbit", "n"} <= set(out.coords)


@pytest.mark.parametrize("year", ["2412", "1600"])
def test_times_that_no_store_holds_are_refused(ds, fitted, tmp_path, year):
    times = np.datetime64(year, "s") + np.arange(ds.sizes["time"])
    with pytest.raises(OptionError, match="time has times outside of 1678 to 2261"):
        xpad.predict_to_zarr(ds.assign_coords(time=times), fitted, tmp_path / "out.zarr")
    assert os.listdir(tmp_path) == []


@pytest.mark.parametrize("name", ["a/b", 5, ("a", "b"), "..", "__x"])
def test_names_that_no_store_holds_are_refused_by_name(ds, fitted, tmp_path, name):
    with pytest.raises(OptionError, match="rename it"):
        xpad.predict_to_zarr(
            ds.assign({name: ("time", np.zeros(1000))}), fitted, tmp_path / "o.zarr"
        )


@pytest.mark.parametrize(
    "option", [{"scratch": 5}, {"checkpoint": 5}, {"storage_options": 5}], ids=str
)
def test_what_is_no_place_is_refused(ds, tmp_path, monkeypatch, option):
    monkeypatch.chdir(tmp_path)
    with pytest.raises(OptionError, match=next(iter(option))):
        xpad.cluster_to_zarr(ds, "out.zarr", **QUICK, **option)
    assert os.listdir(tmp_path) == []


@pytest.mark.parametrize("name", ["energy", "pitch_angle", "pad_mean", "pad_spectrum"])
@pytest.mark.parametrize("dims", [("time",), ()], ids=str)
def test_no_variable_of_the_records_is_lost_for_its_name(ds, fitted, tmp_path, name, dims):
    """Not for the catalogue's, which stands where the flux is not written."""
    own = xr.Variable(dims, np.arange(1000.0)[tuple(slice(None) if dims else 5 for _ in "x")])
    mine = ds.rename(energy="e", pitch_angle="pa").assign({name: own})
    for write in (
        partial(xpad.cluster_to_zarr, **QUICK),
        partial(xpad.predict_to_zarr, model=fitted),
    ):
        with pytest.raises(OptionError, match=rf"'{name}' .*ds.rename\({name}=.*keep_flux=True"):
            write(mine, store=tmp_path / "out.zarr")
    assert os.listdir(tmp_path) == []
    out = xpad.predict_to_zarr(mine, fitted, tmp_path / "out.zarr", keep_flux=True)
    np.testing.assert_array_equal(out[name], own)
    renamed = mine.rename({name: "mine"})
    out = xpad.predict_to_zarr(renamed, fitted, tmp_path / "out.zarr", overwrite=True)
    np.testing.assert_array_equal(out.mine, own)


def test_the_one_energy_of_a_flux_stands_in_the_catalogue(ds, tmp_path):
    one = ds.isel(energy=0)
    assert one.energy.ndim == 0
    out = xpad.cluster_to_zarr(one, tmp_path / "out.zarr", **QUICK)
    np.testing.assert_array_equal(out.energy, [float(one.energy)])
