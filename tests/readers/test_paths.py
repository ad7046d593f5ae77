"""Which files a path means."""

import os
from pathlib import Path

import pytest

from xpad.errors import ReaderError
from xpad.readers.paths import first_bytes, resolve


def test_a_pattern_is_sorted_and_a_list_keeps_its_order(tmp_path: Path) -> None:
    for name in ("b.cdf", "a.cdf", "c.nc"):
        (tmp_path / name).touch()
    pattern = [str(tmp_path / "a.cdf"), str(tmp_path / "b.cdf")]
    assert resolve(tmp_path / "*.cdf") == pattern
    assert resolve([tmp_path / "c.nc", tmp_path / "*.cdf"]) == [str(tmp_path / "c.nc"), *pattern]


def test_a_name_with_brackets_is_a_file_where_there_is_one(tmp_path: Path) -> None:
    (tmp_path / "a[1].cdf").touch()
    assert resolve(tmp_path / "a[1].cdf") == [str(tmp_path / "a[1].cdf")]


def test_the_home_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv("USERPROFILE", str(tmp_path))
    (tmp_path / "a.cdf").touch()
    assert resolve("~/a.cdf") == [os.path.join(tmp_path, "a.cdf")]


@pytest.mark.parametrize(
    ("path", "message"),
    [
        ("*.cdf", r"No file matches the pattern .*\*\.cdf.*holds 1 entries \(readme\.txt\)"),
        ("no/*.cdf", "the folder .*no does not exist"),
        ("a.cdf", r"There is no file .*a\.cdf.*looked in"),
        ("empty/a.cdf", "the folder .*empty is empty"),
        ("out.zarr", "out.zarr is not there yet: a run that is to write it"),
    ],
)
def test_nothing_there(tmp_path: Path, path: str, message: str) -> None:
    if path == "out.zarr":
        (tmp_path / "out.zarr.unfinished").mkdir()
    else:
        (tmp_path / "readme.txt").write_text("hello")
    if path.startswith("empty"):
        (tmp_path / "empty").mkdir()
    with pytest.raises(ReaderError, match=message):
        resolve(tmp_path / path)


def test_no_path_at_all() -> None:
    with pytest.raises(ReaderError, match="list of paths is empty"):
        resolve([])
    with pytest.raises(ReaderError, match="The path is empty"):
        resolve("")


def test_first_bytes(tmp_path: Path) -> None:
    (tmp_path / "a").write_bytes(b"0123456789")
    assert first_bytes(str(tmp_path / "a"), 4) == b"0123"
    with pytest.raises(ReaderError, match="b cannot be opened: No such file"):
        first_bytes(str(tmp_path / "b"))
