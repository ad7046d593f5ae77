"""A result and its model written to one Zarr store."""

from __future__ import annotations

import warnings
from pathlib import Path

import dask.base
import xarray as xr
import zarr

from xpad import statistics
from xpad.model import Model
from xpad.results import result_flux
from xpad.store import add_model


def write_result(
    out: xr.Dataset, model: Model, path: Path, *, prefix: str = "pad", keep_flux: bool = False
) -> xr.Dataset:
    """Write a result and its model to a Zarr store; returns the result as written.

    Without the flux, what the pictures need of it is written: each cluster's
    mean PAD, and a spectrogram of bounded length.
    """
    out = out.copy()
    names = [f"{prefix}_{n}" for n in ("label", "pc", "error", "flag", "split")]
    names = [name for name in names if name in out]
    flux = result_flux(out, prefix)
    spectrum = statistics.quicklook(flux, prefix=prefix)
    lazy = [out[n].data for n in names] + [spectrum.data]
    *arrays, spectrogram = dask.base.compute(*lazy)
    for name, values in zip(names, arrays, strict=True):
        out[name] = out[name].copy(data=values)
    entries = statistics.catalogue(out, flux, prefix=prefix)
    if not keep_flux:
        records = set(out[f"{prefix}_label"].dims)
        results = [n for n in out.variables if str(n).startswith(f"{prefix}_")]
        kept = [
            n
            for n in out.variables
            if set(out[n].dims) <= records and n not in ("energy", "pitch_angle")
        ]
        out = out[[*dict.fromkeys([*kept, *results])]].drop_vars(
            ["energy", "pitch_angle"], errors="ignore"
        )
        out = xr.merge([out, entries, spectrum.copy(data=spectrogram)], combine_attrs="override")
    _clear_encoding(out)
    out.to_zarr(path, mode="w-", consolidated=False, zarr_format=3)
    add_model(model, path)
    with warnings.catch_warnings():
        # Zarr warns that this is no part of its standard yet; xarray warns of stores without it.
        warnings.simplefilter("ignore", UserWarning)
        zarr.consolidate_metadata(path)
    return out


def _clear_encoding(out: xr.Dataset) -> None:
    """Chunks and filters of the source file mean nothing to the new store."""
    for variable in out.variables.values():
        variable.encoding = {}
