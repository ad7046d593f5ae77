"""The steps against scikit-learn's, on the same components of simulated and real PADs."""

import warnings

import numpy as np
import pytest
from sklearn import cluster, decomposition, metrics

import xpad
from xpad.errors import XpadWarning
from xpad.stages.k_rules import meanshift
from xpad.stages.nearest import nearest

pytestmark = [
    pytest.mark.slow,
    pytest.mark.filterwarnings("ignore:the autoencoder has hardly:xpad.XpadWarning"),
    pytest.mark.filterwarnings("ignore:the energies of:xpad.XpadWarning"),
]

SHORT = {"epochs": 20, "progress": False}


@pytest.fixture(
    scope="module", params=["simulated", "simulated, max_energy", "MMS FPI", "HOPE", "JEDI"]
)
def case(request):
    """A result, its model, and the rows and components of the test split."""
    if request.param.startswith("simulated"):
        ds = xpad.simulate(days=1, seed=3)
        options = {"normalise": "max_energy"} if "max_energy" in request.param else {}
    else:
        data = request.getfixturevalue("shared_data")
        files = {
            "MMS FPI": ("mms_fpi/*.cdf", None),
            "HOPE": ("rbsp_hope/*.cdf", "FEDU"),
            "JEDI": ("juno_jedi/*PA_O.d2s", None),
        }
        pattern, variable = files[request.param]
        ds, options = xpad.open_dataset(str(data / pattern)), {"variable": variable}
    with warnings.catch_warnings():
        # Of few records, modes of hardly any and missing bins: the oracle has the same.
        warnings.simplefilter("ignore", XpadWarning)
        out, model = xpad.cluster(ds, return_model=True, **options, **SHORT)
    tested = out.pad_split.values == 2
    encoded = xpad.encode(ds, model, options.get("variable")).values[tested]
    return out, model, encoded, out.pad_pc.values[tested].astype(np.float64)


def test_components(case):
    _, model, encoded, components = case
    oracle = decomposition.PCA(3, svd_solver="full").fit(encoded.astype(np.float64))
    scale = np.sqrt(oracle.explained_variance_[0])
    theirs = oracle.transform(encoded.astype(np.float64))
    signs = np.sign((theirs * components).sum(axis=0))
    np.testing.assert_allclose(components, theirs * signs, rtol=0, atol=1e-5 * scale * 10)
    np.testing.assert_allclose(
        model.explained_variance_ratio, oracle.explained_variance_ratio_, rtol=1e-4, atol=1e-7
    )


def test_bandwidth(case):
    _, model, _, components = case
    oracle = cluster.estimate_bandwidth(components, quantile=0.1, n_samples=6000, random_state=0)
    assert model.bandwidth == pytest.approx(oracle, rel=1e-9)


def test_modes_where_the_oracle_itself_is_stable(case):
    _, model, _, components = case

    def oracle(points):
        found = cluster.MeanShift(bandwidth=model.bandwidth, bin_seeding=True, n_jobs=2).fit(points)
        return found.cluster_centers_

    theirs = oracle(components)
    jitter = np.random.default_rng(0).normal(0, 1e-6, components.shape)
    moved = oracle(components + jitter)
    assert model.modes.shape[0] == meanshift.modes(components, model.bandwidth).modes.shape[0]
    if moved.shape != theirs.shape:
        pytest.skip("the number of scikit-learn's own modes changes when points move by 1e-6")
    stable = np.linalg.norm(theirs - moved, axis=1) < 0.005 * model.bandwidth
    assert len(model.modes) == len(theirs)
    distance = np.linalg.norm(model.modes - theirs, axis=1)
    assert (distance[stable] < 0.01 * model.bandwidth).all()
    assert stable.any()


def test_labels(case):
    out, model, _, components = case
    tested = out.pad_split.values == 2
    oracle = cluster.KMeans(model.k, random_state=0, n_init=10).fit(components)
    ours = out.pad_label.values[tested]
    assert metrics.adjusted_rand_score(oracle.labels_, ours) >= 0.999
    np.testing.assert_array_equal(ours, nearest(model.centres, components))


def test_scores(case):
    out, model, _, components = case
    labels = out.pad_label.values[out.pad_split.values == 2]
    scores = model.scores["kmeans"]
    assert scores["calinski_harabasz"] == pytest.approx(
        metrics.calinski_harabasz_score(components, labels), rel=1e-6
    )
    assert scores["davies_bouldin"] == pytest.approx(
        metrics.davies_bouldin_score(components, labels), rel=1e-6
    )
