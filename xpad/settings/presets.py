"""Published parameter sets by name, and how a caller's own settings go on top."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from xpad.errors import OptionError, warn
from xpad.settings.table import Settings, require_known, without_effect

PRESETS: dict[str, Settings] = {"killey2023": Settings()}
"""Killey et al. (2023), RASTI 2, 548, doi:10.1093/rasti/rzad035, and the authors' script."""

DEFAULT_PRESET = "killey2023"

CUSTOM = "custom"
"""What a model records as its preset where its settings were given whole and are no preset's."""

FAST: dict[str, Any] = {"epochs": 8, "learning_rate": 0.03, "patience": None, "min_steps": 1200}
"""What ``training="fast"`` sets, where the caller does not."""


def resolve(preset: str, options: Mapping[str, Any]) -> Settings:
    """A preset's settings with the caller's own on top.

    Raises
    ------
    OptionError
        An unknown preset or setting, or a value that a setting cannot take.

    Examples
    --------
    >>> resolve("killey2023", {"epochs": 20}).epochs
    20
    """
    if not isinstance(preset, str) or preset not in PRESETS:
        raise OptionError(f"preset {preset!r} is not known; the presets are {', '.join(PRESETS)}")
    require_known(options)
    own = dict(options)
    if own.get("training") == "fast":
        # Epochs that are asked for are as many as are made.
        own = FAST | ({"min_steps": 0} if "epochs" in own else {}) | own
    return replace(PRESETS[preset], **own)


def chosen(
    preset: str, options: Mapping[str, Any], settings: Settings | None = None
) -> tuple[str, Settings]:
    """The preset that a fit goes by and its settings: whole ones as they are, or `resolve`'s.

    Raises
    ------
    OptionError
        Whole settings with a preset or options beside them; else as `resolve`.

    Examples
    --------
    >>> chosen("killey2023", {"epochs": 20})[0]
    'killey2023'
    >>> chosen("killey2023", {}, Settings(epochs=20))[0]
    'custom'
    """
    if settings is None:
        found = resolve(preset, options)
        for told in without_effect(options, found):
            warn(told)
        return preset, found
    if not isinstance(settings, Settings):
        raise OptionError(
            f"settings= takes an xpad.Settings and was given a {type(settings).__name__}; "
            "xpad.Settings.from_dict makes one of a dict"
        )
    require_known(options)
    beside = {**({} if preset == DEFAULT_PRESET else {"preset": preset}), **options}
    if beside:
        told = ", ".join(f"{name}={value!r}" for name, value in beside.items())
        raise OptionError(
            f"settings= is taken as it is, and {told} cannot change it; "
            f"dataclasses.replace(settings, …) makes another"
        )
    return next((name for name, known in PRESETS.items() if known == settings), CUSTOM), settings
