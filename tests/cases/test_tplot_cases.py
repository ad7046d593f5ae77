"""tplot variables that were misread or refused, by the numbers of the list they were collected in.

Each is stored as its loader stores it: names, axes, and units in the plot options only.
"""

import importlib.util
from typing import Any

import numpy as np
import pytest

import xpad
from xpad.errors import ReaderError, RolesError, XpadWarning
from xpad.readers.tplot import store
from xpad.roles.evidence import Grade

if importlib.util.find_spec("pyspedas") is None:
    pytest.skip("pyspedas is not installed", allow_module_level=True)

pytestmark = pytest.mark.filterwarnings("default")

RECORDS = 40
T = np.arange(RECORDS) * 10.0
PA = np.linspace(8.18, 171.82, 11)
E = np.geomspace(20, 400, 5)
FLUX = "1/(cm^2-sr-s-keV)"


@pytest.fixture
def tplot() -> Any:
    pyspedas = store.imported()
    pyspedas.del_data("*")
    return pyspedas


def values(*bins: int, seed: int = 0) -> np.ndarray:
    return np.random.default_rng(seed).lognormal(3, 1, (RECORDS, *bins))


def put(tplot: Any, name: str, y: np.ndarray, attrs: Any = None, **axes: Any) -> np.ndarray:
    options = {key: axes.pop(key) for key in ("ytitle", "ysubtitle", "ztitle") if key in axes}
    tplot.store_data(name, data={"x": T, "y": y, **axes}, attr_dict=attrs or {})
    if options:
        tplot.options(name, "spec", True)
    for key, value in options.items():
        tplot.options(name, key, value)
    return y


def cdf(**attrs: Any) -> dict[str, Any]:
    return {"CDF": {"VATT": attrs, "GATT": {}, "FILENAME": "a.cdf", "LABELS": None}}


# -- 19: what from_tplot called an axis is no evidence ------------------------------------------


def test_19_axes_by_their_values_are_guesses(tplot: Any) -> None:
    y = put(tplot, "e", values(16, 17), v1=np.geomspace(7, 87, 16), v2=np.linspace(5, 175, 17))
    ds = xpad.from_tplot("e")
    roles = xpad.recognise(ds)
    assert (roles.energy.variable, roles.pitch_angle.variable) == ("v1", "v2")
    assert roles.pitch_angle.guessed
    assert roles.energy.guessed
    np.testing.assert_allclose(xpad.flux(ds), y)


def test_19_axes_that_cannot_be_told_apart_are_refused(tplot: Any) -> None:
    put(tplot, "e", values(17, 18), v1=np.linspace(0, 180, 17), v2=np.linspace(5, 175, 18))
    with pytest.raises(RolesError, match=r"pitch_angle='v1'\) or .*pitch_angle='v2'"):
        xpad.recognise(xpad.from_tplot("e"))


# -- 20 and 21: names with units or species; units in the options of the plot ---------------------


@pytest.mark.parametrize(
    "name",
    [
        "mms1_epd_feeps_srvy_l2_electron_intensity_70-600keV_pad",
        "mms1_epd_eis_extof_45_55keV_proton_flux_omni_pad",
        "mms1_hpca_hplus_phase_space_density_pa",
        "mms1_hpca_oplus_flux_pa",
        "rbspa_rbspice_proton_omni_0-1000keV_pad_spin",
    ],
)
def test_20_names_with_a_unit_or_a_species(tplot: Any, name: str) -> None:
    y = put(tplot, name, values(11), v=PA, ytitle="MMS1 PA", ysubtitle="[deg]", ztitle=FLUX)
    ds = xpad.from_tplot(name)
    found = xpad.flux(ds)
    np.testing.assert_allclose(found[:, 0], y.astype("f4"))
    np.testing.assert_allclose(found.pitch_angle, PA)
    assert found.units == FLUX
    put(tplot, name, y, v=PA)  # with no units at all
    np.testing.assert_allclose(xpad.flux(xpad.from_tplot(name)), found)


def test_20_species_and_energy_of_the_name(tplot: Any) -> None:
    put(tplot, "mms1_hpca_heplus_flux_54keV_pa", values(11), v=PA)
    ds = xpad.from_tplot("mms1_hpca_heplus_flux_54keV_pa")
    assert "helium" in xpad.recognise(ds).chosen.why
    assert xpad.flux(ds).energy.values == [54]
    assert xpad.flux(ds).energy.units == "keV"


def test_21_units_of_the_options_go_where_they_fit(tplot: Any) -> None:
    both = {"v1": E, "v2": PA}
    put(tplot, "a", values(5, 11), **both, ysubtitle="[keV]", ztitle="[/cm^{2}-str-s-keV]")
    put(tplot, "b", values(5, 11), **both, ysubtitle="PA [deg]", ztitle="[/keV/cm^{2}/sr/s]")
    first, second = xpad.from_tplot("a"), xpad.from_tplot("b")
    assert first.v1.attrs["units"] == "[keV]"
    assert "units" not in first.v2.attrs
    assert second.v2.attrs["units"] == "deg"
    assert "units" not in second.v1.attrs
    for ds in (first, second):
        roles = xpad.recognise(ds)
        assert (roles.energy.variable, roles.pitch_angle.variable) == ("v1", "v2")
        assert "differential flux by its units" in roles.chosen.why


def test_21_a_broken_line_is_one_unit(tplot: Any) -> None:
    put(tplot, "a", values(11), v=PA, ysubtitle="PA (deg)", ztitle="#/(s-cm$^2$\n-str-MeV)")
    ds = xpad.from_tplot("a")
    assert "differential flux by its units" in xpad.recognise(ds).chosen.why
    assert ds.v.attrs["units"] == "deg"


# -- 22, 23, 25: names of axes, names that are gone, axes of their own ----------------------------


@pytest.mark.parametrize("names", [["FEDU", "FEDU_Alpha"], ["FEDU_Alpha", "FEDU"]])
def test_22_a_flux_and_its_own_axis(tplot: Any, names: list[str]) -> None:
    attrs = cdf(DEPEND_0="Epoch", DEPEND_1="FEDU_Alpha", DEPEND_2="FEDU_Energy")
    y = put(tplot, "FEDU", values(11, 5), attrs, v1=PA, v2=E)
    tplot.store_data("FEDU_Alpha", data={"y": PA})
    ds = xpad.from_tplot(names)
    np.testing.assert_array_equal(ds.FEDU_Alpha, PA)
    assert ds.FEDU.dims == ("time", "FEDU_Alpha", "FEDU_Energy")
    np.testing.assert_allclose(xpad.flux(ds).transpose("time", ...)[:, 0], y[:, :, 0].astype("f4"))


def test_22_an_axis_that_the_loader_made_of_its_variable(tplot: Any) -> None:
    bounds = np.stack([E * 0.9, E * 1.1])
    attrs = cdf(DEPEND_0="Epoch", DEPEND_1="FEDU_Energy", DEPEND_2="FEDU_Alpha")
    put(tplot, "FEDU", values(5, 11), attrs, v1=E, v2=PA)
    tplot.store_data("FEDU_Energy", data={"y": bounds})
    ds = xpad.from_tplot(["FEDU", "FEDU_Energy"])
    np.testing.assert_array_equal(ds.FEDU_Energy, bounds)
    np.testing.assert_allclose(xpad.flux(ds).energy, E)


def test_23_names_that_are_gone_are_told(tplot: Any) -> None:
    put(tplot, "flux_pa", values(11), v=PA)
    with pytest.warns(XpadWarning, match="left out: 'mms1_des_errorflags_fast', 'other'"):
        ds = xpad.from_tplot(["mms1_des_errorflags_fast", "flux_pa", "other"])
    assert list(ds.data_vars) == ["flux_pa"]
    with pytest.raises(ReaderError, match="no tplot variable 'a', 'b'"):
        xpad.from_tplot(["a", "b"])
    with pytest.raises(ReaderError, match="found no file"):
        xpad.from_tplot([])
    with pytest.raises(ReaderError, match="notplot=True"):
        xpad.from_tplot([{"x": 1}])


def test_25_a_pitch_angle_that_is_a_variable_of_its_own(tplot: Any) -> None:
    angles = np.sort(np.random.default_rng(1).uniform(5, 175, (RECORDS, 11, 5)), axis=1)
    attrs = cdf(DEPEND_0="Epoch", DEPEND_1="pa", DEPEND_2="energy", UNITS="eV/cm2/s/sr/eV")
    y = put(tplot, "mvn_diff_en_fluxes", values(11, 5), attrs, v2=E)
    put(tplot, "mvn_pa", angles)
    for names in ("mvn_diff_en_fluxes", ["mvn_pa", "mvn_diff_en_fluxes"], "mvn_*"):
        ds = xpad.from_tplot(names)
        roles = xpad.recognise(ds)
        assert (roles.flux, roles.pitch_angle.variable) == (("mvn_diff_en_fluxes",), "mvn_pa")
        found = xpad.flux(ds)
        np.testing.assert_allclose(found.pitch_angle_table, angles.transpose(0, 2, 1))
        np.testing.assert_allclose(found, y.transpose(0, 2, 1).astype("f4"))


# -- 24: one variable an energy -------------------------------------------------------------------


@pytest.mark.parametrize(
    ("names", "energies"),
    [
        ([f"ela_pef_hs_nflux_ch{i}" for i in range(4)], [1, 2, 3, 4]),
        ([f"f_pitch_E{i:02}" for i in range(16)], np.arange(1, 17)),
        ([f"erg_lepe_l3_pa_enech_{i:02}_FEDU" for i in range(1, 13)], np.arange(1, 13)),
        ([f"mms1_extof_{a}_{2 * a}keV_proton_flux_pad" for a in (100, 200, 50)], [70.7, 141.4, 282.8]),
        ([f"j_{a}MeV" for a in ("1.8", "2.1", "10.5")], [1.8, 2.1, 10.5]),
    ],
)  # fmt: skip
def test_24_one_variable_an_energy(tplot: Any, names: list[str], energies: Any) -> None:
    angles = np.sort(np.random.default_rng(1).uniform(5, 175, (RECORDS, 11)), axis=1)
    made = {name: put(tplot, name, values(11, seed=n), v=angles) for n, name in enumerate(names)}
    ds = xpad.from_tplot(names)
    roles = xpad.recognise(ds)
    assert sorted(map(str, roles.flux)) == sorted(names)
    assert roles.energy.guessed == (energies[0] == 1)
    found = xpad.flux(ds)
    np.testing.assert_allclose(found.energy, energies, rtol=1e-3)
    for n, name in enumerate(map(str, roles.flux)):
        np.testing.assert_allclose(found[:, n], made[name].astype("f4"))


def test_24_a_sum_of_all_energies_is_no_channel(tplot: Any) -> None:
    for n, name in enumerate(("50_60keV", "60_90keV", "90_200keV", "50_200keV")):
        put(tplot, f"j_{name}_flux_pad", values(11, seed=n), v=PA)
    roles = xpad.recognise(xpad.from_tplot("j_*"))
    assert roles.flux == ("j_50_60keV_flux_pad", "j_60_90keV_flux_pad", "j_90_200keV_flux_pad")


def test_24_the_variable_with_all_energies_comes_first(tplot: Any) -> None:
    attrs = cdf(DEPEND_0="Epoch", DEPEND_1="FEDU_L_Energy", DEPEND_2="FEDU_L_Alpha")
    y = put(tplot, "hep_FEDU_L", values(5, 11), attrs, v1=E, v2=PA, ysubtitle="PA [deg]")
    for n in range(5):
        put(tplot, f"hep_FEDU_L_paspec_ene{n:02}", y[:, n], attrs, v=PA, ysubtitle="PA [deg]")
    everything = xpad.from_tplot("hep_*")
    assert xpad.recognise(everything).flux == ("hep_FEDU_L",)
    # Their attributes are the other's, which name the energy first.
    parts = xpad.from_tplot("hep_FEDU_L_paspec*")
    np.testing.assert_allclose(xpad.flux(parts), y.astype("f4"))
    np.testing.assert_allclose(xpad.flux(parts).pitch_angle, PA)


# -- 37, and what must not change -----------------------------------------------------------------


def test_the_store_is_as_it_was(tplot: Any) -> None:
    put(tplot, "a", values(11), cdf(UNITS="1/(cm2 s sr keV)"), v=PA, ysubtitle="[deg]", ztitle=FLUX)
    live = tplot.get_data("a", xarray=True)
    before, attrs = live.copy(deep=True), repr(live.attrs)
    ds = xpad.from_tplot("a")
    ds["a"][:] = 0
    ds.a.attrs["UNITS"] = ""
    assert live.equals(before)
    assert repr(live.attrs) == attrs
    assert list(tplot.tplot_tools.data_quants) == ["a"]


def test_variables_of_other_times_share_them(tplot: Any) -> None:
    put(tplot, "a", values(11), v=PA)
    for name in ("b", "c"):
        tplot.store_data(name, data={"x": T[:20] + 1, "y": values(11)[:20], "v": PA})
    ds = xpad.from_tplot(["a", "b", "c"])
    assert (ds.a.dims[0], ds.b.dims[0], ds.c.dims[0]) == ("time", "time_b", "time_b")
    assert ds.b.dims[1] == ds.a.dims[1]


def test_what_is_drawn_together_is_taken_apart(tplot: Any) -> None:
    put(tplot, "a", values(11), v=PA)
    put(tplot, "b", values(11), v=PA)
    tplot.store_data("both", data=["a", "b"])
    assert list(xpad.from_tplot("both").data_vars) == ["a", "b"]


def clustered(tplot: Any, name: str, source: str, bins: int = 11) -> Any:
    attrs = cdf(UNITS="1/(cm2 s sr keV)")
    attrs["CDF"]["GATT"] = {"Logical_source": source}
    put(tplot, name, values(bins), attrs, v=np.linspace(5, 175, bins))
    return xpad.from_tplot(name).pad.cluster(encoder=None, k=2, progress=False)


def test_37_results_of_two_instruments_live_side_by_side(tplot: Any) -> None:
    first, second = clustered(tplot, "rept_FEDU", "rept"), clustered(tplot, "hope_FEDU", "hope")
    names = [*xpad.to_tplot(first), *xpad.to_tplot(second)]
    assert names[0] == "rept_FEDU_pad_label"
    assert len(set(names)) == 8
    assert xpad.to_tplot(first) == names[:4]  # once more replaces them
    same_name = clustered(tplot, "rept_FEDU", "mageis")
    other = xpad.to_tplot(same_name)
    assert other[0] == "mageis_rept_FEDU_pad_label"
    for result, stored in ((first, names[0]), (second, names[4]), (same_name, other[0])):
        np.testing.assert_array_equal(tplot.get_data(stored).y, result.pad_label)


def test_37_a_name_that_something_else_has_stays_its(tplot: Any) -> None:
    out = clustered(tplot, "FEDU", "")
    tplot.store_data("FEDU_pad_flag", data={"x": T, "y": T})
    assert xpad.to_tplot(out)[0] == "FEDU_pad_2_label"
    np.testing.assert_array_equal(tplot.get_data("FEDU_pad_flag").y, T)


def test_grades_are_told(tplot: Any) -> None:
    put(
        tplot,
        "a",
        values(11),
        cdf(DEPEND_0="Epoch", DEPEND_1="Pitch_angle"),
        v=PA,
        ysubtitle="[deg]",
    )
    assert xpad.recognise(xpad.from_tplot("a")).pitch_angle.grade is Grade.METADATA
