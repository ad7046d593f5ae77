"""Sums over labelled records: what each cluster looks like, and a small spectrogram."""

from __future__ import annotations

from dataclasses import dataclass, fields

import numpy as np
from numpy.typing import NDArray

Doubles = NDArray[np.float64]
Integers = NDArray[np.int64]


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
        measured: NDArray[np.bool_],
        labels: NDArray[np.integer],
        k: int,
        run: Integers,
    ) -> Tally:
        """Take the sums of a few thousand records.

        Parameters
        ----------
        flux : (records, energies, pitch angles) float32
            Non-negative, on one grid.
        measured : (records, energies, pitch angles) bool
            Where it is not, the flux may be anything.
        labels : (records,)
            Negative ones belong to no cluster.
        k : int
        run : (records,)
            The run of records that each belongs to.
        """
        n, energies, angles = flux.shape
        gaps = np.flatnonzero(~measured.reshape(n, -1).all(axis=1))
        there = measured[gaps].astype(np.float32)
        zeros = flux
        if gaps.size:
            zeros = flux.copy()
            zeros[gaps] = np.where(measured[gaps], flux[gaps], np.float32(0))
        largest = zeros.reshape(n, -1).max(axis=1, initial=0)
        # A PAD over its maximum has a shape only where that has a reciprocal.
        shaped = largest >= np.finfo(np.float32).tiny
        member = (np.arange(k)[:, None] == labels).astype(np.float32)
        scaled = np.where(shaped, member, np.float32(0)) / np.where(shaped, largest, np.float32(1))

        def summed(weights: NDArray[np.float32], values: NDArray[np.float32]) -> Doubles:
            sums = weights @ values.reshape(-1, energies * angles)
            return sums.astype(np.float64).reshape(-1, energies, angles)

        count = np.bincount(labels[labels >= 0].astype(np.int64), minlength=k)
        both = summed(np.concatenate([member, scaled]), zeros)
        positive = summed(member, (zeros > 0).astype(np.float32))
        missing = summed(member[:, gaps], 1 - there)
        every = count[:, None, None] - missing
        # Sums along an axis of a few bins are slow; products are not.
        ones = np.ones(angles, np.float32)
        sums = (zeros.reshape(-1, angles) @ ones).reshape(n, energies)
        numbers = np.full((n, energies), np.float32(angles))
        numbers[gaps] = (there.reshape(-1, angles) @ ones).reshape(-1, energies)
        spectrum = sums / np.maximum(numbers, np.float32(1))
        # Records in the order of time come run by run.
        ascending = bool((run[1:] >= run[:-1]).all())
        order = slice(None) if ascending else np.argsort(run, kind="stable")
        runs, starts = np.unique(run[order], return_index=True)
        return cls(
            count=count,
            measured=every,
            positive=positive,
            shape=both[k:],
            level=both[:k],
            run=runs,
            spectrum=np.add.reduceat(spectrum[order].astype(np.float64), starts, axis=0),
            spectra=np.add.reduceat((numbers[order] > 0).astype(np.float64), starts, axis=0),
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
