"""Runs that were cut off: gone on with where they were, or refused."""

import os
import signal
import subprocess
import sys
import textwrap
from dataclasses import replace

import numpy as np
import pytest
import xarray as xr
from helpers import QUICK, ROOT
from helpers.writing import Killed, assert_same, cut_off, cut_off_after

import xpad
from xpad.errors import OptionError
from xpad.storage.checkpoint import as_json, from_json
from xpad.storage.paths import remove
from xpad.storage.place import Place
from xpad.writing import to_zarr as writing
from xpad.writing.unfinished import FORMAT, Unfinished

pytestmark = [
    pytest.mark.filterwarnings("ignore:the autoencoder has hardly:xpad.XpadWarning"),
    pytest.mark.filterwarnings("ignore:.*process .* is multi-threaded:DeprecationWarning"),
]


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
    assert seen == [0, 200, 400, 600, 800][regions:]
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


def test_a_region_that_was_written_and_not_remembered_is_written_again(
    ds, expected, tmp_path, monkeypatch
):
    original = Unfinished.keep_region

    def keep(self, number, sums):
        if number == 2:
            raise Killed
        original(self, number, sums)

    with monkeypatch.context() as patched, cut_off():
        patched.setattr(Unfinished, "keep_region", keep)
        xpad.cluster_to_zarr(ds, tmp_path / "out.zarr", **QUICK)
    seen = cut_off_after(monkeypatch, 99)
    out = xpad.cluster_to_zarr(ds, tmp_path / "out.zarr", **QUICK)
    assert seen == [400, 600, 800]
    assert_same(out, expected)
    assert out.pad_count.sum() == (expected.pad_label >= 0).sum()


def test_a_run_that_another_format_began_is_refused_by_name(ds, tmp_path, monkeypatch):
    with monkeypatch.context() as patched, cut_off():
        cut_off_after(patched, 1)
        xpad.cluster_to_zarr(ds, tmp_path / "out.zarr", **QUICK)
    folder = Place.of(tmp_path / "out.zarr").beside(".unfinished")
    stated = from_json(folder.get("configuration.npy"))
    del stated["format"]  # as it was before there was one
    folder.put("configuration.npy", as_json(stated))
    with pytest.raises(OptionError, match=rf"\(format was None and is {FORMAT}\).*overwrite=True"):
        xpad.cluster_to_zarr(ds, tmp_path / "out.zarr", **QUICK)
    xpad.cluster_to_zarr(ds, tmp_path / "out.zarr", overwrite=True, **QUICK)
    assert os.listdir(tmp_path) == ["out.zarr"]


@pytest.mark.filterwarnings("ignore:the store is unfinished")
def test_labels_come_region_by_region_where_only_other_variables_are_lazy(
    ds, expected, tmp_path, monkeypatch
):
    given = ds.compute().assign(L=ds.L)
    with monkeypatch.context() as patched, cut_off():
        cut_off_after(patched, 2)
        xpad.cluster_to_zarr(given, tmp_path / "out.zarr", **QUICK)
    assert (xr.open_zarr(tmp_path / "out.zarr").pad_label[400:] == -1).all()
    assert_same(xpad.cluster_to_zarr(given, tmp_path / "out.zarr", **QUICK), expected)


def test_another_model_is_not_mixed_in(ds, fitted, tmp_path, monkeypatch):
    with monkeypatch.context() as patched, cut_off():
        cut_off_after(patched, 1)
        xpad.predict_to_zarr(ds, fitted, tmp_path / "out.zarr", progress=False)
    steps = fitted.pipeline
    labeller = replace(steps.labeller, centres=fitted.centres[::-1])
    other = replace(fitted, pipeline=replace(steps, labeller=labeller))
    with pytest.raises(OptionError, match="model was"):
        xpad.predict_to_zarr(ds, other, tmp_path / "out.zarr", progress=False)
    xpad.predict_to_zarr(ds, fitted, tmp_path / "out.zarr", progress=False)


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


@pytest.mark.parametrize("damaged", ["configuration.npy", "model.zarr", "skeleton.npy"])
def test_a_damaged_memory_of_a_run_is_named(ds, tmp_path, monkeypatch, damaged):
    target = tmp_path / "out.zarr"
    with monkeypatch.context() as patch:
        cut_off_after(patch, 2)
        with pytest.raises(Killed):
            xpad.cluster_to_zarr(ds, target, **QUICK)
    what = tmp_path / "out.zarr.unfinished" / damaged
    remove(what)
    if damaged.endswith(".npy"):
        what.touch()
    with pytest.raises(OptionError, match=r"out\.zarr\.unfinished.*is damaged.*begin anew"):
        xpad.cluster_to_zarr(ds, target, **QUICK)


def test_a_failed_fit_leaves_nothing_behind(ds, tmp_path):
    with pytest.raises(xpad.XpadError):
        xpad.cluster_to_zarr(ds, tmp_path / "out.zarr", min_positive=10_000, progress=False)
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


@pytest.mark.parametrize("overwrite", [False, True])
def test_a_folder_of_the_users_beside_a_store_stays(ds, fitted, tmp_path, overwrite):
    mine = tmp_path / "out.zarr.unfinished" / "mine.txt"
    mine.parent.mkdir()
    mine.write_text("mine")
    for write in (
        lambda **own: xpad.cluster_to_zarr(ds, tmp_path / "out.zarr", **QUICK, **own),
        lambda **own: xpad.predict_to_zarr(ds, fitted, tmp_path / "out.zarr", **own),
    ):
        with pytest.raises(OptionError, match=r"out\.zarr\.unfinished.* has 'mine\.txt' in it"):
            write(overwrite=overwrite)
    assert mine.read_text() == "mine"
    assert os.listdir(tmp_path) == ["out.zarr.unfinished"]


def test_what_a_user_puts_into_the_folder_of_a_run_stays(ds, tmp_path, monkeypatch):
    with monkeypatch.context() as patched, cut_off():
        cut_off_after(patched, 1)
        xpad.cluster_to_zarr(ds, tmp_path / "out.zarr", **QUICK)
    (tmp_path / "out.zarr.unfinished" / "mine.txt").write_text("mine")
    xpad.cluster_to_zarr(ds, tmp_path / "out.zarr", **QUICK)
    assert os.listdir(tmp_path / "out.zarr.unfinished") == ["mine.txt"]


def test_a_store_that_is_not_there_yet_is_told_of(ds, tmp_path):
    (tmp_path / "out.zarr.unfinished").mkdir()
    with pytest.raises(xpad.XpadError, match="fitting, or was cut off"):
        xpad.open_dataset(tmp_path / "out.zarr")


def test_another_run_on_the_same_store_is_refused(ds, fitted, tmp_path):

    place = Place.of(tmp_path / "out.zarr")
    with place.alone(), pytest.raises(OptionError, match="another run is writing"):
        xpad.predict_to_zarr(ds, fitted, tmp_path / "out.zarr", progress=False)
    assert os.listdir(tmp_path) == []
    xpad.predict_to_zarr(ds, fitted, tmp_path / "out.zarr", progress=False)
    assert os.listdir(tmp_path) == ["out.zarr"]


def test_a_disk_that_cannot_be_written_is_named(ds, fitted, tmp_path, monkeypatch):
    def full(self, name, array):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("xpad.storage.scratch.Scratch.put", full)
    with pytest.raises(OptionError, match=r"out\.zarr cannot be written: .*No space left"):
        xpad.predict_to_zarr(ds, fitted, tmp_path / "out.zarr", progress=False)


@pytest.mark.slow
def test_killed_at_any_moment(tmp_path):
    """SIGKILL, at moments spread over the whole run, and started again until it is done."""
    script = tmp_path / "run.py"
    script.write_text(
        textwrap.dedent(
            f"""
            import sys, warnings
            sys.path.insert(0, {str(ROOT / "tests")!r})
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
