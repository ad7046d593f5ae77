"""``ds.pad`` is ours, ``ds.pad(x=1)`` is xarray's own."""

import inspect
import pickle
import subprocess
import sys
import warnings

import numpy as np
import pytest
import xarray as xr

import xpad
from xpad.accessor import PadAccess, PadAccessor, register


@pytest.fixture
def plain():
    return xr.Dataset({"a": ("x", np.arange(3.0))}, coords={"x": [0, 1, 2]})


def test_calls_are_xarrays_own(plain):
    original = inspect.getattr_static(xr.Dataset, "pad")._original
    for call in (
        lambda: plain.pad(x=1),
        lambda: plain.pad({"x": (1, 2)}, mode="edge"),
        lambda: xr.Dataset.pad(plain, x=1),
        lambda: plain.pipe(xr.Dataset.pad, x=1),
        lambda: plain.a.pad(x=1).to_dataset(),
    ):
        assert call().sizes["x"] >= 5
    xr.testing.assert_identical(plain.pad(x=1), original(plain, x=1))
    xr.testing.assert_identical(plain.a.pad(x=1), xr.DataArray.pad(plain.a, x=1))


def test_works_inside_groupby_map(plain):
    padded = plain.groupby("x").map(lambda g: g.pad(x=1))
    assert padded.sizes["x"] == 9


def test_signature_and_doc_are_xarrays(plain):
    assert "mode" in inspect.signature(plain.pad).parameters
    assert "self" not in inspect.signature(plain.pad).parameters
    assert "pad_width" in (xr.Dataset.pad.__doc__ or "")


def test_class_access_is_a_function():
    assert inspect.isfunction(xr.Dataset.pad)
    assert xr.Dataset.pad is not xr.DataArray.pad


def test_registering_twice_changes_nothing():
    before = inspect.getattr_static(xr.Dataset, "pad")
    register()
    assert inspect.getattr_static(xr.Dataset, "pad") is before
    assert isinstance(before, PadAccess)


def test_accessor_is_stateless_and_uncached(plain):
    assert isinstance(plain.pad, PadAccessor)
    assert plain.pad is not plain.pad
    assert "pad" not in getattr(plain, "_cache", {})


def test_datasets_still_pickle(plain):
    xr.testing.assert_identical(pickle.loads(pickle.dumps(plain)), plain)


def run(code):
    done = subprocess.run(
        [sys.executable, "-W", "error", "-c", code], capture_output=True, text=True
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


def test_import_is_silent_and_loads_nothing_heavy():
    heavy = [
        "jax",
        "flax",
        "optax",
        "numba",
        "sklearn",
        "cdflib",
        "matplotlib",
        "h5netcdf",
        "pyspedas",
        "tqdm",
    ]
    code = (
        "import xarray, sys; before = set(sys.modules); options = xarray.get_options();"
        "import xpad; new = set(sys.modules) - before;"
        f"print([m for m in {heavy} if m in new]); print(xarray.get_options() == options)"
    )
    assert run(code).split("\n")[:2] == ["[]", "True"]


def test_methods_are_the_functions(plain):
    ds = xr.Dataset(
        {"j": (("t", "a", "b"), np.ones((4, 3, 2), "f4"))},
        coords={"a": [30.0, 90.0, 150.0], "b": [1.0, 2.0]},
    ).pad.assign_roles(flux="j", energy="b", pitch_angle="a")
    assert ds.pad.recognise().flux == xpad.recognise(ds).flux == ("j",)
    xr.testing.assert_identical(ds.pad.flux, xpad.flux(ds))
    xr.testing.assert_identical(ds.pad.normalise("max_energy"), xpad.normalise(ds, "max_energy"))
    told = ds.j.pad.assign_roles(energy="b", pitch_angle="a")
    assert (told.pad.recognise().energy.dim, told.pad.recognise().flux) == ("b", ("j",))
    for method in (plain.a.pad.catalogue, plain.a.pad.plot.catalogue):
        with pytest.raises(xpad.XpadError, match="pad_label"):
            method()


def test_methods_pickle(plain):
    assert pickle.loads(pickle.dumps(plain.pad.recognise)).__func__ is PadAccessor.recognise


def test_nothing_warns(plain):
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        repr(plain.pad)
