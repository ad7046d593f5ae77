"""Units that loaders give to plots only."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from typing import Any

from xpad.roles import units

_BRACKETS = (re.compile(r"\[(.*)\]"), re.compile(r"\(([^()]*)\)\s*$"))


def of_flux(options: Mapping[str, Any]) -> str:
    """Units of the values: those beside the colours, or beside the y axis where lines are drawn."""
    return _first_unit(options, "zaxis_opt" if _is_spectrogram(options) else "yaxis_opt")


def of_axis(options: Mapping[str, Any]) -> str:
    """Units of what is drawn along y under colours."""
    return _first_unit(options, "yaxis_opt") if _is_spectrogram(options) else ""


def _is_spectrogram(options: Mapping[str, Any]) -> bool:
    extras = options.get("extras")
    return bool(isinstance(extras, Mapping) and extras.get("spec"))


def _first_unit(options: Mapping[str, Any], axis: str) -> str:
    labels = options.get(axis)
    labels = labels if isinstance(labels, Mapping) else {}
    for key in ("axis_subtitle", "axis_label"):
        label = labels.get(key)
        for text in _texts(label) if isinstance(label, str) else ():
            if _is_unit(text):
                return text
    return ""


def _texts(label: str) -> Iterator[str]:
    """What of a label could be a unit: all of it, or what stands in brackets."""
    label = re.sub(r"\s*\n\s*", "", label.strip())  # a long unit is broken where it must be
    yield label
    for pattern in _BRACKETS:
        match = pattern.search(label)
        if match is not None:
            yield match[1].strip()


def _is_unit(text: str) -> bool:
    parsed = units.parsed(text)
    return parsed is not None and parsed.kind != units.NUMBER
