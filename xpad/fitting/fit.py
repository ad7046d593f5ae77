"""Fit the pipeline: three passes over the data, then work on what they brought."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pandas as pd
import xarray as xr

from xpad.compute.progress import Progress
from xpad.compute.times import warn_of_unusual_times
from xpad.fitting.clusters import group
from xpad.fitting.encoder import train
from xpad.fitting.resources import FIT_OPTIONS, FitOptions, Workspace, separated, workspace
from xpad.fitting.splitter import splitter
from xpad.model.model import Model
from xpad.model.pipeline import Pipeline
from xpad.model.provenance import configuration, identity, versions
from xpad.pads.canonical import located
from xpad.pads.dims import ENERGY, PITCH_ANGLE, record_dims
from xpad.pads.flux import Flux
from xpad.pads.grid import grid_of, selected
from xpad.pads.prepare import Preparation
from xpad.settings import DEFAULT_PRESET, Settings, chosen, lists

if TYPE_CHECKING:
    from typing import Unpack


@lists(FIT_OPTIONS)
def fit(
    obj: xr.Dataset | xr.DataArray,
    variable: str | None = None,
    *,
    preset: str = DEFAULT_PRESET,
    settings: Settings | None = None,
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
    settings : Settings, optional
        All settings at once, such as another model's ``model.settings``, used
        as they are: without a preset or a setting beside them.
    progress : bool, optional
        Show bars; by default in terminals and notebooks.
    **options
        Any setting of `xpad.Settings`, instead of the preset's, and what a
        fit may use (``memory``, …); `help` lists them.

    Returns
    -------
    Model

    Raises
    ------
    RolesError
        The flux or its axes cannot be told.
    OptionError
        A setting has a value that it cannot take, or stands beside
        ``settings``.
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
    preset, settings = chosen(preset, own, settings)
    flux = selected_flux(obj, variable, settings)
    with workspace(**resources) as space:
        model = fit_flux(flux, preset, settings, space, Progress(progress))
        space.checkpoint.remove()
    return model


def selected_flux(obj: xr.Dataset | xr.DataArray, variable: str | None, settings: Settings) -> Flux:
    """The flux of a Dataset, within the energies that the settings name."""
    return located(obj, variable, settings=settings).mapped(selected, settings)


def fit_flux(
    flux: Flux, preset: str, settings: Settings, space: Workspace, progress: Progress
) -> Model:
    """`fit` for a flux; the checkpoint of the workspace is left as it is at the end."""
    _warn_of_unusual_times(flux.array)
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
        provenance={
            "versions": versions(),
            "input": source,
            "split": trained.split.as_dict(),
            "cleaning": trained.removed.as_dict(),
        },
    )


def _warn_of_unusual_times(flux: xr.DataArray) -> None:
    """They do no harm to the method, but are worth knowing."""
    indexes = {dim: flux.indexes.get(dim) for dim in record_dims(flux)}
    warn_of_unusual_times(
        {dim: index.values for dim, index in indexes.items() if isinstance(index, pd.DatetimeIndex)}
    )
