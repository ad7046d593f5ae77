"""Results of xpad that a Dataset or a store carries: told by its attributes."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

_SETTINGS, _PRESET, _UNFINISHED = "_settings", "_preset", "_unfinished"


def prefixes(attrs: Mapping[Any, Any]) -> list[str]:
    """How the names of the results begin, of which attributes tell.

    Examples
    --------
    >>> prefixes({"pad_settings": "{}", "pad_preset": "killey2023", "my_settings": 1})
    ['pad']
    """
    stated = [str(name).removesuffix(_SETTINGS) for name in attrs if str(name).endswith(_SETTINGS)]
    return [prefix for prefix in stated if f"{prefix}{_PRESET}" in attrs]


def has_result(attrs: Mapping[Any, Any], prefix: str) -> bool:
    """Whether attributes tell of a result under this prefix."""
    return prefix in prefixes(attrs)


def is_unfinished(attrs: Mapping[Any, Any], prefix: str) -> bool:
    """Whether the labels under this prefix are still being written."""
    return unfinished(prefix) in attrs


def unfinished(prefix: str) -> str:
    """The attribute that says so."""
    return f"{prefix}{_UNFINISHED}"


def any_unfinished(attrs: Iterable[Any]) -> bool:
    """Whether any labels of a store are still being written."""
    return any(str(name).endswith(_UNFINISHED) for name in attrs)
