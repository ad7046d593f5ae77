"""A Zarr store that is written region by region, and the folder beside it that remembers how far it is.

The folder holds the checkpoint of the fit, the model, and for each finished region the sums that the
catalogue is made of.
"""

from __future__ import annotations

import warnings
from collections.abc import Hashable, Iterable, Iterator, Mapping
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import asdict, dataclass, replace
from functools import reduce
from operator import add
from typing import Any

import numpy as np
import xarray as xr
from xarray.indexes import PandasIndex

from xpad.compute.chunks import in_longer_blocks
from xpad.compute.progress import Progress
from xpad.compute.threads import in_order, side_by_side
from xpad.errors import ModelStoreError, OptionError
from xpad.fitting.splitter import Splitter, splitter
from xpad.model.model import Model
from xpad.model.saved import GROUP, load_model_at, save_model_at
from xpad.pads.blocks import PadRecords
from xpad.pads.flux import Flux
from xpad.results.predict import labelled
from xpad.results.variables import RECORD_VARIABLES, Packing, RecordVariable, warn_of_no_label
from xpad.statistics import catalogue as statistics
from xpad.statistics import spectrogram as quicklook
from xpad.statistics.sums import Tally
from xpad.storage.checkpoint import as_json, from_json, require_equal
from xpad.storage.place import UNFINISHED, Place
from xpad.storage.scratch import Scratch, require_shared
from xpad.writing.regions import CHUNK, Layout, labelled_region

TIME_UNITS = {"s": "seconds", "ms": "milliseconds", "us": "microseconds", "ns": "nanoseconds"}
"""Of the resolutions that xarray keeps."""


@dataclass(frozen=True)
class Output:
    """A store that is being written, and the folder beside it that remembers how far it is."""

    place: Place
    work: Scratch
    prefix: str

    @classmethod
    def begun(cls, place: Place, stated: dict[str, Any], prefix: str, *, overwrite: bool) -> Output:
        """Begin a store, or go on with one that the same configuration began.

        Raises
        ------
        OptionError
            What stands there is complete, of another configuration or no output of xpad.
        """
        output = cls(place, place.beside(UNFINISHED), prefix)
        place.require_reached()
        if overwrite:
            place.require_free(overwrite=True)
            output.work.remove()
        elif output.work.has("configuration.npy"):
            require_equal(output.configuration(), stated, place.url)
            output.require_shared()
            return output
        else:
            place.require_free(overwrite=False)
            output.work.remove()
        try:
            output.work.put("configuration.npy", as_json(stated))
        except OSError as err:
            raise OptionError(f"{place.url} cannot be written: {err}") from err
        try:
            output.require_shared()
        except OptionError:
            output.work.remove()
            raise
        return output

    def configuration(self) -> dict[str, Any]:
        """What the store was begun with.

        Raises
        ------
        OptionError
            The folder beside the store is damaged.
        """
        try:
            return from_json(self.work.get("configuration.npy"))
        except (EOFError, ValueError) as err:
            raise OptionError(
                f"{self.work.url}, which says how far {self.place.url} is, is damaged ({err}); delete "
                "it and the store, and begin anew"
            ) from err

    def require_shared(self) -> None:
        """The workers of a cluster must reach the store: they write parts of it, and read it."""
        require_shared(
            self.work, "configuration.npy",
            f"does not see {self.place.url}, which the client writes to; give a path or URL that all "
            "workers reach",
        )  # fmt: skip

    @contextmanager
    def cleared_unless_worth_it(self) -> Iterator[None]:
        """Leave nothing behind where a fit fails before it has come to anything."""
        try:
            yield
        except BaseException:
            if {"training.npz", "trained.npz"}.isdisjoint(
                name.removeprefix("fit/") for name in self.work.names("fit")
            ):
                self.work.remove()
            raise

    def model(self) -> Model | None:
        """The fitted model, if the run has come so far."""
        if not self.work.has("fitted.npy"):
            return None
        try:
            return load_model_at(Place(self.work.below("model.zarr").url, self.place.options))
        except ModelStoreError as err:
            raise OptionError(
                f"{self.work.url}, which holds the fitted model of {self.place.url}, is damaged ({err}); "
                "delete it and the store, and begin anew"
            ) from err

    def keep(self, model: Model) -> None:
        """Remember the fitted model."""
        if not self.work.has("fitted.npy"):
            held = Place(self.work.below("model.zarr").url, self.place.options)
            held.remove()
            save_model_at(model, held)
            self.work.put("fitted.npy", np.zeros(0))
            self.work.remove("fit")

    def write(
        self,
        flux: Flux,
        model: Model,
        *,
        keep_flux: bool,
        fitted: bool,
        progress: Progress,
    ) -> xr.Dataset:
        """Write the regions that are not yet there, then what is made of all of them."""
        times, flux = flux.ds, in_chunks(flux)
        layout = self._layout(flux.array)
        out = labelled(flux, model, self.prefix, fitted=fitted)
        kept = out if keep_flux else out[self._of_records(out)].drop_vars(
            ["energy", "pitch_angle"], errors="ignore"
        )  # fmt: skip
        if not (self.work.has("skeleton.npy") and self._stands(kept)):
            self.work.remove("regions")  # whatever of them the store held is gone
            self.place.remove()
            self._write_skeleton(kept, layout)
            save_model_at(model, self.place, group=GROUP)
            self._consolidate()
            self.work.put("skeleton.npy", as_json(asdict(layout)))
        split = splitter(flux, model.settings, model.provenance["split"]) if fitted else None
        self._write_regions(kept, flux.records(), layout, model, split, progress)
        self._finish(None if keep_flux else flux.array, layout, model)
        self.work.remove("configuration.npy")  # first: what is left says nothing without it
        self.work.remove()
        return self._reopened(times)

    def _reopened(self, obj: xr.Dataset) -> xr.Dataset:
        """The finished store, with the indexes that the data have in memory already."""
        times = [v.dtype for v in obj.coords.values() if v.dtype.kind == "M"]
        unit: Any = np.datetime_data(times[0])[0] if len(set(times)) == 1 else "ns"
        found = xr.open_zarr(
            **self.place.zarr_arguments, create_default_indexes=False,
            decode_times=xr.coders.CFDatetimeCoder(time_unit=unit),
        )  # fmt: skip
        indexed = {n: c.variable for n, c in found.coords.items() if c.dims == (n,)}
        for name, variable in indexed.items():
            index = obj.xindexes.get(name)
            if type(index) is PandasIndex and index.index.dtype == variable.dtype:
                indexed[name] = xr.IndexVariable(
                    name, index.index, variable.attrs, variable.encoding
                )  # fmt: skip
        return found.assign_coords(xr.Coordinates(indexed))

    def _stands(self, kept: xr.Dataset) -> bool:
        """Whether the store that was begun is still there, with all that it is to hold."""
        from zarr.errors import GroupNotFoundError

        try:
            group = _opened(self.place)
        except (FileNotFoundError, GroupNotFoundError):
            return False
        return all(str(name) in group for name in [*kept.variables, GROUP])

    def _layout(self, flux: xr.DataArray) -> Layout:
        """As the store was begun, whatever chunks the data have this time."""
        if self.work.has("skeleton.npy"):
            return Layout(**from_json(self.work.get("skeleton.npy")))
        return Layout.of(flux)

    def _of_records(self, out: xr.Dataset) -> list[Hashable]:
        """Variables of the records alone, and the results."""
        records = set(out[f"{self.prefix}_label"].dims)
        own = [n for n in out.variables if str(n).startswith(f"{self.prefix}_")]
        return [*dict.fromkeys([n for n in out.variables if set(out[n].dims) <= records] + own)]

    def _results(self, kept: xr.Dataset) -> dict[str, RecordVariable]:
        """The results that `kept` has for every record, by their names there."""
        named = {f"{self.prefix}_{name}": variable for name, variable in RECORD_VARIABLES.items()}
        return {name: variable for name, variable in named.items() if name in kept}

    # ------------------------------------------------------------------------------------ skeleton

    def _write_skeleton(self, kept: xr.Dataset, layout: Layout) -> None:
        """Everything but what the regions bring; a label not yet written reads as -1."""
        held = {n: v for n, v in kept.variables.items() if _in_memory(v, layout)}
        variables, encoding, results = {}, {}, self._results(kept)
        for name, variable in kept.variables.items():
            own = variable.to_base_variable()
            if variable.chunks is not None and not _by_region(variable, layout):
                own = own.compute()  # text, or not of the records: written now
            if layout.dim in variable.dims:
                encoding[name] = _encoding(variable, layout)
                if name in results:
                    encoding[name]["fill_value"] = results[str(name)].missing
                if name in held or _by_region(variable, layout):
                    own = xr.Variable(variable.dims, _nothing(variable, layout), variable.attrs)
            own.encoding = {}
            variables[name] = own
        coords = {n: v for n, v in variables.items() if n in kept.coords}
        # Without indexes, for which xarray would compute the times that are not there yet.
        template = xr.Dataset(
            {n: v for n, v in variables.items() if n not in coords},
            coords=xr.Coordinates(coords, indexes={}),
            attrs=kept.attrs,
        )
        template.attrs[f"{self.prefix}_unfinished"] = (
            "labels are still being written: records not yet reached have label -1; the same call "
            "again goes on from here"
        )
        template.to_zarr(
            **self.place.zarr_arguments, mode="w-", compute=False, consolidated=False,
            zarr_format=3, encoding=encoding,
        )  # fmt: skip
        # Times and the like at once, so that none is missing meanwhile; encoding copies them.
        arrays = _arrays(self.place, held)
        for at in layout.regions() if held else ():
            _write_numbers(held, arrays, at, layout)

    def _write_variables(
        self, variables: Mapping[Hashable, xr.Variable], at: slice, layout: Layout
    ) -> None:
        """Of a region, what has further dimensions than the records': by those who compute it."""
        part = {n: v.isel({layout.dim: at}).to_base_variable() for n, v in variables.items()}
        # Without an index: xarray takes a dimension's for one that the store holds already.
        chunked = {
            n: v.chunk({d: layout.chunk if d == layout.dim else -1 for d in v.dims})
            for n, v in part.items()
        }
        xr.Dataset(coords=xr.Coordinates(chunked, indexes={})).to_zarr(
            **self.place.zarr_arguments, region={layout.dim: at}, consolidated=False
        )

    def _consolidate(self) -> None:
        import zarr

        with warnings.catch_warnings():
            # Zarr warns that this is no part of its standard yet; xarray warns of stores without it.
            warnings.simplefilter("ignore", UserWarning)
            zarr.consolidate_metadata(zarr.open_group(**self.place.zarr_arguments).store)

    # ------------------------------------------------------------------------------------- regions

    def _write_regions(
        self,
        kept: xr.Dataset,
        records: PadRecords,
        layout: Layout,
        model: Model,
        split: Splitter | None,
        progress: Progress,
    ) -> None:
        """Compute a region while the next one begins and the one before is written."""
        packing = Packing.of(model, fitted=split is not None)
        done = set(self.work.names("regions"))
        missing = [(n, at) for n, at in enumerate(layout.regions()) if _region(n) not in done]
        results = self._results(kept)
        dims = kept[f"{self.prefix}_label"].dims
        others = {
            n: in_longer_blocks(v, layout.dim, layout.chunk)
            for n, v in kept.variables.items()
            if n not in results and _by_region(v, layout)
        }
        # Columns are written with the results; a flux that is kept, by those who compute it.
        slim = {n: v for n, v in others.items() if set(v.dims) <= set(dims)}
        wide = {n: v for n, v in others.items() if n not in slim}
        arrays = _arrays(self.place, [*results, *slim])
        with (
            progress.step("labelling", len(missing), unit="region") as bar,
            side_by_side() as (many, threads),
            ThreadPoolExecutor(many) as labellers,
            ThreadPoolExecutor(1) as writer,
        ):

            def labelled(at: slice) -> tuple[xr.DataArray, Tally]:
                return labelled_region(
                    records, layout, at, model.pipeline, packing, split, threads
                )  # fmt: skip

            before: Future[None] | None = None
            every = in_order(labellers, labelled, [at for _, at in missing], ahead=many - 1)
            for (number, at), (columns, tally) in zip(missing, every, strict=True):
                if before is not None:
                    before.result()
                before = writer.submit(
                    self._write_region,
                    number,
                    at,
                    columns,
                    packing,
                    tally,
                    arrays,
                    slim,
                    wide,
                    layout,
                    dims,
                )
                bar.update(1)
            if before is not None:
                before.result()

    def _write_region(
        self,
        number: int,
        at: slice,
        columns: xr.DataArray,
        packing: Packing,
        tally: Tally,
        arrays: Mapping[Hashable, Any],
        slim: Mapping[Hashable, xr.Variable],
        wide: Mapping[Hashable, xr.Variable],
        layout: Layout,
        dims: tuple[Hashable, ...],
    ) -> None:
        if wide:
            self._write_variables(wide, at, layout)
        _write_numbers(slim, arrays, at, layout)
        where = tuple(at if d == layout.dim else slice(None) for d in dims)
        ordered = columns.transpose(*dims, "column").values
        for name in packing.places:
            target = arrays[f"{self.prefix}_{name}"]
            target[where] = ordered[..., packing.place(name)].astype(target.dtype)
        self.work.put_all(_region(number), tally.arrays())

    # ------------------------------------------------------------------------------------- the end

    def _finish(self, flux: xr.DataArray | None, layout: Layout, model: Model) -> None:
        """The catalogue and the spectrogram, from the sums of all regions."""
        tallies = (Tally(**self.work.get_all(name)) for name in self.work.names("regions"))
        total = reduce(add, tallies, Tally.none(model.k, *model.grid.shape))
        if layout.size and not total.count.any():
            warn_of_no_label(model, self.prefix)
        if flux is not None:
            entries = statistics.catalogue_of(total, model.grid, self.prefix)
            spectrum = quicklook.quicklook_of(total, flux, model.grid, layout.run, self.prefix)
            added = xr.merge([entries, spectrum], combine_attrs="override")
            added = added.drop_vars([n for n in added.coords if n in _opened(self.place)])
            # Writing replaces the attributes of the whole.
            added.attrs = dict(_opened(self.place).attrs)
            added.to_zarr(**self.place.zarr_arguments, mode="a", consolidated=False)
        group = _opened(self.place)
        group.attrs.pop(f"{self.prefix}_unfinished", None)
        self._consolidate()


def _region(number: int) -> str:
    return f"regions/{number:06d}.npz"


def in_chunks(flux: Flux) -> Flux:
    """The flux and its data, chunked along their longest dimension where they are in memory."""
    ds = flux.ds
    if any(v.chunks is not None for v in ds.variables.values()):
        return flux
    longest = max(ds.sizes, key=lambda d: ds.sizes[d])
    cut = {longest: min(ds.sizes[longest], CHUNK // 4)}
    own = cut if longest in flux.record_dims else {}
    return replace(flux, array=flux.array.chunk(own), ds=ds.chunk(cut))


def _by_region(variable: xr.Variable, layout: Layout) -> bool:
    """Whether a variable is written with the regions; others are in memory, or text."""
    return (
        variable.chunks is not None
        and layout.dim in variable.dims
        and variable.dtype.kind in "biufmM"
    )


def _in_memory(variable: xr.Variable, layout: Layout) -> bool:
    """Whether a variable is numbers that are in memory for every record, as times are."""
    return (
        variable.chunks is None and layout.dim in variable.dims and variable.dtype.kind in "biufmM"
    )


def _encoding(variable: xr.Variable, layout: Layout) -> dict[str, Any]:
    from zarr.codecs import BloscCodec

    chunks = (layout.chunk if d == layout.dim else max(n, 1) for d, n in variable.sizes.items())
    found: dict[str, Any] = {"chunks": tuple(chunks)}
    if variable.dtype.kind in "biufmM":
        found["compressors"] = (BloscCodec(cname="zstd", clevel=3, shuffle="shuffle"),)
    if variable.dtype.kind in "mM":
        units = TIME_UNITS[np.datetime_data(variable.dtype)[0]]
        units += " since 1970-01-01" if variable.dtype.kind == "M" else ""
        found |= {"units": units, "dtype": "int64", "fill_value": np.iinfo(np.int64).min}
    return found


def _nothing(variable: xr.Variable, layout: Layout) -> Any:
    """An array of the variable's shape and chunks in the store that is never computed."""
    import dask.array as da

    chunks = tuple(layout.chunk if d == layout.dim else -1 for d in variable.dims)
    return da.zeros(variable.shape, chunks=chunks, dtype=variable.dtype)


def _write_numbers(
    variables: Mapping[Hashable, xr.Variable],
    arrays: Mapping[Hashable, Any],
    at: slice,
    layout: Layout,
) -> None:
    """A region of variables of numbers, in one compute, as `_encoding` has them: times as counts.

    Not by xarray, which opens every variable of a store before it writes to any.
    """
    from dask.base import compute

    parts = [v.isel({layout.dim: at}).data for v in variables.values()]
    for (name, variable), values in zip(variables.items(), compute(*parts), strict=True):
        where = tuple(at if d == layout.dim else slice(None) for d in variable.dims)
        # Blocks may hold another type than they promise, such as times of another resolution.
        as_promised = values.astype(variable.dtype, copy=False)
        arrays[name][where] = as_promised.astype(arrays[name].dtype, copy=False)


def _arrays(place: Place, names: Iterable[Hashable]) -> dict[Hashable, Any]:
    """Arrays of a store, opened once: a group reads their metadata whenever it is asked for one."""
    group = _opened(place)
    return {name: group[str(name)] for name in names}


def _opened(place: Place) -> Any:
    import zarr

    return zarr.open_group(**place.zarr_arguments, mode="r+", use_consolidated=False)
