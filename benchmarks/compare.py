"""xpad beside what a user would run instead, on the same data, in one run.

    pip install -r benchmarks/requirements.txt .
    python benchmarks/compare.py                                    # everything; hours
    python benchmarks/compare.py --only end-to-end --records 20_000 # one part, less data
    python benchmarks/compare.py --docs                             # and write it into docs/

Parts:

    end-to-end    the published pipeline (reference.py) and xpad, cold and warm, by stage, quality
    stages        PCA and k-means beside scikit-learn, dask_ml and xeofs
    mean-shift    beside scikit-learn, and ten times as many points
    predict       labels from memory beside Keras `predict` and scikit-learn
    files         opening and reading daily CDF files beside cdflib
    imports       `import xpad` beyond `import xarray`
    compilations  over Datasets of many lengths

Every timed run is a process of its own; the sides take turns, and medians are told with their ratio
and beside it the one that was asked of xpad.
"""

from __future__ import annotations

import os
from functools import partial

import compare_pipeline
import compare_predict
import compare_stages
import compare_start
import processes

PARTS = {
    "end-to-end": compare_pipeline.end_to_end,
    "stages": compare_stages.stages,
    "mean-shift": compare_stages.mean_shift,
    "predict": compare_predict.predict,
    "files": compare_start.files,
    "imports": compare_start.imports,
    "compilations": compare_start.compiled,
}
TASKS = compare_pipeline.TASKS | compare_stages.TASKS | compare_predict.TASKS | compare_start.TASKS


def main() -> None:
    parser = processes.parser(__doc__)
    parser.add_argument("--records", type=int, default=200_000)
    parser.add_argument(
        "--epochs", type=int, default=200, help="at most, of the published training"
    )
    parser.add_argument("--points", type=int, default=1_000_000, help="of stages and mean-shift")
    parser.add_argument("--files", type=int, default=365)
    parser.add_argument("--repeats", type=int, default=3)
    parser.add_argument("--only", choices=PARTS, nargs="+", default=list(PARTS), metavar="PART")
    arguments = parser.parse_args()
    if processes.is_task(arguments, TASKS):
        return

    # Of the processes that are started, which else would compile all that they import each time.
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
    os.environ.pop("PYTHONDONTWRITEBYTECODE", None)
    print(processes.machine(), flush=True)
    parts = PARTS
    if arguments.docs:
        picture = processes.picture_path("compare")
        parts = PARTS | {"end-to-end": partial(compare_pipeline.end_to_end, picture=picture)}
    for name in arguments.only:
        text = parts[name](arguments)
        print(f"\n## {name}\n\n{text}", flush=True)
        if arguments.docs:
            processes.write_figure(f"compare-{name}", text)


if __name__ == "__main__":
    main()
