"""The principal components, coloured by cluster."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import combinations
from typing import TYPE_CHECKING, Any

import numpy as np
import xarray as xr

from xpad.errors import OptionError
from xpad.plot import style
from xpad.results.read import require_result

if TYPE_CHECKING:
    from matplotlib.axes import Axes

STRETCH = 3.0  # components whose spans differ by more have scales of their own
BATCHES = 12  # where clusters need several markers, dots are drawn in so many mixed batches


def plot_components(
    out: xr.Dataset,
    axes: Sequence[Axes] | np.ndarray | None = None,
    prefix: str = "pad",
    *,
    sample: int = 20_000,
    random_state: int = 0,
    equal: bool | None = None,
) -> np.ndarray:
    """Draw the components pair by pair, a dot a record, coloured by cluster.

    Dots are drawn in random order, so that no cluster hides another by coming last.

    Parameters
    ----------
    out : xarray.Dataset
        What ``cluster`` or ``predict`` returned: ``pad_pc``, ``pad_label``, and if there
        ``pad_centre`` and ``pad_mode``.
    axes : sequence of matplotlib.axes.Axes, optional
        Panels to draw in, one a pair; a new figure by default.
    prefix : str
        How the names of the results in `out` begin.
    sample : int
        Draw at most so many records, chosen at random.
    random_state : int
        Seed of that choice and of the drawing order.
    equal : bool, optional
        Whether both axes of a panel have the same scale, as the distances that make the
        clusters have. By default where that leaves a picture to read: where neither component
        of the pair spans more than three times the other.

    Returns
    -------
    numpy.ndarray of matplotlib.axes.Axes
        One a pair of the first three components: (0, 1), (0, 2), (1, 2).

    Raises
    ------
    RolesError
        If `out` has no components or labels.
    OptionError
        If there is one component only, or no record has a label.

    Examples
    --------
    >>> import numpy as np, xarray as xr, xpad, matplotlib.pyplot as plt
    >>> out = xr.Dataset({"pad_label": ("time", [0, 0, 1]),
    ...                   "pad_pc": (("time", "pad_component"), np.eye(3))})
    >>> panels = xpad.plot.plot_components(out)
    >>> panels.size, panels[0].get_xlabel()
    (3, 'component 1')
    >>> plt.close(panels[0].figure)
    """
    components = require_result(out, "pc", prefix)
    labels = require_result(out, "label", prefix)
    width = components.sizes[f"{prefix}_component"]
    if width < 2:
        raise OptionError(
            f"{prefix}_pc has {width} component(s), a pair needs two: fit with n_components=3"
        )
    points, label = _sampled(components, labels, prefix, sample, random_state)
    if label.size == 0:
        raise OptionError(f"no record has a label: {prefix}_label is -1 throughout")
    pairs = list(combinations(range(min(width, 3)), 2))
    centres, modes = (_landmarks(out, f"{prefix}_{name}", prefix) for name in ("centre", "mode"))

    if axes is None:
        _, grid = style.new_panels(1, len(pairs), (style.PAGE_WIDTH * max(len(pairs), 2) / 3, 2.6))
        panels = grid[0]
    else:
        panels = style.given_panels(axes, len(pairs))
    explained = components.attrs.get("explained_variance_ratio")
    for ax, pair in zip(panels, pairs, strict=True):
        _scatter(ax, points[:, pair], label)
        _mark(ax, centres, modes, pair)
        ax.set_xlabel(_component_text(pair[0], explained), fontsize=8)
        ax.set_ylabel(_component_text(pair[1], explained), fontsize=8)
        if equal or (equal is None and _comparable(points[:, pair])):
            ax.set_aspect("equal", adjustable="datalim")
        ax.margins(0.06)
        style.small_text(ax)
    _key(panels, label, centres, modes)
    return panels


def _sampled(
    components: xr.DataArray, labels: xr.DataArray, prefix: str, sample: int, random_state: int
) -> tuple[np.ndarray, np.ndarray]:
    """A seeded sample of the labelled records, in random order, in one compute."""
    from dask.base import compute

    records = labels.dims
    flat = components.transpose(*records, f"{prefix}_component").data
    flat = flat.reshape(-1, flat.shape[-1])
    flat_labels = labels.data.reshape(-1)
    random = np.random.default_rng(random_state)
    total = flat_labels.shape[0]
    # Records without a label are among the chosen ones, hence a few times as many as are drawn.
    chosen = np.arange(total)
    if total > 5 * sample:
        chosen = np.sort(random.choice(total, size=5 * sample, replace=False, shuffle=False))
    points, label = compute(flat[chosen], flat_labels[chosen])
    usable = np.flatnonzero((label >= 0) & np.isfinite(points).all(axis=1))
    order = random.permutation(usable)[:sample]
    return points[order], label[order].astype(np.int64)


def _comparable(points: np.ndarray) -> bool:
    """Whether neither column spans more than `STRETCH` times the other."""
    spans = np.ptp(points, axis=0)
    return bool(spans.max() <= STRETCH * spans.min())


def _landmarks(out: xr.Dataset, name: str, prefix: str) -> np.ndarray | None:
    """Centres or modes, shape (number, component), None where `out` has none."""
    if name not in out:
        return None
    return np.asarray(out[name].transpose(..., f"{prefix}_component").values)


def _scatter(ax: Axes, points: np.ndarray, label: np.ndarray) -> None:
    """Dots in the order given. One call draws one marker, so several markers go in batches."""
    from matplotlib.colors import to_rgba_array

    colours = to_rgba_array([style.cluster_colour(c) for c in range(int(label.max()) + 1)])
    markers = np.array([style.cluster_marker(c) for c in range(int(label.max()) + 1)])
    size = float(np.clip(4e4 / label.size, 1.5, 12.0))
    batches = BATCHES if label.max() >= style.COLOURS_PER_MARKER else 1
    x, y = points.T
    for batch in np.array_split(np.arange(label.size), batches):
        for marker in np.unique(markers[label[batch]]):
            rows = batch[markers[label[batch]] == marker]
            ax.scatter(
                x[rows], y[rows], s=size, c=colours[label[rows]], marker=str(marker),
                linewidths=0, alpha=0.6, rasterized=True,
            )  # fmt: skip


def _mark(
    ax: Axes, centres: np.ndarray | None, modes: np.ndarray | None, pair: tuple[int, ...]
) -> None:
    """Modes as crosses; centres as discs with the cluster's number."""
    if modes is not None and len(modes):
        x, y = modes[:, pair].T
        ax.scatter(x, y, marker="x", s=100, c="white", linewidths=2.8, zorder=4)
        ax.scatter(x, y, marker="x", s=86, c="black", linewidths=1.2, zorder=4.1)
    for label, centre in enumerate(centres if centres is not None else ()):
        x, y = centre[list(pair)]
        colour = style.cluster_colour(label)
        ax.scatter([x], [y], s=80, c=[colour], edgecolors="white", linewidths=1.0, zorder=5)
        ax.text(
            x, y, str(label), ha="center", va="center_baseline", fontsize=6, zorder=5.1,
            color=_readable_on(colour), clip_on=True,
        )  # fmt: skip


def _readable_on(colour: str) -> str:
    """Black or white, whichever stands out against `colour` (by its relative luminance)."""
    from matplotlib.colors import to_rgb

    red, green, blue = (channel**2.2 for channel in to_rgb(colour))
    return "black" if 0.2126 * red + 0.7152 * green + 0.0722 * blue > 0.25 else "white"


def _component_text(component: int, explained: Any) -> str:
    text = f"component {component + 1}"
    if explained is None or component >= np.size(explained):
        return text
    share = float(np.ravel(explained)[component])
    return f"{text} ({style.share_text(share)} of variance)"


def _key(
    panels: np.ndarray, label: np.ndarray, centres: np.ndarray | None, modes: np.ndarray | None
) -> None:
    """A legend of the clusters, and of the crosses, above or beside the panels."""
    from matplotlib.lines import Line2D

    k = max(int(label.max()) + 1, 0 if centres is None else len(centres))
    handles = [
        Line2D([], [], ls="", marker=style.cluster_marker(c), color=style.cluster_colour(c),
               ms=5, label=str(c))
        for c in range(k)
    ]  # fmt: skip
    if modes is not None and len(modes):
        handles.append(Line2D([], [], ls="", marker="x", color="black", ms=5, label="mode"))
    panels[-1].legend(
        handles=handles, title="cluster", fontsize=7, title_fontsize=7, frameon=False,
        loc="center left", bbox_to_anchor=(1.01, 0.5), ncols=max(1, -(-len(handles) // 18)),
        handletextpad=0.2, borderpad=0.2,
    )  # fmt: skip
