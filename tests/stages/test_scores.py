"""The scores against scikit-learn, of points in memory and in parts."""

import pickle
from functools import partial

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn import metrics

from xpad.stages import scores
from xpad.stages.nearest import nearest
from xpad.stages.parts import over

CENTRES = np.random.default_rng(0).normal(size=(6, 3))


def points(n=3000, seed=0):
    return np.random.default_rng(seed).normal(size=(n, 3))


def theirs(x, labels):
    return metrics.calinski_harabasz_score(x, labels), metrics.davies_bouldin_score(x, labels)


@pytest.mark.parametrize(
    ("ours", "sklearns"),
    [
        (scores.calinski_harabasz, metrics.calinski_harabasz_score),
        (scores.davies_bouldin, metrics.davies_bouldin_score),
    ],
)
def test_scores_equal_sklearns(ours, sklearns):
    x = points(500)
    labels = nearest(CENTRES, x)
    assert ours(x, labels) == pytest.approx(sklearns(x, labels), rel=1e-9)
    assert ours(x, 100 * labels + 7) == pytest.approx(sklearns(x, labels), rel=1e-9)
    unusable = np.arange(500) % 7 == 0
    holed = np.where(unusable[:, None], np.nan, x)
    assert ours(holed, np.where(unusable, -1, labels)) == pytest.approx(
        sklearns(x[~unusable], labels[~unusable]), rel=1e-9
    )
    assert np.isnan(ours(x, np.zeros(500, int)))
    assert np.isnan(ours(x[:3], [0, 1, 2]))
    assert np.isnan(ours(x[:0], []))
    assert np.isnan(ours(x, np.full(500, -1)))


@settings(max_examples=25, deadline=None)
@given(st.lists(st.integers(0, 3000), max_size=6), st.integers(0, 20))
def test_scores_of_parts_are_those_of_the_whole(cuts, seed):
    x = points(seed=seed)
    x[::9] = np.nan
    usable = np.isfinite(x[:, 0])
    inner = over(np.split(x, sorted(cuts)))
    found = scores.of_parts(
        lambda f: inner(pickle.loads(pickle.dumps(f))), partial(nearest, CENTRES), 6
    )
    expected = theirs(x[usable], nearest(CENTRES, x[usable]))
    np.testing.assert_allclose(found, expected, rtol=1e-9)


def test_a_label_without_rows_is_no_group():
    x = points()
    far = np.concatenate([CENTRES[:2], [[99.0, 99, 99]], CENTRES[2:]])
    found = scores.of_parts(over([x[:1000], x[1000:]]), partial(nearest, far), 9)
    np.testing.assert_allclose(found, theirs(x, nearest(CENTRES, x)), rtol=1e-9)
    alone = scores.of_parts(over([x]), partial(nearest, [[0.0] * 3, [99.0] * 3]), 2)
    assert np.isnan(alone).all()


@pytest.mark.parametrize("shift", [0.0, 2.0**20])
def test_a_large_mean_costs_no_digits(shift):
    x = np.round(points() * 1024) / 1024  # so that adding the mean rounds nothing
    labels = nearest(CENTRES, x)
    expected = theirs(x, labels)
    far = x + 2.0**20
    found = scores.of_parts(over(np.split(far, 5)), partial(nearest, CENTRES + 2.0**20), 6, shift)
    np.testing.assert_allclose(found, expected, rtol=1e-9)
    np.testing.assert_allclose(scores.calinski_harabasz(far, labels), expected[0], rtol=1e-12)
    np.testing.assert_allclose(scores.davies_bouldin(far, labels), expected[1], rtol=1e-12)


def test_tight_groups_far_apart():
    kind = np.arange(3000) % 3
    x = 1e-6 * points() + 1e3 * kind[:, None]
    about = x - 1e3 * kind[:, None]
    groups = [about[kind == i] - about[kind == i].mean(axis=0) for i in range(3)]
    within = sum(np.square(g).sum() for g in groups)
    between = 1000 * 3 * 2 * 1e3**2
    assert scores.calinski_harabasz(x, kind) == pytest.approx(
        between / 2 / (within / 2997), rel=1e-6
    )
    radius = [np.linalg.norm(g, axis=1).mean() for g in groups]
    # Neighbours are √3 · 1000 apart; each group is most like the neighbour that is wider.
    alike = [radius[0] + radius[1], radius[1] + max(radius[0], radius[2]), radius[2] + radius[1]]
    assert scores.davies_bouldin(x, kind) == pytest.approx(
        np.mean(alike) / (np.sqrt(3) * 1e3), rel=1e-6
    )


def test_points_that_coincide():
    x, labels = np.repeat([[0.0], [1.0]], 5, axis=0), np.repeat([0, 1], 5)
    assert scores.calinski_harabasz(x, labels) == metrics.calinski_harabasz_score(x, labels) == 1
    assert scores.davies_bouldin(x, labels) == metrics.davies_bouldin_score(x, labels) == 0
    same = np.zeros((6, 1))
    assert scores.davies_bouldin(same, [0, 0, 0, 1, 1, 1]) == 0
    crossed = np.array([[-1.0], [1.0], [-1.0], [1.0], [8.0], [9.0]])
    labels = [0, 0, 1, 1, 2, 2]  # the first two groups have one mean
    found = scores.davies_bouldin(crossed, labels)
    assert found == pytest.approx(metrics.davies_bouldin_score(crossed, labels), rel=1e-12)
