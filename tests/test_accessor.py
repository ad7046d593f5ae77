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


def test_every_accessor_method_is_a_function_too():
    methods = {n for n in vars(PadAccessor) if not n.startswith("_")} - {"flux", "plot"}
    assert methods <= set(xpad.__all__)


@pytest.mark.parametrize(
    "name", sorted({n for n in vars(PadAccessor) if not n.startswith("_")} - {"flux", "plot"})
)
def test_accessor_arguments_match_the_function(name):
    mine = list(inspect.signature(getattr(PadAccessor, name)).parameters)[1:]
    function = inspect.signature(getattr(xpad, name)).parameters
    theirs = list(function)[1:]
    if "options" in mine:
        assert mine[: mine.index("options")] == [
            p for p in theirs if p in mine[: mine.index("options")]
        ]
    else:
        assert mine == [p for p in theirs if p in mine]


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


def test_names_are_there_and_listed():
    for name in xpad.__all__:
        assert hasattr(xpad, name)
        assert name in dir(xpad)
    assert xpad.__version__
    with pytest.raises(AttributeError, match="nonsense"):
        xpad.nonsense  # noqa: B018  the access itself is what is tested


def test_lazy_table_and_typed_imports_agree():
    assert set(xpad._HOME) == set(xpad.__all__)


def test_nothing_warns(plain):
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        repr(plain.pad)
