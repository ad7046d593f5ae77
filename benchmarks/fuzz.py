"""Bad input by the thousands: each is an answer, or one line of xpad's own.

    python benchmarks/fuzz.py --inputs 10_000
    python benchmarks/fuzz.py --kinds "CDF cut" Datasets --seed 7
    python benchmarks/fuzz.py --kinds Datasets --only 4711     # one input again, with its traceback

Each input is made from its kind and a seed alone: Datasets of any dims, dtypes and metadata, files of
each format with bytes flipped and parts cut out, settings that cannot be. Files are written by the
script; those of shared/data that are small are mutated, too, where that folder is beside the checkout.

Inputs run in processes of their own, with little memory and a limit of time, so that a crash, a hang
and an allocation of what a damaged length announces are seen. A fault is all that is neither an answer
nor an `XpadError` of one line: another exception, a warning that is not xpad's, a line too many. Faults
of one place are told once, with an input that shows it. The exit status is 1 where there are any.
"""

from __future__ import annotations

import argparse
import faulthandler
import linecache
import multiprocessing as mp
import os
import resource
import shlex
import sys
import tempfile
import time
import traceback
import warnings
from collections import Counter, defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from multiprocessing.connection import wait
from pathlib import Path
from typing import Any

import numpy as np
from bad_input import (
    Tell,
    TooManyLines,
    Trial,
    of_format,
    real_files,
    require_one_line,
    try_dataset,
    try_real,
    try_settings,
    write_files,
)

MEMORY = 6 * 2**30  # bytes of address space
LIMIT_S = 20.0
WARM_UP_S = 120.0  # in which libraries are imported, and compile

WHAT = ANSWER, REFUSAL, FAULT = "answers", "refusals", "faults"


# -- what becomes of an input ---------------------------------------------------------------------


@dataclass(frozen=True)
class Kind:
    """A kind of input: how it is tried, and how many of them beside the others."""

    trial: Trial
    share: int


KINDS: dict[str, Kind] = {
    "Datasets": Kind(try_dataset, 40),
    "CDF": Kind(of_format("CDF"), 10),
    "das2": Kind(of_format("das2"), 6),
    "CEF": Kind(of_format("CEF"), 6),
    "netCDF": Kind(of_format("netCDF"), 6),
    "netCDF 3": Kind(of_format("netCDF 3"), 4),
    "Zarr": Kind(of_format("Zarr"), 6),
    "model": Kind(of_format("model"), 4),
    "real files": Kind(try_real, 10),
    "settings": Kind(try_settings, 8),
}


@dataclass(frozen=True)
class Outcome:
    """What became of one input."""

    kind: str
    seed: int
    what: str
    where: str = ""
    """Of a fault: what was raised at which line of xpad's, or how the process ended."""
    told: str = ""


def outcome(kind: str, seed: int, folder: Path, scratch: Path) -> Outcome:
    """Try one input in this process."""
    from xpad import XpadWarning

    tell = Tell(scratch)
    with warnings.catch_warnings(record=True) as seen:
        warnings.simplefilter("always")
        try:
            KINDS[kind].trial(seed, folder, tell)
            for found in seen:
                if not issubclass(found.category, XpadWarning):
                    where = f"{found.category.__name__} at {_short(found.filename)}:{found.lineno}"
                    told = f"{found.message}; {linecache.getline(found.filename, found.lineno).strip()}"
                    return Outcome(kind, seed, FAULT, where, f"{told}\n{tell.described()}")
                assert isinstance(found.message, Warning)
                require_one_line(found.message)
        except Exception as error:
            told = "".join(traceback.format_exception(error))
            return Outcome(kind, seed, FAULT, _place(error), f"{told}{tell.described()}")
    if tell.refused is not None:
        return Outcome(kind, seed, REFUSAL, told=tell.refused)
    return Outcome(kind, seed, ANSWER)


def _place(error: BaseException) -> str:
    """What was raised, and the last line of xpad's on the way to it."""
    cause = error.__cause__ if isinstance(error, TooManyLines) and error.__cause__ else error
    frames = traceback.extract_tb(cause.__traceback__)
    ours = [frame for frame in frames if f"{os.sep}xpad{os.sep}" in frame.filename] or frames
    return f"{type(error).__name__} at {_short(ours[-1].filename)}:{ours[-1].lineno}"


def _short(filename: str) -> str:
    return os.path.join(*Path(filename).parts[-3:])


# -- processes ------------------------------------------------------------------------------------


def work(pipe: Any, folder: Path, scratch: Path) -> None:
    """Try what comes through the pipe, until nothing does."""
    resource.setrlimit(resource.RLIMIT_AS, (MEMORY, MEMORY))
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    log = open(scratch / f"{os.getpid()}.log", "w")  # noqa: SIM115 - until the process ends
    faulthandler.enable(log)
    os.dup2(log.fileno(), 2)
    import xpad

    xpad.cluster(xpad.simulate(days=0.02), encoder=None, k=2, progress=False)
    pipe.send("ready")
    while (task := pipe.recv()) is not None:
        pipe.send(outcome(*task, folder, scratch))


class Worker:
    """A process, and the input that it is at."""

    def __init__(self, folder: Path, scratch: Path) -> None:
        context = mp.get_context("spawn")
        self.pipe, theirs = context.Pipe()
        self.process = context.Process(target=work, args=(theirs, folder, scratch), daemon=True)
        self.process.start()
        theirs.close()
        self.log = scratch / f"{self.process.pid}.log"
        self.task: tuple[str, int] | None = None
        self.until = time.monotonic() + WARM_UP_S

    def give(self, task: tuple[str, int] | None, limit: float) -> None:
        """Have it try an input; None ends it."""
        self.task, self.until = task, time.monotonic() + limit
        self.pipe.send(task)

    def end(self) -> None:
        """End the process, wherever it is."""
        self.process.kill()
        self.process.join()
        self.pipe.close()

    def how_it_ended(self) -> Outcome:
        """The fault of the input at which the process ended, or was ended."""
        if self.task is None:
            raise SystemExit(f"a process did not get ready:\n{self.log.read_text()[-2000:]}")
        if self.process.is_alive():
            return Outcome(*self.task, FAULT, "a hang", "more than the limit of time")
        told = self.log.read_text(errors="replace")[-4000:]
        return Outcome(*self.task, FAULT, f"the process ended ({self.process.exitcode})", told)


def outcomes(
    tasks: Sequence[tuple[str, int]], folder: Path, *, workers: int, limit: float
) -> Iterator[Outcome]:
    """Try all inputs, in processes that are replaced when one takes theirs down."""
    left = iter(tasks)
    with tempfile.TemporaryDirectory() as scratch:
        ours = [Worker(folder, Path(scratch)) for _ in range(min(workers, len(tasks)))]
        try:
            while ours:
                ready = wait([worker.pipe for worker in ours], timeout=0.2)
                for worker in list(ours):
                    if worker.pipe in ready:
                        try:
                            message = worker.pipe.recv()
                        except (EOFError, OSError):
                            worker.process.join()
                            message = worker.how_it_ended()
                    elif time.monotonic() > worker.until:
                        message = worker.how_it_ended()
                    else:
                        continue
                    if isinstance(message, Outcome):
                        yield message
                        if message.where == "a hang" or message.where.startswith("the process"):
                            worker.end()
                            ours.remove(worker)
                            worker = Worker(folder, Path(scratch))
                            ours.append(worker)
                            continue
                    task = next(left, None)
                    if task is None:
                        worker.end()
                        ours.remove(worker)
                    else:
                        worker.give(task, limit)
        finally:
            for worker in ours:
                worker.end()


def tasks_of(kinds: Sequence[str], inputs: int, seed: int) -> list[tuple[str, int]]:
    """As many inputs of each kind as is its share, mixed."""
    shares = np.array([KINDS[kind].share for kind in kinds], float)
    ends = np.round(np.cumsum(shares) / shares.sum() * inputs).astype(int)
    numbers = np.diff(ends, prepend=0)
    found = [
        (kind, seed * 1_000_000 + number)
        for kind, n in zip(kinds, numbers, strict=True)
        for number in range(n)
    ]
    return [found[n] for n in np.random.default_rng(seed).permutation(len(found))]


def campaign(
    kinds: Sequence[str], inputs: int, seed: int = 0, *, workers: int = 2, limit: float = LIMIT_S,
    progress: bool = False,
) -> list[Outcome]:  # fmt: skip
    """Try inputs of these kinds; what became of each."""
    kinds = [kind for kind in kinds if kind != "real files" or real_files()]
    tasks = tasks_of(kinds, inputs, seed)
    found: list[Outcome] = []
    with tempfile.TemporaryDirectory() as folder:
        write_files(Path(folder))
        for result in outcomes(tasks, Path(folder), workers=workers, limit=limit):
            found.append(result)
            if progress and (result.what == FAULT or len(found) % 500 == 0):
                text = f"{result.kind} {result.seed}: {result.where}" if result.where else ""
                print(f"  {len(found):,} of {len(tasks):,}  {text}", file=sys.stderr, flush=True)
    return found


def table(found: Sequence[Outcome]) -> str:
    """Kind, inputs, answers, refusals, faults."""
    counts: dict[str, Counter[str]] = defaultdict(Counter)
    for result in found:
        counts[result.kind][result.what] += 1
        counts["all"][result.what] += 1
    lines = [f"| kind | inputs | {ANSWER} | {REFUSAL} | {FAULT} |", "|---|--:|--:|--:|--:|"]
    for kind in [*(kind for kind in KINDS if kind in counts), "all"]:
        cells = [sum(counts[kind].values()), *(counts[kind][what] for what in WHAT)]
        lines.append(f"| {kind} | {' | '.join(f'{n:,}' for n in cells)} |")
    return "\n".join(lines)


def faults(found: Sequence[Outcome]) -> str:
    """Each place once: how often, and how to see it again."""
    by_place: dict[str, list[Outcome]] = defaultdict(list)
    for result in found:
        if result.what == FAULT:
            by_place[result.where].append(result)
    parts = []
    for place, group in sorted(by_place.items(), key=lambda item: -len(item[1])):
        first = min(group, key=lambda result: len(result.told))
        again = f"python benchmarks/fuzz.py --kinds {shlex.quote(first.kind)} --only {first.seed}"
        parts.append(f"{place} ({len(group)}): {again}\n{first.told.strip()}")
    return "\n\n".join(parts)


def main() -> int:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawTextHelpFormatter
    )
    parser.add_argument("--inputs", type=int, default=10_000)
    parser.add_argument("--seed", type=int, default=0, help="another makes other inputs")
    parser.add_argument("--kinds", nargs="+", choices=KINDS, default=list(KINDS), metavar="KIND",
                        help=f"some of {', '.join(KINDS)}")  # fmt: skip
    parser.add_argument("--only", type=int, nargs="+", metavar="SEED",
                        help="these inputs of each kind, in full")  # fmt: skip
    parser.add_argument("--workers", type=int, default=os.cpu_count() or 1, help="processes")
    parser.add_argument("--limit", type=float, default=LIMIT_S, help="seconds for one input")
    arguments = parser.parse_args()
    os.environ.setdefault("JAX_PLATFORMS", "cpu")
    if arguments.only:
        tasks = [(kind, seed) for kind in arguments.kinds for seed in arguments.only]
        with tempfile.TemporaryDirectory() as folder:
            write_files(Path(folder))
            found = list(outcomes(tasks, Path(folder), workers=1, limit=arguments.limit))
        for result in found:
            print(f"{result.kind} {result.seed}: {result.what} {result.where}\n{result.told}\n")
    else:
        found = campaign(
            arguments.kinds, arguments.inputs, arguments.seed,
            workers=arguments.workers, limit=arguments.limit, progress=True,
        )  # fmt: skip
        if told := faults(found):
            print(f"{told}\n")
        print(table(found))
    return int(any(result.what == FAULT for result in found))


if __name__ == "__main__":
    sys.exit(main())
