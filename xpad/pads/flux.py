"""The flux of a Dataset, found once: what goes through the house."""

from __future__ import annotations

from collections.abc import Callable, Hashable
from dataclasses import dataclass, replace
from typing import Any, Concatenate, ParamSpec

import numpy as np
import xarray as xr

from xpad.pads.blocks import PadRecords
from xpad.pads.dims import ENERGY, TABLES, record_dims, varies
from xpad.pads.valid import CLEAN, Floats, Limits, clean_flux
from xpad.roles.recognise import Roles

P = ParamSpec("P")


@dataclass(frozen=True)
class Flux:
    """The particle flux of a Dataset on its axes, and what is known of it.

    Attributes
    ----------
    array : xarray.DataArray
        In canonical form, (record…, ``energy``, ``pitch_angle``): an axis is an ascending coordinate,
        or has a table of values for each record (``energy_table``, ``pitch_angle_table``). Its values
        may hold fills: as they lie in the data, where these are float32.
    limits : Limits
        What of the values counts as measured.
    roles : Roles
        Which variables it was made of, on what evidence.
    ds : xarray.Dataset
        The data that it is the flux of.
    """

    array: xr.DataArray
    limits: Limits
    roles: Roles
    ds: xr.Dataset

    @property
    def name(self) -> str:
        """The name of the variable, or the names of the companions that are stacked."""
        return str(self.array.name)

    @property
    def units(self) -> str:
        """Units of the flux, as the data state them."""
        return str(self.array.attrs.get("units", ""))

    @property
    def energy_units(self) -> str:
        """Units of the energies, as the data state them."""
        source = self.array.coords[TABLES[ENERGY] if self.varies(ENERGY) else ENERGY]
        return str(source.attrs.get("units", ""))

    @property
    def record_dims(self) -> tuple[Hashable, ...]:
        """Its record dimensions, in its own order."""
        return record_dims(self.array)

    def varies(self, axis: str) -> bool:
        """Whether an axis changes from record to record."""
        return varies(self.array, axis)

    def mapped(
        self, function: Callable[Concatenate[xr.DataArray, P], xr.DataArray], *args: P.args,
        **kwargs: P.kwargs,
    ) -> Flux:  # fmt: skip
        """The same flux, its array changed by a function that leaves its values as they are."""
        return replace(self, array=function(self.array, *args, **kwargs))

    def clean(self) -> xr.DataArray:
        """Its array with NaN for everything that is no measurement; lazy where the data are."""
        if self.limits is CLEAN:
            return self.array
        cleaned = xr.apply_ufunc(
            clean_flux,
            self.array,
            kwargs={"limits": self.limits},
            dask="parallelized",
            output_dtypes=[np.float32],
        )
        return cleaned.assign_attrs(self.array.attrs)

    def records(self) -> PadRecords:
        """Its records, for a pass over the data."""
        return PadRecords.of(self.array, self.limits)

    def numbers(
        self, function: Callable[..., Floats], dim: str, size: int, *, name: str, **kwargs: Any
    ) -> xr.DataArray:
        """Numbers for every record, (record…, dim), in its own order; see `PadRecords.map`."""
        dims = self.record_dims
        found = self.records().map(function, dim, size, name=name, **kwargs)
        other = [n for n, c in self.array.coords.items() if not set(c.dims) <= set(dims)]
        # As coordinates they keep an index of several levels, of which no level can be given alone.
        return found.transpose(*dims, dim).assign_coords(self.array.drop_vars(other).coords)
