"""The same labels however they are computed: a table of chunks, schedulers, workers and memory.

    python benchmarks/chunking.py

Each row is one run on the same simulated data with the published settings (fewer epochs); it
states how many labels equal those of the first, which has all data in memory as NumPy arrays.
"""

from __future__ import annotations

import sys
import time
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import dask
import mission
import numpy as np
import processes
import xarray as xr

import xpad


@contextmanager
def cluster(workers: int, threads: int) -> Iterator[None]:
    from distributed import Client, LocalCluster

    with (
        LocalCluster(
            n_workers=workers, threads_per_worker=threads, dashboard_address=None, host="127.0.0.1"
        ) as own,
        Client(own),
    ):
        yield


@contextmanager
def scheduler(name: str, **options: Any) -> Iterator[None]:
    with dask.config.set(scheduler=name, **options):
        yield


def cases(n: int) -> dict[str, tuple[dict[str, Any] | None, Any, str]]:
    """Name of a case: chunks (None: NumPy), scheduler, memory."""
    day = 7901
    return {
        "NumPy, in memory": (None, scheduler("threads"), "4GiB"),
        "a chunk a day, threads": ({"Epoch": day}, scheduler("threads"), "4GiB"),
        "one chunk": ({"Epoch": -1}, scheduler("threads"), "4GiB"),
        "chunks of 1,000": ({"Epoch": 1000}, scheduler("threads"), "4GiB"),
        "chunks of uneven lengths": ({"Epoch": _uneven(n)}, scheduler("threads"), "4GiB"),
        "chunks in energy and pitch angle": (
            {"Epoch": 20_000, "FEDU_Energy": 5, "FEDU_Alpha": 4}, scheduler("threads"), "4GiB",
        ),
        "one thread": ({"Epoch": day}, scheduler("synchronous"), "4GiB"),
        "the least memory: all spooled": ({"Epoch": day}, scheduler("threads"), "16MiB"),
        "processes": ({"Epoch": 4 * day}, scheduler("processes", num_workers=2), "4GiB"),
        "distributed, one worker": ({"Epoch": day}, cluster(1, 2), "4GiB"),
        "distributed, two workers": ({"Epoch": day}, cluster(2, 1), "4GiB"),
        "distributed, the least memory": ({"Epoch": day}, cluster(2, 1), "16MiB"),
    }  # fmt: skip


def _uneven(n: int) -> tuple[int, ...]:
    cuts = np.sort(np.random.default_rng(0).choice(n - 1, 20, replace=False)) + 1
    return tuple(int(size) for size in np.diff([0, *cuts, n]))


def labels(ds: xr.Dataset, memory: str, epochs: int) -> tuple[np.ndarray, int]:
    out, model = xpad.cluster(ds, memory=memory, epochs=epochs, progress=False, return_model=True)
    return out["pad_label"].values, model.k


def main() -> None:
    parser = processes.parser(__doc__)
    parser.add_argument("--records", type=int, default=200_000)
    parser.add_argument("--epochs", type=int, default=10)
    arguments = parser.parse_args()
    warnings.simplefilter("ignore")
    store = mission.mission(mission.folder(arguments.folder), arguments.records)
    held = xpad.open_dataset(store).isel(Epoch=slice(arguments.records))[["FEDU"]].compute()
    first: np.ndarray | None = None
    lines = ["| run | k | labels equal | of | seconds |", "|---|---|---|---|---|"]
    print(processes.machine(), *lines, sep="\n", flush=True)
    for name, (chunks, how, memory) in cases(arguments.records).items():
        begun = time.perf_counter()
        with how:
            found, k = labels(
                held if chunks is None else held.chunk(chunks), memory, arguments.epochs
            )
        first = found if first is None else first
        seconds = time.perf_counter() - begun
        equal = int((found == first).sum())
        lines.append(f"| {name} | {k} | {equal:,} | {found.size:,} | {seconds:.0f} |")
        print(lines[-1], flush=True)
    if arguments.docs:
        processes.write_figure("chunking", "\n".join([*lines, "", f"{arguments.epochs} epochs."]))


if __name__ == "__main__":
    sys.path.insert(0, str(Path(__file__).parent))
    main()
