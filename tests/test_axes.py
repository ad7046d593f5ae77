"""Recognition by role: every product that formats.md lists, in any order of axes."""

from __future__ import annotations

from typing import Any

import missions
import numpy as np
import pytest
import xarray as xr
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from missions import Product

import xpad
from xpad.errors import RolesError

RAW = {name: product.raw() for name, product in missions.ALL.items()}
RAW |= {"erg hep": missions.erg_hep_raw(), "ect combined": missions.ect_combined()}
PRODUCTS = missions.ALL | {"ect combined": missions.ect_combined_product()}
TPLOT = {name: product.tplot() for name, product in missions.ALL.items() if name != "maven swea"}


def check_flux(flux: xr.DataArray, product: Product) -> None:
    """The canonical flux holds the signal of its own coordinates, and misses what was fill."""
    *records, energy_dim, pitch_dim = flux.dims
    assert (energy_dim, pitch_dim) == ("energy", "pitch_angle")
    assert flux.dtype == np.float32
    assert [flux.sizes[d] for d in records] == [product.records]
    energy = flux.coords.get("energy_table", flux.coords.get("energy"))
    pitch = flux.coords.get("pitch_angle_table", flux.coords.get("pitch_angle"))
    record = xr.DataArray(np.arange(product.records), dims=records)
    expected = missions.signal(record, energy, pitch).transpose(*flux.dims)
    measured = np.isfinite(flux.values)
    np.testing.assert_allclose(flux.values[measured], expected.values[measured], rtol=2e-4)
    own_energy, own_pitch = product.axes()
    placed = (own_energy > 0) & (own_pitch > -90) & ~product.missing()
    # Bins of one place become one: as many are measured as there are places.
    folded = missions.folded(np.round(own_pitch, 3))
    for i in range(product.records):
        places = set(zip(own_energy[i][placed[i]], np.round(folded[i][placed[i]], 2), strict=True))
        merged = "pitch_angle_table" not in flux.coords
        assert measured[i].sum() == (len(places) if merged else placed[i].sum())


@pytest.mark.parametrize("name", RAW)
def test_raw(name: str) -> None:
    product = PRODUCTS[name]
    flux = xpad.canonical_flux(RAW[name])
    assert flux.name == product.flux
    check_flux(flux, product)


@pytest.mark.parametrize("name", TPLOT)
def test_tplot(name: str) -> None:
    flux = xpad.canonical_flux(TPLOT[name])
    assert flux.dims == ("time", "energy", "pitch_angle")
    check_flux(flux, PRODUCTS[name])


@pytest.mark.parametrize("name", ["feeps", "eis"])
def test_tplot_without_metadata(name: str) -> None:
    array = missions.ALL[name].tplot(metadata=False)
    check_flux(xpad.canonical_flux(array), PRODUCTS[name])
    assert xpad.recognise(array).pitch_angle.guessed


def test_tplot_attributes_as_json() -> None:
    # So a tplot variable comes back from a file.
    from xpad.attributes import storable

    array = storable(missions.hope().tplot())
    assert isinstance(array.attrs["CDF"], str)
    check_flux(xpad.canonical_flux(array), missions.hope())


def test_tplot_stored_with_one_axis() -> None:
    array = missions.eis().tplot(metadata=False).drop_vars(["v2", "spec_bins"])
    roles = xpad.recognise(array)
    assert roles.energy.dim == "v2_dim"
    assert roles.energy.guessed
    assert xpad.canonical_flux(array).energy.values.tolist() == [1, 2, 3, 4, 5, 6]


def test_tplot_pitch_angle_without_values() -> None:
    with pytest.raises(RolesError, match=r"'v1_dim' .* no variable holds its values"):
        xpad.canonical_flux(missions.maven_swea().tplot())


@pytest.mark.parametrize("name", RAW)
@settings(max_examples=8, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(data=st.data())
def test_the_order_of_axes_does_not_matter(name: str, data: st.DataObject) -> None:
    ds = RAW[name]
    expected = xpad.canonical_flux(ds)
    dims = data.draw(st.permutations(list(ds.dims)))
    # An axis whose own dimensions are unrelated to the flux's must not be turned without it.
    whole = [d for d in map(str, ds.dims) if d not in ("dim0", "dim1")]
    can_flip = len(whole) == len(ds.dims)
    flipped = data.draw(st.sets(st.sampled_from(whole))) if can_flip else set()
    turned = ds.transpose(*dims).isel({d: slice(None, None, -1) for d in flipped})
    found = xpad.canonical_flux(turned)
    record = found.dims[0]
    if record in flipped:
        found = found.isel({record: slice(None, None, -1)})
    for role in ("energy", "pitch_angle"):
        if f"{role}_table" in expected.coords and flipped & set(map(str, ds.dims)):
            expected, found = (f.drop_vars([c for c in f.coords if c.endswith("table")])
                               for f in (expected, found))  # fmt: skip
            np.testing.assert_array_equal(
                np.sort(found.values, None), np.sort(expected.values, None)
            )
            return
    # A mean of two bins may be rounded another way.
    xr.testing.assert_allclose(found, expected, rtol=1e-6)


@pytest.mark.parametrize("name", ["rept", "hope", "erg lepe", "psp span-e"])
def test_the_order_of_the_flux_alone_does_not_matter(name: str) -> None:
    ds = RAW[name]
    flux = PRODUCTS[name].flux
    turned = ds.assign({flux: ds[flux].transpose(*reversed(ds[flux].dims))})
    xr.testing.assert_identical(xpad.canonical_flux(turned), xpad.canonical_flux(ds))


@pytest.mark.parametrize("name", RAW)
def test_renamed_dimensions(name: str) -> None:
    ds = RAW[name]
    new = {d: f"x{i}" for i, d in enumerate(ds[PRODUCTS[name].flux].dims)}
    renamed = ds.rename_dims({d: n for d, n in new.items() if d not in ds.xindexes})
    renamed = renamed.drop_indexes(list(renamed.xindexes)).rename_dims(
        {d: n for d, n in new.items() if d in renamed.dims}
    )
    flux = xpad.canonical_flux(renamed)
    np.testing.assert_array_equal(flux.values, xpad.canonical_flux(ds).values)


@pytest.mark.parametrize("name", sorted(missions.ALL))
def test_the_input_is_not_changed(name: str) -> None:
    for obj in (RAW[name], TPLOT.get(name)):
        if obj is None:
            continue
        before = obj.copy(deep=True)
        xpad.canonical_flux(obj)
        repr(obj.pad)
        obj.pad._repr_html_()
        xpad.normalise(obj)
        obj.pad.assign_roles(flux=PRODUCTS[name].flux)
        xr.testing.assert_identical(obj, before)
        assert {n: v.dims for n, v in before.coords.items()} == {
            n: v.dims for n, v in obj.coords.items()
        }


# -- which of many -------------------------------------------------------------------------------


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
    flux = xpad.canonical_flux(ds)
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
    assert xpad.canonical_flux(ds).energy.values.tolist() == [1, 2, 3]


def test_one_energy() -> None:
    flux = xpad.canonical_flux(missions.jedi())
    check_flux(flux, missions.jedi_product())
    assert flux.energy.values.tolist() == [474.3]
    assert flux.energy.attrs["units"] == "keV"
    assert xpad.canonical_flux(missions.rept().raw().isel(FEDU_Energy=[3])).sizes["energy"] == 1
    scalar = xpad.canonical_flux(missions.rept().raw().isel(FEDU_Energy=3))
    assert scalar.sizes["energy"] == 1


def test_look_directions_that_nothing_links() -> None:
    flux = xpad.canonical_flux(missions.amda_jedi())
    assert flux.coords["pitch_angle_table"].dims == ("time", "pitch_angle")
    expected = missions.signal(xr.DataArray(np.arange(6), dims="time"), 1.0, flux.pitch_angle_table)
    np.testing.assert_allclose(flux.squeeze("energy"), expected, rtol=1e-5)


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
    flux = xpad.canonical_flux(ds)
    np.testing.assert_array_equal(flux.values, ds.f.values.astype("f4"))
    turned = xpad.canonical_flux(ds.transpose(*reversed(ds.f.dims)))
    np.testing.assert_array_equal(turned.transpose(*flux.dims).values, flux.values)


def test_tables_get_every_record_dimension() -> None:
    ds = missions.plain(species=2, time=3)
    energies = np.outer([1.0, 2.0], ds.e.values)
    ds = ds.drop_vars("e").assign_coords(energy=(("species", "e"), energies, {"units": "keV"}))
    for obj in (ds, ds.transpose("e", "a", "time", "species"), ds.chunk(time=1)):
        table = xpad.canonical_flux(obj).coords["energy_table"]
        assert set(table.dims) == {"species", "time", "energy"}
        for i in range(3):
            np.testing.assert_array_equal(
                table.isel(time=i).transpose("species", "energy"), energies
            )


def test_stacked_records_keep_their_index() -> None:
    ds = missions.plain(time=3, probe=2)
    ds = ds.assign_coords(time=[1, 2, 3], probe=["a", "b"]).stack(record=("time", "probe"))
    flux = xpad.canonical_flux(ds)
    assert flux.dims == ("record", "energy", "pitch_angle")
    xr.testing.assert_identical(flux.coords["record"].reset_coords(drop=True),
                                ds.coords["record"].reset_coords(drop=True))  # fmt: skip
    assert flux.unstack("record").sizes["probe"] == 2


def test_coordinates_of_the_records_stay() -> None:
    ds = missions.rept_file().set_coords(["L", "Position", "B_Eq"])
    flux = xpad.canonical_flux(ds)
    assert set(flux.coords) == {"Epoch", "L", "B_Eq", "energy", "pitch_angle",
                                "L_star", "MLT", "MLAT", "B_Calc"} & set(ds.coords) | {
        "energy", "pitch_angle"}  # fmt: skip
    xr.testing.assert_identical(flux.L.reset_coords(drop=True), ds.L.reset_coords(drop=True))


# -- no flux -------------------------------------------------------------------------------------


def test_no_pitch_angle() -> None:
    with pytest.raises(RolesError, match=r"no variable has a pitch-angle axis.*FEDO"):
        xpad.recognise(missions.omnidirectional())


def test_nothing_at_all() -> None:
    with pytest.raises(RolesError, match="no pitch-angle distributions here"):
        xpad.recognise(xr.Dataset())
    with pytest.raises(RolesError, match="not on ndarray"):
        xpad.recognise(np.ones(3))  # type: ignore[arg-type]


def test_one_pitch_angle_is_no_distribution() -> None:
    with pytest.raises(RolesError, match=r"FEDU has 1 pitch angle"):
        xpad.canonical_flux(missions.rept().raw().isel(FEDU_Alpha=[3]))


def test_a_pitch_angle_without_values_is_named() -> None:
    ds = xr.Dataset({"flux": (("time", "pitch_angle"), np.ones((3, 4)))})
    assert xpad.recognise(ds).pitch_angle.dim == "pitch_angle"
    with pytest.raises(RolesError, match=r"ds.assign_coords\(pitch_angle="):
        xpad.canonical_flux(ds)
    xpad.canonical_flux(ds.assign_coords(pitch_angle=[20, 60, 120, 160]))


def test_a_record_dimension_called_energy_is_named() -> None:
    ds = missions.plain(time=2).rename(time="energy")
    with pytest.raises(RolesError, match=r"rename it: ds.rename\(energy="):
        xpad.canonical_flux(ds)


# -- assigned roles --------------------------------------------------------------------------------


@pytest.fixture
def anonymous() -> xr.Dataset:
    """Nothing tells which is which."""
    pitch, energy = np.array([7.0, 8.0, 9.0, 10.0]), np.array([1.0, 2.0, 3.0])
    values = missions.signal(np.arange(2)[:, None, None], energy[:, None], pitch)
    return xr.Dataset({"j": (("i", "x", "y"), values)}, coords={"x": energy, "y": pitch})


def test_assigned_roles(anonymous: xr.Dataset) -> None:
    with pytest.raises(RolesError, match="pitch-angle axis"):
        xpad.recognise(anonymous)
    before = anonymous.copy(deep=True)
    told = anonymous.pad.assign_roles(flux="j", energy="x", pitch_angle="y")
    xr.testing.assert_identical(anonymous, before)
    assert isinstance(told, xr.Dataset)
    assert xpad.recognise(told).pitch_angle == xpad.axes.Axis("y", "y", "assigned")
    np.testing.assert_array_equal(xpad.canonical_flux(told), anonymous.j.astype("f4"))
    swapped = anonymous.pad.assign_roles(energy="y", pitch_angle="x")
    np.testing.assert_array_equal(
        xpad.canonical_flux(swapped), anonymous.j.astype("f4").transpose("i", "y", "x")
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
    assert xpad.canonical_flux(ds.pad.assign_roles(flux=names[::-1])).sizes["energy"] == 2
    assert xpad.canonical_flux(ds.pad.assign_roles(flux=names)).energy.values.tolist() == [1, 2]
    short = ds.assign(short=ds[names[0]].isel(mms1_des_alpha_fast=0, drop=True))
    with pytest.raises(RolesError, match=r"'short'.*equal dimensions"):
        xpad.canonical_flux(short.pad.assign_roles(flux=[names[0], "short"]))


def test_assigned_table_is_told_from_the_records() -> None:
    ds = missions.plain(i=3)
    table = np.outer([1.0, 1.1, 1.2], ds.e.values)
    for dims, values in ((("i", "e"), table), (("e", "i"), table.T)):
        for lazily in (False, True):
            told = ds.drop_vars("e").assign_coords(en=(dims, values))
            told = told.chunk() if lazily else told
            told = told.pad.assign_roles(energy="en", pitch_angle="a")
            assert xpad.recognise(told).energy.dim == "e"


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


def test_assigned_axes_on_one_dimension(anonymous: xr.Dataset) -> None:
    with pytest.raises(RolesError, match="one dimension of 'j'"):
        xpad.recognise(anonymous.pad.assign_roles(flux="j", energy="x", pitch_angle="x"))


def test_variable_without_pitch_angle_is_named() -> None:
    with pytest.raises(RolesError, match=r"'FEDO' \(float32\) has dimensions .*pitch_angle="):
        xpad.recognise(missions.rept_file(), "FEDO")


# -- nothing computes ------------------------------------------------------------------------------


def _refuse(*args: Any, **kwargs: Any) -> None:
    raise AssertionError("something computed")


@pytest.mark.parametrize("name", RAW)
def test_nothing_computes(name: str) -> None:
    import dask

    ds = RAW[name].drop_indexes([n for n in RAW[name].xindexes if n != "Epoch"]).chunk()
    with dask.config.set(scheduler=_refuse):
        assert xpad.recognise(ds).flux == (PRODUCTS[name].flux,)
        assert "not recognised" not in repr(ds.pad)
        ds.pad._repr_html_()
        flux = xpad.canonical_flux(ds)
        normalised = {m: xpad.normalise(ds, m) for m in ("max", "max_energy")} if not {
            "energy_table", "pitch_angle_table"} & set(flux.coords) else {}  # fmt: skip
    assert flux.chunks is not None
    assert all(n.chunks is not None for n in normalised.values())
    check_flux(flux.compute(), PRODUCTS[name])


@pytest.mark.parametrize("name", RAW)
def test_numpy_and_dask_agree(name: str) -> None:
    from xpad.regrid import common_grid, on_grid

    ds = RAW[name]
    lazily = ds.drop_indexes([n for n in ds.xindexes if n != "Epoch"]).chunk(
        {d: 2 for d in ds.dims if d in ("Epoch", "time", "Epoch_Ele")}
    )
    fluxes = [xpad.canonical_flux(obj) for obj in (ds, lazily)]
    grids = [common_grid(flux) for flux in fluxes]
    np.testing.assert_array_equal(grids[0].energy, grids[1].energy)
    np.testing.assert_array_equal(grids[0].pitch_angle, grids[1].pitch_angle)
    found = [on_grid(flux, grid).compute() for flux, grid in zip(fluxes, grids, strict=True)]
    np.testing.assert_array_equal(found[0].values, found[1].values)
    assert np.isfinite(found[0].values).any()


def test_a_lazily_opened_file_is_not_read(tmp_path: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    from xpad.attributes import storable

    storable(missions.hope_file()).to_zarr(tmp_path / "hope.zarr", consolidated=False)
    import dask

    ds = xr.open_zarr(tmp_path / "hope.zarr", consolidated=False)
    with dask.config.set(scheduler=_refuse):
        assert "FEDU" in repr(ds.pad)
        flux = ds.pad.flux
    assert flux.coords["energy_table"].chunks is not None
    unchunked = xr.open_zarr(tmp_path / "hope.zarr", consolidated=False, chunks=None)
    repr(unchunked.pad)
    assert not unchunked.FEDU.variable._in_memory
    assert not unchunked.HOPE_ENERGY_Ele.variable._in_memory


def test_many_variables() -> None:
    # How long this takes is profiled by hand; here only that nothing is looked at twice.
    ds = missions.rept_file()
    for i in range(200):
        ds[f"extra{i}"] = ("Epoch", np.zeros(missions.RECORDS), {"UNITS": "nT"})
    assert xpad.recognise(ds).flux == ("FEDU",)
