"""The fitted steps in a row: from records on a grid to labels."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from xpad.pads.prepare import Pads, Preparation
from xpad.stages import pca
from xpad.stages.encoders import Encoder
from xpad.stages.labellers import Labeller

Floats = NDArray[np.float32]

UNUSABLE = -1
"""Label of a record that cannot be used."""


@dataclass(frozen=True, eq=False)
class Pipeline:
    """What a fit learned of each step.

    Attributes
    ----------
    preparation : Preparation
        Grid, bins in use and normalisation: records to rows.
    encoder : Encoder
        Rows to encodings.
    components : pca.PCA
        Encodings to principal components.
    labeller : Labeller
        Components to labels.
    """

    preparation: Preparation
    encoder: Encoder
    components: pca.PCA
    labeller: Labeller

    @property
    def n_components(self) -> int:
        """Number of principal components."""
        return len(self.components.components)

    @property
    def n_encoded(self) -> int:
        """Width of the encoding; of the features where there is no autoencoder."""
        return int(self.components.mean.size)

    def results(self, pads: Pads, *, with_error: bool = True) -> dict[str, NDArray[Any]]:
        """Everything about each record, by name; what stands where the flag is not OK means nothing.

        Returns
        -------
        dict
            ``label`` (records,) int16; ``flag`` (records,) int8; ``error`` (records,) float32, the root
            mean square over measured bins, NaN without `with_error`; ``pc`` (records, components).
        """
        rows, over = self.preparation.rows_with_divisors(pads)
        if with_error:
            components, squares = self.encoder.reduce(rows, over, self.components)
            error = np.sqrt(squares / np.maximum(pads.n_measured, 1)).astype(np.float32)
        else:
            components = pca.project(self.components, self.encoder.encode(rows, over))
            error = np.full(len(components), np.float32(np.nan))
        flag, label = self.preparation.flags(pads), self.labeller.assign(components)
        return {"label": label, "flag": flag, "error": error, "pc": components}
