"""What each cluster looks like: mean PADs, counts and shares."""

from __future__ import annotations

from typing import Any

import numpy as np
import xarray as xr

from xpad.errors import GridMismatchError, OptionError, RolesError
from xpad.normalisation import METHODS, normalise_pads
from xpad.outcome import require_finished, require_result, result_flux
from xpad.regrid import Grid
from xpad.tally import Tally

CELL_DIMS = ("energy", "pitch_angle")


# --- array core: NumPy in, NumPy out -------------------------------------------------------------


def sums(flux_block: np.ndarray, label_block: np.ndarray, k: int) -> tuple[np.ndarray, np.ndarray]:
    """Add up a block's records by label, leaving missing values out.

    Parameters
    ----------
    flux_block : numpy.ndarray
        Values, shape (n, energy, pitch_angle); NaN is missing.
    label_block : numpy.ndarray
        Labels, shape (n,). Records with a label outside 0 … k-1 are left out.
    k : int
        Number of labels.

    Returns
    -------
    sums : numpy.ndarray
        float64, shape (k, energy, pitch_angle).
    numbers : numpy.ndarray
        How many values each sum has, int64, same shape.

    Examples
    --------
    >>> import numpy as np
    >>> flux = np.array([[[1.0, 2.0]], [[3.0, np.nan]], [[5.0, 5.0]]])
    >>> total, number = sums(flux, np.array([0, 0, -1]), k=1)
    >>> total.tolist(), number.tolist()
    ([[[4.0, 2.0]]], [[[2, 1]]])
    """
    shape = (k, *flux_block.shape[1:])
    totals, numbers = np.zeros(shape), np.zeros(shape, np.int64)
    rows = np.flatnonzero((label_block >= 0) & (label_block < k))
    rows = rows[np.argsort(label_block[rows], kind="stable")]
    present, starts = np.unique(label_block[rows], return_index=True)
    for label, chosen in zip(present, np.split(rows, starts[1:]), strict=False):
        values = flux_block[chosen]
        measured = ~np.isnan(values)
        totals[int(label)] = values.sum(axis=0, dtype=np.float64, where=measured)
        numbers[int(label)] = measured.sum(axis=0)
    return totals, numbers


def _partial(
    flux_block: np.ndarray,
    label_block: np.ndarray,
    k: int,
    normalise: str | None,
    pitch_angle: np.ndarray,
) -> np.ndarray:
    """Sums and numbers of one block, stacked, behind one axis of size 1 per record dimension."""
    cells = flux_block.shape[-2:]
    flat = flux_block.reshape(-1, *cells)
    if normalise is not None:
        flat = normalise_pads(flat, normalise, pitch_angle)
    totals, numbers = sums(flat, label_block.reshape(-1), k)
    lead = (1,) * label_block.ndim
    return np.stack([totals, numbers]).reshape(*lead, 2, k, *cells)


def _members(label_block: np.ndarray, k: int) -> np.ndarray:
    """How many records of one block have each label, behind one axis per record dimension."""
    flat = label_block.reshape(-1)
    inside = flat[(flat >= 0) & (flat < k)].astype(np.intp)
    return np.bincount(inside, minlength=k).reshape(*(1,) * label_block.ndim, k)


# --- the same over dask: partial sums a chunk, then a tree ---------------------------------------


def _reduce(
    flux: Any, labels: Any, k: int, normalise: str | None, pitch_angle: np.ndarray
) -> tuple[Any, Any]:
    """Stacked (sums, numbers) of shape (2, k, energy, pitch_angle), and members of shape (k,)."""
    records = tuple(range(labels.ndim))
    if isinstance(flux, np.ndarray) and isinstance(labels, np.ndarray):
        stacked = _partial(flux, labels, k, normalise, pitch_angle).sum(axis=records)
        return stacked, _members(labels, k).sum(axis=records)

    import dask.array as da

    if isinstance(flux, np.ndarray):
        flux = da.from_array(flux, chunks=(*labels.chunks, -1, -1))
    flux = flux.rechunk({flux.ndim - 2: -1, flux.ndim - 1: -1})
    if isinstance(labels, np.ndarray):
        labels = da.from_array(labels, chunks=flux.chunks[:-2])
    new = labels.ndim
    stack, cluster, energy, angle = new, new + 1, new + 2, new + 3
    one_a_block = {axis: lambda _: 1 for axis in records}
    partial = da.blockwise(
        _partial, (*records, stack, cluster, energy, angle),
        flux, (*records, energy, angle), labels, records,
        k=k, normalise=normalise, pitch_angle=pitch_angle,
        new_axes={stack: 2, cluster: k}, adjust_chunks=one_a_block,
        dtype=np.float64, meta=np.empty((0,) * (new + 4)),
    )  # fmt: skip
    members = da.blockwise(
        _members, (*records, cluster), labels, records,
        k=k, new_axes={cluster: k}, adjust_chunks=one_a_block,
        dtype=np.int64, meta=np.empty((0,) * (new + 1), np.int64),
    )  # fmt: skip
    return partial.sum(axis=records, split_every=8), members.sum(axis=records, split_every=8)


# --- xarray layer --------------------------------------------------------------------------------


def mean_pads(
    flux: xr.DataArray, labels: xr.DataArray, k: int, *, normalise: str | None = "max"
) -> xr.Dataset:
    """Take each cluster's mean PAD, missing values left out.

    One tree reduction over the chunks, with sums in float64. Lazy if `flux` or `labels` is.

    Parameters
    ----------
    flux : xarray.DataArray
        Canonical flux, dims (record dims…, energy, pitch_angle); NaN is missing.
    labels : xarray.DataArray
        Integer labels on the record dims of `flux`. Those outside 0 … k-1 are left out.
    k : int
        Number of clusters.
    normalise : {"max", "max_energy", "90deg", None}
        Divide each record, or each of its energies, by its reference first (see
        `xpad.normalisation.normalise_pads`); ``None`` takes the values as they are. What has no
        positive reference is left out of a normalised mean.

    Returns
    -------
    xarray.Dataset
        ``mean`` (pad_cluster, energy, pitch_angle), NaN where nothing was measured, in the
        units of `flux` or, normalised, "1"; ``count`` (pad_cluster), the records of that label.

    Raises
    ------
    OptionError
        If `normalise` is none of the above, or the labels do not fit the flux.
    GridMismatchError
        If the energies or pitch angles change from record to record.

    Examples
    --------
    >>> import numpy as np, xarray as xr
    >>> flux = xr.DataArray(np.array([[[1.0, 2.0]], [[2.0, 2.0]], [[9.0, 3.0]]]),
    ...                     dims=("time", "energy", "pitch_angle"))
    >>> labels = xr.DataArray(np.array([0, 0, 1]), dims="time")
    >>> means = mean_pads(flux, labels, k=2)
    >>> means["mean"].values[0].tolist(), means["count"].values.tolist()
    ([[0.75, 1.0]], [2, 1])
    """
    if normalise is not None and normalise not in METHODS:
        raise OptionError(
            f"normalise={normalise!r} is not known to mean_pads: "
            f"choose one of {', '.join(METHODS)}, or None"
        )
    records = checked_record_dims(flux)
    if set(labels.dims) != set(records) or any(labels.sizes[d] != flux.sizes[d] for d in records):
        raise OptionError(
            f"the labels have dims {dict(labels.sizes)}, but the flux has records "
            f"{ {d: flux.sizes[d] for d in records} }: labels must lie on the flux's records"
        )
    require_one_grid(flux)
    ordered = flux.transpose(*records, *CELL_DIMS)
    angles = np.asarray(ordered["pitch_angle"].values, dtype=np.float64)
    labels = labels.transpose(*records)
    stacked, members = _reduce(ordered.data, labels.data, k, normalise, angles)
    dims = ("pad_cluster", *CELL_DIMS)
    total = xr.DataArray(stacked[0], dims=dims)
    number = xr.DataArray(stacked[1], dims=dims)
    # Zero measured values is 0/0: one where the number is zero keeps NumPy from warning of it.
    mean = (total / number.where(number > 0, 1)).where(number > 0)
    mean.attrs = {"units": units_of(flux) if normalise is None else "1"}
    grid = {d: flux.coords[d].variable for d in CELL_DIMS if d in flux.coords}
    count = xr.DataArray(members, dims="pad_cluster", attrs={"units": "1"})
    return xr.Dataset({"mean": mean, "count": count}, coords=grid)


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
    >>> import numpy as np, xarray as xr
    >>> flux = xr.DataArray(np.array([[[1.0, 2.0]], [[2.0, 2.0]], [[9.0, 3.0]]]),
    ...                     dims=("time", "energy", "pitch_angle"), attrs={"units": "cm-2 s-1"})
    >>> out = xr.Dataset({"pad_label": ("time", [0, 0, 1])})
    >>> entries = catalogue(out, flux)
    >>> entries.pad_mean.values[0].tolist(), entries.pad_count.values.tolist()
    ([[0.75, 1.0]], [2, 1])
    >>> entries.pad_flux.attrs["units"]
    'cm-2 s-1'
    """
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
    k = _number_of_clusters(out, labels, prefix)
    shape = mean_pads(flux, labels, k, normalise="max")
    level = mean_pads(flux, labels, k, normalise=None)
    positive = mean_pads((flux > 0).where(flux.notnull()), labels, k, normalise=None)
    entries = xr.Dataset(
        {
            "mean": shape["mean"].astype(np.float32),
            "flux": level["mean"].astype(np.float32),
            "positive": positive["mean"].astype(np.float32),
            "count": level["count"],
        },
        coords={"pad_cluster": np.arange(k)},
    ).compute()
    return _finished(entries, level["mean"].attrs["units"], prefix)


def _is_of(entries: xr.Dataset, out: xr.Dataset, prefix: str) -> bool:
    """Whether a catalogue counts the records that a result has; reads its labels, once."""
    labels, count = require_result(out, "label", prefix), entries[f"{prefix}_count"]
    held = xr.Dataset(
        {str(label): (labels == label).sum() for label in range(count.size)}
    ).compute()
    return [int(number) for number in held.values()] == count.values.tolist()


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


def catalogue_of(tally: Tally, grid: Grid, prefix: str = "pad") -> xr.Dataset:
    """The same from sums over the records, as a region-by-region run gathers them."""
    measured = np.where(tally.measured > 0, tally.measured, np.nan)
    dims = ("pad_cluster", *CELL_DIMS)
    entries = xr.Dataset(
        {
            "mean": (dims, (tally.shape / measured).astype(np.float32)),
            "flux": (dims, (tally.level / measured).astype(np.float32)),
            "positive": (dims, (tally.positive / measured).astype(np.float32)),
            "count": ("pad_cluster", tally.count),
        },
        coords={"pad_cluster": np.arange(tally.count.size, dtype=np.int16), **grid_coords(grid)},
    )
    return _finished(entries, grid.flux_units, prefix)


def grid_coords(grid: Grid) -> dict[str, Any]:
    """The axes of a grid as coordinates."""
    return {
        "energy": ("energy", grid.energy, {"long_name": "energy", "units": grid.energy_units}),
        "pitch_angle": (
            "pitch_angle",
            grid.pitch_angle,
            {"long_name": "pitch angle", "units": "deg"},
        ),
    }


def _finished(entries: xr.Dataset, units: str, prefix: str) -> xr.Dataset:
    """A catalogue with shares, attributes and its final names."""
    counted = int(entries["count"].sum())
    entries["share"] = entries["count"] / counted if counted else entries["count"] * np.nan
    _describe(entries, units)
    names = {name: f"{prefix}_{name}" for name in entries.data_vars}
    return entries.rename({**names, "pad_cluster": f"{prefix}_cluster"})


def on_one_grid(flux: xr.DataArray) -> xr.DataArray:
    """Put records whose energies or pitch angles differ on the commonest grid, as ``fit`` does.

    Parameters
    ----------
    flux : xarray.DataArray
        Canonical flux, with or without ``energy_table`` and ``pitch_angle_table``.

    Returns
    -------
    xarray.DataArray
        `flux` itself where it has one grid; else dims (record dims…, energy, pitch_angle) with
        those two as coordinates, interpolated in log energy. Lazy if `flux` is, apart from the
        look at the tables that finds the commonest.

    Examples
    --------
    >>> import numpy as np, xarray as xr
    >>> flux = xr.DataArray(np.ones((1, 1, 2)), dims=("time", "energy", "pitch_angle"))
    >>> on_one_grid(flux) is flux
    True
    """
    if not any(f"{dim}_table" in flux.coords for dim in CELL_DIMS):
        return flux
    from xpad.regrid import common_grid, on_grid

    return on_grid(flux, common_grid(flux))


def require_one_grid(flux: xr.DataArray) -> None:
    """Refuse a flux whose energies or pitch angles change from record to record.

    Parameters
    ----------
    flux : xarray.DataArray
        Canonical flux.

    Raises
    ------
    GridMismatchError
        If it has ``energy_table`` or ``pitch_angle_table`` in place of one energy or pitch-angle
        coordinate: a mean by index would mix different energies.

    Examples
    --------
    >>> import numpy as np, xarray as xr
    >>> require_one_grid(xr.DataArray(np.ones((1, 1, 1)), dims=("time", "energy", "pitch_angle")))
    """
    for dim in CELL_DIMS:
        if f"{dim}_table" in flux.coords:
            raise GridMismatchError(
                f"the {dim} of {flux.name or 'the flux'} changes from record to record "
                f"({dim}_table), and a mean needs one grid: "
                "put it on one with xpad.statistics.on_one_grid(flux)"
            )


def checked_record_dims(flux: xr.DataArray) -> tuple[str, ...]:
    """Every dim that is neither energy nor pitch angle."""
    lacking = [d for d in CELL_DIMS if d not in flux.dims]
    if lacking:
        raise OptionError(
            f"{flux.name or 'the flux'} has dims {flux.dims}, without {' and '.join(lacking)}: "
            "pass a canonical flux, such as ds.pad.flux"
        )
    return tuple(str(d) for d in flux.dims if d not in CELL_DIMS)


def units_of(flux: xr.DataArray) -> str:
    """The units of a flux, CF's attribute before ISTP's; nothing where none are told."""
    return str(flux.attrs.get("units") or flux.attrs.get("UNITS") or "")


def _number_of_clusters(out: xr.Dataset, labels: xr.DataArray, prefix: str) -> int:
    """From the stored centres; without them, from the largest label (which reads the labels)."""
    if f"{prefix}_cluster" in out.sizes:
        return int(out.sizes[f"{prefix}_cluster"])
    k = int(labels.max()) + 1 if labels.size else 0
    if k < 1:
        raise RolesError(f"{prefix}_label holds no label of 0 or more: there is no cluster to show")
    return k


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
