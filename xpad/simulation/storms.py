"""How many electrons there are: radial profile, spectrum and the storms that change them.

Storms come at random, one at most a week; each empties the outer belt in hours and refills it
in days, to more, the same or fewer electrons than before (Reeves et al. 2003,
doi 10.1029/2002GL016513), with the slot's inner edge hard to cross (Baker et al. 2014,
doi 10.1038/nature13956) and hardly any electrons above 1 MeV inside L = 2 (Fennell et al. 2015,
doi 10.1002/2014GL062874).
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from xpad.simulation.clock import DAY_MS, Mission
from xpad.simulation.draws import Stream, uniform, words

E_FOLDING_MEV = (0.3, 0.8)
"""The e-folding energies lie between these."""

STORM_WEEK_DAYS = 7.0
STORM_CHANCE = 0.85
"""Chance of a storm in a week."""

_MEMORY = 4  # weeks after which a storm is forgotten
Array = NDArray[np.float32]


@dataclass(frozen=True)
class Belt:
    """The belt at the probe, one value a slot."""

    log_flux: Array
    """log10 of the equatorial flux at 1.8 MeV and 90 degrees, per cm2 s sr MeV."""
    e_folding: Array
    """MeV."""
    activity: Array
    """0 in quiet times to about 1 in a storm's main phase."""
    recovery: Array
    """0 in quiet times to about 1 while a storm refills the belt."""


def sigmoid(x: Array) -> Array:
    """1 / (1 + exp(-x)), without overflow."""
    return np.float32(1) / (np.float32(1) + np.exp(-np.clip(x, -30, 30)))


def bump(x: Array, centre: float, width: float) -> Array:
    """exp(-((x - centre) / width) ** 2)."""
    return np.exp(-(((x - np.float32(centre)) / np.float32(width)) ** 2))


def belt(
    mission: Mission, time_ms: NDArray[np.int64], L: Array, noonness: Array, slow: Array
) -> Belt:
    """The belt at times (ms since start) and places.

    Parameters
    ----------
    mission : Mission
    time_ms : ndarray of int64, shape (n,)
    L, noonness : ndarray of float32, shape (n,)
        ``noonness`` is 1 at noon, -1 at midnight.
    slow : ndarray of float32, shape (2, n)
        Slowly varying standard normal noise of flux and hardness.
    """
    change = np.zeros_like(L)
    activity = np.zeros_like(L)
    recovery = np.zeros_like(L)
    enhanced = np.zeros_like(L)
    days = time_ms / DAY_MS
    first = int(days[0] // STORM_WEEK_DAYS) - _MEMORY
    count = int(days[-1] // STORM_WEEK_DAYS) + 1 - first
    draws = uniform(words(mission.seed, 0, Stream.STORMS, first, count, 8))
    for week, u in enumerate(draws.tolist(), start=first):
        if u[0] > STORM_CHANCE:
            continue
        age = (days - (week + u[1]) * STORM_WEEK_DAYS).astype(np.float32)
        if age[-1] <= 0:
            continue
        after = np.maximum(age, 0)
        strength = 0.35 + 0.65 * u[2]
        main = -np.expm1(-after / 0.06) * np.exp(-after / 0.45)
        fade = np.clip((_MEMORY * STORM_WEEK_DAYS - after) / STORM_WEEK_DAYS, 0, 1)
        refill = -np.expm1(-after / 0.8) * np.exp(-after / (4.0 + 5.0 * u[3])) * fade
        reach = 5.0 - 1.6 * strength * u[4]
        gain = 2.3 * strength * (u[5] - 0.25)  # a quarter of the storms leave fewer electrons
        centre = 4.7 - 0.9 * strength * u[6]
        change += main * (-(0.8 + 1.6 * strength)) * sigmoid((L - reach) / 0.3)
        change += refill * gain * bump(L, centre, 0.9)
        activity += main * 1.5 * strength
        recovery += refill * 1.4 * strength
        enhanced += refill * gain

    outside = np.maximum(L - 4.5, 0)
    inside = np.maximum(4.5 - L, 0)
    outer = 4.2 - 0.7 * (outside / 1.25) ** 2 - 1.25 * inside**2
    inner = 1.4 - 3.0 * ((L - 1.6) / 0.5) ** 2
    log_flux = np.log10(np.float32(10) ** outer + np.float32(10) ** inner)
    log_flux = log_flux + change + 0.12 * slow[0] + 0.02 * (L - 1) * noonness
    hardness = 0.9 * enhanced - 0.5 - 0.55 * (L - 4.3) ** 2 + 0.3 * noonness + 0.6 * slow[1]
    softest, hardest = E_FOLDING_MEV
    return Belt(
        log_flux=log_flux.astype(np.float32),
        e_folding=(softest + (hardest - softest) * sigmoid(hardness)).astype(np.float32),
        activity=np.minimum(activity, 1.2).astype(np.float32),
        recovery=np.minimum(recovery, 1.2).astype(np.float32),
    )
