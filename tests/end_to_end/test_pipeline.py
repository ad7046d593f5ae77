"""From a Dataset to labels: what must always hold."""

import json
import warnings

import dask
import numpy as np
import pytest
import xarray as xr
from helpers import QUICK, computes, made
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

import xpad
from xpad.errors import GridMismatchError, NotEnoughDataError, OptionError, RolesError, XpadWarning
from xpad.stages import pca as stages_pca
from xpad.stages.encoders import dense as _dense

pytestmark = pytest.mark.filterwarnings("ignore:the autoencoder has hardly:xpad.XpadWarning")


@pytest.fixture(scope="module")
def out(small):
    return xpad.cluster(small, **QUICK)


def test_input_comes_back_exactly(small, out):
    before = made()
    xr.testing.assert_identical(small, before)
    assert list(out.sizes)[: len(small.sizes)] == list(small.sizes)
    for name in small.variables:
        xr.testing.assert_identical(
            out[name].drop_vars(out[name].coords), small[name].drop_vars(small[name].coords)
        )


def test_what_is_added(out):
    assert out.pad_label.dims == ("time",)
    assert out.pad_label.dtype == np.int16
    assert out.pad_pc.dims == ("time", "pad_component")
    assert out.pad_flag.dtype == np.int8
    assert out.pad_split.dtype == np.int8
    assert out.pad_flag.attrs["flag_meanings"].split()[1] == "all_fill"
    assert (
        json.loads(out.pad_settings if "pad_settings" in out else out.attrs["pad_settings"])[
            "epochs"
        ]
        == 8
    )


def test_unusable_records_are_kept_and_say_why(out):
    assert out.pad_label.values[3] == -1
    assert out.pad_flag.values[3] == 1
    assert out.pad_label.values[5] == -1
    assert out.pad_flag.values[5] == 2
    assert np.isnan(out.pad_pc.values[[3, 5]]).all()
    assert np.isnan(out.pad_error.values[[3, 5]]).all()
    ok = out.pad_flag.values == 0
    assert (out.pad_label.values[ok] >= 0).all()
    assert np.isfinite(out.pad_pc.values[ok]).all()
    assert (out.pad_split.values[~ok] == -1).all()


def test_finds_the_three_shapes(small):
    from sklearn.metrics import adjusted_rand_score

    found = xpad.cluster(
        small, normalise="max_energy", missing="mask", k=3, epochs=60, batch_size=32, progress=False
    )
    ok = found.pad_label.values >= 0
    assert adjusted_rand_score(small.kind.values[ok], found.pad_label.values[ok]) > 0.9


def test_labels_are_ordered_by_size(small):
    _, model = xpad.cluster(small, return_model=True, **QUICK)
    assert (np.diff(model.counts) <= 0).all()


def test_splits_are_published_shares(out):
    ok = out.pad_split.values[out.pad_split.values >= 0]
    shares = np.bincount(ok) / ok.size
    np.testing.assert_allclose(shares, [0.2, 0.2, 0.6], atol=0.02)


# NumPy ≡ dask ≡ any chunking ≡ any axis order

CHUNKS = st.fixed_dictionaries(
    {"time": st.integers(20, 600), "energy": st.integers(1, 4), "pitch_angle": st.integers(1, 7)}
)


@given(chunks=CHUNKS)
@settings(
    max_examples=8, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
def test_any_chunking_gives_the_same(chunks, small, out):
    lazy = xpad.cluster(small.chunk(chunks), **QUICK)
    assert lazy.pad_label.chunks is not None
    np.testing.assert_array_equal(lazy.pad_label.values, out.pad_label.values)
    np.testing.assert_array_equal(lazy.pad_split.values, out.pad_split.values)
    np.testing.assert_allclose(lazy.pad_pc.values, out.pad_pc.values, rtol=0, atol=1e-5)


def test_threads_give_the_same(small, out):
    with dask.config.set(scheduler="threads", num_workers=2):
        lazy = xpad.cluster(small.chunk(time=211), **QUICK).compute()
    np.testing.assert_array_equal(lazy.pad_label.values, out.pad_label.values)


@given(order=st.permutations(["time", "pitch_angle", "energy"]))
@settings(
    max_examples=6, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
def test_axis_order_does_not_matter(order, small, out):
    turned = xpad.cluster(small.transpose(*order), **QUICK)
    np.testing.assert_array_equal(turned.pad_label.values, out.pad_label.values)


def test_descending_axes_do_not_matter(small, out):
    turned = xpad.cluster(
        small.isel(energy=slice(None, None, -1), pitch_angle=slice(None, None, -1)), **QUICK
    )
    np.testing.assert_array_equal(turned.pad_label.values, out.pad_label.values)


def test_two_record_dimensions_in_any_order():
    probes = xr.concat([made(seed=1), made(seed=2)], dim=xr.Variable("probe", ["a", "b"]))
    probes = probes.drop_vars(["kind", "L"])
    a = xpad.cluster(probes, **QUICK)
    b = xpad.cluster(
        probes.transpose("time", "pitch_angle", "probe", "energy").chunk(time=100, probe=1), **QUICK
    )
    assert a.pad_label.dims == ("probe", "time")
    assert b.pad_label.dims == ("time", "probe")
    np.testing.assert_array_equal(a.pad_label.values, b.pad_label.values.T)


@pytest.mark.parametrize("dtype", ["float64", ">f4", ">f8", "int32"])
def test_dtypes(dtype, small, out):
    values = small.FEDU.values
    if dtype == "int32":
        values = np.where(values < -1e30, -1, np.round(values * 1000))
    attrs = small.FEDU.attrs | ({"FILLVAL": -1} if dtype == "int32" else {})
    other = small.assign(FEDU=(small.FEDU.dims, values.astype(dtype), attrs))
    labels = xpad.cluster(other, **QUICK).pad_label.values
    agree = (labels == out.pad_label.values).mean()
    assert agree > (0.99 if dtype == "int32" else 0.9999)


def test_same_seed_same_result_other_seed_another(small, out):
    again = xpad.cluster(small, **QUICK)
    xr.testing.assert_identical(again, out)
    other = xpad.cluster(small, random_state=9, **QUICK)
    assert not np.array_equal(other.pad_split.values, out.pad_split.values)


def test_dataarray_and_raw_give_the_same(small, out):
    labels = small.FEDU.pad.cluster(**QUICK).pad_label.values
    np.testing.assert_array_equal(labels, out.pad_label.values)


# laziness

LAZY = {
    "flux": lambda ds, m: ds.pad.flux,
    "normalise": lambda ds, m: ds.pad.normalise("max"),
    "encode": lambda ds, m: ds.pad.encode(m),
    "pca": lambda ds, m: ds.pad.pca(m),
    "label": lambda ds, m: ds.pad.label(m),
    "predict": lambda ds, m: ds.pad.predict(m),
    "repr": lambda ds, m: repr(ds.pad),
    "html": lambda ds, m: ds.pad._repr_html_(),
    "assign_roles": lambda ds, m: ds.pad.assign_roles(flux="FEDU"),
}


@pytest.mark.parametrize("method", LAZY)
def test_computes_nothing(method, small, fitted):
    with computes(most=0):
        LAZY[method](small.chunk(time=100), fitted)


@pytest.mark.parametrize(
    ("call", "passes"), [("fit", 3), ("cluster", 3), ("check", 1), ("estimate_k", 1)]
)
def test_passes_over_the_data(call, passes, small, fitted):
    lazy = small.chunk(time=100)
    with computes() as counted:
        if call == "estimate_k":
            lazy.pad.estimate_k(fitted, ks=(2, 3), quantiles=(0.2,))
        elif call == "check":
            lazy.pad.check()
        else:
            getattr(lazy.pad, call)(**QUICK)
    assert counted.computes == passes


def test_graph_grows_with_blocks_only_a_few_tasks_each(small, fitted):
    lazy = small.chunk(time=10)
    labels = lazy.pad.predict(fitted).pad_label
    assert len(dict(labels.__dask_graph__())) < 12 * 60


# the steps agree with the whole


def test_steps_are_the_prediction(small, fitted):
    whole = xpad.predict(small, fitted)
    ok = whole.pad_flag.values == 0
    np.testing.assert_array_equal(xpad.label(small, fitted).values, whole.pad_label.values)
    np.testing.assert_array_equal(xpad.pca(small, fitted).values, whole.pad_pc.values)
    assert xpad.label(small, fitted).attrs == whole.pad_label.attrs
    assert xpad.pca(small, fitted).attrs == whole.pad_pc.attrs
    encoded = xpad.encode(small, fitted).values
    components = stages_pca.project(fitted.pipeline.components, encoded[ok])
    np.testing.assert_allclose(components, whole.pad_pc.values[ok], atol=1e-5)
    np.testing.assert_array_equal(
        fitted.pipeline.labeller.assign(components), whole.pad_label.values[ok]
    )


def test_error_is_rms_over_measured_bins(small, fitted):
    whole = xpad.predict(small, fitted)
    pads = xpad.normalise(small, "max").values[:, fitted.features]
    again = _dense.reconstruct(
        fitted.pipeline.encoder.network, fitted.pipeline.encoder.encode(pads)
    )
    ok = whole.pad_flag.values == 0
    expected = np.sqrt(np.nanmean((pads[ok] - again[ok]) ** 2, axis=1))
    np.testing.assert_allclose(whole.pad_error.values[ok], expected, rtol=1e-4)


def test_prefix_lets_two_results_live_together(small, fitted):
    both = xpad.predict(xpad.predict(small, fitted), fitted, prefix="electron")
    np.testing.assert_array_equal(both.pad_label.values, both.electron_label.values)
    assert "electron_component" in both.dims
    assert "electron_settings" in both.attrs


def test_prediction_again_replaces(small, fitted):
    once = xpad.predict(small, fitted)
    xr.testing.assert_identical(xpad.predict(once, fitted), once)


# settings


def test_no_encoder_is_pca_of_the_normalised_pads(small):
    from sklearn.decomposition import PCA

    model = xpad.fit(small, encoder=None, k=3, progress=False)
    out = xpad.cluster(small, encoder=None, k=3, progress=False)
    test = out.pad_split.values == 2
    rows = np.nan_to_num(xpad.normalise(small, "max").values[test][:, model.features])
    oracle = PCA(3).fit(rows)
    cosines = np.abs((oracle.components_ * model.pipeline.components.components).sum(axis=1))
    np.testing.assert_allclose(cosines, 1, atol=1e-5)
    assert not model.pipeline.encoder.learns
    assert model.history.sizes["pad_epoch"] == 0


def test_features_leave_out_what_is_never_measured(small):
    holed = small.copy(deep=True)
    holed.FEDU[:, 0, :] = -1e31
    model = xpad.fit(holed, **QUICK)
    assert model.features.sum() == 4 * 6
    assert not model.features[:, 0].any()
    assert (xpad.predict(holed, model).pad_flag.values == 0).sum() > 590


def test_coverage_and_background(small):
    strict = xpad.predict(small, xpad.fit(small, min_coverage=0.95, **QUICK))
    assert 0 < (strict.pad_flag.values == 3).sum() < 600
    with pytest.raises(NotEnoughDataError, match="600 records of FEDU"):
        xpad.fit(small, background=1e9, **QUICK)
    with pytest.raises(OptionError, match="background has 2 values"):
        xpad.fit(small, background=(1.0, 2.0), **QUICK)


def test_energy_range(small):
    model = xpad.fit(small, energies=(200, 3000), **QUICK)
    assert model.grid.energy.min() > 200
    assert xpad.predict(small, model).pad_label.max() == 2
    with pytest.raises(OptionError, match="none of the data's energies"):
        xpad.fit(small, energies=(1, 2), **QUICK)


def test_ward(small):
    model = xpad.fit(small, labeller="ward", **QUICK)
    assert model.k == 3
    assert set(model.scores) == {"meanshift", "ward"}


def test_linear_output_for_values_beyond_one(small):
    assert xpad.fit(small, normalise="90deg", **QUICK).pipeline.encoder.network.output == "linear"
    assert xpad.fit(small, **QUICK).pipeline.encoder.network.output == "sigmoid"


def test_blocks_split_keeps_hours_together(small):
    out = xpad.cluster(small, split="blocks", block="1h", **QUICK)
    split = out.pad_split.values
    for hour in range(10):
        assert len(set(split[hour * 60 : (hour + 1) * 60]) - {-1}) == 1
    numbered = small.assign(orbit=("time", np.arange(600) // 100))
    assert set(xpad.cluster(numbered, split="blocks", block="orbit", **QUICK).pad_split.values) == {
        -1,
        0,
        1,
        2,
    }
    with pytest.raises(OptionError, match="neither a length of time"):
        xpad.fit(small, split="blocks", block="fortnightly", **QUICK)


def test_max_train_caps_the_sample(small):
    model = xpad.fit(small, max_train=60, **QUICK)
    assert model.history.attrs["n_train"] == 60
    assert model.history.attrs["n_validation"] == 60


@pytest.mark.parametrize(
    ("records", "remedy"),
    [
        (60, r"means little. Use more records, or encoder=None$"),
        (200, "Train longer with min_steps=10000 "),
    ],
)
def test_too_little_training_is_said(records, remedy):
    """With fewer records than numbers in an encoding, no length of training helps."""
    with pytest.warns(XpadWarning, match=remedy):
        xpad.fit(made(records), epochs=2, k=2, progress=False)


def test_one_mode_is_said(small):
    with pytest.warns(XpadWarning, match="single mode"):
        model = xpad.fit(small, epochs=8, bandwidth=1e3, progress=False)
    assert model.k == 1
    assert np.isnan(model.scores["kmeans"]["calinski_harabasz"])


def test_times_in_disorder_are_no_error(small, out):
    time = small.time.values.copy()
    time[[10, 11]] = time[[11, 10]]
    time[20] = time[21]
    time[30] = np.datetime64("NaT", "ns")
    with pytest.warns(XpadWarning, match=r"1 missing .*, not in ascending order, 1 dup") as told:
        messy = small.assign_coords(time=time).pad.cluster(**QUICK)
    assert {one.filename for one in told} == {__file__}
    np.testing.assert_array_equal(messy.pad_label.values, out.pad_label.values)
    np.testing.assert_array_equal(messy.time.values, time)


# refusals


def test_bad_options_are_refused_by_name(small):
    for options, told in [
        ({"normalise": "min"}, "normalise='min'"),
        ({"epochs": 0}, "epochs=0"),
        ({"epocs": 5}, "'epocs' is not a setting"),
        ({"train": 0.9, "validation": 0.2}, "leave nothing for the test split"),
        ({"preset": "nobody1999"}, "killey2023"),
        ({"bandwidth": -1}, "bandwidth=-1"),
        ({"min_coverage": 2}, "min_coverage=2"),
    ]:
        with pytest.raises(OptionError, match=told):
            xpad.fit(small, **options)


def test_all_fill(small):
    empty = small.assign(FEDU=small.FEDU.copy(data=np.full(small.FEDU.shape, -1e31, dtype="f4")))
    with pytest.raises(NotEnoughDataError, match="600 all fill"):
        xpad.fit(empty, **QUICK)


@pytest.mark.parametrize("n", [1, 2, 5])
def test_few_records(n, small):
    with pytest.raises(NotEnoughDataError):
        xpad.fit(small.isel(time=slice(n)), **QUICK)


@pytest.mark.parametrize(
    ("options", "told"),
    [({"k": 700}, r"358 usable record.*k=700 need at least 700"), ({"n_components": 50}, "n_comp")],
)
def test_what_cannot_end_well_is_refused_before_the_training(small, monkeypatch, options, told):
    monkeypatch.setattr("xpad.fitting.encoder._train", lambda *_: pytest.fail("it trains"))
    with pytest.raises((NotEnoughDataError, OptionError), match=told):
        xpad.fit(small, **QUICK | options)


def test_one_pitch_angle(small):
    with pytest.raises(RolesError, match="no distribution"):
        xpad.fit(small.isel(pitch_angle=[3]), **QUICK)


def test_one_energy_works(small):
    one = xpad.cluster(small.isel(energy=[1]), **QUICK)
    assert one.pad_label.max() == 2
    none = xpad.cluster(small.isel(energy=1, drop=True), **QUICK)
    np.testing.assert_array_equal(none.pad_label.values, one.pad_label.values)


def test_another_grid_is_refused_with_both_named(small, fitted):
    with pytest.raises(
        GridMismatchError, match=r"4 from 100 … 2000 keV.*4 from 200 … 4000 keV|model"
    ):
        xpad.predict(small.assign_coords(energy=small.energy * 2), fitted)
    with pytest.raises(GridMismatchError, match="6 from"):
        xpad.predict(small.isel(pitch_angle=slice(1, None)), fitted)


def test_another_unit_of_energy_is_the_same_grid(small, fitted):
    energy = xr.Variable("energy", small.energy.values / 1e3, {"units": "MeV"})
    np.testing.assert_array_equal(
        xpad.predict(small.assign_coords(energy=energy), fitted).pad_label.values,
        xpad.predict(small, fitted).pad_label.values,
    )


def test_not_a_model(small):
    with pytest.raises(OptionError, match="load_model"):
        xpad.predict(small, "model.zarr")


# results survive formats


@pytest.mark.parametrize("writer", ["zarr", "netcdf"])
@pytest.mark.parametrize("lazy", [False, True])
def test_results_survive_storage(writer, lazy, small, tmp_path):
    out = xpad.cluster(small.chunk(time=100) if lazy else small, **QUICK)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        if writer == "zarr":
            out.to_zarr(tmp_path / "out.zarr", consolidated=False)
            back = xr.open_zarr(tmp_path / "out.zarr", consolidated=False)
        else:
            out.to_netcdf(tmp_path / "out.nc", engine="h5netcdf")
            back = xr.open_dataset(tmp_path / "out.nc", engine="h5netcdf")
    for name in out.variables:
        np.testing.assert_array_equal(back[name].values, out[name].values, err_msg=str(name))
        assert back[name].dtype == out[name].dtype, name
    assert back.attrs["pad_settings"] == out.attrs["pad_settings"]


def test_evidence_for_k(small, fitted):
    found = xpad.estimate_k(small, fitted, ks=(2, 3, 4), quantiles=(0.05, 0.3))
    assert found.calinski_harabasz.dims == ("k",)
    assert found.bandwidth.values[0] < found.bandwidth.values[1]
    assert found.attrs["k"] == 3


def test_check_reports(small):
    report = small.pad.check()
    assert report.n_records == 600
    assert report.reasons["all_fill"] == 1
    assert report.reasons["no_positive_flux"] == 1
    assert "598 of 600 records usable" in repr(report)
    assert "FEDU" in report._repr_html_()


# what reviews found


def test_coordinates_keep_their_attributes(small):
    ds = small.assign_coords(time=small.time.assign_attrs(axis="T"))
    for data in (ds, ds.chunk(time=100)):
        out = xpad.cluster(data, **QUICK)
        assert out.time.attrs == {"axis": "T"}
        assert out.pad_label.time.attrs == {"axis": "T"}


def test_results_carry_no_units_of_the_flux(small, fitted):
    out = xpad.predict(small, fitted)
    assert "units" not in out.pad_label.attrs
    assert "units" not in out.pad_pc.attrs
    assert "units" not in xpad.encode(small, fitted).attrs


def test_two_fits_at_once_do_not_share_tasks(small):
    from concurrent.futures import ThreadPoolExecutor

    a, b = made(seed=1).chunk(time=100), made(seed=2).chunk(time=100)
    alone = [xpad.fit(ds, encoder=None, k=3, progress=False).centres for ds in (a, b)]
    with ThreadPoolExecutor(2) as pool:
        both = list(
            pool.map(lambda ds: xpad.fit(ds, encoder=None, k=3, progress=False).centres, (a, b))
        )
    for one, other in zip(alone, both, strict=True):
        np.testing.assert_allclose(one, other)


def test_keys_differ_from_run_to_run(small):
    from xpad.compute.records import Records

    seen = []

    def scheduler(dsk, keys, **kwargs):
        seen.append(set(map(str, dask.core.flatten(keys))))
        return dask.get(dsk, keys, **kwargs)

    records = Records.of([small.chunk(time=100).L], ["time"])
    with dask.config.set(scheduler=scheduler):
        for _ in range(2):
            records.run(np.add)
    assert not seen[0] & seen[1]


def test_model_predicts_the_flux_that_was_asked_for(small, fitted):
    both = small.assign(FPDU=small.FEDU * 1e3)
    out = xpad.predict(both, fitted, "FPDU")
    assert json.loads(out.attrs["pad_input"])["variable"] == "FPDU"
    assert json.loads(out.attrs["pad_fitted_on"])["variable"] == "FEDU"
    mean = xpad.catalogue(out).pad_flux
    assert float(mean.max()) > 100 * float(
        xpad.catalogue(xpad.predict(both, fitted)).pad_flux.max()
    )
    assigned = xpad.predict(both.pad.assign_roles(flux="FPDU"), fitted)
    assert json.loads(assigned.attrs["pad_input"])["variable"] == "FPDU"


def test_a_users_own_names_are_never_overwritten(small, fitted):
    own = small.assign(pad_mode=("time", np.arange(600)), pad_width=("time", np.ones(600)))
    with pytest.raises(OptionError, match="pad_mode"):
        xpad.predict(own, fitted)
    kept = xpad.predict(own, fitted, prefix="xpad")
    xr.testing.assert_identical(kept.pad_mode.drop_attrs(), own.pad_mode.drop_attrs())
    twice = xpad.predict(xpad.predict(small.assign(pad_width=own.pad_width), fitted), fitted)
    assert "pad_width" in twice
    nested = xpad.predict(xpad.predict(small, fitted, prefix="pad_p"), fitted)
    assert "pad_p_label" in xpad.predict(nested, fitted)


@pytest.mark.parametrize("prefix", ["a/b", "../x", "", "a b"])
def test_prefix_must_be_a_name(prefix, small, fitted):
    with pytest.raises(OptionError, match="prefix="):
        xpad.predict(small, fitted, prefix=prefix)


def test_training_counts_are_exact_however_few_are_usable():
    rng = np.random.default_rng(0)
    ds = made(4000, missing=0.0)
    unusable = rng.random(4000) > 0.03
    ds["FEDU"][unusable] = -1e31
    n = int((~unusable).sum()) - int(not unusable[3]) - int(not unusable[5])
    for data in (ds, ds.chunk(time=333)):
        out, model = xpad.cluster(data, return_model=True, **{**QUICK, "k": 2})
        assert model.history.attrs["n_train"] == round(0.2 * n)
        assert model.history.attrs["n_validation"] == round(0.2 * n)
        counts = np.bincount(out.pad_split.values[out.pad_split.values >= 0])
        assert counts[0] == model.history.attrs["n_train"]
        capped = xpad.fit(data, max_train=10, **{**QUICK, "k": 2})
        assert capped.history.attrs["n_train"] == 10


def test_a_part_of_varying_data_that_does_not_vary(small):
    tables = np.where(
        (np.arange(600) % 3 == 0)[:, None], small.energy.values * 1.2, small.energy.values
    )
    ds = small.drop_vars("energy").assign_coords(E=(("time", "energy"), tables, {"units": "keV"}))
    model = xpad.fit(ds, **QUICK)
    whole = xpad.predict(ds, model).pad_label.values
    for part in (slice(0, None, 3), [0], [1], slice(0, 50)):
        chosen = ds.isel(time=part)
        np.testing.assert_array_equal(xpad.predict(chosen, model).pad_label.values, whole[part])
        lazy = xpad.predict(chosen.chunk(time=7), model).pad_label.values
        np.testing.assert_array_equal(lazy, whole[part])
    in_mev = ds.assign_coords(E=(("time", "energy"), tables / 1000, {"units": "MeV"}))
    np.testing.assert_array_equal(xpad.predict(in_mev, model).pad_label.values, whole)


def test_tables_beside_the_models_grid_are_said(small, tmp_path):
    tables = small.energy.values * np.where(np.arange(600) % 3 == 0, 1.2, 1.0)[:, None]
    ds = small.drop_vars("energy").assign_coords(E=(("time", "energy"), tables, {"units": "keV"}))
    model = xpad.fit(ds, **QUICK)
    apart = ds.assign_coords(E=ds.E * 1e4)
    with pytest.warns(
        XpadWarning, match="no record has a label; pad_flag says why.*energies: 4 from 100"
    ):
        assert (xpad.predict(apart, model).pad_label == -1).all()
    with pytest.warns(XpadWarning, match="no record has a label"):
        xpad.predict_to_zarr(apart, model, tmp_path / "o.zarr", progress=False)


def test_without_flux_at_90_degrees_there_is_no_90deg(small):
    dark = small.copy(deep=True)
    dark["FEDU"][10, 3] = 0.0
    out = xpad.cluster(dark, normalise="90deg", **QUICK)
    assert out.pad_flag.values[10] == 2
    with pytest.raises(OptionError, match="near 90 degrees"):
        xpad.fit(dark.isel(pitch_angle=slice(0, 2)), normalise="90deg", **QUICK)


def test_k_needs_no_bandwidth():
    few = made(14, missing=0.0)
    with pytest.raises(NotEnoughDataError, match="too few to estimate a bandwidth"):
        xpad.fit(few, encoder=None, progress=False)
    assert xpad.fit(few, encoder=None, k=2, progress=False).k == 2


def test_zero_records(small):
    for call in (xpad.fit, xpad.check):
        with pytest.raises(NotEnoughDataError, match="no records"):
            call(small.isel(time=slice(0)))


def test_numpy_numbers_are_numbers(small, tmp_path):
    options = {
        **QUICK,
        "k": np.int64(2),
        "learning_rate": np.float32(1e-3),
        "background": np.array([0.1]),
    }
    xpad.fit(small, **options).save(tmp_path / "m.zarr")
    assert xpad.load_model(tmp_path / "m.zarr").settings.background == 0.1
    for bad in ({"energies": 5}, {"energies": (None, 5)}, {"min_coverage": "0.5"}, {"random_state": 2**33},
                {"background": float("nan")}, {"n_components": 300}):  # fmt: skip
        with pytest.raises(OptionError):
            xpad.fit(small, **{**QUICK, **bad})


def test_units_of_a_range_are_the_models(small):
    model = xpad.fit(small, energies=(200, 3000), **QUICK)
    energy = xr.Variable("energy", small.energy.values / 1e3, {"units": "MeV"})
    np.testing.assert_array_equal(
        xpad.predict(small.assign_coords(energy=energy), model).pad_label.values,
        xpad.predict(small, model).pad_label.values,
    )
    dim = xpad.fit(small, background=0.5, **QUICK)
    other = small.assign(FEDU=small.FEDU.assign_attrs(units="1/(cm^2 s sr MeV)"))
    with pytest.raises(GridMismatchError, match="background"):
        xpad.predict(other, dim)


@pytest.mark.filterwarnings("error::FutureWarning")
def test_records_with_a_multiindex_keep_it(small, fitted):
    n = small.sizes["time"]
    levels = small.assign_coords(orbit=("time", np.arange(n) // 100), n=("time", np.arange(n)))
    stacked = levels.drop_vars("time", errors="ignore").set_index(time=["orbit", "n"])
    out = stacked.pad.predict(fitted)
    assert out.xindexes["time"].equals(stacked.xindexes["time"])
    np.testing.assert_array_equal(out.pad_label, small.pad.predict(fitted).pad_label)
