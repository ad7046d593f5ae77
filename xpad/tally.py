"""Sums over labelled records: what each cluster looks like, and a small spectrogram."""

from __future__ import annotations

from dataclasses import dataclass, fields

import numpy as np
from numpy.typing import NDArray

from xpad.compiled import compiled
from xpad.measured import Measured, measured

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
