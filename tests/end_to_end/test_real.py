"""Real mission files from end to end: nothing is lost, and what is unusable says why."""

import warnings

import cdflib
import numpy as np
import pytest
import xarray as xr
from cdflib.xarray import cdf_to_xarray

import xpad
from xpad.errors import XpadWarning
from xpad.pads.blocks import Block
from xpad.pads.valid import CLEAN

pytestmark = [
    pytest.mark.filterwarnings("ignore:the autoencoder has hardly:xpad.XpadWarning"),
    pytest.mark.filterwarnings("ignore:the energies of:xpad.XpadWarning"),
]

SHORT = {"epochs": 4, "k": 4, "progress": False}


def test_fpi_times_are_the_files_to_the_nanosecond(shared_data):
    files = sorted((shared_data / "mms_fpi").glob("*.cdf"))
    out = xpad.open_dataset(files).pad.cluster(**SHORT)
    stamps = np.concatenate([cdflib.CDF(f).varget("Epoch") for f in files])
    expected = cdflib.cdfepoch.to_datetime(stamps).astype("datetime64[ns]")
    np.testing.assert_array_equal(out.Epoch.values, expected)
    assert out.pad_label.size == 6400
    # Zeros near 0 and 180 degrees are measurements, not fills.
    assert (out.pad_flag.values == 0).all()


def test_fpi_bands_are_stacked_in_order_of_energy(shared_data):
    ds = xpad.open_dataset(
        shared_data / "mms_fpi" / "mms1_fpi_fast_l2_des-moms_20151201000000_v3.3.0.cdf"
    )
    flux = ds.pad.flux
    assert flux.dims == ("Epoch", "energy", "pitch_angle")
    np.testing.assert_allclose(flux.energy, [100, np.sqrt(200 * 2000), np.sqrt(2000 * 30000)])
    np.testing.assert_array_equal(flux.isel(energy=2), ds["mms1_des_pitchangdist_highen_fast"])


@pytest.mark.parametrize("reader", ["open_dataset", "cdf_to_xarray"])
@pytest.mark.parametrize("variable", ["FEDU", "FPDU"])
def test_hope(shared_data, reader, variable):
    file = next((shared_data / "rbsp_hope").glob("*.cdf"))
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        ds = xpad.open_dataset(file) if reader == "open_dataset" else cdf_to_xarray(str(file))
    out, model = xpad.cluster(ds, variable, return_model=True, **SHORT)
    # Pitch-angle bins 0 and 10 are never measured, so 9 of 11 make the features.
    assert model.features.sum() == 9 * model.grid.energy.size
    assert out.pad_label.size == 100
    assert (out.pad_label.values >= 0).all()
    np.testing.assert_array_equal(out[variable].values, cdflib.CDF(file).varget(variable))


def test_hopes_two_energy_tables_are_not_mixed_by_index(shared_data):
    file = next((shared_data / "rbsp_hope").glob("*.cdf"))
    ds = xpad.open_dataset(file)
    _, model = xpad.cluster(ds, "FEDU", return_model=True, **SHORT)
    tables = ds["HOPE_ENERGY_Ele"].values
    other = tables[:, 0] > 400
    assert 0 < other.sum() < 50
    np.testing.assert_allclose(model.grid.energy, np.unique(tables[~other][0]), rtol=1e-6)
    flux = xpad.flux(ds, "FEDU")
    block = Block(flux.values[other], flux["energy_table"].values[other], None, CLEAN)
    ((_, piece),) = block.pieces()
    preparation = model.pipeline.preparation
    pads = preparation.rows(preparation.pads(piece))
    full = np.full((other.sum(), *model.features.shape), np.nan)
    full[:, model.features] = pads
    # What that mode does not measure, below its lowest energy, is missing and not invented.
    assert np.isnan(full[:, model.grid.energy < 300]).all()
    assert (
        np.isfinite(
            full[:, (model.grid.energy > 600) & (model.grid.energy < 40_000)][:, :, 1:-1]
        ).mean()
        > 0.9
    )


def test_hope_electrons_and_ions_in_one_dataset(shared_data):
    ds = xpad.open_dataset(next((shared_data / "rbsp_hope").glob("*.cdf")))
    out = xpad.cluster(xpad.cluster(ds, "FEDU", **SHORT), "FPDU", prefix="proton", **SHORT)
    assert out.pad_label.dims == ("Epoch_Ele",)
    assert out.proton_label.dims == ("Epoch_Ion",)


@pytest.mark.parametrize("species", ["He", "LoTOFxE_H", "O", "S"])
def test_jedi(shared_data, species):
    ds = xpad.open_dataset(shared_data / "juno_jedi" / f"17-20_10_PA_{species}.d2s")
    with pytest.warns(XpadWarning, match="usable records lack .*missing='mask'"):
        out = ds.pad.cluster(**SHORT)
    values = next(v for n, v in ds.data_vars.items() if v.ndim == 2).values
    good = (values >= 0) & (values < 1e30)
    np.testing.assert_array_equal(out.pad_label.values >= 0, ((values > 0) & good).any(axis=1))
    np.testing.assert_array_equal(out.pad_flag.values == 1, ~good.any(axis=1))


def test_ect_combined_is_too_short_and_says_so(shared_data):
    ds = xpad.open_dataset(next((shared_data / "rbsp_ect_combined").glob("*.nc")))
    flux = ds.pad.flux
    assert flux.dims == ("time", "energy", "pitch_angle")
    assert flux.sizes["pitch_angle"] == 18
    report = ds.pad.check()
    np.testing.assert_allclose(report.grid.pitch_angle, np.arange(5, 91, 5))
    assert np.isfinite(report.grid.energy).all()
    assert report.n_records == 10
    assert report.n_usable == 9
    assert report.reasons["all_fill"] + report.reasons["bad_axis"] == 1


def test_results_of_real_files_are_written_and_read_back(shared_data, tmp_path):
    ds = xpad.open_dataset(next((shared_data / "rbsp_hope").glob("*.cdf")))
    out = ds.pad.cluster(**SHORT)
    out.to_zarr(tmp_path / "hope.zarr", consolidated=False)
    back = xr.open_zarr(tmp_path / "hope.zarr", consolidated=False)
    for name in out.variables:
        np.testing.assert_array_equal(back[name].values, out[name].values, err_msg=str(name))


def test_hope_says_that_records_differ_in_energies(shared_data):
    ds = xpad.open_dataset(next((shared_data / "rbsp_hope").glob("*.cdf")))
    with pytest.warns(xpad.XpadWarning, match=r"20% of the records.*energies=\(468.109, 51767.7\)"):
        xpad.check(ds, "FEDU")
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        xpad.check(ds, "FPDU")
