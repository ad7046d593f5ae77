"""Fit the pipeline: three passes over the data, then work on what they brought."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pandas as pd
import xarray as xr

from xpad.compute.progress import Progress
from xpad.errors import warn
from xpad.fitting.clusters import group
from xpad.fitting.encoder import train
from xpad.fitting.resources import FitOptions, Workspace, separated, workspace
from xpad.fitting.splitter import splitter
from xpad.model.model import Model
from xpad.model.pipeline import Pipeline
from xpad.model.provenance import configuration, identity, versions
from xpad.pads.canonical import located
from xpad.pads.dims import ENERGY, PITCH_ANGLE, record_dims
from xpad.pads.flux import Flux
from xpad.pads.grid import grid_of, selected
from xpad.pads.prepare import Preparation
from xpad.settings import DEFAULT_PRESET, Settings, resolve

if TYPE_CHECKING:
    from typing import Unpack


def fit(
    obj: xr.Dataset | xr.DataArray,
    variable: str | None = None,
    *,
    preset: str = DEFAULT_PRESET,
    progress: bool | None = None,
    **options: Unpack[FitOptions],
) -> Model:
    """Fit the pipeline to the PADs of a Dataset.

    Normalises each PAD, trains the autoencoder on the training split, and
    fits principal components, mean shift and k-means on the test split, as
    the published method does.

    Parameters
    ----------
    obj : xarray.Dataset or xarray.DataArray
        The data, from any reader; not changed.
    variable : str, optional
        The flux, where several are there and another than the preferred one
        is meant.
    preset : str
        Parameter set to begin from.
    progress : bool, optional
        Show bars; by default in terminals and notebooks.
    **options
        Any setting of `xpad.Settings`, instead of the preset's; and what the
        fit may use, which does not change the result:

        memory : str or int
            For the training and validation records and the components, such
            as "2GiB"; by default a quarter of what the machine, the dask
            worker or the container has.
        scratch : str
            A path or fsspec URL where what does not fit is written, and
            removed at the end; needed where workers share no file system.
        checkpoint : str
            A path or URL. A fit that was killed goes on from its last epoch
            when it is called again with the same arguments.
        training_worker : str
            Address or name of the dask worker that trains, instead of this
            process.
        storage_options : dict
            fsspec's, for URLs.

    Returns
    -------
    Model

    Raises
    ------
    RolesError
        The flux or its axes cannot be told.
    OptionError
        A setting has a value that it cannot take.
    NotEnoughDataError
        Fewer usable records than a step needs.
    TrainingError
        The training diverged.

    Warns
    -----
    XpadWarning
        The training is too short to mean anything; the mean shift finds one
        mode only; times are not sorted, repeated or missing.

    References
    ----------
    Killey et al. (2023), RASTI 2, 548, doi:10.1093/rasti/rzad035; after
    Bakrania et al. (2020), doi:10.3389/fspas.2020.593516.

    Examples
    --------
    >>> import xpad
    >>> model = xpad.fit(xpad.simulate(days=0.5), encoder=None, k=6, progress=False)
    >>> model.k
    6
    """
    own, resources = separated(options)
    settings = resolve(preset, own)
    flux = selected_flux(obj, variable, settings)
    with workspace(**resources) as space:
        model = fit_flux(flux, preset, settings, space, Progress(progress))
        space.checkpoint.remove()
    return model


def selected_flux(obj: xr.Dataset | xr.DataArray, variable: str | None, settings: Settings) -> Flux:
    """The flux of a Dataset, within the energies that the settings name."""
    return located(obj, variable).mapped(selected, settings)


def fit_flux(
    flux: Flux, preset: str, settings: Settings, space: Workspace, progress: Progress
) -> Model:
    """`fit` for a flux; the checkpoint of the workspace is left as it is at the end."""
    warn_about_times(flux.array)
    source = identity(flux)
    space.checkpoint.require_same(configuration(preset, settings, source))
    varying = tuple(axis for axis in (ENERGY, PITCH_ANGLE) if flux.varies(axis))
    preparation = Preparation.of_all(grid_of(flux.array, settings), settings, varying)
    trained = train(flux, preparation, splitter(flux, settings), space, progress)
    grouped = group(flux, trained, space, progress)
    return Model(
        preset=preset,
        settings=settings,
        pipeline=Pipeline(
            trained.preparation, trained.encoder, grouped.components, grouped.labeller
        ),
        rule=grouped.rule,
        scores=grouped.scores,
        history=trained.history,
        provenance={"versions": versions(), "input": source, "split": trained.split.as_dict()},
    )


def warn_about_times(flux: xr.DataArray) -> None:
    """Times out of order, repeated or missing do no harm to the method, but are worth knowing."""
    for dim in record_dims(flux):
        index = flux.indexes.get(dim)
        if not isinstance(index, pd.DatetimeIndex):
            continue
        faults = []
        if index.hasnans:
            absent = np.asarray(index.isna())
            faults.append(f"{int(absent.sum())} missing (NaT)")
            index = index[~absent]
        if not index.is_monotonic_increasing:
            faults.append("not sorted")
        if not index.is_unique:
            faults.append("repeated")
        if faults:
            warn(
                f"times on {dim!r} are {', '.join(faults)}; the records are labelled as they stand"
            )
