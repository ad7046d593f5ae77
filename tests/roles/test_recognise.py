"""Recognition by role: every product that formats.md lists, in any order of axes."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import xarray as xr
from helpers import missions
from helpers.missions import Product

import xpad
from xpad.errors import RolesError
from xpad.roles.axes import Axis

# -- which of many -----------------------------------------------------------------------


@pytest.mark.parametrize(
    ("ds", "expected"),
    [
        (missions.rept_file(), "FEDU"),
        (missions.hope_file(), "FEDU"),
        (missions.rept_file().drop_vars("FEDU"), "FEDU_0to180"),
        (missions.rept_file().drop_vars(["FEDU", "FEDU_0to180"]), "FPDU"),
        (missions.with_results(), "FEDU"),
        (missions.with_results("electrons"), "FEDU"),
        (missions.jedi(), "Intensity"),
        (missions.amda_jedi(), "jedi_e90_fluxpad"),
        (missions.ect_combined(), "FEDU"),
    ],
)
def test_preference(ds: xr.Dataset, expected: str) -> None:
    names = list(ds.data_vars)
    for order in (names, names[::-1]):
        assert xpad.recognise(ds[order]).flux == (expected,)


def _pair(one: dict[str, Any], two: dict[str, Any], **names: str) -> xr.Dataset:
    """Two fluxes on one grid that differ only in what is stated."""
    base = Product(names.get("first", "a"), "PE", [1, 2, 4.5], [30, 90, 150], "e", "p", units=None)
    ds = base.raw()
    other = names.get("second", "b")
    ds[other] = ds[base.flux].copy()
    ds[base.flux].attrs |= {"FIELDNAM": base.flux} | one
    ds[other].attrs |= {"FIELDNAM": other} | two
    return ds


@pytest.mark.parametrize(
    ("worse", "better", "names"),
    [
        ({"UNITS": "counts"}, {"UNITS": missions.FLUX_UNITS}, {}),
        ({}, {"UNITS": missions.FLUX_UNITS}, {"first": "flux", "second": "zz"}),
        ({}, {}, {"first": "a", "second": "zflux"}),
        ({"VAR_TYPE": "support_data"}, {"VAR_TYPE": "data"}, {}),
        ({}, {}, {"first": "aflux_spin", "second": "bflux"}),
        ({}, {}, {"first": "ion_flux", "second": "zelectron_flux"}),
        ({}, {}, {"first": "flux_0to180", "second": "flux"}),
        ({}, {}, {"first": "oxygen_flux", "second": "proton_flux"}),
        ({}, {}, {"first": "mms_epd_ion_flux", "second": "mms_epd_electron_flux"}),
    ],
)
def test_order_of_preference(worse: dict, better: dict, names: dict) -> None:
    ds = _pair(worse, better, **names)
    chosen = names.get("second", "b")
    assert xpad.recognise(ds).flux == (chosen,)
    assert [c.label for c in xpad.recognise(ds).others] == [names.get("first", "a")]


def test_the_complete_grid_before_pitch_angle_alone() -> None:
    ds = _pair({}, {}, first="aflux", second="bflux")
    ds["aflux"] = ds.aflux.isel(e=0, drop=True)
    assert xpad.recognise(ds).flux == ("bflux",)


def test_fewer_record_dimensions_first() -> None:
    ds = _pair({}, {}, first="aflux", second="bflux")
    ds["aflux"] = ds.aflux.expand_dims(probe=2)
    assert xpad.recognise(ds).flux == ("bflux",)
    ds["aflux"] = ds.aflux.isel(probe=0, Epoch=0, drop=True)  # no record at all comes last
    assert xpad.recognise(ds).flux == ("bflux",)


@pytest.mark.parametrize("word", ["FEDU_ERROR", "quality_flag", "flux_sigma", "L_star", "bkg_rate"])
def test_what_is_surely_no_flux_is_no_candidate(word: str) -> None:
    ds = _pair({}, {"UNITS": missions.FLUX_UNITS}, second=word)
    roles = xpad.recognise(ds)
    assert roles.flux == ("a",)
    assert not roles.others
    # … unless somebody says so.
    assert xpad.recognise(ds, word).flux == (word,)
    assert xpad.recognise(ds.pad.assign_roles(flux=word)).flux == (word,)


def test_background_corrected_flux_is_a_flux() -> None:
    ds = _pair({}, {"FIELDNAM": "background corrected flux"}, second="FEDU_CORR")
    assert xpad.recognise(ds).flux == ("FEDU_CORR",)


def test_a_tie_names_the_call_that_settles_it() -> None:
    ds = _pair({}, {}, first="rbspa_flux", second="rbspb_flux")
    with pytest.raises(RolesError, match="rbspa_flux, rbspb_flux") as caught:
        xpad.recognise(ds)
    message = str(caught.value)
    call = message.split("Say which: ")[1].split(", or ")[0]
    assert call == "ds.pad.assign_roles(flux='rbspa_flux')"
    settled = eval(call)
    assert xpad.recognise(settled).flux == ("rbspa_flux",)
    assert xpad.recognise(ds, variable="rbspb_flux").flux == ("rbspb_flux",)
    assert [c.label for c in xpad.recognise(settled).others] == ["rbspb_flux"]


def test_a_tie_of_stacks_names_the_call_that_settles_it() -> None:
    first = missions.fpi_file()
    both = xr.merge([first, first.rename({n: f"mms2{str(n)[4:]}" for n in first.data_vars})])
    with pytest.raises(RolesError, match="likelier") as caught:
        xpad.recognise(both)
    ds = both
    settled = eval(str(caught.value).split("Say which: ")[1])
    assert ds is both
    assert len(xpad.recognise(settled).flux) == 3


@pytest.mark.parametrize("suffix", ["en", ""])
@pytest.mark.parametrize("tplot", [False, True])
def test_companions_are_stacked_in_energy(suffix: str, tplot: bool) -> None:
    ds = missions.fpi_file(suffix, tplot=tplot)
    roles = xpad.recognise(ds)
    assert [n.split("_")[3] for n in roles.flux] == [
        f"low{suffix}",
        f"mid{suffix}",
        f"high{suffix}",
    ]
    assert [c.label for c in roles.others] == ["mms1_des_pitchangdist_avg_fast"]
    flux = xpad.flux(ds)
    assert flux.shape == (missions.RECORDS, 3, 30)
    np.testing.assert_allclose(flux.energy, [100, 632.46, 7745.97], rtol=1e-5)
    assert flux.energy.attrs["units"] == "eV"
    record = xr.DataArray(np.arange(missions.RECORDS), dims=flux.dims[0])
    expected = missions.signal(record, flux.energy, flux.pitch_angle).transpose(*flux.dims)
    np.testing.assert_allclose(flux, expected, rtol=1e-5)


def test_companions_with_energies_are_no_bands() -> None:
    ds = _pair({}, {}, first="flux_low", second="flux_high")
    with pytest.raises(RolesError, match="flux_low, flux_high"):
        xpad.recognise(ds)


def test_bands_that_say_no_energy_get_channel_numbers() -> None:
    ds = missions.fpi_file()
    for name in ds.data_vars:
        ds[name].attrs.pop("VAR_NOTES", None)
    assert xpad.flux(ds).energy.values.tolist() == [1, 2, 3]


@pytest.mark.parametrize(
    "sizes",
    [{"i": 3}, {"time": 3, "probe": 2}, {"species": 2, "time": 3}, {"a1": 2, "b1": 3, "c1": 2}, {}],
)
def test_every_other_dimension_is_a_record_dimension(sizes: dict[str, int]) -> None:
    ds = missions.plain(**sizes)
    roles = xpad.recognise(ds)
    assert roles.record_dims == tuple(sizes)
    assert roles.pitch_angle.dim == "a"
    assert roles.pitch_angle.guessed
    flux = xpad.flux(ds)
    np.testing.assert_array_equal(flux.values, ds.f.values.astype("f4"))
    turned = xpad.flux(ds.transpose(*reversed(ds.f.dims)))
    np.testing.assert_array_equal(turned.transpose(*flux.dims).values, flux.values)


@pytest.mark.parametrize("prefix", ["pad", "electrons"])
def test_results_are_no_flux(prefix: str) -> None:
    ds = missions.with_results(prefix)
    labels = [c.label for c in xpad.recognise(ds).others]
    assert labels == [c.label for c in xpad.recognise(missions.rept_file()).others]
    with pytest.raises(RolesError, match="pitch-angle axis"):
        xpad.recognise(ds[[n for n in ds.data_vars if str(n).startswith(prefix)]])
    # An attribute of another's that ends alike hides nothing.
    other = missions.rept().raw().assign_attrs(FEDU_settings="x").rename(FEDU="FEDU_flux")
    assert xpad.recognise(other).flux == ("FEDU_flux",)


# -- no flux -----------------------------------------------------------------------------


def test_no_pitch_angle() -> None:
    with pytest.raises(RolesError, match=r"no variable has a pitch-angle axis.*FEDO"):
        xpad.recognise(missions.omnidirectional())


def test_nothing_at_all() -> None:
    with pytest.raises(RolesError, match="no pitch-angle distributions here"):
        xpad.recognise(xr.Dataset())
    with pytest.raises(RolesError, match="not on ndarray"):
        xpad.recognise(np.ones(3))


# -- assigned roles ----------------------------------------------------------------------


@pytest.fixture
def anonymous() -> xr.Dataset:
    """Nothing tells which is which."""
    pitch, energy = np.array([7.0, 8.0, 9.0, 10.0]), np.array([4.0, 5.0, 6.0])
    values = missions.signal(np.arange(2)[:, None, None], energy[:, None], pitch)
    return xr.Dataset({"j": (("i", "x", "y"), values)}, coords={"x": energy, "y": pitch})


def test_assigned_roles(anonymous: xr.Dataset) -> None:
    with pytest.raises(RolesError, match="pitch-angle axis"):
        xpad.recognise(anonymous)
    before = anonymous.copy(deep=True)
    told = anonymous.pad.assign_roles(flux="j", energy="x", pitch_angle="y")
    xr.testing.assert_identical(anonymous, before)
    assert isinstance(told, xr.Dataset)
    assert xpad.recognise(told).pitch_angle == Axis("y", "y", "assigned")
    np.testing.assert_array_equal(xpad.flux(told), anonymous.j.astype("f4"))
    swapped = anonymous.pad.assign_roles(energy="y", pitch_angle="x")
    np.testing.assert_array_equal(
        xpad.flux(swapped), anonymous.j.astype("f4").transpose("i", "y", "x")
    )


def test_assigned_roles_of_a_dataarray(anonymous: xr.Dataset) -> None:
    for array in (anonymous.j, anonymous.j.rename(None), anonymous.j.rename("x")):
        told = array.pad.assign_roles(energy="x", pitch_angle="y")
        assert isinstance(told, xr.DataArray)
        flux = told.pad.flux
        np.testing.assert_array_equal(flux, anonymous.j.astype("f4"))
        # And in a Dataset of its own, where the attributes are the variable's.
        assert xpad.recognise(told.rename("k").to_dataset()).pitch_angle.dim == "y"


def test_assigned_stack() -> None:
    ds = missions.fpi_file()
    names = ["mms1_des_pitchangdist_miden_fast", "mms1_des_pitchangdist_lowen_fast"]
    assert xpad.flux(ds.pad.assign_roles(flux=names[::-1])).sizes["energy"] == 2
    assert xpad.flux(ds.pad.assign_roles(flux=names)).energy.values.tolist() == [1, 2]
    short = ds.assign(short=ds[names[0]].isel(mms1_des_alpha_fast=0, drop=True))
    with pytest.raises(RolesError, match=r"'short'.*equal dimensions"):
        xpad.flux(short.pad.assign_roles(flux=[names[0], "short"]))


def test_assigned_table_is_told_from_the_records() -> None:
    ds = missions.plain(i=3)
    table = np.outer([1.0, 1.1, 1.2], ds.e.values)
    for dims, values in ((("i", "e"), table), (("e", "i"), table.T)):
        for lazily in (False, True):
            told = ds.drop_vars("e").assign_coords(en=(dims, values))
            told = told.chunk() if lazily else told
            told = told.pad.assign_roles(energy="en", pitch_angle="a")
            assert xpad.recognise(told).energy.dim == "e"


@pytest.mark.parametrize("turned", [False, True])
def test_a_table_without_names_is_told_by_its_change(turned: bool) -> None:
    rng = np.random.default_rng(0)
    table = np.geomspace(10, 1000, 4) * rng.uniform(0.9, 1.1, (3, 1))
    ds = missions.plain(i=3).drop_vars("e").rename(e="x")
    ds = ds.assign_coords(k=(("x", "i"), table.T) if turned else (("i", "x"), table))
    roles = xpad.recognise(ds.pad.assign_roles(energy="k"))
    assert (roles.energy.dim, roles.record_dims) == ("x", ("i",))


@pytest.mark.parametrize("role", ["flux", "energy", "pitch_angle"])
def test_unknown_names_are_refused(role: str) -> None:
    ds = missions.rept_file()
    with pytest.raises(RolesError, match=f"{role}='nowhere'.*FEDU"):
        ds.pad.assign_roles(**{role: "nowhere"})
    with pytest.raises(RolesError, match="'nowhere' is not in the Dataset"):
        xpad.recognise(ds, "nowhere")


def test_assigned_axes_of_another_flux() -> None:
    ds = missions.hope_file()
    told = ds.pad.assign_roles(energy="HOPE_ENERGY_Ion")
    assert xpad.recognise(told).flux == ("FPDU",)
    told = ds.pad.assign_roles(flux="FEDU", energy="HOPE_ENERGY_Ion")
    with pytest.raises(RolesError, match="'HOPE_ENERGY_Ion' was assigned, but shares no dimension"):
        xpad.recognise(told)
    told = ds.pad.assign_roles(flux="FEDU", energy="HOPE_ENERGY_Ele")
    assert xpad.recognise(told, "FPDU").energy.variable == "HOPE_ENERGY_Ion"
    with pytest.raises(RolesError, match="no variable has the axes that were assigned"):
        xpad.recognise(missions.plain(i=2).assign(k=("z", [1, 2])).pad.assign_roles(energy="k"))


def test_assigned_text_is_refused(anonymous: xr.Dataset) -> None:
    ds = anonymous.assign_coords(label=("x", ["a", "b", "c"]))
    with pytest.raises(RolesError, match="energy='label' was assigned, but holds no numbers"):
        xpad.recognise(ds.pad.assign_roles(flux="j", energy="label", pitch_angle="y"))


def test_assigned_axes_on_one_dimension(anonymous: xr.Dataset) -> None:
    with pytest.raises(RolesError, match="one dimension of 'j'"):
        xpad.recognise(anonymous.pad.assign_roles(flux="j", energy="x", pitch_angle="x"))


def test_variable_without_pitch_angle_is_named() -> None:
    with pytest.raises(RolesError, match=r"'FEDO' \(float32\) has dimensions .*pitch_angle="):
        xpad.recognise(missions.rept_file(), "FEDO")


def test_many_variables() -> None:
    # How long this takes is profiled by hand; here only that nothing is looked at twice.
    ds = missions.rept_file()
    for i in range(200):
        ds[f"extra{i}"] = ("Epoch", np.zeros(missions.RECORDS), {"UNITS": "nT"})
    assert xpad.recognise(ds).flux == ("FEDU",)


@pytest.mark.parametrize("nothing", [[], (), np.array([])])
def test_a_role_that_is_assigned_to_nothing(nothing: Any) -> None:
    ds = missions.rept_file().assign_attrs(xpad_flux=nothing)
    with pytest.raises(RolesError, match="the attribute xpad_flux assigns the role of the flux to"):
        xpad.recognise(ds)


def test_names_of_several_lines_are_told_in_one() -> None:
    ds = missions.rept_file().drop_dims("FEDU_Alpha").rename(L="two\nlines")
    with pytest.raises(RolesError) as told:
        xpad.recognise(ds, "two\nlines")
    assert len(str(told.value).splitlines()) == 1
