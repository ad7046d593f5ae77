"""The whole method through the reference and through xpad: end to end, by stage, and its quality."""

from __future__ import annotations

import argparse
import logging
import statistics
import time
from functools import partial
from pathlib import Path
from typing import Any

import compare_data
import mission
import numpy as np
import sidebyside
from sidebyside import Runs, markdown, median, times, verdict

OPTIONS: dict[str, dict[str, Any]] = {
    "xpad, killey2023": {},
    'xpad, training="fast"': {"training": "fast"},
    "xpad, encoder=None": {"encoder": None},
}
AT_LEAST = {"xpad, killey2023": (5, 6), 'xpad, training="fast"': (12, 20)}
"""Ratios asked of xpad: cold, warm."""

REST = "the rest"
Stages = dict[str, tuple[tuple[str, ...], tuple[str, ...]]]
STAGES: Stages = {
    "normalise": (("normalise (loop)",), ("reading", "gathering")),
    "train": (("train",), ("training",)),
    "encode + PCA": (("encode + PCA",), ("components", "projecting")),
    "mean shift with bandwidth": (("mean shift",), ()),
    "k-means": (("k-means",), ()),
    "mean shift, k-means and scores": (("mean shift", "k-means", "score"), ("clusters",)),
    "label all": (("label all",), ("label all",)),
}
"""Rows of the table: the reference's stages in each, and xpad's."""


# ------------------------------------------------------------------------- in a process of its own


def pipeline(
    which: str, data: str, labels: str, warm: bool, seed: int, epochs: int
) -> dict[str, Any]:
    """Run it; before the time is taken, where it is to be warm, with a training of one epoch."""
    arrays = compare_data.load(data)
    run = reference_run if which == "reference" else partial(xpad_run, options=OPTIONS[which])
    if warm:
        run(arrays, seed=seed, epochs=1)
    begun = time.perf_counter()
    found = run(arrays, seed=seed, epochs=epochs)
    seconds = time.perf_counter() - begun
    np.save(labels, found.pop("labels"))
    return found | {"seconds": seconds, "labels": labels}


def reference_run(data: dict[str, np.ndarray], seed: int, epochs: int) -> dict[str, Any]:
    import reference

    return reference.run(data["FEDU"], compare_data.split_of(data), seed=seed, epochs=epochs)


def xpad_run(
    data: dict[str, np.ndarray], seed: int, epochs: int, options: dict[str, Any]
) -> dict[str, Any]:
    import scale

    import xpad

    stages = scale.Stages()
    log = logging.getLogger("xpad.compute.progress")
    log.addHandler(stages)
    log.setLevel(logging.DEBUG)
    if not options:  # a fast training has its own number of epochs
        options = {"epochs": epochs}
    out, model = xpad.cluster(
        compare_data.as_dataset(data),
        encoder_seed=seed,
        return_model=True,
        progress=False,
        **options,
    )
    begun = time.perf_counter()
    labels = out["pad_label"].values
    seconds = {name: stage["seconds"] for name, stage in stages.stages.items()}
    seconds["label all"] = time.perf_counter() - begun
    log.removeHandler(stages)
    require_same_split(model, data)
    return {
        "stages": seconds,
        "epochs": int(model.history.sizes["pad_epoch"]),
        "val_loss": float(model.history.val_loss[-1]) if model.history.val_loss.size else None,
        "k": model.k,
        "calinski_harabasz": model.scores["kmeans"]["calinski_harabasz"],
        "labels": labels,
    }


def require_same_split(model: Any, data: dict[str, np.ndarray]) -> None:
    """Refuse to compare with a reference that was given other records to train and test on."""
    if model.provenance["split"]["thresholds"] != data["thresholds"].tolist():
        raise SystemExit("compare-*.npz holds the split of another version of xpad: remove it")


def offered(options: dict[str, Any]) -> bool:
    """Whether this version of xpad has such settings."""
    from xpad.errors import OptionError
    from xpad.settings import resolve

    try:
        resolve("killey2023", options)
    except OptionError:
        return False
    return True


TASKS = {"pipeline": pipeline}


# --------------------------------------------------------------------------------------- the tables


def end_to_end(arguments: argparse.Namespace, picture: Path | None = None) -> str:
    """All of it, cold and warm; `picture` is where the times by stage are drawn."""
    where = mission.folder(arguments.folder)
    data = compare_data.prepared(where, arguments.records)
    known = [name for name, options in OPTIONS.items() if offered(options)]
    missing = [name for name in OPTIONS if name not in known]

    def run(which: str, warm: bool, number: int) -> dict[str, Any]:
        labels = (
            where
            / f"labels-{'reference' if which == 'reference' else known.index(which)}-{number}.npy"
        )
        return sidebyside.task("pipeline", which=which, data=str(data), labels=str(labels),
                               warm=warm, seed=number, epochs=arguments.epochs)  # fmt: skip

    names = ["reference", *known]
    # Warm first, so that no cold run pays for bytecode or files that none has read before.
    warm = sidebyside.alternating({n: partial(run, n, True) for n in names}, arguments.repeats)
    cold = sidebyside.alternating({n: partial(run, n, False) for n in names}, arguments.repeats)
    if picture is not None:
        draw(warm, picture)
    lines = [
        f"{arguments.records:,} simulated REPT records in memory, the same split, at most "
        f"{arguments.epochs} epochs, medians of {arguments.repeats} runs in turn, each with a seed of "
        "its own. Cold is a whole new process with its imports and compilation; warm is a run in a "
        "process that has made one before, whose training had a single epoch.",
        "",
        time_table(cold, warm, missing),
        "",
        "By stage, warm, seconds. xpad logs mean shift, k-means and its scores as one stage; the "
        "reference's scores are one, xpad's two of two sets of labels.",
        "",
        stage_table(warm),
        "",
        "What they found:",
        "",
        quality_table(warm, compare_data.load(str(data))["truth"]),
    ]
    return "\n".join(lines)


def time_table(cold: Runs, warm: Runs, missing: list[str]) -> str:
    head = ["", "cold, s", "against the reference", "at least", "warm, s", "against the reference",
            "at least"]  # fmt: skip
    rows = []
    for name in cold:
        row = [name]
        columns = ((cold, "wall"), (warm, "seconds"))
        for (runs, key), least in zip(columns, AT_LEAST.get(name, (0, 0)), strict=True):
            own, reference = median(runs[name], key), median(runs["reference"], key)
            wanted = f"{least} ×: {verdict(reference / own >= least)}" if least else ""
            row += [f"{own:.2f}", times(reference / own), wanted]
        rows.append(row)
    rows += [[name, "not available", "", "", "not available", "", ""] for name in missing]
    return markdown(head, rows)


def stage_table(warm: Runs) -> str:
    head = ["stage", *warm, *(f"reference / {name}" for name in warm if name != "reference")]
    rows = []
    for stage, taken in stage_seconds(warm).items():
        row = [stage, *("" if seconds is None else f"{seconds:.3f}" for seconds in taken.values())]
        for name in list(warm)[1:]:
            own, reference = taken[name], taken["reference"]
            told = own and reference and stage != REST
            row.append(times(reference / own) if told else "")
        rows.append(row)
    return markdown(head, rows)


def stage_seconds(warm: Runs) -> dict[str, dict[str, float | None]]:
    """Median seconds of each row and side; None where a side does not tell the stage apart."""
    found: dict[str, dict[str, float | None]] = {}
    for stage, (reference, xpad) in STAGES.items():
        found[stage] = {}
        for name, runs in warm.items():
            parts = reference if name == "reference" else xpad
            taken = [sum(run["stages"].get(part, 0.0) for part in parts) for run in runs]
            found[stage][name] = statistics.median(taken) if parts else None
    found[REST] = {
        name: statistics.median(run["seconds"] - sum(run["stages"].values()) for run in runs)
        for name, runs in warm.items()
    }
    return found


def quality_table(warm: Runs, truth: np.ndarray) -> str:
    head = ["", "validation loss", "lowest … highest", "epochs", "k", "Calinski-Harabasz",
            "adjusted Rand index, truth", "the same, reference"]  # fmt: skip
    labels = {name: [np.load(run["labels"]) for run in runs] for name, runs in warm.items()}
    rows = []
    for name, runs in warm.items():
        losses = [run["val_loss"] for run in runs if run["val_loss"] is not None]
        with_truth = [agreement(truth, own) for own in labels[name]]
        pairs = zip(labels["reference"], labels[name], strict=True)
        with_reference = [agreement(reference, own) for reference, own in pairs]
        rows.append([
            name,
            f"{statistics.median(losses):.4e}" if losses else "",
            f"{min(losses):.4e} … {max(losses):.4e}" if losses else "",
            f"{median(runs, 'epochs'):g}",
            ", ".join(str(run["k"]) for run in runs),
            f"{median(runs, 'calinski_harabasz'):.0f}",
            f"{statistics.median(with_truth):.3f}",
            f"{statistics.median(with_reference):.3f}" if name != "reference" else "",
        ])  # fmt: skip
    return markdown(head, rows)


def agreement(one: np.ndarray, other: np.ndarray) -> float:
    """Adjusted Rand index over the records that both label."""
    from sklearn.metrics import adjusted_rand_score

    both = (one >= 0) & (other >= 0)
    return float(adjusted_rand_score(one[both], other[both]))


def draw(warm: Runs, path: Path) -> None:
    """Bars of the times by stage, all sides beside each other."""
    import matplotlib

    matplotlib.use("agg")
    import matplotlib.pyplot as plt

    split_up = ("mean shift with bandwidth", "k-means")
    taken = {s: found for s, found in stage_seconds(warm).items() if s not in split_up}
    taken["altogether"] = {name: median(runs, "seconds") for name, runs in warm.items()}
    least = min(seconds for found in taken.values() for seconds in found.values() if seconds)
    left = 10.0 ** np.floor(np.log10(max(least, 1e-3)))

    figure, axes = plt.subplots(figsize=(8, 0.9 + 0.6 * len(taken)), layout="constrained")
    height = 0.8 / len(warm)
    for number, name in enumerate(warm):
        at = np.arange(len(taken)) + (number - (len(warm) - 1) / 2) * height
        seconds = [found[name] or 0 for found in taken.values()]
        bars = axes.barh(at, np.maximum(seconds, left), 0.9 * height, label=name)
        axes.bar_label(bars, [f"{value:.3g}" for value in seconds], padding=3, fontsize="small")
    axes.set_yticks(range(len(taken)), list(taken))
    axes.set(xscale="log", xlabel="time (s)")
    axes.set_xlim(
        left, 3 * max(seconds for f in taken.values() for seconds in f.values() if seconds)
    )
    axes.invert_yaxis()
    axes.spines[["top", "right"]].set_visible(False)
    figure.legend(loc="outside upper center", ncols=len(warm), frameon=False)
    path.parent.mkdir(exist_ok=True)
    figure.savefig(path, dpi=150)
    plt.close(figure)
