"""What all pictures share: colours, readable units, ticks and panels."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
import xarray as xr

from xpad.errors import OptionError
from xpad.roles.units import journal

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.colors import Colormap, Normalize
    from matplotlib.figure import Figure

PAGE_WIDTH = 7.2  # inches: a page of two columns, or a slide
DPI = 150

# Okabe & Ito (2008), then the four of Paul Tol's "muted" set that stay furthest from those eight
# under simulated protan-, deuteran- and tritanopia.
CLUSTER_COLOURS = (
    "#0072B2", "#D55E00", "#009E73", "#E69F00", "#56B4E9", "#CC79A7", "#000000", "#F0E442",
    "#332288", "#882255", "#117733", "#999933",
)  # fmt: skip
UNUSABLE_COLOUR = "#BBBBBB"
CLUSTER_MARKERS = ("o", "^", "s", "D", "v", "P")
COLOURS_PER_MARKER = 8


def cluster_colour(label: int) -> str:
    """Return a cluster's colour, the same in every picture; grey for -1.

    Parameters
    ----------
    label : int
        The cluster's label. Colours repeat after twelve, with another marker.

    Returns
    -------
    str
        Hexadecimal RGB.

    Examples
    --------
    >>> cluster_colour(0), cluster_colour(-1)
    ('#0072B2', '#BBBBBB')
    """
    return UNUSABLE_COLOUR if label < 0 else CLUSTER_COLOURS[label % len(CLUSTER_COLOURS)]


def cluster_marker(label: int) -> str:
    """Return a cluster's marker: the second cue, which changes after every eight labels.

    Examples
    --------
    >>> cluster_marker(0), cluster_marker(8)
    ('o', '^')
    """
    return CLUSTER_MARKERS[max(label, 0) // COLOURS_PER_MARKER % len(CLUSTER_MARKERS)]


def readable_units(units: str) -> str:
    """Write units for matplotlib, those of a flux as journals do: exponents raised, whatever the file has.

    Parameters
    ----------
    units : str
        IDL codes (``cm!E-2!N``), powers (``cm^-2``, ``cm**-2``, ``cm^{-2}``), CF (``cm-2``),
        superscript signs (``cm⁻²``) or already mathtext, which is kept.

    Returns
    -------
    str
        Text with mathtext exponents.

    Examples
    --------
    >>> readable_units("cm!E-2!N s!E-1!N keV!E-1!N")
    'cm$^{-2}$ s$^{-1}$ keV$^{-1}$'
    >>> readable_units("1/(cm^2 s sr MeV)")
    'cm$^{-2}$ s$^{-1}$ sr$^{-1}$ MeV$^{-1}$'
    >>> readable_units("cm-2 s-1")
    'cm$^{-2}$ s$^{-1}$'
    """
    text = journal(str(units)).strip()
    if text.count("$") >= 2 and text.count("$") % 2 == 0:
        return text
    text = text.replace("$", r"\$")
    signs = str.maketrans("⁰¹²³⁴⁵⁶⁷⁸⁹⁻⁺", "0123456789-+")
    text = re.sub("[⁰¹²³⁴⁵⁶⁷⁸⁹⁻⁺]+", lambda m: f"^{{{m[0].translate(signs)}}}", text)
    text = re.sub(r"![EUeu](.*?)(?:![Nn]|$)", r"^{\1}", text)
    text = re.sub(r"![DILdil](.*?)(?:![Nn]|$)", r"_{\1}", text)
    text = re.sub(r"\}(?=[A-Za-zµμ])", "} ", text)
    text = re.sub(r"![Cc]", " ", text)
    text = re.sub(r"![A-Za-z0-9]", "", text)
    text = re.sub(r"(?:\^|\*\*)\{?\(?([-+]?\d+(?:\.\d+)?)\)?\}?", r"^{\1}", text)
    text = re.sub(r"(?<![\w\^_{])(?!log)([A-Za-zµμ]+)([-+]?\d+)(?!\w)", r"\1^{\2}", text)
    text = re.sub(r"\^\{\+?([^{}]*)\}", r"$^{\1}$", text)
    text = re.sub(r"_\{([^{}]*)\}", r"$_{\\mathrm{\1}}$", text)
    return re.sub(r"\s+", " ", text).strip()


def labelled(what: str, units: str) -> str:
    """Name a quantity with its units in parentheses, without them where there are none.

    Examples
    --------
    >>> labelled("energy", "MeV"), labelled("index", "")
    ('energy (MeV)', 'index')
    """
    if not units or units == "1":
        return what
    readable = readable_units(units)
    return f"{what} [{readable}]" if "(" in readable else f"{what} ({readable})"


def units_of(array: xr.DataArray) -> str:
    """Return the units from CF's or ISTP's attribute, "" where there is neither.

    Examples
    --------
    >>> import xarray as xr
    >>> units_of(xr.DataArray([1.0], attrs={"UNITS": "keV"}))
    'keV'
    """
    return str(array.attrs.get("units") or array.attrs.get("UNITS") or "")


def energies_of(array: xr.DataArray) -> tuple[np.ndarray, str]:
    """Return energies and their units; channel numbers (and no units) where there are none.

    Examples
    --------
    >>> import xarray as xr
    >>> energies_of(xr.DataArray([1.0, 2.0], dims="energy"))
    (array([0., 1.]), '')
    """
    if "energy" in array.coords and array.coords["energy"].dtype.kind in "fiu":
        energies = np.asarray(array.coords["energy"].values, dtype=np.float64)
        if np.isfinite(energies).all():
            return energies, units_of(array.coords["energy"])
    return np.arange(array.sizes["energy"], dtype=np.float64), ""


def energy_scale(energies: np.ndarray) -> tuple[Colormap, Normalize]:
    """Return a colour map and its scale for energies: viridis without its palest end, in log.

    Examples
    --------
    >>> import numpy as np
    >>> _, norm = energy_scale(np.array([1.0, 10.0, 100.0]))
    >>> float(norm(10.0))
    0.5
    """
    from matplotlib import colormaps
    from matplotlib.colors import ListedColormap, LogNorm, Normalize

    colours = colormaps["viridis"](np.linspace(0.0, 0.9, 256))
    kind = LogNorm if energies.min() > 0 else Normalize
    return ListedColormap(colours), kind(energies.min(), energies.max())


def log_ticks(low: float, high: float) -> list[float]:
    """Return round values for a log axis: 1, 2, 5 within two decades, else powers of ten.

    Examples
    --------
    >>> log_ticks(1.8, 20.0)
    [2.0, 5.0, 10.0, 20.0]
    >>> log_ticks(10.0, 1e5)
    [10.0, 100.0, 1000.0, 10000.0, 100000.0]
    """
    first, last = int(np.floor(np.log10(low))), int(np.ceil(np.log10(high)))
    decades = np.log10(high / low)
    steps = (1, 2, 5) if decades < 2.0 else (1,)
    every = max(1, int(np.ceil(decades / 6)))
    ticks = [float(f"{step}e{power}") for power in range(first, last + 1, every) for step in steps]
    slack = 1.0 + 1e-9
    return [tick for tick in ticks if low / slack <= tick <= high * slack]


def set_log_ticks(axis: Any, low: float, high: float) -> None:
    """Put readable ticks on a log axis (of an Axes or a colour bar) that spans `low` … `high`."""
    from matplotlib.ticker import FixedLocator, FuncFormatter, LogFormatterMathtext, NullFormatter

    ticks = log_ticks(low, high)
    if len(ticks) < 2:
        ticks = [float(f"{value:.2g}") for value in np.geomspace(low, high, 4)[1:-1]]
    axis.set_major_locator(FixedLocator(ticks))
    if min(ticks) >= 1e-3 and max(ticks) < 1e5:
        axis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:g}"))
    else:
        axis.set_major_formatter(LogFormatterMathtext())
    axis.set_minor_formatter(NullFormatter())


def new_panels(
    rows: int, columns: int, size: tuple[float, float], **options: Any
) -> tuple[Figure, np.ndarray]:
    """Make a figure of its own, laid out so that nothing overlaps; axes come as a 2-D array."""
    import matplotlib.pyplot as plt

    return plt.subplots(
        rows, columns, figsize=size, dpi=DPI, layout="constrained", squeeze=False, **options
    )


def given_panels(axes: Axes | Sequence[Axes] | np.ndarray, needed: int) -> np.ndarray:
    """Return the first `needed` of the caller's axes as a flat array, or say how many it takes."""
    flat = np.atleast_1d(np.asarray(axes, dtype=object)).ravel()
    if flat.size < needed:
        raise OptionError(
            f"axes= holds {flat.size} panel(s), this picture needs {needed}: "
            f"fig, axes = plt.subplots({needed})"
        )
    return flat[:needed]


def whole_number_ticks(axis: Any) -> None:
    """Let an axis of counts have ticks at whole numbers only."""
    from matplotlib.ticker import MaxNLocator

    axis.set_major_locator(MaxNLocator(7, integer=True, steps=[1, 2, 5, 10]))


def small_text(ax: Axes) -> None:
    """Set tick labels to the size that panels of a quarter page need, on these axes alone."""
    ax.tick_params(labelsize=7)


def share_text(share: float) -> str:
    """Write a share as per cent, with a decimal where less than 1 %, and never as a false 0.

    Examples
    --------
    >>> share_text(0.312), share_text(0.0042), share_text(0.00001), share_text(0.0)
    ('31 %', '0.4 %', '<0.1 %', '0 %')
    """
    if share != share:
        return "– %"
    if 0 < share < 0.001:
        return "<0.1 %"
    if 0 < share < 0.00995:
        return f"{100 * share:.1f} %"
    return f"{100 * share:.0f} %"
