"""Opening thousands of daily CDF files as one lazy Dataset, and predicting over them.

    python benchmarks/many_files.py --files 2500                 # makes them first, 4.4 GB
    python benchmarks/many_files.py --files 2500 --folder days   # keeps them for the next time

Prints how long it takes to open them all and what memory that needs, the graph of `predict` with a
model that is fitted on the first day, and a day that is compressed as a whole beside the same day
compressed by variable. All days hold the same simulated records, at their own times.
"""

from __future__ import annotations

import argparse
import concurrent.futures
import multiprocessing
import os
import shutil
import statistics
import sys
import tempfile
import time
import warnings
from pathlib import Path

START = "2012-09-01"
PATTERN = "*.cdf"
PIECES = 10  # in which a day is read for the comparison


def make(job: tuple[Path, list[int]]) -> int:
    """Write days of the same records, a few less on some, as one file each."""
    import numpy as np

    import xpad
    from xpad.simulation.cdf import to_cdf

    folder, days = job
    first = xpad.simulate(days=1, start=START, chunks=None)
    for day in days:
        ds = first.isel(Epoch=slice(first.sizes["Epoch"] - day % 7))
        shifted = ds["Epoch"].copy(data=ds["Epoch"].values + np.timedelta64(day, "D"))
        to_cdf(ds.assign_coords(Epoch=shifted), folder)
    return len(days)


def files(folder: Path, wanted: int) -> list[Path]:
    """The files in a folder, after those that are missing were made."""
    folder.mkdir(parents=True, exist_ok=True)
    present = len(list(folder.glob(PATTERN)))
    missing = list(range(present, wanted))
    if missing:
        print(f"making {len(missing)} files in {folder} …", file=sys.stderr, flush=True)
        workers = min(os.cpu_count() or 1, len(missing))
        jobs = [(folder, missing[number::workers]) for number in range(workers)]
        context = multiprocessing.get_context("spawn")
        with concurrent.futures.ProcessPoolExecutor(workers, mp_context=context) as pool:
            list(pool.map(make, jobs))
    return sorted(folder.glob(PATTERN))[:wanted]


def peak_mib() -> float:
    """The largest memory that this process has had so far."""
    import resource

    unit = 1 if sys.platform == "darwin" else 1024
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * unit / 2**20


def seconds(call, repeats: int = 1) -> float:
    """The median time of some calls."""
    taken = []
    for _ in range(repeats):
        begun = time.perf_counter()
        call()
        taken.append(time.perf_counter() - begun)
    return statistics.median(taken)


def opening(paths: list[Path], repeats: int) -> list[tuple[str, str]]:
    import xpad

    xpad.open_dataset(paths[0])  # loads the libraries
    before = peak_mib()
    ds = xpad.open_dataset(paths)
    peak = peak_mib() - before
    times = ds["Epoch"].nbytes / 2**20
    records = ds.sizes["Epoch"]
    del ds
    taken = seconds(lambda: xpad.open_dataset(paths), repeats)
    return [
        ("files", f"{len(paths):,}"),
        ("records", f"{records:,}"),
        (f"open all (median of {repeats})", f"{taken:.2f} s"),
        ("  a file", f"{1000 * taken / len(paths):.2f} ms"),
        ("  peak of memory above that of opening one", f"{peak:.0f} MiB"),
        ("  of that, the times themselves", f"{times:.0f} MiB"),
    ]


def predicting(paths: list[Path]) -> list[tuple[str, str]]:
    import cloudpickle
    import dask

    import xpad

    model = xpad.fit(xpad.open_dataset(paths[0]), encoder=None, progress=False)
    ds = xpad.open_dataset(paths)
    begun = time.perf_counter()
    out = xpad.predict(ds, model)
    taken = time.perf_counter() - begun
    added = out[[name for name in out.data_vars if name not in ds.variables]]
    graph = added.__dask_graph__()
    begun = time.perf_counter()
    (ready,) = dask.optimize(added)
    optimising = time.perf_counter() - begun
    sizes = sorted(len(cloudpickle.dumps(task)) for task in dict(ready.__dask_graph__()).values())
    return [
        ("build predict", f"{taken:.2f} s"),
        ("  tasks", f"{len(graph):,}"),
        ("  graph, pickled", f"{len(cloudpickle.dumps(graph)) / 1e6:.2f} MB"),
        ("  optimise it", f"{optimising:.2f} s"),
        ("  tasks then", f"{len(sizes):,}"),
        ("  one of them, pickled: median", f"{statistics.median(sizes) / 1000:.1f} kB"),
        ("  the largest (the paths of all files)", f"{sizes[-1] / 1000:.1f} kB"),
        ("  how many are over 10 kB", f"{sum(size > 10_000 for size in sizes):,}"),
    ]


def pack(path: Path, target: Path) -> None:
    """Write a file compressed as a whole, as cdflib does."""
    import gzip
    import struct

    plain = path.read_bytes()
    content = gzip.compress(plain[8:], 6)
    ccr = struct.pack(">qiqqi", 32 + len(content), 10, 40 + len(content), len(plain) - 8, 0)
    cpr = struct.pack(">qiiiii", 28, 11, 5, 0, 1, 6)
    target.write_bytes(plain[:4] + b"\xcc\xcc\x00\x01" + ccr + content + cpr)


def comparing(repeats: int) -> list[tuple[str, float, float]]:
    """The same day compressed by variable and as a whole; opened, and its flux read in pieces."""
    from unittest import mock

    import xpad
    from xpad.simulation.cdf import to_cdf

    def read(path: Path) -> None:
        ds = xpad.open_dataset(path)
        length = -(-ds.sizes["Epoch"] // PIECES)
        for begin in range(0, ds.sizes["Epoch"], length):
            ds["FEDU"].isel(Epoch=slice(begin, begin + length)).compute()

    with tempfile.TemporaryDirectory() as temporary:
        folder = Path(temporary)
        day = xpad.simulate(days=1, start=START, chunks=None)
        (by_variable,) = to_cdf(day, folder / "by variable")
        with mock.patch("xpad.simulation.cdf._GZIP", 0):
            (plain,) = to_cdf(day, folder / "plain")
        pack(plain, folder / "whole.cdf")
        columns = []
        for kind in (by_variable, folder / "whole.cdf"):
            rows = []
            for number in range(repeats):
                path = folder / f"{number}-{kind.name}"  # of which there is no copy yet
                shutil.copy(kind, path)
                rows.append([seconds(lambda path=path: xpad.open_dataset(path)) for _ in range(2)])
                rows[-1].append(seconds(lambda path=path: read(path)))
            taken = [1000 * statistics.median(row) for row in zip(*rows, strict=True)]
            columns.append([kind.stat().st_size / 1e6, *taken])
    labels = [
        "size, MB",
        "open for the first time, ms",
        "open again, ms",
        f"open again, read in {PIECES} pieces, ms",
    ]
    return list(zip(labels, *columns, strict=True))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--files", type=int, default=2500)
    parser.add_argument("--folder", type=Path, help="of the files; default: made for this run")
    parser.add_argument("--repeats", type=int, default=3)
    arguments = parser.parse_args()
    if arguments.files < 1 or arguments.repeats < 1:
        parser.error("--files and --repeats must be at least 1")
    with tempfile.TemporaryDirectory() as temporary:
        paths = files(arguments.folder or Path(temporary), arguments.files)
        for label, value in [*opening(paths, arguments.repeats), *predicting(paths)]:
            print(f"{label:<44} {value:>12}", flush=True)
        print(f"\n{'one day compressed':<35} {'by variable':>12} {'as a whole':>12}")
        with warnings.catch_warnings():
            warnings.filterwarnings("ignore", "(?s).*compressed as a whole", UserWarning)
            for label, by_variable, whole in comparing(arguments.repeats):
                print(f"{label:<35} {by_variable:>12.1f} {whole:>12.1f}")


if __name__ == "__main__":
    main()
