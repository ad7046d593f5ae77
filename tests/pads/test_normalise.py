"""Each PAD over its reference, against a plain loop."""

from __future__ import annotations

import warnings

import numpy as np
import pytest
import xarray as xr
from helpers import missions
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

import xpad
from xpad.errors import OptionError
from xpad.pads.normalise import NORMALISATIONS, ninety_bins, normalise_pads
from xpad.settings import METHODS

GRIDS = {
    "with a bin at 90": np.array([10.0, 50, 90, 130, 170]),
    "nearly at 90": np.array([10.0, 50, 90.4, 130, 170]),
    "between bins": np.array([20.0, 60, 85, 99, 150]),
    "folded to 90": np.array([5.0, 25, 45, 70, 90]),
    "folded below 90": np.array([5.0, 25, 45, 65, 85]),
    "only above 90": np.array([95.0, 105, 120, 150, 170]),
}
AT_90 = {
    "with a bin at 90": [2],
    "nearly at 90": [2],
    "between bins": [2, 3],
    "folded to 90": [4],
    "folded below 90": [4],
    "only above 90": [0],
}


def by_loop(pads: np.ndarray, method: str, ninety: list[int]) -> np.ndarray:
    """What normalising means, one PAD at a time."""
    out = np.full(pads.shape, np.nan)
    for i, pad in enumerate(pads.astype("f8")):
        for e, row in enumerate(pad):
            known = (pad if method == "max" else row).ravel()
            known = known[~np.isnan(known)]
            if method == "90deg":
                reference = sum(row[b] for b in ninety) / len(ninety)
            else:
                reference = known.max() if known.size else np.nan
            if reference > 0:
                out[i, e] = row / reference
    return out


PADS = hnp.arrays(
    np.float32,
    (4, 3, 5),
    elements=st.one_of(
        st.floats(2.0**-20, 2.0**30, width=32), st.just(0.0), st.just(np.float32(np.nan))
    ),
)


@pytest.mark.parametrize("grid", GRIDS)
@pytest.mark.parametrize("method", METHODS)
@given(pads=PADS)
@settings(max_examples=25, deadline=None)
def test_against_a_loop(method: str, grid: str, pads: np.ndarray) -> None:
    before = pads.copy()
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        found = normalise_pads(pads, method, GRIDS[grid])
    np.testing.assert_array_equal(pads, before)
    assert found.dtype == np.float32
    np.testing.assert_allclose(found, by_loop(pads, method, AT_90[grid]), rtol=2e-6)
    if NORMALISATIONS[method].bounded:
        assert not (found > 1).any()


@pytest.mark.parametrize("grid", GRIDS)
def test_the_bin_at_90(grid: str) -> None:
    assert ninety_bins(GRIDS[grid]).tolist() == AT_90[grid]


@pytest.mark.parametrize("method", METHODS)
@pytest.mark.parametrize("value", [np.nan, 0.0])
def test_nothing_measured_gives_nan_without_a_warning(method: str, value: float) -> None:
    pads = np.full((3, 2, 5), value, "f4")
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        found = normalise_pads(pads, method, GRIDS["between bins"])
        assert normalise_pads(pads[:0], method, GRIDS["between bins"]).shape == (0, 2, 5)
    assert np.isnan(found).all()


@pytest.mark.parametrize(("at", "lost"), [(0.0, True), (np.nan, True), (1e-30, False)])
def test_zero_or_missing_at_90_loses_that_energy_only(at: float, lost: bool) -> None:
    pads = np.ones((1, 2, 5), "f4")
    pads[0, 1, 2] = at
    found = normalise_pads(pads, "90deg", GRIDS["with a bin at 90"])
    assert np.isfinite(found[0, 0]).all()
    assert np.isnan(found[0, 1]).all() == lost
    pads[0, 1, 2:4] = [at, 0]
    between = normalise_pads(pads, "90deg", GRIDS["between bins"])
    assert np.isnan(between[0, 1]).all() == lost


def test_what_each_method_keeps() -> None:
    pads = np.array([[[1, 8, 2], [0.5, 1, 4]]], "f4")
    angle = np.array([30.0, 90, 150])
    assert normalise_pads(pads, "max", angle).tolist() == [[[0.125, 1, 0.25], [0.0625, 0.125, 0.5]]]
    assert normalise_pads(pads, "max_energy", angle)[0].max(axis=1).tolist() == [1, 1]
    assert normalise_pads(pads, "90deg", angle)[0].tolist() == [[0.125, 1, 0.25], [0.5, 1, 4]]


@pytest.mark.parametrize("method", METHODS)
def test_what_is_bounded_lies_within_0_and_1(method: str) -> None:
    entry, rng = NORMALISATIONS[method], np.random.default_rng(0)
    found = entry.of(rng.lognormal(0, 3, (200, 4, 5)).astype("f4"), GRIDS["with a bin at 90"])
    assert bool(np.nanmax(found) <= 1) == entry.bounded


def test_an_unknown_method() -> None:
    with pytest.raises(OptionError, match=r"='mean' is not known; choose one of"):
        normalise_pads(np.ones((1, 1, 5), "f4"), "mean", GRIDS["between bins"])
    with pytest.raises(OptionError, match="normalise='mean'"):
        xpad.normalise(missions.rept().raw(), "mean")


# -- of a Dataset ------------------------------------------------------------------------


@pytest.mark.parametrize("method", METHODS)
@pytest.mark.parametrize("lazily", [False, True])
def test_of_a_dataset(method: str, lazily: bool) -> None:
    ds = missions.rept().raw()
    flux = xpad.flux(ds)
    found = xpad.normalise(ds.chunk(Epoch=2) if lazily else ds, method)
    assert (found.chunks is not None) == lazily
    assert found.dims == flux.dims
    assert found.name == "FEDU"
    assert found.dtype == np.float32
    assert found.attrs["units"] == "1"
    assert method in found.attrs["long_name"]
    for name in ("Epoch", "energy", "pitch_angle"):
        xr.testing.assert_identical(found[name], flux[name])
    expected = by_loop(flux.values, method, [8])
    np.testing.assert_allclose(found, expected, rtol=1e-6)
    assert np.isnan(found[2]).all()


def test_the_function_is_not_hidden_by_a_module() -> None:
    # A module of the function's name takes its place in the package as soon as it is imported.
    assert callable(xpad.normalise)


def test_of_several_record_dimensions() -> None:
    ds = missions.plain(time=3, probe=2)
    found = xpad.normalise(ds)
    assert found.dims == ("time", "probe", "energy", "pitch_angle")
    flux = xpad.flux(ds)
    np.testing.assert_allclose(found, flux / flux.max(["energy", "pitch_angle"]), rtol=1e-6)


def test_of_a_variable_that_is_named() -> None:
    found = xpad.normalise(missions.hope_file(), variable="FPDU")
    assert found.name == "FPDU"
    assert float(found.max()) == 1


def test_what_pitch_angles_that_vary_refuse(monkeypatch: pytest.MonkeyPatch) -> None:
    """Is said by the entry, whichever it is."""
    ds = missions.plain(time=3, probe=2)
    flux = xpad.flux(ds)
    table = xr.broadcast(flux.pitch_angle.drop_vars("pitch_angle"), flux.time)[0]
    varying = flux.drop_vars("pitch_angle").assign_coords(pitch_angle_table=table)
    monkeypatch.setattr("xpad.pads.canonical.flux", lambda *_: varying)
    for method, entry in NORMALISATIONS.items():
        if entry.varying:
            with pytest.raises(
                OptionError, match=rf"vary from record to record, so {entry.varying}"
            ):
                xpad.normalise(ds, method)
        else:
            assert xpad.normalise(ds, method).shape == flux.shape
    assert [m for m, entry in NORMALISATIONS.items() if entry.varying] == ["90deg"]
