"""The autoencoder of the published method as an encoder: one hidden layer, densely connected."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Self

import xarray as xr

from xpad.settings import Settings
from xpad.stages import pca
from xpad.stages.encoders import dense
from xpad.stages.encoders.base import Checkpoint, Encoder, Floats
from xpad.stages.encoders.rows import History, Rows

OPTIMISERS: dict[str, dict[str, str]] = {
    "published": {"optimiser": "adam", "schedule": "constant"},
    "fast": {"optimiser": "muon", "schedule": "onecycle"},
}
"""What makes a step, for each value of the setting ``training``."""

_WEIGHTS = {
    "encoder_kernel": ("feature", "hidden"),
    "encoder_bias": ("hidden",),
    "decoder_kernel": ("hidden", "feature"),
    "decoder_bias": ("feature",),
    "fill": ("feature",),
}


@dataclass(frozen=True, eq=False)
class DenseEncoder(Encoder):
    """The hidden units of an autoencoder (Killey et al. 2023, doi:10.1093/rasti/rzad035).

    Attributes
    ----------
    network : dense.Autoencoder
    """

    learns = True
    network: dense.Autoencoder

    @classmethod
    def width(cls, n_features: int, settings: Settings) -> int:
        """Hidden units."""
        return dense.width_of(n_features, settings.n_hidden)

    @classmethod
    def train(
        cls,
        rows: Rows,
        validation: Rows,
        settings: Settings,
        *,
        bounded: bool,
        progress: Callable[[int, float, float], None] | None = None,
        save: Callable[[Checkpoint], None] | None = None,
        resume: Checkpoint | None = None,
    ) -> tuple[Self, History | None]:
        """Train the network; see `xpad.stages.encoders.train.train`."""
        from xpad.stages.encoders.train import train

        network, history = train(
            rows,
            validation,
            n_hidden=settings.n_hidden,
            output="sigmoid" if bounded else "linear",
            masked=settings.missing == "mask",
            epochs=settings.epochs,
            batch_size=settings.batch_size,
            learning_rate=settings.learning_rate,
            patience=settings.patience,
            restore_best=settings.restore_best,
            min_steps=settings.min_steps,
            random_state=settings.seed("encoder"),
            **OPTIMISERS[settings.training],
            progress=progress,
            save=save,
            resume=resume,
        )
        return cls(network), history

    def encode(self, rows: Floats, over: Floats | None = None) -> Floats:
        """The hidden units' values."""
        return dense.encode(self.network, rows, over)

    def reduce(
        self, rows: Floats, over: Floats | None, components: pca.PCA
    ) -> tuple[Floats, Floats]:
        """Components of the hidden units, and the squared error of the network's output."""
        encoded, error = dense.encode_with_error(self.network, rows, over)
        return pca.project(components, encoded), error

    def to_node(self) -> xr.Dataset:
        """As plain arrays, for a store."""
        weights = {name: (dims, getattr(self.network, name)) for name, dims in _WEIGHTS.items()}
        return xr.Dataset(
            weights, attrs={"output": self.network.output, "masked": int(self.network.masked)}
        )

    @classmethod
    def from_node(cls, node: xr.Dataset) -> Self:
        """The inverse of `to_node`."""
        weights: dict[str, Any] = {name: node[name].values for name in _WEIGHTS}
        output, masked = str(node.attrs["output"]), bool(node.attrs["masked"])
        return cls(dense.Autoencoder(**weights, output=output, masked=masked))
