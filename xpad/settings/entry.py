"""An entry of a table of settings, as its annotation says it; and entries as a list in a docstring.

An entry is ``name: Annotated[type, section, constraint, text] = default``. The constraint is left out
where the type says all: words to choose from, a switch, a text. None and words beside a constraint
(``int | Literal["meanshift"] | None``) are taken too.
"""

from __future__ import annotations

import inspect
import re
import textwrap
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from functools import cached_property
from itertools import groupby
from types import NoneType, UnionType
from typing import Any, Literal, TypeVar, Union, get_args, get_origin, get_type_hints

from xpad.errors import OptionError
from xpad.settings.constraints import Choice, Constraint, Either, Switch, Text, Written

F = TypeVar("F", bound=Callable[..., Any])

WIDTH = 71
"""Columns of a list in a docstring."""
MOST_SHOWN = 100
"""Characters of a value in a message."""


@dataclass(frozen=True)
class Setting:
    """One entry of a table.

    Attributes
    ----------
    name : str
    type : type
        As annotated.
    section : str
        What it belongs to.
    text : str
        What it means.
    default : object
    own : Constraint or None
        What the annotation says beyond the type.
    """

    name: str
    type: Any
    section: str
    text: str
    default: Any
    own: Constraint | None = None

    @cached_property
    def constraint(self) -> Constraint:
        """All that it takes."""
        words, others = _members(self.type)
        choice = Choice(words)
        if not others:
            return choice
        own = self.own or _BY_TYPE[others[0]]
        return Either(own, choice) if words and isinstance(own, Written) else own

    def taken(self, value: Any) -> Any:
        """The value as it is kept.

        Raises
        ------
        OptionError
            The setting does not take it.
        """
        plain = self.constraint.plain(value)
        if not self.constraint.takes(plain):
            raise OptionError(self.constraint.refusal(f"{self.name}={shown(value)}", self._meaning))
        return plain

    def read(self, text: str) -> Any:
        """The value that a text of the command line stands for.

        Raises
        ------
        OptionError
            It stands for none that the setting takes.
        """
        assert isinstance(self.constraint, Written)
        try:
            return self.constraint.read(text)
        except ValueError as err:
            raise OptionError(self.constraint.refusal(repr(text), self._meaning)) from err

    @property
    def _meaning(self) -> str:
        return self.text[0].lower() + self.text[1:].removesuffix(".")

    def told(self) -> str:
        """Name, type, default, text and constraint, as numpydoc has them."""
        text = self.text
        if self.own is not None:
            words = str(self.own)
            text += f" {words[0].upper()}{words[1:]}."
        body = textwrap.fill(text, WIDTH, initial_indent="    ", subsequent_indent="    ")
        return f"{self.name} : {_type_in_words(self.type)}, default {self.default!r}\n{body}"


_BY_TYPE: dict[Any, Constraint] = {bool: Switch(), str: Text()}


def shown(value: object) -> str:
    """A value in a message: in one line, and not longer than one reads.

    Examples
    --------
    >>> import numpy as np
    >>> shown("9h"), shown(np.ones((2, 2)))
    ("'9h'", 'array([[1., 1.], [1., 1.]])')
    """
    text = re.sub(r"\s*\n\s*", " ", repr(value))
    return text if len(text) <= MOST_SHOWN else f"{text[:MOST_SHOWN]}…"


def entries(table: type) -> dict[str, Setting]:
    """The entries of a class whose fields are annotated as the head of this module says."""
    found = {}
    for name, hint in get_type_hints(table, include_extras=True).items():
        section, *own, text = hint.__metadata__
        default = getattr(table, name, None)
        found[name] = Setting(name, hint.__origin__, section, text, default, *own)
    return found


def listed(settings: Iterable[Setting]) -> str:
    """Settings as a list below the names of their sections."""
    return "\n\n".join(
        "\n".join([f"*{section}*", "", *(setting.told() for setting in group)])
        for section, group in groupby(settings, key=lambda setting: setting.section)
    )


def lists(settings: Iterable[Setting]) -> Callable[[F], F]:
    """Have the last parameter in a function's docstring list these settings."""

    def decorated(function: F) -> F:
        if function.__doc__ is not None:  # python -OO leaves none
            rows = textwrap.indent(listed(settings), "    ")
            function.__doc__ = with_text(function.__doc__, rows, before="Returns")
        return function

    return decorated


def says(**words: str) -> Callable[[F], F]:
    """Have a function's docstring say these words in place of their names in ``<…>``."""

    def decorated(function: F) -> F:
        told = function.__doc__
        if told is not None:  # python -OO leaves none
            for name, text in words.items():
                assert f"<{name}>" in told, f"no <{name}>"
                told = told.replace(f"<{name}>", text)
            function.__doc__ = told
        return function

    return decorated


def with_text(docstring: str, text: str, before: str) -> str:
    """A docstring, without its indentation, with a text before one of its sections."""
    above, heading, below = inspect.cleandoc(docstring).partition(f"\n\n{before}\n---")
    assert heading, f"no section {before}"
    return f"{above}\n\n{text}{heading}{below}"


def _members(hint: Any) -> tuple[tuple[str | None, ...], list[Any]]:
    """The words (None is one) and the other types in a type."""
    words: list[str | None] = []
    others = []
    for member in get_args(hint) if get_origin(hint) in (Union, UnionType) else (hint,):
        if get_origin(member) is Literal:
            words += get_args(member)
        elif member is NoneType:
            words.append(None)
        else:
            others.append(member)
    return tuple(words), others


def _type_in_words(hint: Any) -> str:
    words, others = _members(hint)
    told = [repr(word) for word in words]
    if not others:
        return f"{{{', '.join(told)}}}"
    names = [inspect.formatannotation(other) for other in others]
    *most, last = [re.sub(r"\b(typing|collections\.abc)\.", "", name) for name in names] + told
    return f"{', '.join(most)} or {last}" if most else last
