"""The evidence for the number of clusters."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np
import xarray as xr

from xpad.errors import RolesError
from xpad.plot import style
from xpad.roles.recognise import as_dataset

if TYPE_CHECKING:
    from matplotlib.axes import Axes

SCORES = {
    "calinski_harabasz": "Calinski–Harabasz\n(higher is better)",
    "davies_bouldin": "Davies–Bouldin\n(lower is better)",
    "inertia": "inertia\n(within clusters)",
}


def plot_k(
    out: xr.Dataset,
    evidence: xr.Dataset | None = None,
    axes: Sequence[Axes] | np.ndarray | None = None,
    prefix: str = "pad",
) -> np.ndarray:
    """Draw what speaks for a number of clusters, and mark the one that was chosen.

    Parameters
    ----------
    out : xarray.Dataset
        What ``cluster`` or ``predict`` returned, or the evidence itself.
    evidence : xarray.Dataset, optional
        What ``estimate_k`` returned: ``n_modes`` and ``bandwidth`` over ``quantile``;
        ``calinski_harabasz``, ``davies_bouldin`` and ``inertia`` over ``k``; attribute ``k``,
        the number chosen. By default it is computed from the components in `out`.
    axes : sequence of matplotlib.axes.Axes, optional
        Panels to draw in, one for the modes and one a score; a new figure by default.
    prefix : str
        How the names of the results in `out` begin.

    Returns
    -------
    numpy.ndarray of matplotlib.axes.Axes
        The number of modes against the quantile that sets the bandwidth, then the scores that
        `evidence` holds against k.

    Raises
    ------
    RolesError
        If there is neither evidence nor components.
    OptionError
        If there are too few panels.

    Examples
    --------
    >>> import xarray as xr, xpad, matplotlib.pyplot as plt
    >>> evidence = xr.Dataset(
    ...     {"n_modes": ("quantile", [9, 4]), "bandwidth": ("quantile", [0.1, 0.3]),
    ...      "davies_bouldin": ("k", [0.9, 0.7, 0.8])},
    ...     coords={"quantile": [0.05, 0.1], "k": [3, 4, 5]}, attrs={"k": 4})
    >>> panels = xpad.plot.plot_k(evidence)
    >>> [panel.get_xlabel() for panel in panels]
    ['quantile', 'number of clusters k']
    >>> plt.close(panels[0].figure)
    """
    evidence = as_dataset(out if evidence is None else evidence)
    if "n_modes" not in evidence:
        evidence = _evidence_of(evidence, prefix)
    scores = [name for name in SCORES if name in evidence]
    needed = 1 + len(scores)
    if axes is None:
        columns = min(needed, 2)
        rows = -(-needed // columns)
        _, grid = style.new_panels(rows, columns, (style.PAGE_WIDTH, 0.2 + 1.9 * rows))
        panels = grid.ravel()[:needed]
        for unused in grid.ravel()[needed:]:
            unused.remove()
    else:
        panels = style.given_panels(axes, needed)
    chosen = evidence.attrs.get("k")
    _modes(panels[0], evidence, chosen)
    for ax, name in zip(panels[1:], scores, strict=True):
        _score(ax, evidence[name], chosen, SCORES[name])
    return panels


def _evidence_of(out: xr.Dataset, prefix: str) -> xr.Dataset:
    from xpad.diagnostics.k import evidence_of_result

    if f"{prefix}_pc" not in out:
        raise RolesError(
            f"this Dataset has no {prefix}_pc to draw the evidence for k from: run "
            "out = ds.pad.cluster() and then out.pad.plot.k(), or give it the evidence that "
            "ds.pad.estimate_k(model) returns"
        )
    return evidence_of_result(out, prefix)


def _modes(ax: Axes, evidence: xr.Dataset, chosen: int | None) -> None:
    """Number of modes against quantile, each point with its bandwidth."""
    quantile, modes = evidence["quantile"].values, evidence["n_modes"].values
    ax.plot(quantile, modes, color="#0072B2", lw=1.2, marker="o", ms=3.5)
    if "bandwidth" in evidence:
        few = np.linspace(0, quantile.size - 1, min(quantile.size, 6)).round().astype(int)
        for at in np.unique(few):
            ax.annotate(
                f"{float(evidence['bandwidth'][at]):.2g}", (quantile[at], modes[at]), fontsize=6,
                xytext=(2, 4), textcoords="offset points", color="0.35", zorder=3,
                bbox={"boxstyle": "square,pad=0.1", "fc": "white", "ec": "none", "alpha": 0.8},
            )  # fmt: skip
        ax.set_title("numbers: bandwidth", fontsize=7, color="0.35", loc="right", pad=2)
    if chosen is not None:
        ax.axhline(int(chosen), color="#D55E00", lw=1.0, ls="--", zorder=0.9)
        ax.text(
            0.98, int(chosen), f"k = {int(chosen)}", transform=ax.get_yaxis_transform(),
            ha="right", va="bottom", fontsize=7, color="#D55E00",
        )  # fmt: skip
    style.whole_number_ticks(ax.yaxis)
    ax.margins(x=0.08, y=0.15)
    ax.set_xlabel("quantile", fontsize=8)
    ax.set_ylabel("modes found", fontsize=8)
    style.small_text(ax)


def _score(ax: Axes, score: xr.DataArray, chosen: int | None, text: str) -> None:
    """One score against k, the chosen k marked on it."""
    ks, values = score["k"].values, score.values
    ax.plot(ks, values, color="#0072B2", lw=1.2, marker="o", ms=3.5)
    if chosen is not None:
        ax.axvline(int(chosen), color="#D55E00", lw=1.0, ls="--", zorder=0.9)
        at = np.flatnonzero(ks == int(chosen))
        ax.plot(ks[at], values[at], ls="", marker="o", ms=6, color="#D55E00")
    style.whole_number_ticks(ax.xaxis)
    ax.ticklabel_format(axis="y", style="sci", scilimits=(-3, 4), useMathText=True)
    ax.yaxis.get_offset_text().set_fontsize(7)
    ax.set_xlabel("number of clusters k", fontsize=8)
    ax.set_ylabel(text, fontsize=8)
    style.small_text(ax)
