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
from xpad.model.provenance import configuration, identity
from xpad.pads.canonical import raw_flux
from xpad.pads.grid import grid_of, selected
from xpad.pads.records import record_dims
from xpad.roles.recognise import as_dataset
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
    ds = as_dataset(obj)
    flux = selected(raw_flux(ds, variable), settings)
    with workspace(**resources) as space:
        model = fit_flux(ds, flux, preset, settings, space, Progress(progress))
        space.checkpoint.remove()
    return model


def fit_flux(
    ds: xr.Dataset,
    flux: xr.DataArray,
    preset: str,
    settings: Settings,
    space: Workspace,
    progress: Progress,
) -> Model:
    """`fit` for a canonical flux; the checkpoint of the workspace is left as it is at the end."""
    warn_about_times(flux)
    source = identity(ds, flux)
    space.checkpoint.require_same(configuration(preset, settings, source))
    grid = grid_of(flux, settings)
    split = splitter(flux, ds, settings)
    trained = train(flux, grid, split, preset, source, space, progress)
    return group(flux, trained, space, progress)


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
