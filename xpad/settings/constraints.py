"""What a setting takes: each kind of value is checked, said in words, and read from a text, here."""

# ruff: noqa: D102  what a method does is said once, in Constraint and Written
from __future__ import annotations

import math
from abc import ABC, abstractmethod
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, ClassVar


class Constraint(ABC):
    """One kind of value; ``str()`` says it in words that follow "must be"."""

    @abstractmethod
    def takes(self, value: Any) -> bool:
        """Whether the value is of this kind."""

    @abstractmethod
    def __str__(self) -> str: ...

    def plain(self, value: Any) -> Any:
        """The value as plain Python, as it is kept; what is not of this kind stays what it is."""
        return value.tolist() if hasattr(value, "tolist") else value

    def refusal(self, given: str, meaning: str) -> str:
        """Why what was given is not taken, and what the setting means."""
        return f"{given} must be {self}: {meaning}"


class Written(Constraint):
    """What stands as a text on the command line."""

    @property
    @abstractmethod
    def metavar(self) -> str | tuple[str, ...]:
        """How help calls the text; one name for each, where there are several."""

    @abstractmethod
    def parsed(self, text: str) -> Any:
        """What the text stands for.

        Raises
        ------
        ValueError
            Nothing of this kind.
        """

    def read(self, text: str) -> Any:
        """What the text stands for, if that is taken.

        Raises
        ------
        ValueError
            It is not.
        """
        value = self.parsed(text)
        if not self.takes(value):
            raise ValueError(text)
        return value


@dataclass(frozen=True)
class Whole(Written):
    """A whole number of at least so many, and of at most so many bits.

    Examples
    --------
    >>> str(Whole(1)), Whole(1).read("12"), Whole(1).takes(0), Whole(1).takes(True)
    ('a whole number of at least 1', 12, False, False)
    """

    least: int
    bits: int | None = None
    metavar = "N"

    def takes(self, value: Any) -> bool:
        return (
            isinstance(value, int)
            and not isinstance(value, bool)
            and value >= self.least
            and (self.bits is None or value < 2**self.bits)
        )

    def __str__(self) -> str:
        below = "" if self.bits is None else f" and below 2**{self.bits}"
        return f"a whole number of at least {self.least}{below}"

    def parsed(self, text: str) -> int:
        return int(text)


@dataclass(frozen=True)
class Between(Written):
    """A number between two others, or one of the ends where they belong to it.

    Examples
    --------
    >>> str(Between(0, 1)), Between(0, 1).takes(1.0), Between(0, 1, ends=True).takes(1.0)
    ('a number between 0 and 1', False, True)
    """

    low: float
    high: float
    ends: bool = False
    metavar = "X"

    def takes(self, value: Any) -> bool:
        return is_number(value) and (
            self.low < value < self.high or (self.ends and value in (self.low, self.high))
        )

    def __str__(self) -> str:
        if self.ends:
            return f"a number from {self.low:g} to {self.high:g}"
        return f"a number between {self.low:g} and {self.high:g}"

    def parsed(self, text: str) -> float:
        return float(text)


@dataclass(frozen=True)
class Positive(Written):
    """A positive number."""

    metavar = "X"

    def takes(self, value: Any) -> bool:
        return is_number(value) and value > 0

    def __str__(self) -> str:
        return "a positive number"

    def parsed(self, text: str) -> float:
        return float(text)


@dataclass(frozen=True)
class Interval(Written):
    """Two numbers, the lower first; on the command line, two texts.

    Examples
    --------
    >>> Interval().plain([1, 2]), Interval().takes((2.0, 1.0))
    ((1.0, 2.0), False)
    """

    metavar: ClassVar[Any] = ("LOW", "HIGH")

    def plain(self, value: Any) -> Any:
        return numbers(super().plain(value))

    def takes(self, value: Any) -> bool:
        return (
            isinstance(value, tuple)
            and len(value) == 2
            and all(isinstance(end, int | float) for end in value)
            and value[0] <= value[1]
        )

    def __str__(self) -> str:
        return "a range (low, high)"

    def parsed(self, text: str) -> Any:
        return float(text)

    def read(self, text: str) -> Any:
        """One end; whether it is the lower is seen when both are there."""
        return self.parsed(text)


@dataclass(frozen=True)
class Span(Interval):
    """Two numbers, the lower first; on the command line, one text with a comma.

    Examples
    --------
    >>> Span().read("0,1e5")
    (0.0, 100000.0)
    """

    metavar = "LOW,HIGH"

    def parsed(self, text: str) -> Any:
        return self.plain(text.split(","))

    def read(self, text: str) -> Any:
        return Written.read(self, text)


@dataclass(frozen=True)
class Fluxes(Written):
    """One flux, or one for each energy, none negative; on the command line, with commas.

    Examples
    --------
    >>> Fluxes().takes(0.0), Fluxes().takes(()), Fluxes().takes(-5.0)
    (True, False, False)
    >>> Fluxes().read("3"), Fluxes().read("3,4"), Fluxes().plain([3])
    (3.0, (3.0, 4.0), 3.0)
    """

    metavar = "FLUX[,FLUX…]"

    def plain(self, value: Any) -> Any:
        found = numbers(super().plain(value))
        return found[0] if isinstance(found, tuple) and len(found) == 1 else found

    def takes(self, value: Any) -> bool:
        every = value if isinstance(value, tuple) else (value,)
        return bool(every) and all(is_number(one) and one >= 0 for one in every)

    def __str__(self) -> str:
        return "a flux of at least 0 or one for each energy"

    def parsed(self, text: str) -> Any:
        return self.plain([float(part) for part in text.split(",")])


@dataclass(frozen=True)
class Text(Written):
    """A text."""

    metavar = "TEXT"

    def takes(self, value: Any) -> bool:
        return isinstance(value, str)

    def __str__(self) -> str:
        return "a text"

    def parsed(self, text: str) -> str:
        return text


@dataclass(frozen=True)
class TimeOrName(Written):
    """A length of time, which has a unit, or the name of a variable.

    Examples
    --------
    >>> [TimeOrName().takes(text) for text in ("9h", "1.5D", "orbit", "3", "-1D", "0h", "NaT", "")]
    [True, True, True, False, False, False, False, False]
    """

    metavar = "TIME|NAME"

    def takes(self, value: Any) -> bool:
        if not isinstance(value, str) or not value.strip() or _is_bare_number(value):
            return False
        length = nanoseconds(value)
        return length is None or length > 0

    def __str__(self) -> str:
        return "a positive length of time with its unit, or the name of a variable"

    def parsed(self, text: str) -> str:
        return text


@dataclass(frozen=True)
class Choice(Written):
    """One of these words, or None where that is among them.

    Examples
    --------
    >>> Choice(("dense", None)).metavar, Choice(("dense", None)).read("None")
    ('dense|none', None)
    """

    words: tuple[str | None, ...]

    @property
    def metavar(self) -> str:
        return "|".join("none" if word is None else word for word in self.words)

    def takes(self, value: Any) -> bool:
        return (value is None or isinstance(value, str)) and value in self.words

    def __str__(self) -> str:
        return _or([repr(word) for word in self.words])

    def parsed(self, text: str) -> str | None:
        return None if None in self.words and text.lower() == "none" else text

    def refusal(self, given: str, meaning: str) -> str:
        return f"{given} is not known; choose one of {list(self.words)}"


@dataclass(frozen=True)
class Switch(Constraint):
    """True or False; on the command line, an option and its opposite."""

    def plain(self, value: Any) -> Any:
        found = super().plain(value)
        return bool(found) if isinstance(found, int) and found in (0, 1) else found

    def takes(self, value: Any) -> bool:
        return isinstance(value, bool)

    def __str__(self) -> str:
        return "True or False"


@dataclass(frozen=True)
class Either(Written):
    """What one of two takes.

    Examples
    --------
    >>> k = Either(Whole(1), Choice(("meanshift", None)))
    >>> str(k), k.metavar
    ("a whole number of at least 1, 'meanshift' or None", 'N|meanshift|none')
    >>> k.read("6"), k.read("meanshift"), k.read("none")
    (6, 'meanshift', None)
    """

    one: Written
    choice: Choice

    @property
    def metavar(self) -> str | tuple[str, ...]:
        if isinstance(self.one.metavar, tuple):
            return self.one.metavar
        return f"{self.one.metavar}|{self.choice.metavar}"

    def plain(self, value: Any) -> Any:
        return self.one.plain(value)

    def takes(self, value: Any) -> bool:
        return self.choice.takes(value) or self.one.takes(value)

    def __str__(self) -> str:
        return _or([str(self.one), *(repr(word) for word in self.choice.words)])

    def parsed(self, text: str) -> Any:
        found = self.choice.parsed(text)
        return found if self.choice.takes(found) else self.one.read(text)

    def read(self, text: str) -> Any:
        return self.parsed(text)


def is_number(value: Any) -> bool:
    """Whether the value is a finite number, and no bool."""
    return isinstance(value, int | float) and not isinstance(value, bool) and math.isfinite(value)


def nanoseconds(text: str) -> int | None:
    """The length of time that a text says, 0 where it says a missing one; None where it says none.

    Examples
    --------
    >>> nanoseconds("1h"), nanoseconds("orbit")
    (3600000000000, None)
    """
    import numpy as np
    import pandas as pd

    try:
        length: Any = pd.Timedelta(text)
    except ValueError:
        return None
    if pd.isna(length):
        return 0
    return int(length.to_timedelta64().astype("timedelta64[ns]").astype(np.int64))


def _is_bare_number(text: str) -> bool:
    """Whether a text is of digits and signs alone, of which pandas makes nanoseconds."""
    try:
        float(text.replace(" ", ""))
    except ValueError:
        return False
    return True


def numbers(value: Any) -> Any:
    """A list or tuple of numbers as a tuple of floats; anything else as it is."""
    if not isinstance(value, list | tuple):
        return value
    try:
        return tuple(float(number) for number in value)
    except (TypeError, ValueError):
        return value


def _or(words: Sequence[str]) -> str:
    return " or ".join([", ".join(words[:-1]), words[-1]] if len(words) > 1 else words)
