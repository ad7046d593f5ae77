"""Run a piece of a benchmark in a process of its own, and watch how much memory it takes."""

from __future__ import annotations

import json
import os
import platform
import subprocess
import sys
import threading
import time
from pathlib import Path
from typing import Any

import psutil


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
