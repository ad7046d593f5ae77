"""The contract of the layout holds, and would say so where it did not."""

import os
import subprocess
import sys
from graphlib import CycleError, TopologicalSorter
from pathlib import Path
from shutil import copytree, ignore_patterns

import pytest

ROOT = Path(__file__).resolve().parents[1]
"""The checkout. This file is run beside import-linter alone, too, and so imports nothing else."""

grimp = pytest.importorskip("grimp")
pytest.importorskip("importlinter")


def lint_imports(house):
    """What `lint-imports` answers and says of a checkout."""
    found = subprocess.run(
        [Path(sys.executable).with_name("lint-imports"), "--no-logo", "--no-cache"],
        capture_output=True, text=True, check=False, cwd=house,
        env=os.environ | {"PYTHONPATH": str(house)},
    )  # fmt: skip
    return found.returncode, " ".join(found.stdout.split())


@pytest.fixture
def house(tmp_path):
    """A copy of the package, and of the contract that it keeps."""
    copytree(ROOT / "xpad", tmp_path / "xpad", ignore=ignore_patterns("__pycache__"))
    (tmp_path / "pyproject.toml").write_bytes((ROOT / "pyproject.toml").read_bytes())
    return tmp_path


def test_the_contract_is_kept(house):
    code, said = lint_imports(house)
    assert code == 0, said
    assert " 0 broken" in said


@pytest.mark.parametrize(
    ("module", "line", "complaint"),
    [
        pytest.param(
            "errors.py", "from xpad.settings import Settings",
            "xpad.errors is not allowed to import xpad.settings", id="upwards",
        ),
        pytest.param(
            "stages/split.py", "def later():\n    import xpad.fitting.fit",
            "xpad.stages is not allowed to import xpad.fitting", id="upwards, in a function",
        ),
        pytest.param(
            "stages/split.py", "from xpad.pads import clean",
            "xpad.stages is not allowed to import xpad.pads", id="to the same floor",
        ),
        pytest.param(
            "pads/new.py", "from xpad.roles import words\nfrom xpad.pads import newer\n",
            None, id="downwards",
        ),
        pytest.param("attic.py", "", "xpad.attic", id="on no floor"),
        pytest.param(
            "results/steps.py", "def later():\n    from xpad import catalogue",
            "xpad.results.steps", id="round by the public face",
        ),
    ],
)  # fmt: skip
def test_the_contract_can_be_broken(house, module, line, complaint):
    (house / "xpad" / "pads" / "newer.py").touch()
    with (house / "xpad" / module).open("a") as file:
        file.write(f"\n{line}\n")
    code, said = lint_imports(house)
    assert (code == 0) is (complaint is None), said
    assert (complaint or "0 broken") in said


def test_a_circle_within_a_package_breaks_the_contract(house):
    pads = house / "xpad" / "pads"
    (pads / "one.py").write_text("from xpad.pads import other\n")
    (pads / "other.py").write_text("def later():\n    from xpad.pads import one\n")
    code, said = lint_imports(house)
    assert code == 1
    assert "No cycles are allowed in xpad.pads" in said


@pytest.fixture
def circle(monkeypatch):
    """What finds modules that import each other in a circle.

    The contract looks for circles among the parts of a package, its face (`__init__`) left out; this
    looks among modules, faces too. What xpad shows its users is left out here: it is all that is
    below, and the contract says who may use it.
    """

    def found(folder):
        monkeypatch.syspath_prepend(folder)
        monkeypatch.delitem(sys.modules, "xpad", raising=False)  # grimp would look no further
        house = grimp.build_graph("xpad", cache_dir=None)
        arrows = {
            m: house.find_modules_directly_imported_by(m) - {m, "xpad"} for m in house.modules
        }
        try:
            TopologicalSorter(arrows).prepare()
        except CycleError as error:
            return set(error.args[1])
        return set()

    return found


def test_no_module_needs_what_needs_it(circle):
    assert circle(ROOT) == set()


def test_a_circle_by_way_of_a_face_is_found(house, circle):
    (house / "xpad" / "pads" / "one.py").write_text("from xpad.pads import other\n")
    with (house / "xpad" / "pads" / "__init__.py").open("a") as file:
        file.write("\nfrom xpad.pads.one import other\n")
    assert circle(house) == {"xpad.pads", "xpad.pads.one"}
