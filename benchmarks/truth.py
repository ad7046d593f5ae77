"""Clusters against the simulated truth: adjusted Rand index and k, for several settings.

    python benchmarks/truth.py --days 30

Prints one row a setting: the number of clusters found (and of types simulated), the
adjusted Rand index with k as found and with k set to the number of types, and the time taken.
"""

from __future__ import annotations

import argparse
import time

import numpy as np
from sklearn.metrics import adjusted_rand_score

import xpad
from xpad.stages.labellers import kmeans
from xpad.stages.nearest import nearest

SETTINGS = {
    "normalise=max (as published)": {},
    "normalise=max_energy": {"normalise": "max_energy"},
    "normalise=max_energy, missing=mask": {"normalise": "max_energy", "missing": "mask"},
    "normalise=max, encoder=None": {"encoder": None},
    "normalise=max_energy, encoder=None": {"normalise": "max_energy", "encoder": None},
    "normalise=max_energy, energies 1.8 to 4 MeV": {
        "normalise": "max_energy",
        "energies": (1.8, 4.0),
    },
}


def agreement(ds, types: int, options: dict) -> tuple[int, float, float, float]:
    """k as found, the index with it, the index with k = types, and seconds to cluster."""
    truth = ds["truth"].values
    started = time.perf_counter()
    out, model = xpad.cluster(ds, return_model=True, progress=False, **options)
    seconds = time.perf_counter() - started
    labels, components = out["pad_label"].values, out["pad_pc"].values
    both = (truth >= 0) & (labels >= 0)
    as_found = adjusted_rand_score(truth[both], labels[both])
    # The same components with another k: what a fit with k=types would do.
    tested = out["pad_split"].values == 2
    centres = kmeans.fit(components[tested], types, random_state=0).centres
    as_true = adjusted_rand_score(truth[both], nearest(centres, components[both]))
    return model.k, as_found, as_true, seconds


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--days", type=float, default=30)
    parser.add_argument("--seed", type=int, default=0)
    arguments = parser.parse_args()
    ds = xpad.simulate(days=arguments.days, seed=arguments.seed).compute()
    truth = ds["truth"].values
    types = np.unique(truth[truth >= 0]).size
    print(f"{truth.size:,} records, {int((truth >= 0).sum()):,} of {types} types")
    print(f"{'settings':<46} {'k found':>7} {'ARI':>6} {f'ARI, k={types}':>10} {'seconds':>8}")
    for name, options in SETTINGS.items():
        k, as_found, as_true, seconds = agreement(ds, types, options)
        print(f"{name:<46} {k:>7} {as_found:>6.3f} {as_true:>10.3f} {seconds:>8.1f}", flush=True)


if __name__ == "__main__":
    main()
