"""The catalogue and the quicklook against plain NumPy, lazy as in memory."""

import json

import dask
import dask.array as da
import numpy as np
import pytest
import xarray as xr

from xpad.errors import GridMismatchError, OptionError, RolesError
from xpad.pads.regrid import on_one_grid
from xpad.results.read import require_result
from xpad.statistics.catalogue import catalogue
from xpad.statistics.spectrogram import quicklook
from xpad.statistics.sums import mean_pads, sums

ENERGIES = [1.8, 2.6, 5.2]
ANGLES = np.linspace(5.0, 175.0, 7)
K = 4


class CountingScheduler:
    """A dask scheduler that counts how often anything is computed."""

    def __init__(self) -> None:
        self.computes = 0

    def __call__(self, graph, keys, **options):
        self.computes += 1
        return dask.get(graph, keys, **options)


@pytest.fixture
def flux() -> xr.DataArray:
    random = np.random.default_rng(1)
    values = random.gamma(1.0, 50.0, size=(300, 3, 7)).astype("f4")
    values[random.random(values.shape) < 0.1] = np.nan
    values[random.random(values.shape) < 0.2] = 0.0
    values[:, 2, 6] = np.nan  # never measured
    values[7] = 0.0  # no positive value
    times = np.datetime64("2013-01-01", "ns") + np.arange(300) * np.timedelta64(11, "s")
    return xr.DataArray(
        values,
        dims=("Epoch", "energy", "pitch_angle"),
        coords={
            "Epoch": times,
            "energy": ("energy", ENERGIES, {"units": "MeV"}),
            "pitch_angle": ("pitch_angle", ANGLES, {"units": "degree"}),
        },
        attrs={"units": "cm-2 s-1 sr-1 MeV-1"},
        name="FEDU",
    )


@pytest.fixture
def out(flux) -> xr.Dataset:
    label = np.random.default_rng(2).integers(-1, K, flux.sizes["Epoch"]).astype("i2")
    return xr.Dataset(
        {
            "pad_label": ("Epoch", label),
            "pad_centre": (("pad_cluster", "pad_component"), np.zeros((K, 3))),
        },
        coords={"Epoch": flux.Epoch},
    )


def expected_mean(values: np.ndarray, label: np.ndarray, cluster: int) -> np.ndarray:
    members = values[label == cluster].astype("f8")
    number = (~np.isnan(members)).sum(axis=0)
    with np.errstate(invalid="ignore", divide="ignore"):
        return np.nansum(members, axis=0) / number


def test_sums_leave_out_what_is_missing_and_labels_out_of_range():
    block = np.array([[[1.0, np.nan]], [[2.0, 4.0]], [[100.0, 100.0]], [[7.0, 8.0]]], "f4")
    total, number = sums(block, np.array([1, 1, -1, 5]), k=3)
    np.testing.assert_array_equal(total, [[[0.0, 0.0]], [[3.0, 4.0]], [[0.0, 0.0]]])
    np.testing.assert_array_equal(number, [[[0, 0]], [[2, 1]], [[0, 0]]])
    assert total.dtype == np.float64


def test_sums_are_exact_where_float32_would_not_be():
    block = np.full((20_000, 1, 1), 16_777_217 / 16_777_216, "f4")
    block[0] = 2.0**24
    total, _ = sums(block, np.zeros(20_000, int), k=1)
    assert total[0, 0, 0] == block.astype("f8").sum()


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
    scheduler = CountingScheduler()
    with dask.config.set(scheduler=scheduler):
        entries = catalogue(lazy, flux.chunk(chunks))
    assert scheduler.computes == 1
    xr.testing.assert_allclose(entries, catalogue(out, flux), rtol=1e-6)


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


def test_mean_pads_is_lazy_where_either_is(out, flux):
    scheduler = CountingScheduler()
    with dask.config.set(scheduler=scheduler):
        for f, label in (
            (flux.chunk(Epoch=64), out.pad_label),
            (flux, out.pad_label.chunk(Epoch=64)),
        ):
            means = mean_pads(f, label, K)
            assert scheduler.computes == 0
            assert means["mean"].chunks is not None
    wanted = mean_pads(flux, out.pad_label, K)
    assert wanted["mean"].chunks is None
    xr.testing.assert_allclose(means.compute(), wanted)


@pytest.mark.parametrize("normalise", ["max_energy", "90deg"])
def test_mean_pads_with_other_normalisations(out, flux, normalise):
    reference = flux.max("pitch_angle") if normalise == "max_energy" else flux.isel(pitch_angle=3)
    scaled = flux / reference.where(reference > 0)
    means = mean_pads(flux, out.pad_label, K, normalise=normalise)["mean"]
    for cluster in range(K):
        wanted = expected_mean(scaled.values, out.pad_label.values, cluster)
        np.testing.assert_allclose(means[cluster], wanted, rtol=1e-5)


def test_several_record_dimensions_in_any_order(out, flux):
    def probes(array):
        return array.drop_vars("Epoch").coarsen(Epoch=100).construct(Epoch=("probe", "time"))

    parted = probes(flux).transpose("energy", "time", "pitch_angle", "probe")
    labels = probes(out.pad_label).transpose("time", "probe")
    wanted = mean_pads(flux, out.pad_label, K)
    for f in (parted, parted.chunk(time=30, probe=1)):
        xr.testing.assert_allclose(mean_pads(f, labels, K).compute(), wanted)


def test_labels_that_do_not_fit_are_refused(out, flux):
    with pytest.raises(OptionError, match="Epoch"):
        mean_pads(flux, out.pad_label[:-1], K)
    with pytest.raises(OptionError, match="'cube'"):
        mean_pads(flux, out.pad_label, K, normalise="cube")
    with pytest.raises(OptionError, match="without pitch_angle"):
        mean_pads(flux.isel(pitch_angle=0), out.pad_label, K)


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


def test_energies_that_change_are_put_on_one_table_or_refused(out, flux):
    table = np.where(np.arange(300)[:, None] % 3 == 0, 2.0, 1.0) * np.array(ENERGIES)
    level = 1.0 / table[:, :, None] * np.ones(7)
    varying = flux.drop_vars("energy").copy(data=level.astype("f4"))
    varying = varying.assign_coords(
        energy_table=(("Epoch", "energy"), table, {"units": "MeV"}),
    )
    for refusing in (lambda: mean_pads(varying, out.pad_label, K), lambda: quicklook(varying)):
        with pytest.raises(GridMismatchError, match=r"energy_table.*on_one_grid"):
            refusing()
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


def test_quicklook_is_lazy_and_small(flux):
    scheduler = CountingScheduler()
    with dask.config.set(scheduler=scheduler):
        spectrum = quicklook(flux.chunk(Epoch=41), bins=10)
        assert scheduler.computes == 0
        loaded = spectrum.compute()
    assert scheduler.computes == 1
    xr.testing.assert_allclose(loaded, quicklook(flux, bins=10))


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
