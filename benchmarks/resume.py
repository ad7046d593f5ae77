"""Kill a run at random moments and start it again, until it is done: equal to an undisturbed one?

    python benchmarks/resume.py

Ten times: a run into a Zarr store is killed (SIGKILL) three times at random moments, the training
included, and started again each time; the finished store is compared with the undisturbed run's.
"""

from __future__ import annotations

import json
import random
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import mission
import processes
import xarray as xr


def cluster(store: str, target: str, records: int, epochs: int) -> dict[str, Any]:
    import logging
    import warnings

    import xpad
    from xpad.writing import regions

    warnings.simplefilter("ignore")
    # Regions as small as this, for a kill to fall between them.
    regions.CHUNK, regions.REGION = 2**14, 2**14
    log = logging.getLogger("xpad.compute.progress")
    log.setLevel(logging.DEBUG)
    handler = logging.StreamHandler(sys.stdout)
    handler.setFormatter(logging.Formatter("%(message)s"))
    log.addHandler(handler)
    ds = xpad.open_dataset(store).isel(Epoch=slice(records))
    xpad.cluster_to_zarr(ds, target, memory="256MiB", epochs=epochs, patience=None, progress=False)
    return {}


def start(arguments: dict[str, Any], log: Path) -> subprocess.Popen:
    command = [sys.executable, __file__, "--task", "cluster", "--json", json.dumps(arguments)]
    return subprocess.Popen(command, stdout=log.open("w"), stderr=subprocess.STDOUT)


def last_stage(log: Path) -> str:
    lines = [line for line in log.read_text().splitlines() if line.endswith("begins")]
    return lines[-1].removesuffix(" begins") if lines else "opening"


def main() -> None:
    parser = processes.parser(__doc__)
    parser.add_argument("--records", type=int, default=300_000)
    parser.add_argument("--epochs", type=int, default=30)
    parser.add_argument("--times", type=int, default=10)
    parser.add_argument("--kills", type=int, default=3)
    parser.add_argument("--seed", type=int, default=0)
    arguments = parser.parse_args()
    if processes.is_task(arguments, {"cluster": cluster}):
        return
    where = mission.folder(arguments.folder)
    store = str(mission.mission(where, arguments.records))
    log = where / "resume.log"

    def about(target: Path) -> dict[str, Any]:
        return {"store": store, "target": str(target), "records": arguments.records,
                "epochs": arguments.epochs}  # fmt: skip

    def cleared(target: Path) -> Path:
        shutil.rmtree(target, ignore_errors=True)
        shutil.rmtree(f"{target}.unfinished", ignore_errors=True)
        return target

    taken = []
    for _ in range(2):
        whole = cleared(where / "resume-whole.zarr")
        begun = time.perf_counter()
        if start(about(whole), log).wait():
            raise SystemExit(log.read_text())
        taken.append(time.perf_counter() - begun)
    seconds = min(taken)
    wanted = xr.open_zarr(whole).load()
    print(f"{processes.machine()}\nundisturbed: {seconds:.0f} s", flush=True)
    rng = random.Random(arguments.seed)
    lines = ["| run | killed while | arrays equal |", "|---|---|---|"]
    print(*lines, sep="\n", flush=True)
    for number in range(arguments.times):
        target = cleared(where / "resume-killed.zarr")
        stages = []
        for _ in range(arguments.kills):
            process = start(about(target), log)
            try:
                process.wait(rng.uniform(0.3, 0.9) * seconds)
                break
            except subprocess.TimeoutExpired:
                process.send_signal(signal.SIGKILL)
                process.wait()
                stages.append(last_stage(log))
        unfinished = not target.exists() or Path(f"{target}.unfinished").exists()
        if unfinished and start(about(target), log).wait():
            raise SystemExit(log.read_text())
        equal = xr.open_zarr(target).load().identical(wanted)
        lines.append(f"| {number + 1} | {', '.join(stages)} | {equal} |")
        print(lines[-1], flush=True)
    if arguments.docs:
        lines += [
            "",
            f"{arguments.records:,} records, {arguments.epochs} epochs, {seconds:.0f} s undisturbed.",
        ]
        processes.write_figure("resume", "\n".join(lines))


if __name__ == "__main__":
    sys.path.insert(0, str(Path(__file__).parent))
    main()
