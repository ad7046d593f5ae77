"""Single stages on the same arrays: xpad's functions beside those of other libraries."""

from __future__ import annotations

import argparse
import time
from collections.abc import Callable
from functools import partial
from typing import Any

import numpy as np
import sidebyside
from sidebyside import LEFT_OUT, Runs, imported, markdown, median, times, verdict

K = 8
COMPONENTS = 3
ENCODED = 102
"""Numbers that an encoded REPT record has."""
BLOCK = 65_536
SAMPLE = 6000
QUANTILE = 0.1
FIRST = 2000
"""Points of a first call, for what is loaded or compiled in it."""
AT_LEAST_MEAN_SHIFT = 15
AT_MOST_TEN_TIMES = 1.5
"""What is asked of mean shift: to scikit-learn, and of ten times as many points."""

Fit = Callable[[np.ndarray], dict[str, float]]


# -------------------------------------------------------------------------------------- the arrays


def points(n: int) -> np.ndarray:
    """A mixture of anisotropic Gaussians in three dimensions, as components may lie; float32."""
    rng = np.random.default_rng(0)
    centres = rng.uniform(-4, 4, (K, COMPONENTS))
    axes = rng.normal(0, 1, (K, COMPONENTS, COMPONENTS)) * rng.uniform(0.1, 0.6, (K, COMPONENTS, 1))
    group = rng.choice(K, n, p=rng.dirichlet(np.full(K, 5.0)))
    found = np.empty((n, COMPONENTS), dtype=np.float32)
    for i in range(K):
        own = group == i
        found[own] = centres[i] + rng.normal(size=(own.sum(), COMPONENTS)) @ axes[i]
    return found


def encodings(n: int) -> np.ndarray:
    """Rows of what a layer with ReLU may make of such points, with some noise; float32."""
    rng = np.random.default_rng(1)
    kernel = rng.normal(size=(COMPONENTS, ENCODED)).astype(np.float32)
    rows = points(n) @ kernel
    rows += np.float32(0.1) * rng.standard_normal(rows.shape, dtype=np.float32)
    return np.maximum(rows, 0, out=rows)


def blocks(x: np.ndarray) -> list[np.ndarray]:
    return [x[start : start + BLOCK] for start in range(0, len(x), BLOCK)]


# ------------------------------------------------------------------------------- PCA and projection


def pca_xpad() -> Fit:
    """As a fit does it: sums over blocks in two threads, then the projection of each block."""
    from concurrent.futures import ThreadPoolExecutor
    from functools import reduce
    from operator import add

    from threadpoolctl import threadpool_limits

    from xpad.stages import pca

    def run(x: np.ndarray) -> dict[str, float]:
        shift = x[:BLOCK].mean(axis=0, dtype=np.float64)
        with ThreadPoolExecutor(2) as pool, threadpool_limits(1, user_api="blas"):
            moments = reduce(add, pool.map(partial(pca.Moments.of, shift=shift), blocks(x)))
            found = pca.from_moments(moments, COMPONENTS)
            np.concatenate(list(pool.map(partial(pca.project, found), blocks(x))))
        return {"variance": float(found.explained_variance.sum())}

    return run


def pca_sklearn() -> Fit:
    from sklearn.decomposition import PCA

    def run(x: np.ndarray) -> dict[str, float]:
        found = PCA(COMPONENTS)
        found.fit_transform(x)
        return {"variance": float(found.explained_variance_.sum())}

    return run


def pca_dask_ml(name: str) -> Fit:
    import dask.array as da
    from dask_ml import decomposition
    from threadpoolctl import threadpool_limits

    # As it comes, IncrementalPCA goes on by some hundred rows, which takes minutes.
    options = {"batch_size": BLOCK} if name == "IncrementalPCA" else {}
    estimator = getattr(decomposition, name)(n_components=COMPONENTS, **options)

    def run(x: np.ndarray) -> dict[str, float]:
        lazy = da.from_array(x, chunks=(BLOCK, -1), name=False)
        with threadpool_limits(1, user_api="blas"):  # dask's threads are as many as the cores
            found = estimator.fit(lazy)
            np.asarray(found.transform(lazy))
        return {"variance": float(np.sum(found.explained_variance_))}

    return run


def pca_xeofs() -> Fit:
    import xarray as xr
    from xeofs.single import EOF

    def run(x: np.ndarray) -> dict[str, float]:
        coords = {"record": np.arange(len(x)), "feature": np.arange(x.shape[1])}
        found = EOF(n_modes=COMPONENTS)
        found.fit(xr.DataArray(x, coords, ("record", "feature")), dim="record")
        found.scores().compute()
        return {"variance": float(found.explained_variance().sum())}

    return run


# ------------------------------------------------------------------------------------------ k-means


def kmeans_xpad() -> Fit:
    from xpad.stages.labellers import kmeans

    return lambda x: {"inertia": kmeans.fit(x, K, n_init=10, random_state=0).inertia / len(x)}


def kmeans_xpad_parts() -> Fit:
    """Starts on cells, which are binned here too, and exact steps over parts in two threads."""
    from xpad.fitting.components import Components
    from xpad.stages.k_rules import meanshift
    from xpad.stages.labellers import kmeans

    def run(x: np.ndarray) -> dict[str, float]:
        reduce = Components(len(x), x[:0], _rows=x).reduce
        bandwidth = meanshift.estimate_bandwidth(x[:FIRST], quantile=QUANTILE)
        size = bandwidth / meanshift.CELLS_PER_BANDWIDTH
        cells = reduce(partial(meanshift.Cells.of, size=size))
        found = kmeans.fit_parts(reduce, cells, K, n_init=10, random_state=0)
        return {"inertia": found.inertia / len(x)}

    return run


def kmeans_sklearn(name: str) -> Fit:
    from sklearn import cluster

    estimator = getattr(cluster, name)
    return lambda x: {
        "inertia": float(estimator(K, n_init=10, random_state=0).fit(x).inertia_) / len(x)
    }


def kmeans_dask_ml() -> Fit:
    import dask.array as da
    from dask_ml.cluster import KMeans
    from threadpoolctl import threadpool_limits

    def run(x: np.ndarray) -> dict[str, float]:
        lazy = da.from_array(x, chunks=(BLOCK, -1), name=False)
        with threadpool_limits(1, user_api="blas"):
            return {"inertia": float(KMeans(K, random_state=0).fit(lazy).inertia_) / len(x)}

    return run


# --------------------------------------------------------------------------------------- mean shift


def mean_shift_xpad() -> Fit:
    from xpad.stages.k_rules import meanshift

    def run(x: np.ndarray) -> dict[str, float]:
        bandwidth = meanshift.estimate_bandwidth(
            x, quantile=QUANTILE, n_samples=SAMPLE, random_state=0
        )
        found = meanshift.modes(x, bandwidth, max_points=len(x))
        return {"bandwidth": bandwidth, "k": len(found.modes)}

    return run


def mean_shift_sklearn() -> Fit:
    from sklearn.cluster import MeanShift, estimate_bandwidth

    def run(x: np.ndarray) -> dict[str, float]:
        bandwidth = estimate_bandwidth(x, quantile=QUANTILE, n_samples=SAMPLE, random_state=0)
        found = MeanShift(bandwidth=bandwidth, bin_seeding=True, n_jobs=2).fit(x)
        return {"bandwidth": float(bandwidth), "k": len(found.cluster_centers_)}

    return run


# ------------------------------------------------------------------------- in a process of its own

CASES: dict[str, dict[str, Callable[[], Fit]]] = {
    "PCA": {
        "xpad": pca_xpad,
        "scikit-learn PCA": pca_sklearn,
        "dask_ml PCA": partial(pca_dask_ml, "PCA"),
        "dask_ml IncrementalPCA": partial(pca_dask_ml, "IncrementalPCA"),
        "xeofs EOF": pca_xeofs,
    },
    "k-means": {
        "xpad fit": kmeans_xpad,
        "xpad fit_parts": kmeans_xpad_parts,
        "scikit-learn KMeans": partial(kmeans_sklearn, "KMeans"),
        "scikit-learn MiniBatchKMeans": partial(kmeans_sklearn, "MiniBatchKMeans"),
        "dask_ml KMeans (one start)": kmeans_dask_ml,
    },
    "mean shift": {"xpad": mean_shift_xpad, "scikit-learn": mean_shift_sklearn},
}
ARRAYS = {"PCA": encodings, "k-means": points, "mean shift": points}


def stage(of: str, case: str, n: int) -> dict[str, Any]:
    """One call of one library's stage."""
    run, reason = imported(CASES[of][case])
    if run is None:
        return {LEFT_OUT: reason}
    x = ARRAYS[of](n)
    run(x[:FIRST])
    begun = time.perf_counter()
    found = run(x)
    return found | {"seconds": time.perf_counter() - begun}


def cells(n: int) -> dict[str, Any]:
    """Mean shift with its bandwidth on cells, and before it the binning of the points."""
    from xpad.fitting.components import Components
    from xpad.stages.k_rules import meanshift

    x = points(n)
    sample = x[np.random.RandomState(0).permutation(n)[:SAMPLE]]
    components = Components(n, sample, _rows=x)

    def bandwidth() -> float:
        return meanshift.estimate_bandwidth(sample, quantile=QUANTILE, n_samples=len(sample))

    size = bandwidth() / meanshift.CELLS_PER_BANDWIDTH
    begun = time.perf_counter()
    binned = components.reduce(partial(meanshift.Cells.of, size=size))
    at_binned = time.perf_counter()
    found = meanshift.modes_of_cells(binned, bandwidth())
    ended = time.perf_counter()
    return {"binning": at_binned - begun, "seconds": ended - at_binned, "cells": len(binned),
            "k": len(found.modes)}  # fmt: skip


TASKS = {"stage": stage, "cells": cells}


# --------------------------------------------------------------------------------------- the tables


def measured(of: str, arguments: argparse.Namespace) -> Runs:
    def run(case: str, number: int) -> dict[str, Any]:
        return sidebyside.task("stage", of=of, case=case, n=arguments.points)

    return sidebyside.alternating(
        {case: partial(run, case) for case in CASES[of]}, arguments.repeats
    )


def stages(arguments: argparse.Namespace) -> str:
    """PCA and k-means."""
    lines = [
        f"{arguments.points:,} rows of {ENCODED} to {COMPONENTS} components, fitted and projected; k-means "
        f"of as many points, k = {K}, 10 starts where not said otherwise. In memory as float32, medians "
        f"of {arguments.repeats} processes in turn.",
        "",
        library_table(measured("PCA", arguments), "variance", "variance of the components"),
        "",
        library_table(measured("k-means", arguments), "inertia", "mean squared distance"),
    ]
    return "\n".join(lines)


def library_table(runs: Runs, result: str, about: str) -> str:
    """Seconds of each, how many times those of the first, and what each found."""
    first = median(next(iter(runs.values())), "seconds")
    rows = []
    for name, found in runs.items():
        if LEFT_OUT in found[0]:
            rows.append([name, f"left out: {found[0][LEFT_OUT]}", "", ""])
            continue
        own = median(found, "seconds")
        rows.append([name, f"{own:.3f}", times(own / first), f"{median(found, result):.5g}"])
    return markdown(["", "seconds", "over the first", about], rows)


def mean_shift(arguments: argparse.Namespace) -> str:
    """Against scikit-learn, and ten times as many points on cells."""
    runs = measured("mean shift", arguments)
    own, other = (median(runs[name], "seconds") for name in ("xpad", "scikit-learn"))
    k = {name: found[0]["k"] for name, found in runs.items()}
    sizes = (arguments.points, 10 * arguments.points)
    binned = sidebyside.alternating(
        {f"{n:,}": lambda _, n=n: sidebyside.task("cells", n=n) for n in sizes}, arguments.repeats
    )
    few, many = (median(found, "seconds") for found in binned.values())
    rows = [
        [name, *(f"{median(found, key):.3f}" for key in ("binning", "seconds")),
         f"{found[0]['cells']:,}", str(found[0]["k"])]
        for name, found in binned.items()
    ]  # fmt: skip
    same = "the same" if len(set(k.values())) == 1 else "NOT the same"
    lines = [
        f"Mean shift with its bandwidth, {arguments.points:,} points in {COMPONENTS} dimensions; "
        f"scikit-learn with bin seeding and two jobs. Medians of {arguments.repeats} processes in turn.",
        "",
        library_table(runs, "k", "k"),
        "",
        f"Against scikit-learn {times(other / own)}, at least {AT_LEAST_MEAN_SHIFT} × wanted: "
        f"{verdict(other / own >= AT_LEAST_MEAN_SHIFT)}; k is {same}.",
        "",
        "On cells, after the pass over the points that bins them:",
        "",
        markdown(["points", "binning, s", "mean shift with bandwidth, s", "cells", "k"], rows),
        "",
        f"Ten times the points take {times(many / few)} the time, at most {AT_MOST_TEN_TIMES} × wanted: "
        f"{verdict(many / few <= AT_MOST_TEN_TIMES)}. Where there would be more than a million cells, they "
        "are made wider.",
    ]
    return "\n".join(lines)
