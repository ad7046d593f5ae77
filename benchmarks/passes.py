"""What the passes over the data spend, step by step: the profile behind their shares.

    python benchmarks/passes.py
    python benchmarks/passes.py --docs                 # writes the table into docs/

Each step is called by itself on a block of simulated records, as the pass calls it, in pieces of as
many records, by as many threads at once as there are cores or as a pass has (whichever is faster),
each with a block of its own. Steps take turns, and medians are told.

The last line is the share that the pass would reach if it were these steps and nothing else, and no
thread ever waited for another: its own rates (reading, products of the same shapes, writing the
results; without the variables beside the flux) over all steps.
"""

from __future__ import annotations

import statistics
import tempfile
import time
import warnings
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import mission
import processes

ROWS = mission.CHUNK
READ, PRODUCT, COVARIANCE, WRITTEN = (
    "read and decompress",
    "matrix product",
    "covariance, float64",
    "results compressed and written",
)
HASH = "split: hash of the position"
COUNTED = "bins counted where they lie"
CLEANED = "cleaned, counted, laid out energy by energy"
ENCODED, WITH_ERROR = "normalised and encoded", "normalised and encoded, with the error"
PROJECTED, NEAREST, SUMS = "projected, float64", "nearest centre", "sums of the catalogue"
PASSES = {
    "reading": (READ, HASH, COUNTED),
    "components": (READ, CLEANED, ENCODED, COVARIANCE),
    "projecting": (READ, CLEANED, ENCODED, PROJECTED),
    "labelling": (READ, HASH, CLEANED, WITH_ERROR, PROJECTED, NEAREST, SUMS, WRITTEN),
}
"""The steps that each pass takes."""
OWN = {
    "reading": (READ,),
    "components": (READ, PRODUCT, COVARIANCE),
    "projecting": (READ, PRODUCT),
    "labelling": (READ, PRODUCT, PRODUCT, WRITTEN),
}
"""What each pass is held against."""
OF_TEST = ("components", "projecting")
"""Passes that go on with the test split's records alone."""


def steps(store: str, repeats: int) -> dict[str, dict[str, float]]:
    """Seconds a record of a block: of every step on the whole block, and on its test split."""
    import jax
    import numpy as np
    import xarray as xr
    import zarr
    from dask.system import CPU_COUNT
    from threadpoolctl import threadpool_limits

    import xpad
    from xpad.compute.threads import SPARE_THREADS
    from xpad.fitting.splitter import splitter
    from xpad.pads.blocks import Block
    from xpad.pads.canonical import located
    from xpad.pads.valid import measured
    from xpad.results.variables import Packing, usable_only
    from xpad.stages import pca
    from xpad.stages.split import TEST, Members
    from xpad.statistics.sums import Tally

    warnings.simplefilter("ignore", xpad.XpadWarning)  # an epoch is hardly a training
    ds = xpad.open_dataset(store).isel(Epoch=slice(ROWS))
    model = xpad.fit(ds, epochs=1, k=8, progress=False)
    split = splitter(located(ds), model.settings, model.provenance["split"])
    source = xr.open_zarr(store, consolidated=False, chunks=None)["FEDU"]
    limits = located(ds).limits
    codec = zarr.codecs.BloscCodec(cname="zstd", clevel=3, shuffle="shuffle")
    product = jax.jit(lambda x, w: jax.numpy.dot(x, w, precision="highest"))
    fitted = model.pipeline
    preparation, encoder, principal = fitted.preparation, fitted.encoder, fitted.components
    packing = Packing.of(model, fitted=False)
    kernel = np.ones((model.features.sum(), fitted.n_encoded), np.float32)
    position = np.arange(ROWS)
    test = Members.of(split.split(position), TEST)

    def calls(folder: str, members: Members | None) -> dict[str, Callable[[], Any]]:
        """The steps of one thread, on data of its own; of all records or the chosen."""
        # The simulation's files have pitch angle before energy.
        raw = source.variable[:ROWS].to_numpy().transpose(0, 2, 1)

        def cleaned() -> Iterator[Any]:
            chosen = None if members is None else members.among(position)
            return (piece for _, piece in Block(raw, None, None, limits).pieces(chosen))

        pads = [preparation.pads(piece) for piece in cleaned()]
        rows = [preparation.rows_with_divisors(one) for one in pads]
        encoded = [encoder.encode(*some) for some in rows]
        components = [pca.project(principal, some) for some in encoded]
        labels = [fitted.labeller.assign(some) for some in components]
        columns = np.concatenate([packing.pack(usable_only(fitted.results(one))) for one in pads])
        written = zarr.create_array(
            f"{folder}/columns.zarr", shape=columns.shape, dtype="f4", chunks=columns.shape,
            compressors=(codec,),
        )  # fmt: skip

        on_device = [jax.numpy.asarray(some) for some, _ in rows]

        def sums() -> None:
            total = Tally.none(model.grid.shape)
            for one, label in zip(pads, labels, strict=True):
                run = np.zeros(len(label), np.int64)
                total += Tally.of(one.flux, one.seen, label.astype(np.int64), run)

        return {
            READ: lambda: source.variable[:ROWS].to_numpy(),
            HASH: lambda: split.split(position),
            COUNTED: lambda: measured(raw, limits),
            CLEANED: lambda: through(cleaned()),
            ENCODED: lambda: through(encoder.encode(*some) for some in rows),
            WITH_ERROR: lambda: through(encoder.reduce(*some, principal) for some in rows),
            COVARIANCE: lambda: through(pca.Moments.of(some, principal.mean) for some in encoded),
            PROJECTED: lambda: through(pca.project(principal, some) for some in encoded),
            NEAREST: lambda: through(fitted.labeller.assign(some) for some in components),
            SUMS: sums,
            WRITTEN: lambda: written.__setitem__(..., columns),
            PRODUCT: lambda: through(
                product(some, kernel).block_until_ready() for some in on_device
            ),
        }

    found: dict[str, dict[str, float]] = {}
    for variant, chosen in {"all": None, "test": test}.items():
        with tempfile.TemporaryDirectory() as target, threadpool_limits(1, user_api="blas"):
            many = CPU_COUNT + SPARE_THREADS
            own = [calls(f"{target}/{number}", chosen) for number in range(many)]
            medians = [by_threads(own[:threads], repeats) for threads in (CPU_COUNT, many)]
        found[variant] = {name: min(each[name] for each in medians) for name in own[0]}
        # It calls the projection too, which has a line of its own.
        found[variant][WITH_ERROR] -= found[variant][PROJECTED]
    return found


def through(results: Iterable[Any]) -> None:
    """Let each result go before the next one, as a pass does: new memory takes its time."""
    for _ in results:
        pass


def by_threads(calls: list[dict[str, Callable[[], Any]]], repeats: int) -> dict[str, float]:
    """Seconds a record of every step, called by as many threads at once as there are sets of calls."""
    turns = []
    with ThreadPoolExecutor(len(calls)) as pool:
        for _ in range(1 + repeats):
            turn = {}
            for name in calls[0]:
                begun = time.perf_counter()
                list(pool.map(lambda own, name=name: own[name](), calls))
                turn[name] = (time.perf_counter() - begun) / (ROWS * len(calls))
            turns.append(turn)
    return {name: statistics.median(turn[name] for turn in turns[1:]) for name in calls[0]}


def table(found: dict[str, dict[str, float]]) -> str:
    """Microseconds a record, all cores busy with the same step, by step and pass."""
    columns = {}
    for name, taken in PASSES.items():
        each = found["test" if name in OF_TEST else "all"]
        own = sum(each[step] for step in OWN[name])
        columns[name] = {step: each[step] for step in taken}
        total = sum(columns[name].values())
        columns[name] |= {"together": total, "share": own / total}
    lines = [
        "| µs a record, all cores at it | " + " | ".join(PASSES) + " |",
        "|---|" + "---|" * len(PASSES),
    ]
    every = dict.fromkeys(step for taken in PASSES.values() for step in taken)
    for step in (*every, "together"):
        cells = (f"{1e6 * c[step]:.2f}" if step in c else "" for c in columns.values())
        lines.append(f"| {step} | " + " | ".join(cells) + " |")
    shares = (f"{column['share']:.0%}" for column in columns.values())
    lines.append("| share of it at its own rates | " + " | ".join(shares) + " |")
    product = " and ".join(f"{1e6 * found[v][PRODUCT]:.2f}" for v in ("all", "test"))
    lines += ["", f"One matrix product of a layer's shape: {product} µs (all records, test split)."]
    return "\n".join(lines)


def main() -> None:
    parser = processes.parser(__doc__)
    parser.add_argument("--repeats", type=int, default=15)
    arguments = parser.parse_args()
    if processes.is_task(arguments, {"steps": steps}):
        return

    print(processes.machine(), flush=True)
    store = mission.mission(mission.folder(arguments.folder), ROWS)
    text = table(processes.run(__file__, "steps", store=str(store), repeats=arguments.repeats))
    print(text)
    if arguments.docs:
        processes.write_figure("passes", text)


if __name__ == "__main__":
    main()
