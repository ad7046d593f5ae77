"""Records whose axes differ are put on one grid, and nothing is invented on the way."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import xarray as xr
from helpers import missions
from hypothesis import given, settings
from hypothesis import strategies as st

import xpad
from xpad.errors import GridMismatchError, OptionError, RolesError
from xpad.pads.bins import bin_starts, group_means
from xpad.pads.dims import describe_axis
from xpad.pads.grid import Grid, common_grid, in_energy_units, require_same_grid
from xpad.pads.regrid import on_grid, to_grid
from xpad.roles import metadata as _metadata

PITCH = np.array([20.0, 90.0, 160.0])


def energies(values: Any, table: Any, grid: Any, *, n_pitch: int = 1) -> np.ndarray:
    """One row of values on a table of energies, put on a grid of energies."""
    flux = np.repeat(np.asarray(values, "f4")[None, :, None], n_pitch, axis=2)
    target = Grid(np.asarray(grid, float), PITCH[:n_pitch])
    found, bad = to_grid(flux, target, np.asarray(table, float)[None], None)
    assert found.dtype == np.float32
    assert bad.tolist() == [not np.isfinite(np.asarray(table, float)).any()]
    return found[0, :, 0]


def pitches(values: Any, table: Any, grid: Any) -> np.ndarray:
    flux = np.asarray(values, "f4")[None, None, :]
    target = Grid(np.array([1.0]), np.asarray(grid, float))
    found, _ = to_grid(flux, target, None, np.asarray(table, float)[None])
    return found[0, 0]


TABLES = st.lists(
    st.floats(1, 1e4), min_size=3, max_size=12, unique_by=lambda x: round(np.log(x), 2)
)


@given(TABLES, st.data())
@settings(deadline=None)
def test_a_table_that_is_the_grid_changes_nothing(table: list[float], data: st.DataObject) -> None:
    table = sorted(table)
    element = st.one_of(st.floats(0, 2.0**90, width=32), st.just(np.nan))
    values = data.draw(st.lists(element, min_size=len(table), max_size=len(table)))
    np.testing.assert_array_equal(energies(values, table, table), np.array(values, "f4"))
    # Nor does the order of the table, nor a bin more that has no place.
    order = data.draw(st.permutations(range(len(table))))
    turned = energies(np.array(values)[order], np.array(table)[order], table)
    np.testing.assert_array_equal(turned, np.array(values, "f4"))
    more = energies([1e3, *values], [np.nan, *table], table)
    np.testing.assert_array_equal(more, np.array(values, "f4"))


@given(st.floats(-5, 2), st.floats(0.02, 0.5), st.integers(3, 40), st.floats(-20, 20))
@settings(deadline=None)
def test_a_power_law_is_exact(slope: float, step: float, n: int, scale: float) -> None:
    table = np.exp(step * np.arange(n))
    grid = np.exp(step * (np.arange(n - 1) + 0.37))
    found = energies(np.exp(scale) * table**slope, table, grid)
    least = float(np.finfo(np.float32).smallest_subnormal)  # below the normal ones, digits get lost
    np.testing.assert_allclose(found, np.exp(scale) * grid**slope, rtol=2e-5, atol=least)


@given(st.floats(0, 100), st.floats(0, 100), st.booleans())
@settings(deadline=None)
def test_pitch_angles_are_linear(start: float, end: float, turned: bool) -> None:
    table = np.linspace(5, 175, 18)
    values = start + (end - start) * table / 180
    grid = np.array([10.0, 33.3, 90.0, 170.0])
    if turned:
        table, values = table[::-1], values[::-1]
    expected = start + (end - start) * grid / 180
    np.testing.assert_allclose(pitches(values, table, grid), expected, rtol=1e-5, atol=1e-6)


def test_no_zero_is_raised_to_a_power() -> None:
    # In log energy, but where a neighbour is zero, the flux itself is interpolated.
    middle = [1.0, 10.0, np.sqrt(1e3), 1e3]
    assert energies([8, 0, 0, 4], [1, 10, 100, 1000], middle).tolist() == [8, 0, 0, 4]
    half = energies([8, 0, 4], [1, 100, 1e4], [10, 1000])
    np.testing.assert_allclose(half, [4, 2])


@pytest.mark.parametrize(("factor", "reached"), [(0.98, True), (1.02, False)])
def test_a_bin_reaches_half_a_step_beyond_its_middle(factor: float, reached: bool) -> None:
    table = np.array([10.0, 20, 40, 80])
    beyond = np.exp(factor * np.log(2) / 2)
    found = energies([1, 2, 3, 4], table, [10 / beyond, 80 * beyond])
    np.testing.assert_array_equal(found, [1, 4] if reached else [np.nan, np.nan])
    angles = pitches([1, 2, 3], [40, 60, 80], [40 - 10 * factor, 80 + 10 * factor])
    np.testing.assert_array_equal(angles, [1, 3] if reached else [np.nan, np.nan])


def test_of_a_missing_and_a_measured_neighbour_the_nearer_decides() -> None:
    found = pitches([1, np.nan, 3], [10, 30, 50], [10, 18, 22, 30, 38, 42, 50])
    np.testing.assert_array_equal(found, [1, 1, np.nan, np.nan, np.nan, 3, 3])


def test_nothing_is_invented_in_a_hole_of_the_table() -> None:
    table = np.array([1.0, 2, 4, 8, 256, 512, 1024])
    values = table**-2
    grid = np.array([4.0, 8, 10, 16, 45, 200, 256, 300])
    found = energies(values, table, grid)
    expected = [4**-2, 8**-2, 8**-2, np.nan, np.nan, 256**-2, 256**-2, 300**-2]
    np.testing.assert_allclose(found, expected, rtol=1e-5)
    # One bin lost (a gap of two steps) is interpolated over.
    lost = np.where(table == 4, np.nan, table)
    np.testing.assert_allclose(energies(values, lost, [4.0, 8]), [4**-2, 8**-2], rtol=1e-5)


def test_an_instrument_with_coarse_bins_beside_one_with_fine_bins() -> None:
    table = np.concatenate([np.geomspace(1, 30, 35), np.geomspace(45, 2000, 8)])
    steps = np.diff(np.log(table))
    assert steps.max() > 4 * np.median(steps)
    inside = np.sqrt(table[36:-1] * table[37:])
    np.testing.assert_allclose(energies(table**-3, table, inside), inside**-3, rtol=1e-4)


@given(st.lists(st.integers(1, 4), min_size=3, max_size=6), st.integers(0, 999))
@settings(deadline=None)
def test_bins_of_one_place_count_as_their_mean(repeats: list[int], seed: int) -> None:
    rng = np.random.default_rng(seed)
    places = 2.0 ** np.arange(len(repeats))
    table = np.repeat(places, repeats)
    values = rng.random(table.size).astype("f4")
    values[rng.random(table.size) < 0.2] = np.nan
    groups = [values[table == p] for p in places]
    expected = [np.mean(g[np.isfinite(g)], dtype="f8") if np.isfinite(g).any() else np.nan
                for g in groups]  # fmt: skip
    order = rng.permutation(table.size)
    found = energies(values[order], table[order], places)
    np.testing.assert_allclose(found, expected, rtol=1e-6)


def test_pitch_angles_that_depend_on_energy() -> None:
    flux = np.array([[[1, 2, 3], [1, 2, 3]]], "f4")
    table = np.array([[[30.0, 90, 150], [150.0, 90, 30]]])
    found, bad = to_grid(flux, Grid(np.array([1.0, 2]), np.array([30.0, 120])), None, table)
    np.testing.assert_array_equal(found, [[[1, 2.5], [3, 1.5]]])
    assert not bad.any()


def test_records_without_a_table_are_bad() -> None:
    flux = np.ones((3, 2, 3), "f4")
    table = np.array([[1.0, 2], [np.nan, np.nan], [np.nan, 2]])
    found, bad = to_grid(flux, Grid(np.array([1.0, 2]), PITCH), table, None)
    assert bad.tolist() == [False, True, False]
    assert np.isnan(found[1]).all()
    np.testing.assert_array_equal(found[2], [[np.nan] * 3, [1] * 3])
    angles = np.broadcast_to(PITCH, (3, 3)).copy()
    angles[0] = np.nan
    assert to_grid(flux, Grid(np.array([1.0, 2]), PITCH), None, angles)[1].tolist() == [
        True, False, False]  # fmt: skip


@given(st.integers(1, 700), st.integers(0, 99))
@settings(max_examples=10, deadline=None)
def test_rows_do_not_depend_on_one_another(n: int, seed: int) -> None:
    rng = np.random.default_rng(seed)
    flux = rng.random((n, 6, 3)).astype("f4")
    table = np.sort(rng.uniform(1, 100, (n, 6)), axis=1)
    table[rng.random(n) < 0.2] = np.geomspace(1, 100, 6)
    grid = Grid(np.geomspace(1, 100, 6), PITCH)
    together, _ = to_grid(flux, grid, table, None)
    one = rng.integers(n)
    alone, _ = to_grid(flux[one : one + 1], grid, table[one : one + 1], None)
    np.testing.assert_array_equal(together[one], alone[0])


# -- bins --------------------------------------------------------------------------------


def test_bin_starts() -> None:
    mirrored = np.array([5.3, float(np.float32(360) - np.float32(354.7))])
    assert bin_starts(np.sort(mirrored), logarithmic=False).tolist() == [True, False]
    assert bin_starts(np.array([5.3, 5.31]), logarithmic=False).all()
    assert bin_starts(np.array([1e-5, 1.1e-5, np.nan, np.nan]), logarithmic=True).all()
    assert bin_starts(np.array([]), logarithmic=True).shape == (0,)


def test_group_means_of_rows() -> None:
    values = np.array([[1, np.nan], [3, np.nan], [5, 7]])
    found = group_means(values, np.array([True, False, True]))
    np.testing.assert_array_equal(found, [[2, np.nan], [5, 7]])


# -- the grid of the data ----------------------------------------------------------------


def with_tables(tables: Any) -> xr.DataArray:
    tables = np.asarray(tables, float)
    flux = xr.DataArray(
        np.ones((*tables.shape, 3), "f4"), dims=("time", "energy", "pitch_angle"),
        coords={"pitch_angle": PITCH}, name="j", attrs={"units": "1"},
    )  # fmt: skip
    table = (("time", "energy"), tables, {"units": "keV"})
    return flux.assign_coords(energy_table=table)


def test_the_commonest_table() -> None:
    grid = common_grid(with_tables([[1, 2], [3, 4], [3, 4]]))
    assert grid.energy.tolist() == [3, 4]
    assert grid.pitch_angle.tolist() == PITCH.tolist()
    assert (grid.energy_units, grid.flux_units, grid.shape) == ("keV", "1", (2, 3))
    assert str(grid) == "energies: 2 from 3 … 4 keV; pitch angles: 3 from 20 … 160 deg"


def test_ties_are_settled_by_value_not_by_place() -> None:
    for rows in ([[1, 2], [3, 4]], [[3, 4], [1, 2]], [[4, 3], [2, 1]]):
        assert common_grid(with_tables(rows)).energy.tolist() == [1, 2]


def test_tables_with_holes_are_equal_where_the_holes_are() -> None:
    rows = [[1, np.nan, 4]] * 3 + [[1, 2, 4]] * 2
    assert common_grid(with_tables(rows)).energy.tolist() == [1, 4]
    assert common_grid(with_tables(rows[1:] + [[1, 2, 4]] * 2)).energy.tolist() == [1, 2, 4]


def test_repeated_energies_are_one_bin_of_the_grid() -> None:
    assert common_grid(with_tables([[1, 1, 5, 5]])).energy.tolist() == [1, 5]


def test_no_common_table_gives_medians() -> None:
    rng = np.random.default_rng(0)
    rows = np.array([10.0, 20, 30]) + rng.uniform(-1, 1, (101, 3))
    lossy = rows.copy()
    lossy[:20, 1] = np.nan
    shuffled = np.array([rng.permutation(row) for row in lossy])
    found = common_grid(with_tables(shuffled)).energy
    np.testing.assert_allclose(found, np.median(rows[20:], axis=0))


def test_all_fill_is_an_error() -> None:
    with pytest.raises(RolesError, match="every energy value of the flux j is fill"):
        common_grid(with_tables(np.full((3, 2), np.nan)))


def test_energies_that_change_can_be_refused() -> None:
    with pytest.raises(OptionError, match=r"energies of j change in time \(2 tables"):
        common_grid(with_tables([[1, 2], [3, 4]]), "refuse")
    # A table that does not change is none to refuse, nor one in another order.
    assert common_grid(with_tables([[1, 2], [2, 1]]), "refuse").energy.tolist() == [1, 2]
    with pytest.raises(OptionError, match="energy_tables='mix' is not known"):
        common_grid(with_tables([[1, 2]]), "mix")


def test_the_sample_of_a_long_table_is_the_same_for_any_chunks() -> None:
    rows = np.tile([[1.0, 2], [3, 4], [3, 4]], (8000, 1))
    flux = with_tables(rows)
    for chunks in (1000, 7777, -1):
        assert common_grid(flux.chunk(time=chunks)).energy.tolist() == [3, 4]


# -- a canonical flux --------------------------------------------------------------------


@pytest.mark.parametrize("name", ["hope", "psp span-e", "maven swea", "erg lepe", "elfin"])
@pytest.mark.parametrize("lazily", [False, True])
def test_missions_on_their_grid(name: str, lazily: bool) -> None:
    product = missions.ALL[name]
    ds = product.raw()
    flux = xpad.flux(ds.chunk({product.epoch: 4}) if lazily else ds)
    grid = common_grid(flux)
    placed = on_grid(flux, grid)
    assert (placed.chunks is not None) == lazily
    assert placed.name == flux.name
    assert placed.dims == flux.dims
    assert placed.attrs == flux.attrs
    assert placed.energy.attrs["units"] == "eV" if name != "elfin" else "keV"
    record = xr.DataArray(np.arange(product.records), dims=flux.dims[0])
    expected = missions.signal(record, placed.energy, placed.pitch_angle).transpose(*flux.dims)
    measured = np.isfinite(placed.values)
    assert measured.mean() > 0.6
    # The signal is a power law in energy and linear in pitch angle; only at the edges, where
    # the nearest bin stands for the grid's, it is not met exactly.
    error = np.abs(placed.values / expected.values - 1)[measured]
    assert np.quantile(error, 0.5) < 1e-4
    assert error.max() < 0.35


def test_a_static_flux_is_not_touched() -> None:
    flux = xpad.flux(missions.rept().raw())
    assert on_grid(flux, common_grid(flux)) is flux


def test_the_real_hope_file(shared_data: Any) -> None:
    path = next(shared_data.glob("rbsp_hope/*.cdf"))
    flux = xpad.flux(xpad.open_dataset(path), "FEDU")
    grid = common_grid(flux)
    table = flux.energy_table.values
    fine = np.array([np.unique(row).size == 72 for row in table])
    assert fine.sum() == 80
    assert grid.shape == (72, 11)
    placed = on_grid(flux, grid).compute()
    np.testing.assert_array_equal(placed.values[fine], flux.values[fine])
    # The others repeat nine energies from 468 eV on: nothing is known below, all of it above.
    coarse = placed.values[~fine][:, :, 1:-1]
    lowest = np.exp(np.log(468.1) - 0.5 * np.log(1002.9 / 468.1))
    assert np.isnan(coarse[:, grid.energy < lowest]).all()
    assert np.isfinite(coarse[:, grid.energy > 460]).all()
    at = np.argmin(np.abs(grid.energy - 1002.9))
    group = flux.values[~fine][:, 8:16, 1:-1].astype("f8").mean(axis=1)
    good = group > 0
    ratio = coarse[:, at][good] / group[good]
    assert 0.8 < np.median(ratio) < 1.25


# -- a model's grid ----------------------------------------------------------------------


def static(energy: Any, pitch: Any = PITCH, units: str = "keV") -> xr.DataArray:
    return xr.DataArray(
        np.ones((1, len(energy), len(pitch)), "f4"), dims=("time", "energy", "pitch_angle"),
        coords={"energy": ("energy", energy, {"units": units}), "pitch_angle": pitch}, name="j",
    )  # fmt: skip


def test_the_same_grid_in_other_units() -> None:
    wanted = Grid(np.array([1.0, 2]), PITCH, "MeV")
    flux = static([1000.0, 2000.001])
    require_same_grid(common_grid(flux), wanted, flux)


@pytest.mark.parametrize(
    ("flux", "word"),
    [
        (static([1.0, 2.1]), "energy"),
        (static([1.0, 2, 3]), "energy"),
        (static([1.0, 2], PITCH + 1), "pitch_angle"),
        (static([1.0, 2], units="MeV"), "energy"),
    ],
)
def test_another_grid_is_refused_with_both_named(flux: xr.DataArray, word: str) -> None:
    wanted = Grid(np.array([1.0, 2]), PITCH, "keV")
    with pytest.raises(GridMismatchError, match=f"{word} bins are not the model's") as caught:
        require_same_grid(common_grid(flux), wanted, flux)
    found, units = (flux[word].values, "deg") if word == "pitch_angle" else (
        _metadata.energy_scale(flux.energy.units, "keV") * flux.energy.values, "keV"
    )  # fmt: skip
    assert f"the data have {describe_axis(found, units)}" in str(caught.value)
    assert str(wanted) in str(caught.value)


def test_a_unit_that_is_not_known_is_named() -> None:
    flux = static([1.6e-16, 3.2e-16], units="J")
    with pytest.raises(GridMismatchError, match=r"'J', a unit not known here.* from 1 … 2 keV"):
        require_same_grid(common_grid(flux), Grid(np.array([1.0, 2]), PITCH, "keV"), flux)


def test_tables_are_put_on_the_models_grid_in_its_units() -> None:
    flux = with_tables([[1, 2], [3, 4]])
    require_same_grid(common_grid(flux), Grid(np.array([2.0, 3, 9]), PITCH, "keV"), flux)
    flux.data[:] = np.arange(flux.size).reshape(flux.shape)
    own = on_grid(flux, Grid(np.array([1.0, 2, 3, 4]), PITCH, "keV"))
    other = on_grid(flux, Grid(np.array([1e3, 2e3, 3e3, 4e3]), PITCH, "eV"))
    np.testing.assert_array_equal(own.values, other.values)
    assert np.isfinite(own.values).any()
    assert in_energy_units(flux, "keV") is flux
