"""What a result was made from and with, so that it can be cited and repeated."""

from __future__ import annotations

import hashlib
from importlib.metadata import PackageNotFoundError, version
from typing import Any

import numpy as np
from dask.base import tokenize

from xpad.pads.flux import Flux
from xpad.settings import Settings

LIBRARIES = (
    "xpad", "numpy", "pandas", "xarray", "dask", "numba", "scikit-learn", "jax", "flax", "optax",
    "cdflib",
)  # fmt: skip
_IDENTIFYING = (
    "Logical_file_id", "Logical_source", "Source_name", "Descriptor", "Data_version", "source",
)  # fmt: skip


def versions() -> dict[str, str]:
    """Versions of xpad and of the libraries that the numbers depend on."""
    found = {}
    for name in LIBRARIES:
        try:
            found[name] = version(name)
        except PackageNotFoundError:
            found[name] = "unknown"
    return found


def configuration(preset: str, settings: Settings, source: dict[str, Any]) -> dict[str, Any]:
    """Everything that a fit's result depends on: what is begun with one is not gone on with another."""
    return {
        "xpad": versions()["xpad"],
        "preset": preset,
        "settings": settings.as_dict(),
        "input": source,
    }


def content(flux: Flux) -> str:
    """What tells whether two fluxes hold the same; computes nothing.

    Of what is in memory, a hash of all of it. Of what is lazy, the name that dask gives it, which
    follows the files' names, sizes and times where xpad opened them; of anything else, dask's name is
    new every time, and so is this.
    """
    parts = {"flux": flux.array.variable} | {
        str(n): c.variable for n, c in flux.array.coords.items()
    }
    told = hashlib.sha256(repr(flux.limits).encode())
    for name, variable in sorted(parts.items()):
        data = variable.data
        told.update(name.encode())
        if variable.chunks is not None:
            told.update(str(data.name).encode())
        else:
            told.update(tokenize(np.asarray(data)).encode())
    return told.hexdigest()


def identity(flux: Flux) -> dict[str, Any]:
    """What identifies the input: sources, variable, shape, times; reads no flux."""
    dims, array = flux.record_dims, flux.array
    found: dict[str, Any] = {
        "variable": flux.name,
        "dims": [str(d) for d in array.dims],
        "shape": [int(n) for n in array.shape],
        "units": flux.units,
    }
    for key in _IDENTIFYING:
        value = flux.ds.attrs.get(key)
        if isinstance(value, str):
            found[key] = value
        elif isinstance(value, list | tuple) and value and all(isinstance(v, str) for v in value):
            found[key] = value[0] if len(value) == 1 else list(value)
    for name, coord in array.coords.items():
        if coord.ndim != 1 or coord.dims[0] not in dims or coord.chunks is not None:
            continue
        if coord.size and (name in dims or coord.dtype.kind == "M"):
            values = np.ascontiguousarray(coord.values)
            found[f"{name}_first"], found[f"{name}_last"] = str(values[0]), str(values[-1])
            if values.dtype.kind in "mMiuf":
                found[f"{name}_sha256"] = hashlib.sha256(values.view(np.uint8).data).hexdigest()
    return found
