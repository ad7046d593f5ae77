"""What attributes say: units, descriptions, angles, ranges of energies."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from functools import lru_cache
from typing import Any

import numpy as np

DEGREES = re.compile(r"^\s*\[?\s*(degs?|degrees?|°|angular degrees?)\s*\]?\s*$", re.IGNORECASE)
RADIANS = re.compile(r"^\s*\[?\s*rad(ian)?s?\s*\]?\s*$", re.IGNORECASE)
ENERGY_UNIT = re.compile(
    r"^\s*\[?\s*([kMG]?)eV\s*(/\s*(e|q|charge|n|nuc|nucleon))?\s*\]?\s*$", re.IGNORECASE
)
_NUMBER = r"((?:\d+\.?\d*|\.\d+)(?:e[+-]?\d+)?)"
_RANGE = re.compile(
    rf"{_NUMBER}\s*([kMG]?eV)?\s*(?:-|–|to|,)\s*{_NUMBER}\)?\s*([kMG]?eV)(?![a-z])",
    re.IGNORECASE,
)
_IN_NAME = re.compile(
    rf"(?<![a-z\d.]){_NUMBER}(?:(?:_|-|to|_to_){_NUMBER})?_?([kMG]?eV)(?![a-z])", re.IGNORECASE
)
_TEXT_ATTRS = ("FIELDNAM", "LABLAXIS", "long_name", "standard_name", "DICT_KEY", "CATDESC")


KEV = {"eV": 1e-3, "keV": 1.0, "MeV": 1e3, "GeV": 1e6}


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


def energy_in_name(name: str) -> tuple[float, float, str, str] | None:
    """The energy or the range of energies in a variable's name: (low, high, unit, as it stands).

    Examples
    --------
    >>> energy_in_name("mms1_epd_eis_extof_47_64keV_proton_flux_omni_pad")
    (47.0, 64.0, 'keV', '47_64keV')
    """
    match = _IN_NAME.search(name)
    unit = energy_unit(match[3]) if match is not None else None
    if match is None or unit is None:
        return None
    return float(match[1]), float(match[2] or match[1]), unit, match[0]


def centre(low: float, high: float) -> float:
    """The middle of an energy band: geometric, or half the top of one that begins at zero."""
    return float(np.sqrt(low * high)) if low > 0 else high / 2


def is_angle_unit(unit: str) -> bool:
    """Whether a unit is degrees or radians."""
    return bool(DEGREES.match(unit) or RADIANS.match(unit))
