"""What a store is to hold, and how each variable comes there."""

from __future__ import annotations

from collections.abc import Hashable
from dataclasses import dataclass
from functools import cached_property

import xarray as xr

from xpad.compute.chunks import in_longer_blocks
from xpad.errors import OptionError
from xpad.model.model import Model
from xpad.pads.dims import CELL_DIMS, ENERGY
from xpad.pads.flux import Flux
from xpad.results.predict import with_results
from xpad.results.variables import OF_CLUSTERS, RecordVariable, record_variables
from xpad.roles.ours import prefixes, unfinished
from xpad.writing.regions import Layout

NUMBERS = "biufmM"
"""Kinds of the types that are written region by region; others, as text, are written at once."""

OF_QUICKLOOK = ("spectrum", "quicklook", "quicklook_end")
"""Variables of the small spectrogram, which a store without its flux has."""

Variables = dict[Hashable, xr.Variable]


def require_names(flux: Flux, prefix: str) -> None:
    """Refuse data whose own variables have names that a store without their flux needs.

    A scalar energy that is the flux's only one is no clash: it stands in the catalogue.

    Raises
    ------
    OptionError
        Names the first of them.
    """
    made = {f"{prefix}_{name}" for name in (*OF_CLUSTERS, *OF_QUICKLOOK)}
    needed = {*CELL_DIMS} if prefix in prefixes(flux.ds.attrs) else {*CELL_DIMS, *made}
    if flux.roles.energy.dim is None and not flux.ds.get(ENERGY, flux.array).dims:
        needed.discard(ENERGY)
    for name, variable in flux.ds.variables.items():
        if name in needed and set(variable.dims) <= set(flux.record_dims):
            raise OptionError(
                f"the data have a variable {name!r} of the records, and the store's catalogue needs that "
                f"name; rename it: ds.rename({name}=…), or write all variables: keep_flux=True "
                "(--keep-flux)"
            )


@dataclass(frozen=True, eq=False)
class Contents:
    """The Dataset that a store is to hold; the results, which are yet to come, are empty in it.

    Attributes
    ----------
    ds : Dataset
    layout : Layout
        How its records are cut.
    results : dict
        What the run brings of each record, by the names in `ds`.
    prefix : str
        How these begin.
    """

    ds: xr.Dataset
    layout: Layout
    results: dict[Hashable, RecordVariable]
    prefix: str

    @classmethod
    def of(
        cls, flux: Flux, model: Model, layout: Layout, prefix: str, *, fitted: bool, keep_flux: bool
    ) -> Contents:
        """All that `cluster` or `predict` would return, or of it what is of the records alone."""
        made = record_variables(fitted=fitted)
        records = {d: flux.array.sizes[d] for d in flux.record_dims}
        empty = {}
        for name, variable in made.items():
            sizes = variable.sizes(records, model, prefix)
            data = layout.nothing(sizes, variable.dtype)
            empty[name] = xr.Variable(list(sizes), data, variable.attrs(model))
        ds = with_results(flux, model, empty, prefix)
        if not keep_flux:
            ours = [n for n in ds.variables if str(n).startswith(f"{prefix}_")]
            theirs = [n for n in ds.variables if set(ds.variables[n].dims) <= set(records)]
            kept = list(dict.fromkeys([*theirs, *ours]))
            ds = ds[kept].drop_vars(CELL_DIMS, errors="ignore")  # come with the catalogue
        return cls(ds, layout, {f"{prefix}_{name}": v for name, v in made.items()}, prefix)

    @property
    def record_dims(self) -> tuple[Hashable, ...]:
        """The record dimensions, in the order that results have them."""
        return self.ds[f"{self.prefix}_label"].dims

    @cached_property
    def in_memory(self) -> Variables:
        """Numbers in memory, as times are: written before any region, so that none is missing."""
        return {n: v for n, v in self._numbers.items() if v.chunks is None}

    @cached_property
    def of_records(self) -> Variables:
        """Lazy numbers of the records alone: computed and written with the results of a region."""
        return {n: v for n, v in self._lazy.items() if set(v.dims) <= set(self.record_dims)}

    @cached_property
    def wider(self) -> Variables:
        """Lazy numbers of further dimensions, as a flux: written by those who compute them."""
        return {n: v for n, v in self._lazy.items() if n not in self.of_records}

    def skeleton(self) -> xr.Dataset:
        """All but the numbers that come later, of which only the shape is there; without indexes.

        xarray would compute these of times that are not there yet.
        """
        variables = {name: self._at_first(name) for name in self.ds.variables}
        coords = {n: v for n, v in variables.items() if n in self.ds.coords}
        skeleton = xr.Dataset(
            {n: v for n, v in variables.items() if n not in coords},
            coords=xr.Coordinates(coords, indexes={}),
            attrs=self.ds.attrs,
        )
        skeleton.attrs[unfinished(self.prefix)] = (
            "labels are still being written: records not yet reached have label -1; the same call "
            "again goes on from here"
        )
        return skeleton

    def _at_first(self, name: Hashable) -> xr.Variable:
        found = self.ds.variables[name].to_base_variable()
        if name in self._numbers or name in self.results:
            empty = self.layout.nothing(found.sizes, found.dtype)
            return xr.Variable(found.dims, empty, found.attrs)
        found = found.compute() if found.chunks is not None else found
        found.encoding = {}
        return found

    @cached_property
    def _numbers(self) -> Variables:
        """Numbers along the dimension of the regions, beside the results."""
        return {
            n: v
            for n, v in self.ds.variables.items()
            if self.layout.dim in v.dims and v.dtype.kind in NUMBERS and n not in self.results
        }

    @cached_property
    def _lazy(self) -> Variables:
        dim, length = self.layout.dim, self.layout.chunk
        lazy = {n: v for n, v in self._numbers.items() if v.chunks is not None}
        return {n: in_longer_blocks(v, dim, length) for n, v in lazy.items()}
