"""A model on disk: plain arrays and JSON in one versioned Zarr store."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import xarray as xr

from xpad.errors import ModelStoreError, OptionError
from xpad.model.model import FORMAT, FORMAT_VERSION, GROUP, Model, PathLike, _model
from xpad.storage.place import Place
from xpad.storage.trees import _digest


def load_model(path: PathLike, *, storage_options: Mapping[str, Any] | None = None) -> Model:
    """Read a model from a Zarr store.

    Parameters
    ----------
    path : path or fsspec URL
        What `Model.save` wrote, or a result of ``xpad cluster``, whose group
        ``xpad_model`` is read.
    storage_options : dict, optional
        fsspec's, where the path is a URL.

    Returns
    -------
    Model

    Raises
    ------
    ModelStoreError
        There is no model at `path`, a newer xpad wrote it, or it is damaged.
    """
    return load_model_at(Place.of(path, storage_options))


def load_model_at(place: Place) -> Model:
    """Read the model of a store."""
    path, tree = place.url, _opened(place)
    stated = {str(k): v for k, v in tree.attrs.items() if k != "sha256"}
    if stated.get("format") != FORMAT:
        raise ModelStoreError(
            f"{path} is a Zarr store but holds no xpad model; give what model.save wrote, "
            "or the output of xpad cluster"
        )
    written = stated.get("format_version")
    if not isinstance(written, int) or written > FORMAT_VERSION:
        raise ModelStoreError(
            f"{path} has model format {written}, and this xpad reads up to {FORMAT_VERSION}; "
            "upgrade xpad to read it"
        )
    try:
        groups = {
            f"/{name}": node.to_dataset(inherit=False).load()
            for name, node in tree.children.items()
        }
        intact = _digest(groups, stated) == tree.attrs.get("sha256")
    except Exception as err:  # any fault of a chunk, codec or metadata is the same to the user
        raise ModelStoreError(f"{path} is damaged and cannot be read as a model: {err}") from err
    if not intact:
        raise ModelStoreError(
            f"{path} is damaged or was changed: its contents do not match their checksum; fit the model again"
        )
    try:
        return _model(groups, stated)
    except (OptionError, KeyError, TypeError, ValueError) as err:
        raise ModelStoreError(
            f"{path} holds a model that this xpad does not understand ({err}); another version wrote it"
        ) from err


def _opened(place: Place) -> xr.DataTree:
    import zarr

    path = place.url
    if place.local is not None and not place.local.exists():
        raise ModelStoreError(
            f"{path} does not exist; model.save writes a model, xpad.load_model reads it"
        )
    try:
        root = zarr.open_group(**place.zarr_arguments, mode="r", use_consolidated=False)
        # Opened alone: as a child, its coordinates would be merged with those of the results.
        group = None if root.attrs.get("format") == FORMAT or GROUP not in root else GROUP
        return xr.open_datatree(
            path, engine="zarr", consolidated=False, group=group,
            storage_options=place.options or None,
        )  # fmt: skip
    except Exception as err:  # zarr's and xarray's own errors for what is no store are many
        raise ModelStoreError(
            f"{path} is not a readable Zarr store, so it holds no xpad model ({err})"
        ) from err
