"""A small spectrogram: flux averaged over pitch angle and over runs of records."""

from __future__ import annotations

from collections.abc import Mapping
from math import prod
from typing import Any

import numpy as np
import xarray as xr

from xpad.errors import OptionError
from xpad.pads.dims import ENERGY, checked_record_dims, record_times, time_dim, units_of
from xpad.statistics.keys import Runs
from xpad.statistics.sums import SpectrumSums, summed


def quicklook(flux: xr.DataArray, *, bins: int = 1500, prefix: str = "pad") -> xr.DataArray:
    """Average the flux over pitch angle and over runs of records: a small spectrogram.

    A few hundred kilobytes however long the data, so that a store that leaves the flux out can
    still show its labels under a spectrogram. This computes, once.

    Parameters
    ----------
    flux : xarray.DataArray
        Canonical flux, dims (record dims…, energy, pitch_angle); NaN is missing.
    bins : int
        At most so many runs. All runs have equally many records, the last may have fewer; a
        run is as long as it must be and no longer.
    prefix : str
        How the names begin.

    Returns
    -------
    xarray.DataArray
        ``pad_spectrum``, dims (``pad_quicklook``, energy), float32, in the units of `flux`: the
        plain mean over the pitch angles that were measured, then over the run's records.
        Further record dimensions (probe × time) stay, in front. Where the records have times,
        ``pad_quicklook`` is the first time of each run and ``pad_quicklook_end`` its last, so
        that a gap in the data can be shown as one; else both are record numbers.

    Raises
    ------
    OptionError
        If `bins` is less than 1.
    GridMismatchError
        If the energies change from record to record.

    Examples
    --------
    >>> import numpy as np, xarray as xr
    >>> flux = xr.DataArray(np.arange(10.0).reshape(5, 1, 2),
    ...                     dims=("time", "energy", "pitch_angle"))
    >>> spectrum = quicklook(flux, bins=3)
    >>> spectrum.values[:, 0].tolist(), spectrum.pad_quicklook.values.tolist()
    ([1.5, 5.5, 8.5], [0, 2, 4])
    """
    if bins < 1:
        raise OptionError(f"bins={bins}: a quicklook needs at least one")
    runs = Runs.of(flux, max(1, -(-flux.sizes[time_dim(flux)] // bins)))
    found = summed(SpectrumSums, runs, [], flux)
    return quicklook_of(found, flux, flux.coords, runs.length, prefix)


def quicklook_of(
    sums: SpectrumSums,
    flux: xr.DataArray,
    axes: Mapping[Any, Any],
    run: int,
    prefix: str = "pad",
) -> xr.DataArray:
    """A spectrogram from sums by `Runs` of a flux.

    Parameters
    ----------
    sums : SpectrumSums
    flux : xarray.DataArray
        Canonical; only its dimensions, times and units are looked at.
    axes : mapping
        Coordinates of energy and pitch angle, where there are any.
    run : int
        Records of a run.
    prefix : str
        How the names begin.
    """
    record = time_dim(flux)
    others = sorted(d for d in checked_record_dims(flux) if d != record)
    shape = Runs.of(flux, run).shape
    means = sums.upto(prod(shape)).means().astype(np.float32)
    coarse = xr.DataArray(
        means.reshape(*shape, means.shape[1]),
        dims=(*others, f"{prefix}_quicklook", ENERGY),
        coords={ENERGY: axes[ENERGY]} if ENERGY in axes else None,
    )
    total = flux.sizes[record]
    first = np.arange(0, total, run)
    last = np.minimum(first + run, total) - 1
    times = record_times(flux, record)
    index = np.arange(total) if times is None else times
    coarse = coarse.assign_coords(
        {
            f"{prefix}_quicklook": (f"{prefix}_quicklook", index[first]),
            f"{prefix}_quicklook_end": (f"{prefix}_quicklook", index[last]),
            **{
                d: flux.coords[d].variable
                for d in coarse.dims
                if d in flux.coords and d != "energy"
            },
        }
    )
    coarse.attrs = {
        "units": units_of(flux),
        "long_name": "flux averaged over pitch angle and over runs of records",
        "records_per_run": run,
    }
    return coarse.rename(f"{prefix}_spectrum")
