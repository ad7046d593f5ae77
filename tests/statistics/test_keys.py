"""Keys: runs of records along time, apart for each of the other dimensions."""

import numpy as np
import pytest
import xarray as xr

from xpad.statistics.keys import Runs


@pytest.mark.parametrize("axis", [0, 1, 2])
@pytest.mark.parametrize("length", [1, 2, 3, 7, 10])
def test_runs_are_counted_along_one_dimension(axis, length):
    sizes = (4, 7, 5)
    runs = Runs(sizes, axis, length)
    run = runs(np.arange(np.prod(sizes))).reshape(sizes)
    along = np.moveaxis(run, axis, -1)
    bins = -(-sizes[axis] // length)
    assert runs.shape == (*along.shape[:-1], bins)
    np.testing.assert_array_equal(along % bins, np.arange(sizes[axis]) // length + 0 * along)
    apart = along // bins
    assert (apart == apart[..., :1]).all()
    np.testing.assert_array_equal(apart[..., 0].ravel(), np.arange(apart[..., 0].size))


def test_runs_of_a_flux_are_along_its_times():
    times = np.datetime64("2013-01-01", "ns") + np.arange(6) * np.timedelta64(1, "s")
    flux = xr.DataArray(
        np.ones((6, 1, 2, 3)),
        dims=("time", "energy", "probe", "pitch_angle"),
        coords={"time": times},
    )
    assert Runs.of(flux, 4) == Runs(sizes=(2, 6), axis=1, length=4)
    assert Runs.of(flux.drop_vars("time"), 4).axis == 0  # the last dimension of its own
