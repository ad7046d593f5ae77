"""The comparison of two versions to the bit runs, and sees a bit that differs."""

import subprocess
import sys

import numpy as np
import pytest
from helpers import BENCHMARKS, ROOT, SHARED_DATA


@pytest.fixture(scope="module")
def equal():
    from importlib.util import module_from_spec, spec_from_file_location

    spec = spec_from_file_location("equal", BENCHMARKS / "equal.py")
    found = module_from_spec(spec)
    spec.loader.exec_module(found)
    return found


def results(**changed):
    return {
        "pad_label": np.array([0, 1, -1], np.int16),
        "pad_pc": np.array([[1.5, np.nan]], np.float32),
        "pad_error": np.zeros(3, np.float32),
        "pad_flag": np.zeros(3, np.int8),
        "pad_split": np.zeros(3, np.int8),
        "pad_centre": np.ones((2, 3)),
    } | changed


def test_what_is_equal(equal):
    assert set(equal.compared(results(), results()).values()) == {"yes", "yes (1)"}


@pytest.mark.parametrize(
    ("column", "changed", "told"),
    [
        ("label", {"pad_label": np.array([0, 2, -1], np.int16)}, "NO: 1 of 3"),
        ("label", {"pad_label": np.array([0, 1, -1], np.int32)}, "NO: int16[3], int32[3]"),
        ("label", {"pad_label": np.array([0, 1], np.int16)}, "NO: int16[3], int16[2]"),
        ("components", {"pad_pc": np.float32([[np.nextafter(np.float32(1.5), np.float32(2)), np.nan]])},
         "NO: 1 of 2"),
        ("error", {"pad_error": np.array([0, -0.0, 0], np.float32)}, "NO: 1 of 3"),
        ("the rest", {"pad_centre": np.full((2, 3), 1 + 2**-52)}, "NO: pad_centre 6 of 6"),
        ("the rest", {"pad_mode": np.ones(1)}, "NO: pad_mode is new"),
    ],
)  # fmt: skip
def test_what_is_not(equal, column, changed, told):
    found = equal.compared(results(), results(**changed))
    assert found.pop(column) == told
    assert all(cell.startswith("yes") for cell in found.values())


@pytest.mark.parametrize(
    ("by", "told"), [(2**-23, "yes (1); pad_mean to 1.2e-07"), (2**-20, "NO: pad_mean 1 of 3")]
)
def test_sums_may_differ_by_a_rounding(equal, by, told):
    old, new = (np.array([1, np.nan, x], np.float32) for x in (2, 2 * (1 + by)))
    found = equal.compared(results(pad_mean=old), results(pad_mean=new))
    assert found["the rest"] == told
    found = equal.compared(results(pad_mode=old), results(pad_mode=new))
    assert found["the rest"] == "NO: pad_mode 1 of 3"
    none = equal.compared(results(pad_mean=old), results(pad_mean=np.zeros(3, np.float32)))
    assert none["the rest"].startswith("NO: pad_mean")


def run(*options):
    return subprocess.run(
        [sys.executable, BENCHMARKS / "equal.py", *options],
        capture_output=True, text=True, check=False,
    )  # fmt: skip


@pytest.mark.slow
def test_a_version_is_equal_to_itself():
    found = run(ROOT, "--days", "0.2", "--data", "simulated", "JEDI H", "--configuration",
                "to_zarr", "chunked, little memory", "no encoder")  # fmt: skip
    assert found.returncode == 0, found.stderr + found.stdout
    assert "| simulated | chunked, little memory |" in found.stdout
    real = SHARED_DATA.is_dir()
    assert ("| JEDI H | no encoder |" in found.stdout) is real
    assert ("JEDI H is left out" in found.stdout) is not real
    assert f"\n{3 + real} of {3 + real} are equal to the bit." in found.stdout


def test_no_environment_is_no_comparison():
    found = run()
    assert found.returncode == 2
    assert "OLD_PYTHON is wanted" in found.stderr
