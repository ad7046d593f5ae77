"""Tables of words and units by which axes and fluxes are recognised.

Missions do not agree on names, so a variable is judged by everything its
metadata says. Each function answers one question about one variable, from
metadata (and, for axes, values that are already in memory); nothing computes.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from xpad.roles.metadata import KEV, description, energy_in_name, text_of, units
from xpad.roles.units import (
    ANGLE,
    COUNT_RATE,
    COUNTS,
    ENERGY,
    ENERGY_FLUX,
    INTEGRAL_FLUX,
    NUMBER_FLUX,
    PHASE_SPACE_DENSITY,
    kind_of,
)

PITCH_ANGLE_WORDS = re.compile(
    r"pitch|(?<![a-z])alpha|(?<![a-z])e?pa(?![a-z])|pang(?![a-z])", re.IGNORECASE
)
ENERGY_WORDS = re.compile(
    r"energ|(?<![a-z])e(?![a-z])|(?<![a-z])en(?![a-z])|(?<![a-z])[kmg]?ev(?![a-z])", re.IGNORECASE
)
NOT_AN_AXIS_WORDS = re.compile(
    r"delta|uncert|(?<![a-z])err|width|bound|plus|minus|labe?l|sector|telescope|azimuth|polar|"
    r"(?<![a-z])(phi|theta|lat|lon|lshell|mlt|spin|look|index|quality|flag)(?![a-z])",
    re.IGNORECASE,
)
EQUATORIAL_WORDS = re.compile(r"(?<![a-z])eq(?![a-z])|equator", re.IGNORECASE)
AXIS_WORDS = {"pitch_angle": PITCH_ANGLE_WORDS, "energy": ENERGY_WORDS}
TIME_WORDS = re.compile(r"^(time|epoch|t|datetime|records?)\d*(_|$)|epoch", re.IGNORECASE)

NOT_A_FLUX_WORDS = re.compile(
    r"uncert|(?<![a-z])err(?![a-z])|error|delta|sigma|std|quality|(?<![a-z])qf|flag|label|labl|"
    r"(?<![a-z])ratio|percent|background(?!.{0,3}(corr|subt|rem))|(?<![a-z])bkg|(?<![a-z])bg(?![a-z])|"
    r"anisotropy|calib|efficiency|exposure|num_of|n_samples|weight|mask|"
    r"(?<![a-z])l_?(star|shell|m)(?![a-z])|(?<![a-z])(mlt|mlat)(?![a-z])",
    re.IGNORECASE,
)
COUNTS_WORDS = re.compile(r"count|(?<![a-z])cps(?![a-z])", re.IGNORECASE)
FLUX_WORDS = re.compile(
    r"flux|intens|pitchang|(?<![a-z])f[epholi]+\d?p?[do]u|(?<![a-z])j(?![a-z])", re.I
)
DERIVED_WORDS = re.compile(
    r"unbinned|sector|telescope|raw|(?<![a-z])(avg|mean|spin|omni|smooth)", re.I
)

# Electrons before ions, light ions before heavy ones. Words are looked for before letters, for
# "..._epd_feeps_..._ion_..." is no electron although an "e" stands alone in many such names.
SPECIES = ("electron", "proton", "helium", "oxygen", "sulfur", "ion")
SPECIES_WORDS = (
    ("electron", re.compile(r"electron|fedu|(?<![a-z])(ele|des|epde|e-)(?![a-z])", re.I)),
    ("proton", re.compile(r"proton|fpdu|hydrogen|h\+|(?<![a-z])hplus(?![a-z])", re.I)),
    ("helium", re.compile(r"helium|alpha particle|fhe\d?du|(?<![a-z])heplus", re.I)),
    ("oxygen", re.compile(r"oxygen|fo(pp|2p)?du|(?<![a-z])oplus(?![a-z])", re.I)),
    ("sulfur", re.compile(r"sul(f|ph)u?r", re.I)),
    ("ion", re.compile(r"(?<![a-z])(ions?|dis|epdi|spi)(?![a-z])", re.I)),
)
SPECIES_LETTERS = (
    ("proton", re.compile(r"(?<![a-z])(h|p|(lo)?tofxe_?h)(?![a-z])", re.I)),
    ("helium", re.compile(r"(?<![a-z])he\+*(?![a-z])", re.I)),
    ("oxygen", re.compile(r"(?<![a-z])o\+*(?![a-z])", re.I)),
    ("sulfur", re.compile(r"(?<![a-z])s\+*(?![a-z])", re.I)),
    ("electron", re.compile(r"(?<![a-z])e(?![a-z])", re.I)),
)

ENERGY_BAND_WORDS = ("low", "mid", "middle", "high")
# Underscores are letters to \b but not to these look-arounds.
_BAND = re.compile(r"(?<![a-z])(low|middle|mid|high)(?=(?:en(?:ergy)?)?(?![a-z]))", re.IGNORECASE)
_CHANNEL = re.compile(
    r"(?<![a-z])((?:en?|ene|energy|e?ch|enech|chan|channel)_?)(\d{1,3})(?![a-z0-9.])", re.IGNORECASE
)


@dataclass(frozen=True)
class Band:
    """What of a name tells one energy of several variables that are alike.

    Attributes
    ----------
    others : str
        The name with ``*`` in its place, which they share.
    order : (float, float)
        By which they ascend: the ends of the band in keV, or a number twice.
    kind : str
        What it is, for a person.
    """

    others: str
    order: tuple[float, float]
    kind: str


def band(name: str) -> Band | None:
    """Split what tells the energy out of a name; None where nothing does.

    Examples
    --------
    >>> band("a_lowen_b")
    Band(others='a_*en_b', order=(0, 0), kind='energy word')
    >>> band("extof_47_64keV_proton").others, band("f_pitch_E07").order, band("FEDU")
    ('extof_*_proton', (7.0, 7.0), None)
    """
    energy = energy_in_name(name)
    if energy is not None:
        low, high, unit, text = energy
        ends = (low * KEV[unit], high * KEV[unit])
        return Band(name.replace(text, "*", 1), ends, "energy")
    match = _BAND.search(name)
    if match is not None:
        others = name[: match.start()] + "*" + name[match.end() :]
        place = ENERGY_BAND_WORDS.index(match[1].lower())
        return Band(others, (place, place), "energy word")
    match = _CHANNEL.search(name)
    if match is not None:
        others = name[: match.start(2)] + "*" + name[match.end() :]
        return Band(others, (float(match[2]), float(match[2])), "channel number")
    return None


def is_measurement(name: str, attrs: Mapping[Any, Any]) -> bool:
    """Whether a variable is a flux or counts by its name or units, so surely no axis."""
    if COUNTS_WORDS.search(name) or re.search("flux|intens", name, re.I):
        return True
    return kind_of(units(attrs)) in (NUMBER_FLUX, ENERGY_FLUX, INTEGRAL_FLUX, PHASE_SPACE_DENSITY)


NO_VALUE = 1e27
"""No coordinate is as large; fills seen in coordinates are -1e28 and -1e31."""


def _finite(values: np.ndarray) -> np.ndarray:
    values = np.asarray(values, dtype=np.float64).ravel()
    return values[np.isfinite(values) & (np.abs(values) < NO_VALUE)]


def _like_pitch_angles(values: np.ndarray) -> bool:
    """Whether values could be pitch angles in degrees, also of a full turn."""
    values = _finite(values)
    values = values[values > -90]
    if values.size < 2:
        return False
    inside = (values.min() >= -10) and (values.max() <= 370)
    return bool(inside and np.ptp(values) >= 45)


def _like_energies(values: np.ndarray) -> bool:
    values = _finite(values)
    values = values[values > 0]
    return bool(values.size and values.max() / values.min() > 1.5)


def surely_pitch_angles(values: np.ndarray) -> bool:
    """Whether values are so like pitch angles that nothing else need say so.

    They reach from near 0 to near 180 degrees, symmetric about 90, or are
    folded and evenly spaced; a table (records, bins) needs the range alone.
    """
    found = np.unique(_finite(values))
    if found.size < 3 or found[0] < -10 or not 75 <= found[-1] <= 190 or np.ptp(found) < 70:
        return False
    if np.ndim(values) > 1:
        return bool(found[-1] >= 135)
    symmetric = np.allclose(found + found[::-1], 180.0, atol=1.0)
    even = np.ptp(np.diff(found)) < 0.05 * np.ptp(found)
    return bool(symmetric or (even and found[-1] <= 92))


def surely_energies(values: np.ndarray) -> bool:
    """Whether values are so like energies that nothing else need say so: positive, no count."""
    values = np.unique(_finite(values))
    if values.size < 3 or values[0] <= 0 or values[-1] / values[0] < 1.5:
        return False
    return not np.array_equal(values, np.arange(values[0], values[0] + values.size))


SURELY = {"pitch_angle": surely_pitch_angles, "energy": surely_energies}


def species(name: str, attrs: Mapping[Any, Any]) -> tuple[int, str]:
    """Rank and name of the particle species; unknown species rank last."""
    stated = attrs.get("species")
    called = name.replace("_", " ")
    for text, patterns in (
        (stated if isinstance(stated, str) else "", (*SPECIES_WORDS, *SPECIES_LETTERS)),
        (called, SPECIES_WORDS),
        (description(attrs), SPECIES_WORDS),
        (called, SPECIES_LETTERS),
    ):
        for word, pattern in patterns:
            if pattern.search(text):
                return SPECIES.index(word), word
    return len(SPECIES), ""


_BY_UNITS = {NUMBER_FLUX: 0, ENERGY_FLUX: 1}


def flux_rank(name: str, attrs: Mapping[Any, Any]) -> int:
    """By its units 0 number flux and 1 energy flux; 2 by its name; 3 not known (counts…); 4 surely none."""
    text = f"{name} {text_of(attrs, 'FIELDNAM')}"
    kind = kind_of(units(attrs))
    if NOT_A_FLUX_WORDS.search(text) or kind in (ANGLE, ENERGY):
        return 4
    if kind in _BY_UNITS:
        return _BY_UNITS[kind]
    if COUNTS_WORDS.search(name) or kind in (COUNTS, COUNT_RATE):
        return 3
    if FLUX_WORDS.search(text) or FLUX_WORDS.search(description(attrs)):
        return 2
    return 3
