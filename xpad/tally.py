"""Sums over labelled records: what each cluster looks like, and a small spectrogram."""

from __future__ import annotations

from dataclasses import dataclass, fields

import numpy as np
from numpy.typing import NDArray

from xpad.normalisation import normalise_pads

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
        labels: NDArray[np.integer],
        k: int,
        run: Integers,
        shapes: NDArray[np.float32] | None = None,
    ) -> Tally:
        """Take the sums of a few thousand records.

        Parameters
        ----------
        flux : (records, energies, pitch angles) float32
            On one grid, NaN where missing.
        labels : (records,)
            Negative ones belong to no cluster.
        k : int
        run : (records,)
            The run of records that each belongs to.
        shapes : (records, energies, pitch angles) float32, optional
            The PADs over their own maximum, where they are known.
        """
        n, energies, angles = flux.shape
        zeros = np.fmax(flux, np.float32(0))
        measured = np.isfinite(flux).astype(np.float32)
        if shapes is None:
            shapes = normalise_pads(flux, "max", np.empty(0))
        member = (np.arange(k)[:, None] == labels).astype(np.float32)

        def summed(values: NDArray[np.float32]) -> Doubles:
            sums = member @ values.reshape(n, energies * angles)
            return sums.astype(np.float64).reshape(k, energies, angles)

        # Sums along an axis of a few bins are slow; products are not.
        ones = np.ones(angles, np.float32)
        sums, numbers = (
            (a.reshape(-1, angles) @ ones).reshape(n, energies) for a in (zeros, measured)
        )
        spectrum = sums / np.maximum(numbers, np.float32(1))
        order = np.argsort(run, kind="stable")
        runs, starts = np.unique(run[order], return_index=True)
        return cls(
            count=np.bincount(labels[labels >= 0].astype(np.int64), minlength=k),
            measured=summed(measured),
            positive=summed(np.sign(zeros)),
            shape=summed(np.fmax(shapes, np.float32(0))),
            level=summed(zeros),
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
