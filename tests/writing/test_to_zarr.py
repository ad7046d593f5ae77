"""Results written region by region: the same as in memory, resumed wherever they were cut off."""

import os
import signal
import subprocess
import sys
import textwrap
import urllib.request
import warnings
from dataclasses import replace
from functools import partial

import dask
import numpy as np
import pytest
import xarray as xr
import zarr
from helpers import QUICK, made

import xpad
from xpad.compute.chunks import in_longer_blocks
from xpad.errors import NotEnoughDataError, OptionError
from xpad.statistics.spectrogram import quicklook
from xpad.storage.place import remove
from xpad.writing import store as output
from xpad.writing import to_zarr as writing

pytestmark = [
    pytest.mark.filterwarnings("ignore:the autoencoder has hardly:xpad.XpadWarning"),
    pytest.mark.filterwarnings("ignore:.*process .* is multi-threaded:DeprecationWarning"),
]

RESULTS = ("pad_label", "pad_flag", "pad_split", "pad_error", "pad_pc")


@pytest.fixture(autouse=True)
def _small_regions(monkeypatch):
    monkeypatch.setattr("xpad.writing.regions.CHUNK", 100)
    monkeypatch.setattr("xpad.writing.regions.REGION", 200)


@pytest.fixture(scope="module")
def ds():
    return made(1000, chunks={"time": 50})


@pytest.fixture(scope="module")
def expected(ds):
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", xpad.XpadWarning)
        return ds.pad.cluster(**QUICK).compute()


def assert_same(out, expected, names=RESULTS):
    for name in names:
        np.testing.assert_array_equal(out[name].values, expected[name].values, err_msg=name)
        assert out[name].dims == expected[name].dims
        assert out[name].dtype == expected[name].dtype
        assert out[name].attrs.keys() == expected[name].attrs.keys()


@pytest.mark.parametrize("keep_flux", [True, False])
@pytest.mark.parametrize("lazy", [True, False])
def test_is_what_cluster_returns(ds, expected, tmp_path, keep_flux, lazy):
    """The writer adds no warning, whatever the input; coordinates and attributes are intact."""
    source = ds if lazy else ds.compute()
    out = xpad.cluster_to_zarr(source, tmp_path / "out.zarr", keep_flux=keep_flux, **QUICK)
    assert_same(out, expected)
    assert out.attrs == expected.attrs
    xr.testing.assert_identical(out.time.load(), expected.time)
    xr.testing.assert_identical(out.L.load(), expected.L)
    xr.testing.assert_identical(out.kind.load(), expected.kind)
    assert ("FEDU" in out) == keep_flux
    if keep_flux:
        xr.testing.assert_identical(out.FEDU.load(), expected.FEDU)
    assert os.listdir(tmp_path) == ["out.zarr"]


@pytest.mark.parametrize("lazy", [True, False])
def test_numbers_of_any_kind_come_back(ds, fitted, tmp_path, lazy):
    n = ds.sizes["time"]
    rng = np.random.default_rng(0)
    steps = rng.integers(-(10**9), 10**9, n)
    stamps = np.datetime64("2015-03-01", "ms") + steps.astype("timedelta64[ms]")
    stamps[7] = np.datetime64("NaT")
    gap = steps.astype("timedelta64[us]")
    gap[3] = np.timedelta64("NaT")
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


def test_store_holds_its_model_and_readable_chunks(ds, tmp_path):
    path = tmp_path / "out.zarr"
    xpad.cluster_to_zarr(ds, path, **QUICK)
    assert xpad.load_model(path).k == 3
    array = zarr.open_group(path, mode="r")["pad_label"]
    assert array.chunks == (100,)
    assert array.fill_value == -1
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert xr.open_zarr(path).pad_label.dtype == np.int16


def test_predict_to_zarr(ds, fitted, tmp_path):
    out = xpad.predict_to_zarr(ds, fitted, tmp_path / "out.zarr", progress=False)
    wanted = ds.pad.predict(fitted).compute()
    assert "pad_split" not in out
    assert_same(out, wanted, names=[n for n in RESULTS if n != "pad_split"])


def test_reads_the_flux_no_more_often_than_it_states(ds, tmp_path):
    """Three passes to fit and one to label, a compute a region."""
    reads = []
    counted = ds.copy()
    data = ds.FEDU.data.map_blocks(
        lambda b: reads.append(1) or b, meta=np.empty((0, 0, 0), np.float32)
    )
    counted["FEDU"] = ds.FEDU.copy(data=data)
    with dask.config.set(scheduler="synchronous"):
        xpad.cluster_to_zarr(counted, tmp_path / "out.zarr", **QUICK)
    assert len(reads) == 4 * ds.FEDU.data.npartitions


class Killed(BaseException):
    pass


def cut_off():
    return pytest.raises(Killed)


def cut_off_after(monkeypatch, regions):
    original = output.Output._write_region
    seen = []

    def write(self, *args):
        if len(seen) == regions:
            raise Killed
        seen.append(args[0])
        original(self, *args)

    monkeypatch.setattr(output.Output, "_write_region", write)
    return seen


def test_an_unfinished_store_says_so_and_reads_as_unusable(ds, tmp_path, monkeypatch):
    cut_off_after(monkeypatch, 2)
    with pytest.raises(Killed):
        xpad.cluster_to_zarr(ds, tmp_path / "out.zarr", **QUICK)
    out = xr.open_zarr(tmp_path / "out.zarr")
    assert "goes on" in out.attrs["pad_unfinished"]
    assert (out.pad_label[:400] >= 0).mean() > 0.9
    for name in ("pad_label", "pad_flag", "pad_split"):
        assert (out[name][400:] == -1).all()
    assert out.pad_pc[400:].isnull().all()
    with pytest.warns(xpad.XpadWarning, match="unfinished"):
        opened = xpad.open_dataset(tmp_path / "out.zarr")
    with pytest.raises(xpad.XpadError, match="unfinished and has no catalogue"):
        opened.pad.catalogue()
    assert "unfinished: not yet written is -1" in repr(out.pad)
    with pytest.warns(xpad.XpadWarning, match="the store is unfinished"):
        out.pad.plot.components()


@pytest.mark.parametrize("regions", [0, 1, 4])
def test_goes_on_where_it_was_cut_off(ds, expected, tmp_path, monkeypatch, regions):
    path = tmp_path / "out.zarr"
    with monkeypatch.context() as patched, cut_off():
        cut_off_after(patched, regions)
        xpad.cluster_to_zarr(ds, path, **QUICK)
    seen = cut_off_after(monkeypatch, 99)
    monkeypatch.setattr(writing, "fit_flux", lambda *_: pytest.fail("fitted again"))
    out = xpad.cluster_to_zarr(ds, path, **QUICK)
    assert seen == [0, 1, 2, 3, 4][regions:]
    assert_same(out, expected)
    assert "pad_unfinished" not in out.attrs
    assert os.listdir(tmp_path) == ["out.zarr"]


def test_goes_on_within_the_training(ds, tmp_path, monkeypatch):
    from xpad.stages.encoders import train as autoencoder

    path = tmp_path / "out.zarr"
    wanted = ds.pad.fit(**QUICK)
    losses = []
    original = autoencoder._loss

    def counted(*args):
        if len(losses) == 5:
            raise Killed
        losses.append(original(*args))
        return losses[-1]

    with monkeypatch.context() as patched, cut_off():
        patched.setattr(autoencoder, "_loss", counted)
        xpad.cluster_to_zarr(ds, path, **QUICK)
    again = []
    monkeypatch.setattr(autoencoder, "_loss", lambda *a: again.append(1) or original(*a))
    xpad.cluster_to_zarr(ds, path, **QUICK)
    model = xpad.load_model(path)
    assert len(losses) + len(again) == QUICK["epochs"]
    encoders = [m.pipeline.encoder.to_node() for m in (model, wanted)]
    xr.testing.assert_identical(*encoders)
    xr.testing.assert_identical(model.history, wanted.history)


def test_goes_on_after_the_training(ds, tmp_path, monkeypatch):
    from xpad.fitting import encoder as training
    from xpad.fitting import fit as fitting

    wanted = ds.pad.fit(**QUICK)
    with monkeypatch.context() as patched, cut_off():
        patched.setattr(fitting, "group", lambda *_: (_ for _ in ()).throw(Killed))
        ds.pad.fit(checkpoint=str(tmp_path / "ckpt"), **QUICK)
    monkeypatch.setattr(training, "survey", lambda *_: pytest.fail("read again"))
    model = ds.pad.fit(checkpoint=str(tmp_path / "ckpt"), **QUICK)
    np.testing.assert_array_equal(model.centres, wanted.centres)
    xr.testing.assert_identical(model.history, wanted.history)
    assert model.provenance == wanted.provenance
    assert not (tmp_path / "ckpt").exists()


@pytest.mark.parametrize(
    ("change", "named"),
    [({"epochs": 9}, "settings.epochs was 8 and is 9"), ({"prefix": "e"}, "prefix was 'pad'"),
     ({"keep_flux": True}, "keep_flux")],
)  # fmt: skip
def test_another_configuration_is_not_mixed_in(ds, tmp_path, monkeypatch, change, named):
    with monkeypatch.context() as patched, cut_off():
        cut_off_after(patched, 1)
        xpad.cluster_to_zarr(ds, tmp_path / "out.zarr", **QUICK)
    with pytest.raises(OptionError, match=named):
        xpad.cluster_to_zarr(ds, tmp_path / "out.zarr", **(QUICK | change))
    with pytest.raises(OptionError, match="input"):
        xpad.cluster_to_zarr(ds.isel(time=slice(900)), tmp_path / "out.zarr", **QUICK)
    out = xpad.cluster_to_zarr(ds, tmp_path / "out.zarr", overwrite=True, **(QUICK | change))
    assert out.sizes["time"] == 1000


def test_other_chunks_go_on_with_the_same_store(ds, expected, tmp_path, monkeypatch):
    """The store keeps its regions, whatever chunks the data have the next time."""
    with monkeypatch.context() as patched, cut_off():
        cut_off_after(patched, 2)
        xpad.cluster_to_zarr(ds, tmp_path / "out.zarr", **QUICK)
    monkeypatch.setattr("xpad.writing.regions.CHUNK", 333)
    out = xpad.cluster_to_zarr(ds.chunk(time=77), tmp_path / "out.zarr", **QUICK)
    assert_same(out, expected)


def test_another_model_is_not_mixed_in(ds, fitted, tmp_path, monkeypatch):
    with monkeypatch.context() as patched, cut_off():
        cut_off_after(patched, 1)
        xpad.predict_to_zarr(ds, fitted, tmp_path / "out.zarr", progress=False)
    other = replace(fitted, centres=fitted.centres[::-1])
    with pytest.raises(OptionError, match="model was"):
        xpad.predict_to_zarr(ds, other, tmp_path / "out.zarr", progress=False)
    xpad.predict_to_zarr(ds, fitted, tmp_path / "out.zarr", progress=False)


def test_what_is_complete_or_foreign_is_refused(ds, tmp_path):
    path = tmp_path / "out.zarr"
    xpad.cluster_to_zarr(ds, path, **QUICK)
    with pytest.raises(OptionError, match="exists"):
        xpad.cluster_to_zarr(ds, path, **QUICK)
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


def test_a_failed_fit_leaves_nothing_behind(ds, tmp_path):
    with pytest.raises(xpad.XpadError):
        xpad.cluster_to_zarr(ds, tmp_path / "out.zarr", min_positive=10_000, progress=False)
    assert os.listdir(tmp_path) == []


@pytest.mark.slow
def test_killed_at_any_moment(tmp_path):
    """SIGKILL, at moments spread over the whole run, and started again until it is done."""
    script = tmp_path / "run.py"
    script.write_text(
        textwrap.dedent(
            f"""
            import sys, warnings
            sys.path.insert(0, {os.path.dirname(__file__)!r})
            warnings.simplefilter("ignore")
            from helpers import QUICK, made
            import xpad
            from xpad.writing import regions
            regions.CHUNK, regions.REGION = 500, 500
            ds = made(20_000, chunks={{"time": 500}})
            print("begins", flush=True)
            xpad.cluster_to_zarr(ds, sys.argv[1], **(QUICK | {{"epochs": 40, "patience": None}}))
            """
        )
    )
    environment = os.environ | {"JAX_PLATFORMS": "cpu"}

    def run(name, seconds=None):
        process = subprocess.Popen([sys.executable, script, tmp_path / name], env=environment,
                                   stdout=subprocess.PIPE)  # fmt: skip
        process.stdout.readline()
        try:
            process.wait(seconds)
        except subprocess.TimeoutExpired:
            process.send_signal(signal.SIGKILL)
            process.wait()
        process.stdout.close()
        return process.returncode

    assert run("whole.zarr") == 0
    codes = [run("killed.zarr", seconds) for seconds in (1.5, 2.5, 3.0, 3.5)]
    assert -signal.SIGKILL in codes
    if codes[-1] != 0 and 0 not in codes:
        assert run("killed.zarr") == 0
    whole, killed = (xr.open_zarr(tmp_path / n).load() for n in ("whole.zarr", "killed.zarr"))
    xr.testing.assert_identical(whole, killed)


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


def test_memory_store(ds, expected):
    url = "memory://xpad-test/out.zarr"
    out = xpad.cluster_to_zarr(ds, url, overwrite=True, **QUICK)
    assert_same(out, expected)
    with pytest.raises(OptionError, match="exists"):
        xpad.cluster_to_zarr(ds, url, **QUICK)
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
        xpad.cluster_to_zarr(ds, url, **options)
    model = xpad.load_model(url, storage_options=bucket)
    xpad.save_model(model, "s3://bucket/model.zarr", storage_options=bucket)
    again = xpad.load_model("s3://bucket/model.zarr", storage_options=bucket)
    np.testing.assert_array_equal(again.centres, model.centres)


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


@pytest.mark.parametrize("scheduler", ["threads", "synchronous"])
def test_regions_side_by_side_are_those_one_after_another(ds, expected, tmp_path, scheduler):
    with dask.config.set(scheduler=scheduler):
        out = xpad.cluster_to_zarr(ds, tmp_path / "out.zarr", **QUICK)
    assert_same(out, expected)


def test_two_regions_share_the_threads_and_one_is_ahead(ds, fitted, tmp_path, monkeypatch):
    """With dask's threads two regions are under way at once, and never three."""
    import threading

    under_way, most, both = set(), [], threading.Barrier(2, timeout=30)
    original = output.labelled_region

    def counted(records, layout, at, *rest):
        under_way.add(at.start)
        most.append(len(under_way))
        if at.start < 400:
            both.wait()  # the second begins before the first has ended
        found = original(records, layout, at, *rest)
        under_way.discard(at.start)
        return found

    monkeypatch.setattr(output, "labelled_region", counted)
    xpad.predict_to_zarr(ds, fitted, tmp_path / "out.zarr", progress=False)
    assert max(most) == 2


def test_the_result_shares_the_times_of_the_data(ds, fitted, tmp_path):
    """The times of a mission are neither read again nor held twice; the store holds them all the same."""
    times = np.datetime64("2015-01-01", "ns") + np.arange(ds.sizes["time"])
    timed = ds.assign_coords(time=("time", times, {"long_name": "time of measurement"}))
    out = xpad.predict_to_zarr(timed, fitted, tmp_path / "out.zarr", progress=False)
    assert np.shares_memory(out.indexes["time"].values, timed.indexes["time"].values)
    plain = xr.open_zarr(tmp_path / "out.zarr")
    xr.testing.assert_identical(out.load(), plain.load())


@pytest.mark.parametrize(("option", "value"), [("prefix", 5), ("store", 5)])
def test_what_is_no_name_is_refused(ds, fitted, tmp_path, option, value):
    given = {"store": tmp_path / "out.zarr", option: value}
    with pytest.raises(OptionError, match=option):
        xpad.predict_to_zarr(ds, fitted, given.pop("store"), progress=False, **given)


def test_a_disk_that_cannot_be_written_is_named(ds, fitted, tmp_path, monkeypatch):
    def full(self, name, array):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("xpad.storage.scratch.Scratch.put", full)
    with pytest.raises(OptionError, match=r"out\.zarr cannot be written: .*No space left"):
        xpad.predict_to_zarr(ds, fitted, tmp_path / "out.zarr", progress=False)


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


def test_a_store_that_is_not_there_yet_is_told_of(ds, tmp_path):
    (tmp_path / "out.zarr.unfinished").mkdir()
    with pytest.raises(xpad.XpadError, match="fitting, or was cut off"):
        xpad.open_dataset(tmp_path / "out.zarr")


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
    xr.testing.assert_equal(out.FEDU.load(), ds.FEDU.load())


def test_another_run_on_the_same_store_is_refused(ds, fitted, tmp_path):
    from xpad.storage.place import Place

    place = Place.of(tmp_path / "out.zarr")
    with place.alone(), pytest.raises(OptionError, match="another run is writing"):
        xpad.predict_to_zarr(ds, fitted, tmp_path / "out.zarr", progress=False)
    assert os.listdir(tmp_path) == []
    xpad.predict_to_zarr(ds, fitted, tmp_path / "out.zarr", progress=False)
    assert os.listdir(tmp_path) == ["out.zarr"]


@pytest.mark.parametrize("lost", ["", "zarr.json", "pad_label", "xpad_model", "time"])
def test_what_was_lost_of_an_unfinished_store_is_written_again(
    ds, expected, tmp_path, monkeypatch, lost
):
    target = tmp_path / "out.zarr"
    with monkeypatch.context() as patch:
        cut_off_after(patch, 2)
        with pytest.raises(Killed):
            xpad.cluster_to_zarr(ds, target, **QUICK)
    remove(target / lost)
    assert_same(xpad.cluster_to_zarr(ds, target, **QUICK), expected)
    assert xpad.load_model(target).k == 3


@pytest.mark.parametrize("damaged", ["configuration.npy", "model.zarr"])
def test_a_damaged_memory_of_a_run_is_named(ds, tmp_path, monkeypatch, damaged):
    target = tmp_path / "out.zarr"
    with monkeypatch.context() as patch:
        cut_off_after(patch, 2)
        with pytest.raises(Killed):
            xpad.cluster_to_zarr(ds, target, **QUICK)
    what = tmp_path / "out.zarr.unfinished" / damaged
    remove(what)
    if damaged == "configuration.npy":
        what.touch()
    with pytest.raises(OptionError, match=r"out\.zarr\.unfinished.*is damaged.*begin anew"):
        xpad.cluster_to_zarr(ds, target, **QUICK)


@pytest.mark.parametrize("unit", ["s", "us", "ns"])
def test_times_keep_their_resolution(ds, fitted, tmp_path, unit):
    times = np.datetime64("2015-01-01", unit) + np.arange(ds.sizes["time"])
    times[7] = np.datetime64("NaT")
    timed = ds.assign_coords(time=times)
    out = xpad.predict_to_zarr(timed, fitted, tmp_path / "out.zarr", progress=False)
    assert out.time.dtype == times.dtype
    np.testing.assert_array_equal(out.time.values, times)
    np.testing.assert_array_equal(xr.open_zarr(tmp_path / "out.zarr").time.values, times)


@pytest.mark.parametrize("year", ["2412", "1600"])
def test_times_that_no_store_holds_are_refused(ds, fitted, tmp_path, year):
    times = np.datetime64(year, "s") + np.arange(ds.sizes["time"])
    with pytest.raises(OptionError, match="time has times outside of 1678 to 2261"):
        xpad.predict_to_zarr(ds.assign_coords(time=times), fitted, tmp_path / "out.zarr")
    assert os.listdir(tmp_path) == []


def test_a_checkpoint_of_ones_own_is_removed_at_the_end(ds, tmp_path):
    for k in (3, 2):
        xpad.cluster_to_zarr(
            ds,
            tmp_path / "out.zarr",
            checkpoint=tmp_path / "ck",
            overwrite=True,
            **QUICK | {"k": k},
        )
        assert not (tmp_path / "ck").exists()


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


def test_short_blocks_of_a_store_are_read_several_at_once(tmp_path):
    values = np.arange(210.0).reshape(70, 3)
    ds = xr.Dataset({"J": (("time", "E"), values), "L": ("time", values[:, 0])})
    ds.chunk(time=20).to_zarr(tmp_path / "a.zarr", consolidated=False)
    stored = xr.open_zarr(tmp_path / "a.zarr", consolidated=False)
    assert in_longer_blocks(stored.L.variable, "time", 40).chunks == ((40, 30),)
    # With the lowest versions, what xpad opened is read as it is.
    for found in (xpad.open_dataset(tmp_path / "a.zarr"), stored):
        longer = in_longer_blocks(found.L.variable, "time", 40)
        xr.testing.assert_identical(longer.load(), found.L.variable.load())
        for other in (
            found.L[:50].variable,
            (2 * found.L).variable,
            found.J.variable,
            found.compute().chunk(time=20).L.variable,
            found.compute().L.variable,
        ):
            assert in_longer_blocks(other, "time", 40) is other
        assert in_longer_blocks(found.L.variable, "time", 20) is found.L.variable
