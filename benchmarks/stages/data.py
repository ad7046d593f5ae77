"""What the benchmarks work on: so many records as XPAD_BENCH_RECORDS says, always the same ones."""

from __future__ import annotations

import os
from functools import cache
from typing import Any

import numpy as np

RECORDS_A_DAY = 7_740
"""About, with the simulation's gaps."""
CHUNK = 16_384
FEATURES = 204
"""REPT's 12 energies at 17 pitch angles."""
SHORT = {"epochs": 2, "k": 6, "progress": False}
"""Settings of a fit that is about time, not about what it learns."""


def records() -> int:
    """Records that a benchmark works on."""
    return int(os.environ.get("XPAD_BENCH_RECORDS", 100_000))


@cache
def mission(n: int) -> Any:
    """A simulated mission in chunks, its values in memory."""
    import xpad

    ds = xpad.simulate(days=1.02 * n / RECORDS_A_DAY + 1, chunks=CHUNK).isel(Epoch=slice(n))
    chunk = min(n, CHUNK)
    return ds[["FEDU", "L", "MLT", "truth"]].compute().chunk(Epoch=chunk)


@cache
def flux(n: int) -> Any:
    """Its clean flux, (records, energies, pitch angles)."""
    from xpad.pads import canonical
    from xpad.pads.dims import ENERGY, PITCH_ANGLE

    found = canonical.flux(mission(n)).transpose(..., ENERGY, PITCH_ANGLE)
    return np.ascontiguousarray(found.values)


@cache
def grid(n: int) -> Any:
    """The grid of its PADs."""
    from xpad.pads import canonical
    from xpad.pads.grid import common_grid

    return common_grid(canonical.flux(mission(n)))


@cache
def model(n: int) -> Any:
    """A model that was fitted to it, quickly."""
    import xpad

    return xpad.fit(mission(n), **SHORT)


@cache
def rows(n: int, width: int = FEATURES) -> Any:
    """Rows of numbers within 0…1, float32."""
    return np.random.default_rng(0).random((n, width), dtype=np.float32)


@cache
def points(n: int) -> Any:
    """Points in three dimensions: six clouds of unequal size and width, as components lie."""
    rng = np.random.default_rng(0)
    cloud = rng.choice(6, n, p=[0.35, 0.25, 0.15, 0.12, 0.08, 0.05])
    middle, width = rng.uniform(-6, 6, (6, 3)), rng.uniform(0.4, 1.2, 6)
    return (middle[cloud] + width[cloud, None] * rng.normal(size=(n, 3))).astype(np.float32)


@cache
def bandwidth(n: int) -> float:
    """The bandwidth of mean shift on those points."""
    from xpad.stages.k_rules import meanshift

    return meanshift.estimate_bandwidth(points(n))


def parts(array: Any, size: int = 65_536) -> list[Any]:
    """The rows of an array, part by part."""
    return [array[start : start + size] for start in range(0, len(array), size)]
