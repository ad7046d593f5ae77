"""What each cluster looks like: mean PADs, counts and shares."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import xarray as xr

from xpad.errors import RolesError
from xpad.pads.dims import CELL_DIMS, units_of
from xpad.pads.regrid import on_one_grid
from xpad.results.read import require_finished, require_result, result_flux
from xpad.roles.recognise import as_dataset
from xpad.statistics.keys import by_number
from xpad.statistics.sums import PadSums, Sums, over, summed


def catalogue(
    out: xr.Dataset, flux: xr.DataArray | None = None, *, prefix: str = "pad"
) -> xr.Dataset:
    """One entry per cluster: its mean PAD, mean flux, number of records and share.

    This computes, once: one pass over the flux in blocks (and a look at the tables before it,
    where the energies or pitch angles change from record to record).

    Parameters
    ----------
    out : xarray.Dataset
        What ``cluster`` or ``predict`` returned.
    flux : xarray.DataArray, optional
        Canonical flux, dims (record dims…, energy, pitch_angle); by default that of `out`, on
        its model's grid. If it is not given and `out` holds the catalogue of its records, as a
        store without flux does, that catalogue is returned.
    prefix : str
        How the names of the results in `out` begin.

    Returns
    -------
    xarray.Dataset
        With `prefix` in place of ``pad``:

        ``pad_mean`` (pad_cluster, energy, pitch_angle)
            Mean over the cluster's records of the PAD over its own maximum, the normalisation
            of Killey et al. (2023), doi 10.1093/rasti/rzad035. Missing values are left out
            (their preset counts them as zero). NaN where the cluster has no measured value.
        ``pad_flux`` (pad_cluster, energy, pitch_angle)
            Mean flux, in the units of the data.
        ``pad_positive`` (pad_cluster, energy, pitch_angle)
            Share of the measured values that are positive: how much signal a mean rests on.
        ``pad_count``, ``pad_share`` (pad_cluster)
            Records with that label, and their share of all that have a label.

    Raises
    ------
    RolesError
        If `out` has no labels; no flux can be recognised and no catalogue is stored; or the
        stored one is of other records, as in a selection of them.

    Examples
    --------
    >>> import numpy as np, xarray as xr, xpad
    >>> flux = xr.DataArray(np.array([[[1.0, 2.0]], [[2.0, 2.0]], [[9.0, 3.0]]]),
    ...                     dims=("time", "energy", "pitch_angle"), attrs={"units": "cm-2 s-1"})
    >>> out = xr.Dataset({"pad_label": ("time", [0, 0, 1])})
    >>> entries = xpad.catalogue(out, flux)
    >>> entries.pad_mean.values[0].tolist(), entries.pad_count.values.tolist()
    ([[0.75, 1.0]], [2, 1])
    >>> entries.pad_flux.attrs["units"]
    'cm-2 s-1'
    """
    out = as_dataset(out)
    stored = [f"{prefix}_{name}" for name in ("mean", "count", "share", "flux", "positive")]
    if flux is None and all(name in out for name in stored[:3]):
        entries = out[[name for name in stored if name in out]].compute()
        if f"{prefix}_label" not in out or _is_of(entries, out, prefix):
            return entries
        flux = _flux_of_selection(out, prefix)

    if flux is None:
        # First, since labels of such a store bring a warning, and this an error that says all.
        require_finished(out, prefix)
    labels = require_result(out, "label", prefix)
    if flux is None:
        flux = result_flux(out, prefix)
    flux = on_one_grid(flux)
    found = summed(PadSums, by_number, [labels], flux)
    k = _number_of_clusters(out, found, prefix)
    return catalogue_of(found, k, flux.coords, units_of(flux), prefix)


def _is_of(entries: xr.Dataset, out: xr.Dataset, prefix: str) -> bool:
    """Whether a catalogue counts the records that a result has; reads its labels, once."""
    count = entries[f"{prefix}_count"].values
    held = summed(Sums, by_number, [require_result(out, "label", prefix)])
    return np.array_equal(held.upto(count.size).count, count)


def _flux_of_selection(out: xr.Dataset, prefix: str) -> xr.DataArray:
    """The flux of a result whose stored catalogue is of other records than it has."""
    bare = out.drop_dims(f"{prefix}_cluster")  # the catalogue's own mean flux is none
    try:
        return result_flux(bare, prefix)
    except RolesError as err:
        of = int(out[f"{prefix}_count"].sum())
        raise RolesError(
            f"the catalogue in this Dataset is of {of:,} labelled records, which are not those that it "
            "holds now. That of a selection needs its flux: give it, xpad.catalogue(selection, flux), "
            "or write the store with keep_flux=True (--keep-flux)"
        ) from err


def catalogue_of(
    sums: PadSums, k: int, axes: Mapping[Any, Any], units: str, prefix: str = "pad"
) -> xr.Dataset:
    """The entries of a catalogue from sums by label.

    Parameters
    ----------
    sums : PadSums
    k : int
        Number of clusters; larger labels are left out.
    axes : mapping
        Coordinates of energy and pitch angle, where there are any.
    units : str
        Of the flux.
    prefix : str
        How the names begin.
    """
    own = sums.upto(k)
    dims = ("pad_cluster", *CELL_DIMS)
    counted = own.count.sum()
    entries = xr.Dataset(
        {
            "mean": (dims, over(own.shape, own.shaped).astype(np.float32)),
            "flux": (dims, over(own.level, own.measured).astype(np.float32)),
            "positive": (dims, over(own.positive, own.measured).astype(np.float32)),
            "count": ("pad_cluster", own.count),
            "share": ("pad_cluster", own.count / (counted if counted else np.nan)),
        },
        coords={
            "pad_cluster": own.bins.astype(np.int16),
            **{d: axes[d] for d in CELL_DIMS if d in axes},
        },
    )
    _describe(entries, units)
    names = {name: f"{prefix}_{name}" for name in entries.data_vars}
    return entries.rename({**names, "pad_cluster": f"{prefix}_cluster"})


def _number_of_clusters(out: xr.Dataset, sums: PadSums, prefix: str) -> int:
    """From the stored centres; without them, from the largest label."""
    if f"{prefix}_cluster" in out.sizes:
        return int(out.sizes[f"{prefix}_cluster"])
    if not sums.bins.size:
        raise RolesError(f"{prefix}_label holds no label of 0 or more: there is no cluster to show")
    return int(sums.bins[-1]) + 1


def _describe(entries: xr.Dataset, units: str) -> None:
    """Attributes that say what each variable of the catalogue is."""
    entries["mean"].attrs = {
        "long_name": "mean normalised pitch-angle distribution",
        "units": "1",
        "normalise": "max",
        "comment": "each record over its own maximum (over energy and pitch angle), then the mean "
        "over the records of the cluster; missing values left out",
    }
    entries["flux"].attrs = {
        "long_name": "mean flux",
        "units": units,
        "comment": "mean over the records of the cluster; missing values left out",
    }
    entries["positive"].attrs = {
        "long_name": "share of the measured values that are positive",
        "units": "1",
    }
    entries["count"].attrs = {"long_name": "records in the cluster", "units": "1"}
    entries["share"].attrs = {"long_name": "share of all records with a label", "units": "1"}
    entries["pad_cluster"].attrs = {"long_name": "cluster label, 0 the largest of the fit"}
