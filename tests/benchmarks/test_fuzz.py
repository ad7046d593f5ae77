"""The fuzz campaign in short: no input is anything but an answer or one line of xpad's own."""

import os
import subprocess
import sys
from importlib import import_module

import pytest
from helpers import BENCHMARKS


@pytest.fixture(scope="module")
def fuzz():
    with pytest.MonkeyPatch.context() as patched:
        patched.syspath_prepend(BENCHMARKS)  # as for a script of that folder
        yield import_module("fuzz")
    for name in ("fuzz", "bad_input"):
        del sys.modules[name]


@pytest.fixture(scope="module")
def bad_input(fuzz):
    return sys.modules["bad_input"]


def run(*options):
    return subprocess.run(
        [sys.executable, BENCHMARKS / "fuzz.py", *map(str, options)],
        capture_output=True, text=True, env=os.environ | {"JAX_PLATFORMS": "cpu"}, check=False,
    )  # fmt: skip


@pytest.mark.slow
def test_every_input_is_an_answer_or_one_line():
    found = run("--inputs", 300, "--seed", 17)
    assert found.returncode == 0, found.stdout + found.stderr
    assert found.stdout.splitlines()[-1].startswith("| all |")


def test_inputs_of_one_seed_are_the_same(bad_input):
    once, again = (bad_input.made(bad_input.Draw(4711)) for _ in range(2))
    assert once[1] == again[1]
    assert repr(once[0]) == repr(again[0])
    assert (
        bad_input.mutated(bad_input.Draw(3), b"x" * 99)
        == bad_input.mutated(bad_input.Draw(3), b"x" * 99)
        != b"x" * 99
    )


def test_shares(fuzz):
    tasks = fuzz.tasks_of(["Datasets", "CDF"], 100, 0)
    assert len(set(tasks)) == 100
    assert sum(kind == "CDF" for kind, _ in tasks) == 20


def test_files_as_they_are_written_are_answers(fuzz, bad_input, monkeypatch, tmp_path):
    bad_input.write_files(tmp_path)
    monkeypatch.setattr(bad_input, "mutated", lambda draw, data: data)
    monkeypatch.setattr(bad_input.Draw, "odd", lambda self, times=1: False)
    kinds = [path.name for path in tmp_path.iterdir()]
    found = {kind: fuzz.outcome(kind, 0, tmp_path, tmp_path).what for kind in kinds}
    assert found == dict.fromkeys(kinds, fuzz.ANSWER)
    assert len(kinds) == 7


def _raises(error):
    def trial(seed, folder, tell):
        raise error

    return trial


def _refused(seed, folder, tell):
    from xpad.errors import RolesError

    tell.step(lambda: (_ for _ in ()).throw(RolesError("no flux")))


def _silent(seed, folder, tell):
    from xpad.errors import RolesError

    tell.step(lambda: (_ for _ in ()).throw(RolesError("")))


def _warns(seed, folder, tell):
    import warnings

    warnings.warn("divide by zero", RuntimeWarning, stacklevel=1)


@pytest.mark.parametrize(
    ("trial", "what", "where"),
    [
        (lambda seed, folder, tell: None, "answers", ""),
        (_refused, "refusals", ""),
        (_silent, "faults", "TooManyLines at"),
        (_raises(KeyError("a")), "faults", "KeyError at"),
        (_raises(MemoryError()), "faults", "MemoryError at"),
        (_warns, "faults", "RuntimeWarning at"),
    ],
)
def test_what_becomes_of_an_input(fuzz, monkeypatch, tmp_path, trial, what, where):
    monkeypatch.setitem(fuzz.KINDS, "Datasets", fuzz.Kind(trial, 1))
    found = fuzz.outcome("Datasets", 0, tmp_path, tmp_path)
    assert found.what == what
    assert found.where.startswith(where)
    assert f"| Datasets | 1 | {' | '.join('1' if w == what else '0' for w in fuzz.WHAT)} |" in (
        fuzz.table([found])
    )
    assert ("--kinds Datasets --only 0" in fuzz.faults([found])) is (what == "faults")
