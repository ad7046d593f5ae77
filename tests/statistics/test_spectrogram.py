"""The quicklook against plain NumPy."""

import numpy as np
import pytest
import xarray as xr
from helpers import computes

from xpad.errors import GridMismatchError, OptionError
from xpad.statistics.spectrogram import quicklook


@pytest.mark.parametrize("bins", [1, 7, 299, 300, 1500])
def test_quicklook_is_the_mean_of_runs(flux, bins):
    spectrum = quicklook(flux, bins=bins)
    run = -(-300 // bins)
    assert spectrum.dims == ("pad_quicklook", "energy")
    assert spectrum.sizes["pad_quicklook"] <= bins
    one_angle = np.nanmean(flux.values, axis=2)
    wanted = [np.nanmean(one_angle[i : i + run], axis=0) for i in range(0, 300, run)]
    np.testing.assert_allclose(spectrum, wanted, rtol=1e-5)
    np.testing.assert_array_equal(spectrum.pad_quicklook, flux.Epoch.values[::run])
    last = np.minimum(np.arange(0, 300, run) + run, 300) - 1
    np.testing.assert_array_equal(spectrum.pad_quicklook_end, flux.Epoch.values[last])
    assert spectrum.attrs["units"] == flux.attrs["units"]
    assert spectrum.name == "pad_spectrum"


def test_quicklook_computes_once_and_is_small(flux):
    with computes() as count:
        spectrum = quicklook(flux.chunk(Epoch=41), bins=10)
    assert count.computes == 1
    assert spectrum.chunks is None
    assert spectrum.shape == (10, 3)
    xr.testing.assert_allclose(spectrum, quicklook(flux, bins=10))


def test_quicklook_keeps_further_record_dimensions(flux):
    probes = xr.concat([flux, 2 * flux], dim="probe").transpose("Epoch", "probe", ...)
    spectrum = quicklook(probes, bins=10)
    assert spectrum.dims == ("probe", "pad_quicklook", "energy")
    np.testing.assert_allclose(spectrum[1], 2 * quicklook(flux, bins=10), rtol=1e-5)


def test_quicklook_of_records_without_time(flux):
    spectrum = quicklook(flux.drop_vars("Epoch"), bins=100)
    assert spectrum.pad_quicklook.values.tolist() == list(range(0, 300, 3))
    with pytest.raises(OptionError, match="bins=0"):
        quicklook(flux, bins=0)


def test_quicklook_can_be_stored_beside_labels(out, flux, tmp_path):
    store = out.assign(pad_spectrum=quicklook(flux, bins=20))
    store.to_netcdf(tmp_path / "store.nc", engine="h5netcdf")
    with xr.open_dataset(tmp_path / "store.nc", engine="h5netcdf") as back:
        xr.testing.assert_equal(back.pad_spectrum.load(), store.pad_spectrum)


def test_quicklook_of_no_records(flux):
    spectrum = quicklook(flux.isel(Epoch=slice(0)))
    assert spectrum.shape == (0, 3)


def test_a_run_without_a_value_has_none(flux):
    flux[:30, 1] = np.nan
    spectrum = quicklook(flux, bins=10)
    assert np.isnan(spectrum).values.nonzero()[0].tolist() == [0]
    assert np.isnan(spectrum[0, 1])


def test_quicklook_of_energies_that_change_is_refused(flux):
    table = np.ones((300, 1)) * flux.energy.values
    varying = flux.drop_vars("energy").assign_coords(energy_table=(("Epoch", "energy"), table))
    with pytest.raises(GridMismatchError, match=r"energy_table.*on_one_grid"):
        quicklook(varying)
