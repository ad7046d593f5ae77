"""What tests share: small data, settings for quick fits, a scheduler that counts computes."""

from contextlib import contextmanager
from pathlib import Path

import dask
import numpy as np
import xarray as xr

ROOT = Path(__file__).resolve().parents[2]
"""The checkout."""
BENCHMARKS = ROOT / "benchmarks"
SHARED_DATA = ROOT.parent / "shared" / "data"
"""Real mission files, beside the checkout where there are any."""


class CountingScheduler:
    """A dask scheduler that counts how often something computes."""

    def __init__(self, most: int | None = None) -> None:
        self.computes = 0
        self.most = most

    def __call__(self, dsk, keys, **kwargs):
        self.computes += 1
        if self.most is not None and self.computes > self.most:
            raise RuntimeError(f"computed {self.computes} times, {self.most} allowed")
        return dask.get(dsk, keys, **kwargs)


@contextmanager
def computes(most: int | None = None):
    """Count computes inside the block, and fail where there are more than `most`."""
    scheduler = CountingScheduler(most)
    with dask.config.set(scheduler=scheduler):
        yield scheduler


def made(n_records=600, n_energies=4, n_angles=7, *, seed=0, missing=0.1, chunks=None):
    """A small Dataset of PADs of three shapes, with holes and unusable records."""
    rng = np.random.default_rng(seed)
    angle = np.linspace(90 / n_angles, 180 - 90 / n_angles, n_angles)
    energy = np.geomspace(100.0, 2000.0, n_energies)
    kind = rng.integers(0, 3, n_records)
    sine = np.sin(np.deg2rad(angle))
    shapes = np.stack([sine**3, 1 - 0.8 * sine**4, np.ones(n_angles)])
    spectrum = np.exp(-energy / 600)
    level = rng.lognormal(3, 1, n_records)
    flux = level[:, None, None] * shapes[kind][:, :, None] * spectrum
    flux = flux * rng.normal(1, 0.05, flux.shape).clip(0.5, 1.5)
    flux[rng.random(flux.shape) < missing] = -1e31
    flux[3] = -1e31
    flux[5] = np.where(flux[5] > 0, 0, flux[5])
    time = np.datetime64("2015-01-01", "ns") + np.arange(n_records) * np.timedelta64(60, "s")
    ds = xr.Dataset(
        {
            "FEDU": (
                ("time", "pitch_angle", "energy"),
                flux.astype(np.float32),
                {"units": "1/(cm^2 s sr keV)", "FILLVAL": -1e31},
            ),
            "L": ("time", rng.uniform(2, 6, n_records)),
        },
        coords={
            "time": time,
            "pitch_angle": ("pitch_angle", angle, {"units": "deg"}),
            "energy": ("energy", energy, {"units": "keV"}),
            "kind": ("time", kind),
        },
    )
    return ds if chunks is None else ds.chunk(chunks)


QUICK = {"epochs": 8, "k": 3, "batch_size": 64, "progress": False}
"""Settings for tests that need a fitted model, not a good one."""
