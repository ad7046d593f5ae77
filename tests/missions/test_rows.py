"""Every row of the missions table: on a Dataset made from it, where no loader can be driven for it."""

from __future__ import annotations

import numpy as np
import pytest
import xarray as xr
from helpers.products import PRODUCTS

import xpad
from xpad.roles import metadata, missions, units
from xpad.roles.evidence import Grade

ROWS = [row for row in missions.products() if row.flux]
RECORDS = 12
VALUES = {"pitch_angle": np.arange(7.5, 180, 15), "energy": np.geomspace(20, 900, 6)}


def concrete(pattern: str) -> str:
    """A name that a pattern stands for."""
    return pattern.replace("?", "a").replace("*", "x").replace("[LH]", "L").replace("[PEHO]", "P")


def made(row: missions.Product) -> xr.Dataset:
    """A Dataset with the names of a row and none of its units."""
    order = row.order or tuple(role for role in VALUES if getattr(row, role)) or ("pitch_angle",)
    named = {
        role: concrete(patterns[0]) if (patterns := getattr(row, role)) else f"v{n}"
        for n, role in enumerate(order, start=1)
    }
    values = dict(VALUES)
    if row.pitch_angle_edges:
        values["pitch_angle"] = np.linspace(0, 180, 12)
    size = (RECORDS, *(values[role].size for role in order))
    flux = np.random.default_rng(0).lognormal(3, 1, size).astype("f4")
    return xr.Dataset(
        {concrete(name): (("time", *named.values()), flux * n, {})
         for n, name in enumerate(row.flux, start=1)},
        {"time": np.datetime64("2015-01-01", "ns") + np.arange(RECORDS) * np.timedelta64(60, "s"),
         **{name: (name, values[role]) for role, name in named.items()}},
        {key: concrete(pattern) for key, pattern in row.where.items()},
    )  # fmt: skip


@pytest.mark.parametrize("row", ROWS, ids=lambda row: row.id)
def test_a_row_fits_what_it_describes(row: missions.Product) -> None:
    ds = made(row)
    assert {found.id for found in missions.known(ds).values()} == {row.id}
    roles = xpad.recognise(ds)
    first = next(iter(row.flux))
    stacked = len(roles.flux) > 1
    assert stacked or roles.flux == (concrete(first),)
    assert roles.chosen.mission == row.id
    if row.order or row.pitch_angle:
        assert roles.pitch_angle.grade is Grade.MISSION
    flux = xpad.flux(ds)
    expected = VALUES["pitch_angle"]
    np.testing.assert_allclose(flux.pitch_angle, expected)
    assert flux.units == row.flux_units
    if "energy" in row.order:
        assert roles.energy.grade is Grade.MISSION
        assert flux.energy.units == row.energy_units
    species = {word for word in row.flux.values() if word}
    if len(row.flux) == 1 and species:
        assert species.pop() in roles.chosen.why


@pytest.mark.parametrize(
    "row", [row for row in ROWS if row.zero_is_missing], ids=lambda row: row.id
)
def test_18_zeros_of_a_row_are_missing(row: missions.Product) -> None:
    ds = made(row)
    name = concrete(next(iter(row.flux)))
    ds[name][3] = 0
    assert int(xpad.flux(ds, name).isnull().sum()) == ds[name][3].size


@pytest.mark.parametrize("row", [r for r in ROWS if r.quality], ids=lambda row: row.id)
def test_flags_of_a_row_are_found(row: missions.Product) -> None:
    ds, name = made(row), concrete(next(iter(row.flux)))
    flags = np.full(RECORDS, row.quality.get("good", [0])[0], "u4")
    flags[2] = 77
    fine = missions.good(ds.assign({concrete(row.quality["variable"]): ("time", flags)}), name)
    assert fine is not None
    np.testing.assert_array_equal(np.flatnonzero(~fine.values), [2])


def test_every_row_has_a_test_or_is_only_read() -> None:
    """Rows that hold no pitch angles have nothing to test, and say why."""
    tested = {product.id for product in PRODUCTS} | {row.id for row in ROWS}
    left = [row for row in missions.products() if row.id not in tested]
    assert {row.verified for row in left if row.pad} <= {"read"}
    assert all(row.note for row in left)
    assert not any(row.pad for row in left)


def test_units_of_the_table_are_understood() -> None:
    for row in missions.products():
        if row.flux_units:
            assert units.kind_of(row.flux_units) == units.NUMBER_FLUX


def test_a_row_is_of_no_use_to_other_data() -> None:
    """Names that could be anybody's need a global attribute, or say nothing of axes."""
    for row in ROWS:
        ds = made(row).drop_attrs()
        if row.where:
            assert row.id not in {found.id for found in missions.known(ds).values()}


def test_an_energy_spectrum_of_a_known_name_is_no_pad() -> None:
    name = "mms1_epd_feeps_srvy_l2_electron_intensity_70-600keV_pad"
    flux = np.ones((RECORDS, 6), "f4")
    energy = ("v", VALUES["energy"], {"units": "keV"})
    ds = xr.Dataset({name: (("time", "v"), flux)}, {"v": energy})
    with pytest.raises(xpad.XpadError, match="no pitch angle"):
        xpad.recognise(ds)
    assert metadata.units(ds.v.attrs) == "keV"
