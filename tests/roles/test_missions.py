"""The table of missions: what its rows must hold, how one is added, and what a row does."""

import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
import xarray as xr
from helpers import computes

import xpad
from xpad.errors import OptionError
from xpad.roles import missions
from xpad.roles.evidence import Grade

MINE: dict[str, Any] = {
    "id": "mine.sensor", "mission": "Mine", "product": "sensor", "verified": "read",
    "flux": {"my_flux": "oxygen"}, "pitch_angle": ["my_angle"], "energy": ["my_e*"],
}  # fmt: skip
T = np.datetime64("2015-01-01", "ns") + np.arange(8) * np.timedelta64(60, "s")
PA = np.arange(5.0, 180, 10)
E = np.geomspace(20, 2000, 8)


@pytest.fixture(autouse=True)
def forgotten() -> Iterator[None]:
    """What a test registers is gone after it."""
    before = dict(missions._registered)
    missions._registered.clear()
    yield
    missions._registered.clear()
    missions._registered.update(before)


def data(**attrs: Any) -> xr.Dataset:
    flux = np.random.default_rng(0).lognormal(3, 1, (8, PA.size, E.size)).astype("f4")
    return xr.Dataset(
        {"my_flux": (("time", "a", "b"), flux, attrs)},
        {"time": T, "my_angle": ("a", PA), "my_energies": ("b", E)},
    )


def test_the_table_is_listed() -> None:
    table = xpad.missions()
    assert isinstance(table, pd.DataFrame)
    assert table.index.is_unique
    assert len(table) >= 55
    assert set(table.verified) == {"real", "run", "read"}
    assert table.loc["rbsp.hope", "species"] == ("electron",)
    assert table.reference.all()


def test_a_row_tells_the_axes_and_says_so() -> None:
    assert xpad.recognise(data()).pitch_angle.guessed
    assert xpad.register_mission(MINE) == ["mine.sensor"]
    ds = data()
    roles = xpad.recognise(ds)
    assert roles.pitch_angle.grade is roles.energy.grade is Grade.MISSION
    assert (roles.pitch_angle.variable, roles.energy.variable) == ("my_angle", "my_energies")
    assert "oxygen" in roles.chosen.why
    assert "mine.sensor: Mine sensor  (verified: read)" in repr(ds.pad)
    assert "xpad_mission" not in ds.my_flux.attrs
    assert "xpad_mission" not in xpad.cluster(ds, encoder=None, k=2, progress=False).my_flux.attrs


def test_what_somebody_states_counts_more() -> None:
    xpad.register_mission(MINE)
    ds = data().assign_coords(other=("a", PA[::-1].copy()))
    roles = xpad.recognise(ds.pad.assign_roles(flux="my_flux", pitch_angle="other"))
    assert (roles.pitch_angle.variable, roles.pitch_angle.grade) == ("other", Grade.STATED)
    assert roles.energy.grade is Grade.MISSION


def test_values_that_contradict_a_row_are_heeded() -> None:
    xpad.register_mission({**MINE, "pitch_angle": ["my_energies"], "energy": ["my_angle"]})
    ds = data().assign_coords(my_energies=("b", E, {"units": "keV"}))
    assert xpad.recognise(ds).pitch_angle.variable == "my_angle"


def test_axes_by_their_order_unless_they_are_swapped() -> None:
    row = {**MINE, "order": ["pitch_angle", "energy"]}
    del row["pitch_angle"], row["energy"]
    xpad.register_mission(row)
    ds = data().rename(my_angle="v1", my_energies="v2", a="v1_dim", b="v2_dim")
    for given in (ds, ds.transpose("time", "v2_dim", "v1_dim")):
        roles = xpad.recognise(given)
        assert (roles.pitch_angle.variable, roles.energy.variable) == ("v1", "v2")
        assert roles.energy.grade is Grade.MISSION


def test_units_are_repaired_where_they_lack_or_are_of_something_else() -> None:
    units = {"flux_units": "1/(cm^2 s sr keV)", "pitch_angle_units": "deg", "energy_units": "keV"}
    xpad.register_mission({**MINE, **units})
    ds = data(units="")
    ds.my_angle.attrs["units"] = "1/(cm^2 s sr keV)"  # as ELFIN's
    ds.my_energies.attrs["units"] = "MeV"  # another unit of the same is the data's to tell
    found = xpad.flux(ds)
    assert (found.units, found.energy.units) == ("1/(cm^2 s sr keV)", "MeV")
    np.testing.assert_allclose(found.pitch_angle, PA)
    assert ds.my_angle.attrs["units"] == "1/(cm^2 s sr keV)"


def test_18_zeros_that_mean_missing() -> None:
    ds = data()
    ds.my_flux[2, 3] = 0
    assert not xpad.flux(ds).isnull().any()
    xpad.register_mission({**MINE, "zero_is_missing": True})
    found = xpad.flux(ds)
    assert found[2, :, 3].isnull().all()
    assert int(found.isnull().sum()) == E.size


def test_edges_become_the_centres_that_are_meant() -> None:
    name = "mms1_epd_feeps_srvy_l2_electron_intensity_70-600keV_pad_spin"
    flux = np.random.default_rng(0).lognormal(3, 1, (8, 12)).astype("f4")
    ds = xr.Dataset({name: (("time", "v"), flux)}, {"time": T, "v": np.linspace(0, 180, 12)})
    found = xpad.flux(ds)
    np.testing.assert_allclose(found.pitch_angle, np.arange(7.5, 180, 15))
    np.testing.assert_allclose(xpad.flux(ds.assign_coords(v=found.pitch_angle.values)), found)
    np.testing.assert_array_equal(ds.v, np.linspace(0, 180, 12))


def test_where_says_whose_it_is() -> None:
    xpad.register_mission({**MINE, "where": {"Logical_source": "mine_*"}})
    ds = data()
    assert not missions.known(ds)
    assert list(missions.known(ds.assign_attrs(Logical_source="MINE_L2"))) == ["my_flux"]
    assert list(missions.known(ds.assign_attrs(Logical_source=["a", "mine_L2"]))) == ["my_flux"]
    ds.my_flux.attrs["CDF"] = {"GATT": {"Logical_source": "mine_L2"}}
    assert list(missions.known(ds)) == ["my_flux"]


def test_a_row_computes_nothing_and_changes_nothing() -> None:
    xpad.register_mission({**MINE, "energy_units": "keV", "zero_is_missing": True})
    ds = data().chunk()
    before = {name: dict(variable.attrs) for name, variable in ds.variables.items()}
    with computes(0):
        xpad.recognise(ds)
        xpad.flux(ds)
    assert before == {name: dict(variable.attrs) for name, variable in ds.variables.items()}


# -- quality flags -------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("rule", "flags", "dims", "expected"),
    [
        ({"good": [0, 10]}, [0, 10, 3, 255, 0, 0, 0, 0], ("time",), [1, 1, 0, 0, 1, 1, 1, 1]),
        ({"bad_bits": 6}, [0, 1, 2, 4, 8, 9, 7, 0], ("time",), [1, 1, 0, 0, 1, 1, 0, 1]),
        ({"good": [0]}, [[0, 0], [0, 1]] * 4, ("time", "column"), [1, 0] * 4),
    ],
)
def test_flags_that_are_good(rule: Any, flags: Any, dims: Any, expected: Any) -> None:
    xpad.register_mission({**MINE, "quality": {"variable": "my_flag*", **rule}})
    ds = data().assign(my_flags=(dims, np.array(flags, "u4"))).chunk()
    with computes(0):
        found = missions.good(ds, "my_flux")
    assert found is not None
    assert found.dims == ("time",)
    np.testing.assert_array_equal(found, np.array(expected, bool))


def test_flags_of_each_bin() -> None:
    xpad.register_mission({**MINE, "quality": {"variable": "my_flags", "good": [10]}})
    flags = np.full((8, E.size, PA.size), 10)
    flags[1, 2, 3] = 0
    found = missions.good(data().assign(my_flags=(("time", "b", "a"), flags)), "my_flux")
    assert found is not None
    assert set(found.dims) == {"time", "a", "b"}
    assert int((~found).sum()) == 1


def test_no_flags() -> None:
    assert missions.good(data(), "my_flux") is None
    xpad.register_mission({**MINE, "quality": {"variable": "my_flags", "good": [10]}})
    assert missions.good(data(), "my_flux") is None


# -- adding rows ---------------------------------------------------------------------------------


def test_a_file_of_rows(tmp_path: Path) -> None:
    path = tmp_path / "mine.toml"
    path.write_text(
        '[[product]]\nid = "a.b"\nmission = "A"\nproduct = "b"\nverified = "run"\n'
        '[[product]]\nid = "rbsp.rept"\nmission = "mine"\nproduct = "b"\nverified = "read"\n'
    )
    assert xpad.register_mission(path) == ["a.b", "rbsp.rept"]
    table = xpad.missions()
    assert table.index.is_unique
    assert table.loc["rbsp.rept", "mission"] == "mine"


@pytest.mark.parametrize(
    ("change", "told"),
    [
        ({"id": ""}, "lacks 'id'"),
        ({"fluxx": {"a": ""}}, "field 'fluxx', which there is not; did you mean 'flux'"),
        ({"verified": "yes"}, "verified is 'yes', and must be one of real, run, read"),
        ({"flux": "FEDU"}, "flux is 'FEDU', and must be a table"),
        ({"flux": {"FEDU": "electrons"}}, "must be names to one of electron, proton"),
        ({"order": ["pitch_angle", "time"]}, "must be of 'pitch_angle' and 'energy'"),
        ({"pitch_angle": "alpha"}, "must be a list of texts"),
        ({"energy_units": "deg"}, "must be units of energy"),
        ({"zero_is_missing": 1}, "must be true or false"),
        ({"quality": {"variable": "q"}}, "either good, a list of values, or bad_bits"),
        ({"loader": {"level": "l3"}}, "must be a table with a function"),
    ],
)
def test_what_a_row_cannot_be(change: dict[str, Any], told: str) -> None:
    with pytest.raises(OptionError) as caught:
        xpad.register_mission({**MINE, **change})
    assert told in str(caught.value)
    assert "\n" not in str(caught.value)
    assert not missions._registered


def test_files_that_hold_no_rows(tmp_path: Path) -> None:
    with pytest.raises(OptionError, match="no such file"):
        xpad.register_mission(tmp_path / "none.toml")
    (tmp_path / "a.toml").write_text("id = ")
    with pytest.raises(OptionError, match="is no TOML"):
        xpad.register_mission(tmp_path / "a.toml")
    (tmp_path / "b.toml").write_text('id = "a"')
    with pytest.raises(OptionError, match=r"\[\[product\]\]"):
        xpad.register_mission(tmp_path / "b.toml")
    with pytest.raises(OptionError, match="not both"):
        xpad.register_mission(tmp_path / "b.toml", id="a")


def test_a_product_that_is_not_known() -> None:
    with pytest.raises(OptionError, match=r"'rbsp.rep'; did you mean 'rbsp.rept'\? xpad.missions"):
        missions.product("rbsp.rep")


def test_importing_reads_no_table() -> None:
    code = (
        "import sys, xpad; assert 'tomllib' not in sys.modules and 'xpad.roles' not in sys.modules"
    )
    subprocess.run([sys.executable, "-c", code], check=True, timeout=120)


@pytest.mark.parametrize(
    "stated", [np.array([1.0, 2.0]), np.array("a"), np.array([]), [None], 3, {}]
)
def test_global_attributes_of_any_type_are_none_of_a_product(stated: object) -> None:
    assert not missions.product("rbsp.rept").holds({"Logical_source": stated})
