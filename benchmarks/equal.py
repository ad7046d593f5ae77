"""Whether this checkout computes what another version of xpad computes, to the last bit.

    python benchmarks/equal.py OLD_PYTHON
    python benchmarks/equal.py OLD_CHECKOUT     # of which xpad is taken as it lies there

OLD_PYTHON is the Python of an environment that the other version is installed in, beside the same
versions of NumPy, JAX, numba and scikit-learn; OLD_CHECKOUT is a folder with the other version's
package, which runs in this environment, as this checkout does. Both versions make labels, components,
errors, flags and splits of the same data in the same ways, and what they made is compared as bytes.
Sums of the catalogue may be added in another order: where they differ by a rounding, it is told. The
exit status is 1 where anything else differs.

The part that runs with the other version uses what both versions offer users, and nothing else.
Real files are read from shared/data beside the checkout; without them, only simulated data are.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
import tempfile
import time
import warnings
from collections.abc import Iterator, Mapping
from contextlib import suppress
from functools import cache
from importlib import metadata
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[1]
PACKAGES = ("numpy", "jax", "numba", "scikit-learn", "xarray", "dask", "zarr")

Case = tuple[str, str]
"""Data and configuration."""

CONFIGURATIONS: dict[str, dict[str, Any]] = {
    "published": {"epochs": 3},
    "max_energy": {"epochs": 2, "normalise": "max_energy", "k": 6},
    "90deg": {"epochs": 2, "normalise": "90deg", "k": 6},
    "mask": {"epochs": 2, "missing": "mask", "min_coverage": 0.2},
    "fast": {"epochs": 2, "training": "fast", "k": 6},
    "no encoder": {"encoder": None},
    "ward": {"encoder": None, "labeller": "ward", "max_ward": 3000},
    "blocks": {"encoder": None, "split": "blocks", "block": "2h", "max_train": 2000},
    "chunked": {"epochs": 2},
    "chunked, little memory": {"encoder": None, "k": 6, "memory": "16MiB"},
    "to_zarr": {"epochs": 2, "k": 6},
}
"""Arguments of `cluster`, by the name that they have in the table."""

REAL = {
    "MMS FPI": ("mms_fpi/*.cdf", None),
    "HOPE electrons": ("rbsp_hope/*.cdf", "FEDU"),
    "HOPE ions": ("rbsp_hope/*.cdf", "FPDU"),
    "JEDI He": ("juno_jedi/17-20_10_PA_He.d2s", None),
    "JEDI H": ("juno_jedi/17-20_10_PA_LoTOFxE_H.d2s", None),
    "JEDI O": ("juno_jedi/17-20_10_PA_O.d2s", None),
    "JEDI S": ("juno_jedi/17-20_10_PA_S.d2s", None),
}
"""Files below the folder of real data, and the flux that is meant."""

SIMULATED = "simulated"
CASES: dict[str, tuple[str, ...]] = {
    SIMULATED: tuple(CONFIGURATIONS),
    "MMS FPI": ("published", "90deg", "ward", "chunked", "to_zarr"),
    "HOPE electrons": ("published", "max_energy", "mask", "to_zarr"),
    "HOPE ions": ("published", "no encoder"),
    "JEDI He": ("published", "ward", "to_zarr"),
    "JEDI H": ("published", "no encoder"),
    "JEDI O": ("published",),
    "JEDI S": ("published",),
}
COLUMNS = {
    "label": "pad_label",
    "components": "pad_pc",
    "error": "pad_error",
    "flag": "pad_flag",
    "split": "pad_split",
}
"""Results with a column of their own; all others share one."""

SUMS = ("pad_mean", "pad_flux", "pad_positive", "pad_spectrum")
ROUNDING = 2.5e-7
"""Two steps from one float32 to the next, of which sums may differ."""


# -- what runs in both environments ---------------------------------------------------------------


@cache
def data(name: str, days: float, files: Path) -> tuple[Any, str | None]:
    """A Dataset, and its flux where another than the preferred one is meant."""
    import xpad

    if name == SIMULATED:
        return xpad.simulate(days=days, seed=0), None
    pattern, variable = REAL[name]
    return xpad.open_dataset(sorted(files.glob(pattern))), variable


def computed(case: Case, days: float, files: Path) -> dict[str, Any]:
    """All results of a case, as arrays."""
    import numpy as np

    import xpad

    ds, variable = data(case[0], days, files)
    configuration, options = case[1], CONFIGURATIONS[case[1]] | {"progress": False}
    records = "Epoch" if case[0] == SIMULATED else None
    if configuration.startswith("chunked"):
        records = records or next(iter(ds.pad.flux.dims))
        ds = ds.chunk({records: 1 + ds.sizes[records] // 7})
    with tempfile.TemporaryDirectory() as folder:
        if configuration == "to_zarr":
            out = xpad.cluster_to_zarr(ds, f"{folder}/out.zarr", variable, **options)
        else:
            out = xpad.cluster(ds, variable, **options)
            out = out.merge(xpad.catalogue(out), compat="override")
        found = {
            str(name): values.to_numpy()
            for name, values in out.variables.items()
            if str(name).startswith("pad_")
        }
    return {n: v.astype(str) if v.dtype == object else v for n, v in found.items()} | {
        "records": np.int64(found["pad_label"].size)
    }


def write(folder: Path, cases: list[Case], days: float, files: Path) -> None:
    """Compute the cases, and write what came out, and what computed it."""
    import numpy as np

    import xpad

    warnings.simplefilter("ignore", xpad.XpadWarning)  # so few epochs are hardly a training
    about = {"xpad": str(Path(xpad.__file__).parent), "python": sys.version.split()[0]}
    for package in PACKAGES:
        with suppress(metadata.PackageNotFoundError):
            about[package] = metadata.version(package)
    (folder / "about.json").write_text(json.dumps(about))
    for number, case in enumerate(cases):
        begun = time.perf_counter()
        np.savez(folder / f"{number}.npz", **computed(case, days, files))
        print(
            f"  {', '.join(case)}: {time.perf_counter() - begun:.1f} s", file=sys.stderr, flush=True
        )


# -- what compares them ---------------------------------------------------------------------------


def run(python: str, checkout: Path | None, folder: Path, **task: Any) -> dict[str, str]:
    """Have an environment compute the cases: its own xpad, or that of a checkout."""
    folder.mkdir()
    print(f"{checkout or python} …", file=sys.stderr, flush=True)
    # Isolated: neither this folder nor PYTHONPATH may lead to another xpad.
    command = [python, "-I", __file__, "--task", json.dumps(task), "--folder", str(folder)]
    if checkout is not None:
        command += ["--checkout", str(checkout)]
    if (code := subprocess.run(command, cwd=folder, check=False).returncode) != 0:
        raise SystemExit(f"{python} ended with {code}")
    about: dict[str, str] = json.loads((folder / "about.json").read_text())
    return about


def same(old: Any, new: Any) -> bool:
    """Whether two arrays are of one type and shape, and hold the same bits."""
    return old.dtype == new.dtype and old.shape == new.shape and old.tobytes() == new.tobytes()


def verdict(old: Any, new: Any) -> str:
    """Whether two arrays are the same, in words; if not, in how far."""
    import numpy as np

    if same(old, new):
        return "yes"
    if old.dtype != new.dtype or old.shape != new.shape:
        return f"NO: {old.dtype}{list(old.shape)}, {new.dtype}{list(new.shape)}"
    bits = np.dtype(("V", old.dtype.itemsize))
    differ = int(
        (np.ascontiguousarray(old).view(bits) != np.ascontiguousarray(new).view(bits)).sum()
    )
    return f"NO: {differ:,} of {old.size:,}"


def rounding(old: Any, new: Any) -> float:
    """The greatest relative difference of two arrays; infinity where there is none to tell."""
    import numpy as np

    if old.dtype != new.dtype or old.shape != new.shape:
        return float("inf")
    differ = ~((old == new) | (np.isnan(old) & np.isnan(new)))
    found = np.abs(new[differ] / np.where(old[differ] == 0, np.nan, old[differ]) - 1)
    return float(np.nan_to_num(found, nan=np.inf).max(initial=0))


def compared(old: Mapping[str, Any], new: Mapping[str, Any]) -> dict[str, str]:
    """By column of the table: yes, or in what the results of a case differ."""
    cells = {}
    for column, name in COLUMNS.items():
        cells[column] = verdict(old[name], new[name])
    rest = sorted((old.keys() | new.keys()) - {*COLUMNS.values(), "records"})
    different, rounded = [], []
    for name in rest:
        if name not in new:
            different.append(f"{name} is gone")
        elif name not in old:
            different.append(f"{name} is new")
        elif not same(old[name], new[name]):
            by = rounding(old[name], new[name]) if name in SUMS else float("inf")
            if by <= ROUNDING:
                rounded.append(f"{name} to {by:.1e}")
            else:
                different.append(f"{name} {verdict(old[name], new[name]).removeprefix('NO: ')}")
    if different:
        cells["the rest"] = f"NO: {'; '.join(different + rounded)}"
    else:
        cells["the rest"] = "; ".join([f"yes ({len(rest) - len(rounded)})", *rounded])
    return cells


def rows(cases: list[Case], old: Path, new: Path) -> Iterator[list[str]]:
    """The table's, one a case."""
    import numpy as np

    for number, case in enumerate(cases):
        with np.load(old / f"{number}.npz") as before, np.load(new / f"{number}.npz") as after:
            cells = compared(before, after)
            yield [*case, f"{before['records']:,}", *cells.values()]


def main() -> int:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawTextHelpFormatter
    )
    parser.add_argument("old", nargs="?", metavar="OLD_PYTHON")
    parser.add_argument("--days", type=float, default=5, help="that are simulated")
    parser.add_argument("--data", nargs="+", choices=CASES, default=list(CASES), metavar="DATA",
                        help=f"some of {', '.join(CASES)}")  # fmt: skip
    parser.add_argument("--configuration", nargs="+", choices=CONFIGURATIONS,
                        default=list(CONFIGURATIONS), metavar="NAME",
                        help=f"some of {', '.join(CONFIGURATIONS)}")  # fmt: skip
    parser.add_argument("--files", type=Path, default=ROOT.parent / "shared" / "data",
                        help="folder of real data")  # fmt: skip
    for hidden in ("--task", "--folder", "--checkout"):
        parser.add_argument(hidden, help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    if arguments.task:
        if arguments.checkout:
            sys.path.insert(0, arguments.checkout)
        task = json.loads(arguments.task)
        cases = [(data, configuration) for data, configuration in task["cases"]]
        write(Path(arguments.folder), cases, task["days"], Path(task["files"]))
        return 0
    if arguments.old is None:
        parser.error("OLD_PYTHON is wanted: the Python of an environment with the other version")

    cases = []
    for name in arguments.data:
        if name in REAL and not any(arguments.files.glob(REAL[name][0])):
            print(f"{name} is left out: {arguments.files} holds no {REAL[name][0]}")
            continue
        cases += [(name, c) for c in CASES[name] if c in arguments.configuration]
    if not cases:
        parser.error("no such configuration of these data")
    task = {"cases": cases, "days": arguments.days, "files": str(arguments.files.resolve())}
    with tempfile.TemporaryDirectory() as folder:
        old, new = Path(folder, "old"), Path(folder, "new")
        other: tuple[str, Path | None] = (sys.executable, Path(arguments.old).resolve())
        if not Path(arguments.old).is_dir():
            other = (arguments.old, None)
        about = {"old": run(*other, old, **task)}
        about["new"] = run(sys.executable, ROOT, new, **task)
        table = list(rows(cases, old, new))

    for which, one in about.items():
        print(f"{which}: " + ", ".join(f"{name} {version}" for name, version in one.items()))
    if any(about["old"].get(name) != about["new"].get(name) for name in ("python", *PACKAGES)):
        print("The environments differ in more than xpad: so may the results.")
    print()
    head = ["data", "configuration", "records", *COLUMNS, "the rest"]
    for line in (head, ["---"] * len(head), *table):
        print("| " + " | ".join(line) + " |")
    equal = sum(all(cell.startswith("yes") for cell in row[3:]) for row in table)
    but = ", but for sums of the catalogue" if any(";" in row[-1] for row in table) else ""
    print(f"\n{equal} of {len(table)} are equal to the bit{but}.")
    return 0 if equal == len(table) else 1


if __name__ == "__main__":
    sys.exit(main())
