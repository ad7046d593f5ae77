"""A saved model is the same model, and what is no model is refused with the reason."""

import json
import shutil
from pathlib import Path

import numpy as np
import pytest
import xarray as xr
import zarr

import xpad
from xpad.errors import ModelStoreError, OptionError
from xpad.model.model import FORMAT_VERSION, GROUP, save_model_at
from xpad.storage.place import Place

pytestmark = pytest.mark.filterwarnings("ignore:the autoencoder has hardly:xpad.XpadWarning")


@pytest.fixture
def saved(fitted, tmp_path):
    fitted.save(tmp_path / "model.zarr")
    return tmp_path / "model.zarr"


def same(a, b):
    for name in ("bandwidth", "modes", "centres", "counts", "features", "fill", "k"):
        np.testing.assert_array_equal(getattr(a, name), getattr(b, name), err_msg=name)
    for name in (
        "mean",
        "components",
        "explained_variance",
        "explained_variance_ratio",
        "n_samples",
    ):
        np.testing.assert_array_equal(getattr(a.pca, name), getattr(b.pca, name), err_msg=name)
    assert a.settings == b.settings
    assert a.preset == b.preset
    assert a.scores == b.scores
    assert a.provenance == b.provenance
    assert a.grid.energy_units == b.grid.energy_units
    np.testing.assert_array_equal(a.grid.energy, b.grid.energy)
    np.testing.assert_array_equal(a.grid.pitch_angle, b.grid.pitch_angle)
    xr.testing.assert_identical(a.history, b.history)


def test_load_is_the_inverse_of_save(fitted, saved, small):
    loaded = xpad.load_model(saved)
    same(loaded, fitted)
    xr.testing.assert_identical(xpad.predict(small, loaded), xpad.predict(small, fitted))


def test_without_autoencoder_and_with_options(small, tmp_path):
    model = xpad.fit(small, encoder=None, k=2, energies=(100, 900), background=0.1, progress=False)
    model.save(tmp_path / "m.zarr")
    loaded = xpad.load_model(tmp_path / "m.zarr")
    same(loaded, model)
    assert loaded.autoencoder is None


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
    centres = group["clusters/centres"]
    centres[:] = centres[:] + 1
    with pytest.raises(ModelStoreError, match="checksum"):
        xpad.load_model(saved)


def test_changed_settings(saved):
    group = zarr.open_group(saved, mode="a")
    group.attrs["settings"] = group.attrs["settings"].replace('"epochs": 8', '"epochs": 9')
    with pytest.raises(ModelStoreError, match="checksum"):
        xpad.load_model(saved)


@pytest.mark.parametrize("lost", ["clusters", "encoder", "clusters/centres/c", "grid/zarr.json"])
def test_lost_parts(saved, lost):
    path = Path(saved, lost)
    shutil.rmtree(path) if path.is_dir() else path.unlink()
    with pytest.raises(ModelStoreError, match=r"damaged|not a readable"):
        xpad.load_model(saved)


def test_truncated_chunk(saved):
    chunk = next(p for p in saved.rglob("c/*") if p.is_file() or p.name == "0")
    files = [chunk] if chunk.is_file() else [p for p in chunk.rglob("*") if p.is_file()]
    files[0].write_bytes(files[0].read_bytes()[:5])
    with pytest.raises(ModelStoreError, match="damaged"):
        xpad.load_model(saved)
