"""Mean shift against scikit-learn."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.spatial.distance import cdist
from sklearn import cluster

import xpad
from xpad.errors import NotEnoughDataError, OptionError
from xpad.stages.cells import CELLS_PER_BANDWIDTH, Cells
from xpad.stages.k_rules import meanshift
from xpad.stages.k_rules.meanshift import estimate_bandwidth, modes, modes_of_cells
from xpad.stages.nearest import nearest


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
    assert estimate_bandwidth(x, quantile=quantile) == pytest.approx(expected, rel=1e-12)


@pytest.mark.slow
@pytest.mark.parametrize("quantile", [0.03, 0.1, 0.2, 0.3])
@pytest.mark.parametrize("dimensions", [1, 2, 3, 4, 5])
def test_modes_equal_sklearns(dimensions, quantile):
    stable = 0
    for seed in range(2):
        x = clouds(300, dimensions, seed=10 * dimensions + seed)
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


@settings(max_examples=40, deadline=None)
@given(st.integers(0, 10_000), st.integers(1, 5), st.floats(0.02, 3), st.floats(0.01, 0.5))
def test_a_ball_takes_a_share_of_what_has_depth(seed, dimensions, radius, deepest):
    x = clouds(2000, dimensions, seed=seed % 7)
    r = np.random.default_rng(seed)
    weight = r.integers(1, 5, len(x))
    depth = deepest * radius * r.choice([0, 0.5, 1], len(x))
    lines = meanshift._Lines(x, weight, radius, depth)
    for centre in x[r.integers(0, len(x), 5)] + r.normal(size=(5, dimensions)) * radius:
        inward = radius - np.linalg.norm(x - centre, axis=1)
        share = np.where(depth > 0, inward / np.where(depth > 0, depth, 1) + 0.5, inward >= 0)
        within = weight * np.clip(share, 0, 1)
        total, count = lines.ball(centre)
        assert count == pytest.approx(within.sum(), abs=1e-9)
        np.testing.assert_allclose(total, within @ x, atol=1e-7)


@pytest.mark.parametrize("far", [1e7, 1e15])
def test_outliers_far_away_cost_no_memory(far):
    x = np.concatenate([clouds(2000), [[0, 0, far], [0, 0, -far], [0.3 * far, 0, 0]]])
    lines = meanshift._Lines(x, np.ones(len(x)), 0.5)
    assert len(lines._begins) < 2_000_000
    assert len(modes(x, 0.5).modes) == len(modes(x[:-3], 0.5).modes) + 3


# ------------------------------------------------------------------------------------------ cells


def stable_modes(x, bandwidth):
    """scikit-learn's modes, and which of them stay where they are when the points tremble."""
    theirs = sklearn_modes(x, bandwidth)
    moved = sklearn_modes(x + np.random.default_rng(0).normal(0, 1e-6, x.shape), bandwidth)
    if moved.shape != theirs.shape:
        return theirs, None
    return theirs, np.linalg.norm(theirs - moved, axis=1) < 0.005 * bandwidth


def assert_cells_find(x, bandwidth):
    """The accuracy that is promised; whether scikit-learn's own modes were stable."""
    theirs, stable = stable_modes(x, bandwidth)
    if stable is None:
        return False
    found = modes(x, bandwidth, max_points=0).modes
    assert len(found) == len(theirs)
    distance = cdist(theirs, found).min(axis=1)
    assert (distance[stable] < 0.01 * bandwidth).all()
    return True


@pytest.mark.slow
@pytest.mark.parametrize("seed", range(2))
@pytest.mark.parametrize("quantile", [0.03, 0.1, 0.2, 0.3])
def test_cells_find_sklearns_modes(seed, quantile):
    x = clouds(500, seed=seed).astype(np.float32).astype(float)
    assert assert_cells_find(x, estimate_bandwidth(x, quantile=quantile))


@pytest.mark.slow
@pytest.mark.parametrize(
    ("files", "variable"), [("mms_fpi/*.cdf", None), ("rbsp_hope/*.cdf", "FEDU")]
)
@pytest.mark.filterwarnings("ignore::xpad.XpadWarning")
def test_cells_find_sklearns_modes_of_real_components(shared_data, files, variable):
    ds = xpad.open_dataset(str(shared_data / files))
    out = xpad.cluster(ds, variable, encoder=None, k=3, progress=False)
    x = out.pad_pc.values[out.pad_split.values == 2].astype(float)[:1500]
    checked = [assert_cells_find(x, estimate_bandwidth(x, quantile=q)) for q in (0.1, 0.3)]
    assert any(checked)


@pytest.mark.parametrize("seed", range(3))
def test_cells_find_the_modes_of_many_points(seed):
    x = clouds(60_000, seed=seed)
    bandwidth = estimate_bandwidth(x)
    exact, binned = modes(x, bandwidth), modes(x, bandwidth, max_points=1000)
    assert apart(exact.modes, binned.modes) < 0.01 * bandwidth
    assert not np.array_equal(exact.modes, binned.modes)
    np.testing.assert_allclose(binned.intensity, exact.intensity, rtol=0.01)


def test_cells_cut_by_the_ball_count_in_part():
    x = np.random.default_rng(0).random((800_000, 3)) * 4
    bandwidth, n = 1.0, 16
    lines = meanshift._Lines(x, np.ones(len(x)), bandwidth)
    cells = Cells.of(x, bandwidth / n)
    assert len(cells) < 0.6 * len(x)
    hard = meanshift._Lines(cells.centroid, cells.count, bandwidth)
    depth = np.minimum(np.sqrt(12) * cells.spread, cells.size)
    soft = meanshift._Lines(cells.centroid, cells.count, bandwidth, depth)
    errors = {"hard": [], "soft": []}
    for centre in np.random.default_rng(1).uniform(1.2, 2.8, (40, 3)):
        total, count = lines.ball(centre)
        for name, other in (("hard", hard), ("soft", soft)):
            about, weight = other.ball(centre)
            errors[name].append(about / weight - total / count)
    rms = {name: np.sqrt(np.mean(np.square(e))) for name, e in errors.items()}
    assert rms["soft"] < 5e-4
    assert rms["soft"] < 0.7 * rms["hard"]


@settings(max_examples=40, deadline=None)
@given(
    st.lists(st.tuples(*[st.integers(-40, 40)] * 2), min_size=1, max_size=60),
    st.sampled_from([1.0, 2.0, 4.0, 16.0]),
)
def test_points_on_borders_are_rounded_as_numpy_rounds(points, bandwidth):
    x = np.array(points) / 2
    cells = Cells.of(x, bandwidth / CELLS_PER_BANDWIDTH)
    half = CELLS_PER_BANDWIDTH // 2
    ours = np.unique((cells.index + half) // CELLS_PER_BANDWIDTH, axis=1).T
    np.testing.assert_array_equal(ours, np.unique(np.round(x / bandwidth), axis=0))
    coarse = Cells.of(x, bandwidth / CELLS_PER_BANDWIDTH, max_cells=4)
    n = round(bandwidth / coarse.size)
    if n > 1:
        ours = np.unique((coarse.index + n // 2) // n, axis=1).T
        np.testing.assert_array_equal(ours, np.unique(np.round(x / bandwidth), axis=0))


@pytest.mark.parametrize(
    ("x", "bandwidth"),
    [
        ([[0], [0], [2]], 2.0),
        ([[0, 0, 0], [0, 0, 0], [3, 4, 0], [40, 0, 0]], 5.0),
        ([[1, 1], [2, 1], [1, 0], [4, 7], [3, 5], [3, 6]], 2.0),
    ],
)
def test_cells_of_points_that_coincide_are_as_the_points(x, bandwidth):
    x = np.array(x * 3, float)
    found = modes(x, bandwidth, max_points=0)
    expected = modes(x, bandwidth)
    np.testing.assert_allclose(found.modes, expected.modes, atol=1e-9)
    np.testing.assert_array_equal(found.intensity, expected.intensity)


def test_cells_start_where_points_start():
    x = np.repeat(clouds(300, seed=3), 2, axis=0)
    expected, found = (modes(x, 0.9, max_iter=0, max_points=n) for n in (10**6, 0))
    assert len(expected.modes) > 20
    np.testing.assert_allclose(found.modes, expected.modes, atol=1e-9)
    np.testing.assert_array_equal(found.intensity, expected.intensity)


def test_cells_of_single_points_start_at_the_points():
    x = np.array([[0.3], [1.45]])
    with pytest.warns(UserWarning, match="Binning data failed"):
        expected = sklearn_modes(x, 1.0)
    np.testing.assert_allclose(modes(x, 1.0, max_points=0).modes, expected)
    assert len(expected) == 2


@settings(deadline=None)
@given(st.lists(st.integers(0, 500), max_size=6), st.sampled_from([10**6, 400, 60]), st.randoms())
def test_merged_cells_are_the_cells_of_the_whole(cuts, max_cells, random):
    x = clouds(500)
    whole = Cells.of(x, 0.05, max_cells)
    parts = [Cells.of(part, 0.05, max_cells) for part in np.split(x, sorted(cuts))]
    while len(parts) > 1:  # any tree
        a, b = (parts.pop(random.randrange(len(parts))) for _ in range(2))
        parts.append(a + b)
    (merged,) = parts
    assert merged.size == whole.size
    np.testing.assert_array_equal(merged.index, whole.index)
    np.testing.assert_array_equal(merged.count, whole.count)
    np.testing.assert_allclose(merged.moments, whole.moments, atol=1e-12)
    np.testing.assert_allclose(merged.spread, whole.spread, atol=1e-7)
    assert whole.count.sum() == 500
    assert len(whole) <= max_cells


@settings(deadline=None)
@given(
    st.integers(1, 5),
    st.sampled_from([1, 2, 3, 8]),
    # So far that the cells' numbers fit together into 64 bits hardly, or not at all.
    st.sampled_from([1.0, 1e3, 1e4, 1e5, 1e6, 1e15]),
    st.sampled_from([0.0, 1e12]),
)
def test_cells_hold_what_is_in_them(dimensions, factor, outlier, mean):
    x = clouds(300, dimensions, seed=dimensions)
    x[7] *= outlier
    x += mean
    cells = Cells.of(x, 0.25).coarsened(factor)
    place = np.floor(np.floor(x / 0.25) / factor)
    index, member = np.unique(place, axis=0, return_inverse=True)
    member = member.reshape(-1)
    np.testing.assert_array_equal(cells.index.T, index)
    np.testing.assert_array_equal(cells.count, np.bincount(member))
    for i in range(len(index)):
        inside = x[member == i]
        np.testing.assert_allclose(cells.centroid[i], inside.mean(axis=0), rtol=1e-12)
        if not mean:
            spread = np.sqrt(inside.var(axis=0).mean())
            np.testing.assert_allclose(cells.spread[i], spread, atol=1e-6)


def test_points_that_coincide_have_no_spread():
    x = np.repeat(clouds(200, seed=1), 3, axis=0)
    cells = Cells.of(x, 1e-3)
    assert len(cells) == 200
    np.testing.assert_array_equal(cells.spread, 0)


def test_cells_of_nothing_add_nothing():
    x = clouds(50)
    none, some = Cells.of(x[:0], 0.3), Cells.of(x, 0.3)
    assert len(none) == len(none + none) == 0
    for both in (none + some, some + none):
        np.testing.assert_array_equal(both.moments, some.moments)
    with pytest.raises(NotEnoughDataError, match="no point"):
        modes_of_cells(none, 0.3 * CELLS_PER_BANDWIDTH)


def test_cells_of_another_size_are_refused():
    x = clouds(50)
    with pytest.raises(OptionError, match="do not fit bandwidth"):
        modes_of_cells(Cells.of(x, 0.3), 1.0)
    with pytest.raises(OptionError, match="do not fit bandwidth"):
        modes_of_cells(Cells.of(x, 1.0), 1.0)
    with pytest.raises(OptionError, match="cannot be merged"):
        Cells.of(x, 0.3) + Cells.of(x, 0.2)
    with pytest.raises(OptionError, match="factor=0"):
        Cells.of(x, 0.3).coarsened(0)


def test_the_same_bytes_again():
    x = clouds(3000)
    assert modes(x, 0.9).modes.tobytes() == modes(x, 0.9).modes.tobytes()


def test_assign_takes_the_nearest_mode():
    x = clouds(1000)
    fitted = cluster.MeanShift(bandwidth=1.0, bin_seeding=True).fit(x)
    np.testing.assert_array_equal(nearest(fitted.cluster_centers_, x), fitted.labels_)


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
