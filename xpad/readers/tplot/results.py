"""Results as tplot variables."""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Iterator, Mapping
from itertools import count
from typing import Any

import numpy as np
import xarray as xr

from xpad.errors import OptionError, warn
from xpad.readers.tplot import store

DEFAULT_PREFIX = "pad"

#: What `to_tplot` stores, and how tplot should draw it.
_RESULTS: dict[str, dict[str, Any]] = {
    "label": {"ytitle": "PAD cluster", "marker": ".", "line_style": "none"},
    "pc": {"ytitle": "PAD components", "legend_names": ["PC 1", "PC 2", "PC 3"]},
    "error": {"ytitle": "PAD error", "ysubtitle": "[RMSE]", "ylog": False},
    "flag": {"ytitle": "PAD flag", "marker": ".", "line_style": "none"},
}


def to_tplot(out: xr.Dataset, prefix: str = DEFAULT_PREFIX) -> list[str]:
    """Store labels, components, errors and flags as tplot variables.

    Parameters
    ----------
    out : xarray.Dataset
        The result of `xpad.cluster` or `xpad.predict`, with one record dimension of times.
    prefix : str
        The prefix of the results in `out`, ``pad`` unless it was chosen otherwise.

    Returns
    -------
    list of str
        The names of the tplot variables, of the results that `out` has: ``FEDU_pad_label``,
        ``FEDU_pad_pc``, ``FEDU_pad_error``, ``FEDU_pad_flag`` of a flux ``FEDU``; with a prefix of
        your own it alone, ``ions_label``. Results of another instrument are not overwritten: where
        they have the name already, the instrument or a number comes before it. The same call again
        replaces what it stored.

    Raises
    ------
    ImportError
        If pyspedas is not installed.
    OptionError
        If `out` has no such results, or they do not lie along times.

    Examples
    --------
    >>> pyspedas.tplot(["FEDU", *xpad.to_tplot(out)])  # doctest: +SKIP
    """
    pyspedas = store.imported()
    present = {f"{prefix}_{key}": key for key in _RESULTS if f"{prefix}_{key}" in out}
    if not present:
        raise OptionError(
            f"The Dataset holds no {prefix}_label, {prefix}_pc, {prefix}_error or {prefix}_flag: "
            f"pass the result of cluster or predict, and its prefix."
        )
    origin = _origin(out, prefix)
    stem = _free(_stems(origin, prefix), present.values(), origin, store.variables(pyspedas))
    names = {f"{stem}_{key}": key for key in present.values()}
    for name, key in names.items():
        variable = out[f"{prefix}_{key}"]
        times = _times_of(variable, key)
        is_valid = ~np.isnat(times)
        if not is_valid.all():
            warn(f"{name}: {int((~is_valid).sum())} records without a time are not stored.")
        units = str(variable.attrs.get("units", ""))
        pyspedas.store_data(
            name,
            data={"x": times[is_valid], "y": variable.values[is_valid]},
            attr_dict={"data_att": {"units": units, "coord_sys": ""}, "xpad": dict(origin)},
        )
        settings = _RESULTS[key]
        if key == "pc":
            numbers = range(1, variable.shape[1] + 1)
            settings = {**settings, "legend_names": [f"PC {number}" for number in numbers]}
        for option, value in settings.items():
            pyspedas.options(name, option, value)
    return list(names)


def _origin(out: xr.Dataset, prefix: str) -> dict[str, Any]:
    """Which instrument's flux the results are of; whatever the times."""
    stated = out.attrs.get(f"{prefix}_input", "{}")
    found = json.loads(stated) if isinstance(stated, str) else dict(stated)
    keys = ("variable", "units", "Source_name", "Logical_source", "Descriptor")
    return {
        "prefix": prefix,
        "bins": found.get("shape", [])[-2:],
        **{key: found[key] for key in keys if key in found},
    }


def _stems(origin: Mapping[str, Any], prefix: str) -> Iterator[str]:
    """What names could begin with, the plainest first."""
    variable = _word(str(origin.get("variable", "")).partition(" + ")[0])
    own = f"{variable}_{prefix}" if prefix == DEFAULT_PREFIX and variable else prefix
    yield own
    for key in ("Descriptor", "Logical_source"):
        if (told := _word(str(origin.get(key, "")).partition(">")[0])) != "":
            yield f"{told}_{own}"
    for number in count(2):
        yield f"{own}_{number}"


def _word(text: str) -> str:
    return re.sub(r"\W+", "_", text).strip("_")


def _free(
    stems: Iterator[str], keys: Iterable[str], origin: Mapping[str, Any], memory: Mapping[str, Any]
) -> str:
    """The first of which no name is taken by anything but results of the same origin."""

    def is_free(name: str) -> bool:
        if name not in memory:
            return True
        live = memory[name]
        return isinstance(live, xr.DataArray) and live.attrs.get("xpad") == origin

    keys = list(keys)
    return next(stem for stem in stems if all(is_free(f"{stem}_{key}") for key in keys))


def _times_of(variable: xr.DataArray, key: str) -> np.ndarray:
    dim = variable.dims[0] if variable.dims else None
    expected = 2 if key == "pc" else 1
    if variable.ndim != expected or dim not in variable.coords:
        raise OptionError(
            f"{variable.name!r} has the dimensions {variable.dims}: tplot needs one record "
            f"dimension with times as its coordinate. Select one, for example with .isel(probe=0)."
        )
    times = variable.coords[dim].values
    if times.dtype.kind != "M":
        raise OptionError(
            f"{variable.name!r} lies along {dim!r}, which holds {times.dtype} and no times: tplot "
            f"needs datetime64."
        )
    return times.astype("datetime64[ns]")
