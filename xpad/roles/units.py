"""Units as missions write them, parsed: what kind of quantity they are of, and the factor between two.

One grammar reads the spellings of CDF, tplot, CEF, PDS and netCDF files: ``1/(cm^2 s sr keV)``,
``cm!E-2!N s!E-1!N``, ``#/(cm^2*s*str*MeV)``, ``(cm^2 s sr MeV)^-1``, ``1/cm2-sr-s-keV``, ``s^3/km^6``,
``1/cc``, ``log10(keV/(cm^2 s sr keV))``, ``cm⁻² s⁻¹``. The libraries that parse units take none of the
half of these, and to all of them steradians and counts are pure numbers.
"""

from __future__ import annotations

import math
import re
from dataclasses import dataclass
from functools import lru_cache

NUMBER_FLUX = "differential number flux"
ENERGY_FLUX = "differential energy flux"
INTEGRAL_FLUX = "integral flux"
PHASE_SPACE_DENSITY = "phase-space density"
COUNTS = "counts"
COUNT_RATE = "count rate"
ENERGY = "energy"
ANGLE = "angle"
NUMBER = "pure number"

Powers = tuple[tuple[str, int], ...]

_KINDS: dict[Powers, str] = {
    (("energy", -1), ("length", -2), ("sr", -1), ("time", -1)): NUMBER_FLUX,
    (("length", -2), ("sr", -1), ("time", -1)): INTEGRAL_FLUX,
    (("energy", 1), ("length", -2), ("sr", -1), ("time", -1)): "integral energy flux",
    (("length", -6), ("time", 3)): PHASE_SPACE_DENSITY,
    (("length", -3),): "density",
    (("energy", 1),): ENERGY,
    (("angle", 1),): ANGLE,
    (("length", 1),): "length",
    (("length", 1), ("time", -1)): "speed",
    (("time", -1),): "frequency",
    (("time", 1),): "time",
    (): NUMBER,
}
"""What has these powers of the dimensions, apart from counts."""

_NAMES: dict[str, tuple[str, float]] = {
    "mm": ("length", 0.1), "cm": ("length", 1.0), "m": ("length", 1e2), "km": ("length", 1e5),
    "re": ("length", 6.3712e8), "r_e": ("length", 6.3712e8), "r_j": ("length", 7.1492e9),
    "rj": ("length", 7.1492e9), "au": ("length", 1.495978707e13),
    "ms": ("time", 1e-3), "s": ("time", 1.0), "sec": ("time", 1.0), "secs": ("time", 1.0),
    "second": ("time", 1.0), "seconds": ("time", 1.0), "min": ("time", 60.0),
    "hr": ("time", 3600.0), "hour": ("time", 3600.0), "hours": ("time", 3600.0),
    "day": ("time", 86400.0), "days": ("time", 86400.0),
    "sr": ("sr", 1.0), "str": ("sr", 1.0), "ster": ("sr", 1.0), "sterad": ("sr", 1.0),
    "steradian": ("sr", 1.0), "steradians": ("sr", 1.0),
    "ev": ("energy", 1e-3), "kev": ("energy", 1.0), "mev": ("energy", 1e3),
    "gev": ("energy", 1e6), "j": ("energy", 6.241509074e15), "joule": ("energy", 6.241509074e15),
    "erg": ("energy", 6.241509074e8), "ergs": ("energy", 6.241509074e8),
    "deg": ("angle", 1.0), "degs": ("angle", 1.0), "degree": ("angle", 1.0),
    "degrees": ("angle", 1.0), "°": ("angle", 1.0),
    "rad": ("angle", 180 / math.pi), "rads": ("angle", 180 / math.pi),
    "radian": ("angle", 180 / math.pi), "radians": ("angle", 180 / math.pi),
    "#": ("count", 1.0), "count": ("count", 1.0), "counts": ("count", 1.0), "cts": ("count", 1.0),
    "cnts": ("count", 1.0), "cnt": ("count", 1.0), "particle": ("count", 1.0),
    "particles": ("count", 1.0), "part": ("count", 1.0), "electron": ("count", 1.0),
    "electrons": ("count", 1.0), "ion": ("count", 1.0), "ions": ("count", 1.0),
    "proton": ("count", 1.0), "protons": ("count", 1.0),
    "nt": ("field", 1.0), "v": ("voltage", 1.0), "mv": ("voltage", 1e-3), "k": ("temperature", 1.0),
}  # fmt: skip
"""Name in small letters to its dimension, and the factor to cm, s, sr, keV, degrees, counts."""

_MEANT = {"cc": "cm^3", "cps": "count/s", "hz": "1/s", "khz": "1/ms", "c": "count"}
_PER_PARTICLE = frozenset(
    {"n", "nuc", "nucl", "nucleon", "nucleons", "q", "e", "charge", "amu", "u"}
)
"""Of an energy: for each of these. They leave it an energy."""
_NOTHING = frozenset(
    {"", "1", "none", "n/a", "na", "unitless", "dimensionless", "-", "--", "nounits", "no units"}
)

_SUPERSCRIPTS = str.maketrans("⁻⁺⁰¹²³⁴⁵⁶⁷⁸⁹−–·×", "-+0123456789--**")
_REWRITTEN: tuple[tuple[re.Pattern[str], str], ...] = tuple(
    (re.compile(pattern, re.IGNORECASE), by)
    for pattern, by in (
        (r"^\s*\[(.*)\]\s*$", r"\1"),  # [keV]
        (r"!([EUS])([-+]?\d+)(?=!N|!n|\s|$|[)/*.!])", r"^\2"),  # IDL's cm!E-2!N
        (r"!N|!n", " "),
        (r"<sup>\s*([-+]?\d+)\s*</sup>", r"^\1"),
        (r"\\(?:mathrm|rm|text)\b", ""),
        (r"\\[,;: ]", " "),
        (r"\{?\s*([-+]?\d+)\s*[}$]+(?=[-.])", r"\1"),  # cm^{2}-s, cm$^2$-s
        (r"[${}]|~", " "),
        (r"\*\*|\^\s*", "^"),
        (r"\bper\b", "/"),
        (r"angular\s+degrees?", "deg"),
        (r"(?<=[a-z)])\s*\(\s*0\s*-\s*(?:pi|π|180)\s*\)", ""),  # radian (0-pi)
        (r"(?<=[a-z])[.](?=[a-z#])|(?<=\d)[.](?=[a-z(])|(?<=[a-z)])[-](?=[a-z(])|(?<=\d)-(?=[a-z(])", "*"),
        (r"(?<=[a-z)])\^?\+(?=\d)", "^"),
    )
)  # fmt: skip
_LOGARITHM = re.compile(r"^\s*log(?:_?10)?\s*[(\s]\s*(.*?)\)?\s*$", re.IGNORECASE)
_TOKEN = re.compile(
    r"\s*(?:(?P<number>(?:\d+\.?\d*|\.\d+)(?:e[+-]?\d+)?(?![a-z]))|(?P<name>[a-z_°]+|#)|(?P<mark>[/*()^]))"
    r"|\s*(?P<sign>[-+])(?=\d)",
    re.IGNORECASE,
)


@dataclass(frozen=True)
class Unit:
    """A unit that was understood.

    Attributes
    ----------
    text : str
        As it was written.
    powers : tuple of (str, int)
        Of its dimensions: length, time, sr, energy, angle, count, …; sorted, none of them zero.
    factor : float
        To cm, s, sr, keV, degrees and counts.
    of_energy : bool
        Whether an energy stands both above and below, as in an energy flux for each energy.
    logarithm : bool
        Whether it is that of a logarithm to base ten.
    parts : tuple of (str, int, float)
        Dimension, power and factor of each unit in it, as they are written.
    """

    text: str
    powers: Powers
    factor: float
    of_energy: bool = False
    logarithm: bool = False
    parts: tuple[tuple[str, int, float], ...] = ()

    @property
    def kind(self) -> str:
        """What has this unit; its powers in words where that has no name."""
        counts, others = dict(self.powers).get("count", 0), self._apart_from_counts
        if counts and others in ((), (("time", -1),)):
            return COUNT_RATE if others else COUNTS
        kind = _KINDS.get(others, "")
        if kind == INTEGRAL_FLUX and self.of_energy:
            return ENERGY_FLUX
        return kind or " ".join(f"{name}^{power}" for name, power in self.powers)

    @property
    def _apart_from_counts(self) -> Powers:
        return tuple((name, power) for name, power in self.powers if name != "count")

    def to(self, other: Unit) -> float | None:
        """The factor to another unit of the same kind; None where there is none."""
        if self.kind != other.kind or self.logarithm != other.logarithm:
            return None
        return self.factor / other.factor


@lru_cache(maxsize=512)
def parsed(text: str) -> Unit | None:
    """A unit, or None where the text is none that is understood.

    Examples
    --------
    >>> parsed("#/(cm^2*s*str*MeV)").kind, parsed("cm!E-2!N s!E-1!N sr!E-1!N keV!E-1!N").kind
    ('differential number flux', 'differential number flux')
    >>> parsed("keV/(cm^2 s sr keV)").kind, parsed("s^3/km^6").kind, parsed("counts").kind
    ('differential energy flux', 'phase-space density', 'counts')
    >>> parsed("1/(cm^2 s sr MeV)").to(parsed("1/cm2-sr-s-keV"))
    0.001
    """
    inner, logarithm = text.translate(_SUPERSCRIPTS), False
    if (found := _LOGARITHM.match(inner)) is not None:
        inner, logarithm = found[1], True
    if inner.strip().lower() in _NOTHING:
        return Unit(text, (), 1.0, logarithm=logarithm)
    for pattern, by in _REWRITTEN:
        inner = pattern.sub(by, inner)
    readings = [r for r in (_read(inner, all_below=False), _read(inner, all_below=True)) if r]
    units = [_unit(text, reading, logarithm) for reading in readings]
    # "1/cm^2 s sr keV" means that all of it stands below: what makes sense of it is meant.
    return next((u for u in units if u.kind in _KNOWN), units[0] if units else None)


def kind_of(text: str) -> str:
    """What has these units; '' where they are not understood."""
    unit = parsed(text)
    return unit.kind if unit is not None else ""


def factor(have: str, want: str) -> float | None:
    """The factor from one unit to another of the same kind; None where there is none.

    Examples
    --------
    >>> factor("MeV", "keV"), factor("keV", "cm")
    (1000.0, None)
    """
    a, b = parsed(have), parsed(want)
    return None if a is None or b is None else a.to(b)


def journal(text: str) -> str:
    """Units of a flux or a phase-space density as a journal writes them; others as they are.

    Examples
    --------
    >>> journal("#/(cm^2*s*str*MeV)"), journal("keV/(cm!E2!N s sr keV)"), journal("nT")
    ('cm^-2 s^-1 sr^-1 MeV^-1', 'keV cm^-2 s^-1 sr^-1 keV^-1', 'nT')
    """
    unit = parsed(text)
    if unit is None or unit.logarithm or unit.kind not in _WRITTEN or _is_per_particle(text):
        return text
    names = {(dimension, by): name for name, (dimension, by) in _SYMBOLS.items()}
    ordered = sorted(
        (part for part in unit.parts if part[0] != "count" and part[::2] != ("", 1.0)),
        key=lambda part: (part[1] < 0, _ORDER.index(part[0]) if part[0] in _ORDER else -1),
    )
    if any((dimension, by) not in names for dimension, _, by in ordered):
        return text
    return " ".join(
        names[dimension, by] + (f"^{power}" if power != 1 else "")
        for dimension, power, by in ordered
    )


_WRITTEN = (NUMBER_FLUX, ENERGY_FLUX, INTEGRAL_FLUX, "integral energy flux", PHASE_SPACE_DENSITY)
_ORDER = ("length", "time", "sr", "energy")
_SYMBOLS = {
    "cm": ("length", 1.0), "m": ("length", 1e2), "km": ("length", 1e5), "s": ("time", 1.0),
    "sr": ("sr", 1.0), "eV": ("energy", 1e-3), "keV": ("energy", 1.0), "MeV": ("energy", 1e3),
    "GeV": ("energy", 1e6), "J": ("energy", 6.241509074e15), "erg": ("energy", 6.241509074e8),
}  # fmt: skip


def _is_per_particle(text: str) -> bool:
    words = re.findall("[a-z]+", text.translate(_SUPERSCRIPTS).lower())
    return any(word in _PER_PARTICLE and word not in ("n", "e") for word in words)


_KNOWN = frozenset({*_KINDS.values(), ENERGY_FLUX, COUNTS, COUNT_RATE})

_Reading = list[tuple[str, int, float]]
"""Dimension, power, and the factor of one unit."""


def _read(text: str, *, all_below: bool) -> _Reading | None:
    """Products and quotients from left to right; with `all_below`, a first / is never left again."""
    tokens = _tokens(text)
    if tokens is None:
        return None
    found: _Reading = []
    signs, sign, position = [1], 1, 0
    groups: list[int] = []
    while position < len(tokens):
        kind, token = tokens[position]
        position += 1
        if token == "/":
            sign = -1
        elif token == "*" or token == "^":
            continue
        elif token == "(":
            signs.append(signs[-1] * sign)
            groups.append(len(found))
            sign = 1
        elif token == ")":
            if not groups:
                return None
            signs.pop()
            power, position = _power(tokens, position)
            begin = groups.pop()
            found[begin:] = [(name, p * power, f) for name, p, f in found[begin:]]
            sign = -1 if all_below and sign < 0 else 1
        elif kind == "number":
            power, position = _power(tokens, position)
            found.append(("", signs[-1] * sign * power, float(token)))
        else:
            power, position = _power(tokens, position)
            parts = _meaning(token)
            if parts is None:
                return None
            found += [(name, p * signs[-1] * sign * power, f) for name, p, f in parts]
            sign = sign if all_below else 1
    return None if groups else found


def _tokens(text: str) -> list[tuple[str, str]] | None:
    """Numbers, names and marks; None where something else is there."""
    found: list[tuple[str, str]] = []
    position, text = 0, text.strip()
    while position < len(text):
        match = _TOKEN.match(text, position)
        if match is None:
            return None
        kind = str(match.lastgroup)
        found.append((kind, match[kind]))
        position = match.end()
        while position < len(text) and text[position].isspace():
            position += 1
    return found


def _power(tokens: list[tuple[str, str]], position: int) -> tuple[int, int]:
    """The power that stands here, 1 where there is none, and what follows it."""
    at, sign = position, 1
    if at < len(tokens) and tokens[at][1] == "^":
        at += 1
    if (
        at < len(tokens)
        and tokens[at][1] == "("
        and at + 1 < len(tokens)
        and tokens[at + 1][0] in ("sign", "number")
    ):
        inner, after = _power(tokens, at + 1)
        if after < len(tokens) and tokens[after][1] == ")":
            return inner, after + 1
    if at < len(tokens) and tokens[at][0] == "sign":
        sign = -1 if tokens[at][1] == "-" else 1
        at += 1
    if at < len(tokens) and tokens[at][0] == "number" and tokens[at][1].isdigit():
        return sign * int(tokens[at][1]), at + 1
    return 1, position


def _meaning(name: str) -> list[tuple[str, int, float]] | None:
    """Dimensions, powers and factors of a name; of one per particle, nothing."""
    small = name.lower()
    if small in _MEANT:
        return _read(_MEANT[small], all_below=False)
    if small in _NAMES:
        return [(_NAMES[small][0], 1, _NAMES[small][1])]
    return [] if small in _PER_PARTICLE else None


def _unit(text: str, reading: _Reading, logarithm: bool) -> Unit:
    total: dict[str, int] = {}
    scale = 1.0
    energies = {power > 0 for name, power, _ in reading if name == "energy"}
    for name, power, one in reading:
        scale *= one**power
        if name:
            total[name] = total.get(name, 0) + power
    powers = tuple(sorted((name, power) for name, power in total.items() if power))
    return Unit(text, powers, scale, len(energies) == 2, logarithm, tuple(reading))
