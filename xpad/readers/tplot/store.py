"""pyspedas, and which of the tplot variables in its memory names stand for."""

from __future__ import annotations

import sys
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import xarray as xr

from xpad.errors import ReaderError, warn

MOST_NAMES = 12
"""Of those that a message lists."""


def imported() -> Any:
    """Import pyspedas without letting it change xarray's options."""
    is_first = "pyspedas" not in sys.modules
    keep_attrs = xr.get_options()["keep_attrs"]
    try:
        import pyspedas
    except ImportError as error:
        raise ImportError(
            "tplot variables need pyspedas, which cannot be imported "
            f"({error}). Install it with: pip install 'xpad[tplot]'"
        ) from error
    finally:
        if is_first:
            xr.set_options(keep_attrs=keep_attrs)
    return pyspedas


def variables(pyspedas: Any) -> Mapping[str, Any]:
    """All that is in its memory, by name; live, so not to be changed."""
    found: Mapping[str, Any] = pyspedas.tplot_tools.data_quants
    return found


def existing(pyspedas: Any, names: str | Iterable[str] | None) -> list[str]:
    """Names that are in memory, in their order; those of several that are not are told.

    A loader returns every name that it made, also of what it renamed or deleted afterwards.
    """
    wanted = [names] if isinstance(names, str) else [*(names or [])]
    if not wanted:
        raise ReaderError(
            "no tplot variables were named: the loader returned none, so it found no file for its "
            "trange, or the list is empty"
        )
    odd = [name for name in wanted if not isinstance(name, str)]
    if odd:
        raise ReaderError(
            f"names of tplot variables are text, and this is {type(odd[0]).__name__}: {odd[0]!r}; "
            "a loader that was called with notplot=True or downloadonly=True stores none"
        )
    known = list(variables(pyspedas))
    found = {item: _matching(pyspedas, item, known) for item in wanted}
    missing = [item for item, matches in found.items() if not matches]
    there = dict.fromkeys(name for matches in found.values() for name in matches)
    if not there:
        raise ReaderError(
            f"There is no tplot variable {_listed(missing)}. In memory: "
            f"{', '.join(map(str, known)) or 'none at all'}."
        )
    if missing:
        warn(
            f"Not in tplot's memory, and left out: {_listed(missing)}. Loaders return names of "
            f"variables that they renamed or deleted, too."
        )
    return [base for name in there for base in _parts(variables(pyspedas)[name], name, known)]


def _matching(pyspedas: Any, name: str, known: Sequence[str]) -> list[str]:
    if name in known:
        return [name]
    return list(pyspedas.tnames(name)) if "*" in name or "?" in name else []


def _parts(live: Any, name: str, known: Sequence[str]) -> list[str]:
    """The variables that one is drawn from, where it is several over each other."""
    options = live.attrs.get("plot_options", {}) if isinstance(live, xr.DataArray) else {}
    drawn = [str(part) for part in options.get("overplots_mpl") or []]
    return [part for part in drawn if part in known] or [name]


def _listed(names: Sequence[str]) -> str:
    more = f" and {len(names) - MOST_NAMES} more" if len(names) > MOST_NAMES else ""
    return ", ".join(map(repr, names[:MOST_NAMES])) + more
