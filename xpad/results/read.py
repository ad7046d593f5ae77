"""What a Dataset with results holds: for plots, statistics and reports, which read one."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

import xarray as xr

from xpad.errors import RolesError, warn
from xpad.pads import canonical
from xpad.pads.grid import Grid, selected
from xpad.pads.regrid import on_grid
from xpad.roles.ours import is_unfinished
from xpad.roles.recognise import as_dataset, assign_roles
from xpad.settings import Settings


def require_result(out: xr.Dataset, name: str, prefix: str = "pad") -> xr.DataArray:
    """Return the result ``<prefix>_<name>`` of `out`, or say how to get one.

    Parameters
    ----------
    out : xarray.Dataset
        What ``cluster`` or ``predict`` returned.
    name : str
        For example ``"label"``.
    prefix : str
        How the names of the results begin.

    Returns
    -------
    xarray.DataArray
        The variable, of any shape.

    Raises
    ------
    RolesError
        If it is not there.

    Warns
    -----
    XpadWarning
        If the store is unfinished.

    Examples
    --------
    >>> import xarray as xr
    >>> require_result(xr.Dataset({"pad_label": ("time", [0])}), "label").sizes["time"]
    1
    """
    out, wanted = as_dataset(out), f"{prefix}_{name}"
    if wanted in out:
        if is_unfinished(out.attrs, prefix):
            warn(
                "the store is unfinished: records that are not yet labelled have label -1; run the same "
                "command again, which goes on from where it was cut off"
            )
        return out[wanted]
    others = sorted(str(v)[: -len(name) - 1] for v in out.data_vars if str(v).endswith(f"_{name}"))
    if others:
        remedy = f"there are results with prefix={' and prefix='.join(map(repr, others))}"
    else:
        remedy = "run out = ds.pad.cluster() (or ds.pad.predict(model)) and use what it returns"
    raise RolesError(f"this Dataset has no variable {wanted!r}: {remedy}")


def require_finished(out: xr.Dataset, prefix: str = "pad") -> None:
    """Refuse a store whose labels are still being written: its catalogue comes at the end.

    Parameters
    ----------
    out : xarray.Dataset
        A result.
    prefix : str
        How the names of the results begin.

    Raises
    ------
    RolesError
        It is unfinished, and holds no flux.

    Examples
    --------
    >>> import xarray as xr
    >>> require_finished(xr.Dataset())
    """
    names = _flux_names(out, prefix)
    held = bool(names) and all(name in out for name in names)
    if is_unfinished(out.attrs, prefix) and not held:
        raise RolesError(
            "the store is unfinished and has no catalogue yet: run the same command again, which "
            "goes on from where it was cut off"
        )


def settings_of(out: xr.Dataset, prefix: str = "pad") -> Mapping[str, Any]:
    """The settings that a result was made with."""
    text = out.attrs.get(f"{prefix}_settings")
    return json.loads(text) if text else {}


def input_of(out: xr.Dataset, prefix: str = "pad") -> Mapping[str, Any]:
    """What identifies the data that a result was made from; see `xpad.model.provenance.identity`."""
    return json.loads(out.attrs.get(f"{prefix}_input", "{}"))


def result_flux(out: xr.Dataset, prefix: str = "pad") -> xr.DataArray:
    """The canonical flux of a result, on the grid that its model put it on; lazy.

    Raises
    ------
    RolesError
        The result carries no flux (a store written without it).
    """
    if f"{prefix}_feature" not in out:
        return _flux_as_given(out, prefix)
    settings = Settings.from_dict(settings_of(out, prefix))
    flux = _flux_as_given(out, prefix, settings)
    grid = Grid(
        out[f"{prefix}_energy"].values,
        out[f"{prefix}_pitch_angle"].values,
        str(out[f"{prefix}_energy"].attrs.get("units", "")),
        str(flux.attrs.get("units", "")),
    )
    return on_grid(selected(flux, settings, grid.energy_units), grid)


def _flux_as_given(out: xr.Dataset, prefix: str, settings: Settings | None = None) -> xr.DataArray:
    """The canonical flux that a result was made from, cleaned as it was for that."""
    names = _flux_names(out, prefix)
    there = all(name in out for name in names)
    if there and len(names) > 1:
        return canonical.located(assign_roles(out, flux=names), settings=settings).clean()
    try:
        name = names[0] if names and there else None
        return canonical.located(out, name, settings=settings).clean()
    except RolesError as err:
        if there:
            raise
        raise RolesError(
            f"{' + '.join(names)}, the flux that this result was made from, is not in the Dataset: leave "
            "it there, or give flux= (ds.pad.flux has it in the right form)"
        ) from err


def _flux_names(out: xr.Dataset, prefix: str) -> list[str]:
    """The variables that were the flux of a result, as far as it says: companions are several."""
    stated = input_of(out, prefix).get("variable", "")
    return [stated] if stated in out else stated.split(" + ") if stated else []
