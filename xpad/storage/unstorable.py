"""What no Zarr store can hold, refused by name before anything is written."""

from __future__ import annotations

import numpy as np
import xarray as xr
from xarray.indexes import PandasMultiIndex

from xpad.errors import OptionError

EARLIEST, LATEST = np.datetime64("1678-01-01", "s"), np.datetime64("2262-01-01", "s")
"""Times that nanoseconds count."""


def require_storable(ds: xr.Dataset) -> None:
    """Refuse indexes, names and times of a Dataset that no store can hold; values in memory only.

    Raises
    ------
    OptionError
        Names the variable or dimension, and what to do.

    Examples
    --------
    >>> require_storable(xr.Dataset({"L": ("time", [4.5])}))
    >>> require_storable(xr.Dataset({"L/M": ("time", [4.5])}))
    Traceback (most recent call last):
    xpad.errors.OptionError: the variable 'L/M' has a name that a Zarr store cannot hold; ...
    """
    _require_plain_indexes(ds)
    _require_names(ds)
    _require_times(ds)


def _require_plain_indexes(ds: xr.Dataset) -> None:
    """Refuse an index of several levels, which no file can hold."""
    for dim in ds.dims:
        if isinstance(ds.xindexes.get(dim), PandasMultiIndex):
            raise OptionError(
                f"the dimension {dim!r} has a MultiIndex, which no store can hold; "
                f"ds.reset_index({dim!r}) keeps its levels as coordinates"
            )


def _require_names(ds: xr.Dataset) -> None:
    """Refuse names of variables that are no names in a Zarr store."""
    for name in ds.variables:
        if not isinstance(name, str) or "/" in name or not name.strip(".") or name.startswith("__"):
            raise OptionError(
                f"the variable {name!r} has a name that a Zarr store cannot hold; rename it: "
                f"ds.rename({{{name!r}: ...}})"
            )


def _require_times(ds: xr.Dataset) -> None:
    """Refuse times that nanoseconds cannot count: xarray could not read the store back."""
    for name, variable in ds.variables.items():
        if variable.dtype.kind != "M" or variable.chunks is not None:
            continue
        if np.datetime_data(variable.dtype)[0] == "ns":
            continue
        seconds = variable.values.astype("datetime64[s]")
        if ((seconds < EARLIEST) | (seconds >= LATEST)).any():
            raise OptionError(
                f"{name} has times outside of 1678 to 2261, which a store cannot hold as times; if they "
                f"are fill values, replace them: ds.assign_coords({name}=ds.{name}.where(...))"
            )
