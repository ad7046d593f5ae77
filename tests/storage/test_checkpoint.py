"""A checkpoint keeps to its own files: those of others are neither taken for its own nor deleted."""

import os

import numpy as np
import pytest
from helpers import QUICK

import xpad
from xpad.errors import OptionError
from xpad.storage.checkpoint import CONFIGURATION, TRAINED, TRAINING, Checkpoint
from xpad.storage.scratch import Scratch

FITS = {
    "fit": lambda ds, folder, ck, **own: ds.pad.fit(checkpoint=ck, **QUICK | own),
    "cluster": lambda ds, folder, ck, **own: ds.pad.cluster(checkpoint=ck, **QUICK | own),
    "cluster_to_zarr": lambda ds, folder, ck, **own: xpad.cluster_to_zarr(
        ds, folder / "out.zarr", checkpoint=ck, overwrite=True, **QUICK | own
    ),
}

pytestmark = pytest.mark.filterwarnings("ignore:the autoencoder has hardly:xpad.XpadWarning")


@pytest.mark.parametrize("name", ["mine.txt", TRAINED, "a folder/x"])
@pytest.mark.parametrize("fit", FITS.values(), ids=FITS)
def test_a_folder_of_the_users_is_refused_and_stays(small, tmp_path, fit, name):
    mine = tmp_path / "ck" / name
    mine.parent.mkdir(parents=True)
    mine.write_text("mine")
    with pytest.raises(OptionError, match=r"checkpoint='.*ck' is a folder with '.*' in it"):
        fit(small, tmp_path, str(tmp_path / "ck"))
    assert mine.read_text() == "mine"
    assert os.listdir(tmp_path) == ["ck"]


@pytest.mark.parametrize("url", ["{}/ck", "memory://ck"])
def test_files_that_come_later_stay(tmp_path, url):
    place = Scratch(url.format(tmp_path))
    kept = Checkpoint(place)
    kept.require_same({"k": 3})
    kept.save_training({"a": np.zeros(3)})
    place.put("mine.npy", np.ones(2))
    place.put(f"{TRAINING}.0123.part", np.ones(2))
    kept.remove()
    assert place.others(()) == ["mine.npy"]
    place.remove("mine.npy")


@pytest.mark.parametrize("there", [False, True])
def test_its_own_folder_goes_with_it(small, tmp_path, there):
    if there:
        (tmp_path / "ck").mkdir()
    small.pad.fit(checkpoint=tmp_path / "ck", **QUICK)
    assert os.listdir(tmp_path) == []


def test_what_was_cut_off_in_its_first_write_is_ours(small, tmp_path):
    (tmp_path / "ck").mkdir()
    (tmp_path / "ck" / f"{CONFIGURATION}.0123.part").touch()
    small.pad.fit(checkpoint=tmp_path / "ck", **QUICK)
    assert os.listdir(tmp_path) == []


@pytest.mark.parametrize("fit", FITS.values(), ids=FITS)
@pytest.mark.parametrize("empty", ["", "  "])
def test_an_empty_name_is_refused(small, tmp_path, monkeypatch, fit, empty):
    monkeypatch.chdir(tmp_path)
    with pytest.raises(OptionError, match=r"checkpoint=' *' is an empty name"):
        fit(small, tmp_path, empty)
    assert os.listdir(tmp_path) == []


@pytest.mark.parametrize("fit", FITS.values(), ids=FITS)
def test_what_cannot_be_a_checkpoint_is_told_in_a_line(small, tmp_path, fit):
    (tmp_path / "file").touch()
    with pytest.raises(OptionError, match="file is a file, not a folder"):
        fit(small, tmp_path, tmp_path / "file")
    with pytest.raises(OptionError, match=r"checkpoint='.*file/ck': nothing can be written there"):
        fit(small, tmp_path, tmp_path / "file" / "ck")


@pytest.mark.parametrize("name", [CONFIGURATION, TRAINED])
def test_a_damaged_one_is_named(small, tmp_path, name):
    place = Scratch(str(tmp_path / "ck"))
    with pytest.MonkeyPatch.context() as patched:
        patched.setattr(Checkpoint, "remove", lambda self: None)
        small.pad.fit(checkpoint=place.url, **QUICK)
    assert place.has(name)
    (tmp_path / "ck" / name).write_bytes(b"nothing that numpy reads")
    with pytest.raises(OptionError, match=r"checkpoint='.*ck' is damaged .*delete it"):
        small.pad.fit(checkpoint=place.url, **QUICK)
