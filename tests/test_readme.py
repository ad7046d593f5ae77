"""What the README and the docs show runs as it stands there."""

import re
import tomllib
from importlib import import_module
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]


def python_blocks(name):
    return re.findall(
        r"^[ ]*```python\n(.*?)```", (ROOT / name).read_text(), re.DOTALL | re.MULTILINE
    )


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore:Consolidated metadata:UserWarning")
@pytest.mark.filterwarnings("ignore:the autoencoder has hardly:xpad.XpadWarning")
@pytest.mark.filterwarnings("ignore:k=.* by meanshift counts:xpad.XpadWarning")
def test_readme_runs_as_one_session(tmp_path, monkeypatch):
    import matplotlib.pyplot as plt

    monkeypatch.chdir(tmp_path)
    blocks = python_blocks("README.md")
    assert len(blocks) >= 2
    session: dict = {}
    for block in blocks:
        # A tenth of the data, so that the same lines take seconds.
        exec(compile(block.replace("days=3,", "days=0.5,"), "README.md", "exec"), session)
    plt.close("all")
    assert session["out"].pad_label.size == session["ds"].sizes["Epoch"]
    assert (tmp_path / "labels.zarr").is_dir()
    assert session["model"].k >= 2


def test_method_page_figures_are_those_its_code_prints(capsys):
    import textwrap

    page = (ROOT / "docs" / "method.md").read_text()
    for block in python_blocks("docs/method.md"):
        exec(compile(textwrap.dedent(block), "method.md", "exec"), {})
    printed = capsys.readouterr().out
    shares = [line for line in printed.splitlines() if "above 3 MeV" in line]
    assert len(shares) == 3
    for line, e_folding in zip(shares, ("0.3", "0.5", "0.8"), strict=True):
        row = next(r for r in page.splitlines() if r.startswith(f"| {e_folding} MeV |"))
        first = float(re.search(r"'([\d.]+) %'", line)[1])
        assert first == pytest.approx(float(row.split("|")[2].strip(" %")), abs=0.5)
    scatter = {a: float(b) for a, b in re.findall(r"^([\d.]+) ([\d.]+)$", printed, re.MULTILINE)}
    row = next(r for r in page.splitlines() if "scatter of a normalised bin" in r)
    told = [float(v) for v in row.split("|")[2:-1]]
    assert list(scatter.values()) == pytest.approx(told, abs=0.006)


@pytest.mark.parametrize(
    "name",
    ["README.md", "CONTRIBUTING.md", *(f"docs/{p.name}" for p in ROOT.glob("docs/*.md"))],
)
def test_links_to_files_lead_somewhere(name):
    page = ROOT / name
    for target in re.findall(r"\]\(([^)#]+)\)", page.read_text()):
        if "://" not in target:
            assert (page.parent / target).exists(), target


def test_contributing_names_what_is_there():
    page = (ROOT / "CONTRIBUTING.md").read_text()
    told = {name for name in re.findall(r"`([\w./]+/[\w./]*)`", page) if "NEW" not in name}
    assert len(told) > 20
    for name in told - {"xpad/", "docs/"}:
        assert (ROOT / name).exists() or (ROOT / "xpad" / name).exists(), name
    entries = re.findall(r"^\| `(\w+)`, `xpad/([\w/]+).py` \|", page, re.MULTILINE)
    assert len(entries) == 8
    for table, module in entries:
        where = module.removesuffix("/__init__").replace("/", ".")
        assert hasattr(import_module(f"xpad.{where}"), table), table


def test_contributing_shows_the_floors_of_the_contract():
    page = (ROOT / "CONTRIBUTING.md").read_text()
    (block,) = re.findall(r"```\n(__main__\n.*?)```", page, re.DOTALL)
    told = [set(re.split(r"\s{2,}", line)[0].split(", ")) for line in block.splitlines()]
    contracts = tomllib.loads((ROOT / "pyproject.toml").read_text())["tool"]["importlinter"]
    layers = contracts["contracts"][0]["layers"]
    assert told == [{n for n in layer.split(" | ") if "(" not in n} for layer in layers]


def test_every_lane_is_told_of():
    lanes = re.findall(
        r"^@nox.session.*\ndef (\w+)", (ROOT / "noxfile.py").read_text(), re.MULTILINE
    )
    page = (ROOT / "CONTRIBUTING.md").read_text()
    assert set(lanes) == {"quick", *re.findall(r"nox -s (\w+)", page)}
