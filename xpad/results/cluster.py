"""Fit and label in one."""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal, overload

import xarray as xr

from xpad.compute.progress import Progress
from xpad.fitting.fit import fit_flux, selected_flux
from xpad.fitting.resources import FIT_OPTIONS, FitOptions, separated, workspace
from xpad.model.model import Model
from xpad.results.predict import labelled
from xpad.results.variables import require_prefix
from xpad.settings import DEFAULT_PRESET, Settings, chosen, lists

if TYPE_CHECKING:
    from typing import Unpack


@overload
def cluster(
    obj: xr.Dataset | xr.DataArray,
    variable: str | None = ...,
    *,
    preset: str = ...,
    settings: Settings | None = ...,
    prefix: str = ...,
    return_model: Literal[False] = ...,
    progress: bool | None = ...,
    **options: Unpack[FitOptions],
) -> xr.Dataset: ...
@overload
def cluster(
    obj: xr.Dataset | xr.DataArray,
    variable: str | None = ...,
    *,
    preset: str = ...,
    settings: Settings | None = ...,
    prefix: str = ...,
    return_model: Literal[True],
    progress: bool | None = ...,
    **options: Unpack[FitOptions],
) -> tuple[xr.Dataset, Model]: ...
@lists(FIT_OPTIONS)
def cluster(
    obj: xr.Dataset | xr.DataArray,
    variable: str | None = None,
    *,
    preset: str = DEFAULT_PRESET,
    settings: Settings | None = None,
    prefix: str = "pad",
    return_model: bool = False,
    progress: bool | None = None,
    **options: Unpack[FitOptions],
) -> xr.Dataset | tuple[xr.Dataset, Model]:
    """Sort the PADs of a Dataset into their typical shapes.

    `fit` and `predict` in one: normalise, autoencoder, principal components,
    mean shift for the number of clusters, k-means; then every usable record
    is labelled.

    Parameters
    ----------
    obj : xarray.Dataset or xarray.DataArray
        The data, from any reader; not changed.
    variable : str, optional
        The flux, where another than the preferred one is meant.
    preset : str
        Parameter set to begin from.
    settings : Settings, optional
        All settings at once, as for `fit`.
    prefix : str
        Begins the names of everything added, so that electrons and protons
        fit in one Dataset.
    return_model : bool
        Return the model too.
    progress : bool, optional
        Show bars; by default in terminals and notebooks.
    **options
        Any setting of `xpad.Settings`, instead of the preset's, and what a
        fit may use (``memory``, …); `help` lists them.

    Returns
    -------
    xarray.Dataset
        The input with, on its record dimensions: ``pad_label`` (int16; 0 is
        the largest cluster, -1 unusable), ``pad_pc`` (record,
        ``pad_component``), ``pad_error`` (root mean square over measured bins
        of the normalised PAD minus its reconstruction), ``pad_flag`` (why a
        record is unusable), ``pad_split``; also the training's ``pad_loss``
        and ``pad_val_loss`` over ``pad_epoch``, ``pad_centre``, ``pad_mode``,
        and attributes that say how all this was made. Lazy where the input is.
    Model
        With ``return_model=True``.

    Raises
    ------
    RolesError, OptionError, NotEnoughDataError, TrainingError
        As `fit`.

    References
    ----------
    Killey et al. (2023), RASTI 2, 548, doi:10.1093/rasti/rzad035.

    Examples
    --------
    >>> import xpad
    >>> out = xpad.cluster(xpad.simulate(days=0.5), encoder=None, k=6, progress=False)
    >>> out.pad_label.dims, out.pad_label.dtype
    (('Epoch',), dtype('int16'))
    """
    require_prefix(prefix)
    own, resources = separated(options)
    preset, settings = chosen(preset, own, settings)
    flux = selected_flux(obj, variable, settings)
    with workspace(**resources) as space:
        model = fit_flux(flux, preset, settings, space, Progress(progress))
        space.checkpoint.remove()
    out = labelled(flux, model, prefix, fitted=True)
    return (out, model) if return_model else out
