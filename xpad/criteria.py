"""Tables of words and units by which axes and fluxes are recognised.

Missions do not agree on names, so a variable is judged by everything its
metadata says. Each function answers one question about one variable, from
metadata (and, for axes, values that are already in memory); nothing computes.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from functools import lru_cache
from typing import Any

import numpy as np

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
DEGREES = re.compile(r"^\s*\[?\s*(degs?|degrees?|°|angular degrees?)\s*\]?\s*$", re.IGNORECASE)
RADIANS = re.compile(r"^\s*\[?\s*rad(ian)?s?\s*\]?\s*$", re.IGNORECASE)
ENERGY_UNIT = re.compile(
    r"^\s*\[?\s*([kMG]?)eV\s*(/\s*(e|q|charge|n|nuc|nucleon))?\s*\]?\s*$", re.IGNORECASE
)

NOT_A_FLUX_WORDS = re.compile(
    r"uncert|(?<![a-z])err(?![a-z])|error|delta|sigma|std|quality|(?<![a-z])qf|flag|label|labl|"
    r"(?<![a-z])ratio|percent|background(?!.{0,3}(corr|subt|rem))|(?<![a-z])bkg|(?<![a-z])bg(?![a-z])|"
    r"anisotropy|calib|efficiency|exposure|num_of|n_samples|weight|mask|"
    r"(?<![a-z])l_?(star|shell|m)(?![a-z])|(?<![a-z])(mlt|mlat)(?![a-z])",
    re.IGNORECASE,
)
COUNTS_WORDS = re.compile(r"count|(?<![a-z])cps(?![a-z])|c/s(?!.*cm)|#", re.IGNORECASE)
FLUX_WORDS = re.compile(
    r"flux|intens|pitchang|(?<![a-z])f[epholi]+[do]u|(?<![a-z])j(?![a-z])", re.I
)
DERIVED_WORDS = re.compile(
    r"unbinned|sector|telescope|raw|(?<![a-z])(avg|mean|spin|omni|smooth)", re.I
)
PER_AREA = re.compile(r"cm|m\^?-?2|m!E", re.IGNORECASE)
PER_ANGLE = re.compile(r"sr|ster", re.IGNORECASE)
PER_ENERGY = re.compile(r"[kmg]?ev|(?<![a-z])j(?![a-z])", re.IGNORECASE)

# Electrons before ions, light ions before heavy ones. Words are looked for before letters, for
# "..._epd_feeps_..._ion_..." is no electron although an "e" stands alone in many such names.
SPECIES = ("electron", "proton", "helium", "oxygen", "sulfur", "ion")
SPECIES_WORDS = (
    ("electron", re.compile(r"electron|fedu|(?<![a-z])(ele|des|epde|e-)(?![a-z])", re.I)),
    ("proton", re.compile(r"proton|fpdu|hydrogen|h\+", re.I)),
    ("helium", re.compile(r"helium|alpha particle|fhedu", re.I)),
    ("oxygen", re.compile(r"oxygen|fodu", re.I)),
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
_BAND = re.compile(r"(?<![a-z])(low|middle|mid|high)(?=(?:en(?:ergy)?)?(?![a-z]))", re.IGNORECASE)
_NUMBER = r"((?:\d+\.?\d*|\.\d+)(?:e[+-]?\d+)?)"
_RANGE = re.compile(
    rf"{_NUMBER}\s*([kMG]?eV)?\s*(?:-|–|to|,)\s*{_NUMBER}\)?\s*([kMG]?eV)(?![a-z])",
    re.IGNORECASE,
)
_TEXT_ATTRS = ("FIELDNAM", "LABLAXIS", "long_name", "standard_name", "DICT_KEY", "CATDESC")


def mapping(attrs: Mapping[Any, Any], name: str) -> Mapping[str, Any]:
    """A nested attribute of tplot, also where a file holds it as JSON; empty if there is none."""
    found = attrs.get(name)
    if isinstance(found, str):
        found = _parsed(found)
    return found if isinstance(found, Mapping) else {}


@lru_cache(maxsize=256)
def _parsed(text: str) -> Any:
    try:
        return json.loads(text)
    except ValueError:
        return None  # plain text, no JSON


def attribute(attrs: Mapping[Any, Any], name: str) -> Any:
    """An ISTP attribute, also where tplot keeps it (``attrs['CDF']['VATT']``)."""
    if name in attrs:
        return attrs[name]
    return mapping(mapping(attrs, "CDF"), "VATT").get(name) if "CDF" in attrs else None


def text_of(attrs: Mapping[Any, Any], name: str) -> str:
    """An attribute that should be text, without spaces around it; '' where it is none."""
    found = attribute(attrs, name)
    return found.strip() if isinstance(found, str) else ""


def units(attrs: Mapping[Any, Any]) -> str:
    """The units that the metadata states, '' where it states none.

    Before ISTP's ``UNITS`` comes ``units``, which whoever converts values in xarray sets.
    """
    for name in ("units", "UNITS"):
        if stated := text_of(attrs, name):
            return stated
    found = mapping(attrs, "data_att").get("units")
    return found.strip() if isinstance(found, str) else ""


def description(attrs: Mapping[Any, Any]) -> str:
    """What the metadata says of a variable, as one text."""
    return " ".join(text for name in _TEXT_ATTRS if (text := text_of(attrs, name)))


def energy_unit(text: str) -> str | None:
    """'eV', 'keV', 'MeV' or 'GeV' where `text` is a unit of energy, else None."""
    match = ENERGY_UNIT.match(text)
    if match is None:
        return None
    return {"": "eV", "k": "keV", "m": "MeV", "g": "GeV"}[match[1].lower()]


KEV = {"eV": 1e-3, "keV": 1.0, "MeV": 1e3, "GeV": 1e6}


def energy_scale(have: str, want: str) -> float:
    """Factor from one unit of energy to another; 1 where either is not known."""
    a, b = energy_unit(have), energy_unit(want)
    return 1.0 if a is None or b is None else KEV[a] / KEV[b]


def energy_range(text: str) -> tuple[float, float, str] | None:
    """The first energy range that a text names, as (low, high, unit)."""
    match = _RANGE.search(text)
    if match is None:
        return None
    low_unit = energy_unit(match[2] or match[4])
    unit = energy_unit(match[4])
    assert low_unit is not None
    assert unit is not None
    low = float(match[1]) * KEV[low_unit] / KEV[unit]
    return low, float(match[3]), unit


def centre(low: float, high: float) -> float:
    """The middle of an energy band: geometric, or half the top of one that begins at zero."""
    return float(np.sqrt(low * high)) if low > 0 else high / 2


def band_word(name: str) -> tuple[str, str] | None:
    """Split the energy word out of a name: ``a_lowen_b`` → (``a_*en_b``, ``low``)."""
    # Underscores are letters to \b but not to the look-arounds above.
    match = _BAND.search(name)
    if match is None:
        return None
    return name[: match.start()] + "*" + name[match.end() :], match[1].lower()


def axis_scores(
    name: str, attrs: Mapping[Any, Any], values: np.ndarray | None, unit: str
) -> dict[str, tuple[float, str]]:
    """How strongly a variable looks like each axis: role → (score, reason).

    Names weigh more than units, since files exist whose pitch angles carry
    the units of the flux (ELFIN); values only tip the balance.
    """
    text = description(attrs)
    penalty = 0.0
    if NOT_AN_AXIS_WORDS.search(name):
        penalty = 5.0
    if EQUATORIAL_WORDS.search(name):
        penalty += 0.5
    scores: dict[str, tuple[float, str]] = {}
    for role, words in (("pitch_angle", PITCH_ANGLE_WORDS), ("energy", ENERGY_WORDS)):
        score, reasons = -penalty, []
        if words.search(name):
            score += 4
            reasons.append("name")
        if words.search(text):
            score += 2
            reasons.append("description")
        is_unit = is_angle_unit(unit) if role == "pitch_angle" else energy_unit(unit) is not None
        if is_unit:
            score += 2.5 if role == "energy" else 1.5
            reasons.append(f"units {unit}")
        elif is_angle_unit(unit) or energy_unit(unit):
            score -= 1.5
        if values is not None:
            if role == "energy":
                fits = _like_energies(values)
            else:
                fits = _like_pitch_angles(np.rad2deg(values) if RADIANS.match(unit) else values)
            score += 0.75 if fits else -1.0
            if fits:
                reasons.append("values")
        scores[role] = (score, ", ".join(reasons))
    return scores


def is_angle_unit(unit: str) -> bool:
    """Whether a unit is degrees or radians."""
    return bool(DEGREES.match(unit) or RADIANS.match(unit))


def is_measurement(name: str, attrs: Mapping[Any, Any]) -> bool:
    """Whether a variable is a flux or counts by its name or units, so surely no axis."""
    if COUNTS_WORDS.search(name) or re.search("flux|intens", name, re.I):
        return True
    unit = units(attrs)
    return bool(PER_AREA.search(unit) and PER_ENERGY.search(unit))


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


def flux_rank(name: str, attrs: Mapping[Any, Any]) -> int:
    """0 differential flux by its units, 1 by its name, 2 not known (counts…), 3 surely no flux."""
    text = f"{name} {text_of(attrs, 'FIELDNAM')}"
    if NOT_A_FLUX_WORDS.search(text):
        return 3
    unit = units(attrs)
    if is_angle_unit(unit) or energy_unit(unit):
        return 3
    per_area = bool(PER_AREA.search(unit) and PER_ANGLE.search(unit) and PER_ENERGY.search(unit))
    if COUNTS_WORDS.search(name) or (COUNTS_WORDS.search(unit) and not per_area):
        return 2
    if per_area:
        return 0
    if FLUX_WORDS.search(text) or FLUX_WORDS.search(description(attrs)):
        return 1
    return 2
