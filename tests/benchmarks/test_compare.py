"""Every part of the comparison with what else a user would run works, on little data."""

import os
import subprocess
import sys
from importlib.util import find_spec

import pytest

pytest.importorskip("psutil")

from helpers import BENCHMARKS

pytestmark = pytest.mark.slow
needs_keras = pytest.mark.skipif(
    find_spec("tensorflow") is None, reason="tensorflow is not installed"
)


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    return tmp_path_factory.mktemp("benchmarks")


def run(script, folder, *options):
    found = subprocess.run(
        [sys.executable, BENCHMARKS / script, "--folder", folder, *map(str, options)],
        capture_output=True, text=True, check=False,
        env=os.environ | {"JAX_PLATFORMS": "cpu", "TF_CPP_MIN_LOG_LEVEL": "3"},
    )  # fmt: skip
    assert found.returncode == 0, found.stderr
    return found.stdout


def compare(part, folder, *options):
    text = run("compare.py", folder, "--only", part, "--repeats", 1, *options)
    assert f"## {part}" in text
    return text


@needs_keras
def test_reference(folder):
    text = run("reference.py", folder, "--records", 2000, "--epochs", 2)
    assert "| normalise (loop) |" in text
    assert "2 epochs, validation loss" in text


@needs_keras
def test_end_to_end(folder):
    text = compare("end-to-end", folder, "--records", 2000, "--epochs", 2)
    for row in ("reference", "xpad, killey2023", 'xpad, training="fast"', "label all", "the rest"):
        assert f"| {row} |" in text


@needs_keras
def test_predict(folder):
    text = compare("predict", folder, "--records", 2000, "--epochs", 2)
    assert "| Keras, batch 65,536, rows normalised before |" in text


def test_stages(folder):
    text = compare("stages", folder, "--points", 3000)
    for row in ("scikit-learn PCA", "xpad fit_parts", "xeofs EOF", "dask_ml KMeans (one start)"):
        assert f"| {row} |" in text


def test_mean_shift(folder):
    text = compare("mean-shift", folder, "--points", 3000)
    assert "k is the same" in text
    assert "| 30,000 |" in text


def test_files(folder):
    text = compare("files", folder, "--files", 3)
    rows = [line.split(" | ") for line in text.splitlines() if line.startswith(("| xpad", "| cdf"))]
    mine, other, varget = rows
    # The same records, and the same sum of their flux.
    assert mine[3:] == other[3:] == varget[3:]


def test_imports(folder):
    assert "s beyond `import xarray`" in compare("imports", folder)


def test_compilations(folder):
    text = compare("compilations", folder, "--records", 2000)
    assert "| 100 | 20 … 2,000 |" in text
    assert "| 1 | 2,000 … 2,000 |" in text
