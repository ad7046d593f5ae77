"""The fitted pipeline: what `fit` learned, and what it does to rows of PADs."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import numpy as np
import xarray as xr
from numpy.typing import NDArray

from xpad.clean import CLEAN, Limits
from xpad.measured import Measured
from xpad.pads import Pads, prepare
from xpad.presets import Settings
from xpad.regrid import Grid, pieces
from xpad.usable import OK, record_flags

if TYPE_CHECKING:
    import os

    from xpad.stages.autoencoder import Autoencoder
    from xpad.stages.pca import PCA

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
        from xpad.store import save_model

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
        from xpad.stages import autoencoder

        return autoencoder.encode(self.autoencoder, rows, over)

    def project(self, encoded: Floats) -> Floats:
        """Principal components (records, components) of encoded rows."""
        from xpad.stages import pca

        return pca.project(self.pca, encoded)

    def assign(self, components: Floats) -> NDArray[np.int16]:
        """Nearest centre of each row of components."""
        from xpad.stages import kmeans

        return kmeans.assign(self.centres, components)

    def reduce(self, rows: Floats, over: Floats | None = None) -> tuple[Floats, Floats]:
        """Components of rows, and the squared error of their reconstruction over measured bins.

        The reconstruction is the autoencoder's, or without one that of the components. It is most
        of the work: `project` the `encode`d rows where nobody asks for the error.
        """
        if self.autoencoder is not None:
            from xpad.stages import autoencoder

            encoded, error = autoencoder.encode_with_error(self.autoencoder, rows, over)
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
