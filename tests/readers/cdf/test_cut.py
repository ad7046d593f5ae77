"""CDF files that lack their last part: what is whole is read, what is not is named."""

import struct
import warnings
from pathlib import Path
from typing import Any

import cdflib
import numpy as np
import pytest
from helpers.cdf import EPOCH, REAL4, START, File, write_day

from xpad.errors import ReaderError, XpadWarning
from xpad.readers import open_dataset
from xpad.readers.cdf.attributes import read_attributes
from xpad.readers.cdf.header import Walk, read_header

KINDS = {
    "plain": {},
    "compressed": {"compress": 6},
    "packed": {"Compressed": 6},
    "column-major": {"Majority": "column_major"},
}


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.filterwarnings("ignore:.*compressed as a whole")
def test_cut_anywhere_what_is_read_is_whole(tmp_path: Path, kind: str) -> None:
    path = tmp_path / "a.cdf"
    settings: dict[str, Any] = KINDS[kind]
    write_day(path, records=40, **settings)
    data, whole = path.read_bytes(), open_dataset(path).load()
    answers = 0
    for length in [*range(8, len(data), len(data) // 60), len(data) - 1]:
        path.write_bytes(data[:length])
        with warnings.catch_warnings(record=True) as caught:
            warnings.simplefilter("always")
            refused = ""
            try:
                ds = open_dataset(path).load()
            except ReaderError as error:
                refused = str(error)
        if refused:
            assert "\n" not in refused
            assert str(path) in refused
            continue
        answers += 1
        told = [str(one.message) for one in caught if "is truncated" in str(one.message)]
        gone = [name for name in whole.variables if name not in ds.variables]
        if kind == "packed" and not told:  # what it lacks is no data
            assert not gone
            continue
        assert len(told) == 1
        for name, item in ds.variables.items():
            records = item.shape[0] if item.ndim else 0
            np.testing.assert_array_equal(item, whole[name][:records], str(name))
            assert records == whole[name].shape[0], name
        assert ("variables left out" in told[0]) == bool(gone)
    assert answers > 5


def block_at_the_end(path: Path, name: str) -> int:
    """Move the only block of a variable to the end of its file; return how many bytes it has."""
    data = bytearray(path.read_bytes())
    index = read_header(str(path)).descriptors[name].index
    entries = struct.unpack_from(">i", data, index + 20)[0]
    where = index + 28 + 8 * entries
    position = struct.unpack_from(">q", data, where)[0]
    size = struct.unpack_from(">q", data, position)[0]
    struct.pack_into(">q", data, where, len(data))
    gdr = struct.unpack_from(">q", data, 20)[0]
    struct.pack_into(">q", data, gdr + 36, len(data) + size)
    path.write_bytes(bytes(data + data[position : position + size]))
    return size


def test_records_that_are_missing_are_fill(tmp_path: Path) -> None:
    path = tmp_path / "a.cdf"
    flux = write_day(path, records=40)
    size = block_at_the_end(path, "FEDU")
    np.testing.assert_array_equal(open_dataset(path)["FEDU"], flux)
    data = path.read_bytes()
    for missing in (1, 60, 61, 1000, size - 12 - 60):
        path.write_bytes(data[:-missing])
        there = 40 - -(-missing // 60)
        with pytest.warns(XpadWarning, match=f"FEDU has {there} of its 40 records"):
            ds = open_dataset(path, chunks={"Epoch": 7})
        np.testing.assert_array_equal(ds["FEDU"][:there], flux[:there])
        assert (ds["FEDU"][there:] == np.float32(-1e31)).all()
        np.testing.assert_array_equal(ds["FEDU"][there - 1], flux[there - 1])
        assert ds.sizes["Epoch"] == ds["L"].size == 40
    path.write_bytes(data[: -size + 20])
    with pytest.warns(XpadWarning, match="variables left out: FEDU"):
        assert "FEDU" not in open_dataset(path)


def test_records_without_times_are_left_out(tmp_path: Path) -> None:
    path = tmp_path / "a.cdf"
    flux = write_day(path, records=40)
    block_at_the_end(path, "Epoch")
    path.write_bytes(path.read_bytes()[:-81])
    with pytest.warns(XpadWarning, match="Epoch has 29 of its 40 records"):
        ds = open_dataset(path)
    np.testing.assert_array_equal(ds["FEDU"], flux[:29])
    assert ds.sizes["Epoch"] == 29


def test_whole_numbers_without_a_fill_value_get_one(tmp_path: Path) -> None:
    path = tmp_path / "a.cdf"
    file = File(path)
    file.add("Epoch", EPOCH, START + np.arange(9.0))
    file.add("counts", 2, np.arange(9, dtype="i2"), {"DEPEND_0": "Epoch"})
    file.add("j", REAL4, np.arange(9, dtype="f4"), {"DEPEND_0": "Epoch"})
    file.writer.close()
    block_at_the_end(path, "counts")
    path.write_bytes(path.read_bytes()[:-5])
    with pytest.warns(XpadWarning, match="counts has 6 of its 9 records"):
        ds = open_dataset(path)
    assert ds["counts"].values.tolist() == [0, 1, 2, 3, 4, 5, -32768, -32768, -32768]
    assert ds["counts"].attrs["FILLVAL"] == -32768


def test_cut_further_after_opening(tmp_path: Path) -> None:
    path = tmp_path / "a.cdf"
    write_day(path, records=40)
    block_at_the_end(path, "FEDU")
    path.write_bytes(path.read_bytes()[:-100])
    with pytest.warns(XpadWarning, match="truncated"):
        ds = open_dataset(path)
    path.write_bytes(path.read_bytes()[:-100])
    with pytest.raises(ReaderError, match=r"a\.cdf is truncated.*'FEDU'"):
        ds["FEDU"].compute()


def test_attributes_are_those_that_cdflib_reads(tmp_path: Path, shared_data: Path) -> None:
    write_day(tmp_path / "a.cdf")
    real = sorted(shared_data.glob("mms_fpi/*.cdf")) + sorted(shared_data.glob("rbsp_hope/*.cdf"))
    for path in [tmp_path / "a.cdf", real[0], real[-1]]:
        cdf = cdflib.CDF(path, string_encoding="latin-1")
        header = read_header(str(path))
        with path.open("rb") as file:
            attrs, global_attrs, doubtful = read_attributes(
                Walk(str(path), file), header.descriptors
            )
        assert not doubtful
        for name in header.variables:
            np.testing.assert_equal(
                {key: np.asarray(value) for key, value in attrs[name].items()},
                {key: np.asarray(value) for key, value in cdf.varattsget(name).items()},
            )
        assert list(global_attrs) == list(cdf.globalattsget())


def test_a_real_file_that_lacks_its_last_part(tmp_path: Path, shared_data: Path) -> None:
    source = next((shared_data / "rbsp_hope").glob("*.cdf"))
    data, whole = source.read_bytes(), open_dataset(source)
    path = tmp_path / "a.cdf"
    path.write_bytes(data[: len(data) - len(data) // 1000])
    with pytest.warns(XpadWarning, match="truncated: it has"):
        ds = open_dataset(path)
    np.testing.assert_array_equal(ds["FEDU"], whole["FEDU"])
