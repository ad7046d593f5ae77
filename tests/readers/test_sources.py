"""The registry of formats, and a format that is added to it."""

import inspect
import subprocess
import sys
from importlib import import_module
from pathlib import Path

import numpy as np
import pytest
import xarray as xr
from helpers.cdf import write_day

import xpad
from xpad.errors import OptionError, ReaderError, XpadWarning
from xpad.readers.sources import SOURCES, Later, OpenOne, Read, Source, detect, promised

# A format of its own ------------------------------------------------------------------------------


def open_toy(path: str) -> xr.Dataset:
    _, *hours, end = Path(path).read_text().split()
    if end != "END":
        raise ReaderError(f"{path} is truncated.")
    time = np.array(hours, "f8")
    return xr.Dataset({"flux": ("time", time * 2), "L": ("time", time)}, {"time": time})


@pytest.fixture
def toys(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Path:
    """Two files of a format that the registry has for this test alone."""
    source = Source(
        "toy table",
        open_one=open_toy,
        suffixes=(".toy",),
        magic=(b"TOYTABLE_1",),
        is_claimed=True,
        refused={b"TOYTABLE_2": "is a toy table of version 2."},
    )
    monkeypatch.setitem(SOURCES, "toy", source)
    (tmp_path / "a.toy").write_text("TOYTABLE_1 2 3 END")
    (tmp_path / "b.toy").write_text("TOYTABLE_1 0 1 END")
    return tmp_path


def test_it_is_opened(toys: Path) -> None:
    ds = xpad.open_dataset(toys / "*.toy")
    np.testing.assert_array_equal(ds["flux"], [0, 2, 4, 6])
    assert set(xpad.open_dataset(toys / "a.toy", "flux").data_vars) == {"flux", "L"}


@pytest.mark.parametrize("engine", ["xpad", None])
def test_it_is_opened_by_xarray(toys: Path, engine: str | None) -> None:
    ds = xr.open_dataset(toys / "a.toy", engine=engine, drop_variables="L")
    np.testing.assert_array_equal(ds["flux"], [4, 6])
    assert "L" not in ds


def test_it_is_named_in_messages(toys: Path) -> None:
    (toys / "readme.txt").write_text("hello")
    (toys / "new.toy").write_text("TOYTABLE_2 0")
    (toys / "web.toy").write_text("<html>")
    with pytest.raises(
        ReaderError, match=r"\(CDF, das2 stream, CEF, netCDF, Zarr store, toy table\)"
    ):
        xpad.open_dataset(toys / "readme.txt")
    with pytest.raises(ReaderError, match=r"new\.toy is a toy table of version 2\."):
        xpad.open_dataset(toys / "new.toy")
    with pytest.raises(ReaderError, match=r"web\.toy is not the toy file that its name promises"):
        xpad.open_dataset(toys / "web.toy")
    with pytest.raises(
        OptionError, match=r"'hdf4'.*; use 'cdf', 'das2', 'cef', 'netcdf', 'zarr', 'toy'"
    ):
        xpad.open_dataset(toys / "a.toy", engine="hdf4")


def test_what_it_cannot_read_is_skipped(toys: Path) -> None:
    (toys / "b.toy").write_text("TOYTABLE_1 0 1 E")
    with pytest.raises(ReaderError, match=r"b\.toy is truncated"):
        xpad.open_dataset(toys / "*.toy")
    with pytest.warns(XpadWarning, match=r"1 of 2 files .*b\.toy is truncated"):
        ds = xpad.open_dataset(toys / "*.toy", on_error="skip")
    np.testing.assert_array_equal(ds["flux"], [4, 6])


# Those that there are -----------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("start", "name"),
    [
        (b"\xcd\xf3\x00\x01\xcc\xcc\x00\x01", "cdf"),
        (b"\xcd\xf2\x60\x02", "cdf"),
        (b"\x00\x00\xff\xff", "cdf"),
        (b"[00]000100", "das2"),
        (b"\x89HDF\r\n\x1a\n", "netcdf"),
        (b"CDF\x01", "netcdf"),
        (b"CDF\x02", "netcdf"),
        (b"CDF\x05", "netcdf"),
    ],
)
def test_the_content_tells_the_format(tmp_path: Path, start: bytes, name: str) -> None:
    (tmp_path / "file.zarr").write_bytes(start)
    assert detect(str(tmp_path / "file.zarr")) == name


@pytest.mark.parametrize("mark", ["zarr.json", ".zgroup", ".zmetadata", ".zarray"])
def test_folders(tmp_path: Path, mark: str) -> None:
    with pytest.raises(ReaderError, match="is a folder and no Zarr store: give a pattern such as"):
        detect(str(tmp_path))
    (tmp_path / mark).touch()
    assert detect(str(tmp_path)) == "zarr"


def test_urls_are_zarr_stores() -> None:
    assert detect("s3://bucket/day.cdf") == "zarr"


@pytest.mark.parametrize(
    ("start", "message"),
    [
        (b"", "is empty"),
        (b"\x1f\x8b\x08", "is compressed with gzip"),
        (b"|Hs||", r"is a das2 stream of version 2\.3 or later"),
        (b"<html>not found</html>", "is not the netcdf file .*b'<html>no'.*a web page"),
    ],
)
def test_what_is_none_of_them(tmp_path: Path, start: bytes, message: str) -> None:
    (tmp_path / "a.NC").write_bytes(start)
    with pytest.raises(ReaderError, match=rf"a\.NC {message}"):
        detect(str(tmp_path / "a.NC"))


@pytest.mark.parametrize("name", SOURCES)
def test_all_read_alike(name: str) -> None:
    source = SOURCES[name]
    opens = source.read or source.open_one
    assert isinstance(opens, Later)
    found = inspect.signature(getattr(import_module(opens.module), opens.name))
    wanted = Read if source.read else OpenOne
    assert (
        list(found.parameters.values())
        == list(inspect.signature(wanted.__call__).parameters.values())[1:]
    )


def test_a_source_reads_one_way() -> None:
    for ways in ({}, {"read": print, "open_one": print}):
        with pytest.raises(TypeError, match="'toy' needs either read or open_one"):
            Source("toy", **ways)  # type: ignore[arg-type]  # what is wrong is the test


def test_help_lists_every_engine() -> None:
    text = inspect.getdoc(xpad.open_dataset)
    assert text is not None
    assert f"engine : {{{', '.join(map(repr, SOURCES))}}}, optional" in text


def test_no_two_share_a_beginning_or_an_ending() -> None:
    for attribute in ("suffixes", "magic", "marks"):
        found = [one for source in SOURCES.values() for one in getattr(source, attribute)]
        assert len(found) == len(set(found))
    assert [name for name, source in SOURCES.items() if source.has_urls] == ["zarr"]
    assert [promised(f"a{suffix}") for suffix in (".d2t", ".H5", "")] == ["das2", "netcdf", None]


SCRIPT = """
import sys, xarray
before = set(sys.modules)
from xpad.readers import open_dataset
heavy = {"cdflib", "dask.array", "filelock", "h5py", "zarr"}
print(*heavy & (set(sys.modules) - before))
open_dataset(sys.argv[1])
readers = ("xpad.readers.cdf.read", "xpad.readers.das2", "xpad.readers.netcdf", "xpad.readers.zarr")
print(*[name for name in readers if name in sys.modules])
"""


def test_a_reader_is_imported_when_it_reads(tmp_path: Path) -> None:
    write_day(tmp_path / "a.cdf")
    command = [sys.executable, "-c", SCRIPT, str(tmp_path / "a.cdf")]
    done = subprocess.run(command, check=True, capture_output=True, text=True, timeout=100)
    assert done.stdout.splitlines() == ["", "xpad.readers.cdf.read"]
