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
    from xpad.axes import assign_roles, recognise
    from xpad.errors import XpadError, XpadWarning
    from xpad.evidence import Check, check, estimate_k
    from xpad.fitting import fit
    from xpad.flux import canonical_flux
    from xpad.model import Model
    from xpad.presets import PRESETS, Settings
    from xpad.readers import from_tplot, open_dataset, to_tplot
    from xpad.results import cluster, predict
    from xpad.simulation import simulate
    from xpad.statistics import catalogue
    from xpad.steps import encode, label, normalise, pca
    from xpad.store import load_model, save_model
    from xpad.writing import cluster_to_zarr, predict_to_zarr

    __version__: str

_HOME = {
    "assign_roles": "axes",
    "recognise": "axes",
    "XpadError": "errors",
    "XpadWarning": "errors",
    "Check": "evidence",
    "check": "evidence",
    "estimate_k": "evidence",
    "fit": "fitting",
    "canonical_flux": "flux",
    "Model": "model",
    "PRESETS": "presets",
    "Settings": "presets",
    "from_tplot": "readers",
    "open_dataset": "readers",
    "to_tplot": "readers",
    "cluster": "results",
    "cluster_to_zarr": "writing",
    "predict_to_zarr": "writing",
    "encode": "steps",
    "label": "steps",
    "normalise": "steps",
    "pca": "steps",
    "predict": "results",
    "simulate": "simulation",
    "catalogue": "statistics",
    "load_model": "store",
    "save_model": "store",
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
