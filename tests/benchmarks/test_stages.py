"""Every benchmark of a stage runs, on few records, so that none can rot."""

import importlib.util
import inspect
import itertools
import json
import pkgutil
import subprocess
import sys

import pytest
from helpers import BENCHMARKS

RECORDS = 1_000
KINDS = ("time_", "timeraw_", "peakmem_")

pytestmark = [
    pytest.mark.slow,
    pytest.mark.filterwarnings("ignore::xpad.errors.XpadWarning"),
]


def modules():
    """The package of the benchmarks and all its modules, as asv imports them."""
    folder = BENCHMARKS / json.loads((BENCHMARKS / "asv.conf.json").read_text())["benchmark_dir"]
    spec = importlib.util.spec_from_file_location(
        folder.name, folder / "__init__.py", submodule_search_locations=[str(folder)]
    )
    package = importlib.util.module_from_spec(spec)
    sys.modules[folder.name] = package
    spec.loader.exec_module(package)
    for found in pkgutil.iter_modules(package.__path__, f"{folder.name}."):
        yield importlib.import_module(found.name)


def classes():
    for module in modules():
        for _, found in inspect.getmembers(module, inspect.isclass):
            if found.__module__ == module.__name__:
                yield found


def combinations(benchmark):
    """All combinations of its parameters; asv takes one list for a single parameter."""
    params = getattr(benchmark, "params", ())
    if params and not isinstance(params[0], (list, tuple)):
        params = (params,)
    return list(itertools.product(*params))


def methods(benchmark):
    """Names of what it measures; of two names of one method, one."""
    named = {getattr(benchmark, name): name for name in dir(benchmark) if name.startswith(KINDS)}
    return sorted(named.values())


CASES = [
    pytest.param(found, values, id="-".join([found.__name__, *map(str, values)]))
    for found in classes()
    for values in combinations(found)
]


@pytest.mark.parametrize(("benchmark", "values"), CASES)
def test_runs(benchmark, values, monkeypatch):
    monkeypatch.setenv("XPAD_BENCH_RECORDS", str(RECORDS))
    names = methods(benchmark)
    assert names, f"{benchmark.__name__} measures nothing"
    instance = benchmark()
    getattr(instance, "setup", lambda *_: None)(*values)
    try:
        for name in names:
            found = getattr(instance, name)(*values)
            if name.startswith("timeraw_"):
                run_in_a_new_process(found)
    finally:
        getattr(instance, "teardown", lambda *_: None)(*values)


def run_in_a_new_process(code):
    """What asv does with the code that a `timeraw_` method returns: (statement, set up)."""
    statement, setup = code if isinstance(code, tuple) else (code, "")
    subprocess.run([sys.executable, "-c", f"{setup}\n{statement}"], check=True)


def test_every_stage_has_a_benchmark():
    """A name that the search would not find is a benchmark that nobody runs."""
    stages = {case.values[0].__name__ for case in CASES}
    assert stages == {
        "Clean", "Regrid", "Normalise", "Prepare", "Training", "Encoding", "Components", "MeanShift",
        "Cells", "KMeans", "Tally", "Predict", "Cluster", "ClusterToZarr", "OpenDataset", "Import",
    }  # fmt: skip
