"""The steps of the method one by one, each lazy: normalise, encode, pca, label."""

from __future__ import annotations

from typing import Any

import numpy as np
import xarray as xr
from numpy.typing import NDArray

from xpad.errors import OptionError
from xpad.model.model import Model
from xpad.pads.canonical import canonical_flux
from xpad.pads.clean import Limits, limits_of
from xpad.pads.normalise import normalise_pads, require_ninety
from xpad.pads.prepare import pieces
from xpad.pads.quality import OK
from xpad.pads.records import ENERGY, PITCH_ANGLE, over_records, varies
from xpad.results.predict import checked_flux, packed
from xpad.results.variables import component_attrs, label_attrs
from xpad.settings import METHODS


def encode(
    obj: xr.Dataset | xr.DataArray, model: Model, variable: str | None = None
) -> xr.DataArray:
    """The autoencoder's encoding of each PAD, (record…, ``pad_hidden``), lazy; NaN where unusable."""
    flux = checked_flux(obj, model, variable)
    found = over_records(
        flux,
        _encoded,
        "pad_hidden",
        model.n_encoded,
        name="xpad-encode",
        limits=limits_of(flux.attrs),
        model=model,
    )
    return found.rename("pad_hidden").assign_attrs(long_name="encoding of the PAD")


def _encoded(
    flux: Any, energies: Any, pitch_angles: Any, *, limits: Limits, model: Model
) -> NDArray[np.float32]:
    out = np.empty((len(flux), model.n_encoded), dtype=np.float32)
    for at, piece in pieces(flux, energies, pitch_angles, limits):
        pads = model.pads(*piece)
        usable = (model.flags(pads) == OK)[:, None]
        out[at] = np.where(
            usable, model.encode(*model.rows_with_divisors(pads)), np.float32(np.nan)
        )
    return out


def pca(obj: xr.Dataset | xr.DataArray, model: Model, variable: str | None = None) -> xr.DataArray:
    """The principal components of each PAD, (record…, ``pad_component``), lazy; NaN where unusable."""
    columns = packed(checked_flux(obj, model, variable), model, with_error=False)
    found = columns.isel(pad_packed=slice(3, None)).rename(pad_packed="pad_component")
    return found.rename("pad_pc").assign_attrs(component_attrs(model))


def label(
    obj: xr.Dataset | xr.DataArray, model: Model, variable: str | None = None
) -> xr.DataArray:
    """The cluster of each PAD, int16 on the record dimensions, lazy; -1 where unusable.

    The labels of `predict`, in less time: nothing is reconstructed for an error.
    """
    columns = packed(checked_flux(obj, model, variable), model, with_error=False)
    found = columns.isel(pad_packed=0).astype(np.int16)
    return found.rename("pad_label").assign_attrs(label_attrs(model))


def normalise(
    obj: xr.Dataset | xr.DataArray, method: str = "max", variable: str | None = None
) -> xr.DataArray:
    """Each PAD over its reference, lazy: (record…, energy, pitch_angle), NaN where missing.

    Parameters
    ----------
    obj : xarray.Dataset or xarray.DataArray
        The data.
    method : {"max", "max_energy", "90deg"}
        Over the PAD's own maximum (the published choice), each energy's, or
        the flux at 90 degrees of each energy.
    variable : str, optional
        The flux, where several are there.

    Returns
    -------
    xarray.DataArray
        float32, dimensionless.

    Raises
    ------
    OptionError
        An unknown method, or "90deg" where pitch angles vary from record to record.

    Examples
    --------
    >>> import xpad
    >>> float(xpad.normalise(xpad.simulate(days=0.1), "max").max())
    1.0
    """
    if method not in METHODS:
        raise OptionError(f"normalise={method!r} is not known; choose one of {', '.join(METHODS)}")
    flux = canonical_flux(obj, variable)
    if method == "90deg" and varies(flux, PITCH_ANGLE):
        raise OptionError(
            f"the pitch angles of {flux.name} vary from record to record, so no bin is at 90 degrees for "
            "all; fit puts them on one grid first"
        )
    pitch_angle = flux.coords[PITCH_ANGLE].values if PITCH_ANGLE in flux.coords else np.empty(0)
    if method == "90deg":
        require_ninety(pitch_angle)
    core = [ENERGY, PITCH_ANGLE]
    found = xr.apply_ufunc(
        lambda pads: normalise_pads(
            pads.reshape(-1, *pads.shape[-2:]), method, pitch_angle
        ).reshape(pads.shape),
        flux.chunk({d: -1 for d in core}) if flux.chunks is not None else flux,
        input_core_dims=[core],
        output_core_dims=[core],
        dask="parallelized",
        output_dtypes=[np.float32],
    )
    return found.assign_attrs(units="1", long_name=f"flux normalised by {method}").rename(flux.name)
