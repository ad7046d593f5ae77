"""Inputs that were misread in silence: each is read right, or refused in one line that says why.

The numbers are those of the list that these cases were collected in.
"""

import numpy as np
import pytest
import xarray as xr

import xpad
from xpad.errors import GridMismatchError, OptionError, RolesError, XpadWarning
from xpad.pads.regrid import on_one_grid
from xpad.roles.evidence import Grade

T = np.datetime64("2015-01-01", "ns") + np.arange(60) * np.timedelta64(60, "s")
PA = np.arange(5.0, 180, 10)
E = np.geomspace(20, 2000, 8)
U = "1/(cm^2 s sr keV)"


def flux(dims=("time", "pa", "energy"), angle=PA, energy=E):
    """A flux of sin² shapes on these dimensions."""
    rng = np.random.default_rng(0)
    level = rng.lognormal(3, 1, T.size)[:, None, None]
    values = level * (0.1 + np.sin(np.deg2rad(angle)) ** 2)[:, None] * np.exp(-energy / 600)
    return (dims, values.astype(np.float32), {"units": U})


def refusal(ds, match):
    with pytest.raises(RolesError, match=match) as caught:
        xpad.recognise(ds)
    assert "\n" not in str(caught.value)


# -- 1: a link plus weak evidence -----------------------------------------------------------------


@pytest.mark.parametrize(
    ("name", "values", "attrs"),
    [
        ("alt", np.linspace(80, 350, 18), {"UNITS": "km"}),
        ("alt", np.linspace(80, 350, 18), {}),
        ("longitude", np.linspace(2, 358, 18), {"UNITS": "deg"}),
        ("g", np.linspace(2, 358, 18), {"UNITS": "deg", "CATDESC": "geographic longitude"}),
        ("channel", np.arange(1.0, 65), {}),
        ("c", np.arange(1.0, 65), {}),
        ("frequency", np.geomspace(10, 300, 18), {"UNITS": "Hz"}),
        ("f", np.geomspace(10, 300, 18), {"UNITS": "kHz"}),
        ("look_azimuth", np.linspace(0, 340, 18), {"UNITS": "degrees"}),
        ("elevation", np.linspace(-85, 85, 18), {"UNITS": "deg"}),
        ("zenith_angle", np.linspace(5, 175, 18), {"UNITS": "deg"}),
        ("gyrophase", np.linspace(5, 355, 18), {"UNITS": "deg"}),
        ("spin_phase", np.linspace(5, 355, 18), {"UNITS": "deg"}),
    ],
)
def test_1_what_is_no_pitch_angle(name, values, attrs):
    data = np.ones((60, values.size, 8), np.float32)
    ds = xr.Dataset(
        {"x": (("time", name, "energy"), data, {"units": U, "DEPEND_1": name})},
        coords={"time": T, name: (name, values, attrs), "energy": ("energy", E, {"units": "keV"})},
    )
    refusal(ds, "no variable has a pitch-angle axis")


@pytest.mark.parametrize("name", ["imap_hit", "imap_lo", "imap_swe", "test_sort"])
def test_1_real_files_without_a_pitch_angle(shared_data, name, capsys):
    from xpad.cli import main

    file = next((shared_data / "not_pad").glob(f"{name}*"))
    assert main(["info", str(file)]) != 0
    told = capsys.readouterr().err.strip().splitlines()
    assert len([line for line in told if not line.startswith("xpad: warning")]) == 1


# -- 2 and 3: a poor link, a stale link -----------------------------------------------------------


def test_2_a_poor_link_does_not_hide_the_axis():
    angles = np.tile(np.arange(5.0, 180, 22), (60, 1))
    ds = xr.Dataset(
        {
            "eflux": (
                ("time", "energy", "anode"),
                np.ones((60, 8, 8), np.float32),
                {"units": U, "DEPEND_1": "energy", "DEPEND_2": "anode"},
            ),
            "pitch_angle": (("time", "anode"), angles, {"units": "deg"}),
        },
        coords={
            "time": T,
            "energy": ("energy", E, {"units": "keV"}),
            "anode": ("anode", np.arange(8) * 45.0, {"units": "deg"}),
        },
    )
    assert xpad.recognise(ds).pitch_angle.variable == "pitch_angle"


def test_3_values_contradict_a_stale_link():
    ds = xr.Dataset(
        {"omni": (("time", "v_dim"), np.ones((60, 8)), {"units": U, "DEPEND_1": "FEDU_Alpha"})},
        coords={"time": T, "v": ("v_dim", E)},
    )
    refusal(ds, "no variable has a pitch-angle axis")


# -- 7: units -------------------------------------------------------------------------------------


def test_7_number_flux_before_energy_flux():
    number, energy = flux(), flux()
    number[2]["units"] = "#/(cm^2*s*str*MeV)"
    energy[2]["units"] = "keV/(cm^2*s*str*MeV)"
    axes = {"pa": ("pa", PA, {"units": "deg"}), "energy": ("energy", E, {"units": "keV"})}
    ds = xr.Dataset({"a_eflux": energy, "b_nflux": number}, coords={"time": T, **axes})
    roles = xpad.recognise(ds)
    assert roles.flux == ("b_nflux",)
    assert [c.why.split(",")[0] for c in roles.others] == ["differential energy flux by its units"]


# -- 10 to 13: meaning ----------------------------------------------------------------------------


def with_angle(values, attrs, name="pitch_angle"):
    return xr.Dataset(
        {"j": flux(("time", name, "energy"))},
        coords={"time": T, name: (name, values, attrs), "energy": ("energy", E, {"units": "keV"})},
    )


@pytest.mark.parametrize("low", [-175.0, -180.0])
def test_10_negative_pitch_angles_are_refused_by_name(low):
    ds = with_angle(np.linspace(low, 85, 18), {"units": "deg"})
    with pytest.raises(RolesError, match=r"'pitch_angle' go from -1\d\d to 85 degrees.*fold it"):
        xpad.flux(ds)


def test_11_cosines():
    found = xpad.flux(with_angle(np.cos(np.deg2rad(PA)), {"units": "1"}, "pitch_angle_cosine"))
    np.testing.assert_allclose(found.pitch_angle, PA, atol=1e-4)


def test_12_radians_however_they_are_written():
    found = xpad.flux(with_angle(np.deg2rad(PA), {"units": "radian (0-pi)"}))
    np.testing.assert_allclose(found.pitch_angle, PA, rtol=1e-6)


def test_13_logarithms_are_refused_with_the_remedy():
    ds = with_angle(PA, {"units": "deg"})
    ds.j.attrs["units"] = "log10(1/(cm^2 s sr keV))"
    with pytest.raises(RolesError, match=r"logarithms; give the flux itself: ds\['j'\] = 10\.0"):
        xpad.flux(ds)


# -- 15 and 16: ranges ----------------------------------------------------------------------------


def test_15_valid_range():
    ds = with_angle(PA, {"units": "deg"})
    ds.j.attrs["valid_range"] = [0, 5.0]
    assert float(xpad.flux(ds).max()) <= 5.0 < float(ds.j.max())


def test_16_ends_of_a_range_belong_to_it():
    energy = np.array([1.8, 2.1, 2.6, 3.4, 4.2, 5.2, 6.3, 7.7], np.float32)
    ds = xr.Dataset(
        {"j": flux(energy=energy)},
        coords={
            "time": T,
            "pa": ("pa", PA, {"units": "deg"}),
            "energy": ("energy", energy, {"units": "MeV"}),
        },
    )
    for ends, number in (((1.8, 5.2), 6), ((2.6, 3.4), 2)):
        model = xpad.fit(ds, encoder=None, k=2, energies=ends, progress=False)
        assert model.grid.energy.size == number


# -- 19: no metadata at all -----------------------------------------------------------------------


def test_19_axes_that_only_their_values_tell_are_a_guess():
    data = np.ones((60, 16, 17), np.float32)
    ds = xr.Dataset(
        {"q": (("time", "v1_dim", "v2_dim"), data)},
        coords={
            "time": T,
            "v1": ("v1_dim", np.geomspace(7, 87, 16)),
            "v2": ("v2_dim", np.linspace(5, 175, 17)),
        },
    )
    roles = xpad.recognise(ds)
    assert (roles.pitch_angle.variable, roles.energy.variable) == ("v2", "v1")
    assert roles.pitch_angle.grade is roles.energy.grade is Grade.GUESS


def test_19_two_that_both_fit_are_asked_about():
    ds = xr.Dataset(
        {"q": (("time", "v1_dim", "v2_dim"), np.ones((60, 18, 17), np.float32))},
        coords={"time": T, "v1": ("v1_dim", PA), "v2": ("v2_dim", np.linspace(5, 175, 17))},
    )
    refusal(ds, r"'v1' and 'v2' could each be.*pitch_angle='v1'.*pitch_angle='v2'")


# -- 33 and 38 ------------------------------------------------------------------------------------


def test_38_did_you_mean():
    with pytest.raises(
        OptionError, match=r"'normalize' is not a setting \(did you mean 'normalise'\?\)"
    ):
        xpad.fit(with_angle(PA, {"units": "deg"}), normalize="max")


# -- 4 to 6 and 18: nothing vanishes uncounted -----------------------------------------------------


def pad(**attrs):
    """A PAD as it should be, its flux with these attributes."""
    ds = xr.Dataset(
        {"j": flux()},
        coords={
            "time": T,
            "pa": ("pa", PA, {"units": "deg", "long_name": "pitch angle"}),
            "energy": ("energy", E, {"units": "keV"}),
        },
    )
    ds.j.attrs.update(attrs)
    return ds


SHORT = {"encoder": None, "k": 2, "progress": False}


def test_4_flux_above_a_valid_range_is_counted_and_told():
    ds = pad(VALIDMAX=float(np.quantile(pad().j, 0.9)))
    assert "10.00%" in ds.pad.check(progress=False).removed["out_of_range"]
    with pytest.warns(XpadWarning, match="outside the valid range"):
        ds.pad.cluster(**SHORT)


def test_5_negative_flux_is_counted_and_told():
    ds = pad()
    ds["j"] = ds.j - float(np.quantile(ds.j, 0.58))
    ds.j.attrs["units"] = U
    assert "(57.99%" in ds.pad.check(progress=False).removed["negative"]
    with pytest.warns(XpadWarning, match="negative='keep'"):
        ds.pad.cluster(**SHORT, missing="mask")


def test_6_missing_bins_that_count_as_zero_are_told():
    ds = pad()
    ds["j"] = ds.j.where(np.random.default_rng(0).random(ds.j.shape) < 0.5).assign_attrs(units=U)
    assert ds.pad.check(progress=False).missing_share == pytest.approx(0.5, abs=0.02)
    with pytest.warns(XpadWarning, match="missing='mask'"):
        ds.pad.cluster(**SHORT)


def test_18_zeros_of_empty_bins_are_missing_where_that_is_known():
    ds = pad()
    ds["j"] = ds.j.where(ds.pa < 150, 0).assign_attrs(units=U)
    assert not ds.pad.flux.isnull().any()
    ds.j.attrs["xpad_zero_is_missing"] = 1
    assert ds.pad.flux.isnull().sum() == (ds.j == 0).sum()


# -- 14, 17, 27, 28, 30: shapes -----------------------------------------------------------------------


def test_14_dimensions_that_cannot_be_told_apart():
    ds = xr.Dataset(
        {
            "j": (("time", "dim0", "dim1"), np.ones((60, 18, 18), "f4"), {"units": U}),
            "pitch_angle": ("dim0", PA, {"units": "deg"}),
            "energy": ("dim0", np.geomspace(10, 100, 18), {"units": "keV"}),
        },
        coords={"time": T},
    )
    refusal(ds, "nothing says what 'dim1' is")


@pytest.mark.parametrize("apart", [0.5, 3.0])
def test_17_a_fan_that_turns_is_measured_in_every_record(apart):
    turned = (np.linspace(0, 180, 9) + np.linspace(0, 360, 60)[:, None]) % 360
    fan = np.abs(turned - 180)
    angles = np.concatenate([fan, np.clip(fan + apart, 0, 180)], axis=1)
    values = (1 + np.sin(np.deg2rad(angles)) ** 2)[:, :, None] * np.exp(-E / 600)
    ds = xr.Dataset(
        {
            "j": (("time", "sensor", "energy"), values.astype("f4"), {"units": U}),
            "pitch_angle": (("time", "sensor"), angles, {"units": "deg"}),
        },
        coords={"time": T, "energy": ("energy", E, {"units": "keV"})},
    )
    assert ds.pad.check(progress=False).n_usable == 60


def test_27_energies_that_differ_from_one_pitch_angle_to_the_next():
    own = E * (1 + 0.002 * np.arange(18))[:, None]
    values = (1e3 * own**-2.0).astype("f4")
    ds = xr.Dataset(
        {
            "j": (("time", "pa", "e"), np.broadcast_to(values, (60, 18, 8)).copy(), {"units": U}),
            "energy": (
                ("time", "pa", "e"),
                np.broadcast_to(own, (60, 18, 8)).copy(),
                {"units": "keV"},
            ),
        },
        coords={"time": T, "pa": ("pa", PA, {"units": "deg", "long_name": "pitch angle"})},
    )
    found = on_one_grid(xpad.flux(ds)).isel(energy=slice(2, -2))
    expected = 1e3 * found.energy**-2.0
    np.testing.assert_allclose(found[0], expected.broadcast_like(found[0]), rtol=1e-4)


def test_28_records_stacked_from_two_dimensions():
    ds = xr.concat([pad(), pad()], dim=xr.Variable("probe", ["a", "b"]), join="exact")
    stacked = ds.stack(record=("probe", "time"))
    out = stacked.pad.cluster(**SHORT)
    assert out.pad_label.dims == ("record",)
    assert out.indexes["record"].equals(stacked.indexes["record"])


def test_30_bands_with_pitch_angles_of_their_own():
    bands = {}
    for n, name in enumerate(("low", "high")):
        _, values, attrs = flux()
        attrs = attrs | {"CATDESC": f"electrons, {10 * 10**n}-{20 * 10**n} keV"}
        angle = xr.Variable(f"pa_{name}", PA, {"units": "deg", "long_name": "pitch angle"})
        bands[f"f_{name}"] = xr.DataArray(
            values[:, :, n], coords={"time": T, f"pa_{name}": angle}, dims=("time", f"pa_{name}"),
            attrs=attrs,
        )  # fmt: skip
    ds = xr.Dataset(bands)
    assert xpad.flux(ds).sizes == {"time": 60, "energy": 2, "pitch_angle": 18}
    ds["pa_high"] = ds.pa_high + 1
    refusal(ds, "2 variables could be the flux")


# -- quality -------------------------------------------------------------------------------------------


def test_quality_flags_are_applied_when_asked_and_counted(shared_data):
    ds = xpad.open_dataset(next((shared_data / "rbsp_hope").glob("*.cdf")))
    flags = np.zeros(ds.sizes["Epoch_Ele"], np.uint8)
    flags[10:30] = 1
    ds["Flags_Ele"] = ("Epoch_Ele", flags)
    with pytest.warns(XpadWarning, match="change in time"):
        whole, good = (ds.pad.check("FEDU", progress=False, quality=q) for q in (False, True))
    assert "quality" not in whole.removed
    assert "of bad quality" in good.removed["quality"]
    assert whole.n_usable - good.n_usable == 20


def test_quality_of_a_product_without_flags_is_refused():
    with pytest.raises(RolesError, match="quality=True, and no quality flags are known of j"):
        pad().pad.check(quality=True)


def test_links_whose_variables_are_not_there_still_tell_the_axes():
    """As FAST ESA's: DEPEND names medians that a file may lack, pitch angles lie on both axes."""
    angle = np.broadcast_to(PA[:, None] + 0.01 * np.arange(8), (60, 18, 8)).copy()
    ds = xr.Dataset(
        {
            "j": (
                ("time", "dim1", "dim2"), flux()[1],
                {"units": U, "DEPEND_1": "pitch_angle_median", "DEPEND_2": "energy_median"},
            ),
            "pitch_angle": (("time", "dim1", "dim2"), angle, {"units": "degrees"}),
            "energy_full": (
                ("time", "dim1", "dim2"), np.broadcast_to(E, angle.shape).copy(), {"units": "eV"},
            ),
        },
        coords={"time": T},
    )  # fmt: skip
    for data in (ds, ds.chunk()):
        roles = xpad.recognise(data)
        assert (roles.pitch_angle.dim, roles.energy.dim) == ("dim1", "dim2")
    assert xpad.flux(ds).sizes == {"time": 60, "energy": 8, "pitch_angle": 18}
    with pytest.raises(RolesError, match=r"ds\['energy_full'\].mean\('dim1'\)"):
        xpad.flux(ds.chunk())


@pytest.mark.parametrize(
    ("name", "attrs"),
    [
        ("mu", {"units": "1", "long_name": "cosine of pitch angle"}),
        ("pitch_angle", {"units": "cosine"}),
        ("pitch_angle_cos", {"units": ""}),
        ("pitch_angle", {"units": "dimensionless", "CATDESC": "Cosines of the pitch angle"}),
    ],
)
def test_11_cosines_wherever_it_is_said(name, attrs):
    ds = pad().rename(pa=name).assign_coords({name: (name, np.cos(np.deg2rad(PA)), attrs)})
    np.testing.assert_allclose(ds.pad.flux.pitch_angle, PA, rtol=1e-6)


@pytest.mark.parametrize(
    ("values", "units", "told"),
    [
        (np.cos(np.deg2rad(PA)), "1", "look like cosines or radians"),
        (np.cos(np.deg2rad(PA)), "", "look like cosines or radians"),
        (np.deg2rad(PA), "1", "look like radians"),
        (PA / 360, "turns", "units of the pitch angles in 'pa' are 'turns'"),
        (PA / 0.9, "gon", "units of the pitch angles in 'pa' are 'gon'"),
    ],
)
def test_12_what_is_no_angle_by_its_units_is_refused(values, units, told):
    attrs = {"units": units, "long_name": "pitch angle"}
    with pytest.raises(RolesError, match=told):
        xpad.flux(pad().assign_coords(pa=("pa", values, attrs)))


@pytest.mark.parametrize("name", ["cosmic_pa", "icosahedron_pitch_angle"])
def test_11_not_every_cos_is_a_cosine(name):
    attrs = {"long_name": "pitch angle"}
    ds = pad().rename(pa=name).assign_coords({name: (name, PA, attrs)})
    np.testing.assert_allclose(ds.pad.flux.pitch_angle, PA)


@pytest.mark.parametrize("units", ["Degrees", "deg", "degrees from B", ""])
def test_12_degrees_however_they_are_written(units):
    attrs = {"units": units, "long_name": "pitch angle"}
    found = xpad.flux(pad().assign_coords(pa=("pa", PA, attrs)))
    np.testing.assert_allclose(found.pitch_angle, PA)


def test_7_a_model_of_number_flux_is_none_of_energy_flux():
    ds = pad()
    model = ds.pad.fit(**SHORT)
    other = ds.assign(j=(ds.j * ds.energy).assign_attrs(units="keV/(cm^2 s sr keV)"))
    with pytest.raises(
        GridMismatchError, match=r"differential energy flux.*differential number flux"
    ):
        other.pad.predict(model)
    assert (
        ds.assign(j=(ds.j * 1e3).assign_attrs(units="1/(cm^2 s sr MeV)")).pad.label(model) >= 0
    ).any()
