"""Sums over labelled records: what each cluster looks like, and a small spectrogram."""

from __future__ import annotations

from dataclasses import dataclass, fields
from typing import Any

import numpy as np
import xarray as xr
from numpy.typing import NDArray

from xpad.compute.compiled import compiled
from xpad.errors import OptionError
from xpad.pads.dims import CELL_DIMS, checked_record_dims, units_of
from xpad.pads.normalise import normalise_pads
from xpad.pads.regrid import require_one_grid
from xpad.pads.valid import Measured, measured
from xpad.settings import METHODS

Doubles = NDArray[np.float64]
Integers = NDArray[np.int64]

TINY = np.finfo(np.float32).tiny


@dataclass(frozen=True)
class Tally:
    """Sums over the records of one block or of many. Merge by `+`.

    Attributes
    ----------
    count : (k,)
        Records of each cluster.
    measured, positive : (k, energies, pitch angles)
        Its values that were measured, and those above zero.
    shape, level : (k, energies, pitch angles)
        Sums of the PADs over their own maximum, and of the flux.
    run : (runs,)
        Numbers of the runs of records that follow each other, ascending.
    spectrum, spectra : (runs, energies)
        Sum over a run's records of their flux averaged over pitch angle, and how many have one.
    """

    count: Integers
    measured: Doubles
    positive: Doubles
    shape: Doubles
    level: Doubles
    run: Integers
    spectrum: Doubles
    spectra: Doubles

    @classmethod
    def none(cls, k: int, energies: int, pitch_angles: int) -> Tally:
        """Of no records."""
        cells = (k, energies, pitch_angles)
        return cls(
            count=np.zeros(k, np.int64),
            measured=np.zeros(cells),
            positive=np.zeros(cells),
            shape=np.zeros(cells),
            level=np.zeros(cells),
            run=np.empty(0, np.int64),
            spectrum=np.empty((0, energies)),
            spectra=np.empty((0, energies)),
        )

    @classmethod
    def of(
        cls,
        flux: NDArray[np.float32],
        labels: NDArray[np.integer],
        k: int,
        run: Integers,
        seen: Measured | None = None,
    ) -> Tally:
        """Take the sums of a few thousand records; see `Sums`, which takes them piece by piece."""
        sums = Sums(k, flux.shape[1:], run)
        sums.add(slice(None), flux, labels, measured(flux) if seen is None else seen)
        return sums.tally()

    def __add__(self, other: Tally) -> Tally:
        runs, member = np.unique(np.concatenate([self.run, other.run]), return_inverse=True)
        spectrum, spectra = (np.zeros((runs.size, self.spectrum.shape[1])) for _ in range(2))
        np.add.at(spectrum, member, np.concatenate([self.spectrum, other.spectrum]))
        np.add.at(spectra, member, np.concatenate([self.spectra, other.spectra]))
        return Tally(
            self.count + other.count,
            self.measured + other.measured,
            self.positive + other.positive,
            self.shape + other.shape,
            self.level + other.level,
            runs,
            spectrum,
            spectra,
        )

    def arrays(self) -> dict[str, NDArray]:
        """Its sums by name, to be stored."""
        return {f.name: getattr(self, f.name) for f in fields(self)}


class Sums:
    """The sums over one block of records, to which its pieces are added.

    Parameters
    ----------
    k : int
    shape : (energies, pitch angles)
    run : (records,)
        The run of records that each record of the block belongs to.
    """

    def __init__(self, k: int, shape: tuple[int, ...], run: Integers) -> None:
        cells = int(np.prod(shape))
        self._grid = shape
        self._runs, self._number = np.unique(run, return_inverse=True)
        self._count, self._whole = (np.zeros(k, np.int64) for _ in range(2))
        self._there, self._positive = (np.zeros((k, cells), np.int32) for _ in range(2))
        self._shape, self._level = (np.zeros((k, cells)) for _ in range(2))
        # Of records without a gap, bins are summed first, and their mean is taken at the end.
        self._of_whole = np.zeros((self._runs.size, cells))
        self._whole_in_run = np.zeros(self._runs.size, np.int64)
        self._spectrum, self._spectra = (np.zeros((self._runs.size, shape[0])) for _ in range(2))

    def add(
        self,
        at: slice,
        flux: NDArray[np.float32],
        labels: NDArray[np.integer],
        seen: Measured,
    ) -> None:
        """Add a piece of the block.

        Parameters
        ----------
        at : slice
            Where in the block it is.
        flux : (records, energies, pitch angles) float32
            Non-negative, on one grid, NaN where missing.
        labels : (records,)
            Negative ones belong to no cluster.
        seen : Measured
            What the records measured.
        """
        rows = np.ascontiguousarray(flux).reshape(len(flux), self._shape.shape[1])
        label, number = labels.astype(np.int64), self._number[at]
        if not len(rows) == label.size == number.size == seen.bins.size:
            raise ValueError(f"{len(rows)} records, {label.size} labels, {number.size} runs")
        _add(
            rows, label, number, seen.largest, seen.bins, self._count, self._whole, self._there,
            self._positive, self._shape, self._level, self._of_whole, self._whole_in_run,
            self._spectrum, self._spectra,
        )  # fmt: skip

    def tally(self) -> Tally:
        """The sums of what was added."""
        cells = (len(self._count), *self._grid)
        of_whole = self._of_whole.reshape(-1, *self._grid)
        return Tally(
            count=self._count,
            measured=(self._there + self._whole[:, None]).reshape(cells).astype(np.float64),
            positive=self._positive.reshape(cells).astype(np.float64),
            shape=self._shape.reshape(cells),
            level=self._level.reshape(cells),
            run=self._runs,
            spectrum=self._spectrum + of_whole.mean(axis=2),
            spectra=self._spectra + self._whole_in_run[:, None],
        )


@compiled
def _add(
    rows: NDArray[np.float32],
    label: Integers,
    run: Integers,
    largest: NDArray[np.float32],
    bins: NDArray[np.int32],
    count: Integers,
    whole: Integers,
    there: NDArray[np.int32],
    positive: NDArray[np.int32],
    shape: Doubles,
    level: Doubles,
    of_whole: Doubles,
    whole_in_run: Integers,
    spectrum: Doubles,
    spectra: Doubles,
) -> None:
    # Loops of one sum each: of several at once, the compiler does not take several bins at a time.
    zero = np.float32(0)
    n, energies = rows.shape[1], spectrum.shape[1]
    angles = n // max(energies, 1)
    for i in range(rows.shape[0]):
        row, is_whole = rows[i], bins[i] == n
        if is_whole:
            whole_in_run[run[i]] += 1
            own = of_whole[run[i]]
            for j in range(n):
                own[j] += row[j]
        else:
            totals, numbers = spectrum[run[i]], spectra[run[i]]
            for energy in range(energies):
                total, number = 0.0, 0
                for j in range(energy * angles, (energy + 1) * angles):
                    if np.isfinite(row[j]):
                        total += row[j]
                        number += 1
                if number:
                    totals[energy] += total / number
                    numbers[energy] += 1

        cluster = label[i]
        if cluster < 0:
            continue
        count[cluster] += 1
        # A PAD over its maximum has a shape only where that has a reciprocal.
        scale = 1 / np.float64(largest[i]) if largest[i] >= TINY else 0.0
        above, shapes, levels = positive[cluster], shape[cluster], level[cluster]
        for j in range(n):
            above[j] += np.int32(row[j] > zero)
        if is_whole:
            whole[cluster] += 1
            for j in range(n):
                shapes[j] += row[j] * scale
            for j in range(n):
                levels[j] += row[j]
            continue
        seen = there[cluster]
        for j in range(n):
            seen[j] += np.int32(row[j] >= zero)  # a NaN is not
        for j in range(n):
            value = row[j]
            value = value if value >= zero else zero
            shapes[j] += value * scale
        for j in range(n):
            value = row[j]
            levels[j] += value if value >= zero else zero


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
        `xpad.pads.normalise.normalise_pads`); ``None`` takes the values as they are. What has no
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
