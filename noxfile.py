"""What a change must pass, in lanes: `nox -s quick`, `nox -s tests-3.12 -- tests/readers -k times`.

`.ci/run` runs these lanes too, each in an environment of its own that uv makes.
"""

import re
import shutil
import subprocess
import sys
from pathlib import Path

import nox

nox.options.default_venv_backend = "uv"
nox.options.sessions = ["quick"]

PROJECT = nox.project.load_toml("pyproject.toml")
PYTHONS = nox.project.python_versions(PROJECT)
SPREAD = ("-n", "2", "--dist", "loadscope")
NOT_SLOW = ("-m", "not slow")
LONG = (
    "tests/benchmarks", "tests/end_to_end", "tests/missions", "tests/simulation", "tests/writing",
)  # fmt: skip

# Where versions matter: what is read, written, drawn, and every example of the docs.
EDGES = (
    "tests/model", "tests/plot", "tests/readers", "tests/statistics", "tests/storage",
    "tests/writing", "tests/test_accessor.py", "tests/test_cli.py", "tests/test_public.py", "xpad",
)  # fmt: skip


def dev(*names: str) -> list[str]:
    """Of the development tools, those with these names, at the versions that pyproject.toml says."""
    every = PROJECT["project"]["optional-dependencies"]["dev"]
    return [one for one in every if re.split(r"[^\w-]", one)[0] in names]


def newer_python() -> str | None:
    """The newest Python that xpad is declared for and that is here, if it is newer than this one."""
    for version in reversed(PYTHONS):
        if tuple(map(int, version.split("."))) <= sys.version_info[:2]:
            return None
        found = [shutil.which(f"python{version}"), *of_pyenv(version)]
        # A name on the path may be a shim that leads nowhere.
        for python in filter(None, found):
            if subprocess.run([python, "-c", ""], capture_output=True, check=False).returncode == 0:
                return str(python)
    return None


def of_pyenv(version: str) -> list[Path]:
    """What pyenv has of a Python, whether or not it is switched on."""
    if shutil.which("pyenv") is None:
        return []
    root = subprocess.run(["pyenv", "root"], capture_output=True, text=True, check=True).stdout
    every = Path(root.strip(), "versions").glob(f"{version}.*/bin/python")
    return [one for one in every if re.fullmatch(r"[\d.]+", one.parts[-3])]


# -- quick ----------------------------------------------------------------------------------------


@nox.session(venv_backend="none")
def quick(session: nox.Session) -> None:
    """Lint, types, the contract, the fast tests: in less than five minutes."""
    for lane in ("lint", "types", "contract", "fast"):
        session.notify(lane)


@nox.session
def lint(session: nox.Session) -> None:
    """Style, and no path of somebody's machine."""
    session.install(*dev("ruff"))
    session.run("ruff", "check")
    session.run("ruff", "format", "--check")
    place = r"(^|[^[:alnum:]_.:/~-])/(home|Users|root|work|mnt)/[[:alnum:]_.]+"
    # 0: found one; above 1: git could not look.
    session.run("git", "grep", "--untracked", "-nIE", place, external=True, success_codes=[1])


@nox.session
def types(session: nox.Session) -> None:
    """Types, beside those of the libraries."""
    session.install(".[dev]")
    session.run("mypy")


@nox.session
def contract(session: nox.Session) -> None:
    """Arrows between packages, and that the contract can fail."""
    session.install(*dev("import-linter"), "pytest")
    session.run("lint-imports", "--no-cache", env={"PYTHONPATH": "."})
    session.run("pytest", "-q", "--noconftest", "tests/test_house.py")


@nox.session
def fast(session: nox.Session) -> None:
    """The tests of each part, and every example, but for what is slow."""
    session.install(".[test]")
    left_out = [f"--ignore={folder}" for folder in LONG]
    session.run("python", "-m", "pytest", "-q", *SPREAD, *NOT_SLOW, *left_out, *session.posargs)


# -- all ------------------------------------------------------------------------------------------


@nox.session(python=PYTHONS)
def tests(session: nox.Session) -> None:
    """All tests, on each Python."""
    session.install(".[test]")
    session.run("python", "-m", "pytest", *SPREAD, *session.posargs)


@nox.session
def docs(session: nox.Session) -> None:
    """The pages, without a warning."""
    session.install(*PROJECT["project"]["optional-dependencies"]["docs"])
    session.run("sphinx-build", "-q", "-W", "--keep-going", "-C", "-D", "extensions=myst_parser",
                "docs", *(session.posargs or [f"{session.create_tmp()}/docs"]))  # fmt: skip


@nox.session
def xarray(session: nox.Session) -> None:
    """The tests of xarray itself, with xpad imported."""
    session.install(".[test]")
    session.run(
        "python", "-m", "pytest", "-q", "-n", "2", "--pyargs", "xarray.tests.test_dataset",
        "xarray.tests.test_dataarray", "xarray.tests.test_rolling",
        "-k", "pad or rolling or coarsen or shift", "-p", "xpad",
    )  # fmt: skip


@nox.session(python=PYTHONS[0])
def lowest(session: nox.Session) -> None:
    """The tests at the edges, on the lowest versions that pyproject.toml declares."""
    constraints = Path(session.create_tmp(), "constraints")
    # Matplotlib 3.9 warns with a newer one, and tests of plots count warnings as errors.
    constraints.write_text("pyparsing<3.3\n")
    session.install(
        "--resolution", "lowest-direct", "--constraints", str(constraints.resolve()), ".[test]"
    )
    session.run("uv", "pip", "list", "-q", external=True)
    # Old releases warn of new ones of what they use; that is not ours to fix.
    session.run("python", "-m", "pytest", "-q", *SPREAD, *NOT_SLOW, "-o", "filterwarnings=default",
                *(session.posargs or EDGES))  # fmt: skip


NEWER = newer_python()


@nox.session(python=NEWER)
def newest(session: nox.Session) -> None:
    """The tests at the edges, on the newest Python that is here and what installs on it today."""
    if NEWER is None:
        session.skip(
            f"no Python newer than this {sys.version.split()[0]}, up to {PYTHONS[-1]}, is here"
        )
    session.install(".[test]")
    session.run("python", "-m", "pytest", "-q", *SPREAD, *NOT_SLOW, *(session.posargs or EDGES))
