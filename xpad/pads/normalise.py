"""Normalise one PAD at a time; arrays (records, energies, pitch angles), NaN is missing."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from xpad.errors import OptionError
from xpad.settings import METHODS

NINETY_TOLERANCE = 0.5
"""Degrees: a bin this near to 90 is the bin at 90."""

Floats = NDArray[np.float32]


def normalise_pads(flux: Floats, method: str, pitch_angle: NDArray[np.float64]) -> Floats:
    """Divide each PAD by its reference.

    Parameters
    ----------
    flux : (records, energies, pitch angles)
        Non-negative, NaN where missing.
    method : {"max", "max_energy", "90deg"}
        The reference: the largest value of the whole PAD, of each energy, or
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
    found = over_reference(flux, _reference(flux, method, pitch_angle))
    # What is divided by its own maximum is at most 1.
    if not is_bounded(method) and (overflown := np.isinf(found)).any():
        # Over a reference next to nothing; infinity is no measurement.
        found[overflown] = np.nan
    return found


def over_reference(flux: Floats, reference: Floats) -> Floats:
    """Flux over references that broadcast with it; NaN where they are zero or missing."""
    with np.errstate(invalid="ignore", over="ignore"):
        return np.asarray(flux / usable_reference(reference), dtype=np.float32)


def usable_reference(reference: Floats) -> Floats:
    """References, NaN where they are zero or missing."""
    with np.errstate(invalid="ignore"):
        return np.where(reference > 0, reference, np.float32(np.nan))


def _reference(flux: Floats, method: str, pitch_angle: NDArray[np.float64]) -> Floats:
    if method == "max":
        return _largest(flux, (1, 2))
    if method == "max_energy":
        return _largest(flux, (2,))
    if method == "90deg":
        found = flux[:, :, ninety_bins(pitch_angle)].mean(axis=2, keepdims=True)
        return np.asarray(found, dtype=np.float32)
    raise OptionError(f"normalise={method!r} is not known; choose one of {', '.join(METHODS)}")


def _largest(flux: Floats, axes: tuple[int, ...]) -> Floats:
    # fmax ignores NaN without nanmax's warning for slices that are all NaN.
    return np.asarray(np.fmax.reduce(flux, axis=axes, keepdims=True), dtype=np.float32)


def ninety_bins(pitch_angle: NDArray[np.float64]) -> NDArray[np.intp]:
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


def require_ninety(pitch_angle: NDArray[np.float64]) -> None:
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


def is_bounded(method: str) -> bool:
    """Whether the normalised values lie within 0…1, as a sigmoid's output does."""
    return method in ("max", "max_energy")
