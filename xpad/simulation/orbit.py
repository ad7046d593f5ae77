"""Where the probe is: a Kepler ellipse in a tilted, rotating dipole.

The ellipse has the Van Allen Probes' elements (Mauk et al. 2013, doi 10.1007/s11214-012-9908-y):
perigee 1.1 and apogee 5.8 Earth radii, inclination 10 degrees, about nine hours; the apogee's
local time moves once around in 660 days, backwards.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from xpad.simulation.clock import DAY_MS, Mission
from xpad.simulation.draws import Stream, uniform, words

EARTH_RADIUS_KM = 6371.2
EQUATOR_FIELD_NT = 29_950.0
SEMI_MAJOR = 3.45
ECCENTRICITY = (5.8 - 1.1) / (5.8 + 1.1)
PERIOD_S = 2 * np.pi * np.sqrt((SEMI_MAJOR * EARTH_RADIUS_KM) ** 3 / 398_600.44)

_INCLINATION = np.radians(10.0)
_OBLIQUITY = np.radians(23.44)
_DIPOLE_COLATITUDE = np.radians(10.0)
_DIPOLE_LONGITUDE = np.radians(-72.0)
_SPIN_OFFSET = np.radians(20.0)
_EPOCH_2013_MS = 1_356_998_400_000

Vector = tuple[NDArray[np.float64], NDArray[np.float64], NDArray[np.float64]]


@dataclass(frozen=True)
class Orbit:
    """The probe's place, one value a slot; lengths in Earth radii, fields in nT."""

    radius: NDArray[np.float64]
    L: NDArray[np.float64]
    MLT: NDArray[np.float64]
    MLAT: NDArray[np.float64]
    b_ratio: NDArray[np.float64]
    """B at the probe over B at the equator of its field line."""
    uncovered: NDArray[np.float64]
    """Smallest pitch angle (degrees) that the spinning aperture's axis passes through."""
    shadow: NDArray[np.bool_]
    number: NDArray[np.int64]
    """Orbits since the start, counted at perigee."""
    position: NDArray[np.float64]
    """Geographic Cartesian, km, shape (3, n)."""


def orbit(mission: Mission, time_ms: NDArray[np.int64]) -> Orbit:
    """The probe's place at times in milliseconds since the start."""
    phase = uniform(words(mission.seed, mission.probe_key, Stream.MISSION, 0, 1, 4))[0, 0]
    days = (time_ms + (mission.start_ms - _EPOCH_2013_MS)) / DAY_MS
    orbits = time_ms / (1000 * PERIOD_S) + phase
    number = np.floor(orbits)
    radius, anomaly = _kepler(2 * np.pi * (orbits - number))

    sun_longitude = 2 * np.pi * (days - 79.0) / 365.25
    apogee_mlt = 3.0 - 24.0 * days / 660.0
    perigee = sun_longitude + (apogee_mlt - 12.0) * np.pi / 12 + np.pi
    node = -2 * np.pi * 0.3 * days / 360
    at = _in_space(node, perigee + anomaly - node)

    sun = _sun(sun_longitude)
    gmst = 2 * np.pi * (0.2768 + 1.0027379 * days)
    dipole = _around_pole(_DIPOLE_COLATITUDE, _DIPOLE_LONGITUDE + gmst)
    dusk = _cross(dipole, sun)
    noon = _cross(dusk, dipole)
    sin_mlat = _dot(at, dipole)
    hour_angle = np.arctan2(_dot(at, dusk), _dot(at, noon))
    mlt = np.mod(12.0 + hour_angle * 12 / np.pi, 24.0)

    cos2 = 1 - sin_mlat**2
    field = tuple(3 * sin_mlat * r - m for r, m in zip(at, dipole, strict=True))
    spin_axis = _sun(sun_longitude + _SPIN_OFFSET)
    along_spin = (
        field[0] * spin_axis[0] + field[1] * spin_axis[1] + field[2] * spin_axis[2]
    ) / np.sqrt(1 + 3 * sin_mlat**2)

    sunward = _dot(at, sun)
    c, s = np.cos(gmst), np.sin(gmst)
    km = radius * EARTH_RADIUS_KM
    return Orbit(
        radius=radius,
        L=radius / cos2,
        MLT=mlt,
        MLAT=np.degrees(np.arcsin(sin_mlat)),
        b_ratio=np.sqrt(1 + 3 * sin_mlat**2) / cos2**3,
        uncovered=np.degrees(np.arcsin(np.minimum(np.abs(along_spin), 1.0))),
        shadow=(sunward < 0) & (radius * np.sqrt(1 - sunward**2) < 1.0),
        number=number.astype(np.int64),
        position=np.stack([km * (c * at[0] + s * at[1]), km * (c * at[1] - s * at[0]), km * at[2]]),
    )


def _kepler(mean: NDArray[np.float64]) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Radius and true anomaly from the mean anomaly in [0, 2 pi)."""
    e = ECCENTRICITY
    folded = np.where(mean > np.pi, mean - 2 * np.pi, mean)
    # A cubic's root starts Newton well even at perigee (Markley 1995, doi 10.1007/BF00691917).
    a = (3 * np.pi**2 + 1.6 * np.pi * (np.pi - np.abs(folded)) / (1 + e)) / (np.pi**2 - 6)
    d = 3 * (1 - e) + a * e
    r = 3 * a * d * (d - 1 + e) * folded + folded**3
    q = 2 * a * d * (1 - e) - folded**2
    w = np.cbrt(np.abs(r) + np.sqrt(q**3 + r**2)) ** 2
    eccentric = (2 * r * w / (w**2 + w * q + q**2) + folded) / d
    for _ in range(2):
        eccentric -= (eccentric - e * np.sin(eccentric) - folded) / (1 - e * np.cos(eccentric))
    cos, sin = np.cos(eccentric), np.sin(eccentric)
    return SEMI_MAJOR * (1 - e * cos), np.arctan2(np.sqrt(1 - e**2) * sin, cos - e)


def _in_space(node: NDArray[np.float64], along: NDArray[np.float64]) -> Vector:
    cn, sn, ca, sa = np.cos(node), np.sin(node), np.cos(along), np.sin(along)
    ci, si = np.cos(_INCLINATION), np.sin(_INCLINATION)
    return cn * ca - sn * sa * ci, sn * ca + cn * sa * ci, sa * si


def _sun(longitude: NDArray[np.float64]) -> Vector:
    sin = np.sin(longitude)
    return np.cos(longitude), np.cos(_OBLIQUITY) * sin, np.sin(_OBLIQUITY) * sin


def _around_pole(colatitude: float, longitude: NDArray[np.float64]) -> Vector:
    s = np.sin(colatitude)
    return s * np.cos(longitude), s * np.sin(longitude), np.full_like(longitude, np.cos(colatitude))


def _dot(a: Vector, b: Vector) -> NDArray[np.float64]:
    return a[0] * b[0] + a[1] * b[1] + a[2] * b[2]


def _cross(a: Vector, b: Vector) -> Vector:
    return (
        a[1] * b[2] - a[2] * b[1],
        a[2] * b[0] - a[0] * b[2],
        a[0] * b[1] - a[1] * b[0],
    )
