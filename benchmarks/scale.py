"""A mission larger than memory, from Zarr to labels in Zarr: time by stage, memory, bytes read.

    python benchmarks/scale.py --records 20_000_000     # labels of 20 million PADs
    python benchmarks/scale.py --sweep                  # 1, 4 and 16 million at memory=512MiB
    python benchmarks/scale.py --full-training          # the published split, training rows spooled

Every run is a process of its own, whose memory (with its children's) is watched from outside. The
rates that a pass is held against are measured by another process just before and just after it:
reading and decompressing the same records, the matrix products of the same shapes (both by as many
threads as there are cores or as a pass has, whichever is faster), writing rows to scratch (counted
for the bytes that a pass wrote there), writing such results, and copying the variables beside the
flux with xarray. All of the store's files are read once before, so that the rates and the passes find
them in the system's cache alike, where it holds them. ``--docs`` writes the tables and the picture
into docs/.
"""

from __future__ import annotations

import json
import logging
import shutil
import statistics
import sys
import time
from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from types import MappingProxyType
from typing import Any

import mission
import processes

SWEEP = (1_000_000, 4_000_000, 16_000_000)
PASSES = ("reading", "components", "projecting", "labelling")
AT_LEAST = 0.7
"""Share of its own rates that was asked of every pass."""
AFTER_TRAINING = ("components", "projecting", "clusters", "labelling")


# ------------------------------------------------------------------------- in a process of its own


class Stages(logging.Handler):
    """Wall and CPU time, bytes read and written between the messages that begin and end a stage."""

    def __init__(self) -> None:
        super().__init__()
        self.stages: dict[str, dict[str, float]] = {}
        self._before = (0.0, 0, 0)

    def emit(self, record: logging.LogRecord) -> None:
        if not hasattr(record, "step"):
            return
        if record.seconds is None:
            self._before = (time.process_time(), *bytes_moved())
            return
        now = (time.process_time(), *bytes_moved())
        moved = dict(zip(("cpu", "read", "written"), now, strict=True))
        known = self.stages.setdefault(record.step, dict.fromkeys(("seconds", *moved), 0.0))
        known["seconds"] += record.seconds
        for (name, value), then in zip(moved.items(), self._before, strict=True):
            known[name] += value - then


def bytes_moved() -> tuple[int, int]:
    """Bytes that this process has read from files and written to them (or their cache).

    Zero where the system does not tell.
    """
    try:
        text = Path("/proc/self/io").read_text()
    except OSError:
        return 0, 0
    read, written = (int(text.split(name)[1].split()[0]) for name in ("rchar:", "wchar:"))
    return read, written


def cluster(
    store: str, target: str, records: int, memory: str, options: dict[str, Any]
) -> dict[str, Any]:
    import xpad

    stages = Stages()
    log = logging.getLogger("xpad.compute.progress")
    log.addHandler(stages)
    log.setLevel(logging.DEBUG)
    shutil.rmtree(target, ignore_errors=True)
    shutil.rmtree(target + ".unfinished", ignore_errors=True)
    begun = time.perf_counter()
    ds = xpad.open_dataset(store).isel(Epoch=slice(records))
    out = xpad.cluster_to_zarr(ds, target, memory=memory, progress=False, **options)
    seconds = time.perf_counter() - begun
    labels = out["pad_label"]
    return {
        "stages": stages.stages,
        "seconds": seconds,
        "records": labels.size,
        "labelled": int((labels >= 0).sum()),
        "k": int(out.sizes["pad_cluster"]),
        "trained": json.loads(out.attrs["pad_training"]).get("n_train", 0),
    }


def rates(store: str, target: str, records: int) -> dict[str, float]:
    """Seconds a record of reading, of a matrix product and of writing, each as fast as it goes."""
    import dask
    import dask.array as da
    import jax
    import numpy as np
    import xarray as xr
    import zarr
    from dask.system import CPU_COUNT

    from xpad.compute.threads import SPARE_THREADS
    from xpad.pads.blocks import PIECE
    from xpad.storage.scratch import Scratch

    many = CPU_COUNT + SPARE_THREADS
    ds = xr.open_zarr(store, consolidated=False).isel(Epoch=slice(records))
    flux, others = ds["FEDU"].data, ds.drop_vars(["FEDU", "Epoch"]).data_vars
    features = int(np.prod(flux.shape[1:]))

    def read(threads: int, part: Any = flux) -> float:
        begun = time.perf_counter()
        with dask.config.set(num_workers=threads):
            da.map_blocks(lambda block: np.zeros((1,) * block.ndim, np.int8), part,
                          chunks=(1,) * part.ndim, dtype=np.int8).compute()  # fmt: skip
        return (time.perf_counter() - begun) / len(part)

    hidden, rows = features // 2, PIECE
    kernel = jax.numpy.ones((features, hidden), jax.numpy.float32)
    product = jax.jit(lambda x, w: jax.numpy.dot(x, w, precision="highest"))
    # On the device: of a NumPy array that begins anywhere in memory, JAX would make a copy first.
    block = jax.numpy.asarray(np.random.default_rng(0).random((rows, features), dtype=np.float32))

    def multiply(threads: int) -> float:
        def one(_: int) -> None:  # its result is let go, as in a pass: new memory takes its time
            product(block, kernel).block_until_ready()

        begun = time.perf_counter()
        with ThreadPoolExecutor(threads) as pool:
            list(pool.map(one, range(100)))
        return (time.perf_counter() - begun) / (rows * 100)

    encoded = np.random.default_rng(0).random((rows, hidden))

    def covariance() -> float:
        begun = time.perf_counter()
        with ThreadPoolExecutor(many) as pool:
            list(pool.map(lambda x: x.T @ x, [encoded] * 80))
        return (time.perf_counter() - begun) / (80 * len(encoded))

    drawn = np.random.default_rng(0).random((800, features), dtype=np.float32)
    count = max(records // (20 * len(drawn)), 1)

    def spool() -> float:
        """Seconds a byte of writing a twentieth of the records to files of some hundred rows."""
        scratch = Scratch(f"{target}-scratch")
        begun = time.perf_counter()
        with ThreadPoolExecutor(many) as pool:
            list(pool.map(lambda number: scratch.put(f"{number}.npy", drawn), range(count)))
        seconds = time.perf_counter() - begun
        scratch.remove()
        return seconds / (count * drawn.nbytes)

    rng = np.random.default_rng(0)
    n = 2**20
    results = {
        "label": rng.integers(0, 9, n).astype(np.int16),
        "flag": np.zeros(n, np.int8),
        "split": rng.integers(0, 3, n).astype(np.int8),
        "error": rng.random(n, dtype=np.float32),
        "pc": rng.random((n, 3), dtype=np.float32),
    }
    codec = zarr.codecs.BloscCodec(cname="zstd", clevel=3, shuffle="shuffle")

    def write() -> float:
        shutil.rmtree(target, ignore_errors=True)
        group = zarr.open_group(target, mode="w")
        begun = time.perf_counter()
        for name, values in results.items():
            chunks = (2**18, *values.shape[1:])
            array = group.create_array(
                name, shape=values.shape, chunks=chunks, dtype=values.dtype, compressors=(codec,)
            )
            array[:] = values
        return (time.perf_counter() - begun) / n

    def copy(chunks: dict[str, int]) -> float:
        shutil.rmtree(target, ignore_errors=True)
        begun = time.perf_counter()
        opened = xr.open_zarr(store, consolidated=False, chunks=chunks)
        chunked = (
            opened[list(others)].isel(Epoch=slice(records)).drop_vars("Epoch").chunk(Epoch=2**18)
        )
        plain = {name: {"chunks": (2**18,), "compressors": (codec,)} for name in chunked.data_vars}
        chunked.drop_encoding().to_zarr(target, encoding=plain, consolidated=False)
        return (time.perf_counter() - begun) / len(flux)

    from threadpoolctl import threadpool_limits

    def median(function: Any, *arguments: Any, times: int = 5) -> float:
        function(*arguments)
        return statistics.median(function(*arguments) for _ in range(times))

    with threadpool_limits(1, user_api="blas"):
        read(many, flux[:1_000_000])
        found = {
            "read": min(read(CPU_COUNT), read(many)),
            "product": min(median(multiply, CPU_COUNT), median(multiply, many)),
            "covariance": median(covariance),
            "spool": spool(),
            "write": median(write, times=3),
            "copy": min(copy({}), copy({"Epoch": 2**18})),
        }
    shutil.rmtree(target, ignore_errors=True)
    return found


# --------------------------------------------------------------------------------------- the tables


def allowed(
    found: dict[str, float], test: float, spooled: Mapping[str, float] = MappingProxyType({})
) -> dict[str, float]:
    """Seconds a record that each pass takes at the rates of this run.

    `test` is the share of the records that is encoded, `spooled` the bytes a record that a pass
    writes to scratch.
    """
    scratch = {name: spooled.get(name, 0) * found.get("spool", 0) for name in PASSES}
    return {
        "reading": found["read"] + scratch["reading"],
        "components": found["read"] + test * (found["product"] + found["covariance"]),
        "projecting": found["read"] + test * found["product"] + scratch["projecting"],
        "labelling": found["read"] + 2 * found["product"] + found["write"] + found["copy"],
    }


def measured(
    where: Path, store: Path, records: int, memory: str, options: dict[str, Any]
) -> dict[str, Any]:
    """One run between two measurements of the rates."""
    target = str(where / f"labels-{records}.zarr")
    for path in store.rglob("*"):
        if path.is_file():
            with path.open("rb", buffering=0) as file:
                while file.read(2**24):
                    pass
    about = {"store": str(store), "target": str(where / "rates.zarr"), "records": records}
    before = processes.run(__file__, "rates", **about)
    run = processes.run(__file__, "cluster", store=str(store), target=target, records=records,
                        memory=memory, options=options)  # fmt: skip
    after = processes.run(__file__, "rates", **about)
    run["rates"] = {name: (before[name] + after[name]) / 2 for name in before}
    shutil.rmtree(target, ignore_errors=True)
    return run | {"memory": memory, "options": options}


def table(run: dict[str, Any]) -> str:
    """Stages of one run."""
    records, found = run["records"], run["rates"]
    settings = {"train": 0.2, "validation": 0.2} | run["options"]
    spooled = {name: stage["written"] / records for name, stage in run["stages"].items()}
    own = allowed(found, 1 - settings["train"] - settings["validation"], spooled)
    lines = [
        f"{records:,} records, {run['labelled']:,} labelled, k = {run['k']}, "
        f"{run['trained']:,} training records, at most {run['options']['epochs']} epochs, "
        f"memory={run['memory']}",
        "",
        "| stage | seconds | cores busy | GB read | GB written | µs a record | at the run's own rates, µs "
        f"| share, at least {AT_LEAST:.0%} |",
        "|---|---|---|---|---|---|---|---|",
    ]
    for name, stage in run["stages"].items():
        each = 1e6 * stage["seconds"] / records
        limit = f"{1e6 * own[name]:.2f} | {own[name] / (each / 1e6):.0%}" if name in own else " | "
        lines.append(
            f"| {name} | {stage['seconds']:.1f} | {stage['cpu'] / max(stage['seconds'], 1e-9):.2f} | "
            f"{stage['read'] / 1e9:.2f} | {stage['written'] / 1e9:.2f} | {each:.2f} | {limit} |"
        )
    rest = run["seconds"] - sum(stage["seconds"] for stage in run["stages"].values())
    lines.append(f"| the rest | {rest:.1f} | | | | {1e6 * rest / records:.2f} | | |")
    lines += [
        "",
        f"{run['seconds']:.0f} s in all; peak memory of the process tree {run['peak_rss'] / 2**30:.2f} GiB. "
        f"Own rates, µs a record: read and decompress {1e6 * found['read']:.2f}, one product "
        f"{1e6 * found['product']:.2f}, covariance {1e6 * found['covariance']:.2f}, write a GB to "
        f"scratch {1e9 * found['spool']:.2f} s, "
        f"write the results {1e6 * found['write']:.2f}, copy L, MLT and the like with xarray "
        f"{1e6 * found['copy']:.2f}.",
    ]
    return "\n".join(lines)


def sweep_table(runs: list[dict[str, Any]]) -> str:
    """Time a record and peak memory, by length."""
    first = runs[0]
    head = " | ".join(f"{run['records'] / 1e6:g} million" for run in runs)
    lines = [f"| µs a record | {head} | growth |", "|---|" + "---|" * (len(runs) + 1)]
    for name in ("reading", *AFTER_TRAINING):
        each = [1e6 * run["stages"][name]["seconds"] / run["records"] for run in runs]
        cells = " | ".join(f"{value:.2f}" for value in each)
        lines.append(f"| {name} | {cells} | {each[-1] / each[0] - 1:+.0%} |")
    peaks = " | ".join(f"{run['peak_rss'] / 2**20:.0f}" for run in runs)
    growth = runs[-1]["peak_rss"] / first["peak_rss"] - 1
    lines.append(f"| peak memory, MiB | {peaks} | {growth:+.0%} |")
    return "\n".join(lines)


def sweep_picture(runs: list[dict[str, Any]], path: Path) -> None:
    """Time a record of every stage, and peak memory, against the number of records."""
    import matplotlib

    matplotlib.use("agg")
    import matplotlib.pyplot as plt

    figure, (left, right) = plt.subplots(1, 2, figsize=(8, 3.4), layout="constrained")
    records = [run["records"] / 1e6 for run in runs]
    markers = dict(zip(("reading", *AFTER_TRAINING), "osD^v", strict=True))
    for name, marker in markers.items():
        each = [1e6 * run["stages"][name]["seconds"] / run["records"] for run in runs]
        left.plot(records, each, marker=marker, label=name)
    left.set(xscale="log", xlabel="records (million)", ylabel="time (µs a record)")
    left.legend(frameon=False, fontsize="small")
    right.plot(records, [run["peak_rss"] / 2**20 for run in runs], "ko-")
    right.set(xscale="log", xlabel="records (million)", ylabel="peak memory (MiB)")
    for axes in (left, right):
        axes.set_xticks(records, [f"{value:g}" for value in records])
        axes.minorticks_off()
        axes.set_ylim(0, 1.08 * axes.dataLim.ymax)
        axes.spines[["top", "right"]].set_visible(False)
    figure.savefig(path, dpi=150)


def main() -> None:
    parser = processes.parser(__doc__)
    parser.add_argument("--records", type=int, default=20_000_000)
    parser.add_argument("--memory", help="as xpad's; by default 1GiB, in the sweep 512MiB")
    parser.add_argument("--max-train", type=int, default=None)
    parser.add_argument("--epochs", type=int, default=None)
    parser.add_argument("--sweep", action="store_true")
    parser.add_argument("--full-training", action="store_true")
    parser.add_argument("--lengths", type=int, nargs="+", default=SWEEP, help="of the sweep")
    arguments = parser.parse_args()
    if processes.is_task(arguments, {"cluster": cluster, "rates": rates}):
        return

    where = mission.folder(arguments.folder)
    print(processes.machine(), flush=True)
    if arguments.sweep:
        options = {"max_train": arguments.max_train or 100_000, "epochs": arguments.epochs or 20}
        store = mission.mission(where, max(arguments.lengths))
        memory = arguments.memory or "512MiB"
        runs = [measured(where, store, n, memory, options) for n in sorted(arguments.lengths)]
        text, name = sweep_table(runs), "sweep"
        text += (
            f"\n\nmemory={memory}, max_train={options['max_train']:,}, {options['epochs']} epochs."
        )
        if arguments.docs:
            sweep_picture(runs, processes.picture_path("sweep"))
    else:
        options = {"max_train": arguments.max_train or 500_000, "epochs": arguments.epochs or 200}
        name = "records"
        if arguments.full_training:
            options = {"epochs": arguments.epochs or 3}
            name = "full-training"
        store = mission.mission(where, arguments.records)
        text = table(measured(where, store, arguments.records, arguments.memory or "1GiB", options))
    print(text)
    if arguments.docs:
        processes.write_figure(f"scale-{name}", text)


if __name__ == "__main__":
    sys.path.insert(0, str(Path(__file__).parent))
    main()
