"""A small flux with gaps and zeros, and labels of its records."""

import numpy as np
import pytest
import xarray as xr

ENERGIES = [1.8, 2.6, 5.2]
ANGLES = np.linspace(5.0, 175.0, 7)


@pytest.fixture
def flux() -> xr.DataArray:
    random = np.random.default_rng(1)
    values = random.gamma(1.0, 50.0, size=(300, 3, 7)).astype("f4")
    values[random.random(values.shape) < 0.1] = np.nan
    values[random.random(values.shape) < 0.2] = 0.0
    values[:, 2, 6] = np.nan  # never measured
    values[7] = 0.0  # no positive value
    times = np.datetime64("2013-01-01", "ns") + np.arange(300) * np.timedelta64(11, "s")
    return xr.DataArray(
        values,
        dims=("Epoch", "energy", "pitch_angle"),
        coords={
            "Epoch": times,
            "energy": ("energy", ENERGIES, {"units": "MeV"}),
            "pitch_angle": ("pitch_angle", ANGLES, {"units": "degree"}),
        },
        attrs={"units": "cm-2 s-1 sr-1 MeV-1"},
        name="FEDU",
    )


@pytest.fixture
def out(flux) -> xr.Dataset:
    label = np.random.default_rng(2).integers(-1, 4, flux.sizes["Epoch"]).astype("i2")
    return xr.Dataset(
        {
            "pad_label": ("Epoch", label),
            "pad_centre": (("pad_cluster", "pad_component"), np.zeros((4, 3))),
        },
        coords={"Epoch": flux.Epoch},
    )
