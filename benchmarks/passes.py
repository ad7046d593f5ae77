"""What the passes over the data spend, step by step, on one core: the profile behind their shares.

    python benchmarks/passes.py
    python benchmarks/passes.py --docs                 # writes the table into docs/

Each step is called by itself on the same block of simulated records, as the pass calls it, in pieces
of as many records. Steps take turns, and medians are told.
"""

from __future__ import annotations

import os
import statistics
import tempfile
import time
import warnings
from collections.abc import Callable
from typing import Any

import mission
import processes

ROWS = mission.CHUNK
ALL = ("reading", "components", "projecting", "labelling")
TEST = ("components", "projecting")
STEPS: dict[str, tuple[str, ...]] = {
    "read and decompress": ALL,
    "fills to NaN": ALL,
    "split: hash of the position": ALL,
    "measured and positive bins counted": ALL,
    "normalised": ("components", "projecting", "labelling"),
    "encoded": TEST,
    "encoded, with the error": ("labelling",),
    "covariance, float64": ("components",),
    "projected, float64": ("projecting", "labelling"),
    "nearest centre": ("labelling",),
    "sums of the catalogue": ("labelling",),
    "compressed and written": ("labelling",),
}
"""Steps, and the passes that take them."""


def steps(store: str, repeats: int) -> dict[str, float]:
    """Seconds a record of every step."""
    if hasattr(os, "sched_setaffinity"):  # elsewhere XLA takes all cores
        os.sched_setaffinity(0, {min(os.sched_getaffinity(0))})
    import numpy as np
    import xarray as xr
    import zarr
    from threadpoolctl import threadpool_limits

    import xpad
    from xpad.clean import clean_flux, limits_of
    from xpad.regrid import PIECE
    from xpad.splitting import splitter
    from xpad.stages import pca
    from xpad.tally import Tally

    warnings.simplefilter("ignore", xpad.XpadWarning)  # an epoch is hardly a training
    ds = xpad.open_dataset(store).isel(Epoch=slice(ROWS))
    model = xpad.fit(ds, epochs=1, k=8, progress=False)
    split = splitter(xpad.canonical_flux(ds), ds, model.settings, model.provenance["split"])
    source = xr.open_zarr(store, consolidated=False)["FEDU"]
    limits = limits_of(source.attrs, source.encoding)
    raw = source.variable[:ROWS].to_numpy()
    # The simulation's files have pitch angle before energy.
    clean = clean_flux(raw, limits).transpose(0, 2, 1)
    pieces = [clean[start : start + PIECE] for start in range(0, ROWS, PIECE)]
    pads = [model.pads(piece) for piece in pieces]
    rows = [model.rows(one) for one in pads]
    encoded = [model.encode(some) for some in rows]
    components = [model.project(some) for some in encoded]
    labels = [model.assign(some) for some in components]
    runs = [np.zeros(len(some), np.int64) for some in labels]
    columns = np.concatenate([model.columns(one) for one in pads])
    target = tempfile.TemporaryDirectory()
    codec = zarr.codecs.BloscCodec(cname="zstd", clevel=3, shuffle="shuffle")
    written = zarr.create_array(
        f"{target.name}/columns.zarr", shape=columns.shape, dtype="f4", chunks=columns.shape,
        compressors=(codec,),
    )  # fmt: skip

    def sums() -> None:
        for one, label, run in zip(pads, labels, runs, strict=True):
            Tally.of(one.flux, one.measured, label, model.k, run)

    calls: dict[str, Callable[[], Any]] = {
        "read and decompress": lambda: source.variable[:ROWS].to_numpy(),
        "fills to NaN": lambda: clean_flux(raw, limits),
        "split: hash of the position": lambda: split.split(np.arange(ROWS)),
        "measured and positive bins counted": lambda: [model.pads(piece) for piece in pieces],
        "normalised": lambda: [model.rows(one) for one in pads],
        "encoded": lambda: [model.encode(some) for some in rows],
        "encoded, with the error": lambda: [model.reduce(some) for some in rows],
        "covariance, float64": lambda: pca.Moments.of(np.concatenate(encoded), model.pca.mean),
        "projected, float64": lambda: [model.project(some) for some in encoded],
        "nearest centre": lambda: [model.assign(some) for some in components],
        "sums of the catalogue": sums,
        "compressed and written": lambda: written.__setitem__(..., columns),
    }
    with target, threadpool_limits(1, user_api="blas"):
        turns = []
        for _ in range(1 + repeats):
            found = {}
            for name, call in calls.items():
                begun = time.perf_counter()
                call()
                found[name] = (time.perf_counter() - begun) / ROWS
            turns.append(found)
    medians = {name: statistics.median(turn[name] for turn in turns[1:]) for name in calls}
    # It calls the projection too, which has a line of its own.
    medians["encoded, with the error"] -= medians["projected, float64"]
    return medians


def table(found: dict[str, float], test: float) -> str:
    """Microseconds a record on one core, by step and pass; of the test split only, so much less."""
    lines = [
        "| µs a record, on one core | " + " | ".join(ALL) + " |",
        "|---|" + "---|" * len(ALL),
    ]
    totals = dict.fromkeys(ALL, 0.0)
    for step, passes in STEPS.items():
        cells = []
        for name in ALL:
            of_all = name not in TEST or step in ("read and decompress", "fills to NaN") or (
                step.startswith("split")
            )  # fmt: skip
            each = found[step] * (1 if of_all else test) * 1e6
            totals[name] += each if name in passes else 0
            cells.append(f"{each:.2f}" if name in passes else "")
        lines.append(f"| {step} | " + " | ".join(cells) + " |")
    lines.append("| together | " + " | ".join(f"{totals[name]:.2f}" for name in ALL) + " |")
    return "\n".join(lines)


def main() -> None:
    parser = processes.parser(__doc__)
    parser.add_argument("--repeats", type=int, default=15)
    arguments = parser.parse_args()
    if processes.is_task(arguments, {"steps": steps}):
        return
    import xpad

    print(processes.machine(), flush=True)
    store = mission.mission(mission.folder(arguments.folder), ROWS)
    found = processes.run(__file__, "steps", store=str(store), repeats=arguments.repeats)
    settings = xpad.Settings()
    text = table(found, 1 - settings.train - settings.validation)
    print(text)
    if arguments.docs:
        processes.write_figure("passes", text)


if __name__ == "__main__":
    main()
