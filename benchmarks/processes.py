"""What the benchmarks share: their options, processes that are watched, and figures for docs/."""

from __future__ import annotations

import argparse
import contextlib
import datetime
import json
import os
import platform
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Mapping
from importlib import metadata
from pathlib import Path
from typing import Any

import psutil

DOCS = Path(__file__).resolve().parents[1] / "docs"

PACKAGES = (
    "xpad", "numpy", "numba", "jax", "optax", "scikit-learn", "xarray", "dask", "zarr", "cdflib",
    "tensorflow", "tensorflow-cpu", "keras", "dask-ml", "xeofs",
)  # fmt: skip

Tasks = Mapping[str, Callable[..., Any]]


def parser(description: str | None) -> argparse.ArgumentParser:
    """A parser with the options of every benchmark."""
    found = argparse.ArgumentParser(
        description=description, formatter_class=argparse.RawTextHelpFormatter
    )
    found.add_argument("--folder", help="for the simulated data, which are kept")
    found.add_argument("--docs", action="store_true", help="write tables and pictures into docs/")
    found.add_argument("--task", help=argparse.SUPPRESS)
    found.add_argument("--json", help=argparse.SUPPRESS)
    return found


def is_task(arguments: argparse.Namespace, tasks: Tasks) -> bool:
    """Whether this is a process that `run` started; then its task is done and printed."""
    if arguments.task is None:
        return False
    print(json.dumps(tasks[arguments.task](**json.loads(arguments.json))))
    return True


def write_figure(name: str, text: str) -> None:
    """Write a table for the pages of docs/, with the machine, the day and what was installed."""
    figures = DOCS / "figures"
    figures.mkdir(exist_ok=True)
    measured = f"Measured on {machine()}, {datetime.date.today()}, with {versions()}."
    (figures / f"{name}.inc").write_text(f"{text}\n\n{measured}\n")


def versions() -> str:
    """What is installed of the packages that count."""
    found = []
    for name in PACKAGES:
        with contextlib.suppress(metadata.PackageNotFoundError):
            found.append(f"{name} {metadata.version(name)}")
    return ", ".join(found)


def picture_path(name: str) -> Path:
    """Where a picture of docs/ is written."""
    return DOCS / "images" / f"{name}.png"


def machine() -> str:
    """The machine, in words."""
    name = platform.processor() or platform.machine()
    for line in (
        Path("/proc/cpuinfo").read_text().splitlines() if os.path.exists("/proc/cpuinfo") else []
    ):
        if line.startswith("model name"):
            name = line.split(":", 1)[1].strip()
            break
    memory = psutil.virtual_memory().total / 2**30
    return f"{name}, {os.cpu_count()} cores, {memory:.0f} GiB, Python {platform.python_version()}"


def run(script: str, task: str, **arguments: Any) -> dict[str, Any]:
    """Run ``script --task task --json …`` and return what it prints as JSON, with its peak memory."""
    command = [sys.executable, script, "--task", task, "--json", json.dumps(arguments)]
    begun = time.perf_counter()
    process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
    peak = [0]
    watcher = threading.Thread(target=_watch, args=(process.pid, peak), daemon=True)
    watcher.start()
    output, _ = process.communicate()
    if process.returncode:
        raise SystemExit(f"{' '.join(command)} ended with {process.returncode}")
    found: dict[str, Any] = json.loads(output.splitlines()[-1])
    return found | {"peak_rss": peak[0], "wall": time.perf_counter() - begun}


def _watch(pid: int, peak: list[int]) -> None:
    """Sample the resident memory of a process and its children."""
    try:
        parent = psutil.Process(pid)
        while parent.is_running():
            total = 0
            for one in [parent, *parent.children(recursive=True)]:
                try:
                    total += one.memory_info().rss
                except psutil.Error:
                    continue
            peak[0] = max(peak[0], total)
            time.sleep(0.1)
    except psutil.Error:
        return
