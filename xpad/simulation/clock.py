"""When records are taken: the spins of the probe, and the gaps in them.

A *slot* is one spin, numbered from the start of the mission; a *record* is a slot that
reached the ground. All else is a function of the slot.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from xpad.simulation.draws import Stream, uniform, words

SPIN_MS = 10_936
"""Milliseconds a spin, one record: 7900 a day, as REPT's."""

BLOCK = 1000
"""Slots generated together; the same blocks whatever the chunks."""

DAY_MS = 86_400_000
JITTER_MS = 16
"""A record's time is 0 to 15 ms after its slot's."""

GAPS_PER_DAY = 0.4
"""Mean number of longer gaps that begin in a day."""

GAP_MINUTES = (2.0, 240.0)
"""Shortest and longest gap; the lengths are uniform in their logarithm."""

_GAPS_A_DAY = 2


@dataclass(frozen=True)
class Mission:
    """What one simulation is drawn from."""

    seed: int
    start_ms: int
    """Milliseconds since 1970-01-01T00:00."""
    probe: str

    @property
    def probe_key(self) -> int:
        """1 for probe a, 2 for probe b; 0 is for what both see, the storms."""
        return 1 + "ab".index(self.probe)


def slot_times(mission: Mission, lo: int, hi: int) -> NDArray[np.int64]:
    """Milliseconds since the start of slots ``lo`` to ``hi - 1``, ascending, shape (hi - lo,)."""
    bits = _clock_bits(mission, lo, hi)
    return np.arange(lo, hi, dtype=np.int64) * SPIN_MS + (bits & (JITTER_MS - 1)).astype(np.int64)


def kept(mission: Mission, lo: int, hi: int) -> NDArray[np.bool_]:
    """Which of slots ``lo`` to ``hi - 1`` became records, shape (hi - lo,). Slot 0 always did.

    One of 4096 is lost singly, others in gaps.
    """
    mask = (_clock_bits(mission, lo, hi) >> 4) != 0
    for begin, end in _gaps(mission, lo, hi):
        mask[max(begin - lo, 0) : max(end - lo, 0)] = False
    if lo == 0 and hi > 0:
        mask[0] = True
    return mask


def _clock_bits(mission: Mission, lo: int, hi: int) -> NDArray[np.uint16]:
    """Sixteen random bits a slot."""
    first, last = lo // 16, -(-hi // 16)
    raw = words(mission.seed, mission.probe_key, Stream.CLOCK, first, last - first, 4)
    return raw.astype("<u8").view("<u2").ravel()[lo - 16 * first : hi - 16 * first]


def _gaps(mission: Mission, lo: int, hi: int) -> list[tuple[int, int]]:
    """First slot lost and first slot kept again, for the gaps that may touch ``lo`` to ``hi``."""
    first = lo * SPIN_MS // DAY_MS - 1  # no gap is longer than a day
    days = hi * SPIN_MS // DAY_MS + 1 - first
    columns = 4 * _GAPS_A_DAY
    raw = words(mission.seed, mission.probe_key, Stream.GAPS, first, days, columns)
    u = uniform(raw).reshape(days, _GAPS_A_DAY, 4)
    day, which = np.nonzero(u[..., 0] < GAPS_PER_DAY / _GAPS_A_DAY)
    begin_ms = (first + day + u[day, which, 1]) * DAY_MS
    shortest, longest = GAP_MINUTES
    minutes = shortest * (longest / shortest) ** u[day, which, 2]
    begin = np.ceil(begin_ms / SPIN_MS).astype(np.int64)
    end = np.ceil((begin_ms + 60_000 * minutes) / SPIN_MS).astype(np.int64)
    return [(int(b), int(e)) for b, e in zip(begin, end, strict=True) if e > lo and b < hi]
