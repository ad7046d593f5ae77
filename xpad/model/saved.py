"""A model on disk: plain arrays and JSON in one versioned Zarr store."""

from __future__ import annotations

import json
import warnings
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from typing import Any

import xarray as xr

from xpad.errors import ModelStoreError, OptionError, told_as
from xpad.model.model import FORMAT_VERSION, Model, require_model
from xpad.model.pipeline import Pipeline
from xpad.model.version1 import from_version_1
from xpad.pads.prepare import Preparation
from xpad.roles.ours import MODEL_FORMAT
from xpad.settings import Settings
from xpad.stages.encoders import ENCODERS
from xpad.stages.k_rules import K_RULES, chosen
from xpad.stages.labellers import LABELLERS
from xpad.stages.pca import PCA
from xpad.storage.place import Place
from xpad.storage.trees import Nodes, PathLike, digest, write_tree

GROUP = "xpad_model"
"""Group of a result's store that holds its model; no variable of a mission is called so."""

NEWER: dict[int, Callable[[Nodes, dict[str, Any]], Nodes]] = {1: from_version_1}
"""Of each older version of the format, what makes its nodes those of the next one."""


def save_model(
    model: Model,
    path: PathLike,
    *,
    overwrite: bool = False,
    storage_options: Mapping[str, Any] | None = None,
) -> None:
    """Write a model to a Zarr store.

    Parameters
    ----------
    model : Model
    path : path or fsspec URL
        A directory that does not exist yet.
    overwrite : bool
        Replace what is there.
    storage_options : dict, optional
        fsspec's, where the path is a URL.

    Raises
    ------
    OptionError
        `path` exists and `overwrite` is not set, or is no Zarr store.

    Examples
    --------
    >>> import tempfile, xpad
    >>> model = xpad.fit(xpad.simulate(days=0.5), encoder=None, k=6, progress=False)
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     xpad.save_model(model, f"{folder}/rept.zarr")
    ...     xpad.load_model(f"{folder}/rept.zarr").k
    6
    """
    require_model(model)
    model.save(path, overwrite=overwrite, storage_options=storage_options)


def save_model_at(model: Model, place: Place, group: str = "") -> None:
    """Write a model as a group of a store; by itself, or beside the results in that store."""
    write_tree(model.to_tree(), place, group)


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
    OptionError
        `path` is no path, or a URL whose protocol is not known.

    Examples
    --------
    >>> import tempfile, xpad
    >>> model = xpad.fit(xpad.simulate(days=0.5), encoder=None, k=6, progress=False)
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     model.save(f"{folder}/rept.zarr")
    ...     xpad.load_model(f"{folder}/rept.zarr") == model
    True
    """
    return load_model_at(Place.of(path, storage_options))


def load_model_at(place: Place) -> Model:
    """Read the model of a store."""
    path, group = place.url, _group(place)
    with (
        told_as(path, lambda err: _damaged(path, f"and cannot be read as a model: {err}")),
        _quiet(),
    ):
        # Opened alone: as a child, its coordinates would be merged with those of the results.
        tree = xr.open_datatree(
            path, engine="zarr", consolidated=False, group=group,
            storage_options=place.options or None,
        )  # fmt: skip
        nodes = {
            f"/{name}": node.to_dataset(inherit=False).load()
            for name, node in tree.children.items()
        }
    stated = {str(k): v for k, v in tree.attrs.items() if k != "sha256"}
    if digest(nodes, stated) != tree.attrs.get("sha256"):
        raise _damaged(
            path, "or was changed: its contents do not match their checksum; fit the model again"
        )
    try:
        return _model(nodes, stated)
    except (OptionError, KeyError, TypeError, ValueError) as err:
        raise ModelStoreError(
            f"{path} holds a model that this xpad does not understand ({err}); another version wrote it"
        ) from err


@contextmanager
def _quiet() -> Iterator[None]:
    """Without Zarr's word on what it does not know; whether all is there, the checksum says."""
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", "Object at .* is not recognized", UserWarning)
        yield


def _group(place: Place) -> str | None:
    """Where in a store the model lies: at its root (None), or beside results; one that can be read."""
    import zarr

    path = place.url
    if place.local is not None and not place.local.exists():
        raise ModelStoreError(
            f"{path} does not exist; model.save writes a model, xpad.load_model reads it"
        )
    place.require_known()
    unreadable = f"{path} is not a readable Zarr store, so it holds no xpad model"
    with told_as(path, lambda err: ModelStoreError(f"{unreadable} ({err})")):
        root = zarr.open_group(**place.zarr_arguments, mode="r", use_consolidated=False)
        group = None if root.attrs.get("format") == MODEL_FORMAT or GROUP not in root else GROUP
        stated = (root if group is None else root[group]).attrs.asdict()
    if stated.get("format") != MODEL_FORMAT:
        raise ModelStoreError(
            f"{path} is a Zarr store but holds no xpad model; give what model.save wrote, "
            "or the output of xpad cluster"
        )
    written = stated.get("format_version")
    if not isinstance(written, int) or isinstance(written, bool) or written < 1:
        raise ModelStoreError(
            f"{path} says that it is a model and not in which version of the format ({written!r}), so no "
            "xpad wrote it; give what model.save wrote"
        )
    if written > FORMAT_VERSION:
        raise ModelStoreError(
            f"{path} has model format {written}, and this xpad reads up to {FORMAT_VERSION}; "
            "upgrade xpad to read it"
        )
    return group


def _damaged(path: str, how: str) -> ModelStoreError:
    return ModelStoreError(f"{path} is damaged {how}")


def _model(nodes: Nodes, stated: Mapping[str, Any]) -> Model:
    """The inverse of `Model.to_tree`, of any version of the format up to this one."""
    settings = Settings.from_dict(json.loads(stated["settings"]))
    provenance = json.loads(stated["provenance"])
    for version in range(stated["format_version"], FORMAT_VERSION):
        nodes = NEWER[version](nodes, provenance)
    rule, _ = chosen(settings.k)
    return Model(
        preset=str(stated["preset"]),
        settings=settings,
        pipeline=Pipeline(
            Preparation.from_node(nodes["/grid"], settings),
            ENCODERS[settings.encoder].from_node(nodes["/encoder"]),
            PCA.from_node(nodes["/components"]),
            LABELLERS[settings.labeller].from_node(nodes["/labeller"]),
        ),
        rule=K_RULES[rule].from_node(nodes["/k"]),
        scores=json.loads(stated["scores"]),
        history=nodes["/history"],
        provenance=provenance,
    )
