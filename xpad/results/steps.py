"""The steps of the method one by one, each lazy: normalise, encode, pca, label."""

from __future__ import annotations

import numpy as np
import xarray as xr
from numpy.typing import NDArray

from xpad.errors import OptionError
from xpad.model.model import Model
from xpad.model.pipeline import Pipeline
from xpad.pads import canonical
from xpad.pads.blocks import Block, Piece
from xpad.pads.dims import ENERGY, PITCH_ANGLE, varies
from xpad.pads.normalise import normalisation
from xpad.pads.quality import OK
from xpad.results.predict import flux_for, packed, unpacked
from xpad.results.variables import Packing
from xpad.settings import METHODS, Normalise, table
from xpad.settings.entry import says


def encode(
    obj: xr.Dataset | xr.DataArray, model: Model, variable: str | None = None
) -> xr.DataArray:
    """The autoencoder's encoding of each PAD, lazy.

    Parameters
    ----------
    obj : xarray.Dataset or xarray.DataArray
        Data on the model's energies and pitch angles, as for `predict`.
    model : Model
    variable : str, optional
        The flux; by default the one that the model was fitted on.

    Returns
    -------
    xarray.DataArray
        float32, (record…, ``pad_hidden``); NaN where a record is unusable. Without an autoencoder,
        the normalised PAD itself.

    Examples
    --------
    >>> import xpad
    >>> ds = xpad.simulate(days=0.1)
    >>> model = xpad.fit(ds, encoder=None, k=6, progress=False)
    >>> xpad.encode(ds, model).dims
    ('Epoch', 'pad_hidden')
    """
    flux = flux_for(model, obj, variable)
    width = model.pipeline.n_encoded
    found = flux.numbers(_encoded, "pad_hidden", width, name="xpad-encode", pipeline=model.pipeline)
    return found.rename("pad_hidden").assign_attrs(long_name="encoding of the PAD")


def _encoded(block: Block, *, pipeline: Pipeline) -> NDArray[np.float32]:
    preparation = pipeline.preparation

    def encoded(piece: Piece) -> NDArray[np.float32]:
        pads = preparation.pads(piece)
        usable = (preparation.flags(pads) == OK)[:, None]
        encoding = pipeline.encoder.encode(*preparation.rows_with_divisors(pads))
        return np.where(usable, encoding, np.float32(np.nan))

    return block.rows(encoded, pipeline.n_encoded)


def pca(obj: xr.Dataset | xr.DataArray, model: Model, variable: str | None = None) -> xr.DataArray:
    """The principal components of each PAD, lazy.

    Parameters
    ----------
    obj, model, variable
        As for `encode`.

    Returns
    -------
    xarray.DataArray
        float32, (record…, ``pad_component``); NaN where a record is unusable.

    Examples
    --------
    >>> import xpad
    >>> ds = xpad.simulate(days=0.1)
    >>> model = xpad.fit(ds, encoder=None, k=6, progress=False)
    >>> xpad.pca(ds, model).sizes["pad_component"]
    3
    """
    return _one_result(obj, model, variable, "pc")


def label(
    obj: xr.Dataset | xr.DataArray, model: Model, variable: str | None = None
) -> xr.DataArray:
    """The cluster of each PAD, lazy.

    The labels of `predict`, in less time: nothing is reconstructed for an error.

    Parameters
    ----------
    obj, model, variable
        As for `encode`.

    Returns
    -------
    xarray.DataArray
        int16 on the record dimensions; -1 where a record is unusable.

    Examples
    --------
    >>> import xpad
    >>> ds = xpad.simulate(days=0.1)
    >>> model = xpad.fit(ds, encoder=None, k=6, progress=False)
    >>> xpad.label(ds, model).equals(xpad.predict(ds, model).pad_label)
    True
    """
    return _one_result(obj, model, variable, "label")


def _one_result(
    obj: xr.Dataset | xr.DataArray, model: Model, variable: str | None, name: str
) -> xr.DataArray:
    flux, packing = flux_for(model, obj, variable), Packing.of(model, fitted=False)
    columns = packed(flux, model, packing, with_error=False)
    return unpacked(columns, model, packing, name).rename(f"pad_{name}")


@says(methods=", ".join(map(repr, METHODS)), text=table()["normalise"].text)
def normalise(
    obj: xr.Dataset | xr.DataArray, method: Normalise = "max", variable: str | None = None
) -> xr.DataArray:
    """Each PAD over its reference, lazy: (record…, energy, pitch_angle), NaN where missing.

    Parameters
    ----------
    obj : xarray.Dataset or xarray.DataArray
        The data.
    method : {<methods>}
        <text> The first is the published choice.
    variable : str, optional
        The flux, where several are there.

    Returns
    -------
    xarray.DataArray
        float32, dimensionless.

    Raises
    ------
    OptionError
        An unknown method, or one that cannot be had of these pitch angles.

    Examples
    --------
    >>> import xpad
    >>> float(xpad.normalise(xpad.simulate(days=0.1), "max").max())
    1.0
    """
    entry = normalisation(method)
    flux = canonical.flux(obj, variable)
    if entry.varying and varies(flux, PITCH_ANGLE):
        raise OptionError(
            f"the pitch angles of {flux.name} vary from record to record, so {entry.varying}; fit puts "
            "them on one grid first"
        )
    pitch_angle = flux.coords[PITCH_ANGLE].values if PITCH_ANGLE in flux.coords else np.empty(0)
    if entry.require is not None:
        entry.require(pitch_angle)
    core = [ENERGY, PITCH_ANGLE]
    found = xr.apply_ufunc(
        lambda pads: entry.of(pads.reshape(-1, *pads.shape[-2:]), pitch_angle).reshape(pads.shape),
        flux.chunk({d: -1 for d in core}) if flux.chunks is not None else flux,
        input_core_dims=[core],
        output_core_dims=[core],
        dask="parallelized",
        output_dtypes=[np.float32],
    )
    return found.assign_attrs(units="1", long_name=f"flux normalised by {method}").rename(flux.name)
