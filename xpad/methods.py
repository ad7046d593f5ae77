"""Functions as methods: said once, with the function.

A method that is a function of the object that its class is about has the function's arguments,
types and text without its first parameter. The function is looked up when it is asked for, so a
class can offer what is slow to import.
"""

from __future__ import annotations

import inspect
import re
from collections.abc import Callable
from functools import cached_property, wraps
from types import MethodType
from typing import Any, Concatenate, Generic, ParamSpec, TypeVar, overload

P = ParamSpec("P")
R = TypeVar("R")

_SECTION = re.compile(r"(?m)^(?=\S.*\n-{3,}$)")
_ENTRY = re.compile(r"(?m)^(?=\S)")


class Method(Generic[P, R]):
    """A function as a method of a class whose instances keep its first argument in ``_obj``.

    The class says in ``_form`` how the two calls look, with ``{obj}`` for the first parameter.

    Examples
    --------
    >>> def scaled(number, by=2):
    ...     '''A number times another.
    ...
    ...     Parameters
    ...     ----------
    ...     number : int
    ...         The one.
    ...     by : int
    ...         The other, times `number`.
    ...     '''
    ...     return number * by
    >>> class Number:
    ...     _form = "``{obj}.{method}(…)`` is ``{function}({obj}, …)``."
    ...     scaled = Method(lambda: scaled)
    ...
    ...     def __init__(self, number):
    ...         self._obj = number
    >>> Number(3).scaled(by=4)
    12
    >>> Number.scaled.__doc__.splitlines()[2:]
    ['``number.scaled(…)`` is ``scaled(number, …)``.', '',
     'Parameters', '----------', 'by : int', '    The other, times `number`.']
    """

    def __init__(self, function: Callable[[], Callable[Concatenate[Any, P], R]]) -> None:
        self._function = function

    def __set_name__(self, owner: Any, name: str) -> None:
        self._owner, self._name = owner, name

    @overload
    def __get__(self, instance: None, owner: type) -> Callable[Concatenate[Any, P], R]: ...
    @overload
    def __get__(self, instance: object, owner: type) -> Callable[P, R]: ...
    def __get__(self, instance: object | None, owner: type) -> Any:
        return self._method if instance is None else MethodType(self._method, instance)

    @cached_property
    def _method(self) -> Callable[..., Any]:
        function: Any = self._function()
        signature = inspect.signature(function)
        first, *others = signature.parameters.values()

        @wraps(function)
        def method(self: Any, /, *args: Any, **kwargs: Any) -> Any:
            return function(self._obj, *args, **kwargs)

        method.__module__ = self._owner.__module__
        method.__name__ = self._name
        method.__qualname__ = f"{self._owner.__qualname__}.{self._name}"
        method.__doc__ = function.__doc__ and _of_method(
            inspect.cleandoc(function.__doc__),
            first.name,
            self._owner._form.format(obj=first.name, method=self._name, function=function.__name__),
        )
        method.__signature__ = signature.replace(  # type: ignore[attr-defined]
            parameters=[inspect.Parameter("self", first.kind), *others]
        )
        return method


def _of_method(text: str, first: str, form: str) -> str:
    """A numpydoc text without the first parameter, and with how the method is called."""
    opening, *sections = _SECTION.split(text)
    summary, _, rest = opening.partition("\n\n")
    paragraphs = (part.strip() for part in (summary, form, rest))
    sections = [_without(section, first).strip() for section in sections]
    return "\n\n".join(part for part in (*paragraphs, *sections) if part)


def _without(section: str, parameter: str) -> str:
    """A section of a numpydoc text; where it lists parameters, without one of them."""
    if not section.startswith("Parameters\n"):
        return section
    _, title, dashes, *entries = _ENTRY.split(section)
    kept = [kept for entry in entries if (kept := _entry_without(entry, parameter))]
    return title + dashes + "".join(kept) if kept else ""


def _entry_without(entry: str, parameter: str) -> str:
    """An entry, which may be of several names, without one of them; empty where it is alone."""
    heading, newline, text = entry.partition("\n")
    names, colon, kind = heading.partition(" : ")
    others = [name for name in names.split(", ") if name != parameter]
    return ", ".join(others) + colon + kind + newline + text if others else ""
