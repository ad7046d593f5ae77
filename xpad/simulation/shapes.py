"""The types of pitch-angle distribution: where they occur and what they look like.

Every type is one point in the space of a few parameters of one formula; the records of a type
are a cloud around it. With the equatorial pitch angle a, d = |90 - a| in degrees and
x = ln(E / 1.8 MeV),

    shape = sin(a)^n(E) * exp(-f(E) * (d / w)^p) * (1 + h(E) * exp(-(d / v)^2)) * losscone(a),
    n(E) = n0 + n1 * x + n2 / (1 + exp(-(E - 3.9) / 0.5)),  f(E) = f0 + f1 * x,
    h(E) = h0 + h1 * x,

so that n steepens, f flattens the top and cuts the flanks, and h < 0 digs a butterfly's hole
while h > 0 sets a cap on top.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from xpad.simulation.clock import Mission
from xpad.simulation.draws import Stream, gumbel, normal, uniform, words
from xpad.simulation.orbit import Orbit
from xpad.simulation.storms import Belt, bump, sigmoid

Array = NDArray[np.float32]

PARAMETERS = ("n0", "n1", "n2", "f0", "f1", "w", "p", "h0", "h1", "v", "bump", "losscone")


@dataclass(frozen=True)
class PadType:
    """One type: the centre and the standard deviation of its cloud."""

    name: str
    centre: dict[str, float]
    spread: dict[str, float]


TYPES = (
    PadType("pancake", {"n0": 0.9, "n1": 0.45}, {"n0": 0.25, "n1": 0.12}),
    PadType("strong_pancake", {"n0": 3.0, "n1": 1.0}, {"n0": 0.6, "n1": 0.3}),
    PadType(
        "flattop",
        {"n0": 0.15, "n1": 0.05, "f0": 0.8, "f1": 0.15, "w": 62, "p": 4.5},
        {"n0": 0.06, "f0": 0.15, "w": 4},
    ),
    PadType(
        "butterfly_night",
        {"n0": 0.7, "n1": 0.2, "h0": -0.38, "h1": -0.17, "v": 30},
        {"n0": 0.2, "h0": 0.1, "h1": 0.04, "v": 4},
    ),
    PadType(
        "butterfly_low_l",
        {"n0": 1.7, "n1": 0.3, "h0": -0.45, "h1": 0.1, "v": 19},
        {"n0": 0.35, "h0": 0.09, "h1": 0.04, "v": 2.5},
    ),
    PadType(
        "cap",
        {"n0": 0.25, "n1": 0.1, "f0": 0.7, "w": 65, "p": 4.5, "h0": 0.6, "h1": 0.1, "v": 14},
        {"n0": 0.08, "f0": 0.12, "h0": 0.14, "v": 2},
    ),
    PadType("bump_on_tail", {"n0": 2.6, "n1": -0.9, "bump": 4.2}, {"n0": 0.45, "bump": 1.0}),
    PadType("isotropic", {"n0": 0.08, "losscone": 0.0}, {"n0": 0.05}),
    PadType("field_aligned", {"n0": -0.34, "n1": 0.05, "losscone": 0.3}, {"n0": 0.08}),
    PadType(
        "emic_narrowed",
        {"n0": 0.6, "n1": 0.2, "n2": 6.0, "f0": 0.5, "w": 62, "p": 4},
        {"n0": 0.15, "n2": 1.2, "f0": 0.15},
    ),
)
"""The types of the electrons themselves, in the order of their truth values."""

NAMES = (*(t.name for t in TYPES), "background")
"""Names of the truth values 0, 1, …; the last is for records that instrument background fills."""

_DEFAULTS = {"w": 60.0, "p": 4.0, "v": 20.0, "losscone": 1.0}
_CENTRE = np.array(
    [[t.centre.get(p, _DEFAULTS.get(p, 0.0)) for p in PARAMETERS] for t in TYPES], dtype=np.float32
).T.copy()
_SPREAD = np.array([[t.spread.get(p, 0.0) for p in PARAMETERS] for t in TYPES], np.float32).T.copy()

# Of a cloud's variance: constant through a segment, drifting within minutes, record by record.
_SEGMENT, _DRIFT, _RECORD = (np.float32(np.sqrt(share)) for share in (0.55, 0.32, 0.13))

CELL_S = 1200
"""Seconds a cell; a new segment begins in a cell with probability ``BREAK_CHANCE``."""

BREAK_CHANCE = 0.45
_FORCED = 24  # a segment never outlasts this many cells

KNOT_S = 900
KNOT_COLUMNS = 16


def types_and_parameters(
    mission: Mission,
    time_ms: NDArray[np.int64],
    orbit: Orbit,
    belt: Belt,
    drift: Array,
    jitter: Array,
) -> tuple[NDArray[np.int8], Array]:
    """Each slot's type and parameters.

    The type is the largest of log-weight (place and storm phase) plus Gumbel noise that stays the
    same through a segment of minutes to hours. At any one place the types have exactly the
    proportions of the weights, and along the orbit they persist: a semi-Markov sequence whose
    transitions come with a new segment or with the probe's motion.

    Parameters
    ----------
    mission : Mission
    time_ms : ndarray of int64, shape (n,)
    orbit, belt : Orbit, Belt
    drift, jitter : ndarray of float32, shape (12, n)
        Standard normal noise, slow and fast, a row a parameter.

    Returns
    -------
    kind : ndarray of int8, shape (n,)
    parameters : ndarray of float32, shape (12, n)
    """
    segment, gumbels, constants = _segments(mission, time_ms)
    kind = np.argmax(_log_weights(orbit, belt) + gumbels[:, segment], axis=0)
    cloud = _SEGMENT * constants[:, segment] + _DRIFT * drift + _RECORD * jitter
    return kind.astype(np.int8), _CENTRE[:, kind] + _SPREAD[:, kind] * cloud


def knots(mission: Mission, time_ms: NDArray[np.int64]) -> Array:
    """Smooth standard normal noise of unit variance, shape (16, n), in about ``KNOT_S`` seconds."""
    place = time_ms / (1000.0 * KNOT_S)
    below = np.floor(place).astype(np.int64)
    first = int(below[0])
    rows = int(below[-1]) + 2 - first
    value = normal(
        words(mission.seed, mission.probe_key, Stream.KNOTS, first, rows, KNOT_COLUMNS)
    ).T.copy()
    x = (place - below).astype(np.float32)
    w = x * x * (np.float32(3) - np.float32(2) * x)
    unit = 1 / np.sqrt(w * w + (1 - w) ** 2)
    at = below - first
    return value[:, at] * ((1 - w) * unit) + value[:, at + 1] * (w * unit)


def _segments(
    mission: Mission, time_ms: NDArray[np.int64]
) -> tuple[NDArray[np.intp], Array, Array]:
    """Segment index of each slot; Gumbel and normal noise a segment, shapes (10, m) and (12, m)."""
    first = int(time_ms[0]) // (1000 * CELL_S) - _FORCED
    count = int(time_ms[-1]) // (1000 * CELL_S) + 1 - first
    raw = words(mission.seed, mission.probe_key, Stream.CELLS, first, count, 24)
    u = uniform(raw[:, :2])
    cell = np.arange(first, first + count)
    begins = np.flatnonzero((u[:, 0] < BREAK_CHANCE) | (cell % _FORCED == 0))
    begin_ms = (cell + u[:, 1])[begins] * (1000.0 * CELL_S)
    segment = np.searchsorted(begin_ms, time_ms, side="right") - 1
    return segment, gumbel(raw[begins, 2:12]).T.copy(), normal(raw[begins, 12:24]).T.copy()


def _log_weights(orbit: Orbit, belt: Belt) -> Array:
    """Logarithms of the types' weights, shape (10, n).

    After the surveys of Ni et al. (2016, doi 10.1002/2016GL069350: butterflies in 80 % of the
    records at 20-04 MLT beyond L = 5.5, and again at 11-15 MLT near L = 4), Zhao et al. (2014,
    doi 10.1002/2014JA020386: caps and 90-degree minima in and around the slot), Usanova et al.
    (2014, doi 10.1002/2013GL059024: EMIC waves narrow the ultra-relativistic electrons) and
    Zhao et al. (2019, doi 10.1029/2018JA026277: bump-on-tail spectra in the plasmasphere).
    """
    L = orbit.L.astype(np.float32)
    hour = (orbit.MLT * (np.pi / 12)).astype(np.float32)
    night = np.cos(hour)
    dusk = -np.sin(hour)
    off = (np.abs(orbit.MLAT) / 10).astype(np.float32) ** 2  # what only the equator shows
    a, r = belt.activity, belt.recovery
    quiet = 1 - np.minimum(a, 1)
    far = sigmoid((L - 5.1) / 0.3)
    weights = np.empty((len(TYPES), L.size), dtype=np.float32)
    weights[0] = 1.0 - 0.5 * night
    weights[1] = -0.6 + 1.6 * bump(L, 3.3, 0.6) + 0.6 * r
    weights[2] = 0.1 + 0.9 * bump(L, 5.0, 0.8) - 0.3 * dusk + 0.4 * a
    weights[3] = -5.0 + 6.3 * far + 2.2 * night - 0.5 * off
    weights[4] = -1.3 + (1.6 - 1.4 * night) * bump(L, 3.9, 0.6) + 0.4 * r - 0.5 * off
    weights[5] = -1.1 + 1.7 * bump(L, 3.4, 0.6) + 0.4 * quiet - 0.5 * off
    weights[6] = -2.6 + 3.2 * bump(L, 3.5, 0.45) + 0.6 * r * quiet
    weights[7] = -2.4 + 3.0 * a * sigmoid((L - 4.3) / 0.3) + 0.8 * far
    weights[8] = -3.2 + (2.2 * quiet + 0.8 * night) * far - 0.5 * off
    weights[9] = -2.6 + (1.4 + 1.6 * r + 1.2 * a + 0.6 * dusk) * bump(L, 4.3, 0.6)
    return weights
