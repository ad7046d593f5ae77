"""The fuzz campaign in short: no input is anything but an answer or one line of xpad's own."""

import os
import subprocess
import sys
from importlib.util import module_from_spec, spec_from_file_location

import pytest
from helpers import BENCHMARKS


@pytest.fixture(scope="module")
def fuzz():
    spec = spec_from_file_location("fuzz", BENCHMARKS / "fuzz.py")
    found = module_from_spec(spec)
    sys.modules["fuzz"] = found  # its dataclasses look there for their annotations
    spec.loader.exec_module(found)
    yield found
    del sys.modules["fuzz"]


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


def test_inputs_of_one_seed_are_the_same(fuzz):
    once, again = (fuzz.made(fuzz.Draw(4711)) for _ in range(2))
    assert once[1] == again[1]
    assert repr(once[0]) == repr(again[0])
    assert (
        fuzz.mutated(fuzz.Draw(3), b"x" * 99) == fuzz.mutated(fuzz.Draw(3), b"x" * 99) != b"x" * 99
    )


def test_shares(fuzz):
    tasks = fuzz.tasks_of(["Datasets", "CDF"], 100, 0)
    assert len(set(tasks)) == 100
    assert sum(kind == "CDF" for kind, _ in tasks) == 20


def test_files_as_they_are_written_are_answers(fuzz, monkeypatch, tmp_path):
    fuzz.write_files(tmp_path)
    monkeypatch.setattr(fuzz, "mutated", lambda draw, data: data)
    monkeypatch.setattr(fuzz.Draw, "odd", lambda self, times=1: False)
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
