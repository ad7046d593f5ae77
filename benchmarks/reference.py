"""The published pipeline as a script of Keras (TensorFlow) and scikit-learn, NumPy in memory.

    python benchmarks/reference.py --records 20000

Written from the description and the settings of Killey et al. (2023), RASTI 2, 548, doi
10.1093/rasti/rzad035, and plainly: a Python loop normalises one record after another, every step
is one call of the library that has it. It uses nothing of xpad but, started as a script, its
simulated records. compare.py runs it beside xpad.
"""

from __future__ import annotations

import argparse
import os
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import numpy as np

Split = tuple[np.ndarray, np.ndarray, np.ndarray]
STAGES = (
    "normalise (loop)",
    "train",
    "encode + PCA",
    "mean shift",
    "k-means",
    "score",
    "label all",
)


def normalised(flux: np.ndarray) -> np.ndarray:
    """Each PAD over its own maximum, as a row; fills and what has no flux are zero."""
    rows = np.empty((len(flux), flux[0].size), dtype=np.float32)
    with np.errstate(invalid="ignore"):
        for i, pad in enumerate(flux):
            measured = np.where(pad < 0, np.nan, pad)
            over_maximum = measured / np.fmax.reduce(measured, axis=None)
            rows[i] = np.where(np.isnan(over_maximum), 0, over_maximum).ravel()
    return rows


def random_split(records: np.ndarray, seed: int = 4) -> Split:
    """Training, validation and test records, 20/20/60, as the authors' script splits them."""
    from sklearn.model_selection import train_test_split

    rest, test = train_test_split(records, test_size=0.6, random_state=seed)
    train, validation = train_test_split(rest, test_size=0.5, random_state=seed)
    return train, validation, test


def autoencoder(features: int, hidden: int, learning_rate: float) -> tuple[Any, Any]:
    """The network to train, and the part of it that encodes."""
    import keras

    inputs = keras.Input((features,))
    encoded = keras.layers.Dense(hidden, activation="relu")(inputs)
    decoded = keras.layers.Dense(features, activation="sigmoid")(encoded)
    network = keras.Model(inputs, decoded)
    network.compile(optimizer=keras.optimizers.Adam(learning_rate), loss="mse")
    return network, keras.Model(inputs, encoded)


def run(
    flux: np.ndarray,
    split: Split | None = None,
    *,
    epochs: int = 200,
    patience: int = 5,
    batch_size: int = 256,
    learning_rate: float = 5e-4,
    n_components: int = 3,
    quantile: float = 0.1,
    n_samples: int = 6000,
    n_init: int = 10,
    seed: int = 1,
) -> dict[str, Any]:
    """Everything, from flux (records, pitch angles, energies) to a label for each record.

    `split` holds the indices of the training, validation and test records; without it they are
    drawn at random. Records without a positive flux are left out and get the label -1.
    """
    import keras
    from sklearn.cluster import KMeans, MeanShift, estimate_bandwidth
    from sklearn.decomposition import PCA
    from sklearn.metrics import calinski_harabasz_score

    keras.utils.set_random_seed(seed)
    seconds: dict[str, float] = {}

    with timed(seconds, "normalise (loop)"):
        rows = normalised(flux)
    usable = np.flatnonzero(rows.any(axis=1))
    train, validation, test = random_split(usable) if split is None else split

    with timed(seconds, "train"):
        features = rows.shape[1]
        network, encoder = autoencoder(features, features // 2, learning_rate)
        stop = keras.callbacks.EarlyStopping(monitor="val_loss", patience=patience)
        history = network.fit(
            rows[train],
            rows[train],
            batch_size=batch_size,
            epochs=epochs,
            shuffle=True,
            validation_data=(rows[validation], rows[validation]),
            callbacks=[stop],
            verbose=0,
        ).history

    with timed(seconds, "encode + PCA"):
        pca = PCA(n_components)
        components = pca.fit_transform(encoder.predict(rows[test], verbose=0))

    with timed(seconds, "mean shift"):
        bandwidth = estimate_bandwidth(
            components, quantile=quantile, n_samples=n_samples, random_state=0
        )
        shifted = MeanShift(bandwidth=bandwidth, bin_seeding=True, n_jobs=2).fit(components)
        k = len(np.unique(shifted.labels_))

    with timed(seconds, "k-means"):
        kmeans = KMeans(k, n_init=n_init, random_state=0).fit(components)

    with timed(seconds, "score"):
        scored = k > 1
        score = calinski_harabasz_score(components, kmeans.labels_) if scored else float("nan")

    with timed(seconds, "label all"):
        labels = np.full(len(flux), -1, dtype=np.int16)
        encoded = encoder.predict(rows[usable], verbose=0)
        labels[usable] = kmeans.predict(pca.transform(encoded))

    return {
        "stages": seconds,
        "epochs": len(history["val_loss"]),
        "val_loss": float(history["val_loss"][-1]),
        "bandwidth": float(bandwidth),
        "k": k,
        "calinski_harabasz": float(score),
        "labels": labels,
    }


@contextmanager
def timed(seconds: dict[str, float], stage: str) -> Iterator[None]:
    begun = time.perf_counter()
    yield
    seconds[stage] = time.perf_counter() - begun


def table(found: dict[str, Any]) -> str:
    lines = ["| stage | seconds |", "|---|---|"]
    lines += [f"| {stage} | {found['stages'][stage]:.2f} |" for stage in STAGES]
    lines += [
        f"| together | {sum(found['stages'].values()):.2f} |",
        "",
        f"{found['epochs']} epochs, validation loss {found['val_loss']:.4e}, k = {found['k']}, "
        f"Calinski-Harabasz {found['calinski_harabasz']:.0f}, "
        f"{np.count_nonzero(found['labels'] >= 0):,} of {found['labels'].size:,} records labelled.",
    ]
    return "\n".join(lines)


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawTextHelpFormatter
    )
    parser.add_argument("--records", type=int, default=20_000)
    parser.add_argument("--epochs", type=int, default=200)
    parser.add_argument("--folder", help="for the simulated data, which are kept")
    arguments = parser.parse_args()
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")

    import mission
    import xarray as xr

    store = mission.mission(mission.folder(arguments.folder), arguments.records)
    flux = xr.open_zarr(store, consolidated=False)["FEDU"][: arguments.records].values
    print(table(run(flux, epochs=arguments.epochs)))


if __name__ == "__main__":
    main()
