"""A saved model is the same model, and what is no model is refused with the reason."""

import json
import shutil
from pathlib import Path
from typing import ClassVar

import fsspec
import numpy as np
import pytest
import xarray as xr
import zarr
from fsspec.implementations.memory import MemoryFileSystem
from helpers import QUICK

import xpad
from xpad.errors import ModelStoreError, OptionError
from xpad.model.model import FORMAT_VERSION
from xpad.model.saved import GROUP, save_model_at
from xpad.storage.place import Place

pytestmark = pytest.mark.filterwarnings("ignore:the autoencoder has hardly:xpad.XpadWarning")


@pytest.fixture
def saved(fitted, tmp_path):
    fitted.save(tmp_path / "model.zarr")
    return tmp_path / "model.zarr"


def same(a, b):
    assert a == b
    for name in ("bandwidth", "modes", "centres", "counts", "features", "k"):
        np.testing.assert_array_equal(getattr(a, name), getattr(b, name), err_msg=name)
    for name, ours in a.to_tree().children.items():
        xr.testing.assert_identical(ours.to_dataset(), b.to_tree()[name].to_dataset())
    assert (a.settings, a.preset, a.scores) == (b.settings, b.preset, b.scores)
    assert a.provenance == b.provenance
    assert str(a.grid) == str(b.grid)


def test_a_model_goes_to_a_url_and_back(fitted):
    fitted.save("memory://xpad-test/model.zarr")
    same(xpad.load_model("memory://xpad-test/model.zarr"), fitted)
    with pytest.raises(OptionError, match="exists"):
        fitted.save("memory://xpad-test/model.zarr")
    fitted.save("memory://xpad-test/model.zarr", overwrite=True)


class Noting(MemoryFileSystem):
    """A file system that notes what it is opened with."""

    protocol = "noting"
    cachable = False
    seen: ClassVar[list] = []

    def __init__(self, *args, **options):
        self.seen.append(options.get("note"))
        super().__init__(*args, **options)

    @classmethod
    def _strip_protocol(cls, path):
        return super()._strip_protocol(path.removeprefix("noting://"))


def test_options_of_the_store_arrive(fitted):
    fsspec.register_implementation("noting", Noting, clobber=True)
    options = {"note": "ours"}
    fitted.save("noting://model.zarr", storage_options=options)
    assert set(Noting.seen) == {"ours"}
    same(xpad.load_model("noting://model.zarr", storage_options=options), fitted)


def test_load_is_the_inverse_of_save(fitted, saved, small):
    loaded = xpad.load_model(saved)
    same(loaded, fitted)
    xr.testing.assert_identical(xpad.predict(small, loaded), xpad.predict(small, fitted))


def test_without_autoencoder_and_with_options(small, tmp_path):
    model = xpad.fit(small, encoder=None, k=2, energies=(100, 900), background=0.1, progress=False)
    model.save(tmp_path / "m.zarr")
    loaded = xpad.load_model(tmp_path / "m.zarr")
    same(loaded, model)
    assert not loaded.pipeline.encoder.learns


def test_store_is_plain_arrays_and_json(saved):
    assert not [p for p in saved.rglob("*") if p.suffix in (".pkl", ".pickle")]
    tree = xr.open_datatree(saved, engine="zarr", consolidated=False)
    assert json.loads(tree.attrs["settings"])["epochs"] == 8
    assert tree.attrs["format_version"] == FORMAT_VERSION
    assert tree["grid"].energy.attrs["units"] == "keV"
    assert "jax" in json.loads(tree.attrs["provenance"])["versions"]


def test_model_beside_results(fitted, small, tmp_path):
    path = tmp_path / "out.zarr"
    xpad.predict(small, fitted).to_zarr(path, consolidated=False)
    save_model_at(fitted, Place(str(path)), group=GROUP)
    same(xpad.load_model(path), fitted)


def test_existing_path_is_refused(fitted, saved):
    with pytest.raises(OptionError, match="exists"):
        fitted.save(saved)
    fitted.save(saved, overwrite=True)
    same(xpad.load_model(saved), fitted)


def test_no_such_path(tmp_path):
    with pytest.raises(ModelStoreError, match="does not exist"):
        xpad.load_model(tmp_path / "nothing.zarr")


def test_not_a_store(tmp_path):
    (tmp_path / "text.zarr").write_text("hello")
    with pytest.raises(ModelStoreError, match="not a readable Zarr store"):
        xpad.load_model(tmp_path / "text.zarr")


def test_a_store_that_is_no_model(small, tmp_path):
    small.to_zarr(tmp_path / "data.zarr", consolidated=False)
    with pytest.raises(ModelStoreError, match="holds no xpad model"):
        xpad.load_model(tmp_path / "data.zarr")


def test_newer_format(saved):
    zarr.open_group(saved, mode="a").attrs["format_version"] = FORMAT_VERSION + 1
    with pytest.raises(ModelStoreError, match="upgrade xpad"):
        xpad.load_model(saved)


def test_changed_values(saved):
    group = zarr.open_group(saved, mode="a")
    centres = group["labeller/centres"]
    centres[:] = centres[:] + 1
    with pytest.raises(ModelStoreError, match="checksum"):
        xpad.load_model(saved)


def test_changed_settings(saved):
    group = zarr.open_group(saved, mode="a")
    group.attrs["settings"] = group.attrs["settings"].replace('"epochs": 8', '"epochs": 9')
    with pytest.raises(ModelStoreError, match="checksum"):
        xpad.load_model(saved)


# Zarr itself warns of a folder that has lost its metadata.
@pytest.mark.parametrize("lost", ["labeller", "encoder", "labeller/centres/c", "grid/zarr.json"])
def test_lost_parts(saved, lost):
    path = Path(saved, lost)
    shutil.rmtree(path) if path.is_dir() else path.unlink()
    with pytest.raises(ModelStoreError, match=r"damaged|not a readable"):
        xpad.load_model(saved)


def test_truncated_chunks(saved):
    chunks = [path for path in saved.rglob("c/**/*") if path.is_file()]
    chunks += [path for path in saved.rglob("c") if path.is_file()]
    assert len(chunks) > 10
    for chunk in chunks:
        whole = chunk.read_bytes()
        chunk.write_bytes(whole[:5])
        with pytest.raises(ModelStoreError, match="damaged and cannot be read as a model"):
            xpad.load_model(saved)
        chunk.write_bytes(whole)


@pytest.mark.parametrize("fault", [DeprecationWarning("old"), MemoryError("full")])
@pytest.mark.parametrize("where", ["zarr.open_group", "xarray.open_datatree"])
def test_what_is_no_fault_of_the_store_is_not_told_as_one(saved, monkeypatch, where, fault):
    def failing(*args, **options):
        raise fault

    monkeypatch.setattr(where, failing)
    with pytest.raises(type(fault), match=str(fault)):
        xpad.load_model(saved)


@pytest.mark.parametrize("name", ["dense", "straight"])
def test_a_store_of_version_1_gives_what_it_gave(name, small, tmp_path):
    """Written by xpad before the steps of a model had a node each, with its results beside it."""
    data = Path(__file__).parent / "data"
    shutil.unpack_archive(data / f"version1_{name}.zip", tmp_path / "old.zarr")
    model, wanted = xpad.load_model(tmp_path / "old.zarr"), np.load(data / f"version1_{name}.npz")
    out = xpad.predict(small, model)
    np.testing.assert_array_equal(out.pad_label.values, wanted["label"])
    np.testing.assert_allclose(out.pad_pc.values, wanted["pc"], rtol=1e-4, atol=1e-6)
    np.testing.assert_allclose(out.pad_error.values, wanted["error"], rtol=1e-4, atol=1e-6)
    model.save(tmp_path / "new.zarr")
    assert xpad.load_model(tmp_path / "new.zarr") == model
    assert zarr.open_group(tmp_path / "new.zarr").attrs["format_version"] == FORMAT_VERSION


def test_models_are_equal_where_all_that_they_hold_is(small, fitted):
    assert fitted == xpad.fit(small, **QUICK)
    assert fitted != xpad.fit(small, **{**QUICK, "k": 2})
    assert (fitted == "a model") is False
    with pytest.raises(TypeError, match="unhashable"):
        hash(fitted)  # what it holds can be changed
