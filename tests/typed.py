"""What type checkers know of xpad: mypy reads this (`files` in pyproject.toml), and nothing runs it.

Where a line is said to be wrong and mypy finds nothing wrong with it, that is an error.
"""

from typing import assert_type

import numpy as np
import xarray as xr

import xpad
from xpad.accessor import PadAccessor
from xpad.plot import PadPlots


def functions(ds: xr.Dataset, model: xpad.Model) -> None:
    assert_type(xpad.cluster(ds, k=6), xr.Dataset)
    assert_type(xpad.cluster(ds, return_model=True), tuple[xr.Dataset, xpad.Model])
    assert_type(xpad.flux(ds), xr.DataArray)
    assert_type(xpad.plot.plot_k(ds), np.ndarray)
    assert_type(xpad.PRESETS["killey2023"], xpad.Settings)
    assert_type(xpad.__version__, str)
    xpad.fit(ds, kk=6)  # type: ignore[call-arg]
    xpad.predict(model, ds)  # type: ignore[arg-type]
    xpad.register()  # type: ignore[attr-defined]


def methods(pad: PadAccessor[xr.Dataset], model: xpad.Model) -> None:
    assert_type(pad(x=1), xr.Dataset)
    assert_type(pad.flux, xr.DataArray)
    assert_type(pad.fit("FEDU", epochs=20, memory="2GiB"), xpad.Model)
    assert_type(pad.cluster(k=6), xr.Dataset)
    assert_type(pad.cluster(return_model=True), tuple[xr.Dataset, xpad.Model])
    assert_type(pad.check(min_coverage=0.5), xpad.Check)
    assert_type(pad.predict_to_zarr(model, "out.zarr"), xr.Dataset)
    assert_type(pad.plot, PadPlots)
    pad.fit(kk=6)  # type: ignore[call-arg]
    pad.cluster(kk=6)  # type: ignore[call-overload]
    pad.predict("FEDU")  # type: ignore[arg-type]


def pictures(plot: PadPlots, flux: xr.DataArray) -> None:
    assert_type(plot.catalogue(flux, min_positive=0.2), np.ndarray)
    plot.labels(flux, bins=10)  # type: ignore[call-arg]
