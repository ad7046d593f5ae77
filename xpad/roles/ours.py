"""What xpad wrote: results that a Dataset or a store carries, and models; told by attributes."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import xarray as xr

MODEL_FORMAT = "xpad-model"
"""What a saved model states as its ``format``."""

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


def results(ds: xr.Dataset) -> list[str]:
    """Those prefixes whose labels a Dataset holds.

    Examples
    --------
    >>> import xarray as xr
    >>> out = xr.Dataset({"pad_label": ("time", [0])}, attrs={"pad_settings": "", "pad_preset": ""})
    >>> results(out), results(out.drop_vars("pad_label"))
    (['pad'], [])
    """
    return [prefix for prefix in prefixes(ds.attrs) if f"{prefix}_label" in ds.variables]


def is_output(attrs: Mapping[Any, Any]) -> bool:
    """Whether attributes are those of a store that xpad wrote: a result, or a model."""
    return attrs.get("format") == MODEL_FORMAT or bool(prefixes(attrs))


def run(prefix: str) -> str:
    """The attribute of a finished store which says what run made it."""
    return f"{prefix}_run"


def unfinished(prefix: str) -> str:
    """The attribute which says that the labels under this prefix are still being written."""
    return f"{prefix}{_UNFINISHED}"


def is_unfinished(attrs: Mapping[Any, Any], prefix: str) -> bool:
    """Whether they are."""
    return unfinished(prefix) in attrs


def any_unfinished(attrs: Mapping[Any, Any]) -> bool:
    """Whether any labels of a store are still being written."""
    return any(is_unfinished(attrs, prefix) for prefix in prefixes(attrs))
