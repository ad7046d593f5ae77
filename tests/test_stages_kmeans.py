"""k-means, Ward and the scores against scikit-learn."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn import cluster, metrics

from xpad.errors import NotEnoughDataError, OptionError
from xpad.stages import kmeans, scores, ward


def blobs(n=2000, seed=0, kinds=5):
    r = np.random.default_rng(seed)
    kind = r.choice(kinds, n, p=np.arange(1, kinds + 1) / (kinds * (kinds + 1) / 2))
    return (5 * r.normal(size=(kinds, 3)))[kind] + r.normal(size=(n, 3))


@pytest.mark.parametrize("seed", range(3))
def test_kmeans_labels_equal_sklearns(seed):
    x = blobs(seed=seed)
    theirs = cluster.KMeans(5, n_init=10, random_state=0).fit(x)
    ours = kmeans.fit(x, 5)
    labels = kmeans.assign(ours.centres, x)
    assert metrics.adjusted_rand_score(theirs.labels_, labels) == pytest.approx(1, abs=1e-3)
    assert ours.inertia == pytest.approx(theirs.inertia_, rel=1e-6)
    np.testing.assert_array_equal(ours.counts, np.bincount(labels))
    assert ours.centres.dtype == np.float64
    assert labels.dtype == np.int16


@pytest.mark.parametrize("fit", [kmeans.fit, ward.fit])
def test_groups_are_ordered_by_size(fit):
    groups = fit(blobs(), 5)
    assert (np.diff(groups.counts) <= 0).all()
    assert groups.counts.sum() == 2000
    equal = fit(np.array([[9.0, 1.0], [0.0, 3.0], [0.0, 2.0]]), 3)
    assert equal.centres.tolist() == [[0, 2], [0, 3], [9, 1]]


@pytest.mark.parametrize("fit", [kmeans.fit, ward.fit])
def test_the_same_seed_gives_the_same_bytes(fit):
    x = blobs().astype(np.float32)
    assert fit(x, 4).centres.tobytes() == fit(x, 4).centres.tobytes()


@pytest.mark.parametrize("fit", [kmeans.fit, ward.fit])
def test_one_group_is_the_mean(fit):
    x = blobs()
    groups = fit(x, 1)
    np.testing.assert_allclose(groups.centres, [x.mean(axis=0)])
    assert groups.counts.tolist() == [2000]
    assert groups.inertia == pytest.approx(np.square(x - x.mean(axis=0)).sum())


@pytest.mark.parametrize("fit", [kmeans.fit, ward.fit])
def test_more_groups_than_distinct_points(fit):
    x = np.repeat([[0.0, 1.0], [2.0, 3.0]], 3000, axis=0)
    assert fit(x, 2).counts.tolist() == [3000, 3000]
    with pytest.raises(NotEnoughDataError, match=r"k=3 .* 6000 .* 2 distinct"):
        fit(x, 3)
    with pytest.raises(NotEnoughDataError, match="0 distinct"):
        fit(x[:0], 1)


@pytest.mark.parametrize("fit", [kmeans.fit, ward.fit])
def test_bad_points_are_refused(fit):
    with pytest.raises(OptionError, match="k=0"):
        fit(blobs(), 0)
    with pytest.raises(OptionError, match="not all finite"):
        fit([[np.nan], [1.0]], 1)
    with pytest.raises(OptionError, match=r"shape \(3,\)"):
        fit([1.0, 2.0, 3.0], 1)


@settings(max_examples=20, deadline=None)
@given(st.lists(st.integers(0, 40_000), max_size=6))
def test_a_rows_label_does_not_depend_on_its_company(cuts):
    x = blobs(40_000).astype(np.float32)
    centres = blobs(7, seed=3)
    whole = kmeans.assign(centres, x)
    parts = [kmeans.assign(centres, part) for part in np.split(x, sorted(cuts))]
    np.testing.assert_array_equal(np.concatenate(parts), whole)
    nearest = np.square(x[:, None].astype(float) - centres).sum(axis=2).argmin(axis=1)
    np.testing.assert_array_equal(whole, nearest)


def test_ties_go_to_the_lowest_index_and_nan_to_none():
    centres = np.array([[3.0], [1.0], [3.0]])
    assert kmeans.assign(centres, [[2.0], [3.0], [np.nan], [0.0]]).tolist() == [0, 0, -1, 1]


def test_ward_equals_sklearns_where_all_points_are_taken():
    x = blobs(800)
    theirs = cluster.AgglomerativeClustering(5, linkage="ward").fit_predict(x)
    means = np.stack([x[theirs == group].mean(axis=0) for group in range(5)])
    groups = ward.fit(x, 5)
    np.testing.assert_allclose(np.sort(groups.centres, axis=0), np.sort(means, axis=0))
    np.testing.assert_array_equal(groups.counts, np.bincount(kmeans.assign(groups.centres, x)))


def test_ward_on_a_sample_finds_the_same_groups():
    x = blobs(6000)
    all_, sample = ward.fit(x, 5), ward.fit(x, 5, max_samples=1000)
    assert sample.counts.sum() == 6000
    same = metrics.adjusted_rand_score(
        kmeans.assign(all_.centres, x), kmeans.assign(sample.centres, x)
    )
    assert same > 0.9
    other = ward.fit(x, 5, max_samples=1000, random_state=1)
    assert not np.array_equal(sample.centres, other.centres)
    with pytest.raises(OptionError, match="max_samples=4"):
        ward.fit(x, 5, max_samples=4)


@pytest.mark.parametrize(
    ("ours", "theirs"),
    [
        (scores.calinski_harabasz, metrics.calinski_harabasz_score),
        (scores.davies_bouldin, metrics.davies_bouldin_score),
    ],
)
def test_scores_equal_sklearns(ours, theirs):
    x = blobs(500)
    labels = kmeans.assign(kmeans.fit(x, 5).centres, x)
    assert ours(x, labels) == pytest.approx(theirs(x, labels))
    unusable = np.arange(500) % 7 == 0
    holed = np.where(unusable[:, None], np.nan, x)
    assert ours(holed, np.where(unusable, -1, labels)) == pytest.approx(
        theirs(x[~unusable], labels[~unusable])
    )
    assert np.isnan(ours(x, np.zeros(500, int)))
    assert np.isnan(ours(x[:3], [0, 1, 2]))
    assert np.isnan(ours(x[:0], []))
