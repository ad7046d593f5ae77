"""How near the stages come to what the machine can do at all, measured in the same run.

    python benchmarks/roofline.py                      # 200,000 records
    python benchmarks/roofline.py --docs               # writes the table and the picture into docs/

Training and encoding are held against jitted JAX products of the same shapes, called one after
another and in one compiled loop; what is faster counts. The passes over the data are held against
copying memory, against reading and decompressing the same store, and against these with the
products and the writing that a pass does besides. Rates and stages take turns, and medians are told.
"""

from __future__ import annotations

import os
import statistics
import time
import warnings
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import mission
import processes
import scale

from xpad.stages.encoders import dense as _dense

BATCH = 256
EPOCHS = 3
"""Epochs that are timed; the one before them is not, in which rows are put on the device."""
CALLS = 32
"""Products that are on their way at once."""
COPIED = 512 * 2**20
"""Bytes of each array that is copied: many times a cache."""
PRODUCTS = ("bd,dh->bh", "bh,hd->bd", "bh,bd->hd", "bd,hd->bh", "bd,bh->dh")
"""Of a training step: to the hidden units, to the output; then backward to the decoder's kernel, the
hidden units, and the encoder's kernel. All take the same number of operations."""
STAGES = {
    "training": "training",
    "encoding": "encoding",
    "encoding_with_error": "encoding with error",
    "reading": "survey pass",
    "components": "moments pass",
    "projecting": "projecting pass",
    "labelling": "label pass",
}
PASSES = ("reading", "components", "projecting", "labelling")
RESULTS = ("label", "flag", "error", "pc", "split")
REQUIRED = {"training": 0.7}

Measure = Callable[[], float]


# ------------------------------------------------------------------------- in a process of its own


def medians(measures: dict[str, Measure], repeats: int) -> dict[str, float]:
    """Medians of measures that take turns, after a turn that compiles."""
    for measure in measures.values():
        measure()
    turns = [{name: measure() for name, measure in measures.items()} for _ in range(repeats)]
    return {name: statistics.median(turn[name] for turn in turns) for name in measures}


def seconds(call: Callable[[], Any]) -> float:
    begun = time.perf_counter()
    call()
    return time.perf_counter() - begun


def network(records: int, features: int, repeats: int) -> dict[str, Any]:
    """Operations a second of training, of encoding, and of the products that they are made of."""
    import jax
    import numpy as np

    rows = np.random.default_rng(0).random((records, features), dtype=np.float32)
    hidden = features // 2
    measures = {"training": training(rows, hidden)}
    measures |= products_one_by_one(rows, hidden) | {"loop": products_in_a_loop(rows, hidden)}
    measures |= encodings(rows, hidden)
    found = medians(measures, repeats)
    # All five take the same number of operations.
    found["calls"] = statistics.harmonic_mean([found.pop(shapes) for shapes in PRODUCTS])
    return {"rates": found, "hidden": hidden, "device": jax.devices()[0].device_kind}


def training(rows: Any, hidden: int) -> Measure:
    """10·D·H operations a record, over the time from the end of one epoch to that of a later one."""
    from xpad.stages.encoders import train as autoencoder

    operations = 10 * rows.shape[1] * hidden * len(rows) * EPOCHS

    def measure() -> float:
        ends: list[float] = []
        autoencoder.train(
            rows, rows[:1], n_hidden=hidden, batch_size=BATCH, epochs=1 + EPOCHS, patience=None,
            progress=lambda *_: ends.append(time.perf_counter()),
        )  # fmt: skip
        return operations / (ends[-1] - ends[0])

    return measure


def product(shapes: str, a: Any, b: Any) -> Any:
    """A matrix product in full float32, as in the training."""
    import jax

    return jax.numpy.einsum(shapes, a, b, precision=jax.lax.Precision.HIGHEST)


def products_one_by_one(rows: Any, hidden: int) -> dict[str, Measure]:
    """Each of the five products by itself: a jitted call, again and again."""
    import jax
    import numpy as np

    records, features = rows.shape
    sizes = {"b": BATCH, "d": features, "h": hidden}
    jitted = jax.jit(product, static_argnums=0)
    rounds = max(EPOCHS * records // BATCH // CALLS, 1)
    rng = np.random.default_rng(0)

    def of(shapes: str) -> Measure:
        inputs = shapes.split("->")[0].split(",")
        a, b = (
            jax.device_put(rng.random([sizes[letter] for letter in letters], dtype=np.float32))
            for letters in inputs
        )

        def call() -> None:
            for _ in range(rounds):
                jax.block_until_ready([jitted(shapes, a, b) for _ in range(CALLS)])

        return lambda: rounds * CALLS * 2 * BATCH * features * hidden / seconds(call)

    return {shapes: of(shapes) for shapes in PRODUCTS}


def products_in_a_loop(rows: Any, hidden: int) -> Measure:
    """All five, step after step in one compiled loop, as a training without anything else in it.

    A step of 1e-9 along the gradient, so that no product can be left out or taken out of the loop,
    is the least that can be added.
    """
    import jax
    import numpy as np

    features = rows.shape[1]
    steps = max(EPOCHS * len(rows) // BATCH, 1)
    rng = np.random.default_rng(0)
    x = jax.device_put(rng.random((BATCH, features), dtype=np.float32))
    kernels = jax.device_put(
        (
            rng.random((features, hidden), dtype=np.float32) / features,
            rng.random((hidden, features), dtype=np.float32) / hidden,
        )
    )

    def step(_: Any, kernels: tuple[Any, Any]) -> tuple[Any, Any]:
        encoder, decoder = kernels
        encoded = product(PRODUCTS[0], x, encoder)
        output = product(PRODUCTS[1], encoded, decoder)
        by_decoder = product(PRODUCTS[2], encoded, output)
        by_encoded = product(PRODUCTS[3], output, decoder)
        by_encoder = product(PRODUCTS[4], x, by_encoded)
        return encoder - 1e-9 * by_encoder, decoder - 1e-9 * by_decoder

    loop = jax.jit(lambda kernels: jax.lax.fori_loop(0, steps, step, kernels))
    operations = 10 * BATCH * features * hidden * steps
    return lambda: operations / seconds(lambda: jax.block_until_ready(loop(kernels)))


def encodings(rows: Any, hidden: int) -> dict[str, Measure]:
    """Encoding in the pieces and by the threads of a pass, and the products alone of the same rows."""
    import jax

    from xpad.pads.blocks import PIECE
    from xpad.stages.encoders import train as autoencoder

    features = rows.shape[1]
    model, _ = autoencoder.train(rows[:512], rows[:1], n_hidden=hidden, epochs=1)
    whole = max(len(rows) // PIECE, 1) * PIECE
    pieces = [rows[start : start + PIECE] for start in range(0, min(whole, len(rows)), PIECE)]
    held = jax.device_put(pieces)
    encoder, decoder = jax.device_put((model.encoder_kernel, model.decoder_kernel))

    @jax.jit
    def one(x: Any) -> Any:
        return product(PRODUCTS[0], x, encoder)

    @jax.jit
    def two(x: Any) -> Any:
        encoded = one(x)
        return encoded, product(PRODUCTS[1], encoded, decoder)

    def of(function: Callable[[Any], Any], arrays: list[Any], n_products: int) -> Measure:
        n_records = EPOCHS * sum(map(len, arrays))
        operations = n_products * 2 * features * hidden * n_records

        def call() -> None:
            with ThreadPoolExecutor(os.cpu_count()) as pool:
                for _ in pool.map(lambda x: jax.block_until_ready(function(x)), EPOCHS * arrays):
                    pass

        return lambda: operations / seconds(call)

    return {
        "encoding": of(lambda x: _dense.encode(model, x), pieces, 1),
        "one": of(one, held, 1),
        "encoding_with_error": of(lambda x: _dense.encode_with_error(model, x), pieces, 2),
        "two": of(two, held, 2),
    }


def passes(store: str, target: str, records: int, repeats: int) -> dict[str, Any]:
    """Seconds a record of each pass, and the machine's own rates; they take turns."""
    import xarray as xr

    import xpad

    warnings.simplefilter("ignore", xpad.XpadWarning)  # an epoch is hardly a training
    labels = f"{target}/labels.zarr"
    turns = []
    for turn in range(1 + repeats):
        found = scale.rates(store, f"{target}/rates.zarr", records)
        found["copied"] = copied_bytes_a_second()
        stages = scale.cluster(store, labels, records, "1GiB", {"epochs": 1})["stages"]
        found |= {name: stages[name]["seconds"] / records for name in PASSES}
        if turn > 0:  # in the first, programs are compiled
            turns.append(found)
    written = xr.open_zarr(labels, consolidated=False)
    return {
        "rates": {name: statistics.median(turn[name] for turn in turns) for name in turns[0]},
        "written": sum(written[f"pad_{name}"].nbytes for name in RESULTS) / records,
    }


def copied_bytes_a_second() -> float:
    """Bytes read and written by copying arrays, a thread for each core."""
    import numpy as np

    threads = os.cpu_count() or 1
    source, target = (np.ones((threads, COPIED // threads), np.uint8) for _ in range(2))
    with ThreadPoolExecutor(threads) as pool:
        taken = [
            seconds(lambda: list(pool.map(np.copyto, target, source))) for _ in range(5)
        ]  # fmt: skip
    return 2 * source.nbytes / statistics.median(taken)


# --------------------------------------------------------------------------- the table and picture


def compared(found: dict[str, Any]) -> dict[str, tuple[float, float]]:
    """Operations a second of training and encoding, each with the machine's own."""
    rates = found["network"]["rates"]
    return {
        "training": (rates["training"], max(rates["calls"], rates["loop"])),
        "encoding": (rates["encoding"], rates["one"]),
        "encoding_with_error": (rates["encoding_with_error"], rates["two"]),
    }


def table(found: dict[str, Any]) -> str:
    """What was reached, what the machine can do, and the share."""
    products, rates = found["network"]["rates"], found["passes"]["rates"]
    row = 4 * found["features"]
    faster = "one compiled loop" if products["loop"] > products["calls"] else "jitted calls"
    against = {
        "training": f"five products, {faster}",
        "encoding": "one product",
        "encoding_with_error": "two products",
    }
    lines = [
        f"{found['records']:,} records of D = {found['features']} features, "
        f"H = {found['network']['hidden']}, batch {BATCH}; {found['repeats']} turns.",
        "",
        "| arithmetic | reached, GFLOP/s | the machine's own, GFLOP/s | share | at least |",
        "|---|---|---|---|---|",
    ]
    for name, (reached, own) in compared(found).items():
        least = REQUIRED.get(name, "")
        lines.append(
            f"| {STAGES[name]} | {reached / 1e9:.1f} | {own / 1e9:.1f} ({against[name]}) | "
            f"{reached / own:.2f} | {least} |"
        )
    lines += [
        "",
        "| pass over the data | reached, GB/s | of copying memory | of reading Zarr | "
        "the machine's own with all it does, GB/s | share |",
        "|---|---|---|---|---|---|",
    ]
    own = scale.allowed(rates, found["test"])
    for name in PASSES:
        lines.append(
            f"| {STAGES[name]} | {row / rates[name] / 1e9:.2f} | "
            f"{row / rates[name] / rates['copied']:.1%} | {rates['read'] / rates[name]:.0%} | "
            f"{row / own[name] / 1e9:.2f} | {own[name] / rates[name]:.0%} |"
        )
    lines += [
        "",
        f"Of the five products, jitted calls reach {products['calls'] / 1e9:.1f} GFLOP/s and one "
        f"compiled loop {products['loop'] / 1e9:.1f}, on {found['network']['device']}. Encoding and "
        f"its products: {os.cpu_count()} threads. Copying memory: {rates['copied'] / 1e9:.1f} GB/s, "
        "read and written. "
        f"Zarr: {row / rates['read'] / 1e9:.2f} GB/s of flux read and decompressed, "
        f"{found['passes']['written'] / rates['write'] / 1e9:.2f} GB/s of results compressed and "
        "written. GB/s of a pass are those of its flux in memory; all it does are the reading, the "
        "products, the writing and, with labels, the copying of L, MLT and the like, one after another "
        "at the rates of this run.",
    ]
    return "\n".join(lines)


def points(found: dict[str, Any]) -> dict[str, tuple[float, float, float]]:
    """Of each stage, operations a byte, operations a second, and the machine's own.

    Operations are those of the products, and of the survey two comparisons of each value (is it
    measured, is it positive); bytes are the rows that are read and what is written of them.
    """
    d, h, rates = found["features"], found["network"]["hidden"], found["passes"]["rates"]
    test, components = found["test"], found["components"]
    operations = {
        "training": 10 * d * h,
        "encoding": 2 * d * h,
        "encoding_with_error": 4 * d * h,
        "reading": 2 * d,
        "components": test * (2 * d * h + 2 * h * h),
        "projecting": test * (2 * d * h + 2 * h * components),
        "labelling": 4 * d * h + 2 * h * components,
    }
    moved = dict.fromkeys(operations, 4 * d)
    moved["encoding"] = 4 * (d + h)
    moved["encoding_with_error"] = 4 * (d + h + 1)
    moved["projecting"] = 4 * (d + test * components)
    moved["labelling"] = 4 * d + found["passes"]["written"]
    own = scale.allowed(rates, test)
    pairs = compared(found) | {
        name: (operations[name] / rates[name], operations[name] / own[name]) for name in PASSES
    }
    return {name: (operations[name] / moved[name], *pairs[name]) for name in STAGES}


def picture(found: dict[str, Any], path: Path) -> None:
    """The roofline: what could be reached at so many operations a byte, and what is."""
    import matplotlib

    matplotlib.use("agg")
    import matplotlib.pyplot as plt

    figure, axes = plt.subplots(figsize=(7.5, 4.4), layout="constrained")
    rates, at = found["passes"]["rates"], points(found)
    roof = max(own for _, own in compared(found).values())
    low, high = 0.2, 1500
    slopes = {
        "copying memory": (rates["copied"], "k-", 0.5),
        "reading Zarr": (4 * found["features"] / rates["read"], "k--", 3),
    }
    for name, (slope, line, beside) in slopes.items():
        axes.plot([low, roof / slope], [low * slope / 1e9, roof / 1e9], line, lw=1)
        axes.annotate(
            f"{name}, {slope / 1e9:.2g} GB/s", (beside, beside * slope / 1e9), xytext=(8, -6),
            textcoords="offset points", fontsize="small",
        )  # fmt: skip
    axes.plot([roof / rates["copied"], high], [roof / 1e9] * 2, "k-", lw=1)
    axes.annotate(
        f"products, {roof / 1e9:.0f} GFLOP/s", (high, roof / 1e9), xytext=(0, 4),
        textcoords="offset points", fontsize="small", ha="right",
    )  # fmt: skip
    for (name, (intensity, reached, own)), marker in zip(at.items(), "osDv^<>", strict=True):
        colour = "tab:orange" if name in PASSES else "tab:blue"
        axes.plot([intensity] * 2, [reached / 1e9, own / 1e9], color=colour, lw=0.8)
        axes.plot(intensity, own / 1e9, marker="_", color=colour, ms=9)
        axes.plot(
            intensity,
            reached / 1e9,
            marker,
            color=colour,
            label=f"{STAGES[name]}, {reached / own:.2f}",
        )
    axes.set(xscale="log", yscale="log", xlim=(low, high), ylim=(None, 2.5 * roof / 1e9))
    axes.set_xlabel("operations a byte of data")
    axes.set_ylabel("GFLOP/s")
    axes.spines[["top", "right"]].set_visible(False)
    figure.legend(
        loc="outside right upper", frameon=False, fontsize="small",
        title="reached, and its share of\nthe machine's own (bar)", title_fontsize="small",
        alignment="left",
    )  # fmt: skip
    figure.savefig(path, dpi=150)
    plt.close(figure)


def measured(where: Path, records: int, repeats: int) -> dict[str, Any]:
    """Everything, on a store of so many records."""
    import numpy as np
    import xarray as xr

    import xpad

    store = mission.mission(where, records)
    shape = xr.open_zarr(store, consolidated=False)["FEDU"].shape
    features, settings = int(np.prod(shape[1:])), xpad.Settings()
    return {
        "records": records,
        "repeats": repeats,
        "features": features,
        "test": 1 - settings.train - settings.validation,
        "components": settings.n_components,
        "network": processes.run(
            __file__, "network", records=records, features=features, repeats=repeats
        ),
        "passes": processes.run(
            __file__, "passes", store=str(store), target=str(where), records=records,
            repeats=repeats,
        ),
    }  # fmt: skip


def main() -> None:
    parser = processes.parser(__doc__)
    parser.add_argument("--records", type=int, default=200_000)
    parser.add_argument("--repeats", type=int, default=5)
    arguments = parser.parse_args()
    if processes.is_task(arguments, {"network": network, "passes": passes}):
        return

    print(processes.machine(), flush=True)
    found = measured(mission.folder(arguments.folder), arguments.records, arguments.repeats)
    text = table(found)
    print(text)
    if arguments.docs:
        picture(found, processes.picture_path("roofline"))
        processes.write_figure("roofline", text)


if __name__ == "__main__":
    main()
