"""Sort pitch-angle distributions (PADs) into their typical shapes.

Importing xpad registers the accessor ``ds.pad`` on xarray's Dataset and
DataArray; ``ds.pad(x=1)`` is still xarray's own. Everything else loads when it
is first used.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

from xpad.accessor import register

if TYPE_CHECKING:
    from xpad.diagnostics.check import Check, check
    from xpad.diagnostics.k import estimate_k
    from xpad.errors import XpadError, XpadWarning
    from xpad.fitting.fit import fit
    from xpad.model.model import Model
    from xpad.model.saved import load_model, save_model
    from xpad.pads.canonical import canonical_flux
    from xpad.readers import from_tplot, open_dataset, to_tplot
    from xpad.results.cluster import cluster
    from xpad.results.predict import predict
    from xpad.results.steps import encode, label, normalise, pca
    from xpad.roles.recognise import assign_roles, recognise
    from xpad.settings import PRESETS, Settings
    from xpad.simulation.mission import simulate
    from xpad.statistics.catalogue import catalogue
    from xpad.writing.to_zarr import cluster_to_zarr, predict_to_zarr

    __version__: str

_HOME = {
    "assign_roles": "roles.recognise",
    "recognise": "roles.recognise",
    "XpadError": "errors",
    "XpadWarning": "errors",
    "Check": "diagnostics.check",
    "check": "diagnostics.check",
    "estimate_k": "diagnostics.k",
    "fit": "fitting.fit",
    "canonical_flux": "pads.canonical",
    "Model": "model.model",
    "PRESETS": "settings",
    "Settings": "settings",
    "from_tplot": "readers",
    "open_dataset": "readers",
    "to_tplot": "readers",
    "cluster": "results.cluster",
    "cluster_to_zarr": "writing.to_zarr",
    "predict_to_zarr": "writing.to_zarr",
    "encode": "results.steps",
    "label": "results.steps",
    "normalise": "results.steps",
    "pca": "results.steps",
    "predict": "results.predict",
    "simulate": "simulation",
    "catalogue": "statistics.catalogue",
    "load_model": "model.saved",
    "save_model": "model.saved",
}

__all__ = [
    "PRESETS",
    "Check",
    "Model",
    "Settings",
    "XpadError",
    "XpadWarning",
    "assign_roles",
    "canonical_flux",
    "catalogue",
    "check",
    "cluster",
    "cluster_to_zarr",
    "encode",
    "estimate_k",
    "fit",
    "from_tplot",
    "label",
    "load_model",
    "normalise",
    "open_dataset",
    "pca",
    "predict",
    "predict_to_zarr",
    "recognise",
    "save_model",
    "simulate",
    "to_tplot",
]


def __getattr__(name: str) -> Any:
    if name == "__version__":
        from importlib.metadata import version

        return version("xpad")
    if name in _HOME:
        found = getattr(import_module(f"xpad.{_HOME[name]}"), name)
        globals()[name] = found
        return found
    raise AttributeError(f"module 'xpad' has no attribute {name!r}")


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__, "__version__"})


register()
