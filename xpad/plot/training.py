"""Loss curves of the autoencoder."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import xarray as xr

from xpad.errors import OptionError, RolesError
from xpad.plot import style

if TYPE_CHECKING:
    from matplotlib.axes import Axes


def plot_training(out: Any, ax: Axes | None = None, prefix: str = "pad") -> Axes:
    """Draw training and validation loss over the epochs.

    Parameters
    ----------
    out : xarray.Dataset or Model
        What ``cluster`` returned (``pad_loss``, ``pad_val_loss``), a model with a ``history``,
        or that history (``loss``, ``val_loss``).
    ax : matplotlib.axes.Axes, optional
        Where to draw; a new figure by default.
    prefix : str
        How the names of the results begin.

    Returns
    -------
    matplotlib.axes.Axes
        With a log axis of the loss, and marks at the epoch with the lowest validation loss and
        at the last one, whose weights the published method keeps.

    Raises
    ------
    RolesError
        If there are no results at all.
    OptionError
        If the results were made without an autoencoder (``encoder=None``).

    Examples
    --------
    >>> import xarray as xr, xpad, matplotlib.pyplot as plt
    >>> out = xr.Dataset({"pad_loss": ("pad_epoch", [3.0, 2.0, 1.5]),
    ...                   "pad_val_loss": ("pad_epoch", [3.1, 2.2, 2.4])})
    >>> ax = xpad.plot.plot_training(out)
    >>> [text.get_text() for text in ax.get_legend().get_texts()]
    ['training', 'validation', 'lowest: 2.2 at epoch 2', 'last: 2.4 at epoch 3']
    >>> plt.close(ax.figure)
    """
    epochs, loss, validation = _history(out, prefix)
    if ax is None:
        _, grid = style.new_panels(1, 1, (style.PAGE_WIDTH / 2, 2.6))
        ax = grid[0, 0]
    ax.plot(epochs, loss, color="0.45", lw=1.2, ls="--", label="training")
    ax.plot(epochs, validation, color="#0072B2", lw=1.4, label="validation")
    best = int(np.nanargmin(validation)) if np.isfinite(validation).any() else None
    if best is not None:
        _mark(ax, epochs[best], validation[best], "lowest", "*", 9.0)
    _mark(ax, epochs[-1], validation[-1], "last", "s", 4.5)
    if (np.concatenate([loss, validation]) > 0).any():
        ax.set_yscale("log")
        _loss_ticks(ax)
    style.whole_number_ticks(ax.xaxis)
    ax.set_xlabel("epoch", fontsize=8)
    ax.set_ylabel("loss (mean squared error)", fontsize=8)
    ax.legend(fontsize=7, frameon=False)
    style.small_text(ax)
    return ax


def _history(obj: Any, prefix: str) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Epochs, training loss and validation loss, all of shape (epochs,)."""
    source = obj if isinstance(obj, xr.Dataset) else getattr(obj, "history", None)
    source = xr.Dataset() if source is None else source
    names = [(f"{prefix}_loss", f"{prefix}_val_loss"), ("loss", "val_loss")]
    found = [pair for pair in names if all(name in source for name in pair)]
    if not found or source[found[0][0]].size == 0:
        made = not isinstance(obj, xr.Dataset) or f"{prefix}_label" in obj
        if made:
            raise OptionError(
                "there is no autoencoder, so there are no loss curves: these results were made "
                "with encoder=None"
            )
        raise RolesError(
            f"this Dataset has no variables {prefix}_loss and {prefix}_val_loss: "
            "run out = ds.pad.cluster() and use what it returns"
        )
    loss, validation = (source[name] for name in found[0])
    (dim,) = loss.dims
    epochs = loss[dim].values if dim in loss.coords else np.arange(1, loss.size + 1)
    return np.asarray(epochs), np.asarray(loss.values, float), np.asarray(validation.values, float)


def _mark(ax: Axes, epoch: float, value: float, what: str, marker: str, size: float) -> None:
    ax.plot(
        [epoch], [value], ls="", marker=marker, ms=size, color="#D55E00", mec="white", mew=0.5,
        label=f"{what}: {value:.3g} at epoch {int(epoch)}", zorder=3,
    )  # fmt: skip


def _loss_ticks(ax: Axes) -> None:
    """Readable ticks where the losses span less than a decade or two, as they mostly do."""
    low, high = ax.get_ylim()
    if high / low < 100:
        from matplotlib.ticker import FuncFormatter, LogLocator, NullFormatter

        fine = (1, 1.5, 2, 3, 5, 7) if high / low < 10 else (1, 2, 5)
        ax.yaxis.set_major_locator(LogLocator(subs=fine))
        ax.yaxis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:.2g}"))
        ax.yaxis.set_minor_formatter(NullFormatter())
