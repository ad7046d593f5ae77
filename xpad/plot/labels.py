"""Labels under the flux spectrogram, over time."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from functools import reduce
from operator import add
from typing import TYPE_CHECKING, Any

import numpy as np
import xarray as xr

from xpad.errors import OptionError, RolesError
from xpad.pads.dims import record_times
from xpad.pads.regrid import on_one_grid
from xpad.plot import style
from xpad.plot.columns import Columns, columns_of
from xpad.results.read import require_result, result_flux
from xpad.statistics.keys import by_number
from xpad.statistics.sums import SpectrumSums, records_with

if TYPE_CHECKING:
    from matplotlib.axes import Axes

log = logging.getLogger("xpad.plot")

SUBROWS = 12  # steps in which a bar of the label panel grows; the topmost stays free between rows
STACK_STEPS = 200  # steps in which shares are stacked
PURE = 2 / 3  # columns whose commonest label has this share on average have a row a label


def plot_labels(
    out: xr.Dataset,
    flux: xr.DataArray | None = None,
    axes: Sequence[Axes] | np.ndarray | None = None,
    prefix: str = "pad",
    *,
    columns: int = 800,
    stacked: bool | None = None,
) -> np.ndarray:
    """Draw the labels over time, under the pitch-angle-averaged flux.

    The upper panel is a spectrogram (time × energy), or a line where there is one energy. Both
    panels are drawn in columns as wide as a pixel, so that years of data cost no more ink than
    an hour: a column shows the mean flux of its records, and below it each label's share of
    them. Records without a label (-1) are grey. Gaps in the data stay white.

    Parameters
    ----------
    out : xarray.Dataset
        What ``cluster`` or ``predict`` returned, with one record dimension.
    flux : xarray.DataArray, optional
        Canonical flux, dims (record, energy, pitch_angle); by default that of `out`, or the
        quicklook spectrum that a store without flux holds (``pad_spectrum``).
    axes : sequence of matplotlib.axes.Axes, optional
        Two panels to draw in (spectrogram, labels); a new figure by default.
    prefix : str
        How the names of the results in `out` begin.
    columns : int
        Number of columns.
    stacked : bool, optional
        Whether a column's shares are stacked to 100 %, or stand as bars in one row a label. By
        default stacked where columns mix many labels: where the commonest one has less than two
        thirds of its column on average.

    Returns
    -------
    numpy.ndarray of matplotlib.axes.Axes
        Shape (2,): spectrogram and labels; shape (1,), the labels, where `out` has no flux.

    Raises
    ------
    RolesError
        If `out` has no labels.
    OptionError
        If there are several record dimensions (probe × time), or too few panels.
    GridMismatchError
        If the energies change from record to record.

    Examples
    --------
    >>> import numpy as np, xarray as xr, xpad, matplotlib.pyplot as plt
    >>> flux = xr.DataArray(np.ones((4, 1, 3)), dims=("time", "energy", "pitch_angle"))
    >>> out = xr.Dataset({"pad_label": ("time", [0, 0, -1, 1])})
    >>> panels = xpad.plot.plot_labels(out, flux)
    >>> [tick.get_text() for tick in panels[1].get_yticklabels()]
    ['none', '1', '0']
    >>> plt.close(panels[0].figure)
    """
    labels = require_result(out, "label", prefix)
    if labels.ndim != 1:
        extra = [str(d) for d in labels.dims if record_times(out, str(d)) is None][:1]
        name = extra[0] if extra else str(labels.dims[0])
        raise OptionError(
            f"{prefix}_label has the record dimensions {labels.dims}, a time line has one: "
            f"choose an entry, out.isel({name}=0)"
        )
    if columns < 1:
        raise OptionError(f"columns={columns}: a picture needs at least one")
    if labels.size == 0:
        raise OptionError(f"{prefix}_label holds no record: there is nothing to draw")
    record = str(labels.dims[0])
    times = record_times(labels, record)
    where = columns_of(times, labels.size, columns)
    spectrum = _spectrum(out, flux, prefix)
    values, means, grid = _computed(labels, spectrum, where, prefix)
    k = max(int(values.max()) + 1, int(out.sizes.get(f"{prefix}_cluster", 0)))
    shares = label_shares(values, where, k)

    needed = 1 if means is None else 2
    panels = _panels(axes, needed, shares.shape[0])
    extent = _extent(where)
    if means is not None and grid is not None:
        _draw_flux(panels[0], means, grid, where, extent)
    if stacked is None:
        held = ~np.isnan(shares[0])
        stacked = bool(shares[:, held].max(axis=0).mean() < PURE)
    if stacked:
        _draw_stack(panels[-1], shares, k, extent)
    else:
        _draw_rows(panels[-1], shares, k, extent, aggregated=_most_in_a_column(where) > 1)
    for ax in panels:
        _time_axis(ax, extent, times if where.is_time else None)
        ax.tick_params(axis="x", labelbottom=ax is panels[-1])
    what = f"time ({record}), {_days(times)}" if where.is_time else f"record ({record})"
    panels[-1].set_xlabel(what, fontsize=8)
    return panels


# --- what is drawn -------------------------------------------------------------------------------


def label_shares(labels: np.ndarray, where: Columns, k: int) -> np.ndarray:
    """Take the share of each label in each column.

    Parameters
    ----------
    labels : numpy.ndarray
        Shape (records,); -1 or less is no label.
    where : Columns
        The records' columns.
    k : int
        Number of labels.

    Returns
    -------
    numpy.ndarray
        float64, shape (k, columns), or (k + 1, columns) where there are records without a
        label, which the last row counts. NaN in a gap.

    Examples
    --------
    >>> import numpy as np
    >>> where = columns_of(None, 4, 2)
    >>> label_shares(np.array([0, 1, 1, 1]), where, 2).tolist()
    [[0.5, 0.0], [0.5, 1.0]]
    """
    row = np.where(labels >= 0, labels, k).astype(np.int64)
    rows = k + int((labels < 0).any())
    valid = where.index >= 0
    cell = row[valid] * where.number + where.index[valid]
    counts = np.bincount(cell, minlength=rows * where.number).reshape(rows, where.number)
    total = counts.sum(axis=0)
    shares = np.where(total > 0, counts / np.maximum(total, 1), np.nan)
    return np.where(where.source >= 0, shares[:, where.source], np.nan)


def _most_in_a_column(where: Columns) -> int:
    valid = where.index[where.index >= 0]
    return int(np.bincount(valid).max())


def _spectrum(out: xr.Dataset, flux: xr.DataArray | None, prefix: str) -> xr.DataArray | None:
    """The flux, else the stored quicklook, else nothing, which is said in the log."""
    if flux is not None:
        return on_one_grid(flux)
    if f"{prefix}_spectrum" in out:
        return out[f"{prefix}_spectrum"]
    try:
        return on_one_grid(result_flux(out, prefix))
    except RolesError as error:
        log.warning("labels are drawn without a spectrogram, since no flux was found: %s", error)
        return None


def _computed(
    labels: xr.DataArray, spectrum: xr.DataArray | None, where: Columns, prefix: str
) -> tuple[np.ndarray, np.ndarray | None, xr.DataArray | None]:
    """Labels (records,), mean flux (energy, columns) and its energies, in one compute."""
    if spectrum is None:
        return np.asarray(labels.values), None, None
    if f"{prefix}_quicklook" in spectrum.dims:
        wanted = {"label": labels, "spectrum": spectrum.transpose("energy", ...)}
        found = xr.Dataset({n: a.reset_coords(drop=True) for n, a in wanted.items()}).compute()
        values, means = found["label"].values, found["spectrum"].values
        shown = _runs_shown(spectrum, where, prefix)
    else:
        values, means = _by_column(labels, spectrum, where)
        shown = where.source
    return values, np.where(shown >= 0, means[:, shown], np.nan), spectrum


def _by_column(
    labels: xr.DataArray, flux: xr.DataArray, where: Columns
) -> tuple[np.ndarray, np.ndarray]:
    """Labels (records,) and the mean flux of each column's records (energy, columns)."""
    column = xr.DataArray(where.index, dims=labels.dims)
    records = records_with(flux, labels, column)
    found = records.run(_block_by_column, name="xpad-columns")
    values = np.empty(labels.size, labels.dtype)
    for at, (own, _) in zip(records.places(), found, strict=True):
        values[at] = own
    total = reduce(add, (sums for _, sums in found))
    return values, total.upto(where.number).means().T


def _block_by_column(
    flux: Any, labels: np.ndarray, column: np.ndarray, position: np.ndarray
) -> tuple[np.ndarray, SpectrumSums]:
    return labels, SpectrumSums.of(by_number(column, position), flux)


def _runs_shown(spectrum: xr.DataArray, where: Columns, prefix: str) -> np.ndarray:
    """The run of a quicklook that lies at each column; -1 in a gap."""
    first = spectrum[f"{prefix}_quicklook"].values
    last = spectrum[f"{prefix}_quicklook_end"].values
    centres = (where.edges[1:] + where.edges[:-1]) / 2
    if isinstance(where.start, np.datetime64):
        first, last = ((t - where.start) / np.timedelta64(1, "s") for t in (first, last))
    first = np.asarray(first, dtype=np.float64)
    order = np.argsort(first)
    at = order[np.maximum(np.searchsorted(first[order], centres, side="right") - 1, 0)]
    # A run covers its records; between runs a column belongs to one if records lie around it.
    covered = (centres >= first[at]) & (centres <= np.asarray(last, dtype=np.float64)[at])
    return np.where(covered | (where.source >= 0), at, -1)


# --- drawing -------------------------------------------------------------------------------------


def _panels(axes: Any, needed: int, rows: int) -> np.ndarray:
    if axes is not None:
        flat = np.atleast_1d(np.asarray(axes, dtype=object)).ravel()
        return style.given_panels(axes, needed) if flat.size < 2 else flat[2 - needed : 2]
    height = max(1.1, 0.17 * rows)
    heights = [height] if needed == 1 else [1.8, height]
    _, grid = style.new_panels(
        needed, 1, (style.PAGE_WIDTH, sum(heights) + 0.6), sharex=True,
        gridspec_kw={"height_ratios": heights},
    )  # fmt: skip
    return grid[:, 0]


def _extent(where: Columns) -> tuple[float, float]:
    """The range of the horizontal axis in matplotlib's numbers."""
    if not where.is_time:
        return float(where.edges[0]), float(where.edges[-1])
    from matplotlib.dates import date2num

    return float(date2num(where.start)), float(date2num(where.end))


def _draw_flux(
    ax: Axes, means: np.ndarray, flux: xr.DataArray, where: Columns, extent: tuple[float, float]
) -> None:
    """A spectrogram, or a line where there is one energy."""
    from matplotlib import colormaps
    from matplotlib.colors import LogNorm, Normalize

    x = np.linspace(*extent, where.number + 1)
    energies, units = style.energies_of(flux)
    what = style.labelled("mean flux", style.units_of(flux))
    positive = means[means > 0]
    if energies.size == 1:
        ax.plot((x[1:] + x[:-1]) / 2, means[0], lw=0.8, color="0.2", marker="o", ms=0.8)
        if positive.size:
            ax.set_yscale("log", nonpositive="mask")
        ax.set_ylabel(what.replace(" (", "\n(", 1).replace(" [", "\n[", 1), fontsize=8)
        style.small_text(ax)
        return

    log_flux = positive.size > 0
    if log_flux:
        low, high = (float(v) for v in np.percentile(positive, [1.0, 99.9]))
        low = max(low, high * 1e-8)
        norm: Normalize = LogNorm(low, max(high, low * 1.01))
        means = np.where(means <= 0, low, means)  # a measured zero is dark, a gap white
    else:
        norm = Normalize(0.0, 1.0)
    edges, log_energy = _energy_edges(energies)
    mesh = ax.pcolormesh(
        x, edges, np.ma.masked_invalid(means), norm=norm, cmap=colormaps["viridis"],
        rasterized=True, shading="flat",
    )  # fmt: skip
    if log_energy:
        ax.set_yscale("log")
        ax.set_ylim(edges[0], edges[-1])
        style.set_log_ticks(ax.yaxis, edges[0], edges[-1])
    ax.set_ylabel(style.labelled("energy" if units else "energy channel", units), fontsize=8)
    # An inset leaves the panel as wide as the one below it, whatever lays the figure out.
    bar = ax.figure.colorbar(mesh, cax=ax.inset_axes((1.012, 0.0, 0.016, 1.0)))
    bar.set_label(what.replace(" (", "\n(", 1).replace(" [", "\n[", 1), fontsize=8)
    bar.ax.tick_params(labelsize=7)
    style.small_text(ax)


def _energy_edges(energies: np.ndarray) -> tuple[np.ndarray, bool]:
    """Edges half-way between energies, in log where all are positive."""
    log_energy = bool(energies.min() > 0)
    middle = np.log(energies) if log_energy else energies
    steps = np.diff(middle)
    inner = middle[:-1] + steps / 2
    edges = np.concatenate([[middle[0] - steps[0] / 2], inner, [middle[-1] + steps[-1] / 2]])
    return (np.exp(edges) if log_energy else edges), log_energy


def _draw_rows(
    ax: Axes, shares: np.ndarray, k: int, extent: tuple[float, float], *, aggregated: bool
) -> None:
    """One row a label, in it bars as high as the share; label 0 on top."""
    rows, number = shares.shape
    filled = np.ceil(np.nan_to_num(shares) * (SUBROWS - 1))
    image = np.full((rows, SUBROWS, number), np.nan)
    for row in range(rows):
        bar = np.arange(SUBROWS)[:, None] < filled[row]
        image[row][bar] = row
    order = np.arange(rows)[::-1]
    stack = image[order].reshape(rows * SUBROWS, number)
    _label_image(ax, stack, k, rows, (*extent, 0.0, float(rows)))
    ax.set_yticks(np.arange(rows) + 0.5, [str(r) if r < k else "none" for r in order])
    ax.tick_params(axis="y", length=0)
    ax.hlines(np.arange(1, rows), *extent, color="0.9", lw=0.4, zorder=0.5)
    ax.set_ylabel("label\n(bar: share)" if aggregated else "label", fontsize=8)
    style.small_text(ax)


def _draw_stack(ax: Axes, shares: np.ndarray, k: int, extent: tuple[float, float]) -> None:
    """Shares stacked to 100 %, label 0 on top as in the legend beside it."""
    from matplotlib.patches import Patch

    rows = len(shares)
    tops = np.cumsum(np.nan_to_num(shares), axis=0)
    depth = (np.arange(STACK_STEPS)[::-1] + 0.5) / STACK_STEPS
    image = (depth[:, None, None] > tops.T).sum(axis=2).clip(0, rows - 1).astype(np.float64)
    image[:, np.isnan(shares[0])] = np.nan
    _label_image(ax, image, k, rows, (*extent, 0.0, 100.0))
    handles = [
        Patch(
            color=style.cluster_colour(row if row < k else -1),
            label=str(row) if row < k else "none",
        )
        for row in range(rows)
    ]
    ax.legend(
        handles=handles, fontsize=7, loc="center left", bbox_to_anchor=(1.005, 0.5), frameon=False,
        ncols=1 if rows <= 9 else 2, handlelength=0.9, handleheight=0.9, labelspacing=0.25,
        columnspacing=0.8, handletextpad=0.4, borderpad=0.1,
    )  # fmt: skip
    ax.set_yticks([0, 50, 100])
    ax.set_ylabel("label\n(% of records)", fontsize=8)
    style.small_text(ax)


def _label_image(
    ax: Axes, image: np.ndarray, k: int, rows: int, extent: tuple[float, float, float, float]
) -> None:
    """An image of label numbers (`k` for none, NaN for white) in the clusters' colours."""
    from matplotlib.colors import ListedColormap

    colours = [style.cluster_colour(row if row < k else -1) for row in range(rows)]
    ax.imshow(
        np.ma.masked_invalid(image), extent=extent, origin="lower", aspect="auto",
        interpolation="nearest", cmap=ListedColormap(colours), vmin=-0.5, vmax=rows - 0.5,
    )  # fmt: skip


def _time_axis(ax: Axes, extent: tuple[float, float], times: np.ndarray | None) -> None:
    from matplotlib.dates import AutoDateLocator, ConciseDateFormatter

    ax.set_xlim(*extent)
    if times is not None:
        locator = AutoDateLocator()
        ax.xaxis.set_major_locator(locator)
        # Its offset is the date of the last tick, which reads like that of all.
        ax.xaxis.set_major_formatter(ConciseDateFormatter(locator, show_offset=False))


def _days(times: np.ndarray | None) -> str:
    """The first and the last day, or the only one."""
    assert times is not None
    known = times[~np.isnat(times)]
    days = [str(np.datetime_as_string(t, unit="D")) for t in (known.min(), known.max())]
    return " to ".join(dict.fromkeys(days))
