"""Trees of plain arrays in Zarr stores, and their checksums."""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Mapping
from typing import Any

import numpy as np
import xarray as xr

from xpad.storage.place import Place

Nodes = dict[str, xr.Dataset]
PathLike = str | os.PathLike[str]


def save_tree(
    tree: xr.DataTree,
    path: PathLike,
    *,
    overwrite: bool = False,
    storage_options: Mapping[str, Any] | None = None,
) -> None:
    """Write a tree to a Zarr store of its own.

    Raises
    ------
    OptionError
        `path` exists and `overwrite` is not set, or is no Zarr store.
    """
    with Place.of(path, storage_options).replaced(overwrite=overwrite) as part:
        write_tree(tree, part)


def write_tree(tree: xr.DataTree, place: Place, group: str = "") -> None:
    """Write a tree as a group of a store; by itself, or beside what that store holds."""
    for node in tree.subtree:
        name = "/".join(part for part in (group, node.path.strip("/")) if part)
        node.to_dataset(inherit=False).to_zarr(
            **place.zarr_arguments, group=name or None, mode="a", consolidated=False, zarr_format=3
        )


def digest(nodes: Mapping[str, xr.Dataset], stated: Mapping[str, Any]) -> str:
    """One checksum over all nodes, and what is stated of them."""
    total = hashlib.sha256(json.dumps(dict(stated), sort_keys=True).encode())
    for group in sorted(nodes):
        ds = nodes[group]
        total.update(f"{group} {json.dumps(_plain(ds.attrs), sort_keys=True)}".encode())
        for name in sorted(map(str, ds.variables)):
            values = np.ascontiguousarray(ds[name].values)
            total.update(f"{name} {values.dtype.str} {values.shape}".encode())
            total.update(values.tobytes())
    return total.hexdigest()


def _plain(attrs: Mapping[Any, Any]) -> dict[str, Any]:
    return {str(k): v.item() if isinstance(v, np.generic) else v for k, v in attrs.items()}
