"""Results written to a Zarr store while they are computed: cluster, or predict, and write."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import numpy as np
import xarray as xr
from xarray.indexes import PandasMultiIndex

from xpad.compute.progress import Progress
from xpad.errors import OptionError
from xpad.fitting.fit import fit_flux, selected_flux
from xpad.fitting.resources import FIT_OPTIONS, FitOptions, require_resources, separated, workspace
from xpad.model.model import Model
from xpad.model.provenance import configuration, identity
from xpad.pads.dims import require_records
from xpad.results.predict import flux_for
from xpad.results.variables import require_prefix
from xpad.roles.recognise import as_dataset
from xpad.settings import DEFAULT_PRESET, Settings, chosen, lists
from xpad.storage.place import Place
from xpad.writing.store import Output

if TYPE_CHECKING:
    from os import PathLike
    from typing import Unpack


@lists(FIT_OPTIONS)
def cluster_to_zarr(
    obj: xr.Dataset | xr.DataArray,
    store: str | PathLike[str],
    variable: str | None = None,
    *,
    preset: str = DEFAULT_PRESET,
    settings: Settings | None = None,
    prefix: str = "pad",
    keep_flux: bool = False,
    overwrite: bool = False,
    progress: bool | None = None,
    **options: Unpack[FitOptions],
) -> xr.Dataset:
    """Cluster, and write the result to a Zarr store while it is computed.

    The way for data that do not fit in memory, and for long runs: killed at
    any moment and called again with the same arguments, it goes on from the
    last epoch of the training or the last region of the results, and ends
    with what an undisturbed run would have written.

    Parameters
    ----------
    obj : xarray.Dataset or xarray.DataArray
        The data, from any reader; not changed.
    store : str or path
        Zarr store to write, a path or an fsspec URL (``s3://…``).
    variable : str, optional
        The flux, where another than the preferred one is meant.
    preset : str
        Parameter set to begin from.
    settings : Settings, optional
        All settings at once, as for `fit`.
    prefix : str
        Begins the names of everything added.
    keep_flux : bool
        Write all variables of the data too. Without, only those of the
        records alone (times, L, MLT) are written, and beside the results each
        cluster's mean PAD and a spectrogram of at most 1500 columns.
    overwrite : bool
        Replace what stands there, if it is an output of xpad.
    progress : bool, optional
        Show bars; by default in terminals and notebooks.
    **options
        Any setting of `xpad.Settings`, instead of the preset's, and what a
        fit may use (``memory``, …); `help` lists them.

    Returns
    -------
    xarray.Dataset
        The store, opened lazily. Also its group ``xpad_model``, which
        `load_model` reads.

    Raises
    ------
    OptionError
        The store exists, or was begun with another configuration; the
        difference is named.
    RolesError, NotEnoughDataError, TrainingError
        As `fit`.

    Notes
    -----
    A record that is not yet written has label -1, and the attribute
    ``pad_unfinished`` says that there may be such. The folder
    ``<store>.unfinished`` beside the store holds what a run goes on from, and
    is removed at the end.

    Examples
    --------
    >>> import tempfile, xpad
    >>> ds = xpad.simulate(days=0.5)
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     out = xpad.cluster_to_zarr(ds, f"{folder}/out.zarr", encoder=None, k=6, progress=False)
    ...     int(out.pad_label.max())
    5
    """
    require_prefix(prefix)
    own, resources = separated(options)
    preset, settings = chosen(preset, own, settings)
    require_resources(resources)
    ds = as_dataset(obj)
    _require_plain_indexes(ds)
    _require_names(ds)
    _require_times(ds)
    flux = selected_flux(ds, variable, settings)
    place = Place.of(store, resources.get("storage_options"))
    place.require_apart(_sources(obj))
    stated = configuration(preset, settings, identity(flux))
    stated |= {"prefix": prefix, "keep_flux": keep_flux}
    shown = Progress(progress)
    with place.alone():
        output = Output.begun(place, stated, prefix, overwrite=overwrite)
        model = output.model()
        if model is None:
            resources.setdefault("checkpoint", output.work.below("fit").url)
            with workspace(**resources) as space, output.cleared_unless_worth_it():
                if overwrite:
                    space.checkpoint.remove()
                model = fit_flux(flux, preset, settings, space, shown)
            output.keep(model)
            space.checkpoint.remove()
        return output.write(flux, model, keep_flux=keep_flux, fitted=True, progress=shown)


def predict_to_zarr(
    obj: xr.Dataset | xr.DataArray,
    model: Model,
    store: str | PathLike[str],
    variable: str | None = None,
    *,
    prefix: str = "pad",
    keep_flux: bool = False,
    overwrite: bool = False,
    progress: bool | None = None,
    storage_options: Mapping[str, Any] | None = None,
) -> xr.Dataset:
    """Label with a fitted model, and write the result to a Zarr store while it is computed.

    Parameters
    ----------
    obj, store, variable, prefix, keep_flux, overwrite, progress
        As for `cluster_to_zarr`.
    model : Model
    storage_options : dict, optional
        fsspec's, where the store is a URL.

    Returns
    -------
    xarray.Dataset
        The store, opened lazily.

    Raises
    ------
    OptionError
        As `cluster_to_zarr`.
    GridMismatchError
        The data are on another grid than the model.

    Examples
    --------
    >>> import tempfile, xpad
    >>> ds = xpad.simulate(days=0.5)
    >>> model = xpad.fit(ds, encoder=None, k=6, progress=False)
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     xpad.predict_to_zarr(ds, model, f"{folder}/out.zarr", progress=False).pad_label.dtype
    dtype('int16')
    """
    require_prefix(prefix)
    given = as_dataset(obj)
    _require_plain_indexes(given)
    _require_names(given)
    _require_times(given)
    flux = flux_for(model, obj, variable)
    require_records(flux.array)
    place = Place.of(store, storage_options)
    place.require_apart(_sources(obj))
    stated = configuration(model.preset, model.settings, identity(flux))
    stated |= {"prefix": prefix, "keep_flux": keep_flux, "model": model.digest}
    with place.alone():
        output = Output.begun(place, stated, prefix, overwrite=overwrite)
        output.keep(model)
        return output.write(
            flux, model, keep_flux=keep_flux, fitted=False, progress=Progress(progress)
        )


def _sources(obj: xr.Dataset | xr.DataArray) -> list[str]:
    """The files or stores that data were opened from, as far as they say."""
    found = obj.encoding.get("source", [])
    return [found] if isinstance(found, str) else [str(source) for source in found]


def _require_plain_indexes(ds: xr.Dataset) -> None:
    """Refuse an index of several levels, which no file can hold."""
    for dim in ds.dims:
        if isinstance(ds.xindexes.get(dim), PandasMultiIndex):
            raise OptionError(
                f"the dimension {dim!r} has a MultiIndex, which no store can hold; "
                f"ds.reset_index({dim!r}) keeps its levels as coordinates"
            )


def _require_times(ds: xr.Dataset) -> None:
    """Refuse times that nanoseconds cannot count: xarray could not read the store back."""
    low, high = np.datetime64("1678-01-01", "s"), np.datetime64("2262-01-01", "s")
    for name, variable in ds.variables.items():
        if variable.dtype.kind != "M" or variable.chunks is not None:
            continue
        if np.datetime_data(variable.dtype)[0] == "ns":
            continue
        seconds = variable.values.astype("datetime64[s]")
        if ((seconds < low) | (seconds >= high)).any():
            raise OptionError(
                f"{name} has times outside of 1678 to 2261, which a store cannot hold as times; if they "
                f"are fill values, replace them: ds.assign_coords({name}=ds.{name}.where(...))"
            )


def _require_names(ds: xr.Dataset) -> None:
    """Refuse names of variables that are no names in a Zarr store."""
    for name in ds.variables:
        if not isinstance(name, str) or "/" in name or not name.strip(".") or name.startswith("__"):
            raise OptionError(
                f"the variable {name!r} has a name that a Zarr store cannot hold; rename it: "
                f"ds.rename({{{name!r}: ...}})"
            )
