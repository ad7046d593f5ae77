"""A small spectrogram: flux averaged over pitch angle and over runs of records."""

from __future__ import annotations

import numpy as np
import xarray as xr

from xpad.errors import OptionError
from xpad.pads.dims import checked_record_dims, record_times, time_dim, units_of
from xpad.pads.grid import Grid, grid_coords
from xpad.pads.regrid import require_one_grid
from xpad.statistics.sums import Tally


def quicklook(flux: xr.DataArray, *, bins: int = 1500, prefix: str = "pad") -> xr.DataArray:
    """Average the flux over pitch angle and over runs of records: a small spectrogram.

    A few hundred kilobytes however long the data, so that a store that leaves the flux out can
    still show its labels under a spectrogram. Lazy if `flux` is.

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
    require_one_grid(flux)
    record = time_dim(flux)
    others = [d for d in checked_record_dims(flux) if d != record]
    total = flux.sizes[record]
    run = max(1, -(-total // bins))
    spectrum = flux.mean("pitch_angle", skipna=True)
    coarse = spectrum.drop_vars([c for c in spectrum.coords if c != "energy"])
    coarse = coarse.coarsen({record: run}, boundary="pad").mean()
    coarse = coarse.astype(np.float32).rename({record: f"{prefix}_quicklook"})
    coarse = coarse.transpose(*others, f"{prefix}_quicklook", "energy")
    return _quicklook_described(coarse, flux, record, run, prefix)


def quicklook_of(
    tally: Tally, flux: xr.DataArray, grid: Grid, run: int, prefix: str = "pad"
) -> xr.DataArray:
    """The same from sums over the records; `flux` only for its dimensions and times."""
    record = time_dim(flux)
    others = sorted((d for d in checked_record_dims(flux) if d != record), key=str)
    bins = -(-flux.sizes[record] // run)
    shape = (*(flux.sizes[d] for d in others), bins, grid.energy.size)
    values = np.full((int(np.prod(shape[:-1])), grid.energy.size), np.nan, dtype=np.float32)
    some = np.where(tally.spectra > 0, tally.spectra, np.nan)
    values[tally.run] = tally.spectrum / some
    coarse = xr.DataArray(
        values.reshape(shape),
        dims=(*others, f"{prefix}_quicklook", "energy"),
        coords={"energy": grid_coords(grid)["energy"]},
    )
    return _quicklook_described(coarse, flux, record, run, prefix)


def _quicklook_described(
    coarse: xr.DataArray, flux: xr.DataArray, record: str, run: int, prefix: str
) -> xr.DataArray:
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
