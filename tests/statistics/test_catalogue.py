"""The catalogue against plain NumPy, lazy as in memory."""

import json

import dask
import dask.array as da
import numpy as np
import pytest
import xarray as xr
from helpers import computes

from xpad.errors import OptionError, RolesError
from xpad.pads.regrid import on_one_grid
from xpad.results.read import require_result
from xpad.statistics.catalogue import catalogue

ENERGIES = [1.8, 2.6, 5.2]
K = 4


def expected_mean(values: np.ndarray, label: np.ndarray, cluster: int) -> np.ndarray:
    members = values[label == cluster].astype("f8")
    number = (~np.isnan(members)).sum(axis=0)
    with np.errstate(invalid="ignore", divide="ignore"):
        return np.nansum(members, axis=0) / number


def test_catalogue_equals_numpy(out, flux):
    entries = catalogue(out, flux)
    label, values = out.pad_label.values, flux.values
    with np.errstate(invalid="ignore", divide="ignore"):
        largest = np.nanmax(values, axis=(1, 2), keepdims=True)
        scaled = np.where(largest > 0, values / largest, np.nan)
    for cluster in range(K):
        for name, of in (("pad_mean", scaled), ("pad_flux", values)):
            wanted = expected_mean(of, label, cluster)
            np.testing.assert_allclose(entries[name][cluster], wanted, rtol=1e-6)
        assert entries.pad_count[cluster] == (label == cluster).sum()
    assert np.isnan(entries.pad_mean[:, 2, 6]).all()
    np.testing.assert_allclose(entries.pad_share, entries.pad_count / (label >= 0).sum())
    np.testing.assert_allclose(entries.pad_share.sum(), 1.0)
    positive = np.where(np.isnan(values), np.nan, values > 0)
    np.testing.assert_allclose(entries.pad_positive[1], expected_mean(positive, label, 1), 1e-6)


def test_catalogue_says_its_units_and_its_normalisation(out, flux):
    entries = catalogue(out, flux)
    assert entries.pad_flux.attrs["units"] == "cm-2 s-1 sr-1 MeV-1"
    assert entries.pad_mean.attrs["normalise"] == "max"
    assert entries.energy.attrs["units"] == "MeV"
    assert entries.pad_mean.dims == ("pad_cluster", "energy", "pitch_angle")


def test_catalogue_can_be_stored(out, flux, tmp_path):
    entries = catalogue(out, flux)
    entries.to_netcdf(tmp_path / "entries.nc", engine="h5netcdf")
    with xr.open_dataset(tmp_path / "entries.nc", engine="h5netcdf") as back:
        xr.testing.assert_identical(back.load(), entries)


@pytest.mark.parametrize("chunks", [{"Epoch": 37}, {"Epoch": 300, "pitch_angle": 3}, {"Epoch": 1}])
def test_catalogue_is_the_same_lazily_and_computes_once(out, flux, chunks):
    lazy = out.assign(pad_label=out.pad_label.chunk(Epoch=50))
    with computes() as count:
        entries = catalogue(lazy, flux.chunk(chunks))
    assert count.computes == 1
    xr.testing.assert_allclose(entries, catalogue(out, flux), rtol=1e-6)


def test_a_mixture_of_lazy_and_not_is_computed_once(out, flux):
    wanted = catalogue(out, flux)
    lazy = out.assign(pad_label=out.pad_label.chunk(Epoch=50))
    for labels, values in ((lazy, flux), (out, flux.chunk(Epoch=64)), (lazy[["pad_label"]], flux)):
        with computes() as count:
            entries = catalogue(labels, values)
        assert count.computes == 1
        xr.testing.assert_allclose(entries, wanted, rtol=1e-6)


def test_several_record_dimensions_in_any_order(out, flux):
    def probes(array):
        return array.drop_vars("Epoch").coarsen(Epoch=100).construct(Epoch=("probe", "time"))

    parted = probes(flux).transpose("energy", "time", "pitch_angle", "probe")
    labels = xr.Dataset({"pad_label": probes(out.pad_label).transpose("time", "probe")})
    wanted = catalogue(out, flux)
    for given in (parted, parted.chunk(time=30, probe=1)):
        xr.testing.assert_allclose(catalogue(labels, given), wanted, rtol=1e-6)


def test_a_flux_that_does_not_fit_is_refused(out, flux):
    with pytest.raises(OptionError, match=r"pad_label has dims .*299.*Epoch.*300"):
        catalogue(out.isel(Epoch=slice(299)), flux)
    with pytest.raises(OptionError, match="without pitch_angle"):
        catalogue(out, flux.isel(pitch_angle=0))


def test_labels_of_a_part_of_the_records(out, flux):
    """Those that xarray's ``where`` leaves are floats, NaN elsewhere."""
    kept = out.pad_label.where(out.Epoch < out.Epoch[150])
    assert kept.dtype.kind == "f"
    half = {"Epoch": slice(150)}
    wanted = catalogue(out.isel(half), flux.isel(half))
    xr.testing.assert_identical(catalogue(out.assign(pad_label=kept), flux), wanted)


@pytest.mark.parametrize("k", [0, 1, 2])
def test_labels_beyond_the_clusters_are_left_out(out, flux, k):
    entries = catalogue(out.isel(pad_cluster=slice(k)), flux)
    xr.testing.assert_identical(
        entries.drop_vars("pad_share"),
        catalogue(out, flux).isel(pad_cluster=slice(k)).drop_vars("pad_share"),
    )
    assert entries.pad_share.sum() == (k > 0)


def test_pads_without_a_positive_value_have_a_level_and_no_shape(out, flux):
    label = out.pad_label.copy()
    label[:8] = [-1] * 7 + [0]  # the last has zeros only
    alone = label.where(label.Epoch <= label.Epoch[7], -1)
    entries = catalogue(out.assign(pad_label=alone), flux)
    assert entries.pad_count[0] == 1
    assert np.isnan(entries.pad_mean[0]).all()
    assert (entries.pad_flux[0] == 0).all()
    assert (entries.pad_positive[0] == 0).all()


def test_each_chunk_of_the_flux_is_read_once(out, flux):
    read = []

    def load(block, block_info=None):
        read.append(block_info[0]["chunk-location"])
        return block

    values = da.from_array(flux.values, chunks=(50, -1, -1)).map_blocks(load, dtype="f4")
    read.clear()
    with dask.config.set(scheduler="synchronous"):
        catalogue(out, flux.copy(data=values))
    assert sorted(read) == [(i, 0, 0) for i in range(6)]


def test_a_cluster_without_records_has_no_mean_and_no_share(out, flux):
    label = out.pad_label.where(out.pad_label != 2, -1).astype("i2")
    entries = catalogue(out.assign(pad_label=label), flux)
    assert entries.pad_count[2] == 0
    assert entries.pad_share[2] == 0
    assert np.isnan(entries.pad_mean[2]).all()


def test_the_number_of_clusters_without_centres(out, flux):
    entries = catalogue(out[["pad_label"]], flux)
    assert entries.sizes["pad_cluster"] == K
    with pytest.raises(RolesError, match="no label of 0"):
        catalogue(xr.Dataset({"pad_label": out.pad_label * 0 - 1}), flux)


def test_another_prefix(out, flux):
    renamed = out.rename(pad_label="ion_label", pad_centre="ion_centre", pad_cluster="ion_cluster")
    entries = catalogue(renamed, flux, prefix="ion")
    assert set(entries.data_vars) == {
        f"ion_{name}" for name in ("mean", "flux", "positive", "count", "share")
    }
    assert entries.ion_mean.dims[0] == "ion_cluster"


def test_a_stored_catalogue_is_returned_when_there_is_no_flux(out, flux):
    entries = catalogue(out, flux)
    stored = out[["pad_label"]].merge(entries)
    xr.testing.assert_identical(catalogue(stored), entries)
    fresh = catalogue(stored, 2 * flux)
    np.testing.assert_allclose(fresh.pad_flux, 2 * entries.pad_flux)


def test_a_selection_does_not_get_the_catalogue_of_the_whole(out, flux):
    stored = out[["pad_label"]].merge(catalogue(out, flux))
    half = {"Epoch": slice(0, 150)}
    selected = stored.isel(half)
    with pytest.raises(RolesError, match=r"which are not those.*keep_flux=True"):
        catalogue(selected)
    with computes() as count:
        catalogue(stored.assign(pad_label=stored.pad_label.chunk(Epoch=40)))
    assert count.computes == 1  # its labels, counted
    wanted = catalogue(out.isel(half), flux.isel(half))
    xr.testing.assert_identical(catalogue(selected, flux.isel(half)), wanted)
    xr.testing.assert_equal(catalogue(selected.assign(FEDU=flux)), wanted)
    xr.testing.assert_identical(
        catalogue(stored.isel(Epoch=slice(None, None, -1))), catalogue(stored)
    )


def test_results_whose_flux_was_dropped_say_so(out, flux):
    out.attrs["pad_input"] = json.dumps({"variable": "FEDU"})
    with pytest.raises(RolesError, match="FEDU, the flux that this result was made from, is not"):
        catalogue(out)


def test_results_that_are_not_there(flux):
    with pytest.raises(RolesError, match=r"'pad_label'.*ds\.pad\.cluster\(\)"):
        catalogue(xr.Dataset(), flux)
    with pytest.raises(RolesError, match="prefix='ion'"):
        require_result(xr.Dataset({"ion_label": ("t", [0])}), "label")


def test_the_flux_that_was_labelled_is_found(out, flux):
    both = out.assign(FEDU=flux, FPDU=3 * flux)
    both.attrs["pad_input"] = json.dumps({"variable": "FPDU"})
    np.testing.assert_allclose(catalogue(both).pad_flux, catalogue(out, 3 * flux).pad_flux)
    del both.attrs["pad_input"]
    np.testing.assert_allclose(catalogue(both).pad_flux, catalogue(out, flux).pad_flux)


def test_energies_that_change_are_put_on_one_table(out, flux):
    table = np.where(np.arange(300)[:, None] % 3 == 0, 2.0, 1.0) * np.array(ENERGIES)
    level = 1.0 / table[:, :, None] * np.ones(7)
    varying = flux.drop_vars("energy").copy(data=level.astype("f4"))
    varying = varying.assign_coords(
        energy_table=(("Epoch", "energy"), table, {"units": "MeV"}),
    )
    for given in (varying, varying.chunk(Epoch=70)):
        placed = on_one_grid(given)
        np.testing.assert_allclose(placed.energy, ENERGIES)
        assert placed.dims == flux.dims
        # The third energies lie above the first table only; the second lies within both.
        np.testing.assert_allclose(placed.isel(energy=2), 1 / 5.2, rtol=0.1)
        np.testing.assert_array_equal(placed.Epoch, flux.Epoch)
        entries = catalogue(out, given)
        np.testing.assert_allclose(entries.pad_flux[:, 2], 1 / 5.2, rtol=0.1)
    assert on_one_grid(flux) is flux
