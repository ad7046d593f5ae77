"""Normalise one PAD at a time; arrays (records, energies, pitch angles), NaN is missing."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from xpad.errors import OptionError
from xpad.pads.valid import Floats
from xpad.settings import table

NINETY_TOLERANCE = 0.5
"""Degrees: a bin this near to 90 is the bin at 90."""

Doubles = NDArray[np.float64]


@dataclass(frozen=True)
class Normalisation:
    """What a PAD is divided by.

    Attributes
    ----------
    reference : callable
        ``reference(flux, pitch_angle)`` of PADs (records, energies, pitch angles) and the pitch
        angles of their bins gives what broadcasts with the PADs.
    bounded : bool
        Whether the normalised values lie within 0…1, as a sigmoid's output does.
    is_largest : bool
        Whether the reference is each record's largest value, which is known where records are cleaned.
    require : callable or None
        ``require(pitch_angle)`` refuses pitch angles, in degrees, that the reference cannot be taken
        from; None where it does not depend on them.
    varying : str
        Why the reference cannot be taken where these vary from record to record; empty where it can.
    """

    reference: Callable[[Floats, Doubles], Floats]
    bounded: bool
    is_largest: bool = False
    require: Callable[[Doubles], None] | None = None
    varying: str = ""

    def of(self, flux: Floats, pitch_angle: Doubles) -> Floats:
        """PADs over their references: float32, NaN where the reference is zero or missing."""
        found = over_reference(flux, self.reference(flux, pitch_angle))
        # What is divided by its own maximum is at most 1.
        if not self.bounded and (overflown := np.isinf(found)).any():
            # Over a reference next to nothing; infinity is no measurement.
            found[overflown] = np.nan
        return found


def normalisation(method: str) -> Normalisation:
    """The entry of `NORMALISATIONS` with this name.

    Raises
    ------
    OptionError
        There is none; the known ones are listed.
    """
    return NORMALISATIONS[table()["normalise"].taken(method)]


def normalise_pads(flux: Floats, method: str, pitch_angle: Doubles) -> Floats:
    """Divide each PAD by its reference.

    Parameters
    ----------
    flux : (records, energies, pitch angles)
        Non-negative, NaN where missing.
    method : str
        A key of `NORMALISATIONS`. The reference: the largest value of the whole PAD, of each energy, or
        the flux at 90 degrees of each energy (the mean of the two nearest bins
        where none is at 90).
    pitch_angle : (pitch angles,)
        Degrees, ascending.

    Returns
    -------
    (records, energies, pitch angles)
        float32. Where the reference is zero or missing, so is the result: NaN.

    Raises
    ------
    OptionError
        An unknown method.

    Notes
    -----
    ``max`` is the published choice (Killey et al. 2023, doi:10.1093/rasti/rzad035).

    Examples
    --------
    >>> import numpy as np
    >>> pad = np.array([[[1, 4, 2], [0, 1, 0.5]]], dtype="f4")
    >>> normalise_pads(pad, "max_energy", np.array([30.0, 90.0, 150.0]))[0, 1].tolist()
    [0.0, 1.0, 0.5]
    """
    return normalisation(method).of(flux, pitch_angle)


def over_reference(flux: Floats, reference: Floats) -> Floats:
    """Flux over references that broadcast with it; NaN where they are zero or missing."""
    with np.errstate(invalid="ignore", over="ignore"):
        return np.asarray(flux / usable_reference(reference), dtype=np.float32)


def usable_reference(reference: Floats) -> Floats:
    """References, NaN where they are zero or missing."""
    with np.errstate(invalid="ignore"):
        return np.where(reference > 0, reference, np.float32(np.nan))


def _largest(flux: Floats, axes: tuple[int, ...]) -> Floats:
    # fmax ignores NaN without nanmax's warning for slices that are all NaN.
    return np.asarray(np.fmax.reduce(flux, axis=axes, keepdims=True), dtype=np.float32)


def ninety_bins(pitch_angle: Doubles) -> NDArray[np.intp]:
    """The bin at 90 degrees, or the nearest one on each side of it."""
    pitch_angle = np.asarray(pitch_angle)
    distance = np.abs(pitch_angle - 90.0)
    nearest = int(np.argmin(distance))
    if distance[nearest] <= NINETY_TOLERANCE:
        return np.array([nearest])
    below, above = np.flatnonzero(pitch_angle < 90), np.flatnonzero(pitch_angle > 90)
    if below.size == 0 or above.size == 0:
        return np.array([nearest])
    return np.array([below[np.argmax(pitch_angle[below])], above[np.argmin(pitch_angle[above])]])


def require_ninety(pitch_angle: Doubles) -> None:
    """Refuse pitch angles of which none is near 90 degrees.

    Raises
    ------
    OptionError
        The nearest bin is farther from 90 than the bins are from each other.
    """
    distance = float(np.abs(pitch_angle - 90.0).min())
    step = float(np.diff(pitch_angle).max()) if pitch_angle.size > 1 else 0.0
    if distance > max(step, NINETY_TOLERANCE):
        raise OptionError(
            f"normalise='90deg' needs a bin near 90 degrees, and the pitch angles go from "
            f"{pitch_angle[0]:g} to {pitch_angle[-1]:g}; choose 'max' or 'max_energy'"
        )


def _of_record(flux: Floats, pitch_angle: Doubles) -> Floats:
    return _largest(flux, (1, 2))


def _of_energy(flux: Floats, pitch_angle: Doubles) -> Floats:
    return _largest(flux, (2,))


def _at_ninety(flux: Floats, pitch_angle: Doubles) -> Floats:
    found = flux[:, :, ninety_bins(pitch_angle)].mean(axis=2, keepdims=True)
    return np.asarray(found, dtype=np.float32)


NORMALISATIONS: dict[str, Normalisation] = {
    "max": Normalisation(_of_record, bounded=True, is_largest=True),
    "max_energy": Normalisation(_of_energy, bounded=True),
    "90deg": Normalisation(
        _at_ninety,
        bounded=False,
        require=require_ninety,
        varying="no bin is at 90 degrees for all",
    ),
}
"""Each value of the setting ``normalise``."""
