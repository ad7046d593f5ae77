"""Mean shift against scikit-learn."""

import functools

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.spatial.distance import cdist
from sklearn import cluster

from xpad.errors import NotEnoughDataError, OptionError
from xpad.stages import meanshift
from xpad.stages.meanshift import Cells, estimate_bandwidth, modes, modes_of_cells


def clouds(n, dimensions=3, seed=0, kinds=6):
    """Curved, stretched clouds of unequal density."""
    r = np.random.default_rng(seed)
    kind = r.choice(kinds, n, p=r.dirichlet(np.ones(kinds)))
    x = np.empty((n, dimensions))
    stretch = np.array([0.6] + [0.2] * (dimensions - 1))
    for i in range(kinds):
        z = r.normal(size=((kind == i).sum(), dimensions))
        y = z @ (r.normal(size=(dimensions, dimensions)) * stretch[:, None])
        y[:, -1] += 0.3 * z[:, 0] ** 2
        x[kind == i] = y + 2 * r.normal(size=dimensions)
    return x


def sklearn_modes(x, bandwidth):
    return cluster.MeanShift(bandwidth=bandwidth, bin_seeding=True).fit(x).cluster_centers_


def apart(a, b):
    """The greatest distance from a mode of one set to the nearest of the other."""
    if len(a) != len(b):
        return np.inf
    between = cdist(a, b)
    return max(between.min(axis=0).max(), between.min(axis=1).max())


@pytest.mark.parametrize("quantile", [0.03, 0.1, 0.3])
@pytest.mark.parametrize("n", [900, 7000])
def test_bandwidth_equals_sklearns(n, quantile):
    x = clouds(n)
    expected = cluster.estimate_bandwidth(x, quantile=quantile, n_samples=6000, random_state=0)
    assert estimate_bandwidth(x, quantile=quantile) == expected


@pytest.mark.parametrize("quantile", [0.03, 0.1, 0.2, 0.3])
@pytest.mark.parametrize("dimensions", [1, 2, 3, 4, 5])
def test_modes_equal_sklearns(dimensions, quantile):
    stable = 0
    for seed in range(2):
        x = clouds(500, dimensions, seed=10 * dimensions + seed)
        bandwidth = estimate_bandwidth(x, quantile=quantile)
        expected = sklearn_modes(x, bandwidth)
        jitter = 1e-6 * np.random.default_rng(seed).normal(size=x.shape)
        if apart(expected, sklearn_modes(x + jitter, bandwidth)) > 0.005 * bandwidth:
            continue
        stable += 1
        found = modes(x, bandwidth)
        assert found.modes.shape == expected.shape
        np.testing.assert_allclose(found.modes, expected, atol=1e-6 * bandwidth)  # and the order
        inside = cdist(expected, x) <= bandwidth
        assert np.abs(found.intensity / inside.sum(axis=1) - 1).max() < 0.1
    assert stable


def test_it_stops_as_sklearn_stops():
    x = clouds(6000, seed=4)
    expected = cluster.MeanShift(bandwidth=1.5, bin_seeding=True).fit(x)
    found = modes(x, 1.5)
    assert found.n_iter == expected.n_iter_
    np.testing.assert_allclose(found.modes, expected.cluster_centers_, atol=1e-9)
    cut = cluster.MeanShift(bandwidth=1.5, bin_seeding=True, max_iter=3).fit(x)
    found = modes(x, 1.5, max_iter=3)
    assert found.n_iter == cut.n_iter_ == 3
    np.testing.assert_allclose(found.modes, cut.cluster_centers_, atol=1e-9)


def test_a_seed_at_every_point():
    x = clouds(300, seed=2)
    expected = cluster.MeanShift(bandwidth=1.0).fit(x).cluster_centers_
    np.testing.assert_allclose(modes(x, 1.0, bin_seeding=False).modes, expected, atol=1e-9)


def test_bins_as_many_as_points():
    x = np.arange(12.0).reshape(4, 3) * 10
    with pytest.warns(UserWarning, match="Binning data failed"):
        expected = sklearn_modes(x, 1.0)
    np.testing.assert_array_equal(modes(x, 1.0).modes, expected)


@pytest.mark.parametrize(
    ("x", "bandwidth"),
    [
        ([[0], [0], [2]], 2.0),
        ([[0, 0, 0], [0, 0, 0], [3, 4, 0], [40, 0, 0]], 5.0),
        ([[1, 1], [2, 1], [1, 0], [4, 7], [3, 5], [3, 6]], 2.0),
    ],
)
def test_points_at_exactly_the_bandwidth_are_within(x, bandwidth):
    x = np.array(x, float)
    np.testing.assert_allclose(modes(x, bandwidth).modes, sklearn_modes(x, bandwidth), atol=1e-9)


@settings(max_examples=40, deadline=None)
@given(st.integers(0, 10_000), st.integers(1, 5), st.floats(0.02, 3))
def test_a_balls_sum_is_over_all_points_within(seed, dimensions, radius):
    x = clouds(2000, dimensions, seed=seed % 7)
    r = np.random.default_rng(seed)
    weight = r.integers(1, 5, len(x))
    lines = meanshift._Lines(x, weight, radius)
    for centre in x[r.integers(0, len(x), 5)] + r.normal(size=(5, dimensions)) * radius:
        within = np.square(x - centre).sum(axis=1) <= radius**2
        total, count = lines.ball(centre)
        assert count == weight[within].sum()
        np.testing.assert_allclose(total, weight[within] @ x[within], atol=1e-7)


def test_outliers_far_away_cost_no_memory():
    x = np.concatenate([clouds(2000), [[0, 0, 1e7], [0, 0, -1e7], [3e6, 0, 0]]])
    lines = meanshift._Lines(x, np.ones(len(x)), 0.5)
    assert len(lines._begins) < 2_000_000
    assert len(modes(x, 0.5).modes) == len(modes(x[:-3], 0.5).modes) + 3


@pytest.mark.parametrize("seed", range(3))
def test_cells_find_the_modes_of_many_points(seed):
    x = clouds(60_000, seed=seed)
    bandwidth = estimate_bandwidth(x)
    exact, binned = modes(x, bandwidth), modes(x, bandwidth, max_points=1000)
    assert apart(exact.modes, binned.modes) < 0.01 * bandwidth
    assert not np.array_equal(exact.modes, binned.modes)
    np.testing.assert_allclose(binned.intensity, exact.intensity, rtol=0.01)


@settings(deadline=None)
@given(st.lists(st.integers(0, 500), max_size=5))
def test_merged_cells_are_the_cells_of_the_whole(cuts):
    x = clouds(500)
    whole = Cells.of(x, 0.3)
    merged = functools.reduce(
        lambda a, b: a + b, [Cells.of(part, 0.3) for part in np.split(x, sorted(cuts))]
    )
    np.testing.assert_array_equal(merged.index, whole.index)
    np.testing.assert_array_equal(merged.count, whole.count)
    np.testing.assert_allclose(merged.total, whole.total, atol=1e-12)
    assert whole.count.sum() == 500


def test_cells_of_another_size_are_refused():
    x = clouds(50)
    with pytest.raises(OptionError, match="do not fit bandwidth"):
        modes_of_cells(Cells.of(x, 0.3), 1.0)
    with pytest.raises(OptionError, match="cannot be merged"):
        Cells.of(x, 0.3) + Cells.of(x, 0.2)


def test_the_same_bytes_again():
    x = clouds(3000)
    assert modes(x, 0.9).modes.tobytes() == modes(x, 0.9).modes.tobytes()


def test_assign_takes_the_nearest_mode():
    x = clouds(1000)
    fitted = cluster.MeanShift(bandwidth=1.0, bin_seeding=True).fit(x)
    np.testing.assert_array_equal(meanshift.assign(fitted.cluster_centers_, x), fitted.labels_)


def test_what_cannot_be_done_is_said():
    with pytest.raises(NotEnoughDataError, match="bandwidth of mean shift is 0"):
        modes(np.zeros((10, 3)), estimate_bandwidth(np.zeros((10, 3))))
    with pytest.raises(NotEnoughDataError, match="no point"):
        modes(np.zeros((0, 3)), 1.0)
    with pytest.raises(NotEnoughDataError, match="there are 1"):
        estimate_bandwidth(np.zeros((1, 3)))
    with pytest.raises(OptionError, match="bandwidth=-1"):
        modes(np.zeros((10, 3)), -1)
    with pytest.raises(OptionError, match="not all finite"):
        modes(np.full((10, 3), np.nan), 1.0)
    with pytest.raises(OptionError, match="quantile=2"):
        estimate_bandwidth(np.zeros((10, 3)), quantile=2)
