"""Products by the real loaders of pyspedas, offline: fetched, clustered, put back, drawn."""

import importlib
import importlib.util
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import xarray as xr
from helpers.products import PRODUCTS, RECORDS, Product, expected, write

import xpad
from xpad.readers.tplot import store

if importlib.util.find_spec("pyspedas") is None:
    pytest.skip("pyspedas is not installed", allow_module_level=True)

pytestmark = pytest.mark.filterwarnings("default")  # pyspedas and what it imports warn

CONFIGS = {"ergsc": "erg", "maven": "maven.spdf"}
DAYS = {
    "ergsc": "2017-03-01", "elfin": "2021-03-01", "psp": "2020-03-01", "maven": "2015-03-01",
    "wind": "2005-03-01", "stereo": "2010-03-01", "polar": "1997-03-01", "fast": "1998-09-01",
}  # fmt: skip


@pytest.fixture
def tplot(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Any:
    """pyspedas with nothing in its memory; its files in a folder of ours."""
    pyspedas = store.imported()
    pyspedas.del_data("*")
    for mission in {product.mission for product in PRODUCTS}:
        module = f"pyspedas.projects.{CONFIGS.get(mission, mission)}.config"
        folder = str(tmp_path / mission)
        monkeypatch.setitem(importlib.import_module(module).CONFIG, "local_data_dir", folder)
    return pyspedas


def day(product: Product) -> np.datetime64:
    return np.datetime64(DAYS.get(product.mission, "2013-03-01"))


def fetched(product: Product, folder: Path) -> tuple[xr.Dataset, dict[str, np.ndarray]]:
    begin = day(product)
    made = write(product, folder / product.mission, begin)
    trange = [str(begin), str(begin + 1)]
    return xpad.fetch(product.id, trange=trange, no_update=True, **product.arguments), made


@pytest.mark.parametrize("product", PRODUCTS, ids=lambda product: product.id)
def test_a_product_all_the_way(product: Product, tplot: Any, tmp_path: Path) -> None:
    ds, made = fetched(product, tmp_path)
    assert product.tplot in ds
    if product.id.endswith("paspec"):
        ds = ds.drop_vars(["erg_hep_l3_FEDU_L"])
    roles = xpad.recognise(ds)
    assert roles.flux[0] == product.tplot
    assert roles.chosen.mission.startswith(product.id)
    flux = xpad.flux(ds)
    assert flux.sizes[flux.dims[0]] == RECORDS
    found = np.sort(flux.values[np.isfinite(flux.values)])
    np.testing.assert_allclose(found, expected(product, made), rtol=1e-6)
    out = ds.pad.cluster(encoder=None, k=2, progress=False)
    names = xpad.to_tplot(out)
    np.testing.assert_array_equal(tplot.get_data(names[0]).y, out.pad_label)
    assert set(np.unique(out.pad_label)) == {0, 1}
