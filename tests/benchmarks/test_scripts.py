"""Every benchmark runs, on little data, so that none can rot."""

import os
import re
import subprocess
import sys

import pytest

pytest.importorskip("distributed")
pytest.importorskip("psutil")

from helpers import BENCHMARKS

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    return tmp_path_factory.mktemp("benchmarks")


def run(script, *options):
    found = subprocess.run(
        [sys.executable, BENCHMARKS / script, *map(str, options)],
        capture_output=True, text=True, env=os.environ | {"JAX_PLATFORMS": "cpu"}, check=False,
    )  # fmt: skip
    assert found.returncode == 0, found.stderr
    return found.stdout


def test_scale(folder):
    text = run("scale.py", "--records", 20_000, "--max-train", 2000, "--epochs", 2,
               "--folder", folder)  # fmt: skip
    for stage in ("reading", "training", "components", "projecting", "clusters", "labelling"):
        assert f"| {stage} |" in text
    assert "peak memory" in text


def test_scale_sweep(folder):
    text = run("scale.py", "--sweep", "--lengths", 5_000, 20_000, "--max-train", 1000,
               "--epochs", 1, "--folder", folder)  # fmt: skip
    assert "growth" in text


def test_resume(folder):
    text = run("resume.py", "--records", 20_000, "--epochs", 2, "--times", 1, "--kills", 1,
               "--folder", folder)  # fmt: skip
    assert text.splitlines()[-1].endswith("True |")


def test_many_files(folder):
    assert "files" in run("many_files.py", "--files", 3, "--folder", folder / "cdf")


def test_roofline(folder):
    text = run("roofline.py", "--records", 4000, "--repeats", 1, "--folder", folder)
    for stage in ("training", "encoding", "survey pass", "label pass"):
        assert stage in text


def test_passes(folder):
    text = run("passes.py", "--repeats", 1, "--folder", folder)
    shares = next(line for line in text.splitlines() if line.startswith("| share"))
    assert all(0 < int(share) < 100 for share in re.findall(r"(\d+)%", shares))
    assert shares.count("%") == 4
