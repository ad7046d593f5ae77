"""The demo replaces what a demo wrote, and nothing else."""

import pytest
from helpers import QUICK

import xpad
from xpad import demo as module
from xpad.cli import main

pytestmark = pytest.mark.filterwarnings("ignore::xpad.XpadWarning")


@pytest.fixture
def left(tmp_path, fitted):
    """A folder as a demo leaves it."""
    folder = tmp_path / "demo"
    for name in ("cdf/a.cdf", "pictures/labels.png"):
        (folder / name).parent.mkdir(parents=True)
        (folder / name).touch()
    fitted.save(folder / "rept.zarr")
    return folder


@pytest.mark.parametrize("name", ["notes.txt", "cdf/mine.txt", "pictures/mine.pdf", "a/b", "rept"])
def test_what_is_not_of_a_demo_stays(left, capsys, name):
    (left / name).parent.mkdir(exist_ok=True)
    (left / name).write_text("mine")
    before = sorted(left.rglob("*"))
    assert main(["demo", "-o", str(left), "--overwrite"]) == 1
    said = capsys.readouterr().err
    assert f"{name.split('/b')[0]} in it was not written by xpad demo" in said
    assert sorted(left.rglob("*")) == before


def test_a_saved_model_of_that_name_is_no_demo(tmp_path, fitted, capsys):
    fitted.save(tmp_path / "rept.zarr")
    assert main(["demo", "-o", str(tmp_path), "--overwrite"]) == 1
    assert "rept.zarr in it was not written by xpad demo" in capsys.readouterr().err
    assert xpad.load_model(tmp_path / "rept.zarr") == fitted


def test_the_folder_at_work_in_is_refused_in_a_line(tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    assert main(["demo", "-o", ".", "--overwrite"]) == 1
    assert "folder at work in" in capsys.readouterr().err


def test_a_demo_takes_the_place_of_the_last(left, monkeypatch):
    written, simulated = module.cluster_to_zarr, module.simulate
    monkeypatch.setattr(module, "simulate", lambda days, seed: simulated(days=0.3, seed=seed))
    monkeypatch.setattr(
        module, "cluster_to_zarr", lambda ds, to, progress: written(ds, to, **QUICK)
    )
    for _ in range(2):
        assert main(["demo", "-o", str(left), "--overwrite", "--quiet"]) == 0
    assert sorted(p.name for p in left.iterdir()) == ["cdf", "pictures", "rept.zarr"]
    assert not (left / "cdf" / "a.cdf").exists()
