"""From and to pyspedas, with its real loaders on local files."""

import importlib.util
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import xarray as xr
from cdflib.cdfwrite import CDF as Writer
from cdflib.epochs import CDFepoch

from xpad.errors import OptionError, ReaderError, XpadWarning
from xpad.readers import from_tplot, to_tplot

if importlib.util.find_spec("pyspedas") is None:
    pytest.skip("pyspedas is not installed", allow_module_level=True)

pytestmark = pytest.mark.filterwarnings("default")  # pyspedas and what it imports warn

EPOCH, REAL4 = 31, 44
ALPHA = np.linspace(5, 175, 5).astype("f4")
ENERGY = np.array([1.8, 2.1, 2.6], dtype="f4")
RECORDS = 4


def write_product(path: Path, start: list[int], *, energies_vary: bool = False) -> np.ndarray:
    """Write a CDF in the structure of REPT L3 or MagEIS L3; return the flux."""
    path.parent.mkdir(parents=True, exist_ok=True)
    rng = np.random.default_rng(1)
    energy = np.append(ENERGY, 9).astype("f4") if energies_vary else ENERGY
    flux = rng.gamma(1, 100, (RECORDS, ALPHA.size, energy.size)).astype("f4")
    flux[0, 0, 0] = -1e31
    writer = Writer(str(path), cdf_spec={"Majority": "row_major"}, delete=True)
    writer.write_globalattrs({"Project": {0: "LWS"}, "Logical_source": {0: "rept"}})

    def add(name: str, kind: int, values: Any, attrs: dict[str, Any], varying: bool = True) -> None:
        array = np.asarray(values)
        spec = {
            "Variable": name,
            "Data_Type": kind,
            "Num_Elements": 1,
            "Rec_Vary": varying,
            "Dim_Sizes": list(array.shape[1:] if varying else array.shape),
        }
        writer.write_var(spec, var_attrs=attrs, var_data=array)

    support, data = {"VAR_TYPE": "support_data"}, {"VAR_TYPE": "data", "DEPEND_0": "Epoch"}
    epoch = CDFepoch.compute_epoch([*start, 0, 0, 0, 0]) + 11_000.0 * np.arange(RECORDS)
    add("Epoch", EPOCH, epoch, support)
    add("FEDU_Alpha", REAL4, ALPHA, {**support, "UNITS": "deg"}, False)
    energies = np.tile(energy, (RECORDS, 1)) if energies_vary else energy
    add("FEDU_Energy", REAL4, energies, {**support, "UNITS": "MeV"}, energies_vary)
    depends = {"DEPEND_1": "FEDU_Alpha", "DEPEND_2": "FEDU_Energy", "UNITS": "cm-2"}
    add("FEDU", REAL4, flux, {**data, **depends, "FILLVAL": [-1e31, "CDF_REAL4"]})
    add("L", REAL4, np.arange(RECORDS, dtype="f4"), {**data, "UNITS": "R_E"})
    writer.close()
    flux[0, 0, 0] = np.nan  # the loader does that
    return flux


@pytest.fixture(scope="session")
def spedas(tmp_path_factory: pytest.TempPathFactory) -> Any:
    """The real library, with its local data in a folder of ours and no network."""
    folder = tmp_path_factory.mktemp("spedas")
    before = os.environ.get("SPEDAS_DATA_DIR")
    options = xr.get_options()["keep_attrs"]
    os.environ["SPEDAS_DATA_DIR"] = str(folder)
    try:
        import pyspedas
        from pyspedas.projects.rbsp.config import CONFIG
    finally:
        xr.set_options(keep_attrs=options)
        if before is None:
            del os.environ["SPEDAS_DATA_DIR"]
        else:
            os.environ["SPEDAS_DATA_DIR"] = before
    CONFIG["local_data_dir"] = str(folder / "rbsp")
    return pyspedas


@pytest.fixture
def rept(spedas: Any) -> np.ndarray:
    """REPT's FEDU and L as tplot variables, loaded by pyspedas's own loader; the flux."""
    from pyspedas.projects.rbsp.config import CONFIG

    spedas.del_data("*")
    name = "rbspb_rel03_ect-rept-sci-l3_20130301_v5.0.0.cdf"
    folder = Path(CONFIG["local_data_dir"]) / "rbspb/l3/ect/rept/sectors/rel03/2013"
    flux = write_product(folder / name, [2013, 3, 1])
    trange = ["2013-03-01", "2013-03-02"]
    loaded = spedas.projects.rbsp.rept(trange=trange, probe="b", no_update=True)
    assert {"FEDU", "L"} <= set(loaded)
    return flux


def load_mageis(spedas: Any) -> np.ndarray:
    from pyspedas.projects.rbsp.config import CONFIG

    name = "rbspb_rel04_ect-mageis-l3_20130301_v8.0.0.cdf"
    folder = Path(CONFIG["local_data_dir"]) / "rbspb/l3/ect/mageis/sectors/rel04/2013"
    flux = write_product(folder / name, [2013, 3, 1], energies_vary=True)
    trange = ["2013-03-01", "2013-03-02"]
    spedas.projects.rbsp.mageis(
        trange=trange, probe="b", rel="rel04", no_update=True, prefix="mageis_"
    )
    return flux


def test_original_names_and_attributes(rept: np.ndarray) -> None:
    ds = from_tplot(["FEDU", "L"])
    assert ds["FEDU"].dims == ("time", "FEDU_Alpha", "FEDU_Energy")
    assert ds["L"].dims == ("time",)
    np.testing.assert_array_equal(ds["FEDU"], rept)
    np.testing.assert_array_equal(ds["FEDU_Alpha"], ALPHA)
    assert ds["time"].values[1] == np.datetime64("2013-03-01T00:00:11", "ns")
    attrs = ds["FEDU"].attrs
    assert attrs["DEPEND_0"] == "time"
    assert attrs["DEPEND_2"] == "FEDU_Energy"
    assert attrs["units"] == attrs["UNITS"] == "cm-2"
    assert ds["FEDU_Alpha"].attrs["units"] == "deg"
    assert "plot_options" not in attrs


def test_result_is_a_copy(spedas: Any, rept: np.ndarray) -> None:
    live = spedas.get_data("FEDU", xarray=True)
    before = live.attrs["CDF"]["VATT"].copy()
    ds = from_tplot("FEDU")
    ds["FEDU"][:] = 0
    ds["FEDU"].attrs["UNITS"] = "changed"
    np.testing.assert_array_equal(spedas.get_data("FEDU", xarray=True), rept)
    assert live.attrs["CDF"]["VATT"] == before


def test_two_instruments_with_the_same_dimension_names(spedas: Any, rept: np.ndarray) -> None:
    flux = load_mageis(spedas)
    assert spedas.get_data("mageis_FEDU", xarray=True).dims == ("time", "v1_dim", "v2_dim")
    ds = from_tplot(["FEDU", "mageis_FEDU"])
    np.testing.assert_array_equal(ds["FEDU"], rept)
    np.testing.assert_array_equal(ds["mageis_FEDU"], flux)
    assert ds["mageis_FEDU"].dims[:2] == ("time", "FEDU_Alpha")
    axis = ds["mageis_FEDU"].attrs["DEPEND_2"]
    assert ds[axis].dims == ("time", ds["mageis_FEDU"].dims[2])
    assert ds[axis].shape == (RECORDS, 4)


def test_other_times_and_unnamed_axes(spedas: Any, rept: np.ndarray) -> None:
    spedas.store_data("bare", data={"x": [0.0, 1.0], "y": np.ones((2, 7))})
    values = {"x": [0.0, 1.0, 2.0], "y": np.ones((3, 4)), "v": np.arange(12.0).reshape(3, 4)}
    spedas.store_data("moving", data=values)
    spedas.store_data("static", data={"y": np.arange(3)})
    ds = from_tplot(["L", "bare", "moving", "static"])
    assert ds["bare"].dims[0] == "time_bare"
    assert ds["moving"].dims[0] == "time_moving"
    assert ds[ds["moving"].attrs["DEPEND_1"]].dims == ds["moving"].dims
    assert ds["moving"].attrs["DEPEND_1"] in ds.coords
    assert ds["static"].shape == (3,)
    assert from_tplot("mov*")["moving"].dims[0] == "time"


def test_written_as_it_is(spedas: Any, rept: np.ndarray, tmp_path: Path) -> None:
    load_mageis(spedas)
    ds = from_tplot(["FEDU", "mageis_FEDU", "L"])
    ds.to_zarr(tmp_path / "out.zarr", consolidated=False)
    ds.to_netcdf(tmp_path / "out.nc", engine="h5netcdf")
    zarr = xr.open_zarr(tmp_path / "out.zarr", consolidated=False)
    for back in (zarr, xr.load_dataset(tmp_path / "out.nc", engine="h5netcdf")):
        xr.testing.assert_equal(back.load(), ds)


def test_unknown_name(spedas: Any, rept: np.ndarray) -> None:
    with pytest.raises(ReaderError, match=r"no tplot variable 'FEDO'. In memory: .*FEDU"):
        from_tplot("FEDO")


def results(times: np.ndarray) -> xr.Dataset:
    n = len(times)
    return xr.Dataset(
        {
            "pad_label": ("time", np.arange(n, dtype="i2"), {"units": "1"}),
            "pad_pc": (("time", "pad_component"), np.ones((n, 3), "f4")),
            "pad_error": ("time", np.ones(n, "f4")),
            "pad_flag": ("time", np.zeros(n, "i1")),
        },
        {"time": times},
    )


def test_results_go_back(spedas: Any) -> None:
    times = np.array(["2013-01-01", "2013-01-02"], dtype="M8[ns]")
    names = to_tplot(results(times))
    assert names == ["pad_label", "pad_pc", "pad_error", "pad_flag"]
    assert set(names) <= set(spedas.tnames())
    stored = spedas.get_data("pad_label", xarray=True)
    np.testing.assert_array_equal(stored, [0, 1])
    np.testing.assert_array_equal(stored["time"], times)
    assert spedas.get_data("pad_pc").y.shape == (2, 3)
    assert stored.attrs["plot_options"]["yaxis_opt"]["axis_label"] == "PAD cluster"
    renamed = results(times).rename(pad_label="ions_label")
    assert to_tplot(renamed, prefix="ions") == ["ions_label"]


def test_records_without_time_are_said(spedas: Any) -> None:
    times = np.array(["2013-01-01", "NaT"], dtype="M8[ns]")
    with pytest.warns(XpadWarning, match="pad_label: 1 records without a time"):
        to_tplot(results(times))
    np.testing.assert_array_equal(spedas.get_data("pad_label").y, [0])


def test_results_that_tplot_cannot_hold(spedas: Any) -> None:
    times = np.array(["2013-01-01"], dtype="M8[ns]")
    with pytest.raises(OptionError, match="no ions_label"):
        to_tplot(results(times), prefix="ions")
    with pytest.raises(OptionError, match="one record dimension"):
        to_tplot(results(times).expand_dims("probe"))
    with pytest.raises(OptionError, match="holds float64 and no times"):
        to_tplot(results(times).assign_coords(time=[0.0]))


@pytest.mark.slow
def test_option_of_xarray_survives_the_import() -> None:
    code = (
        "import xarray as xr; xr.set_options(keep_attrs=False);"
        "from xpad.readers.tplot import store; store.imported();"
        "assert xr.get_options()['keep_attrs'] is False"
    )
    subprocess.run([sys.executable, "-c", code], check=True, timeout=300)


def test_missing_pyspedas_is_said(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "pyspedas", None)
    with pytest.raises(ImportError, match=r"pip install 'xpad\[tplot\]'"):
        from_tplot("FEDU")
