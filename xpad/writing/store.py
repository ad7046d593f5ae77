"""The Zarr store that is written: its skeleton, then region by region, then its end."""

from __future__ import annotations

import warnings
from collections.abc import Hashable, Iterable, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import xarray as xr
from xarray.indexes import PandasIndex

from xpad.model.model import Model
from xpad.model.saved import GROUP, save_model_at
from xpad.results.variables import Packing
from xpad.roles.ours import run, unfinished
from xpad.storage.place import Place
from xpad.writing.contents import NUMBERS, Contents, Variables
from xpad.writing.regions import Layout

TIME_UNITS = {"s": "seconds", "ms": "milliseconds", "us": "microseconds", "ns": "nanoseconds"}
"""Of the resolutions that xarray keeps."""

Arrays = Mapping[Hashable, Any]


@dataclass(frozen=True, eq=False)
class Store:
    """A Zarr store, and what it is to hold."""

    place: Place
    contents: Contents

    def stands(self) -> bool:
        """Whether it is there, with all that it is to hold, if not yet with every region."""
        from zarr.errors import GroupNotFoundError

        try:
            group = _opened(self.place)
        except (FileNotFoundError, GroupNotFoundError):
            return False
        return all(str(name) in group for name in [*self.contents.ds.variables, GROUP])

    def begin(self, model: Model) -> None:
        """Write everything but what the regions bring; a label not yet written reads as -1."""
        self.place.remove()
        contents = self.contents
        contents.skeleton().to_zarr(
            **self.place.zarr_arguments, mode="w-", compute=False, consolidated=False,
            zarr_format=3, encoding=_encodings(contents),
        )  # fmt: skip
        # Times and the like at once, so that none is missing meanwhile; encoding copies them.
        arrays = _arrays(self.place, contents.in_memory)
        for at in contents.layout.regions() if contents.in_memory else ():
            _write_numbers(contents.in_memory, arrays, at, contents.layout)
        save_model_at(model, self.place, group=GROUP)
        self._consolidate()

    def opened(self) -> OpenStore:
        """With its arrays, to write regions to."""
        names = [*self.contents.results, *self.contents.of_records]
        return OpenStore(self.place, self.contents, _arrays(self.place, names))

    def finish(self, added: xr.Dataset | None, made_by: str) -> None:
        """Add what is made of all regions, and say no more that any is missing, but what run made it."""
        if added is not None:
            group = _opened(self.place)
            new = added.drop_vars([n for n in added.coords if n in group])
            new.attrs = dict(group.attrs)  # writing replaces those of the whole
            new.to_zarr(**self.place.zarr_arguments, mode="a", consolidated=False)
        attrs = _opened(self.place).attrs
        attrs[run(self.contents.prefix)] = made_by
        attrs.pop(unfinished(self.contents.prefix), None)
        self._consolidate()

    def _consolidate(self) -> None:
        import zarr

        with warnings.catch_warnings():
            # Zarr warns that this is no part of its standard yet; xarray warns of stores without it.
            warnings.simplefilter("ignore", UserWarning)
            zarr.consolidate_metadata(zarr.open_group(**self.place.zarr_arguments).store)


def reopened(place: Place, ds: xr.Dataset) -> xr.Dataset:
    """The finished store, lazy, with the indexes that the data have in memory already."""
    times = [v.dtype for v in ds.coords.values() if v.dtype.kind == "M"]
    unit: Any = np.datetime_data(times[0])[0] if len(set(times)) == 1 else "ns"
    found = xr.open_zarr(
        **place.zarr_arguments, create_default_indexes=False,
        decode_times=xr.coders.CFDatetimeCoder(time_unit=unit),
    )  # fmt: skip
    indexed = {n: c.variable for n, c in found.coords.items() if c.dims == (n,)}
    for name, variable in indexed.items():
        index = ds.xindexes.get(name)
        if type(index) is PandasIndex and index.index.dtype == variable.dtype:
            indexed[name] = xr.IndexVariable(
                name, index.index, variable.attrs, variable.encoding
            )  # fmt: skip
    return found.assign_coords(xr.Coordinates(indexed))


@dataclass(frozen=True, eq=False)
class OpenStore:
    """A store whose arrays are open: a group reads their metadata whenever it is asked for one."""

    place: Place
    contents: Contents
    arrays: Arrays

    def write(self, at: slice, columns: xr.DataArray, packing: Packing) -> None:
        """Write a region: the results, which lie side by side, and what the data have of it."""
        contents = self.contents
        if contents.wider:
            _write_wider(contents.wider, self.place, at, contents.layout)
        _write_numbers(contents.of_records, self.arrays, at, contents.layout)
        dims = contents.record_dims
        where = contents.layout.where(dims, at)
        ordered = columns.transpose(*dims, "column").values
        for name in packing.places:
            target = self.arrays[f"{contents.prefix}_{name}"]
            target[where] = ordered[..., packing.place(name)].astype(target.dtype)


def _encodings(contents: Contents) -> dict[Hashable, dict[str, Any]]:
    layout = contents.layout
    found = {
        name: _encoding(variable, layout)
        for name, variable in contents.ds.variables.items()
        if layout.dim in variable.dims
    }
    for name, result in contents.results.items():
        found[name]["fill_value"] = result.missing
    return found


def _encoding(variable: xr.Variable, layout: Layout) -> dict[str, Any]:
    from zarr.codecs import BloscCodec

    found: dict[str, Any] = {"chunks": tuple(layout.chunks(variable.sizes).values())}
    if variable.dtype.kind in NUMBERS:
        found["compressors"] = (BloscCodec(cname="zstd", clevel=3, shuffle="shuffle"),)
    if variable.dtype.kind in "mM":
        units = TIME_UNITS[np.datetime_data(variable.dtype)[0]]
        units += " since 1970-01-01" if variable.dtype.kind == "M" else ""
        found |= {"units": units, "dtype": "int64", "fill_value": np.iinfo(np.int64).min}
    return found


def _write_wider(variables: Variables, place: Place, at: slice, layout: Layout) -> None:
    """A region of variables with further dimensions than the records', a chunk a task."""
    parts = {n: v.isel({layout.dim: at}).to_base_variable() for n, v in variables.items()}
    # Without an index: xarray takes a dimension's for one that the store holds already.
    chunked = {n: v.chunk(layout.chunks(v.sizes)) for n, v in parts.items()}
    xr.Dataset(coords=xr.Coordinates(chunked, indexes={})).to_zarr(
        **place.zarr_arguments, region={layout.dim: at}, consolidated=False
    )


def _write_numbers(variables: Variables, arrays: Arrays, at: slice, layout: Layout) -> None:
    """A region of variables of numbers, in one compute, as `_encoding` has them: times as counts.

    Not by xarray, which opens every variable of a store before it writes to any.
    """
    from dask.base import compute

    parts = [v.isel({layout.dim: at}).data for v in variables.values()]
    for (name, variable), values in zip(variables.items(), compute(*parts), strict=True):
        # Blocks may hold another type than they promise, such as times of another resolution.
        as_promised = values.astype(variable.dtype, copy=False)
        target = arrays[name]
        target[layout.where(variable.dims, at)] = as_promised.astype(target.dtype, copy=False)


def _arrays(place: Place, names: Iterable[Hashable]) -> dict[Hashable, Any]:
    group = _opened(place)
    return {name: group[str(name)] for name in names}


def _opened(place: Place) -> Any:
    import zarr

    return zarr.open_group(**place.zarr_arguments, mode="r+", use_consolidated=False)
