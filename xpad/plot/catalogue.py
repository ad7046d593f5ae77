"""The catalogue: one panel a cluster, one line an energy."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
import xarray as xr

from xpad.errors import OptionError
from xpad.plot import style
from xpad.statistics.catalogue import catalogue

if TYPE_CHECKING:
    from matplotlib.axes import Axes

MANY_ENERGIES = 20  # more have thinner lines and no dots
DIRECT_LEGEND = 6  # so many energies are named in a legend; more get a colour bar
FAINT = 0.25


def plot_catalogue(
    out: xr.Dataset,
    flux: xr.DataArray | None = None,
    axes: Sequence[Axes] | np.ndarray | None = None,
    prefix: str = "pad",
    *,
    min_positive: float = 0.1,
) -> np.ndarray:
    """Draw the mean PAD of every cluster, each energy over its own maximum.

    Parameters
    ----------
    out : xarray.Dataset
        What ``cluster`` or ``predict`` returned, or what ``catalogue`` did.
    flux : xarray.DataArray, optional
        Canonical flux, dims (record dims…, energy, pitch_angle); by default that of `out`, or
        the catalogue that `out` holds.
    axes : sequence of matplotlib.axes.Axes, optional
        Panels to draw in, at least one a cluster; a new figure by default.
    prefix : str
        How the names of the results in `out` begin.
    min_positive : float
        An energy is drawn faint in a cluster where, in its middle pitch-angle bin in order of
        signal, a smaller share of the measured values than this is positive: its mean then
        comes from a few records and is not what most of them look like.

    Returns
    -------
    numpy.ndarray of matplotlib.axes.Axes
        Shape (number of clusters,), in the order of the labels.

    Raises
    ------
    RolesError
        If `out` has no labels, or no flux and no catalogue.
    OptionError
        If `axes` holds too few panels, or there is no cluster.

    Notes
    -----
    Lines are the mean of the records' PADs, each over its own maximum (Killey et al. 2023,
    doi 10.1093/rasti/rzad035), and then each energy over its largest value, so that shapes of
    energies with very different fluxes can be compared. A bin that was never measured is a gap.

    Examples
    --------
    >>> import numpy as np, xarray as xr, xpad, matplotlib.pyplot as plt
    >>> flux = xr.DataArray(np.ones((4, 1, 3)), dims=("time", "energy", "pitch_angle"),
    ...                     coords={"energy": [1.0], "pitch_angle": [30.0, 90.0, 150.0]})
    >>> out = xr.Dataset({"pad_label": ("time", [0, 0, 0, 1])})
    >>> panels = xpad.plot.plot_catalogue(out, flux)
    >>> panels[0].get_title()
    '0 · 3 records · 75 %'
    >>> plt.close(panels[0].figure)
    """
    entries = catalogue(out, flux, prefix=prefix)
    mean = entries[f"{prefix}_mean"].transpose(f"{prefix}_cluster", "energy", "pitch_angle")
    k = mean.sizes[f"{prefix}_cluster"]
    if k == 0:
        raise OptionError("the catalogue holds no cluster: there is nothing to draw")
    angles = np.asarray(mean["pitch_angle"].values, dtype=np.float64)
    energies, energy_units = style.energies_of(mean)
    lines = over_own_maximum(mean.values)
    faint = _faint(entries, prefix, min_positive, lines.shape[:2])
    counts, shares = entries[f"{prefix}_count"].values, entries[f"{prefix}_share"].values

    own_figure = axes is None
    columns = k if k <= 3 else 4 if k > 9 or k in (4, 7, 8) else 3
    rows = -(-k // columns)
    if axes is None:
        page = style.PAGE_WIDTH if k > 2 else 3.8 * k
        figure, grid = style.new_panels(
            rows, columns, (page, 0.6 + 1.65 * rows), sharex=True, sharey=True
        )
        panels = grid.ravel()[:k]
        for unused in grid.ravel()[k:]:
            unused.remove()
    else:
        panels = style.given_panels(axes, k)
        figure = panels[0].figure

    colour_map, norm = style.energy_scale(energies)
    colours = colour_map(norm(energies) if energies.size > 1 else np.zeros(1))
    width, marker = (0.6, ",") if energies.size > MANY_ENERGIES else (1.0, "o")
    for label, ax in enumerate(panels):
        for row in range(energies.size):
            ax.plot(
                angles, lines[label, row], color=colours[row], lw=width, marker=marker, ms=1.8,
                alpha=FAINT if faint[label, row] else 1.0, label=_energy_text(energies[row]),
                zorder=1.5 if faint[label, row] else 2.0,
            )  # fmt: skip
        if counts[label] == 0:
            ax.text(0.5, 0.5, "no records", transform=ax.transAxes, fontsize=8, ha="center")
        _dress(ax, label, int(counts[label]), float(shares[label]), angles)
        below = own_figure and label + columns >= k
        if below or not own_figure:
            ax.set_xlabel("pitch angle (°)", fontsize=8)
            ax.tick_params(labelbottom=True)
        if label % columns == 0 or not own_figure:
            ax.set_ylabel("flux / own maximum", fontsize=8)
    if energies.size > 1:
        _energy_key(figure, panels, rows, energies, energy_units, bool(faint.any()), min_positive)
    return panels


def over_own_maximum(mean: np.ndarray) -> np.ndarray:
    """Divide each cluster's energies by their largest value; NaN where none is positive.

    Parameters
    ----------
    mean : numpy.ndarray
        Shape (cluster, energy, pitch_angle).

    Returns
    -------
    numpy.ndarray
        float64, same shape.

    Examples
    --------
    >>> import numpy as np
    >>> over_own_maximum(np.array([[[1.0, 2.0], [0.0, 0.0]]])).tolist()
    [[[0.5, 1.0], [nan, nan]]]
    """
    mean = np.asarray(mean, dtype=np.float64)
    largest = np.fmax.reduce(mean, axis=-1, keepdims=True)
    return mean / np.where(largest > 0, largest, np.nan)


def _faint(
    entries: xr.Dataset, prefix: str, min_positive: float, shape: tuple[int, ...]
) -> np.ndarray:
    """Which (cluster, energy) rest on too few positive values; none where that is not known."""
    name = f"{prefix}_positive"
    if name not in entries:
        return np.zeros(shape, dtype=bool)
    share = entries[name].transpose(f"{prefix}_cluster", "energy", "pitch_angle").values
    measured = ~np.isnan(share).all(axis=-1)
    middle = np.zeros(shape)
    middle[measured] = np.nanmedian(share[measured], axis=-1)
    return middle < min_positive


def _dress(ax: Axes, label: int, count: int, share: float, angles: np.ndarray) -> None:
    """Title, ticks, limits and the cluster's colour along the top of its panel."""
    ax.set_title(
        f"{label} · {count:,} record{'s' * (count != 1)} · {style.share_text(share)}", fontsize=7.5
    )
    ax.spines["top"].set(color=style.cluster_colour(label), linewidth=3.0)
    folded = angles.max() <= 90.0
    ax.set_xlim(0, 90 if folded else 180)
    ax.set_xticks([0, 30, 60, 90] if folded else [0, 45, 90, 135, 180])
    ax.set_ylim(0.0, 1.08)
    ax.set_yticks([0.0, 0.5, 1.0])
    style.small_text(ax)


def _energy_text(energy: float) -> str:
    return f"{energy:.3g}" if energy < 1000 else f"{energy:,.0f}"


def _energy_key(
    figure: Any,
    panels: np.ndarray,
    rows: int,
    energies: np.ndarray,
    units: str,
    any_faint: bool,
    min_positive: float,
) -> None:
    """A legend where the energies are few, a colour bar where they are many."""
    from matplotlib.cm import ScalarMappable
    from matplotlib.lines import Line2D

    colour_map, norm = style.energy_scale(energies)
    title = style.labelled("energy" if units else "energy channel", units)
    note = f"faint: < {style.share_text(min_positive)} of values positive" if any_faint else ""
    if energies.size <= DIRECT_LEGEND:
        handles = [
            Line2D([], [], color=colour_map(norm(e)), lw=1.5, label=_energy_text(e))
            for e in energies
        ]
        heading = f"{title}\n{note.replace(': ', ':' + chr(10))}" if note else title
        look = {"title": heading, "fontsize": 7, "title_fontsize": 7, "frameon": False}
        if panels.size % rows and figure.get_layout_engine() is not None:
            # Beside an incomplete row, a panel's own legend would push the columns apart.
            figure.legend(handles=handles[::-1], loc="outside right center", **look)
        else:
            panels[-1].legend(
                handles=handles[::-1], loc="center left", bbox_to_anchor=(1.02, 0.5), **look
            )
        return
    bar = figure.colorbar(
        ScalarMappable(norm, colour_map),
        ax=list(panels),
        fraction=0.05,
        pad=0.015,
        aspect=22 * rows,
    )
    bar.set_label(title + (f"\n{note}" if note else ""), fontsize=8)
    bar.ax.tick_params(labelsize=7)
    if energies.min() > 0:
        style.set_log_ticks(bar.ax.yaxis, energies.min(), energies.max())
