"""Pictures of the results: each a function that returns matplotlib axes.

Matplotlib is imported when the first picture is drawn. No picture shows itself, changes
matplotlib's settings, or makes a figure where it is given axes.
"""

from __future__ import annotations

import xarray as xr

from xpad.methods import Method
from xpad.plot.catalogue import plot_catalogue
from xpad.plot.components import plot_components
from xpad.plot.k import plot_k
from xpad.plot.labels import plot_labels
from xpad.plot.training import plot_training

__all__ = [
    "PadPlots",
    "plot_catalogue",
    "plot_components",
    "plot_k",
    "plot_labels",
    "plot_training",
]


def __dir__() -> list[str]:
    return list(__all__)


class PadPlots:
    """The pictures of one Dataset: what ``out.pad.plot`` is.

    Parameters
    ----------
    obj : xarray.Dataset
        What ``cluster`` or ``predict`` returned.

    Examples
    --------
    >>> import xarray as xr, xpad, matplotlib.pyplot as plt
    >>> out = xr.Dataset({"pad_loss": ("pad_epoch", [3.0, 2.0]),
    ...                   "pad_val_loss": ("pad_epoch", [3.1, 2.2])})
    >>> ax = out.pad.plot.training()
    >>> plt.close(ax.figure)
    """

    _form = "As a method, ``{obj}.pad.plot.{method}(…)`` is ``xpad.plot.{function}({obj}, …)``."

    def __init__(self, obj: xr.Dataset) -> None:
        self._obj = obj

    def __repr__(self) -> str:
        """List the pictures."""
        return "pictures: .catalogue() .labels() .components() .training() .k()"

    catalogue = Method(lambda: plot_catalogue)
    labels = Method(lambda: plot_labels)
    components = Method(lambda: plot_components)
    training = Method(lambda: plot_training)
    k = Method(lambda: plot_k)
