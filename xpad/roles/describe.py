"""What `ds.pad` shows: roles recognised and guessed, from metadata; computes nothing."""

from __future__ import annotations

from html import escape

import xarray as xr

from xpad.errors import RolesError
from xpad.roles import ours
from xpad.roles.axes import Axis
from xpad.roles.missions import product
from xpad.roles.recognise import Roles, as_dataset, recognise

MOST_OTHERS = 6


def describe(obj: xr.Dataset | xr.DataArray) -> list[tuple[str, str]]:
    """Rows (role, what plays it) for the repr; the error's text where nothing is recognised."""
    try:
        roles = recognise(obj)
    except RolesError as err:
        found = results(as_dataset(obj))
        return found if found else [("not recognised", str(err))]
    ds = as_dataset(obj)
    flux = ds[roles.flux[0]]
    rows = [
        ("flux", f"{roles.chosen.label}  ({roles.chosen.why})"),
        ("energy", _axis(roles.energy, flux)),
        ("pitch angle", _axis(roles.pitch_angle, flux)),
        ("records", " × ".join(f"{d}: {flux.sizes[d]:,}" for d in roles.record_dims) or "none"),
    ]
    if roles.chosen.mission:
        row = product(roles.chosen.mission)
        rows.append(("missions row", f"{row}  (verified: {row.verified})"))
    if roles.others:
        rows.append(("also there", _others(roles)))
    rows += results(ds)
    return rows


def _axis(axis: Axis, flux: xr.DataArray) -> str:
    if axis.dim is None:
        return f"{axis.why}  [guessed]" if axis.guessed else axis.why
    text = f"{axis.dim}: {flux.sizes[axis.dim]}"
    if axis.variable is not None and axis.variable != axis.dim:
        text += f", values in {axis.variable}"
    text += f"  ({axis.why})"
    return text + "  [guessed]" if axis.guessed else text


def _others(roles: Roles) -> str:
    names = [c.label for c in roles.others]
    more = f" and {len(names) - MOST_OTHERS} more" if len(names) > MOST_OTHERS else ""
    return ", ".join(names[:MOST_OTHERS]) + more


def results(ds: xr.Dataset) -> list[tuple[str, str]]:
    """Rows for the results of xpad that a Dataset carries, by prefix."""
    return [
        (
            f"{p}_label",
            f"{ds.sizes.get(f'{p}_cluster', 0)} clusters, preset {ds.attrs.get(f'{p}_preset')}"
            + (", unfinished: not yet written is -1" if ours.is_unfinished(ds.attrs, p) else ""),
        )
        for p in ours.results(ds)
    ]


def text(obj: xr.Dataset | xr.DataArray) -> str:
    """The repr of ``ds.pad``."""
    rows = describe(obj)
    width = max(len(name) for name, _ in rows)
    return "\n".join(["<xpad>", *(f"    {name:<{width}}  {what}" for name, what in rows)])


def html(obj: xr.Dataset | xr.DataArray) -> str:
    """The same as a small table for notebooks."""
    cells = "".join(
        f"<tr><th style='text-align:left;padding-right:1em'>{escape(name)}</th>"
        f"<td style='text-align:left'>{escape(what)}</td></tr>"
        for name, what in describe(obj)
    )
    return f"<div><b>xpad</b><table>{cells}</table></div>"
