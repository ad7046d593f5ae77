"""Tables of words and units by which axes and fluxes are recognised.

Missions do not agree on names, so a variable is judged by everything its
metadata says. Each function answers one question about one variable, from
metadata (and, for axes, values that are already in memory); nothing computes.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

import numpy as np

PITCH_ANGLE_WORDS = re.compile(
    r"pitch|(?<![a-z])alpha|(?<![a-z])pa(?![a-z])|pang(?![a-z])", re.IGNORECASE
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
TIME_WORDS = re.compile(r"^(time|epoch|t|datetime|record|records)(_|$)|epoch", re.IGNORECASE)
DEGREES = re.compile(
    r"^\s*(deg|degs|degrees?|degree_?s?|°|\[deg\]|angular degrees?)\s*$", re.IGNORECASE
)
ENERGY_UNIT = re.compile(r"^\s*\[?\s*([kMG]?)eV\s*\]?\s*$", re.IGNORECASE)

NOT_A_FLUX_WORDS = re.compile(
    r"uncert|(?<![a-z])err(?![a-z])|error|delta|sigma|std|quality|(?<![a-z])qf|flag|label|labl|"
    r"ratio|percent|background|(?<![a-z])bkg|(?<![a-z])bg(?![a-z])|anisotropy|calib|efficiency|"
    r"exposure|num_of|n_samples|weight|mask",
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
PER_ENERGY = re.compile(r"[kmg]?ev", re.IGNORECASE)

# Electrons before ions, light ions before heavy ones.
SPECIES = (
    ("electron", re.compile(r"electron|(?<![a-z])e-|(?<![a-z])fedu|(?<![a-z])ele(?![a-z])|(?<![a-z])(des|epd|e)(?![a-z])", re.I)),
    ("proton", re.compile(r"proton|(?<![a-z])h\+|fpdu|hydrogen|(?<![a-z])(h|p|tofxe_?h|lotofxe_?h)(?![a-z])", re.I)),
    ("helium", re.compile(r"helium|alpha particle|fhedu|(?<![a-z])he\+*(?![a-z])", re.I)),
    ("oxygen", re.compile(r"oxygen|fodu|(?<![a-z])o\+*(?![a-z])", re.I)),
    ("sulfur", re.compile(r"sul[fp]h?ur|(?<![a-z])s\+*(?![a-z])", re.I)),
    ("ion", re.compile(r"ions?(?![a-z])|(?<![a-z])dis(?![a-z])", re.I)),
)  # fmt: skip

ENERGY_BAND_WORDS = ("low", "mid", "middle", "high")
_BAND = re.compile(r"(?<![a-z])(low|middle|mid|high)(?=(?:en(?:ergy)?)?(?![a-z]))", re.IGNORECASE)
_RANGE = re.compile(
    r"([\d.]+(?:e[+-]?\d+)?)\s*([kMG]?eV)?\s*(?:-|–|to|,)\s*([\d.]+(?:e[+-]?\d+)?)\)?\s*([kMG]?eV)",
    re.IGNORECASE,
)
_TEXT_ATTRS = ("FIELDNAM", "LABLAXIS", "long_name", "standard_name", "DICT_KEY", "CATDESC")


def attribute(attrs: Mapping[str, Any], name: str) -> Any:
    """An ISTP attribute, also where tplot keeps it (``attrs['CDF']['VATT']``)."""
    if name in attrs:
        return attrs[name]
    cdf = attrs.get("CDF")
    if isinstance(cdf, Mapping) and isinstance(cdf.get("VATT"), Mapping):
        return cdf["VATT"].get(name)
    return None


def units(attrs: Mapping[str, Any]) -> str:
    """The units that the metadata states, '' where it states none."""
    for name in ("UNITS", "units"):
        found = attribute(attrs, name)
        if isinstance(found, str) and found.strip():
            return found.strip()
    data_att = attrs.get("data_att")
    if isinstance(data_att, Mapping) and isinstance(data_att.get("units"), str):
        return str(data_att["units"]).strip()
    return ""


def description(attrs: Mapping[str, Any]) -> str:
    """What the metadata says of a variable, as one text."""
    found = (attribute(attrs, name) for name in _TEXT_ATTRS)
    return " ".join(text for text in found if isinstance(text, str))


def energy_unit(text: str) -> str | None:
    """'eV', 'keV', 'MeV' or 'GeV' where `text` is a unit of energy, else None."""
    match = ENERGY_UNIT.match(text)
    if match is None:
        return None
    return {"": "eV", "k": "keV", "m": "MeV", "g": "GeV"}[match[1].lower()]


KEV = {"eV": 1e-3, "keV": 1.0, "MeV": 1e3, "GeV": 1e6}


def energy_range(text: str) -> tuple[float, float, str] | None:
    """The first energy range that a text names, as (low, high, unit)."""
    match = _RANGE.search(text)
    if match is None:
        return None
    low_unit = energy_unit(match[2] or match[4])
    unit = energy_unit(match[4])
    assert low_unit is not None and unit is not None
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
    name: str, attrs: Mapping[str, Any], values: np.ndarray | None, unit: str
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
        is_unit = DEGREES.match(unit) if role == "pitch_angle" else energy_unit(unit)
        if is_unit:
            score += 2.5 if role == "energy" else 1.5
            reasons.append(f"units {unit}")
        elif unit and (DEGREES.match(unit) or energy_unit(unit)):
            score -= 1.5
        if values is not None:
            fits = _like_pitch_angles(values) if role == "pitch_angle" else _like_energies(values)
            score += 0.75 if fits else -1.0
            if fits:
                reasons.append("values")
        scores[role] = (score, ", ".join(reasons))
    return scores


def _finite(values: np.ndarray) -> np.ndarray:
    values = np.asarray(values, dtype=np.float64).ravel()
    return values[np.isfinite(values) & (np.abs(values) < 1e30)]


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
    """Whether values are so like pitch angles that nothing else need say so."""
    values = np.unique(_finite(values))
    return bool(
        values.size >= 3 and values[0] >= 0 and 90 <= values[-1] <= 180 and np.ptp(values) >= 80
    )


def surely_energies(values: np.ndarray) -> bool:
    """Whether values are so like energies that nothing else need say so: positive, no plain count."""
    values = np.unique(_finite(values))
    if values.size < 3 or values[0] <= 0 or values[-1] / values[0] < 1.5:
        return False
    return not np.array_equal(values, np.arange(values[0], values[0] + values.size))


def species(name: str, attrs: Mapping[str, Any]) -> tuple[int, str]:
    """Rank and name of the particle species; unknown species rank last."""
    stated = attrs.get("species")
    for text in (
        stated if isinstance(stated, str) else "",
        name.replace("_", " "),
        description(attrs),
    ):
        for rank, (word, pattern) in enumerate(SPECIES):
            if pattern.search(text):
                return rank, word
    return len(SPECIES), ""


def flux_rank(name: str, attrs: Mapping[str, Any]) -> int:
    """0 differential flux, 1 probably one, 2 something else (counts), 3 surely no flux."""
    text = f"{name} {attribute(attrs, 'FIELDNAM') or ''}"
    if NOT_A_FLUX_WORDS.search(text):
        return 3
    unit = units(attrs)
    if DEGREES.match(unit) or energy_unit(unit):
        return 3
    per_area = bool(PER_AREA.search(unit) and PER_ANGLE.search(unit) and PER_ENERGY.search(unit))
    if COUNTS_WORDS.search(name) or (COUNTS_WORDS.search(unit) and not per_area):
        return 2
    if per_area:
        return 0
    if FLUX_WORDS.search(text) or FLUX_WORDS.search(description(attrs)):
        return 1
    return 1 if not unit else 2
