"""Products by the real loaders of pyspedas, offline: fetched, clustered, put back, drawn."""

import importlib
import importlib.util
import inspect
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import xarray as xr
from helpers.products import PRODUCTS, RBSPICE_PAD, RECORDS, Product, expected, write

import xpad
from xpad.errors import OptionError, ReaderError
from xpad.readers.tplot import fetching, store
from xpad.roles import missions

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
    for mission in {*(product.mission for product in PRODUCTS), "mms"}:
        module = f"pyspedas.projects.{CONFIGS.get(mission, mission)}.config"
        folder = str(tmp_path / mission)
        monkeypatch.setitem(importlib.import_module(module).CONFIG, "local_data_dir", folder)
    return pyspedas


def day(product: Product) -> np.datetime64:
    return np.datetime64(DAYS.get(product.mission, "2013-03-01"))


def fetched(product: Product, folder: Path) -> tuple[xr.Dataset, dict[str, np.ndarray]]:
    begin = day(product)
    made = write(product, folder / product.mission, begin)
    if (
        product.mission == "cluster"
    ):  # its loader asks the archive: what it does with the file is driven
        names = store.imported().cdf_to_tplot(str(folder / product.mission / product.file))
        return xpad.from_tplot(names), made
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


def test_pictures_of_results(tplot: Any, tmp_path: Path) -> None:
    product = PRODUCTS[0]
    ds, _ = fetched(product, tmp_path)
    names = xpad.to_tplot(ds.pad.cluster(encoder=None, k=2, progress=False))
    picture = tmp_path / "out"
    tplot.tplot([product.tplot, *names], save_png=str(picture), display=False)
    assert picture.with_suffix(".png").stat().st_size > 10_000


def test_two_instruments_live_side_by_side(tplot: Any, tmp_path: Path) -> None:
    """Both have a FEDU; the second takes the first's place in tplot's memory, not its results."""
    stored: dict[str, np.ndarray] = {}
    for product in PRODUCTS[0], PRODUCTS[2]:
        out = fetched(product, tmp_path)[0].pad.cluster(encoder=None, k=2, progress=False)
        name = xpad.to_tplot(out)[0]
        assert name not in stored
        stored[name] = out.pad_label.values
    for name, labels in stored.items():
        np.testing.assert_array_equal(tplot.get_data(name).y, labels)


def test_real_moments_of_fpi(tplot: Any, tmp_path: Path, shared_data: Path) -> None:
    name = "mms1_fpi_fast_l2_des-moms_20151201000000_v3.3.0.cdf"
    target = tmp_path / "mms/mms1/fpi/fast/l2/des-moms/2015/12" / name
    target.parent.mkdir(parents=True)
    target.write_bytes((shared_data / "mms_fpi" / name).read_bytes())
    trange = ["2015-12-01/00:00", "2015-12-01/01:59"]
    with pytest.warns(xpad.XpadWarning, match="left out: .*'mms1_des_errorflags_fast'"):
        ds = xpad.fetch("mms.fpi", trange=trange, probe="1", no_update=True)
    roles = xpad.recognise(ds)
    assert [name.split("_")[3] for name in map(str, roles.flux)] == ["lowen", "miden", "highen"]
    assert roles.chosen.mission == "mms.fpi"
    assert xpad.flux(ds).sizes["pitch_angle"] == 30


def test_pads_of_rbspice(tplot: Any, tmp_path: Path) -> None:
    """Sums over the channels of the bins that the telescopes look at, and their names hold keV."""
    ds, _ = fetched(RBSPICE_PAD, tmp_path)
    roles = xpad.recognise(ds)
    assert roles.chosen.mission == "rbsp.rbspice-pad"
    np.testing.assert_allclose(xpad.flux(ds).pitch_angle, np.arange(7.5, 180, 15))


def stored_pads(tplot: Any, name: str, bins: int) -> np.ndarray:
    angles = (np.arange(bins) + 0.5) * 180 / bins
    times = np.arange(RECORDS) * 10.0
    values = np.random.default_rng(0).lognormal(3, 1, (RECORDS, bins))
    tplot.store_data(name, data={"x": times, "y": values, "v": angles})
    return times


def test_spin_averages_of_feeps_have_centres(tplot: Any) -> None:
    from pyspedas.projects.mms.feeps_tools.mms_feeps_pad_spinavg import mms_feeps_pad_spinavg

    prefix = "mms1_epd_feeps_srvy_l2_electron_"
    times = stored_pads(tplot, f"{prefix}intensity_70-600keV_pad", 11)
    sectors = np.arange(RECORDS) % 4
    tplot.store_data(f"{prefix}spinsectnum", data={"x": times, "y": sectors})
    name = mms_feeps_pad_spinavg(
        energy=[70, 600], probe="1", data_units="intensity", data_rate="srvy"
    )
    np.testing.assert_allclose(tplot.get_data(name).v, np.linspace(0, 180, 12), rtol=1e-5)
    ds = xpad.from_tplot(name)
    assert xpad.recognise(ds).chosen.mission == "mms.feeps-pad-spin"
    np.testing.assert_allclose(xpad.flux(ds).pitch_angle, np.arange(7.5, 180, 15))


def test_pads_of_eis(tplot: Any) -> None:
    """By pyspedas's own function, on telescopes in tplot's memory."""
    prefix, times = "mms1_epd_eis_srvy_l2_extof_", np.arange(RECORDS) * 10.0
    energies, rng = np.array([55.0, 75, 106]), np.random.default_rng(0)
    edges = np.array([[47.0, 64], [64, 88], [88, 124]])
    put = tplot.store_data
    for t in range(6):
        angles = 10 + 30 * t + 5 * rng.random(RECORDS)
        put(f"{prefix}pitch_angle_t{t}", data={"x": times, "y": angles})
        flux = rng.lognormal(3, 1, (RECORDS, 3))
        put(f"{prefix}proton_P3_flux_t{t}", data={"x": times, "y": flux, "v": energies})
    put(f"{prefix}proton_flux_omni", data={"x": times, "y": flux, "v": energies})
    put(f"{prefix}proton_energy_range", data={"y": edges})
    put(f"{prefix}spin", data={"x": times, "y": np.arange(RECORDS) // 4})
    names = tplot.mms_eis_pad(probe="1", energy=[40, 130])
    ds = xpad.from_tplot(names)
    roles = xpad.recognise(ds)
    assert roles.chosen.mission == "mms.eis-pads"
    flux = xpad.flux(ds)
    np.testing.assert_allclose(flux.energy, energies)
    assert (flux.energy.units, flux.units) == ("keV", "1/(cm^2 s sr keV)")
    channels = xpad.from_tplot(
        [name for name in names if "keV_proton" in name and "pads" not in name]
    )
    np.testing.assert_allclose(xpad.flux(channels), flux)
    np.testing.assert_allclose(xpad.flux(channels).energy, np.sqrt(edges[:, 0] * edges[:, 1]))


# -- what a fetch cannot do ------------------------------------------------------------------------


def test_nothing_there(tplot: Any) -> None:
    with pytest.raises(ReaderError, match=r"loaded nothing of 'rbsp\.rept' for \['2013-03-01'"):
        xpad.fetch("rbsp.rept", trange=["2013-03-01", "2013-03-02"], no_update=True)


def test_what_cannot_be_fetched(tplot: Any) -> None:
    trange = ["2013-03-01", "2013-03-02"]
    with pytest.raises(OptionError, match=r"called 'rbsp\.rep'; did you mean 'rbsp\.rept'"):
        xpad.fetch("rbsp.rep", trange=trange)
    with pytest.raises(OptionError, match=r"no loader for 'rbsp\.ect'.*open_dataset"):
        xpad.fetch("rbsp.ect", trange=trange)
    with pytest.raises(OptionError, match=r"rept\(\) does not take 'prob'; it takes trange"):
        xpad.fetch("rbsp.rept", trange=trange, prob="a")


@pytest.mark.parametrize(
    "row", [r for r in missions.products() if r.loader], ids=lambda row: row.id
)
def test_loaders_of_the_table_are_there(row: missions.Product, tplot: Any) -> None:
    given = {name: value for name, value in row.loader.items() if name not in ("function", "then")}
    loader = fetching.function(row, row.loader["function"])
    assert set(given) | {"trange"} <= set(inspect.signature(loader).parameters)
    if "then" in row.loader:
        assert callable(fetching.function(row, row.loader["then"]))
