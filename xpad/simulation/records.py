"""Blocks of records: each part's work put together, in NumPy."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from xpad.simulation.clock import BLOCK, Mission, kept, slot_times
from xpad.simulation.draws import Stream, normal_table, uniform, words
from xpad.simulation.instrument import (
    ENERGY,
    FILL,
    ONE_COUNT_FLUX,
    PITCH_ANGLE,
    background,
    lost,
    poisson,
    put_fills,
)
from xpad.simulation.orbit import EQUATOR_FIELD_NT, Orbit, orbit
from xpad.simulation.shapes import NAMES, knots, types_and_parameters
from xpad.simulation.storms import belt

Array = NDArray[np.float32]

SHAPES: dict[str, tuple[int, ...]] = {
    "FEDU": (17, 12),
    "truth": (),
    "L": (),
    "L_star": (),
    "MLT": (),
    "MLAT": (),
    "B_Calc": (),
    "B_Eq": (),
    "Position": (3,),
}
"""Shape of one record of each variable."""

BACKGROUND_TRUTH = NAMES.index("background")
FAINTEST_COUNTS = 3.0
"""Mean counts of 1.8 MeV, 90-degree equatorial electrons below which truth is ``background``."""

OPEN_SHELL = 6.0
"""L beyond which ``L_star`` is fill."""

_FIELD_ALIGNED = NAMES.index("field_aligned")

_HALF = PITCH_ANGLE[:9].astype(np.float64)
_LOG_SIN = np.log(np.sin(np.radians(_HALF))).astype(np.float32)
_X = np.log(ENERGY / ENERGY[0])
_STEP = (1 / (1 + np.exp(-(ENERGY - np.float32(3.9)) / np.float32(0.5)))).astype(np.float32)
_ABOVE = ENERGY - ENERGY[0]
_BUMP = np.exp(-(((ENERGY - np.float32(2.9)) / np.float32(0.6)) ** 2))


@dataclass(frozen=True)
class Expected:
    """What a perfect instrument would see in one block of slots."""

    counts: Array
    """Mean counts with background, shape (12, 9, n): energy, pitch angle up to 90, slot."""
    e_folding: Array
    """MeV, shape (n,)."""
    truth: NDArray[np.int8]
    """Type of each slot, shape (n,)."""


def dtype_of(name: str) -> np.dtype[np.float32] | np.dtype[np.int8]:
    """The variable's type."""
    return np.dtype(np.int8) if name == "truth" else np.dtype(np.float32)


def generate(
    mission: Mission, names: Sequence[str], lo: int, hi: int
) -> dict[str, NDArray[np.float32 | np.int8]]:
    """Variables' records among slots ``lo`` to ``hi - 1``.

    Parameters
    ----------
    mission : Mission
    names : sequence of str
        Keys of ``SHAPES``.
    lo, hi : int
        Slots; those that were lost give no record.

    Returns
    -------
    dict of ndarray, shapes (records, *SHAPES[name])
    """
    mask = kept(mission, lo, hi)
    records = int(np.count_nonzero(mask))
    out = {n: np.empty((records, *SHAPES[n]), dtype=dtype_of(n)) for n in names}
    done = 0
    for block in range(lo // BLOCK, -(-hi // BLOCK)):
        begin, end = max(lo, block * BLOCK), min(hi, (block + 1) * BLOCK)
        use = mask[begin - lo : end - lo]
        count = int(np.count_nonzero(use))
        if count:
            for name, values in _block(mission, names, block).items():
                part = values[begin - block * BLOCK : end - block * BLOCK]
                out[name][done : done + count] = part if count == len(part) else part[use]
            done += count
    return out


def _block(
    mission: Mission, names: Sequence[str], block: int
) -> dict[str, NDArray[np.float32 | np.int8]]:
    """Whole blocks only, so that a record comes from the same arithmetic in any chunk."""
    time_ms = slot_times(mission, block * BLOCK, (block + 1) * BLOCK)
    place = orbit(mission, time_ms)
    values: dict[str, NDArray[np.float32 | np.int8]] = {}
    if "FEDU" in names:
        values["FEDU"], values["truth"] = measured(mission, block, time_ms, place)
    elif "truth" in names:
        seen, draws = expected(mission, block, time_ms, place)
        values["truth"] = _truth(seen, lost(mission, place, draws))
    return {n: values[n] if n in values else _place_variable(n, place) for n in names}


def _place_variable(name: str, place: Orbit) -> Array:
    equator = EQUATOR_FIELD_NT / place.L**3
    if name == "Position":
        return place.position.T.astype(np.float32)
    if name == "B_Eq":
        return equator.astype(np.float32)
    if name == "B_Calc":
        return (equator * place.b_ratio).astype(np.float32)
    if name == "MLT":
        mlt = place.MLT.astype(np.float32)
        return np.where(mlt >= 24, np.float32(0), mlt)
    if name == "L_star":
        return _l_star(place)
    values: NDArray[np.float64] = getattr(place, name)
    return values.astype(np.float32)


def _l_star(place: Orbit) -> Array:
    """A little below L, more so at night and far out; fill where drift shells are open."""
    night = 1 + 0.5 * np.cos(place.MLT * (np.pi / 12))
    value = place.L * (1 - 0.01 - 0.0012 * place.L**2 * night)
    return np.where(place.L > OPEN_SHELL, FILL, value.astype(np.float32))


def expected(
    mission: Mission, block: int, time_ms: NDArray[np.int64], place: Orbit
) -> tuple[Expected, NDArray[np.float64]]:
    """Mean counts of one block, and four uniform numbers a slot for its fills, shape (n, 4)."""
    raw = words(mission.seed, mission.probe_key, Stream.RECORDS, block * BLOCK, BLOCK, 8)
    fast = raw[:, :4].astype("<u8").view("<u2")  # 16 numbers of 16 bits a slot
    jitter = normal_table()[fast.astype(np.intp)].T.copy()
    slow = knots(mission, time_ms)

    L = place.L.astype(np.float32)
    noonness = -np.cos(place.MLT * (np.pi / 12)).astype(np.float32)
    here = belt(mission, time_ms, L, noonness, slow[12:14])
    kind, p = types_and_parameters(mission, time_ms, place, here, slow[:12], jitter[:12])
    n0, n1, n2, f0, f1, w, power, h0, h1, v, bump, losscone = p

    log_ratio = np.log(place.b_ratio).astype(np.float32)
    log_sin = _LOG_SIN[:, None] - np.float32(0.5) * log_ratio
    distance = np.degrees(np.arccos(np.minimum(np.exp(log_sin), np.float32(1))))
    flank = (distance / w) ** power
    middle = np.exp(-((distance / v) ** 2))
    inside = 1 / (1 + np.exp(np.minimum((90 - distance - _loss_cone(L)) / np.float32(3), 30)))
    passing = 1 - losscone * inside

    flux = np.float32(10) ** (here.log_flux + np.float32(0.02) * jitter[12])
    noise = background(L)
    floor = np.where(kind == _FIELD_ALIGNED, np.float32(-0.6), np.float32(0))
    counts = np.empty((12, 9, L.size), dtype=np.float32)
    for e in range(12):
        n = np.maximum(n0 + n1 * _X[e] + n2 * _STEP[e], floor)
        f = np.maximum(f0 + f1 * _X[e], 0)
        h = np.maximum(h0 + h1 * _X[e], np.float32(-0.95))
        level = flux * np.exp(-_ABOVE[e] / here.e_folding) * (1 + np.maximum(bump, 0) * _BUMP[e])
        shape = np.exp(n * log_sin - f * flank)
        shape *= passing
        shape *= 1 + h * middle
        shape *= level / ONE_COUNT_FLUX[e]
        np.add(shape, noise, out=counts[e])
    bright = np.float32(10) ** here.log_flux / ONE_COUNT_FLUX[0]
    truth = np.where(bright < np.maximum(FAINTEST_COUNTS, noise), BACKGROUND_TRUTH, kind)
    return Expected(counts, here.e_folding, truth.astype(np.int8)), uniform(raw[:, 4:])


def measured(
    mission: Mission, block: int, time_ms: NDArray[np.int64], place: Orbit
) -> tuple[Array, NDArray[np.int8]]:
    """Flux (n, 17, 12) with noise and fills, and truth (n,), of one block."""
    seen, draws = expected(mission, block, time_ms, place)
    columns = 12 * BLOCK * 17 // 2
    raw = words(mission.seed, mission.probe_key, Stream.COUNTS, block, 1, columns)
    bits = raw.astype("<u8", copy=False).view("<u4").reshape(12, 17, BLOCK)
    by_bin = np.empty((17, 12, BLOCK), dtype=np.float32)
    mean = np.empty((17, BLOCK), dtype=np.float32)
    for e in range(12):
        mean[:9] = seen.counts[e]
        mean[9:] = seen.counts[e][7::-1]
        np.multiply(poisson(mean, bits[e]), ONE_COUNT_FLUX[e], out=by_bin[:, e])
    flux = by_bin.transpose(2, 0, 1).copy()
    gone = lost(mission, place, draws)
    put_fills(flux, place, draws, gone)
    return flux, _truth(seen, gone)


def _truth(seen: Expected, gone: NDArray[np.bool_]) -> NDArray[np.int8]:
    return np.where(gone, np.int8(-1), seen.truth)


def _loss_cone(L: Array) -> Array:
    """Equatorial half-angle of the dipole's loss cone, degrees."""
    inner = np.maximum(L, np.float32(1.05))
    sin2 = 1 / np.sqrt(4 * inner**6 - 3 * inner**5)
    return np.degrees(np.arcsin(np.sqrt(np.minimum(sin2, 1))))
