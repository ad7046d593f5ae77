"""Results written to a Zarr store while they are computed: cluster, or predict, and write."""

from __future__ import annotations

import logging
from collections.abc import Mapping
from dataclasses import dataclass
from functools import reduce
from operator import add
from typing import TYPE_CHECKING, Any

import numpy as np
import xarray as xr

from xpad.compute.progress import Progress
from xpad.errors import OptionError
from xpad.fitting.fit import fit_flux, selected_flux
from xpad.fitting.resources import FIT_OPTIONS, FitOptions, require_resources, separated, workspace
from xpad.model.model import Model
from xpad.model.provenance import configuration, content, identity
from xpad.pads.dims import require_record_dim, require_records
from xpad.pads.flux import Flux
from xpad.pads.grid import grid_coords
from xpad.results.predict import flux_for
from xpad.results.variables import require_prefix, warn_of_no_label
from xpad.roles.recognise import as_dataset
from xpad.settings import DEFAULT_PRESET, Settings, chosen, lists
from xpad.statistics.catalogue import catalogue_of
from xpad.statistics.spectrogram import quicklook_of
from xpad.statistics.sums import Tally
from xpad.storage.place import Place
from xpad.storage.unstorable import require_storable
from xpad.writing.contents import Contents, require_names
from xpad.writing.labelling import label_regions
from xpad.writing.regions import Labelling, Layout, in_chunks
from xpad.writing.store import Store, reopened
from xpad.writing.unfinished import Unfinished, begun, digest, is_finished

if TYPE_CHECKING:
    from os import PathLike
    from typing import Unpack

log = logging.getLogger(__name__)


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
        The store, opened lazily; where the same configuration has finished it
        before, as it stands. Also its group ``xpad_model``, which
        `load_model` reads.

    Raises
    ------
    OptionError
        The store exists and another configuration made it, or it was begun
        with another one; the difference is named. A variable of the data has a name that the store
        needs.
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
    _require_switches(overwrite=overwrite, keep_flux=keep_flux)
    own, resources = separated(options)
    preset, settings = chosen(preset, own, settings)
    require_resources(resources)
    require_storable(as_dataset(obj))
    flux = selected_flux(obj, variable, settings)
    place = _place_apart(obj, store, resources.get("storage_options"))
    wanted = _Wanted(flux, prefix, keep_flux, Progress(progress))
    stated = wanted.stated(preset, settings)
    if not overwrite and is_finished(place, prefix, wanted.made_by(stated)):
        return wanted.finished_before(place)
    with begun(place, stated, overwrite=overwrite) as run:
        model = run.model()
        if model is None:
            resources.setdefault("checkpoint", run.fit.url)
            with workspace(**resources) as space, run.forgotten_where_a_fit_comes_to_nothing():
                if overwrite:
                    space.checkpoint.remove()
                model = fit_flux(flux, preset, settings, space, wanted.progress)
            run.keep_model(model)
            space.checkpoint.remove()
        return wanted.written(run, model, stated, fitted=True)


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
    _require_switches(overwrite=overwrite, keep_flux=keep_flux)
    require_storable(as_dataset(obj))
    flux = flux_for(model, obj, variable)
    require_records(flux.array)
    place = _place_apart(obj, store, storage_options)
    wanted = _Wanted(flux, prefix, keep_flux, Progress(progress))
    stated = wanted.stated(model.preset, model.settings) | {"model": model.digest}
    if not overwrite and is_finished(place, prefix, wanted.made_by(stated)):
        return wanted.finished_before(place)
    with begun(place, stated, overwrite=overwrite) as run:
        run.keep_model(model)
        return wanted.written(run, model, stated, fitted=False)


@dataclass(frozen=True, eq=False)
class _Wanted:
    """What is to be written, whichever way labels come about."""

    flux: Flux
    prefix: str
    keep_flux: bool
    progress: Progress

    def __post_init__(self) -> None:
        require_record_dim(self.flux.array)
        if not self.keep_flux:
            require_names(self.flux, self.prefix)

    def stated(self, preset: str, settings: Settings) -> dict[str, Any]:
        """All that the store depends on: what is begun with one is not gone on with another."""
        own = {"prefix": self.prefix, "keep_flux": self.keep_flux}
        return configuration(preset, settings, identity(self.flux)) | own

    def made_by(self, stated: Mapping[str, Any]) -> dict[str, Any]:
        """All that a finished store depends on: the data themselves, too."""
        return {**stated, "content": content(self.flux)}

    def finished_before(self, place: Place) -> xr.Dataset:
        """The store of a run that came to its end: a job that is started again finds it done."""
        log.info("%s is finished: this configuration made it", place.url)
        return reopened(place, self.flux.ds)

    def written(
        self, run: Unfinished, model: Model, stated: Mapping[str, Any], *, fitted: bool
    ) -> xr.Dataset:
        """Write the regions that are not yet there, then what is made of all of them."""
        flux, begun_with = in_chunks(self.flux), run.layout()
        layout = begun_with or Layout.of(flux.array)
        contents = Contents.of(
            flux, model, layout, self.prefix, fitted=fitted, keep_flux=self.keep_flux
        )
        store = Store(run.place, contents)
        if begun_with is None or not store.stands():
            run.forget_regions()  # whatever of them the store held is gone
            store.begin(model)
            run.keep_layout(layout)
        labelling = Labelling.of(flux, layout, model, fitted=fitted)
        label_regions(labelling, store.opened(), run, self.progress)
        total = reduce(add, run.sums(), labelling.no_sums())
        if layout.size and not total.pads.count.any():
            warn_of_no_label(model, self.prefix)
        summary = None if self.keep_flux else self._summary(total, flux, layout, model)
        store.finish(summary, digest(self.made_by(stated)))
        run.remove()
        return reopened(run.place, self.flux.ds)

    def _summary(self, total: Tally, flux: Flux, layout: Layout, model: Model) -> xr.Dataset:
        """The catalogue and the spectrogram, for those who look at a store without its flux."""
        axes = grid_coords(model.grid)
        entries = catalogue_of(total.pads, model.k, axes, model.grid.flux_units, self.prefix)
        spectrum = quicklook_of(total.spectra, flux.array, axes, layout.run, self.prefix)
        return xr.merge([entries, spectrum], combine_attrs="override")


def _require_switches(**given: Any) -> None:
    """Refuse a text for True or False: overwrite="no" is true."""
    for name, value in given.items():
        if not isinstance(value, bool | np.bool_):
            raise OptionError(f"{name}={value!r} must be True or False")


def _place_apart(
    obj: xr.Dataset | xr.DataArray,
    store: str | PathLike[str],
    storage_options: Mapping[str, Any] | None,
) -> Place:
    """The place of a store; refused where it and the files that data were opened from are one."""
    place = Place.of(store, storage_options)
    sources = obj.encoding.get("source", [])
    place.require_apart([sources] if isinstance(sources, str) else map(str, sources))
    return place
