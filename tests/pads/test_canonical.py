"""The canonical flux: every product of formats.md, in any order of axes, without computing."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import xarray as xr
from helpers import missions
from helpers.missions import PRODUCTS, RAW, TPLOT, check_flux
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

import xpad
from xpad.errors import RolesError
from xpad.roles import metadata as _metadata
from xpad.roles.evidence import Grade


@pytest.mark.parametrize("name", RAW)
def test_raw(name: str) -> None:
    product = PRODUCTS[name]
    flux = xpad.flux(RAW[name])
    assert flux.name == product.flux
    check_flux(flux, product)


@pytest.mark.parametrize("name", TPLOT)
def test_tplot(name: str) -> None:
    flux = xpad.flux(TPLOT[name])
    assert flux.dims == ("time", "energy", "pitch_angle")
    check_flux(flux, PRODUCTS[name])


@pytest.mark.parametrize("name", ["feeps", "eis"])
def test_tplot_without_metadata(name: str) -> None:
    array = missions.ALL[name].tplot(metadata=False)
    check_flux(xpad.flux(array), PRODUCTS[name])
    assert xpad.recognise(array).pitch_angle.grade is Grade.MISSION
    assert xpad.recognise(array.rename("flux_pads")).pitch_angle.guessed


def test_tplot_attributes_as_json() -> None:
    # So a tplot variable comes back from a file.
    from xpad.storage.storable import storable

    array = storable(missions.hope().tplot())
    assert isinstance(array.attrs["CDF"], str)
    check_flux(xpad.flux(array), missions.hope())


def test_tplot_stored_with_one_axis() -> None:
    array = missions.eis().tplot(metadata=False).drop_vars(["v2", "spec_bins"])
    roles = xpad.recognise(array)
    assert roles.energy.dim == "v2_dim"
    assert roles.energy.guessed
    assert xpad.flux(array).energy.values.tolist() == [1, 2, 3, 4, 5, 6]


def test_tplot_pitch_angle_without_values() -> None:
    with pytest.raises(RolesError, match=r"'v1_dim' .* no variable holds its values"):
        xpad.flux(missions.maven_swea().tplot())


@pytest.mark.parametrize("name", RAW)
@settings(max_examples=8, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(data=st.data())
def test_the_order_of_axes_does_not_matter(name: str, data: st.DataObject) -> None:
    ds = RAW[name]
    expected = xpad.flux(ds)
    dims = data.draw(st.permutations(list(ds.dims)))
    # An axis whose own dimensions are unrelated to the flux's must not be turned without it.
    whole = [d for d in map(str, ds.dims) if d not in ("dim0", "dim1")]
    can_flip = len(whole) == len(ds.dims)
    flipped = data.draw(st.sets(st.sampled_from(whole))) if can_flip else set()
    turned = ds.transpose(*dims).isel({d: slice(None, None, -1) for d in flipped})
    found = xpad.flux(turned)
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
    xr.testing.assert_identical(xpad.flux(turned), xpad.flux(ds))


@pytest.mark.parametrize("name", RAW)
def test_renamed_dimensions(name: str) -> None:
    ds = RAW[name]
    new = {d: f"x{i}" for i, d in enumerate(ds[PRODUCTS[name].flux].dims)}
    renamed = ds.rename_dims({d: n for d, n in new.items() if d not in ds.xindexes})
    renamed = renamed.drop_indexes(list(renamed.xindexes)).rename_dims(
        {d: n for d, n in new.items() if d in renamed.dims}
    )
    flux = xpad.flux(renamed)
    np.testing.assert_array_equal(flux.values, xpad.flux(ds).values)


@pytest.mark.parametrize("name", sorted(missions.ALL))
def test_the_input_is_not_changed(name: str) -> None:
    for obj in (RAW[name], TPLOT.get(name)):
        if obj is None:
            continue
        before = obj.copy(deep=True)
        xpad.flux(obj)
        repr(obj.pad)
        obj.pad._repr_html_()
        xpad.normalise(obj)
        obj.pad.assign_roles(flux=PRODUCTS[name].flux)
        xr.testing.assert_identical(obj, before)
        assert {n: v.dims for n, v in before.coords.items()} == {
            n: v.dims for n, v in obj.coords.items()
        }


# -- records and single axes -------------------------------------------------------------


def test_one_energy() -> None:
    flux = xpad.flux(missions.jedi())
    check_flux(flux, missions.jedi_product())
    assert flux.energy.values.tolist() == [474.3]
    assert flux.energy.attrs["units"] == "keV"
    assert xpad.flux(missions.rept().raw().isel(FEDU_Energy=[3])).sizes["energy"] == 1
    scalar = xpad.flux(missions.rept().raw().isel(FEDU_Energy=3))
    assert scalar.sizes["energy"] == 1


def test_look_directions_that_nothing_links() -> None:
    flux = xpad.flux(missions.amda_jedi())
    assert flux.coords["pitch_angle_table"].dims == ("time", "pitch_angle")
    expected = missions.signal(xr.DataArray(np.arange(6), dims="time"), 1.0, flux.pitch_angle_table)
    np.testing.assert_allclose(flux.squeeze("energy"), expected, rtol=1e-5)


def test_tables_get_every_record_dimension() -> None:
    ds = missions.plain(species=2, time=3)
    energies = np.outer([1.0, 2.0], ds.e.values)
    ds = ds.drop_vars("e").assign_coords(energy=(("species", "e"), energies, {"units": "keV"}))
    for obj in (ds, ds.transpose("e", "a", "time", "species"), ds.chunk(time=1)):
        table = xpad.flux(obj).coords["energy_table"]
        assert set(table.dims) == {"species", "time", "energy"}
        for i in range(3):
            np.testing.assert_array_equal(
                table.isel(time=i).transpose("species", "energy"), energies
            )


def test_stacked_records_keep_their_index() -> None:
    ds = missions.plain(time=3, probe=2)
    ds = ds.assign_coords(time=[1, 2, 3], probe=["a", "b"]).stack(record=("time", "probe"))
    flux = xpad.flux(ds)
    assert flux.dims == ("record", "energy", "pitch_angle")
    xr.testing.assert_identical(flux.coords["record"].reset_coords(drop=True),
                                ds.coords["record"].reset_coords(drop=True))  # fmt: skip
    assert flux.unstack("record").sizes["probe"] == 2


def test_coordinates_of_the_records_stay() -> None:
    ds = missions.rept_file().set_coords(["L", "Position", "B_Eq"])
    flux = xpad.flux(ds)
    assert set(flux.coords) == {"Epoch", "L", "B_Eq", "energy", "pitch_angle",
                                "L_star", "MLT", "MLAT", "B_Calc"} & set(ds.coords) | {
        "energy", "pitch_angle"}  # fmt: skip
    xr.testing.assert_identical(flux.L.reset_coords(drop=True), ds.L.reset_coords(drop=True))


def test_one_pitch_angle_is_no_distribution() -> None:
    with pytest.raises(RolesError, match=r"FEDU has 1 pitch angle"):
        xpad.flux(missions.rept().raw().isel(FEDU_Alpha=[3]))


def test_a_pitch_angle_without_values_is_named() -> None:
    ds = xr.Dataset({"flux": (("time", "pitch_angle"), np.ones((3, 4)))})
    assert xpad.recognise(ds).pitch_angle.dim == "pitch_angle"
    with pytest.raises(RolesError, match=r"ds.assign_coords\(pitch_angle="):
        xpad.flux(ds)
    xpad.flux(ds.assign_coords(pitch_angle=[20, 60, 120, 160]))


def test_a_record_dimension_called_energy_is_named() -> None:
    ds = missions.plain(time=2).rename(time="energy")
    with pytest.raises(RolesError, match=r"rename it: ds.rename\(energy="):
        xpad.flux(ds)


def test_a_table_over_energies_follows_their_order() -> None:
    # MAVEN's energies descend, and its pitch angles depend on them.
    product = missions.maven_swea()
    flux = xpad.flux(product.raw())
    assert (np.diff(flux.energy) > 0).all()
    np.testing.assert_allclose(
        flux.pitch_angle_table.transpose("Epoch", "energy", "pitch_angle"),
        product.pitch[:, ::-1], rtol=1e-6,
    )  # fmt: skip


@pytest.mark.parametrize("lazily", [False, True])
def test_repeated_energies_become_one_with_their_mean(lazily: bool) -> None:
    ds = missions.plain(time=2)
    energy = np.array([10.0, 50.0, 50.0, 90.0])
    values = ds.f.values.copy()
    values[0, 1, 0] = np.nan
    ds["f"] = ds.f.copy(data=values)
    ds = ds.assign_coords(e=energy)
    flux = xpad.flux(ds.chunk(time=1) if lazily else ds)
    assert flux.energy.values.tolist() == [10, 50, 90]
    expected = np.nanmean(values[:, 1:3].astype("f4").astype("f8"), axis=1)
    np.testing.assert_allclose(flux.isel(energy=1), expected, rtol=1e-6)
    assert float(flux[0, 1, 0]) == np.float32(values[0, 2, 0])
    table = np.repeat(ds.a.values[None], 4, axis=0) + np.array([[0], [0], [1], [0]])
    by_energy = ds.drop_vars("a").assign_coords(pa=(("e", "a"), table))
    found = xpad.flux(by_energy)
    assert found.pitch_angle_table.sizes == {"time": 2, "energy": 3, "pitch_angle": 5}
    np.testing.assert_allclose(found.pitch_angle_table[0, 1], ds.a + 0.5)


def test_units_set_in_xarray_come_before_those_of_the_file() -> None:
    assert _metadata.units({"UNITS": "MeV", "units": "keV"}) == "keV"
    assert _metadata.units({"UNITS": "MeV", "units": " "}) == "MeV"


def test_units_that_are_the_fluxs_are_no_units_of_an_axis() -> None:
    flux = xpad.flux(missions.elfin().tplot())
    assert flux.coords["pitch_angle_table"].attrs["units"] == "deg"
    hope = missions.hope()
    hope.energy_units = None
    assert xpad.flux(hope.tplot()).coords["energy_table"].attrs["units"] == ""


def test_an_axis_that_does_not_fit_is_named() -> None:
    ds = missions.rept().raw()
    ds = ds.drop_vars("FEDU_Alpha").rename_dims(FEDU_Alpha="FEDU_Alpha_dim")
    ds = ds.assign_coords(FEDU_Alpha=("other", np.linspace(5, 175, 9), {"UNITS": "deg"}))
    with pytest.raises(RolesError, match=r"dimensions of 'FEDU_Alpha', {'other': 9}, do not fit"):
        xpad.flux(ds)


def test_real_files(shared_data: Any) -> None:
    fpi = xpad.flux(xpad.open_dataset(sorted(shared_data.glob("mms_fpi/*.cdf"))[0]))
    assert dict(fpi.sizes) == {"Epoch": 1600, "energy": 3, "pitch_angle": 30}
    assert fpi.energy.attrs["units"] == "eV"
    jedi = xpad.flux(xpad.open_dataset(shared_data / "juno_jedi" / "17-20_10_PA_O.d2s"))
    assert dict(jedi.sizes) == {"time": 1000, "energy": 1, "pitch_angle": 30}
    assert float(jedi.isnull().mean()) == pytest.approx(0.525, abs=0.001)
    ect = xpad.flux(xpad.open_dataset(next(shared_data.glob("rbsp_ect_combined/*.nc"))))
    assert dict(ect.sizes) == {"time": 10, "energy": 102, "pitch_angle": 18}
    assert np.isnan(ect.energy_table[:, :7].compute()).all()
    with pytest.raises(RolesError, match="no variable has a pitch-angle axis"):
        xpad.flux(xpad.open_dataset(next(shared_data.glob("no_pitch_angle/*.cdf"))))


# -- nothing computes --------------------------------------------------------------------


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
        flux = xpad.flux(ds)
        normalised = {m: xpad.normalise(ds, m) for m in ("max", "max_energy")} if not {
            "energy_table", "pitch_angle_table"} & set(flux.coords) else {}  # fmt: skip
    assert flux.chunks is not None
    assert all(n.chunks is not None for n in normalised.values())
    check_flux(flux.compute(), PRODUCTS[name])


@pytest.mark.parametrize("name", RAW)
def test_numpy_and_dask_agree(name: str) -> None:
    from xpad.pads.grid import common_grid
    from xpad.pads.regrid import on_grid

    ds = RAW[name]
    lazily = ds.drop_indexes([n for n in ds.xindexes if n != "Epoch"]).chunk(
        {d: 2 for d in ds.dims if d in ("Epoch", "time", "Epoch_Ele")}
    )
    fluxes = [xpad.flux(obj) for obj in (ds, lazily)]
    grids = [common_grid(flux) for flux in fluxes]
    np.testing.assert_array_equal(grids[0].energy, grids[1].energy)
    np.testing.assert_array_equal(grids[0].pitch_angle, grids[1].pitch_angle)
    found = [on_grid(flux, grid).compute() for flux, grid in zip(fluxes, grids, strict=True)]
    np.testing.assert_array_equal(found[0].values, found[1].values)
    assert np.isfinite(found[0].values).any()


def test_a_lazily_opened_file_is_not_read(tmp_path: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    from xpad.storage.storable import storable

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


def test_a_flux_in_a_file_is_read_in_blocks_though_nobody_chunked_it(
    small: xr.Dataset, tmp_path: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Transposed as it is, xarray would read it point by point, with an index for each value."""
    swapped = small.transpose("time", "pitch_angle", "energy")
    stored = {"FEDU": {"chunks": (100, 7, 4)}}
    swapped.to_zarr(tmp_path / "in.zarr", consolidated=False, encoding=stored)
    swapped.to_netcdf(tmp_path / "in.nc")
    monkeypatch.setattr("xpad.compute.chunks.SMALLEST_CHUNK", 100 * 7 * 4 * 4)
    monkeypatch.setattr("xpad.pads.canonical.ROWS", 200)
    wanted = xpad.flux(small)
    for opened, length in (
        (xr.open_zarr(tmp_path / "in.zarr", consolidated=False, chunks=None), 100),
        (xr.open_dataset(tmp_path / "in.nc"), 200),
    ):
        flux = xpad.flux(opened)
        assert not opened.FEDU.variable._in_memory
        assert flux.chunksizes["time"][0] == length
        np.testing.assert_array_equal(flux, wanted)


def test_pitch_angles_that_look_like_radians_must_say_so() -> None:
    angle = np.deg2rad([15.0, 45.0, 90.0, 135.0, 165.0])
    ds = xr.Dataset({"j": (("time", "pa"), np.ones((4, 5)))}, coords={"pa": angle})
    with pytest.raises(RolesError, match=r"look like radians.*'rad'"):
        xpad.flux(ds)
    ds["pa"].attrs["units"] = "rad"
    np.testing.assert_allclose(xpad.flux(ds).pitch_angle, [15, 45, 90, 135, 165])


def _turn(fill: float, dtype: str) -> xr.Dataset:
    """Pitch angles of a full turn, one of which is fill in every third record; and a range."""
    flux = np.random.default_rng(0).uniform(1, 10, (60, 3, 10)).astype(dtype)
    flux[::3, :, 2] = fill
    angles = [10.0, 50, 90, 130, 170, 190, 230, 270, 310, 350]
    return xr.Dataset(
        {"flux": (("time", "energy", "pa"), flux, {"units": "1/(cm^2 s sr keV)", "FILLVAL": fill})},
        {
            "time": np.datetime64("2020-01-01", "ns") + np.arange(60) * np.timedelta64(1, "s"),
            "energy": ("energy", [10.0, 20, 40], {"units": "keV"}),
            "pa": ("pa", angles, {"units": "deg", "long_name": "pitch angle"}),
        },
    )


@pytest.mark.parametrize(
    ("fill", "dtype"), [(-1e31, "f4"), (999.0, "f4"), (999.0, "f8"), (-1, "i4"), (999, "i2")]
)
@pytest.mark.parametrize("keep_attrs", [True, False, "default"])
def test_no_fill_is_averaged_where_bins_have_one_place(
    fill: float, dtype: str, keep_attrs: Any
) -> None:
    ds = _turn(fill, dtype)
    with xr.set_options(keep_attrs=keep_attrs):
        flux = xpad.flux(ds)
        out = xpad.cluster(ds, encoder=None, k=3, progress=False)
    assert flux.shape == (60, 3, 5)
    assert not flux.isnull().any()
    np.testing.assert_allclose(flux[0, :, 2], ds.flux[0, :, 7])  # the other one of the two
    np.testing.assert_allclose(flux[1, :, 2], ds.flux[1, :, [2, 7]].mean("pa"), rtol=1e-6)
    assert set(flux.attrs) == {"units", "long_name"}
    clean = xpad.cluster(ds.assign(flux=ds.flux.where(ds.flux != fill).astype("f4")), encoder=None,
                         k=3, progress=False)  # fmt: skip
    np.testing.assert_array_equal(out.pad_label, clean.pad_label)
    assert (out.pad_flag == 0).all()


@pytest.mark.parametrize("dtype", ["f4", "f8", "i4"])
@pytest.mark.parametrize("lazily", [True, False])
def test_passes_clean_as_the_canonical_flux_is(dtype: str, lazily: bool) -> None:
    """A fill within the valid range, and integers that are not quite a fill."""
    flux = np.random.default_rng(0).integers(1, 9, (40, 3, 10))
    flux[::2] *= 11111  # 99999 at most
    flux[::4, 0, 0], flux[1::4] = 100_000, 100_000
    ds = _turn(100_000, dtype).isel(time=slice(40)).isel(pa=slice(5))
    ds["flux"] = ds.flux.copy(data=flux.astype(dtype)[:, :, :5])
    ds = ds.chunk(time=7) if lazily else ds
    canonical = xpad.flux(ds)
    seen = xpad.check(ds)
    assert seen.reasons["all_fill"] == int(canonical.isnull().all(("energy", "pitch_angle")).sum())
    out = xpad.cluster(ds, encoder=None, k=3, progress=False)
    again = xpad.cluster(xr.Dataset({"flux": canonical}), encoder=None, k=3, progress=False)
    np.testing.assert_array_equal(out.pad_label, again.pad_label)
    np.testing.assert_array_equal(out.pad_flag, again.pad_flag)
