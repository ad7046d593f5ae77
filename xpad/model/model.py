"""The fitted pipeline: what `fit` learned, and what it does to rows of PADs."""

from __future__ import annotations

import json
import os
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import numpy as np
import xarray as xr
from numpy.typing import NDArray

from xpad.pads.clean import CLEAN, Limits
from xpad.pads.grid import Grid
from xpad.pads.prepare import Pads, pieces, prepare
from xpad.pads.quality import OK, Measured, record_flags
from xpad.settings import Settings
from xpad.stages.encoders import dense
from xpad.storage.place import Place, whole_or_nothing
from xpad.storage.trees import _digest

if TYPE_CHECKING:
    from xpad.stages.encoders.dense import Autoencoder
    from xpad.stages.pca import PCA

FORMAT = "xpad-model"
FORMAT_VERSION = 1
GROUP = "xpad_model"
"""Group of a result's store that holds its model; no variable of a mission is called so."""

PathLike = str | os.PathLike[str]

Floats = NDArray[np.float32]


@dataclass(frozen=True, repr=False)
class Model:
    """A fitted pipeline.

    Attributes
    ----------
    preset : str
        Name of the parameter set it began from.
    settings : Settings
        Every setting.
    grid : Grid
        Energies and pitch angles (degrees) that PADs are put on.
    features : (energy, pitch_angle) bool
        Bins that were ever measured; the others are left out.
    fill : (features,) float32
        What stands for a missing bin: zero, or the mean of the training PADs.
    autoencoder : Autoencoder or None
    pca : PCA
    bandwidth : float
        Radius of the mean shift, in units of the components.
    modes : (modes, components)
        Mean-shift modes, the most populated first.
    centres : (k, components)
        Cluster centres; 0 is the largest cluster among the fitted records.
    counts : (k,) int
        Fitted records in each cluster.
    scores : dict
        ``calinski_harabasz`` and ``davies_bouldin`` of the mean shift's and
        the clusters' labels.
    history : xarray.Dataset
        ``loss`` and ``val_loss`` over ``pad_epoch``; empty without autoencoder.
    provenance : dict
        xpad's and the libraries' versions, and the identity of the input.

    References
    ----------
    Killey et al. (2023), RASTI 2, 548, doi:10.1093/rasti/rzad035.
    """

    preset: str
    settings: Settings
    grid: Grid
    features: NDArray[np.bool_]
    fill: Floats
    autoencoder: Autoencoder | None
    pca: PCA
    bandwidth: float
    modes: NDArray[np.float64]
    centres: NDArray[np.float64]
    counts: NDArray[np.int64]
    scores: dict[str, dict[str, float]]
    history: xr.Dataset
    provenance: dict[str, Any] = field(default_factory=dict)

    @property
    def k(self) -> int:
        """Number of clusters."""
        return len(self.centres)

    @property
    def n_components(self) -> int:
        """Number of principal components."""
        return len(self.pca.components)

    @property
    def n_encoded(self) -> int:
        """Width of the encoding; of the features where there is no autoencoder."""
        return int(self.pca.mean.size)

    def save(self, path: str | os.PathLike[str], *, overwrite: bool = False) -> None:
        """Write the model to a Zarr store; see `xpad.save_model`."""
        from xpad.model.model import save_model

        save_model(self, path, overwrite=overwrite)

    def __repr__(self) -> str:
        encoder = "none"
        if self.autoencoder is not None:
            n, h = self.autoencoder.encoder_kernel.shape
            encoder = f"{n} → {h} → {n}, {self.history.sizes['pad_epoch']} epochs"
            if self.history.sizes["pad_epoch"]:
                encoder += f", validation loss {float(self.history.val_loss[-1]):.3g}"
        shares = ", ".join(f"{c / self.counts.sum():.0%}" for c in self.counts)
        return (
            f"<xpad.Model {self.preset}: {self.k} clusters of {int(self.counts.sum()):,} fitted records "
            f"({shares})>\n"
            f"    grid         {self.grid}\n"
            f"    features     {int(self.features.sum())} of {self.features.size} bins\n"
            f"    autoencoder  {encoder}\n"
            f"    components   {self.n_components}, explaining "
            f"{float(self.pca.explained_variance_ratio.sum()):.1%} of the variance\n"
            f"    mean shift   {len(self.modes)} modes at bandwidth {self.bandwidth:.4g}"
        )

    def encode(self, rows: Floats, over: Floats | None = None) -> Floats:
        """Encoding of rows (records, features), NaN where missing: (records, n_encoded).

        Each is divided by its number in `over` (records,) first, where that is given.
        """
        if self.autoencoder is None:
            rows = _divided(rows, over)
            return np.where(np.isfinite(rows), rows, self.fill)

        return dense.encode(self.autoencoder, rows, over)

    def project(self, encoded: Floats) -> Floats:
        """Principal components (records, components) of encoded rows."""
        from xpad.stages import pca

        return pca.project(self.pca, encoded)

    def assign(self, components: Floats) -> NDArray[np.int16]:
        """Nearest centre of each row of components."""
        from xpad.stages.labellers import kmeans

        return kmeans.assign(self.centres, components)

    def reduce(self, rows: Floats, over: Floats | None = None) -> tuple[Floats, Floats]:
        """Components of rows, and the squared error of their reconstruction over measured bins.

        The reconstruction is the autoencoder's, or without one that of the components. It is most
        of the work: `project` the `encode`d rows where nobody asks for the error.
        """
        if self.autoencoder is not None:
            encoded, error = dense.encode_with_error(self.autoencoder, rows, over)
            return self.project(encoded), error
        from xpad.stages import pca

        rows = _divided(rows, over)
        components = self.project(self.encode(rows))
        squares = np.square(rows - pca.inverse(self.pca, components))
        return components, np.asarray(np.fmax(squares, np.float32(0)).sum(axis=1))

    def prepare(
        self,
        flux: Floats,
        energy_table: NDArray[np.float64] | None = None,
        pitch_angle_table: NDArray[np.float64] | None = None,
    ) -> tuple[Floats, NDArray[np.int8]]:
        """Rows of features, and the flag of every record."""
        ordered = np.ascontiguousarray(flux)  # most of what follows goes through it row by row
        pads = self.pads(ordered, energy_table, pitch_angle_table)
        return self.rows(pads), self.flags(pads)

    def pads(
        self,
        flux: Floats,
        energy_table: NDArray[np.float64] | None = None,
        pitch_angle_table: NDArray[np.float64] | None = None,
        seen: Measured | None = None,
    ) -> Pads:
        """PADs on the model's grid; `seen` is what the flux measured, where that is known.

        A `Piece` has all four.
        """
        return prepare(
            flux, energy_table, pitch_angle_table, self.grid, self.settings, self.features, seen
        )

    def rows(self, pads: Pads) -> Floats:
        """Rows of features, normalised."""
        return self._in_use(pads.normalised())

    def rows_with_divisors(self, pads: Pads) -> tuple[Floats, Floats | None]:
        """Rows of features, and what is left to divide each by: what `encode` and `reduce` take."""
        values, over = pads.with_divisors()
        return self._in_use(values), over

    def _in_use(self, values: Floats) -> Floats:
        rows = values.reshape(len(values), self.features.size)
        return rows if self.features.all() else rows[:, self.features.ravel()]

    def flags(self, pads: Pads) -> NDArray[np.int8]:
        """Why each record is usable or not, by this model's features."""
        return record_flags(
            pads.n_measured,
            pads.n_positive,
            pads.bad_axis,
            n_features=int(self.features.sum()),
            min_coverage=self.settings.min_coverage,
            min_positive=self.settings.min_positive,
        )

    def predict_rows(
        self,
        flux: Floats,
        energy_table: NDArray[np.float64] | None = None,
        pitch_angle_table: NDArray[np.float64] | None = None,
        *,
        limits: Limits = CLEAN,
        with_error: bool = True,
    ) -> Floats:
        """Everything about each record in one array, so that a lazy graph has one task a block.

        Returns
        -------
        (records, 3 + components) float32
            Columns label, flag, error (root mean square over measured bins; NaN without
            `with_error`), components; label -1 and NaN where the record is unusable.
        """
        out = np.empty((len(flux), 3 + self.n_components), dtype=np.float32)
        for at, piece in pieces(flux, energy_table, pitch_angle_table, limits):
            out[at] = self.columns(self.pads(*piece), with_error=with_error)
        return out

    def columns(self, pads: Pads, *, with_error: bool = True) -> Floats:
        """The same of PADs on the grid."""
        flags, parts = self.flags(pads), self.rows_with_divisors(pads)
        out = np.empty((len(flags), 3 + self.n_components), dtype=np.float32)
        if with_error:
            components, squares = self.reduce(*parts)
            out[:, 2] = np.sqrt(squares / np.maximum(pads.n_measured, 1))
        else:
            components = self.project(self.encode(*parts))
            out[:, 2] = np.nan
        out[:, 0] = self.assign(components)
        out[:, 1] = flags
        out[:, 3:] = components
        unusable = flags != OK
        out[unusable, 0] = -1
        out[unusable, 2:] = np.nan
        return out


def _divided(rows: Floats, over: Floats | None) -> Floats:
    return rows if over is None else rows / over[:, None]


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


def _model(groups: Mapping[str, xr.Dataset], stated: Mapping[str, Any]) -> Model:
    from xpad.stages.encoders.dense import Autoencoder
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
