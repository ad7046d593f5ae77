"""What is recognised is recognised once: one look at the metadata a call."""

import sys

import pytest
from helpers import QUICK

import xpad
from xpad.roles import recognise as module

pytestmark = pytest.mark.filterwarnings("ignore:the autoencoder has hardly:xpad.XpadWarning")


@pytest.fixture
def looks(monkeypatch):
    """What `recognise` was called with, by whatever name a module knows it."""
    seen, original = [], module.recognise

    def counted(obj, *args, **kwargs):
        seen.append(obj)
        return original(obj, *args, **kwargs)

    known = [m for name, m in sys.modules.items() if name.split(".")[0] == "xpad"]
    patched = [m for m in known if vars(m).get("recognise") is original]
    assert {"xpad.roles.recognise", "xpad.pads.canonical"} <= {m.__name__ for m in patched}
    for one in patched:
        monkeypatch.setattr(one, "recognise", counted)
    return seen


CALLS = {
    "cluster": lambda ds, model, path: xpad.cluster(ds, **QUICK),
    "fit": lambda ds, model, path: xpad.fit(ds, **QUICK),
    "predict": lambda ds, model, path: xpad.predict(ds, model),
    "label": lambda ds, model, path: xpad.label(ds, model),
    "cluster_to_zarr": lambda ds, model, path: xpad.cluster_to_zarr(ds, path, **QUICK),
    "predict_to_zarr": lambda ds, model, path: xpad.predict_to_zarr(
        ds, model, path, progress=False
    ),
    "check": lambda ds, model, path: xpad.check(ds, progress=False),
    "estimate_k": lambda ds, model, path: xpad.estimate_k(ds, model, ks=(2, 3), progress=False),
}


@pytest.mark.parametrize("lazy", [True, False])
@pytest.mark.parametrize("name", CALLS)
def test_recognised_once(small, fitted, looks, tmp_path, name, lazy):
    ds = small.chunk(time=200) if lazy else small
    CALLS[name](ds, fitted, tmp_path / "out.zarr")
    assert len(looks) == 1
