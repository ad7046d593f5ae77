"""A model on disk: plain arrays and JSON in one versioned Zarr store."""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Mapping
from typing import Any

import numpy as np
import xarray as xr

from xpad.errors import ModelStoreError, OptionError
from xpad.model import Model
from xpad.paths import whole_or_nothing
from xpad.places import Place
from xpad.presets import Settings
from xpad.regrid import Grid

FORMAT = "xpad-model"
FORMAT_VERSION = 1
GROUP = "xpad_model"
"""Group of a result's store that holds its model; no variable of a mission is called so."""

PathLike = str | os.PathLike[str]


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
    ...     model.save(f"{folder}/rept.zarr")
    ...     xpad.load_model(f"{folder}/rept.zarr").k
    6
    """
    place = Place.of(path, storage_options)
    if place.local is None:
        place.require_free(overwrite=overwrite)
        place.remove()
        save_model_at(model, place)
        return
    with whole_or_nothing(path, overwrite=overwrite) as part:
        save_model_at(model, Place(str(part)))


def save_model_at(model: Model, place: Place, group: str = "") -> None:
    """Write a model as a group of a store; by itself, or beside the results in that store."""
    for node in model_tree(model).subtree:
        name = "/".join(part for part in (group, node.path.strip("/")) if part)
        node.to_dataset(inherit=False).to_zarr(
            **place.zarr_arguments, group=name or None, mode="a", consolidated=False, zarr_format=3
        )


def digest_of(model: Model) -> str:
    """A checksum over everything a model holds."""
    return str(model_tree(model).attrs["sha256"])


def model_tree(model: Model) -> xr.DataTree:
    """The model as a DataTree: groups grid, encoder, components, clusters, history."""
    grid = xr.Dataset(
        {
            "features": (("energy", "pitch_angle"), model.features, {"long_name": "bins in use"}),
            "fill": (("feature",), model.fill, {"long_name": "stands for a missing bin"}),
        },
        coords={
            "energy": ("energy", model.grid.energy, {"units": model.grid.energy_units}),
            "pitch_angle": ("pitch_angle", model.grid.pitch_angle, {"units": "deg"}),
        },
        attrs={"flux_units": model.grid.flux_units},
    )
    components = xr.Dataset(
        {
            "mean": ("encoded", model.pca.mean),
            "components": (("component", "encoded"), model.pca.components),
            "explained_variance": ("component", model.pca.explained_variance),
            "explained_variance_ratio": ("component", model.pca.explained_variance_ratio),
        },
        attrs={"n_samples": int(model.pca.n_samples)},
    )
    clusters = xr.Dataset(
        {
            "modes": (("mode", "component"), model.modes),
            "centres": (("cluster", "component"), model.centres),
            "counts": ("cluster", model.counts),
        },
        attrs={"bandwidth": float(model.bandwidth)},
    )
    groups = {
        "/grid": grid,
        "/components": components,
        "/clusters": clusters,
        "/history": model.history,
    }
    if model.autoencoder is not None:
        a = model.autoencoder
        groups["/encoder"] = xr.Dataset(
            {
                "encoder_kernel": (("feature", "hidden"), a.encoder_kernel),
                "encoder_bias": ("hidden", a.encoder_bias),
                "decoder_kernel": (("hidden", "feature"), a.decoder_kernel),
                "decoder_bias": ("feature", a.decoder_bias),
            },
            attrs={"output": a.output, "masked": int(a.masked)},
        )
    stated = {
        "format": FORMAT,
        "format_version": FORMAT_VERSION,
        "preset": model.preset,
        "settings": json.dumps(model.settings.as_dict()),
        "scores": json.dumps(model.scores),
        "provenance": json.dumps(model.provenance),
    }
    root = xr.Dataset(attrs={**stated, "sha256": _digest(groups, stated)})
    return xr.DataTree.from_dict({"/": root, **groups})


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


def _model(groups: Mapping[str, xr.Dataset], stated: Mapping[str, Any]) -> Model:
    from xpad.stages.autoencoder import Autoencoder
    from xpad.stages.pca import PCA

    grid, components, clusters = groups["/grid"], groups["/components"], groups["/clusters"]
    autoencoder = None
    if "/encoder" in groups:
        e = groups["/encoder"]
        autoencoder = Autoencoder(
            e.encoder_kernel.values, e.encoder_bias.values, e.decoder_kernel.values, e.decoder_bias.values,
            grid.fill.values, str(e.attrs["output"]), bool(e.attrs["masked"]),
        )  # fmt: skip
    return Model(
        preset=str(stated["preset"]),
        settings=Settings.from_dict(json.loads(stated["settings"])),
        grid=Grid(
            grid.energy.values, grid.pitch_angle.values,
            str(grid.energy.attrs["units"]), str(grid.attrs["flux_units"]),
        ),
        features=grid.features.values,
        fill=grid.fill.values,
        autoencoder=autoencoder,
        pca=PCA(
            components["mean"].values, components["components"].values,
            components["explained_variance"].values, components["explained_variance_ratio"].values,
            int(components.attrs["n_samples"]),
        ),
        bandwidth=float(clusters.attrs["bandwidth"]),
        modes=clusters.modes.values,
        centres=clusters.centres.values,
        counts=clusters.counts.values,
        scores=json.loads(stated["scores"]),
        history=groups["/history"],
        provenance=json.loads(stated["provenance"]),
    )  # fmt: skip
