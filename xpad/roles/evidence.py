"""What speaks for an axis, graded, and what rules it out.

Evidence, strongest first: a role that somebody stated, a row of the missions table, standard metadata
that name it, its name, units and values together; anything less is a guess, and says so. A word for
something else, units of something else, or values that it cannot have rule an axis out.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from enum import IntEnum
from typing import Any

import numpy as np

from xpad.roles import units
from xpad.roles.metadata import text_of


class Grade(IntEnum):
    """How certain an axis is; the lower the surer."""

    STATED = 0
    MISSION = 1
    METADATA = 2
    TOGETHER = 3
    GUESS = 4

    @property
    def words(self) -> str:
        """For a person."""
        return _GRADES[self]


_GRADES = {
    Grade.STATED: "stated",
    Grade.MISSION: "by the missions table",
    Grade.METADATA: "by its metadata",
    Grade.TOGETHER: "by name, units and values together",
    Grade.GUESS: "guessed",
}


@dataclass(frozen=True)
class Verdict:
    """What the evidence comes to.

    Attributes
    ----------
    grade : Grade or None
        None where nothing, or too little, speaks for it.
    reasons : tuple of str
        What speaks for it.
    against : str
        What rules it out; empty where nothing does.
    """

    grade: Grade | None
    reasons: tuple[str, ...] = ()
    against: str = ""

    @property
    def named(self) -> bool:
        """Whether a name or a text speaks for it, not its units or values alone."""
        return bool({"name", *TEXTS} & set(self.reasons))


TEXTS = ("standard_name", "FIELDNAM", "LABLAXIS", "long_name", "DICT_KEY", "CATDESC", "VAR_NOTES")
"""Attributes that say what a variable is."""


@dataclass(frozen=True)
class Signs:
    """What tells a role.

    Attributes
    ----------
    full : pattern
        Names it beyond doubt, in a name or a text.
    short : pattern
        A short name of it.
    kind : str
        The kind of its units.
    derived : pattern
        Words for what is derived from it (its width, its error), which it is then not.
    other : pattern
        Words for other quantities of the same kind.
    """

    full: re.Pattern[str]
    short: re.Pattern[str]
    kind: str
    derived: re.Pattern[str]
    other: re.Pattern[str]


_DERIVED = (
    r"delta|uncert|(?<![a-z])err(or)?s?(?![a-z])|width|bounds?(?![a-z])|(?<![a-z])(plus|minus)(?![a-z])|"
    r"labe?l|quality|flag|(?<![a-z])(index|num|number|id)(?![a-z])|status"
)
_DIRECTIONS = (
    r"azim|elevation|latitude|longitude|(?<![a-z])(g?lat|g?lon|phi|theta|ra|dec|az|el|mlt|mlat|rll)(?![a-z])|"
    r"zenith|nadir|gyro|phase|(?<![a-z])spin|anode|sector|detector|telescope|pixel|(?<![a-z])look|"
    r"polar(?!i[sz])|roll|yaw|clock|cone|solar|declin|ascension|colat|inclin"
)
_OTHERS = (
    r"freq|altitude|height|distance|radius|wavelength|mass|charge|temperature|veloc|speed|channel|"
    r"(?<![a-z])(chan|ch|alt|bin)(?![a-z])|l_?shell|(?<![a-z])l_?star|step"
)

SIGNS = {
    "pitch_angle": Signs(
        re.compile(r"pitch(?![a-z]*(?:dist|ang_?dist))", re.I),
        re.compile(r"(?<![a-z])alpha|(?<![a-z])e?pa(?![a-z])|pang(?![a-z])", re.I),
        units.ANGLE,
        re.compile(_DERIVED, re.I),
        re.compile(f"{_DIRECTIONS}|{_OTHERS}|energ", re.I),
    ),
    "energy": Signs(
        re.compile(r"energ", re.I),
        re.compile(r"(?<![a-z])(e|en|[kmg]?ev)(?![a-z])", re.I),
        units.ENERGY,
        re.compile(_DERIVED, re.I),
        re.compile(f"{_DIRECTIONS}|{_OTHERS}|pitch", re.I),
    ),
}


def judged(
    role: str,
    name: str,
    attrs: Mapping[Any, Any],
    values: np.ndarray | None,
    unit: str,
    *,
    flux_unit: str = "",
    linked: bool = False,
) -> Verdict:
    """Judge whether a variable plays a role.

    Parameters
    ----------
    role : {"pitch_angle", "energy"}
    name : str
        What it is called, by itself or by the link to it.
    attrs : mapping
        Its attributes.
    values : array, optional
        Of its values, what is in memory.
    unit : str
        Its units; those of the flux count as none, since loaders copy them.
    linked : bool
        Whether the flux's own metadata name it as an axis.

    Examples
    --------
    >>> judged("pitch_angle", "alpha", {}, np.array([80.0, 350.0]), "km").against
    "its units are 'km' (length)"
    >>> judged("pitch_angle", "FEDU_Alpha", {}, np.array([5.0, 90, 175]), "deg").grade.name
    'TOGETHER'
    """
    signs = SIGNS[role]
    texts = {"name": name, **{t: found for t in TEXTS if (found := text_of(attrs, t))}}
    named = [t for t, text in texts.items() if signs.full.search(text)]
    against = _contrary_words(signs, texts, named)
    unit = "" if unit == flux_unit else unit
    against = against or _contrary_units(signs, unit)
    fits = None
    if values is not None:
        contrary, fits = VALUES[role](np.asarray(values), unit, name)
        against = against or contrary
    if against:
        return Verdict(None, (), against)
    return _graded(signs, texts, named, unit, fits, linked)


def _graded(
    signs: Signs,
    texts: Mapping[str, str],
    named: list[str],
    unit: str,
    fits: bool | None,
    linked: bool,
) -> Verdict:
    called = "name" in named or signs.short.search(texts["name"]) is not None
    has_unit = units.kind_of(unit) == signs.kind
    described = [t for t in named if t != "name"]
    reasons = [*(["name"] if called else []), *described]
    reasons += [f"units {unit}"] if has_unit else []
    reasons += ["values"] if fits else []
    if described or (linked and "name" in named):
        return Verdict(Grade.METADATA, tuple(reasons))
    if called and has_unit and fits is not False:
        return Verdict(Grade.TOGETHER, tuple(reasons))
    if called and fits is not False:
        return Verdict(Grade.GUESS, tuple(reasons))
    if has_unit and linked and fits is not False:
        return Verdict(Grade.GUESS, tuple(reasons))
    return Verdict(Grade.GUESS if "name" in named else None, tuple(reasons))


def _contrary_words(signs: Signs, texts: Mapping[str, str], named: list[str]) -> str:
    """The word that rules a role out: for what is derived from it, or for something else."""
    derived = signs.derived.search(texts["name"])
    if derived is not None:
        return f"its name says {derived[0]!r}"
    for where, text in texts.items():
        if where in named:
            continue
        other = signs.other.search(text)
        # Where one text names it, the others' words (the telescope's pitch angle) only add to it.
        if other is not None and not named:
            told = "name" if where == "name" else where
            return f"its {told} says {other[0]!r}"
    return ""


def _contrary_units(signs: Signs, unit: str) -> str:
    parsed = units.parsed(unit)
    if parsed is None or parsed.kind in (signs.kind, units.NUMBER):
        return ""
    return f"its units are {unit!r} ({parsed.kind})"


COSINE = re.compile(r"(?<![a-z])cos(ines?)?(?![a-z])|(?<![a-z])cos_?(pa|pitch|alpha)", re.I)
"""In a name, in units or in a text: the values are cosines of what is named."""

NO_VALUE = 1e27
"""No coordinate is as large; fills seen in coordinates are -1e28 and -1e31."""


def finite(values: np.ndarray) -> np.ndarray:
    """The values that are no fill, in one row."""
    values = np.asarray(values, dtype=np.float64).ravel()
    return values[np.isfinite(values) & (np.abs(values) < NO_VALUE)]


def _of_pitch_angle(values: np.ndarray, unit: str, name: str) -> tuple[str, bool | None]:
    """What rules values out as pitch angles, and whether they could be some."""
    found, parsed = finite(values), units.parsed(unit)
    in_degrees = parsed is not None and parsed.kind == units.ANGLE
    if in_degrees and parsed is not None:
        found = found * parsed.factor
    elif COSINE.search(name):
        found = np.rad2deg(np.arccos(found[np.abs(found) <= 1]))
    if found.size < 2:
        return "", None
    low, high = float(found.min()), float(found.max())
    if low < -185 or high > 370:
        return f"its values go from {low:g} to {high:g}", False
    if not in_degrees and low >= 0 and high - low >= 0.75 and high <= np.pi + 0.01:
        return "", True  # radians that do not say so, which are asked about
    unique = np.unique(found)
    if np.ndim(values) == 1 and not in_degrees:
        if _counts(unique):
            return f"its values count from {low:g} to {high:g}", False
        if _geometric(unique):
            return f"its values, {low:g} … {high:g}, are spaced like energies", False
    return "", bool(low > -95 and high - low >= 45)


def _of_energy(values: np.ndarray, unit: str, name: str) -> tuple[str, bool | None]:
    found = finite(values)
    found = found[found > 0]
    if found.size < 1:
        return "", None
    return "", bool(found.max() / found.min() > 1.5)


VALUES = {"pitch_angle": _of_pitch_angle, "energy": _of_energy}


def _counts(unique: np.ndarray) -> bool:
    """Whether values are consecutive whole numbers from 0 or 1, which end where no angle does."""
    counted = np.array_equal(unique, np.arange(unique[0], unique[0] + unique.size))
    return bool(counted and unique[0] in (0, 1) and unique[-1] not in (90, 180, 360))


def _geometric(unique: np.ndarray) -> bool:
    """Whether values grow by a factor, over at least a decade's half, as energies do."""
    if unique.size < 5 or unique[0] <= 0 or unique[-1] / unique[0] < 4:
        return False
    steps, ratios = np.diff(unique), np.diff(np.log(unique))
    return bool(np.std(ratios) / np.mean(ratios) < 0.25 * np.std(steps) / np.mean(steps))
