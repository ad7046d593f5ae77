"""Checksums of groups of arrays."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from typing import Any

import numpy as np
import xarray as xr


def _digest(groups: Mapping[str, xr.Dataset], stated: Mapping[str, Any]) -> str:
    """One checksum over everything a model holds."""
    total = hashlib.sha256(json.dumps(dict(stated), sort_keys=True).encode())
    for group in sorted(groups):
        ds = groups[group]
        total.update(f"{group} {json.dumps(_plain(ds.attrs), sort_keys=True)}".encode())
        for name in sorted(map(str, ds.variables)):
            values = np.ascontiguousarray(ds[name].values)
            total.update(f"{name} {values.dtype.str} {values.shape}".encode())
            total.update(values.tobytes())
    return total.hexdigest()


def _plain(attrs: Mapping[Any, Any]) -> dict[str, Any]:
    return {str(k): v.item() if isinstance(v, np.generic) else v for k, v in attrs.items()}
