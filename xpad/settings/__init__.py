"""Every number of the method: one table says each setting's name, type, constraint, text and default.

From `table.Settings` come the checks, the lists in docstrings, the options of the command line and
(tested) what an editor completes. A new setting is a line there and in `table.Options`; a preset, an
entry of `presets.PRESETS`.
"""

from xpad.settings.entry import Setting, entries, lists
from xpad.settings.presets import CUSTOM, DEFAULT_PRESET, FAST, PRESETS, chosen, resolve
from xpad.settings.table import (
    METHODS,
    EncoderName,
    KRule,
    Labeller,
    Missing,
    Negative,
    Normalise,
    Options,
    Settings,
    Split,
    Training,
    ValidRange,
    Zeros,
    require_known,
    table,
)

__all__ = [
    "CUSTOM",
    "DEFAULT_PRESET",
    "FAST",
    "METHODS",
    "PRESETS",
    "EncoderName",
    "KRule",
    "Labeller",
    "Missing",
    "Negative",
    "Normalise",
    "Options",
    "Setting",
    "Settings",
    "Split",
    "Training",
    "ValidRange",
    "Zeros",
    "chosen",
    "entries",
    "lists",
    "require_known",
    "resolve",
    "table",
]
