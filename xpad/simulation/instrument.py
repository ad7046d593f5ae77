"""What the telescope makes of the electrons: counts, background, missing values.

After the Relativistic Electron Proton Telescope (Baker et al. 2013,
doi 10.1007/s11214-012-9950-9). Each of the 17 pitch-angle bins gathers for its share of one spin.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from xpad.simulation.clock import SPIN_MS, Mission
from xpad.simulation.draws import Stream, normal_table, uniform, words
from xpad.simulation.orbit import Orbit

Array = NDArray[np.float32]

# fmt: off
PITCH_ANGLE = np.array(
    [5.294, 15.88, 26.47, 37.06, 47.65, 58.24, 68.82, 79.41, 90.0,
     100.6, 111.2, 121.8, 132.4, 142.9, 153.5, 164.1, 174.7],
    dtype=np.float32,
)
# fmt: on
"""Centres of the bins, degrees."""

ENERGY = np.array([1.8, 2.1, 2.6, 3.4, 4.2, 5.2, 6.3, 7.7, 9.9, 12.3, 15.2, 20.0], dtype=np.float32)
"""Centres of the channels, MeV."""

GEOMETRIC_FACTOR = 0.2
"""cm2 sr."""

ACCUMULATION_S = SPIN_MS / 1000 * 2 / (2 * 17)
"""Seconds a bin is looked at in one spin, twice a 34th of it."""


def _channel_widths() -> NDArray[np.float64]:
    centre = ENERGY.astype(np.float64)
    edge = (centre[1:] + centre[:-1]) / 2
    return np.diff(np.r_[2 * centre[0] - edge[0], edge, 2 * centre[-1] - edge[-1]])


ONE_COUNT_FLUX = (1 / (GEOMETRIC_FACTOR * ACCUMULATION_S * _channel_widths())).astype(np.float32)
"""Flux that stands for one count in a channel, per cm2 s sr MeV, shape (12,)."""

BACKGROUND_COUNTS = 0.03
"""Mean background a bin and record from cosmic rays, everywhere."""

INNER_ZONE_COUNTS = 8.0
"""Mean background a bin and record from penetrating protons at L = 1.5."""

FILL = np.float32(-1e31)
MISSING_RECORD = 0.002
"""Share of the records that are fill throughout, singly."""
PERIGEE_OFF = 1.25
"""Earth radii below which all is fill."""
ECLIPSE_LOSS = 0.25
"""Share of the eclipses in which all is fill."""
MISSING_BIN = 0.01
"""Share of the records in which one value is fill."""
MISSING_CHANNEL = 0.002
"""Share of the records in which one energy is fill."""
HALF_APERTURE = 16.0
"""Degrees; pitch angles further than this from the aperture's axis are fill."""

_NORMAL_FROM = np.float32(4)
_MOST_SMALL = 40  # rounding may leave u above the sum of all probabilities
_HALF_WIDTH = np.float32(180 / 34)


def background(L: Array) -> Array:
    """Mean background counts a bin, shape of L: cosmic rays and the inner zone's protons."""
    return np.float32(BACKGROUND_COUNTS) + np.float32(INNER_ZONE_COUNTS) * np.exp(
        -(((L - np.float32(1.5)) / np.float32(0.35)) ** 2)
    )


def poisson(mean: Array, raw: NDArray[np.uint32]) -> Array:
    """Poisson counts, one from each 32 random bits.

    Below a mean of 4 by inversion of the distribution, above by its asymptotic expansion about
    the normal (Giles 2016, doi 10.1145/2699466), rounded down to whole counts; its total
    variation from Poisson's distribution is 0.0024 at 4 and falls as the mean rises.

    Parameters
    ----------
    mean : ndarray of float32, any shape
    raw : ndarray of uint32, same shape

    Returns
    -------
    ndarray of float32, same shape
        Whole numbers.
    """
    small = np.flatnonzero(mean < _NORMAL_FROM)
    if small.size == mean.size:
        return _poisson_small(mean.ravel(), raw.ravel()).reshape(mean.shape)
    counts = _poisson_large(mean, raw)
    if small.size:
        counts.ravel()[small] = _poisson_small(mean.ravel()[small], raw.ravel()[small])
    return counts


def _poisson_large(mean: Array, raw: NDArray[np.uint32]) -> Array:
    z = normal_table()[raw >> np.uint32(16)]
    root = np.sqrt(mean)
    third = np.float32(1 / 3)
    # mean + root z + (1/3 + z^2/6) - (z/36 + z^3/72) / root, by Horner's rule
    value = z * (z * np.float32(1 / 72))
    value += np.float32(1 / 36)
    value /= root
    np.subtract(z * np.float32(1 / 6), value, out=value)
    value += root
    value *= z
    value += mean
    value += third
    np.floor(value, out=value)
    return np.maximum(value, 0, out=value)


def _poisson_small(mean: Array, raw: NDArray[np.uint32]) -> Array:
    """Count by count, those that are not yet reached, until none is left; 1-D arrays."""
    u = (raw >> np.uint32(8)).astype(np.float32)
    u *= np.float32(2**-24)
    probability = np.exp(-mean)
    counts = np.zeros_like(mean)
    at = np.flatnonzero(u >= probability)
    u, mean, probability = u[at], mean[at], probability[at]
    total = probability
    k = 0
    while at.size and k < _MOST_SMALL:
        k += 1
        counts[at] = k
        probability = probability * mean / np.float32(k)
        total = total + probability
        more = np.flatnonzero(u >= total)
        at, u, mean = at[more], u[more], mean[more]
        probability, total = probability[more], total[more]
    return counts


def lost(mission: Mission, orbit: Orbit, draws: NDArray[np.float64]) -> NDArray[np.bool_]:
    """Which slots' records are fill throughout: single ones, near perigee, in some eclipses.

    Parameters
    ----------
    mission : Mission
    orbit : Orbit
    draws : ndarray of float64, shape (n, 4)
        Uniform numbers.

    Returns
    -------
    ndarray of bool, shape (n,)
    """
    gone = (draws[:, 3] < MISSING_RECORD) | (orbit.radius < PERIGEE_OFF)
    return gone | (orbit.shadow & _eclipses_lost(mission, orbit.number))


def put_fills(
    flux: Array, orbit: Orbit, draws: NDArray[np.float64], gone: NDArray[np.bool_]
) -> None:
    """Put fill into flux (n, 17, 12), in place, where records, channels or bins are missing."""
    for index in range(2):
        hidden = orbit.uncovered - HALF_APERTURE > PITCH_ANGLE[index] + _HALF_WIDTH
        flux[hidden, index, :] = FILL
        flux[hidden, 16 - index, :] = FILL
    one_bin = np.flatnonzero(draws[:, 0] < MISSING_BIN)
    value = (draws[one_bin, 1] * (17 * 12)).astype(np.intp)
    flux[one_bin, value // 12, value % 12] = FILL
    one_channel = np.flatnonzero(draws[:, 2] < MISSING_CHANNEL)
    flux[one_channel, :, (draws[one_channel, 1] * 12).astype(np.intp)] = FILL
    flux[gone] = FILL


def _eclipses_lost(mission: Mission, number: NDArray[np.int64]) -> NDArray[np.bool_]:
    first = int(number[0])
    rows = int(number[-1]) + 1 - first
    raw = words(mission.seed, mission.probe_key, Stream.ECLIPSES, first, rows, 4)
    return (uniform(raw[:, 0]) < ECLIPSE_LOSS)[number - first]
