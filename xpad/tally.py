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
        """Take the sums of a few thousand records.

        Parameters
        ----------
        flux : (records, energies, pitch angles) float32
            Non-negative, on one grid, NaN where missing.
        labels : (records,)
            Negative ones belong to no cluster.
        k : int
        run : (records,)
            The run of records that each belongs to.
        seen : Measured, optional
            What the records measured, where that is known.
        """
        seen = measured(flux) if seen is None else seen
        n, energies, angles = flux.shape
        cells = energies * angles
        rows = np.ascontiguousarray(flux).reshape(n, cells)
        label = labels.astype(np.int64)
        there, positive = (np.zeros((k, cells), np.int32) for _ in range(2))
        shape, level = (np.zeros((k, cells)) for _ in range(2))
        _add_clusters(rows, label, seen.largest, there, positive, shape, level)

        runs, number = np.unique(run, return_inverse=True)
        # Of records without a gap, bins are summed first, and their mean is taken at the end.
        whole = seen.bins == cells
        of_whole, with_gaps = np.zeros((runs.size, cells)), np.zeros((runs.size, energies))
        spectra = np.zeros((runs.size, energies))
        _add_runs(rows, number, whole, of_whole, with_gaps, spectra)
        spectrum = with_gaps + of_whole.reshape(-1, energies, angles).mean(axis=2)
        spectra += np.bincount(number[whole], minlength=runs.size)[:, None]
        return cls(
            count=np.bincount(label[label >= 0], minlength=k),
            measured=there.reshape(k, energies, angles).astype(np.float64),
            positive=positive.reshape(k, energies, angles).astype(np.float64),
            shape=shape.reshape(k, energies, angles),
            level=level.reshape(k, energies, angles),
            run=runs,
            spectrum=spectrum,
            spectra=spectra,
        )

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


@compiled
def _add_clusters(
    rows: NDArray[np.float32],
    label: Integers,
    largest: NDArray[np.float32],
    there: NDArray[np.int32],
    positive: NDArray[np.int32],
    shape: Doubles,
    level: Doubles,
) -> None:
    zero = np.float32(0)
    for i in range(rows.shape[0]):
        cluster = label[i]
        if cluster < 0:
            continue
        # A PAD over its maximum has a shape only where that has a reciprocal.
        scale = 1 / np.float64(largest[i]) if largest[i] >= TINY else 0.0
        for j in range(rows.shape[1]):
            value = rows[i, j]
            there[cluster, j] += np.int32(value >= zero)  # a NaN is not
            value = value if value >= zero else zero
            positive[cluster, j] += np.int32(value > zero)
            shape[cluster, j] += value * scale
            level[cluster, j] += value


@compiled
def _add_runs(
    rows: NDArray[np.float32],
    run: Integers,
    whole: NDArray[np.bool_],
    of_whole: Doubles,
    with_gaps: Doubles,
    spectra: Doubles,
) -> None:
    energies = with_gaps.shape[1]
    angles = rows.shape[1] // max(energies, 1)
    for i in range(rows.shape[0]):
        own = run[i]
        if whole[i]:
            for j in range(rows.shape[1]):
                of_whole[own, j] += rows[i, j]
            continue
        for energy in range(energies):
            total, number = 0.0, 0
            for j in range(energy * angles, (energy + 1) * angles):
                if np.isfinite(rows[i, j]):
                    total += rows[i, j]
                    number += 1
            if number:
                with_gaps[own, energy] += total / number
                spectra[own, energy] += 1
