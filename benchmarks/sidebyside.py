"""Run several things in turn, each in processes of its own, and compare what they took."""

from __future__ import annotations

import statistics
import sys
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import processes

Runs = dict[str, list[dict[str, Any]]]

SCRIPT = str(Path(__file__).with_name("compare.py"))
LEFT_OUT = "left out"


def task(name: str, **arguments: Any) -> dict[str, Any]:
    """Run a task of compare.py in a process of its own."""
    return processes.run(SCRIPT, name, **arguments)


def alternating(cases: Mapping[str, Callable[[int], dict[str, Any]]], repeats: int) -> Runs:
    """What each case returned, called with 0, 1, …; one after another, and again."""
    found: Runs = {name: [] for name in cases}
    for number in range(repeats):
        for name, run in cases.items():
            found[name].append(run(number))
            took = found[name][-1]["wall"]
            print(f"{name}, run {number + 1} of {repeats}: {took:.1f} s", file=sys.stderr)
    return found


def median(runs: list[dict[str, Any]], key: str) -> float:
    return statistics.median(run[key] for run in runs)


def times(value: float) -> str:
    """A ratio."""
    return f"{value:.3g} ×" if value < 100 else f"{value:,.0f} ×"


def verdict(reached: bool) -> str:
    return "reached" if reached else "MISSED"


def markdown(head: list[str], rows: list[list[str]]) -> str:
    lines = [head, ["---"] * len(head), *rows]
    return "\n".join("| " + " | ".join(cells) + " |" for cells in lines)


def imported(load: Callable[[], Any]) -> tuple[Any, str]:
    """What `load` imports; or nothing, and why not."""
    try:
        return load(), ""
    except (ImportError, AttributeError) as error:
        return None, f"{type(error).__name__}: {error}"
