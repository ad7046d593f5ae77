"""What comes before the computing: opening many files, imports, compilations."""

from __future__ import annotations

import argparse
import statistics
import subprocess
import sys
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import compare_data
import many_files
import mission
import numpy as np
import sidebyside
from sidebyside import markdown, median, times, verdict

AT_LEAST_FILES = 3
AT_MOST_IMPORT = 0.15
"""What is asked of xpad: of opening and reading (a ratio), of `import xpad` (seconds)."""
IMPORTS = 15
LENGTHS = 100


# ------------------------------------------------------------------------- in a process of its own


def files_xpad(folder: str, files: int) -> dict[str, Any]:
    import xpad

    return read(lambda chosen: xpad.open_dataset(chosen)["FEDU"].values, folder, files)


def files_cdflib(folder: str, files: int) -> dict[str, Any]:
    import xarray as xr
    from cdflib.xarray import cdf_to_xarray

    def flux(chosen: list[Path]) -> np.ndarray:
        return xr.concat([cdf_to_xarray(str(path))["FEDU"] for path in chosen], "Epoch").values

    return read(flux, folder, files)


def files_varget(folder: str, files: int) -> dict[str, Any]:
    import cdflib

    def flux(chosen: list[Path]) -> np.ndarray:
        return np.concatenate([cdflib.CDF(path).varget("FEDU") for path in chosen])

    return read(flux, folder, files)


def read(flux: Callable[[list[Path]], np.ndarray], folder: str, files: int) -> dict[str, Any]:
    """Time to open and read all files, after one was read and the libraries are loaded."""
    paths = many_files.files(Path(folder), files)
    flux(paths[:1])
    begun = time.perf_counter()
    values = flux(paths)
    seconds = time.perf_counter() - begun
    parts = np.array_split(values, files)  # so that the check adds nothing to the peak of memory
    positive = sum(float(part.sum(dtype=np.float64, where=part > 0)) for part in parts)
    return {"seconds": seconds, "records": len(values), "sum": positive}


def fit_small(data: str, model: str) -> dict[str, Any]:
    import xpad

    ds = compare_data.as_dataset(compare_data.load(data))
    xpad.fit(ds, epochs=1, progress=False).save(model, overwrite=True)
    return {}


def compilations(data: str, model: str, lengths: list[int]) -> dict[str, Any]:
    """Programs that XLA compiles while one Dataset after another is predicted."""
    import jax

    import xpad

    compiled = []

    def count(event: str, seconds: float, **_: Any) -> None:
        if event == "/jax/core/compile/backend_compile_duration":
            compiled.append(seconds)

    jax.monitoring.register_event_duration_secs_listener(count)
    fitted = xpad.load_model(model)
    ds = compare_data.as_dataset(compare_data.load(data))
    begun = time.perf_counter()
    for length in lengths:
        xpad.predict(ds.isel(Epoch=slice(length)), fitted)["pad_label"].compute()
    return {"compilations": len(compiled), "seconds": time.perf_counter() - begun}


TASKS = {
    "files-xpad": files_xpad,
    "files-cdflib": files_cdflib,
    "files-varget": files_varget,
    "fit-small": fit_small,
    "compilations": compilations,
}


# --------------------------------------------------------------------------------------- the tables


def files(arguments: argparse.Namespace) -> str:
    """A year of daily files, opened and their flux read."""
    folder = mission.folder(arguments.folder) / "compare-cdf"
    many_files.files(folder, arguments.files)

    def run(task: str, number: int) -> dict[str, Any]:
        return sidebyside.task(task, folder=str(folder), files=arguments.files)

    runs = sidebyside.alternating(
        {
            "xpad.open_dataset": partial(run, "files-xpad"),
            "cdf_to_xarray, concat": partial(run, "files-cdflib"),
            "cdflib's varget, one array": partial(run, "files-varget"),
        },
        arguments.repeats,
    )
    mine, other, _ = (median(found, "seconds") for found in runs.values())
    rows = [
        [name, f"{median(found, 'seconds'):.2f}", f"{median(found, 'peak_rss') / 2**30:.2f}",
         f"{found[0]['records']:,}", f"{found[0]['sum']:.6g}"]
        for name, found in runs.items()
    ]  # fmt: skip
    lines = [
        f"{arguments.files} daily CDF files opened, and their flux read into one array; medians of "
        f"{arguments.repeats} processes in turn. `cdf_to_xarray` reads every variable of a file, xpad and "
        "`varget` the one; `varget` gives no times and no Dataset.",
        "",
        markdown(["", "seconds", "peak memory, GiB", "records", "sum of the flux"], rows),
        "",
        f"Against `cdf_to_xarray` {times(other / mine)}, at least {AT_LEAST_FILES} × wanted: "
        f"{verdict(other / mine >= AT_LEAST_FILES)}.",
    ]
    return "\n".join(lines)


def imports(arguments: argparse.Namespace) -> str:
    """Whole processes that import nothing else."""
    taken: dict[str, list[float]] = {"xarray": [], "xpad": []}
    for number in range(IMPORTS + 1):
        for name, seconds in taken.items():
            begun = time.perf_counter()
            subprocess.run(
                [sys.executable, "-c", f"import {name}"], check=True, cwd=Path(sys.prefix)
            )
            if number:  # the first finds nothing in the system's cache
                seconds.append(time.perf_counter() - begun)
    found = {name: statistics.median(seconds) for name, seconds in taken.items()}
    beyond = found["xpad"] - found["xarray"]
    lines = [
        f"A new Python that imports and ends, medians of {IMPORTS} in turn.",
        "",
        markdown(["", "seconds"], [[f"import {n}", f"{s:.3f}"] for n, s in found.items()]),
        "",
        f"`import xpad` takes {beyond:.3f} s beyond `import xarray`, at most {AT_MOST_IMPORT} s wanted: "
        f"{verdict(beyond <= AT_MOST_IMPORT)}. JAX and scikit-learn are imported where they are first "
        "needed, which the cold runs of the whole method include.",
    ]
    return "\n".join(lines)


def compiled(arguments: argparse.Namespace) -> str:
    """Predictions of Datasets of as many lengths, and of one."""
    where = mission.folder(arguments.folder)
    records = min(arguments.records, 20_000)
    both = {
        "data": str(compare_data.prepared(where, records)),
        "model": str(where / "compare-small-model.zarr"),
    }
    sidebyside.task("fit-small", **both)
    rows = []
    for different in (LENGTHS, 10, 1):
        lengths = np.linspace(records, records / LENGTHS, different).astype(int).tolist()
        given = lengths * (LENGTHS // different)
        found = sidebyside.task("compilations", **both, lengths=given)
        rows.append(
            [
                f"{different:,}",
                f"{min(given):,} … {max(given):,}",
                str(found["compilations"]),
                f"{found['seconds']:.1f}",
            ]
        )
    lines = [
        f"{LENGTHS} Datasets of some different lengths, predicted one after another in a process. Wanted: "
        "a bounded number of compilations, no more for many lengths than for one: "
        f"{verdict(int(rows[0][2]) <= int(rows[-1][2]))}.",
        "",
        markdown(["lengths", "records", "compilations", "seconds"], rows),
    ]
    return "\n".join(lines)
