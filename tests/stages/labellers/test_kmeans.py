"""k-means and Ward against scikit-learn, of points in memory and in parts."""

import itertools
import pickle
from functools import reduce

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn import cluster, metrics

from xpad.errors import NotEnoughDataError, OptionError
from xpad.stages.cells import Cells
from xpad.stages.labellers import kmeans, ward
from xpad.stages.nearest import nearest
from xpad.stages.parts import over


def blobs(n=2000, seed=0, kinds=5):
    r = np.random.default_rng(seed)
    kind = r.choice(kinds, n, p=np.arange(1, kinds + 1) / (kinds * (kinds + 1) / 2))
    return (5 * r.normal(size=(kinds, 3)))[kind] + r.normal(size=(n, 3))


@pytest.mark.parametrize("seed", range(3))
def test_kmeans_labels_equal_sklearns(seed):
    x = blobs(seed=seed)
    theirs = cluster.KMeans(5, n_init=10, random_state=0).fit(x)
    ours = kmeans.fit(x, 5)
    labels = nearest(ours.centres, x)
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
    whole = nearest(centres, x)
    parts = [nearest(centres, part) for part in np.split(x, sorted(cuts))]
    np.testing.assert_array_equal(np.concatenate(parts), whole)
    expected = np.square(x[:, None].astype(float) - centres).sum(axis=2).argmin(axis=1)
    np.testing.assert_array_equal(whole, expected)


def test_ties_go_to_the_lowest_index_and_nan_to_none():
    centres = np.array([[3.0], [1.0], [3.0]])
    assert nearest(centres, [[2.0], [3.0], [np.nan], [0.0]]).tolist() == [0, 0, -1, 1]


def test_ward_equals_sklearns_where_all_points_are_taken():
    x = blobs(800)
    theirs = cluster.AgglomerativeClustering(5, linkage="ward").fit_predict(x)
    means = np.stack([x[theirs == group].mean(axis=0) for group in range(5)])
    groups = ward.fit(x, 5)
    np.testing.assert_allclose(np.sort(groups.centres, axis=0), np.sort(means, axis=0))
    np.testing.assert_array_equal(groups.counts, np.bincount(nearest(groups.centres, x)))


def test_ward_on_a_sample_finds_the_same_groups():
    x = blobs(6000)
    all_, sample = ward.fit(x, 5), ward.fit(x, 5, max_samples=1000)
    assert sample.counts.sum() == 6000
    same = metrics.adjusted_rand_score(nearest(all_.centres, x), nearest(sample.centres, x))
    assert same > 0.9
    other = ward.fit(x, 5, max_samples=1000, random_state=1)
    assert not np.array_equal(sample.centres, other.centres)
    with pytest.raises(OptionError, match="max_samples=4"):
        ward.fit(x, 5, max_samples=4)


# ------------------------------------------------------------------------------------------ parts


def test_few_statistics_of_many_parts_are_held():
    """Those of cells take tens of megabytes each."""

    class Held:
        alive = most = 0

        def __init__(self, n):
            self.n = n
            Held.alive += 1
            Held.most = max(Held.most, Held.alive)

        def __del__(self):
            Held.alive -= 1

        def __add__(self, other):
            return Held(self.n + other.n)

    total = over(np.ones((4000, 1, 3)))(lambda part: Held(len(part)))
    assert total.n == 4000
    assert Held.most <= 7


def pickled(parts):
    """Reduce over parts as another process would do it: the function is pickled."""
    inner = over(parts)
    return lambda f: inner(pickle.loads(pickle.dumps(f)))


def split(x, rows):
    return [x[i : i + rows] for i in range(0, len(x), rows)]


def uniform(n, c, seed):
    return np.random.default_rng(seed).random((n, c)) ** 2


def shifted(n, c, seed):
    return 1e4 + np.random.default_rng(seed).normal(size=(n, c)) * np.arange(1, c + 1)


def oracle(x, start, **options):
    """scikit-learn's from the same start, its groups in our order."""
    fitted = cluster.KMeans(len(start), init=start, n_init=1, algorithm="lloyd", **options).fit(x)
    count = np.bincount(fitted.labels_, minlength=len(start))
    order = np.lexsort((*fitted.cluster_centers_.T[::-1], -count))
    return fitted, order, count


def assert_equal_to(found, x, start, **options):
    theirs, order, count = oracle(x, start, **options)
    scale = np.abs(theirs.cluster_centers_).max()
    np.testing.assert_allclose(found.centres, theirs.cluster_centers_[order], atol=1e-9 * scale)
    np.testing.assert_array_equal(found.counts, count[order])
    assert found.inertia == pytest.approx(theirs.inertia_, rel=1e-9)
    assert found.n_iter == theirs.n_iter_
    rank = np.empty(len(order), int)
    rank[order] = np.arange(len(order))
    np.testing.assert_array_equal(nearest(found.centres, x), rank[theirs.labels_])


@pytest.mark.parametrize("rows", [97, 1000, 40_000])
@pytest.mark.parametrize(("k", "c"), [(1, 2), (2, 1), (5, 3), (9, 3), (14, 4)])
@pytest.mark.parametrize("data", [uniform, shifted])
def test_lloyd_equals_sklearns_from_the_same_start(data, k, c, rows):
    x = data(4000, c, seed=k)
    start = x[np.random.default_rng(c).choice(len(x), k, replace=False)]
    found = kmeans.lloyd(pickled(split(x, rows)), start)
    assert_equal_to(found, x, start)
    assert found.reseeded == 0


@pytest.mark.parametrize("options", [{"tol": 0.0}, {"tol": 1e-2}, {"max_iter": 3}, {"max_iter": 1}])
def test_lloyd_stops_as_sklearn_stops(options):
    x = uniform(3000, 3, seed=1)
    assert_equal_to(kmeans.lloyd(over(split(x, 700)), x[:6], **options), x, x[:6], **options)


@pytest.mark.parametrize("far", [[(50.0, 50.0, 50.0)], [(50.0, 50.0, 50.0), (-70.0, 10.0, 0.0)]])
@pytest.mark.parametrize("rows", [150, 3000])
def test_a_centre_without_points_goes_where_sklearn_puts_it(far, rows, caplog):
    x = blobs(3000, seed=8)
    start = np.concatenate([x[:4], far])
    with caplog.at_level("INFO", logger="xpad.stages.labellers.kmeans"):
        found = kmeans.lloyd(over(split(x, rows)), start)
    assert found.reseeded == len(far)
    assert f"{len(far)} groups started anew" in caplog.text
    assert (found.counts > 0).all()
    assert_equal_to(found, x, start)


def test_the_step_that_starts_groups_anew_is_sklearns():
    x = blobs(3000, seed=8)
    start = np.concatenate([x[:4], [[50.0] * 3]])
    found = kmeans.lloyd(over(split(x, 150)), start, max_iter=1)
    assert_equal_to(found, x, start, max_iter=1)


@pytest.mark.filterwarnings("ignore:Number of distinct clusters")
def test_a_group_that_gives_away_its_only_point():
    x = np.array([[0.0]] * 5 + [[1.0]] * 5 + [[90.0]])
    start = np.array([[0.0], [100.0], [900.0]])
    first = kmeans.lloyd(over([x]), start, max_iter=1)
    assert_equal_to(first, x, start, max_iter=1)
    assert first.centres.tolist() == [[0.5], [90.0], [0.5]]
    last = kmeans.lloyd(over([x]), start)
    assert last.centres.tolist() == [[0.0], [1.0], [90.0]]
    assert last.reseeded == 2


@pytest.mark.parametrize("tol", [0, 1e-4, 1e9])
def test_no_group_is_left_empty(tol):
    # The farthest points coincide, so that of two groups started there one has none again.
    x = np.array([[0.0]] * 5 + [[1.0]] + [[10.0]] * 2)
    found = kmeans.lloyd(over([x]), [[0.0], [50.0], [60.0]], tol=tol)
    assert found.counts.tolist() == [5, 2, 1]
    assert found.centres.tolist() == [[0.0], [10.0], [1.0]]
    assert found.inertia == 0


@pytest.mark.parametrize(("tol", "more"), [(0.0, 0), (1e-2, 1)])
def test_one_pass_a_step(tol, more):
    x, passes = uniform(2000, 3, seed=2), []

    def counted(f):
        passes.append(f)
        return f(x)

    found = kmeans.lloyd(counted, x[:4], tol=tol)
    assert len(passes) == found.n_iter + more


def test_rows_that_are_not_finite_are_left_out():
    x = blobs(2000)
    holed = x.copy()
    holed[::7, 1], holed[::11, 0] = np.nan, np.inf
    whole = np.isfinite(holed).all(axis=1)
    found = kmeans.lloyd(over(split(holed, 300)), x[:5])
    expected = kmeans.lloyd(over([x[whole]]), x[:5])
    np.testing.assert_array_equal(found.counts, expected.counts)
    np.testing.assert_allclose(found.centres, expected.centres)
    assert found.inertia == pytest.approx(expected.inertia)


@settings(max_examples=40, deadline=None)
@given(
    st.lists(st.tuples(*[st.integers(-3, 3)] * 2), max_size=40),
    st.lists(st.tuples(*[st.integers(-3, 3)] * 2), min_size=1, max_size=6),
    st.lists(st.integers(0, 40), max_size=4),
    st.randoms(),
)
def test_sums_are_those_of_all_points_in_any_order(points, centres, cuts, random):
    x, centres = np.array(points, float).reshape(-1, 2), np.array(centres, float)
    squared = np.square(x[:, None] - centres).sum(axis=2)
    label = squared.argmin(axis=1) if len(x) else np.zeros(0, int)
    nearest = squared.min(axis=1)
    parts = [kmeans.Sums.of(part, centres) for part in np.split(x, sorted(cuts))]
    random.shuffle(parts)
    found = reduce(lambda a, b: a + b, parts)
    np.testing.assert_array_equal(found.count, np.bincount(label, minlength=len(centres)))
    for i in range(len(centres)):
        np.testing.assert_array_equal(found.total[i], x[label == i].sum(axis=0))
    assert found.squared == nearest.sum()
    farthest = np.lexsort((*x.T[::-1], -nearest))[: len(centres)]
    np.testing.assert_array_equal(found.far, x[farthest])
    np.testing.assert_array_equal(found.far_squared, nearest[farthest])
    np.testing.assert_array_equal(found.far_label, label[farthest])
    expected = x.var(axis=0).mean() if len(x) else 0
    assert found.variance(centres) == pytest.approx(expected, abs=1e-12)


def test_the_farthest_points_of_many():
    x = uniform(50_000, 3, seed=3).astype(np.float32)
    x[40_000:40_010] = 9
    centres = x[:7]
    found = kmeans.Sums.of(x, centres)
    distance = np.square(x[:, None].astype(float) - centres).sum(axis=2).min(axis=1)
    np.testing.assert_allclose(found.far_squared, np.sort(distance)[::-1][:7], rtol=1e-12)
    np.testing.assert_array_equal(found.far, np.full((7, 3), 9))


def test_other_parts_give_the_same_labels_and_the_same_parts_the_same_bytes():
    x = blobs(50_000, seed=4).astype(np.float32)
    cells = Cells.of(x, 0.5)
    fits = [kmeans.fit_parts(over(split(x, rows)), cells, 6) for rows in (999, 999, 16_384, 50_000)]
    assert fits[0].centres.tobytes() == fits[1].centres.tobytes()
    labels = [nearest(f.centres, x) for f in fits]
    for a, b in itertools.combinations(labels, 2):
        assert np.mean(a == b) >= 0.99999


@pytest.mark.slow
@pytest.mark.parametrize(("k", "seed"), [(2, 0), (5, 0), (5, 1), (8, 1)])
def test_parts_find_groups_as_good_as_sklearns(k, seed):
    x = blobs(6000, seed=seed)
    theirs = [cluster.KMeans(k, n_init=10, random_state=i).fit(x) for i in range(3)]
    ours = kmeans.fit_parts(over(split(x, 2500)), Cells.of(x, 0.05), k)
    assert ours.inertia <= 1.001 * np.median([t.inertia_ for t in theirs])
    assert (np.diff(ours.counts) <= 0).all()
    labels = nearest(ours.centres, x)
    np.testing.assert_array_equal(ours.counts, np.bincount(labels))
    assert ours.inertia == pytest.approx(np.square(x - ours.centres[labels]).sum())
    if k == 5:  # as many as there are, so that there is one optimum
        assert metrics.adjusted_rand_score(theirs[0].labels_, labels) > 0.99


def test_starts_on_coarse_cells_are_near():
    x = blobs(30_000, seed=2)
    fine, coarse = (kmeans.starts(Cells.of(x, 0.01), 5, max_cells=m) for m in (100_000, 400))
    apart = np.linalg.norm(fine[:, None] - coarse, axis=2).min(axis=1)
    assert 0 < apart.max() < 0.1
    again = kmeans.starts(Cells.of(x, 0.01), 5, max_cells=400)
    assert again.tobytes() == coarse.tobytes()
    other = kmeans.starts(Cells.of(x, 0.01), 5, n_init=1, random_state=5, max_cells=400)
    assert other.tobytes() != coarse.tobytes()


def test_too_few_points_in_parts():
    x = np.repeat([[0.0, 1.0], [2.0, 3.0]], 3000, axis=0)
    cells = Cells.of(x, 0.1)
    assert kmeans.fit_parts(over(split(x, 100)), cells, 2).counts.tolist() == [3000, 3000]
    with pytest.raises(NotEnoughDataError, match=r"k=3 .* 2 cells"):
        kmeans.fit_parts(over([x]), cells, 3)
    with pytest.raises(NotEnoughDataError, match=r"k=3 .* 6000 .* 2 distinct"):
        kmeans.lloyd(over([x]), [[0.0, 1.0], [0.0, 0.0], [2.0, 2.0]])
    with pytest.raises(NotEnoughDataError, match="0 distinct"):
        kmeans.lloyd(over([x[:0]]), x[:1])
    with pytest.raises(OptionError, match="k=0"):
        kmeans.fit_parts(over([x]), cells, 0)
    with pytest.raises(OptionError, match="no part"):
        over([])(len)


def test_a_reduction_merges_by_a_tree_in_order():
    class Text(str):
        def __add__(self, other):
            return Text(f"({self}{other})")

    assert over("abcde")(Text) == "(((ab)(cd))e)"
    assert over("abcdefg")(Text) == "(((ab)(cd))((ef)g))"


@pytest.mark.parametrize("shape", [(4, 2), (4, 6), (4,)])
def test_points_of_another_width_than_the_centres_are_refused(shape):
    with pytest.raises(OptionError, match=r"centres \(3, 4\)"):
        nearest(np.ones((3, 4)), np.ones(shape))


@pytest.mark.parametrize("dtype", ["f2", ">f4", "i4"])
def test_points_of_other_types(dtype):
    assert nearest([[0.0], [4.0]], np.array([[1], [3]], dtype)).tolist() == [0, 1]
