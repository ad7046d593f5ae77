"""Wrong calls are refused in one line of xpad's own, which names what is wrong and a remedy."""

import json
from functools import partial

import numpy as np
import pytest
import xarray as xr
from helpers import QUICK, made

import xpad
from xpad.cli import main
from xpad.errors import XpadError
from xpad.settings import Settings

pytestmark = pytest.mark.filterwarnings("ignore::xpad.XpadWarning")

ON_FLUX = {
    "flux": lambda ds, model, folder: ds.pad.flux,
    "fit": lambda ds, model, folder: ds.pad.fit(**QUICK),
    "predict": lambda ds, model, folder: ds.pad.predict(model),
    "label": lambda ds, model, folder: ds.pad.label(model),
    "check": lambda ds, model, folder: ds.pad.check(progress=False),
    "normalise": lambda ds, model, folder: ds.pad.normalise(),
    "estimate_k": lambda ds, model, folder: ds.pad.estimate_k(model),
    "cluster_to_zarr": lambda ds, model, folder: ds.pad.cluster_to_zarr(folder / "o", **QUICK),
    "predict_to_zarr": lambda ds, model, folder: ds.pad.predict_to_zarr(model, folder / "o"),
}


def told(call, *words):
    with pytest.raises(XpadError) as caught:
        call()
    text = str(caught.value)
    assert "\n" not in text
    assert len(text) < 500
    for word in words:
        assert word in text
    return text


@pytest.mark.parametrize("lazy", [True, False])
@pytest.mark.parametrize("axis", ["energy", "pitch_angle"])
@pytest.mark.parametrize("call", ON_FLUX.values(), ids=ON_FLUX)
def test_an_axis_of_no_bins(small, fitted, tmp_path, call, axis, lazy):
    none = (made(chunks={"time": 200}) if lazy else small).isel({axis: slice(0, 0)})
    told(lambda: call(none, fitted, tmp_path), "FEDU has no", f"dimension '{axis}' has length 0")
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize("keep_flux", [True, False])
def test_one_distribution_alone_has_no_regions(small, fitted, tmp_path, keep_flux):
    one = small.isel(time=0)
    assert xpad.predict(one, fitted).pad_label.ndim == 0
    for write in (partial(xpad.predict_to_zarr, model=fitted), xpad.cluster_to_zarr):
        call = partial(write, one, store=tmp_path / "o.zarr", keep_flux=keep_flux)
        told(call, "FEDU has no record dimension", "expand_dims")
    assert not list(tmp_path.iterdir())
    out = xpad.predict_to_zarr(one.expand_dims("time"), fitted, tmp_path / "o.zarr")
    assert out.pad_label.shape == (1,)


@pytest.mark.parametrize("given", ["m.zarr", None, 3, Settings()], ids=repr)
def test_what_is_no_model(small, tmp_path, given):
    for call in (xpad.encode, xpad.pca, xpad.label, xpad.predict, xpad.estimate_k):
        told(partial(call, small, given), f"model is a {type(given).__name__}", "load_model(path)")
    told(partial(xpad.predict_to_zarr, small, given, tmp_path / "o"), "model is a ")
    told(partial(xpad.save_model, given, tmp_path / "o"), "model is a ")


@pytest.mark.parametrize("given", ["x", 5, ["a"]], ids=repr)
def test_storage_options_that_are_none(small, fitted, tmp_path, given):
    for call in (
        partial(fitted.save, tmp_path / "o"),
        partial(xpad.save_model, fitted, tmp_path / "o"),
        partial(xpad.load_model, tmp_path / "o"),
        partial(xpad.predict_to_zarr, small, fitted, tmp_path / "o"),
        partial(xpad.cluster_to_zarr, small, tmp_path / "o"),
        partial(xpad.fit, small, scratch=str(tmp_path)),
    ):
        told(partial(call, storage_options=given), f"storage_options={given!r} is no dict")


def test_more_groups_than_ward_has_records(small):
    call = partial(small.pad.fit, encoder=None, max_ward=2, k=4, labeller="ward", progress=False)
    told(call, "max_ward=2", "4 groups", "smaller k")


@pytest.mark.parametrize("given", [None, 3, [3], b"a.cdf", [b"a.cdf"]], ids=repr)
def test_what_is_no_path(given):
    told(partial(xpad.open_dataset, given), "is none; give a path, a pattern")


def test_names_that_are_none(small):
    for given in (3, ["a"], [["FEDU"]], [3]):
        told(partial(xpad.assign_roles, small, flux=given), "flux=", "there are FEDU, L")
    told(partial(xpad.assign_roles, small, energy=["energy"]), "energy=['energy']")
    told(partial(xpad.assign_roles, 3, flux="FEDU"), "Dataset or DataArray, not on int")
    for given in (["max"], None, 5):
        told(partial(xpad.normalise, small, given), f"normalise={given!r}", "choose one of")
    for given in (["killey2023"], None):
        told(partial(xpad.fit, small, preset=given), "preset", "killey2023")
    for given in (None, ["k"], 3):
        told(partial(Settings.from_dict, given), type(given).__name__, "as_dict()")


@pytest.mark.parametrize("given", [Settings(k=3), ["a", "b"], 3, "a model", "an array"], ids=repr)
def test_what_is_no_variable_is_not_shown_at_length(small, fitted, tmp_path, given):
    given = (
        {"a model": fitted, "an array": small.FEDU}.get(given, given)
        if isinstance(given, str)
        else given
    )
    for call in (
        small.pad.cluster, small.pad.fit, small.pad.check, small.pad.recognise,
        partial(small.pad.predict, fitted), partial(small.pad.cluster_to_zarr, tmp_path / "o"),
        partial(xpad.normalise, small, "max"), partial(xpad.flux, small),
    ):  # fmt: skip
        told(partial(call, given), f"given a {type(given).__name__}", "settings=…", "flux=[…]")


@pytest.mark.parametrize(
    ("option", "given"),
    [("quantiles", q) for q in ("a", 5, None, (2.0,), ("a",), (True,))]
    + [("ks", k) for k in ("a", 5, None, (2.5,), ("a",), (True,), (0,))]
    + [("max_records", n) for n in ("a", 0, 2.5, None)],
)
def test_what_the_evidence_for_k_is_not_sought_for(small, fitted, option, given):
    told(partial(xpad.estimate_k, small, fitted, **{option: given}), option, "each must be a")


def test_numbers_of_numpy_are_numbers(small, fitted):
    given = {"ks": np.arange(2, 4), "quantiles": np.array([0.1, 0.2])}
    found = xpad.estimate_k(small, fitted, progress=False, **given)
    wanted = xpad.estimate_k(small, fitted, progress=False, ks=range(2, 4), quantiles=(0.1, 0.2))
    xr.testing.assert_identical(found, wanted)


def test_a_value_is_shown_in_one_line():
    told(partial(Settings, background=np.ones((2, 2))), "[[1., 1.], [1., 1.]]", "for each energy")
    told(partial(Settings, energies=np.ones((50, 50))), "…", "a range (low, high)")


def test_a_url_that_nothing_knows(fitted):
    for call in (partial(xpad.load_model, "nope://x"), partial(fitted.save, "nope://x")):
        told(call, "nope://x", "fsspec")


@pytest.mark.parametrize("version", [None, "2", 0, True, 1.5])
def test_a_store_without_a_version_is_no_newer_model(tmp_path, version):
    attrs = {"format": "xpad-model"} | ({} if version is None else {"format_version": version})
    xr.Dataset(attrs=attrs).to_zarr(tmp_path / "m.zarr", zarr_format=3)
    text = told(partial(xpad.load_model, tmp_path / "m.zarr"), "no xpad wrote it")
    assert "upgrade" not in text


@pytest.mark.parametrize("given", ["a model", None, "x"])
@pytest.mark.parametrize("name", ["catalogue", "labels", "components", "k"])
def test_pictures_are_of_a_dataset(fitted, name, given):
    plot = getattr(xpad.plot, f"plot_{name}")
    told(partial(plot, fitted if given == "a model" else given), "Dataset or DataArray, not on")


# the command line


def said(capsys, *words):
    try:
        code = main([*words])
    except SystemExit as stop:
        code = stop.code
    assert code in (1, 2)
    return capsys.readouterr().err.splitlines()[-1]


@pytest.mark.parametrize(
    ("words", "named"),
    [(["--k", "3"], "--k"), (["--no-bin-seeding"], "--bin-seeding"), (["--max-ward", "5"], "--max-ward")],
)  # fmt: skip
def test_settings_of_a_file_and_beside_it(tmp_path, capsys, words, named):
    path = tmp_path / "s.json"
    path.write_text(json.dumps(Settings().as_dict()))
    text = said(capsys, "cluster", "in", "-o", "out", "--settings", str(path), *words)
    assert text.startswith(f"xpad: --settings is taken as it is, and {named} cannot change it")
    assert "dataclasses" not in text


def test_a_file_of_settings_that_is_no_text(tmp_path, capsys):
    path = tmp_path / "s.json"
    path.write_bytes(b"\xff\xfe{}")
    text = said(capsys, "cluster", "in", "-o", "out", "--settings", str(path))
    assert "s.json is not a text in UTF-8" in text


@pytest.mark.parametrize(
    "words",
    [
        ["cluster", "in", "-o", "out", "--epoch", "3"],
        ["cluster", "in", "-o", "out", "--overw"],
        ["predict", "in", "--mod", "m", "-o", "out"],
        ["plot", "in", "--outp", "x"],
        ["demo", "--day", "1"],
        ["info", "in", "--var", "FEDU"],
        ["--vers"],
    ],
    ids=" ".join,
)
def test_options_have_whole_names(capsys, words):
    text = said(capsys, *words)
    assert "unrecognized arguments" in text or "required" in text
