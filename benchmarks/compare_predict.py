"""Labels of new records from memory: xpad beside Keras `predict` and scikit-learn."""

from __future__ import annotations

import argparse
import time
from collections.abc import Callable
from functools import partial
from typing import Any

import compare_data
import mission
import numpy as np
import sidebyside
from sidebyside import markdown, median, times, verdict

BLOCK = 65_536
THREADS = 2
DEFAULT_BATCH = 32
BATCHES = (DEFAULT_BATCH, 256, 1024, 4096, 16_384, 65_536)
AT_LEAST_DEFAULT, AT_LEAST_BEST = 10, 2
"""Ratios asked of xpad: to Keras's default batch, to its best."""
FITTED_ON = 20_000
LABELS, EVERYTHING = "xpad.label", "xpad.predict"


# ------------------------------------------------------------------------- in a process of its own


def fit_model(data: str, model: str, epochs: int) -> dict[str, Any]:
    """A model for both sides: training is not what is compared here."""
    import xpad

    ds = compare_data.as_dataset(compare_data.load(data)).isel(Epoch=slice(FITTED_ON))
    xpad.fit(ds, epochs=epochs, progress=False).save(model, overwrite=True)
    return {}


def predict_xpad(data: str, model: str, labels: str, with_error: bool) -> dict[str, Any]:
    import dask

    import xpad

    fitted = xpad.load_model(model)
    ds = compare_data.as_dataset(compare_data.load(data), chunk=BLOCK)

    def label(records: slice) -> np.ndarray:
        part = ds.isel(Epoch=records)
        if with_error:
            return xpad.predict(part, fitted)["pad_label"].values
        return xpad.label(part, fitted).values

    with dask.config.set(scheduler="threads", num_workers=THREADS):
        return timed(label, labels)


def predict_keras(data: str, model: str, labels: str, batch: int, raw: bool) -> dict[str, Any]:
    """With xpad's weights, components and centres, so that the labels are to be the same."""
    import reference
    from sklearn.cluster import KMeans
    from sklearn.decomposition import PCA

    import xpad

    arrays, fitted = compare_data.load(data), xpad.load_model(model)
    weights = fitted.pipeline.encoder.network
    _, encoder = reference.autoencoder(*weights.encoder_kernel.shape, learning_rate=5e-4)
    encoder.set_weights([weights.encoder_kernel, weights.encoder_bias])
    features = fitted.features.ravel()

    # Fitted to a few records, only so that they are fitted, and then given the model's numbers.
    few = normalised(arrays["FEDU"][:FITTED_ON], features)
    encoded = encoder.predict(few, batch_size=4096, verbose=0)
    pca = PCA(fitted.n_components).fit(encoded)
    pca.mean_ = fitted.pipeline.components.mean.astype(np.float32)
    pca.components_ = fitted.pipeline.components.components.astype(np.float32)
    kmeans = KMeans(fitted.k, n_init=1, random_state=0).fit(pca.transform(encoded))
    kmeans.cluster_centers_ = np.ascontiguousarray(fitted.centres, np.float32)

    given = arrays["FEDU"] if raw else normalised(arrays["FEDU"], features)

    def label(records: slice) -> np.ndarray:
        found = []
        for start in range(0, len(given[records]), BLOCK):
            block = given[start : start + BLOCK]
            rows = normalised(block, features) if raw else block
            labels = kmeans.predict(pca.transform(encoder.predict(rows, batch, verbose=0)))
            found.append(np.where(rows.any(axis=1), labels, -1))
        return np.concatenate(found)

    return timed(label, labels)


def normalised(flux: np.ndarray, features: np.ndarray) -> np.ndarray:
    """As reference.normalised, of all records at once; a row is as xpad's, energy by energy."""
    pads = np.where(flux > 0, flux, np.float32(0)).transpose(0, 2, 1).reshape(len(flux), -1)
    maximum = pads.max(axis=1, keepdims=True)
    rows = np.divide(pads, maximum, out=np.zeros_like(pads), where=maximum > 0)
    return rows if features.all() else rows[:, features]


def timed(label: Callable[[slice], np.ndarray], labels: str) -> dict[str, Any]:
    """Label a first block, so that everything is compiled, and then time the labelling of all."""
    label(slice(BLOCK))
    begun = time.perf_counter()
    found = label(slice(None))
    seconds = time.perf_counter() - begun
    np.save(labels, found)
    return {"seconds": seconds}


TASKS = {"fit": fit_model, "predict-xpad": predict_xpad, "predict-keras": predict_keras}


# ---------------------------------------------------------------------------------------- the table


def predict(arguments: argparse.Namespace) -> str:
    where = mission.folder(arguments.folder)
    files = {
        "data": str(compare_data.prepared(where, arguments.records)),
        "model": str(where / f"compare-{arguments.records}-model.zarr"),
    }
    sidebyside.task("fit", **files, epochs=min(arguments.epochs, 5))

    def run(name: str, labels: str, number: int, **options: Any) -> dict[str, Any]:
        return sidebyside.task(name, **files, labels=str(where / labels), **options)

    cases = {
        name: partial(run, "predict-xpad", f"{name}.npy", with_error=with_error)
        for name, with_error in ((LABELS, False), (EVERYTHING, True))
    }
    for raw, about in ((True, ""), (False, ", rows normalised before")):
        for batch in BATCHES:
            cases[f"Keras, batch {batch:,}{about}"] = partial(
                run, "predict-keras", "predicted-keras.npy", batch=batch, raw=raw
            )
    runs = sidebyside.alternating(cases, arguments.repeats)

    taken = {name: median(found, "seconds") for name, found in runs.items()}
    ratio = {name: seconds / taken[LABELS] for name, seconds in taken.items()}
    default = f"Keras, batch {DEFAULT_BATCH:,}"
    best = min((f"Keras, batch {batch:,}" for batch in BATCHES), key=taken.__getitem__)
    rows = [
        [name, f"{1e6 * seconds / arguments.records:.2f}", times(ratio[name])]
        for name, seconds in taken.items()
    ]
    labels, everything = (np.load(where / f"{name}.npy") for name in (LABELS, EVERYTHING))
    theirs = np.load(where / "predicted-keras.npy")
    lines = [
        f"{arguments.records:,} records, raw flux in memory, to labels in blocks of {BLOCK:,}; medians of "
        f"{arguments.repeats} runs in turn. xpad works on {THREADS} blocks at a time; {LABELS} encodes, "
        f"projects and labels, as the other side does, {EVERYTHING} finds the reconstruction's error too. "
        "Keras's encoder and scikit-learn's PCA and KMeans have the same model's numbers; flux is normalised "
        "with NumPy, a block at once, or in the last lines before the time is taken.",
        "",
        markdown(["", "µs a record", f"over {LABELS}"], rows),
        "",
        f"Against Keras's default batch {times(ratio[default])}, at least {AT_LEAST_DEFAULT} × wanted: "
        f"{verdict(ratio[default] >= AT_LEAST_DEFAULT)}; against its best ({best.removeprefix('Keras, ')}) "
        f"{times(ratio[best])}, at least {AT_LEAST_BEST} × wanted: {verdict(ratio[best] >= AT_LEAST_BEST)}. "
        f"Of {labels.size:,} labels of {LABELS}, "
        f"{np.count_nonzero(labels == everything):,} are those of {EVERYTHING} and "
        f"{np.count_nonzero(labels == theirs):,} those of Keras and scikit-learn.",
    ]
    return "\n".join(lines)
