"""What a fit learned."""

from __future__ import annotations

import json
import os
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import xarray as xr
from numpy.typing import NDArray

from xpad.errors import OptionError
from xpad.model.pipeline import Pipeline
from xpad.pads.grid import Grid
from xpad.roles.ours import MODEL_FORMAT
from xpad.settings import Settings
from xpad.stages.k_rules import KRule
from xpad.storage.trees import digest, save_tree

FORMAT_VERSION = 2


@dataclass(frozen=True, eq=False, repr=False)
class Model:
    """A fitted pipeline: what `xpad.fit` returns and `xpad.predict` applies.

    Two models are equal where all that they hold is, to the bit.

    Attributes
    ----------
    preset : str
        Name of the parameter set it began from.
    settings : Settings
        Every setting.
    scores : dict
        ``calinski_harabasz`` and ``davies_bouldin`` of the labels of the rule for k and of the
        clusters.
    history : xarray.Dataset
        ``loss`` and ``val_loss`` over ``pad_epoch``; empty without autoencoder.
    provenance : dict
        xpad's and the libraries' versions, the identity of the input, and its split.
    pipeline : Pipeline
        The fitted steps, for those who extend xpad.
    rule : KRule
        What the rule for the number of clusters found, for those who extend xpad.

    References
    ----------
    Killey et al. (2023), RASTI 2, 548, doi:10.1093/rasti/rzad035.

    Examples
    --------
    >>> import xpad
    >>> model = xpad.fit(xpad.simulate(days=0.5), encoder=None, k=6, progress=False)
    >>> model.k, model.centres.shape, model.grid.shape
    (6, (6, 3), (12, 17))
    """

    preset: str
    settings: Settings
    pipeline: Pipeline
    rule: KRule
    scores: dict[str, dict[str, float]]
    history: xr.Dataset
    provenance: dict[str, Any] = field(default_factory=dict)

    @property
    def grid(self) -> Grid:
        """Energies and pitch angles (degrees) that PADs are put on."""
        return self.pipeline.preparation.grid

    @property
    def features(self) -> NDArray[np.bool_]:
        """Bins that were ever measured, (energy, pitch_angle); the others are left out."""
        return self.pipeline.preparation.features

    @property
    def k(self) -> int:
        """Number of clusters."""
        return len(self.centres)

    @property
    def n_components(self) -> int:
        """Number of principal components."""
        return self.pipeline.n_components

    @property
    def explained_variance_ratio(self) -> NDArray[np.float64]:
        """Share of the encodings' variance that each component has, (components,)."""
        return self.pipeline.components.explained_variance_ratio

    @property
    def bandwidth(self) -> float:
        """Radius of the mean shift, in units of the components."""
        return self.rule.bandwidth

    @property
    def modes(self) -> NDArray[np.float64]:
        """Mean-shift modes, (modes, components), the most populated first."""
        return self.rule.modes

    @property
    def mode_counts(self) -> NDArray[np.int64]:
        """Fitted records nearest to each mode, (modes,); empty in a model of an older version."""
        return self.rule.counts

    @property
    def centres(self) -> NDArray[np.float64]:
        """Cluster centres, (k, components); 0 is the largest cluster among the fitted records."""
        return self.pipeline.labeller.centres

    @property
    def counts(self) -> NDArray[np.int64]:
        """Fitted records in each cluster, (k,)."""
        return self.pipeline.labeller.counts

    def save(
        self,
        path: str | os.PathLike[str],
        *,
        overwrite: bool = False,
        storage_options: Mapping[str, Any] | None = None,
    ) -> None:
        """Write the model to a Zarr store, which `xpad.load_model` reads.

        Parameters
        ----------
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
        ...     xpad.load_model(f"{folder}/rept.zarr") == model
        True
        """
        save_tree(self.to_tree(), path, overwrite=overwrite, storage_options=storage_options)

    def to_tree(self) -> xr.DataTree:
        """The model as a DataTree: one node for each step, and JSON and a checksum at the root."""
        p = self.pipeline
        nodes = {
            "/grid": p.preparation.to_node(),
            "/encoder": p.encoder.to_node(),
            "/components": p.components.to_node(),
            "/k": self.rule.to_node(),
            "/labeller": p.labeller.to_node(),
            "/history": self.history,
        }
        stated = {
            "format": MODEL_FORMAT,
            "format_version": FORMAT_VERSION,
            "preset": self.preset,
            "settings": json.dumps(self.settings.as_dict()),
            "scores": json.dumps(self.scores),
            "provenance": json.dumps(self.provenance),
        }
        root = xr.Dataset(attrs={**stated, "sha256": digest(nodes, stated)})
        return xr.DataTree.from_dict({"/": root, **nodes})

    @property
    def digest(self) -> str:
        """A checksum over everything that the model holds."""
        return str(self.to_tree().attrs["sha256"])

    def __eq__(self, other: object) -> bool:
        return self.digest == other.digest if isinstance(other, Model) else NotImplemented

    __hash__ = None  # type: ignore[assignment]  # what it holds can be changed, and its digest with it

    def __repr__(self) -> str:
        shares = ", ".join(f"{c / self.counts.sum():.0%}" for c in self.counts)
        return (
            f"<xpad.Model {self.preset}: {self.k} clusters of {int(self.counts.sum()):,} fitted records "
            f"({shares})>\n"
            f"    grid         {self.grid}\n"
            f"    features     {int(self.features.sum())} of {self.features.size} bins\n"
            f"    autoencoder  {self._training()}\n"
            f"    components   {self.n_components}, explaining "
            f"{float(self.explained_variance_ratio.sum()):.1%} of the variance\n"
            f"    mean shift   {len(self.modes)} modes at bandwidth {self.bandwidth:.4g}{self._held()}"
        )

    def _held(self) -> str:
        counts = ", ".join(f"{n:,}" for n in self.mode_counts)
        return f", with {counts} records" if counts else ""

    def _training(self) -> str:
        if not self.pipeline.encoder.learns:
            return "none"
        n, epochs = int(self.features.sum()), self.history.sizes["pad_epoch"]
        told = f"{n} → {self.pipeline.n_encoded} → {n}, {epochs} epochs"
        if epochs:
            told += f", validation loss {float(self.history.val_loss[-1]):.3g}"
        return told


def require_model(model: object) -> None:
    """Refuse what is no model, such as the path of one.

    Raises
    ------
    OptionError
    """
    if not isinstance(model, Model):
        raise OptionError(
            f"model is a {type(model).__name__}; give what ds.pad.fit() or xpad.load_model(path) returned"
        )
