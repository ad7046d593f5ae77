"""The terms in which files state a variable: fills, valid range, units; and values brought to other terms.

Files of one product may state them differently, from one version of the product to the next. Joined,
all have the terms of the first; the values of a file that has others are cleaned by its own and
converted, while they are read.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from xpad.errors import ReaderError
from xpad.pads.clean import limits_of
from xpad.pads.valid import FILL_TOLERANCE, UNPHYSICAL
from xpad.roles import metadata, units


@dataclass(frozen=True)
class Terms:
    """What one file states of one variable.

    Attributes
    ----------
    fills : tuple of float
    low, high : float
        The valid range; without one, 0 to 1e30.
    unit : str
        As it is written.
    """

    fills: tuple[float, ...]
    low: float
    high: float
    unit: str

    @classmethod
    def of(cls, attrs: Mapping[Any, Any], encoding: Mapping[Any, Any] | None = None) -> Terms:
        """Read from attributes."""
        limits = limits_of(attrs, encoding)
        return cls(limits.fills, limits.valid_min, limits.valid_max, metadata.units(attrs))

    @property
    def is_ranged(self) -> bool:
        """Whether a range is stated, of a quantity that one holds for: axes are taken as they are."""
        is_axis = units.kind_of(self.unit) in (units.ENERGY, units.ANGLE)
        return not is_axis and (self.low, self.high) != (0.0, UNPHYSICAL)


@dataclass(frozen=True)
class Rule:
    """How values of one file come to the terms of another; called with an array, gives one of floats.

    Attributes
    ----------
    own : Terms
        Of the file.
    ranged : bool
        Whether what lies outside its valid range is to be taken away here, since the range of the
        others is another.
    factor : float
        From its unit to the others'.

    Examples
    --------
    >>> own = Terms((99.0,), 0.0, 50.0, "1/(cm^2 s sr keV)")
    >>> Rule(own, True, 1000.0)(np.array([99, 2, 60], dtype="f4"))
    array([  nan, 2000.,   nan], dtype=float32)
    """

    own: Terms
    ranged: bool
    factor: float

    def __call__(self, values: NDArray[Any]) -> NDArray[Any]:
        """Bring values to the terms of the others."""
        values = np.asarray(values)
        floats = values if values.dtype.kind == "f" else values.astype(np.float64)
        missing = np.zeros(values.shape, dtype=bool)
        with np.errstate(invalid="ignore"):
            for fill in self.own.fills:
                missing |= np.abs(floats - fill) <= FILL_TOLERANCE * abs(fill)
            if self.ranged:
                missing |= floats > self.own.high * (1 + FILL_TOLERANCE)
                missing |= (floats >= 0) & (floats < self.own.low * (1 - FILL_TOLERANCE))
            converted = floats * floats.dtype.type(self.factor)
        return np.where(missing, floats.dtype.type(np.nan), converted)


def rules(name: str, stated: Sequence[Terms], paths: Sequence[str]) -> list[Rule | None]:
    """For each file, how its values come to the terms of the first; None where they have them.

    Raises
    ------
    ReaderError
        The units of two files are of different kinds, or cannot be told.
    """
    first = stated[0]
    factors = [
        _factor(name, own, first, path, paths[0]) for own, path in zip(stated, paths, strict=True)
    ]
    ends = [(own.low * by, own.high * by) for own, by in zip(stated, factors, strict=True)]
    same_range = bool(np.allclose(ends, ends[0], rtol=FILL_TOLERANCE))
    found: list[Rule | None] = []
    for own, by in zip(stated, factors, strict=True):
        ranged = own.is_ranged and not same_range
        others = own.fills != first.fills or by != 1.0
        found.append(Rule(own, ranged, by) if ranged or others else None)
    return found


def joint_attrs(attrs: Mapping[Any, Any], found: Sequence[Rule | None]) -> dict[Any, Any]:
    """Attributes of the first file as those of all: without the range, where each had its own."""
    if not any(rule is not None and rule.ranged for rule in found):
        return dict(attrs)
    return {k: v for k, v in attrs.items() if str(k).lower() not in _RANGES}


_RANGES = ("validmin", "validmax", "valid_min", "valid_max", "valid_range")


def differ(found: Sequence[Rule | None]) -> str:
    """What is not the same in all files, in words; empty where everything is."""
    first = next((r for r in found if r is not None), None)
    if first is None:
        return ""
    parts = {
        "fill": any(r is not None and not r.ranged and r.factor == 1 for r in found),
        "valid range": any(r is not None and r.ranged for r in found),
        "units": any(r is not None and r.factor != 1 for r in found),
    }
    return " and ".join(name for name, there in parts.items() if there)


def different(parts: Sequence[str], files: int, first: str) -> str:
    """What to say of files that state something differently."""
    return (
        f"{first} and {files - 1} more state {', '.join(parts)} differently: each is cleaned by its own "
        "and converted to the units of the first"
    )


def _factor(name: str, own: Terms, first: Terms, path: str, first_path: str) -> float:
    if own.unit == first.unit or _is_blank(own.unit) or _is_blank(first.unit):
        return 1.0
    factor = units.factor(own.unit, first.unit)
    if factor is None:
        raise ReaderError(
            f"{path}: {name!r} is in {own.unit!r}, and in {first_path} in {first.unit!r}, which cannot "
            f"be converted into each other; open the files apart, or leave it out: "
            f"drop_variables=[{name!r}]"
        )
    return factor


def _is_blank(unit: str) -> bool:
    parsed = units.parsed(unit)
    return parsed is not None and parsed.kind == units.NUMBER
