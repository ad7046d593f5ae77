"""The autoencoder beside Keras: the same shape, settings, split and number of seeds.

    pip install -r benchmarks/requirements.txt .
    python benchmarks/keras_autoencoder.py --days 10 --seeds 3

Prints the final validation loss of both for each seed, the medians and their ratio, which must be
at least 0.9: Keras must not end lower than 0.9 times xpad's loss. Rates are training records (and
validation records, at a third of the work) per second of the whole call, compilation included.
"""

from __future__ import annotations

import argparse
import os
import time

import numpy as np

WANTED_RATIO = 0.9


def simulated(days: float, seed: int) -> np.ndarray:
    """Records of the simulated mission, each over its own maximum, fills as zero."""
    from xpad.simulation.mission import simulate

    flux = simulate(days=days, seed=seed)["FEDU"].transpose("Epoch", ...).to_numpy()
    flux = np.where(flux < 0, 0, flux).reshape(len(flux), -1)
    flux = flux[flux.max(axis=1) > 0]
    return (flux / flux.max(axis=1, keepdims=True)).astype(np.float32)


def synthetic(days: float, seed: int) -> np.ndarray:
    """Mixtures of sine powers in pitch angle under exponential spectra: needs nothing of xpad."""
    rng = np.random.default_rng(seed)
    n = int(7900 * days)
    angle, energy = np.radians(np.linspace(5, 175, 17)), np.linspace(1.8, 20, 12)
    power = rng.gamma(2, 1, n)[:, None, None]
    dip = rng.beta(0.5, 2, n)[:, None, None] * np.exp(-(((angle - np.pi / 2) / 0.4) ** 2))
    spectrum = np.exp(-energy / rng.uniform(0.3, 0.8, n)[:, None])[:, :, None]
    counts = rng.poisson(1e5 * spectrum * np.sin(angle) ** power * (1 - dip)).reshape(n, -1)
    counts = counts[counts.max(axis=1) > 0]
    return (counts / counts.max(axis=1, keepdims=True)).astype(np.float32)


def split(x: np.ndarray, seed: int) -> tuple[np.ndarray, np.ndarray]:
    """A fifth of the records to train on, a fifth to validate on, as published."""
    order = np.random.default_rng(seed).permutation(len(x))
    fifth = len(x) // 5
    return x[np.sort(order[:fifth])], x[np.sort(order[fifth : 2 * fifth])]


def keras_run(
    train: np.ndarray, val: np.ndarray, epochs: int, seed: int
) -> tuple[list[float], list[float]]:
    import keras

    keras.utils.set_random_seed(seed)
    n = train.shape[1]
    model = keras.Sequential(
        [
            keras.Input((n,)),
            keras.layers.Dense(n // 2, activation="relu"),
            keras.layers.Dense(n, activation="sigmoid"),
        ]
    )
    model.compile(optimizer=keras.optimizers.Adam(5e-4), loss="mse")
    history = model.fit(
        train,
        train,
        batch_size=256,
        epochs=epochs,
        shuffle=True,
        validation_data=(val, val),
        callbacks=[keras.callbacks.EarlyStopping(monitor="val_loss", patience=5)],
        verbose=0,
    ).history
    return history["loss"], history["val_loss"]


def xpad_run(
    train: np.ndarray, val: np.ndarray, epochs: int, seed: int
) -> tuple[list[float], list[float]]:
    from xpad.stages.encoders import train as autoencoder

    _, history = autoencoder.train(train, val, epochs=epochs, random_state=seed)
    return history.loss.tolist(), history.val_loss.tolist()


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--days", type=float, default=10, help="7900 records each")
    parser.add_argument("--data", choices=["simulated", "synthetic"], default="simulated")
    parser.add_argument("--seeds", type=int, default=3)
    parser.add_argument("--epochs", type=int, default=200)
    args = parser.parse_args()
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")

    x = {"simulated": simulated, "synthetic": synthetic}[args.data](args.days, 0)
    train, val = split(x, 0)
    print(f"{args.data}: {len(train)} training and {len(val)} validation records of {x.shape[1]}")
    print(f"variance about the mean validation record: {val.var(axis=0).mean():.4e}")

    final: dict[str, list[float]] = {"keras": [], "xpad": []}
    for seed in range(args.seeds):
        for name, run in (("keras", keras_run), ("xpad", xpad_run)):
            start = time.perf_counter()
            _, val_loss = run(train, val, args.epochs, seed)
            seconds = time.perf_counter() - start
            final[name].append(val_loss[-1])
            rate = len(val_loss) * (len(train) + len(val) / 3) / seconds
            print(
                f"seed {seed}  {name:5}  val_loss {val_loss[-1]:.4e} (lowest {min(val_loss):.4e}) "
                f"after {len(val_loss)} epochs, {seconds:.1f} s, {rate:,.0f} records/s",
                flush=True,
            )
    keras, xpad = np.median(final["keras"]), np.median(final["xpad"])
    print(f"median val_loss: keras {keras:.4e}, xpad {xpad:.4e}")
    verdict = "holds" if keras / xpad >= WANTED_RATIO else "FAILS"
    print(f"keras / xpad = {keras / xpad:.3f}; at least {WANTED_RATIO} wanted: {verdict}")


if __name__ == "__main__":
    main()
