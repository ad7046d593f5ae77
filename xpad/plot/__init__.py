"""Pictures of the results: each a function that returns matplotlib axes.

Matplotlib is imported when the first picture is drawn. No picture shows itself, changes
matplotlib's settings, or makes a figure where it is given axes.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
import xarray as xr

from xpad.plot.catalogue import plot_catalogue
from xpad.plot.components import plot_components
from xpad.plot.k import plot_k
from xpad.plot.labels import plot_labels
from xpad.plot.training import plot_training
from xpad.results.read import require_result

if TYPE_CHECKING:
    from matplotlib.axes import Axes

__all__ = [
    "PadPlots",
    "plot_catalogue",
    "plot_components",
    "plot_k",
    "plot_labels",
    "plot_training",
]


class PadPlots:
    """The pictures of one Dataset: what ``out.pad.plot`` is.

    Parameters
    ----------
    obj : xarray.Dataset
        What ``cluster`` or ``predict`` returned.
    prefix : str
        How the names of the results in it begin; each method can be told another.

    Examples
    --------
    >>> import xarray as xr, matplotlib.pyplot as plt
    >>> out = xr.Dataset({"pad_loss": ("pad_epoch", [3.0, 2.0]),
    ...                   "pad_val_loss": ("pad_epoch", [3.1, 2.2])})
    >>> ax = PadPlots(out).training()
    >>> plt.close(ax.figure)
    """

    def __init__(self, obj: xr.Dataset, prefix: str = "pad") -> None:
        self._obj = obj
        self._prefix = prefix

    def __repr__(self) -> str:
        """List the pictures."""
        return "pictures: .catalogue() .labels() .components() .training() .k(evidence)"

    def catalogue(
        self,
        flux: xr.DataArray | None = None,
        axes: Sequence[Axes] | np.ndarray | None = None,
        *,
        prefix: str | None = None,
        **options: Any,
    ) -> np.ndarray:
        """Draw the mean PAD of every cluster; see `plot_catalogue`."""
        return plot_catalogue(self._obj, flux, axes, prefix or self._prefix, **options)

    def labels(
        self,
        flux: xr.DataArray | None = None,
        axes: Sequence[Axes] | np.ndarray | None = None,
        *,
        prefix: str | None = None,
        **options: Any,
    ) -> np.ndarray:
        """Draw the labels over time, under the flux; see `plot_labels`."""
        return plot_labels(self._obj, flux, axes, prefix or self._prefix, **options)

    def components(
        self,
        axes: Sequence[Axes] | np.ndarray | None = None,
        *,
        prefix: str | None = None,
        **options: Any,
    ) -> np.ndarray:
        """Draw the components, coloured by cluster; see `plot_components`."""
        return plot_components(self._obj, axes, prefix or self._prefix, **options)

    def training(self, ax: Axes | None = None, *, prefix: str | None = None) -> Axes:
        """Draw the loss curves; see `plot_training`."""
        return plot_training(self._obj, ax, prefix or self._prefix)

    def k(
        self,
        evidence: xr.Dataset | None = None,
        axes: Sequence[Axes] | np.ndarray | None = None,
        *,
        prefix: str | None = None,
    ) -> np.ndarray:
        """Draw the evidence for k; see `plot_k`.

        Without `evidence` (what ``estimate_k`` returns) it is computed from the components in
        this Dataset.
        """
        prefix = prefix or self._prefix
        if evidence is None:
            evidence = self._obj
        if "n_modes" not in evidence:
            require_result(evidence, "pc", prefix)
            from xpad.diagnostics.k import evidence_of_result

            evidence = evidence_of_result(evidence, prefix)
        return plot_k(evidence, axes)
