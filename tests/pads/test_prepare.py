"""Records ready for the pipeline: what each of them measured."""

import numpy as np
import pytest

from xpad.pads.blocks import Piece
from xpad.pads.grid import Grid
from xpad.pads.prepare import Preparation
from xpad.pads.valid import measured
from xpad.settings import Settings


def grid(energies, angles):
    return Grid(np.arange(1.0, energies + 1), np.linspace(0, 180, angles), "MeV", "1")


def prepared(flux, grid):
    return Preparation.of_all(grid, Settings()).pads(Piece(flux, None, None, measured(flux)))


@pytest.mark.parametrize("n", [0, 1, 7])
@pytest.mark.parametrize("shape", [(1, 1), (12, 17), (3, 85), (16, 16), (40, 36)])
@pytest.mark.parametrize("swapped", [False, True])
def test_bins_are_counted_in_any_order_and_number(n, shape, swapped):
    rng = np.random.default_rng(0)
    flux = rng.choice(np.array([np.nan, 0, 1, 1, 1], np.float32), size=(n, *shape))
    if swapped:
        flux = np.ascontiguousarray(flux.swapaxes(1, 2)).swapaxes(1, 2)
    pads = prepared(flux, grid(*shape))
    np.testing.assert_array_equal(pads.n_measured, (~np.isnan(flux)).sum(axis=(1, 2)))
    np.testing.assert_array_equal(pads.n_positive, (flux > 0).sum(axis=(1, 2)))
    assert pads.n_measured.dtype == pads.n_positive.dtype == np.int32


def test_records_all_measured_are_counted_in_full():
    """A count that wrapped around would be 0 at 256 bins."""
    flux = np.ones((3, 16, 16), np.float32)
    assert prepared(flux, grid(16, 16)).n_positive.tolist() == [256] * 3


@pytest.mark.parametrize(("scale", "divided"), [(1.0, False), (1e-20, False), (1e-37, True)])
def test_what_is_left_to_divide_makes_the_normalised(scale, divided):
    """Of a flux near the least of float32, nothing is left: XLA would take much of it for zero."""
    rng = np.random.default_rng(0)
    flux = (scale * rng.uniform(0.01, 1, (5, 3, 4))).astype(np.float32)
    flux[1, 2] = np.nan
    flux[2] = 0
    flux[3] = np.nan
    pads = prepared(flux, grid(3, 4))
    values, over = pads.with_divisors()
    assert (over is None) == divided
    if over is not None:
        values = values / over[:, None, None]
    np.testing.assert_array_equal(values, pads.normalised())
