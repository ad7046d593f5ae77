"""The simulated mission: reproducible to the bit, lazy, and physically what it says it is."""

from pathlib import Path
from typing import Any

import dask
import numpy as np
import pytest
import xarray as xr
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from xpad.errors import OptionError, ReaderError
from xpad.simulation import clock, instrument, records
from xpad.simulation.cdf import to_cdf
from xpad.simulation.clock import BLOCK, Mission, kept, slot_times
from xpad.simulation.mission import simulate
from xpad.simulation.orbit import orbit
from xpad.simulation.storms import E_FOLDING_MEV

FILL = np.float32(-1e31)
MISSION = Mission(seed=0, start_ms=1_356_998_400_000, probe="b")


@pytest.fixture(scope="module")
def month() -> xr.Dataset:
    return simulate(days=30, seed=0, chunks=None)


@pytest.fixture(scope="module")
def short() -> xr.Dataset:
    return simulate(days=0.5, seed=3, chunks=None)


def same(a: xr.Dataset, b: xr.Dataset) -> None:
    """Equal in all to the bit, but for the length in the attributes."""
    xr.testing.assert_equal(a, b)
    for name in a.variables:
        assert a[name].dtype == b[name].dtype
        assert a[name].values.tobytes() == b[name].values.tobytes()
        xr.testing.assert_identical(a[name].drop_attrs(), b[name].drop_attrs())


def types(ds: xr.Dataset) -> dict[str, int]:
    attrs = ds.truth.attrs
    return dict(zip(attrs["flag_meanings"].split(), attrs["flag_values"].tolist(), strict=True))


class Scheduler:
    """Counts how often dask is asked to compute."""

    def __init__(self) -> None:
        self.computes = 0

    def __call__(self, graph: Any, keys: Any, **kwargs: Any) -> Any:
        self.computes += 1
        return dask.get(graph, keys, **kwargs)


# reproducible -----------------------------------------------------------------------------


def test_same_seed_same_mission(short: xr.Dataset) -> None:
    same(short, simulate(days=0.5, seed=3, chunks=None))


@pytest.mark.parametrize(
    "other", [{"seed": 4}, {"probe": "a"}, {"start": "2014-06-01"}], ids=lambda o: next(iter(o))
)
def test_another_mission_differs(short: xr.Dataset, other: dict[str, Any]) -> None:
    ds = simulate(**({"days": 0.5, "seed": 3, "chunks": None} | other))
    n = min(ds.sizes["Epoch"], short.sizes["Epoch"])
    assert np.mean(ds.FEDU.values[:n] == short.FEDU.values[:n]) < 0.9


@settings(
    max_examples=8, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(chunks=st.one_of(st.integers(300, 5000), st.sampled_from(["1h", "6h", "1D"])))
def test_chunks_change_nothing(short: xr.Dataset, chunks: int | str) -> None:
    same(short, simulate(days=0.5, seed=3, chunks=chunks).compute(scheduler="threads"))


def test_chunk_of_one_record() -> None:
    ds = simulate(days=0.002, seed=3, chunks=1)
    assert ds.FEDU.data.numblocks[0] == ds.sizes["Epoch"] > 10
    same(simulate(days=0.002, seed=3, chunks=None), ds.compute())


def test_selection_is_what_it_was(short: xr.Dataset) -> None:
    lazy = simulate(days=0.5, seed=3, chunks=777)
    same(short.isel(Epoch=slice(1500, 2600)), lazy.isel(Epoch=slice(1500, 2600)).compute())


@pytest.mark.parametrize("days", [0.0001, 0.11, 0.4])
def test_longer_run_begins_like_a_shorter_one(short: xr.Dataset, days: float) -> None:
    ds = simulate(days=days, seed=3, chunks=None)
    assert ds.sizes["Epoch"] >= 1
    same(ds, short.isel(Epoch=slice(0, ds.sizes["Epoch"])))
    end = ds.Epoch.values[0].astype("datetime64[D]") + np.timedelta64(
        round(days * 86_400_000), "ms"
    )
    later = short.Epoch.values[ds.sizes["Epoch"] :]
    assert ds.Epoch.values[-1] < end
    assert later.size == 0 or later[0] >= end


def test_prefix_across_weeks_of_storms(month: xr.Dataset) -> None:
    lazy = simulate(days=400, seed=0)
    n = month.sizes["Epoch"]
    where = slice(n - 1500, n)
    same(month.isel(Epoch=where), lazy.isel(Epoch=where).compute())


def test_counter_based_draws_do_not_depend_on_the_range() -> None:
    whole = kept(MISSION, 0, 200_000), slot_times(MISSION, 0, 200_000)
    for lo, hi in [(0, 1), (15, 17), (7_899, 31_600), (123_456, 200_000)]:
        np.testing.assert_array_equal(kept(MISSION, lo, hi), whole[0][lo:hi])
        np.testing.assert_array_equal(slot_times(MISSION, lo, hi), whole[1][lo:hi])


# lazy ---------------------------------------------------------------------------------------


def test_building_computes_nothing_and_scales() -> None:
    scheduler = Scheduler()
    with dask.config.set(scheduler=scheduler):
        ds = simulate(days=1000, seed=0)
        assert scheduler.computes == 0
        for name in records.SHAPES:
            assert dask.is_dask_collection(ds[name].data)
            assert len(dict(ds[name].data.__dask_graph__())) <= 1.1 * 1000
        ds.L.isel(Epoch=-1).compute()
        assert scheduler.computes == 1
    assert ds.FEDU.data.chunksize == (7901, 17, 12)


def test_without_chunks_there_is_no_dask(short: xr.Dataset) -> None:
    assert all(isinstance(short[name].data, np.ndarray) for name in short.data_vars)


# structure ----------------------------------------------------------------------------------


def test_structure(month: xr.Dataset) -> None:
    assert month.FEDU.dims == ("Epoch", "FEDU_Alpha", "FEDU_Energy")
    assert month.FEDU.shape[1:] == (17, 12)
    assert month.FEDU.dtype == np.float32
    assert month.truth.dtype == np.int8
    np.testing.assert_array_equal(month.FEDU_Alpha[[0, 8, 16]], np.float32([5.294, 90, 174.7]))
    np.testing.assert_array_equal(month.FEDU_Energy[[0, 4, 11]], np.float32([1.8, 4.2, 20]))
    assert month.Epoch.dtype == "datetime64[ns]"
    step = np.diff(month.Epoch.values).astype(np.int64)
    assert np.all(month.Epoch.values.astype(np.int64) % 1_000_000 == 0)
    assert step.min() > 10.9e9
    assert np.median(step) == pytest.approx(10.936e9, abs=1e6)
    assert month.FEDU.attrs["UNITS"] == "cm!E-2!N s!E-1!N sr!E-1!N MeV!E-1!N"
    assert month.FEDU.attrs["units"] == "cm-2 s-1 sr-1 MeV-1"
    assert month.FEDU.attrs["FILLVAL"] == FILL
    assert month.FEDU.attrs["DEPEND_1"] == "FEDU_Alpha"
    assert month.FEDU.attrs["DEPEND_2"] == "FEDU_Energy"
    for name in month.data_vars:
        attrs = month[name].attrs
        assert {"CATDESC", "FIELDNAM", "UNITS", "VAR_TYPE", "VALIDMIN", "VALIDMAX"} <= set(attrs)
        assert attrs["DEPEND_0"] == "Epoch"
        values = month[name].values
        values = values[values != attrs["FILLVAL"]]
        assert values.min() >= attrs["VALIDMIN"]
        assert values.max() <= attrs["VALIDMAX"]


def test_orbit(month: xr.Dataset) -> None:
    radius = np.sqrt((month.Position.values.astype(float) ** 2).sum(axis=1)) / 6371.2
    assert radius.min() == pytest.approx(1.1, abs=0.01)
    assert radius.max() == pytest.approx(5.8, abs=0.01)
    mlat = np.radians(month.MLAT.values.astype(float))
    np.testing.assert_allclose(month.L.values, radius / np.cos(mlat) ** 2, rtol=1e-4)
    assert 15 < np.abs(month.MLAT.values).max() < 21
    perigees = np.flatnonzero(np.diff(np.sign(np.diff(radius[::10]))) > 0)
    assert len(perigees) == pytest.approx(30 * 24 / 9.01, abs=2)
    closed = month.L_star.values != FILL
    assert 0.7 < closed.mean() < 1
    ratio = month.L_star.values[closed] / month.L.values[closed]
    assert 0.9 < ratio.min() < ratio.max() < 1
    np.testing.assert_allclose(
        month.B_Eq.values, 29950 / month.L.values.astype(float) ** 3, rtol=1e-5
    )
    assert np.all(month.B_Calc.values >= month.B_Eq.values)


def test_apogee_goes_round_in_local_time() -> None:
    hours = []
    for days in (0, 165, 330):
        first = int(days * 86_400_000 / clock.SPIN_MS)
        place = orbit(MISSION, slot_times(MISSION, first, first + 4000))
        hours.append(place.MLT[np.argmax(place.radius)])
    assert (hours[0] - hours[1]) % 24 == pytest.approx(6, abs=1.0)
    assert (hours[0] - hours[2]) % 24 == pytest.approx(12, abs=1.0)


# physics ------------------------------------------------------------------------------------


def test_every_type_occurs(month: xr.Dataset) -> None:
    known = types(month)
    assert len(known) - 2 >= 8  # without all_fill and background
    usable = month.truth.values[month.truth.values >= 0]
    share = {name: np.mean(usable == value) for name, value in known.items() if value >= 0}
    assert sum(share.values()) == pytest.approx(1)
    assert all(0.005 < s < 0.35 for s in share.values()), share
    assert 0.1 < share["background"] < 0.3


def test_types_persist(month: xr.Dataset) -> None:
    truth = month.truth.values
    truth = truth[truth >= 0]
    changes = np.mean(truth[1:] != truth[:-1])
    minutes = 10.936 / 60 / changes
    assert 8 < minutes < 60
    independent = 1 - np.sum((np.bincount(truth) / truth.size) ** 2)
    assert changes < 0.03 * independent


def test_types_lie_where_surveys_find_them(month: xr.Dataset) -> None:
    # apogee goes once around the Earth in these blocks, 13 apart, of 660 days
    blocks = [
        records.generate(MISSION, ["truth", "L", "MLT", "MLAT"], b * BLOCK, (b + 1) * BLOCK)
        for b in range(0, 660 * 7900 // BLOCK, 13)
    ]
    year = xr.Dataset({n: ("Epoch", np.concatenate([x[n] for x in blocks])) for n in blocks[0]})
    known = types(month)
    seen = (year.truth >= 0) & (year.truth != known["background"])
    night = (year.MLT > 20) | (year.MLT < 4)
    day = (year.MLT > 8) & (year.MLT < 16)

    def share(name: str, where: xr.DataArray) -> float:
        return float((year.truth == known[name]).where(seen & where).mean())

    far = year.L > 5.5
    equator = np.abs(year.MLAT) < 5  # Ni et al. 2016: 80 % within 3 degrees of it
    assert 0.55 < share("butterfly_night", far & night & equator) < 0.9
    assert share("butterfly_night", far & night) > 0.35
    assert share("butterfly_night", far & day) < 0.2
    assert share("butterfly_night", year.L < 4) < 0.01
    near = (year.L > 3.5) & (year.L < 4.5)
    assert share("butterfly_low_l", near & day) > 2 * share("butterfly_low_l", near & night)
    assert share("field_aligned", far) > 5 * share("field_aligned", year.L < 4.5)
    assert share("bump_on_tail", near) > 3 * share("bump_on_tail", year.L > 5)


def test_shapes_of_the_types(month: xr.Dataset) -> None:
    known = types(month)
    flux = month.FEDU.where(month.FEDU > -1e30).where(np.abs(month.MLAT) < 8)

    def mean(name: str) -> xr.DataArray:
        return flux.isel(Epoch=np.flatnonzero(month.truth.values == known[name])).mean("Epoch")

    def width(pad: xr.DataArray, energy: int) -> float:
        row = pad.isel(FEDU_Energy=energy)
        return float(row.sum() / row.max())

    pancake, strong = mean("pancake"), mean("strong_pancake")
    assert width(strong, 0) < 0.8 * width(pancake, 0)
    assert width(pancake, 3) < width(pancake, 0)  # narrower at higher energy
    assert width(mean("flattop"), 0) > width(strong, 0)
    for name in ("butterfly_night", "butterfly_low_l", "field_aligned"):
        row = mean(name).isel(FEDU_Energy=0)
        assert float(row[8]) < 0.97 * float(row.max()), name
    night = mean("butterfly_night")
    depth = night.isel(FEDU_Alpha=8) / night.max("FEDU_Alpha")
    assert float(depth[2]) < float(depth[0])  # a deeper hole at higher energy
    bump = mean("bump_on_tail")
    assert width(bump, 3) > width(bump, 0)
    ratio = [float(p[8, 2] / p[8, 0]) for p in (bump, pancake)]
    assert ratio[0] > 2 * ratio[1]
    emic = mean("emic_narrowed")
    assert width(emic, 4) < 0.75 * width(emic, 0)
    edge = mean("isotropic").isel(FEDU_Energy=0)
    assert float(edge[1] / edge[8]) > 0.7


def _expected(block: int, mission: Mission = MISSION) -> records.Expected:
    time_ms = slot_times(mission, block * BLOCK, (block + 1) * BLOCK)
    return records.expected(mission, block, time_ms, orbit(mission, time_ms))[0]


def test_spectra_fall_with_the_stated_energies() -> None:
    energies = []
    for block in range(0, 240, 4):
        seen = _expected(block)
        energies.append(seen.e_folding)
        plain = np.isin(seen.truth, [0, 1, 2])
        flux = seen.counts[:, 8] - seen.counts[-1, 8]  # the last channel is all background
        flux = flux[:2, plain] * instrument.ONE_COUNT_FLUX[:2, None]
        mlat_free = np.log(flux[0] / flux[1]) / 0.3  # n rises with energy: at most steeper
        assert np.all(mlat_free > 0.98 / seen.e_folding[plain])
        assert np.all(mlat_free < 1.6 / seen.e_folding[plain])
    e_folding = np.concatenate(energies)
    softest, hardest = E_FOLDING_MEV
    assert softest <= e_folding.min() < 0.4
    assert 0.6 < e_folding.max() <= hardest


@pytest.mark.parametrize("mean", [0.03, 1.0, 3.9, 4.1, 30.0, 1e4])
def test_counts_are_poisson(mean: float) -> None:
    n = 400_000
    raw = np.random.default_rng(5).integers(0, 2**32, n, dtype=np.uint32)
    counts = instrument.poisson(np.full(n, mean, np.float32), raw).astype(float)
    error = 5 * np.sqrt(mean / n)
    assert counts.min() >= 0
    np.testing.assert_array_equal(counts, np.round(counts))
    assert counts.mean() == pytest.approx(mean, abs=error)
    spread = np.sqrt(2 / n + 1 / (n * mean))
    assert counts.var() / mean == pytest.approx(1, abs=5 * spread)
    assert np.mean(counts == 0) == pytest.approx(np.exp(-mean), abs=5 * np.sqrt(0.25 / n))


def test_flux_scatters_about_the_expected_as_poisson() -> None:
    chi2, size = 0.0, 0
    for block in range(3, 40, 9):
        time_ms = slot_times(MISSION, block * BLOCK, (block + 1) * BLOCK)
        place = orbit(MISSION, time_ms)
        seen = records.expected(MISSION, block, time_ms, place)[0]
        flux = records.measured(MISSION, block, time_ms, place)[0]
        measured = flux != FILL
        counts = flux / instrument.ONE_COUNT_FLUX
        np.testing.assert_allclose(counts[measured], np.round(counts[measured]), rtol=1e-6)
        mean = seen.counts[:, [*range(9), *range(7, -1, -1)]].transpose(2, 1, 0).astype(float)
        chi2 += float((((counts - mean) ** 2 / mean)[measured]).sum())
        size += int(measured.sum())
        assert counts[measured].sum() == pytest.approx(mean[measured].sum(), rel=0.01)
    assert chi2 / size == pytest.approx(1, abs=0.02)


def test_background_fills_high_channels_and_the_inner_zone(month: xr.Dataset) -> None:
    ok = month.truth.values >= 0
    counts = month.FEDU.values[:, :, -1] / instrument.ONE_COUNT_FLUX[-1]
    outer = ok & (month.L.values > 3)
    assert counts[outer][counts[outer] >= 0].mean() == pytest.approx(
        instrument.BACKGROUND_COUNTS, rel=0.03
    )
    inner = ok & (np.abs(month.L.values - 1.5) < 0.05)
    assert counts[inner][counts[inner] >= 0].mean() == pytest.approx(
        instrument.INNER_ZONE_COUNTS, rel=0.05
    )


# fills and gaps -----------------------------------------------------------------------------


def test_fills_come_at_the_stated_rates(month: xr.Dataset) -> None:
    fill = month.FEDU.values == FILL
    whole = fill.all(axis=(1, 2))
    np.testing.assert_array_equal(whole, month.truth.values == -1)
    radius = np.sqrt((month.Position.values.astype(float) ** 2).sum(axis=1)) / 6371.2
    assert whole[radius < instrument.PERIGEE_OFF - 1e-3].all()
    alone = whole & ~np.roll(whole, 1) & ~np.roll(whole, -1)
    assert alone.mean() == pytest.approx(instrument.MISSING_RECORD, rel=0.2)
    eclipses = whole & ~alone & (radius > instrument.PERIGEE_OFF + 1e-3)
    assert 0.001 < eclipses.mean() < 0.05
    inside = fill[~whole][:, 3:14]
    count = inside.sum(axis=(1, 2))
    share = 11 / 17 * instrument.MISSING_BIN
    assert np.mean(count == 1) == pytest.approx(share, rel=0.1)
    where = inside[count == 1].sum(axis=0)
    assert where.min() > 0  # every angle and energy has its turn
    assert where.max() < 5 * where.mean()
    assert np.mean((inside.all(axis=1)).any(axis=1)) == pytest.approx(
        instrument.MISSING_CHANNEL, rel=0.2
    )
    edge = fill[~whole][:, 0].all(axis=1)
    assert 0.01 < edge.mean() < 0.2
    np.testing.assert_array_equal(edge, fill[~whole][:, 16].all(axis=1))


def test_gaps_come_at_the_stated_rates() -> None:
    mask = kept(MISSION, 0, 400 * 7900)
    edge = np.flatnonzero(np.diff(np.r_[1, mask.astype(np.int8), 1]))
    lengths = (edge[1::2] - edge[::2]) * clock.SPIN_MS / 60_000
    single = lengths < 0.5
    assert single.sum() == pytest.approx(400 * 7900 / 4096, rel=0.15)
    assert (~single).sum() == pytest.approx(400 * clock.GAPS_PER_DAY, rel=0.25)
    assert lengths[~single].min() >= clock.GAP_MINUTES[0] - 0.2
    assert lengths[~single].max() <= 2 * clock.GAP_MINUTES[1]  # two may touch
    assert np.median(lengths[~single]) == pytest.approx(np.sqrt(2 * 240), rel=0.4)


# files --------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def written(tmp_path_factory: pytest.TempPathFactory) -> tuple[xr.Dataset, list[Path]]:
    ds = simulate(days=1.2, seed=1, start="2013-03-17T12:00:00.5", chunks="6h")
    return ds.compute(), to_cdf(ds, tmp_path_factory.mktemp("cdf") / "new")


def test_cdf_names(written: tuple[xr.Dataset, list[Path]]) -> None:
    names = [path.name for path in written[1]]
    assert names == [f"rbspb_rel03_ect-rept-sci-l3_201303{d}_v5.0.0.cdf" for d in (17, 18)]
    assert sorted(path.name for path in written[1][0].parent.iterdir()) == names


def test_cdf_reads_back_equal(written: tuple[xr.Dataset, list[Path]]) -> None:
    import cdflib

    ds, paths = written
    files = [cdflib.CDF(path) for path in paths]
    for name in [*records.SHAPES, "FEDU_Alpha", "FEDU_Energy"]:
        parts = [file.varget(name) for file in files]
        values = parts[0] if name.startswith("FEDU_") else np.concatenate(parts)
        assert values.dtype == ds[name].dtype
        assert values.tobytes() == ds[name].values.tobytes(), name
    epoch = np.concatenate([file.varget("Epoch") for file in files])
    since_1970 = (epoch - cdflib.cdfepoch.compute_epoch([1970, 1, 1, 0, 0, 0, 0])).astype(np.int64)
    np.testing.assert_array_equal(
        since_1970.astype("datetime64[ms]"), ds.Epoch.values.astype("datetime64[ms]")
    )
    assert np.all(since_1970.astype("datetime64[ms]").astype("datetime64[ns]") == ds.Epoch.values)


def test_cdf_has_istp_structure(written: tuple[xr.Dataset, list[Path]]) -> None:
    import cdflib

    file = cdflib.CDF(written[1][0])
    info = file.cdf_info()
    assert info.Majority == "Row_major"
    assert not info.Compressed
    assert file.varinq("Epoch").Data_Type_Description == "CDF_EPOCH"
    flux = file.varinq("FEDU")
    assert flux.Dim_Sizes == [17, 12]
    assert flux.Compress > 0
    assert file.varinq("FEDU_Energy").Rec_Vary is False
    attrs = file.varattsget("FEDU")
    assert attrs["DEPEND_0"] == "Epoch"
    assert attrs["DEPEND_1"] == "FEDU_Alpha"
    assert attrs["DEPEND_2"] == "FEDU_Energy"
    assert attrs["FILLVAL"] == FILL
    assert attrs["UNITS"] == "cm!E-2!N s!E-1!N sr!E-1!N MeV!E-1!N"
    assert "pancake" in file.varattsget("truth")["flag_meanings"]
    for name in info.zVariables:
        assert {"CATDESC", "FIELDNAM", "VAR_TYPE"} <= set(file.varattsget(name)), name
    for name in ("Logical_source", "Descriptor", "Project", "Logical_file_id"):
        assert file.globalattsget()[name]


def test_cdf_to_xarray_gives_the_same_structure(written: tuple[xr.Dataset, list[Path]]) -> None:
    from cdflib.xarray import cdf_to_xarray

    ds, paths = written
    back = cdf_to_xarray(str(paths[1]), to_datetime=True)
    for name in (*records.SHAPES, "FEDU_Alpha", "FEDU_Energy"):
        assert back[name].dims == ds[name].dims, name
    tail = ds.isel(Epoch=slice(-back.sizes["Epoch"], None))
    np.testing.assert_array_equal(back.FEDU.values, tail.FEDU.values)
    np.testing.assert_array_equal(back.Epoch.values, tail.Epoch.values)


def test_cdf_refuses_to_overwrite(tmp_path: Path) -> None:
    ds = simulate(days=0.02, seed=1)
    (path,) = to_cdf(ds, tmp_path)
    before = path.read_bytes()
    with pytest.raises(ReaderError, match=f"{path.name} exists .* overwrite=True"):
        to_cdf(simulate(days=0.02, seed=2), tmp_path)
    assert path.read_bytes() == before
    to_cdf(simulate(days=0.02, seed=2), tmp_path, overwrite=True)
    assert path.read_bytes() != before
    assert list(tmp_path.iterdir()) == [path]


def test_cdf_needs_a_simulated_mission(short: xr.Dataset, tmp_path: Path) -> None:
    with pytest.raises(OptionError, match="MLT"):
        to_cdf(short.drop_vars("MLT"), tmp_path)
    with pytest.raises(OptionError, match="Epoch: 0 times"):
        to_cdf(short.isel(Epoch=slice(0, 0)), tmp_path)
    with pytest.raises(OptionError, match="ascending"):
        to_cdf(short.isel(Epoch=[3, 2]), tmp_path)
    assert not list(tmp_path.iterdir())


def test_zarr_and_netcdf_take_it_as_it_is(tmp_path: Path) -> None:
    ds = simulate(days=0.2, seed=1, chunks=500)
    ds.to_zarr(tmp_path / "a.zarr", consolidated=False)
    same(ds.compute(), xr.open_zarr(tmp_path / "a.zarr", consolidated=False).compute())
    ds.to_netcdf(tmp_path / "a.nc", engine="h5netcdf")
    with xr.open_dataset(tmp_path / "a.nc", engine="h5netcdf") as back:
        same(ds.compute(), back.compute())
        assert back.FEDU.attrs["UNITS"] == ds.FEDU.attrs["UNITS"]


# arguments ----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("arguments", "match"),
    [
        ({"days": 0}, "days=0"),
        ({"days": -1}, "days=-1"),
        ({"days": float("nan")}, "days=nan"),
        ({"days": float("inf")}, "days=inf"),
        ({"days": "30"}, "days='30'"),
        ({"days": 1e6}, "2262"),
        ({"seed": -1}, "seed=-1"),
        ({"seed": 1.5}, r"seed=1\.5"),
        ({"seed": True}, "seed=True"),
        ({"probe": "c"}, "probe='c'"),
        ({"probe": ""}, "probe=''"),
        ({"probe": "ab"}, "probe='ab'"),
        ({"start": "yesterday-ish"}, "yesterday-ish"),
        ({"start": "NaT"}, "NaT"),
        ({"start": "2013-01-01T00:00:00.0001"}, "whole milliseconds"),
        ({"chunks": 0}, "chunks=0"),
        ({"chunks": 2.5}, r"chunks=2\.5"),
        ({"chunks": "one day"}, "chunks='one day'"),
        ({"chunks": "-1D"}, "above 0"),
    ],
)
def test_bad_arguments(arguments: dict[str, Any], match: str) -> None:
    with pytest.raises(OptionError, match=match) as caught:
        simulate(**({"days": 0.01} | arguments))
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    "start", ["2013-01-01", np.datetime64("2013-01-01"), "2013-01-01T01:00+01:00"]
)
def test_start_is_a_time_of_any_kind(start: Any) -> None:
    ds = simulate(days=0.001, start=start, chunks=None)
    assert ds.Epoch.values[0].astype("datetime64[s]") == np.datetime64("2013-01-01T00:00:00")


def test_probes_see_the_same_storms() -> None:
    b, a = MISSION, Mission(MISSION.seed, MISSION.start_ms, "a")
    time_ms = np.arange(0, 20 * 86_400_000, 3_600_000)
    still = np.full(time_ms.size, 4.5, np.float32)
    zero = np.zeros((2, time_ms.size), np.float32)
    from xpad.simulation.storms import belt

    same_place = [belt(m, time_ms, still, zero[0], zero) for m in (a, b)]
    np.testing.assert_array_equal(same_place[0].log_flux, same_place[1].log_flux)
    assert np.ptp(same_place[0].log_flux) > 0.3
    other = belt(Mission(1, b.start_ms, "b"), time_ms, still, zero[0], zero)
    assert np.any(other.log_flux != same_place[0].log_flux)
