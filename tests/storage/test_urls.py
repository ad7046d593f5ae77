"""URLs whose library is not installed."""

import sys
from pathlib import Path

import pytest
from fsspec.registry import _registry

import xpad
from xpad.errors import OptionError, ReaderError
from xpad.storage.scratch import file_system
from xpad.storage.urls import lacking


@pytest.mark.parametrize(
    ("url", "library", "remedy"),
    [
        ("s3://bucket/a.zarr", "s3fs", r"pip install s3fs"),
        ("gs://bucket/a.zarr", "gcsfs", "pip install gcsfs"),
        ("abfs://box/a.zarr", "adlfs", "pip install adlfs"),
    ],
)
def test_what_is_to_be_installed_is_named(
    monkeypatch: pytest.MonkeyPatch, url: str, library: str, remedy: str
) -> None:
    monkeypatch.setitem(sys.modules, library, None)
    for known in {"s3", "gs", "abfs"} & set(_registry):
        monkeypatch.delitem(_registry, known)
    told = f"{url} cannot be .*{library}, which is not installed: {remedy}"
    with pytest.raises(ReaderError, match=told) as error:
        xpad.open_dataset(url)
    assert "Zarr store" not in str(error.value)
    with pytest.raises(OptionError, match=told):
        file_system(url, {})


def test_a_protocol_that_nobody_knows() -> None:
    with pytest.raises(ReaderError, match="nosuch:// is no protocol that fsspec knows"):
        xpad.open_dataset("nosuch://bucket/a.zarr")


def test_what_needs_nothing(tmp_path: Path) -> None:
    assert lacking("memory://a.zarr") is None
    assert lacking("file:///a.zarr") is None
    assert lacking("simplecache::memory://a.zarr") is None
