"""What a result was made from and with, so that it can be cited and repeated."""

from __future__ import annotations

import hashlib
from collections.abc import Hashable
from importlib.metadata import PackageNotFoundError, version
from typing import Any

import numpy as np
import xarray as xr

from xpad.flux import record_dims

LIBRARIES = ("xpad", "numpy", "xarray", "scikit-learn", "jax", "flax", "optax")


def versions() -> dict[str, str]:
    """Versions of xpad and of the libraries that the numbers depend on."""
    found = {}
    for name in LIBRARIES:
        try:
            found[name] = version(name)
        except PackageNotFoundError:
            found[name] = "unknown"
    return found


def identity(ds: xr.Dataset, flux: xr.DataArray) -> dict[str, Any]:
    """What identifies the input: sources, variable, shape, times; reads no flux."""
    dims = record_dims(flux)
    found: dict[str, Any] = {
        "variable": str(flux.name),
        "dims": [str(d) for d in flux.dims],
        "shape": [int(n) for n in flux.shape],
        "units": str(flux.attrs.get("units", "")),
    }
    for name in (
        "Logical_file_id",
        "Logical_source",
        "Source_name",
        "Descriptor",
        "Data_version",
        "source",
    ):
        value = ds.attrs.get(name)
        if isinstance(value, str) or (isinstance(value, list) and len(value) == 1):
            found[name] = value if isinstance(value, str) else str(value[0])
    for dim in dims:
        index = flux.indexes.get(dim)
        if index is not None and len(index):
            found[f"{dim}_first"], found[f"{dim}_last"] = (
                _text(dim, index[0]),
                _text(dim, index[-1]),
            )
            values = np.ascontiguousarray(index.to_numpy())
            if values.dtype.kind in "mMiuf":
                found[f"{dim}_sha256"] = hashlib.sha256(values.tobytes()).hexdigest()
    return found


def _text(dim: Hashable, value: Any) -> str:
    isoformat = getattr(value, "isoformat", None)
    return str(isoformat()) if isoformat is not None else str(value)
