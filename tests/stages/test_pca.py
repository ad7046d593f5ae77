"""Principal components against scikit-learn."""

import functools

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn import decomposition

from xpad.errors import NotEnoughDataError, OptionError
from xpad.stages.pca import Moments, from_moments, inverse, project


def fit(x, n_components):
    return from_moments(Moments.of(x, np.zeros(x.shape[1])), n_components)


def rows(n=500, h=10, seed=0):
    r = np.random.default_rng(seed)
    return np.maximum(r.normal(size=(n, h)) @ r.normal(size=(h, h)) + 3, 0).astype(np.float32)


@pytest.mark.parametrize("seed", range(4))
@pytest.mark.parametrize("shape", [(500, 10), (40, 30), (20_000, 102)])
def test_equals_sklearn(shape, seed):
    x = rows(*shape, seed)
    ours, theirs = fit(x, 3), decomposition.PCA(3).fit(x.astype(np.float64))
    signs = np.sign(np.sum(ours.components * theirs.components_, axis=1, keepdims=True))
    np.testing.assert_allclose(ours.mean, theirs.mean_, rtol=1e-10)
    np.testing.assert_allclose(ours.components, signs * theirs.components_, atol=1e-8)
    np.testing.assert_allclose(ours.explained_variance, theirs.explained_variance_, rtol=1e-9)
    np.testing.assert_allclose(
        ours.explained_variance_ratio, theirs.explained_variance_ratio_, rtol=1e-9
    )
    scale = np.abs(x).max()
    np.testing.assert_allclose(
        project(ours, x), theirs.transform(x) * signs[:, 0], atol=1e-6 * scale
    )
    np.testing.assert_allclose(
        inverse(ours, project(ours, x)),
        theirs.inverse_transform(theirs.transform(x)),
        atol=1e-5 * scale,
    )
    assert ours.n_samples == shape[0]


def test_the_largest_coordinate_of_a_component_is_positive():
    components = fit(rows(), 6).components
    assert (components[np.arange(6), np.abs(components).argmax(axis=1)] > 0).all()


@settings(deadline=None)
@given(st.data())
def test_merging_does_not_depend_on_the_order(data):
    x = rows(200, 5)
    cuts = sorted(data.draw(st.lists(st.integers(0, 200), max_size=5)))
    shifts = data.draw(st.lists(st.integers(-3, 3), min_size=len(cuts) + 1, max_size=len(cuts) + 1))
    parts = [
        Moments.of(part, np.full(5, float(shift)))
        for part, shift in zip(np.split(x, cuts), shifts, strict=True)
    ]
    parts = data.draw(st.permutations(parts))
    merged, whole = functools.reduce(lambda a, b: a + b, parts), fit(x, 3)
    assert merged.count == 200
    again = from_moments(merged, 3)
    np.testing.assert_allclose(again.mean, whole.mean, rtol=1e-12)
    np.testing.assert_allclose(again.components, whole.components, atol=1e-9)
    np.testing.assert_allclose(again.explained_variance, whole.explained_variance, rtol=1e-9)


def test_a_shift_keeps_the_digits_of_rows_far_from_zero():
    x = rows(1000, 6).astype(np.float64)
    far = from_moments(Moments.of(x + 1e7, np.full(6, 1e7)), 3)
    np.testing.assert_allclose(far.components, fit(x, 3).components, atol=1e-7)


def test_dead_and_constant_features_and_few_directions():
    r = np.random.default_rng(0)
    x = r.normal(size=(300, 2)) @ r.normal(size=(2, 8))  # two directions
    x[:, 3] = 0
    x[:, 4] = 7
    ours, theirs = fit(x, 4), decomposition.PCA(2).fit(x)
    np.testing.assert_allclose(np.abs(ours.components[:2]), np.abs(theirs.components_), atol=1e-9)
    assert not ours.components[2:].any()
    assert not ours.explained_variance[2:].any()
    assert ours.explained_variance_ratio.sum() == pytest.approx(1)
    np.testing.assert_allclose(inverse(ours, project(ours, x)), x, atol=1e-5)


def test_rows_that_do_not_vary_at_all():
    pca = fit(np.full((50, 4), 0.1), 3)
    assert not pca.components.any()
    assert not pca.explained_variance_ratio.any()
    assert not project(pca, np.full((2, 4), 0.1)).any()


def test_more_components_than_features():
    pca = fit(rows(50, 2), 3)
    assert pca.components.shape == (3, 2)
    assert not pca.components[2].any()
    assert project(pca, rows(5, 2)).shape == (5, 3)


@given(st.lists(st.integers(0, 40_000), max_size=5))
@settings(max_examples=15, deadline=None)
def test_a_rows_projection_does_not_depend_on_its_company(cuts):
    x = rows(40_000, 7)
    pca = fit(x[:500], 3)
    parts = [project(pca, part) for part in np.split(x, sorted(cuts))]
    assert np.concatenate(parts).tobytes() == project(pca, x).tobytes()


def test_too_few_rows():
    with pytest.raises(NotEnoughDataError, match="3 usable records and there are 2"):
        fit(rows(2, 5), 3)
    with pytest.raises(NotEnoughDataError, match="2 usable records and there are 1"):
        fit(rows(1, 5), 1)
    with pytest.raises(NotEnoughDataError, match="there are 0"):
        fit(rows(0, 5), 1)


def test_bad_rows_are_refused():
    x = rows(20, 5)
    x[3, 3] = np.nan
    with pytest.raises(OptionError, match="not all finite"):
        fit(x, 2)
    with pytest.raises(OptionError, match=r"\(20, 5\).*\(4,\)"):
        Moments.of(x, np.zeros(4))
    with pytest.raises(OptionError, match="n_components=0"):
        fit(rows(), 0)


@pytest.mark.parametrize("width", [1, 4, 6])
def test_rows_of_another_width_are_refused(width):
    with pytest.raises(OptionError, match=rf"\(3, {width}\); wanted \(rows, 5\)"):
        project(fit(rows(20, 5), 2), np.ones((3, width)))


@pytest.mark.parametrize("dtype", ["f2", ">f4", ">f8", "i4"])
def test_rows_of_other_types(dtype):
    pca, x = fit(rows(20, 5), 2), np.arange(10.0).reshape(2, 5)
    np.testing.assert_array_equal(project(pca, x.astype(dtype)), project(pca, x))


@pytest.mark.parametrize("dtype", ["f2", ">f4", "f4", ">f8", "i4"])
@pytest.mark.parametrize("order", ["C", "F"])
def test_moments_of_other_types(dtype, order):
    x = np.asarray(np.arange(40.0).reshape(8, 5) % 7, dtype, order=order)
    shift = np.arange(5.0) / 3
    found, shifted = Moments.of(x, shift), x.astype(float) - shift
    np.testing.assert_allclose(found.total, shifted.sum(axis=0), rtol=1e-12)
    np.testing.assert_allclose(found.outer, shifted.T @ shifted, rtol=1e-12)
