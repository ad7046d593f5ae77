"""The canonical form of a flux: (record…, energy, pitch_angle), its axes as coordinates or tables."""

from __future__ import annotations

from collections.abc import Hashable

import numpy as np
import xarray as xr
from numpy.typing import NDArray

from xpad.errors import NotEnoughDataError, OptionError

ENERGY = "energy"
PITCH_ANGLE = "pitch_angle"
TABLES = {ENERGY: "energy_table", PITCH_ANGLE: "pitch_angle_table"}
"""Coordinates of the axes that change from record to record, instead of an axis of one table."""
CELL_DIMS = (ENERGY, PITCH_ANGLE)

Doubles = NDArray[np.float64]


def varies(flux: xr.DataArray, axis: str) -> bool:
    """Whether an axis of a canonical flux changes from record to record."""
    return TABLES[axis] in flux.coords


def describe_axis(values: np.ndarray, unit: str) -> str:
    """'12 energies 1.8 … 20 MeV'-like text for messages."""
    values = np.asarray(values, dtype=float)
    ends = f"{values[0]:g}" if values.size == 1 else f"{values[0]:g} … {values[-1]:g}"
    return (
        f"{values.size} from {ends} {unit}".rstrip() if values.size > 1 else f"1 at {ends} {unit}"
    )


def record_dims(flux: xr.DataArray) -> tuple[Hashable, ...]:
    """Record dimensions of a canonical flux, in its order."""
    return tuple(d for d in flux.dims if d not in (ENERGY, PITCH_ANGLE))


def checked_record_dims(flux: xr.DataArray) -> tuple[str, ...]:
    """Every dim that is neither energy nor pitch angle."""
    lacking = [d for d in CELL_DIMS if d not in flux.dims]
    if lacking:
        raise OptionError(
            f"{flux.name or 'the flux'} has dims {flux.dims}, without {' and '.join(lacking)}: "
            "pass a canonical flux, such as ds.pad.flux"
        )
    return tuple(str(d) for d in flux.dims if d not in CELL_DIMS)


def time_dim(flux: xr.DataArray) -> str:
    """The record dimension that has times; else the last one."""
    dims = checked_record_dims(flux)
    return next((d for d in reversed(dims) if record_times(flux, d) is not None), dims[-1])


def record_times(obj: xr.DataArray | xr.Dataset, dim: str) -> np.ndarray | None:
    """Return the datetime64 values along a record dimension, or None where it has no times.

    Parameters
    ----------
    obj : xarray.DataArray or xarray.Dataset
        Where to look.
    dim : str
        A record dimension. Its own coordinate is preferred to others that lie on it.

    Returns
    -------
    numpy.ndarray or None
        datetime64, shape (size of `dim`,).

    Examples
    --------
    >>> import numpy as np, xarray as xr
    >>> t = np.array(["2013-01-01", "2013-01-02"], "datetime64[ns]")
    >>> record_times(xr.Dataset(coords={"Epoch": t}), "Epoch").size
    2
    """
    for name in sorted(obj.coords, key=lambda name: name != dim):
        coordinate = obj.coords[name]
        if coordinate.dims == (dim,) and coordinate.dtype.kind == "M":
            return np.asarray(coordinate.values)
    return None


def tables(flux: xr.DataArray) -> dict[str, xr.DataArray]:
    """The tables of the axes that vary, by coordinate name, without coordinates of their own."""
    return {
        name: flux.coords[name].reset_coords(drop=True)
        for name in TABLES.values()
        if name in flux.coords
    }


def units_of(flux: xr.DataArray) -> str:
    """The units of a flux, CF's attribute before ISTP's; nothing where none are told."""
    return str(flux.attrs.get("units") or flux.attrs.get("UNITS") or "")


def require_record_dim(flux: xr.DataArray) -> None:
    """Refuse a single distribution, which has no dimension of records.

    Raises
    ------
    OptionError
    """
    if not record_dims(flux):
        raise OptionError(
            f"{flux.name} has no record dimension: it is a single distribution; give it one, such as "
            "ds.expand_dims('time')"
        )


def require_records(flux: xr.DataArray) -> None:
    """Refuse data without a record.

    Raises
    ------
    NotEnoughDataError
    """
    if flux.size == 0:
        sizes = ", ".join(f"{d}: {flux.sizes[d]}" for d in record_dims(flux))
        raise NotEnoughDataError(f"{flux.name} has no records ({sizes})")
