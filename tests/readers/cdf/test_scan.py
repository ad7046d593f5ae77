"""Many CDF files: opened in one walk each, one bad among them, those compressed as a whole."""

import errno
import os
import pickle
import socket
import struct
import subprocess
import sys
import threading
import time
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import cdflib
import cloudpickle
import dask
import numpy as np
import pytest
import xarray as xr
from cdflib.cdfwrite import CDF as Writer
from cdflib.epochs import CDFepoch
from helpers.cdf import ENERGY, EPOCH, REAL4, START, TT2000, File, cut, write_day
from numpy.typing import NDArray

from xpad.errors import ReaderError, XpadWarning
from xpad.readers import open_dataset
from xpad.readers.cdf import unpacked
from xpad.readers.cdf.header import read_header
from xpad.readers.cdf.unpacked import uncompressed
from xpad.readers.lazy import TableArray

FILES, RECORDS = 40, 6
GZIP = {"Compressed": 6}


@pytest.fixture(scope="module")
def many(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, NDArray[np.float32]]:
    """Forty daily files whose names are not in the order of their times, and their flux; to read."""
    folder = tmp_path_factory.mktemp("many")
    flux = [write_day(folder / f"{day * 7 % FILES:02}.cdf", day, RECORDS) for day in range(FILES)]
    return folder, np.concatenate(flux)


@pytest.fixture
def some(many: tuple[Path, NDArray], tmp_path: Path) -> list[Path]:
    """The same files, to be damaged, in the order of their times."""
    for path in many[0].iterdir():
        (tmp_path / path.name).write_bytes(path.read_bytes())
    return [tmp_path / f"{day * 7 % FILES:02}.cdf" for day in range(FILES)]


@pytest.fixture
def small_chunks(monkeypatch: pytest.MonkeyPatch) -> None:
    """One chunk a file, although the files are small."""
    monkeypatch.setattr("xpad.compute.chunks.SMALLEST_CHUNK", 1)


# The walk through a header ------------------------------------------------------------------------


def assert_header_equals_cdflib(path: Path) -> None:
    cdf = cdflib.CDF(path, string_encoding="latin-1")
    info = cdf.cdf_info()
    names = [*info.rVariables, *info.zVariables]
    with uncompressed(str(path)) as stored:
        found = read_header(str(path), stored).variables
    assert list(found) == [name.strip() for name in names]
    assert names
    for name in names:
        theirs, ours = cdf.varinq(name), found[name.strip()]
        assert ours.cdf_type == theirs.Data_Type_Description
        assert ours.shape == tuple(theirs.Dim_Sizes)
        assert ours.records == theirs.Last_Rec + 1
        assert ours.varying == theirs.Rec_Vary


def test_headers_of_real_files_equal_cdflib(shared_data: Path) -> None:
    """Among them files of the versions 2.6, 2.7 and 3."""
    paths = sorted(shared_data.glob("*/*.cdf"))
    assert {path.read_bytes()[1] for path in paths} == {0xF2, 0xF3}
    for path in paths:
        assert_header_equals_cdflib(path)


def test_headers_with_r_variables_and_dimensions_that_do_not_vary(tmp_path: Path) -> None:
    writer = Writer(str(tmp_path / "r.cdf"), cdf_spec={"rDim_sizes": [3, 2]}, delete=True)
    common = {"Data_Type": REAL4, "Num_Elements": 1, "Rec_Vary": True}
    for name, kind, varies in (("r", "rVariable", [True, False]), ("z", "zVariable", None)):
        spec = common | {"Variable": name, "Var_Type": kind, "Dim_Sizes": [4]}
        if varies:
            spec |= {"Dim_Sizes": [], "Dim_Vary": varies}
        values = np.ones((5, 3) if varies else (5, 4), "f4")
        writer.write_var(spec, var_data=values)
    writer.close()
    assert_header_equals_cdflib(tmp_path / "r.cdf")
    found = read_header(str(tmp_path / "r.cdf")).variables
    assert (found["r"].shape, found["z"].shape) == ((3,), (4,))


def test_header_before_version_2_5(tmp_path: Path) -> None:
    """Its descriptors are longer; nothing writes them any more."""
    sizes = [5, 7]
    vdr_at = 8 + 60 + 64
    vdr = struct.pack(">iiiiii4xi", 0, 8, 0, 44, 8, 0, 1) + bytes(16 + 128)
    vdr += struct.pack(">iiii64s", 1, 0, 0, 0, b"flux")
    vdr += struct.pack(">i2i2i", len(sizes), *sizes, -1, -1)
    vdr = struct.pack(">i", len(vdr)) + vdr[4:]
    cdr = struct.pack(">iiiiiii", 60, 1, 8 + 60, 2, 4, 6, 3) + bytes(60 - 28)
    gdr = struct.pack(">iiiiiiiiiii", 64, 2, 0, vdr_at, 0, vdr_at + len(vdr), 0, 0, 0, 0, 1)
    content = bytes.fromhex("0000ffff0000ffff") + cdr + gdr + bytes(64 - 44) + vdr
    (tmp_path / "old.cdf").write_bytes(content)
    assert_header_equals_cdflib(tmp_path / "old.cdf")
    assert read_header(str(tmp_path / "old.cdf")).variables["flux"].shape == (5, 7)


@pytest.mark.parametrize(
    ("offset", "reason"),
    [
        (8, "there is no variable descriptor at byte"),
        (20, "a variable of type 99"),
        (340, "a variable of 99 dimensions"),
    ],
)
def test_damaged_descriptor_is_an_error_that_names_the_file(
    tmp_path: Path, offset: int, reason: str
) -> None:
    write_day(tmp_path / "a.cdf")
    data = bytearray((tmp_path / "a.cdf").read_bytes())
    vdr = data.index(b"FEDU\0") - 84
    data[vdr + offset : vdr + offset + 4] = struct.pack(">i", 99)
    (tmp_path / "a.cdf").write_bytes(data)
    with pytest.raises(ReaderError, match=rf"a\.cdf cannot be read.*{reason}"):
        open_dataset(tmp_path / "a.cdf")


# Opening ------------------------------------------------------------------------------------------


def test_all_files_in_the_order_of_their_times(
    many: tuple[Path, NDArray], small_chunks: None
) -> None:
    folder, flux = many
    ds = open_dataset(folder / "*.cdf")
    assert ds["FEDU"].chunks[0] == (RECORDS,) * FILES
    assert ds.indexes["Epoch"].is_monotonic_increasing
    np.testing.assert_array_equal(ds["FEDU"], flux)


def test_headers_are_walked_once_and_equal_tables_read_once(
    many: tuple[Path, NDArray],
    monkeypatch: pytest.MonkeyPatch,
    reads: list[tuple[str, str, int, int]],
) -> None:
    def quadratic(*args: Any) -> None:
        raise AssertionError("cdflib walks through all descriptors for each name")

    monkeypatch.setattr(cdflib.CDF, "varinq", quadratic)
    monkeypatch.setattr(cdflib.CDF, "cdf_info", quadratic)
    open_dataset(many[0] / "*.cdf")
    found = Counter(name for _, name, _, _ in reads)
    assert found == {"Epoch": FILES, "FEDU_Alpha": 1, "FEDU_Energy": 1, "dE": 1}


def test_equal_bytes_in_another_byte_order_are_other_values(tmp_path: Path) -> None:
    write_day(tmp_path / "a.cdf", 0, 2, Encoding=6)
    write_day(tmp_path / "b.cdf", 1, 2, Encoding=1, energy=ENERGY.byteswap())
    headers = [read_header(str(tmp_path / name)).fingerprints for name in ("a.cdf", "b.cdf")]
    assert headers[0]["FEDU_Energy"] != headers[1]["FEDU_Energy"]
    ds = open_dataset(tmp_path / "*.cdf", "FEDU")
    np.testing.assert_array_equal(ds["FEDU_Energy"][:2], [ENERGY, ENERGY])
    np.testing.assert_array_equal(ds["FEDU_Energy"][2:], [ENERGY.byteswap()] * 2)


def test_tables_of_which_few_differ_are_held_once_each(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    held: list[NDArray] = []

    def table_array(tables: list[NDArray], ends: NDArray) -> TableArray:
        held.extend(tables)
        return TableArray(tables, ends)

    monkeypatch.setattr("xpad.readers.cdf.read.TableArray", table_array)
    for day in range(6):
        write_day(tmp_path / f"{day}.cdf", day, 2, energy=ENERGY * (1 + (day > 3)))
    ds = open_dataset(tmp_path / "*.cdf", "FEDU")
    assert (len(held), len({id(table) for table in held})) == (12, 4)  # with those of dE
    expected = np.repeat([ENERGY, ENERGY * 2], [8, 4], axis=0)
    np.testing.assert_array_equal(ds["FEDU_Energy"], expected)


def test_files_that_count_time_in_different_ways(tmp_path: Path) -> None:
    utc = np.datetime64("2013-03-01T00:00:01", "ns") + np.arange(2) * np.timedelta64(1, "D")
    stored = [
        (EPOCH, np.array([START + 1000])),
        (TT2000, CDFepoch.compute_tt2000([[2013, 3, 2, 0, 0, 1, 0, 0, 0]])),
    ]
    for number, (kind, epoch) in enumerate(stored):
        file = File(tmp_path / f"{number}.cdf")
        file.add("Epoch", kind, np.repeat(epoch, 2))
        file.add("J", REAL4, np.ones(2, "f4"), {"DEPEND_0": "Epoch"})
        file.add("other", kind, np.repeat(epoch, 2), {"DEPEND_0": "Epoch"})
        file.writer.close()
    with pytest.warns(XpadWarning) as caught:
        ds = open_dataset(tmp_path / "*.cdf")
    np.testing.assert_array_equal(ds["Epoch"], np.repeat(utc, 2))
    texts = [str(one.message) for one in caught]
    assert any("'other' is of type CDF_TIME_TT2000 and not CDF_EPOCH" in text for text in texts)
    assert "other" not in ds


def test_the_graph_holds_the_paths_once(many: tuple[Path, NDArray], small_chunks: None) -> None:
    ds = open_dataset(many[0] / "*.cdf")
    (flux,) = dask.optimize(ds["FEDU"].data)
    tasks = {key: cloudpickle.dumps(task) for key, task in dict(flux.__dask_graph__()).items()}
    path = str(many[0] / "07.cdf").encode()
    with_paths = [key for key, task in tasks.items() if path in task]
    assert len(tasks) == FILES + 1
    assert len(with_paths) == 1
    assert max(len(task) for key, task in tasks.items() if key not in with_paths) < 1000
    paths = sum(len(str(one)) for one in many[0].iterdir())
    assert len(cloudpickle.dumps(ds["FEDU"].data.__dask_graph__())) < 2 * paths + 20_000


# One bad file among them --------------------------------------------------------------------------


def damage(path: Path, how: str) -> None:
    if how == "cut":
        cut(path, 0.6)
    elif how == "empty":
        path.write_bytes(b"")
    elif how == "web page":
        path.write_text("<html>not found</html>")
    elif how == "header only":
        cut(path, 20 / path.stat().st_size)
    else:
        path.unlink()


@pytest.mark.parametrize("how", ["cut", "empty", "web page", "header only"])
@pytest.mark.parametrize("day", [0, 23])
def test_one_unreadable_file(some: list[Path], how: str, day: int) -> None:
    damage(some[day], how)
    with pytest.raises(ReaderError) as error:
        open_dataset(some)
    assert str(error.value).count(str(some[day])) == 1
    with pytest.warns(XpadWarning, match=f"1 of {FILES} files could not be read") as caught:
        ds = open_dataset(some, on_error="skip")
    assert len(caught) == 1
    assert str(some[day]) in str(caught[0].message)
    assert ds.attrs["xpad_skipped"] == [str(some[day])]
    assert ds.sizes["Epoch"] == (FILES - 1) * RECORDS
    np.testing.assert_array_equal(ds["FEDU"][-1], open_dataset(some[-1])["FEDU"][-1])


def test_the_files_after_an_unreadable_one_are_not_opened(
    some: list[Path],
    reads: list[tuple[str, str, int, int]],
) -> None:
    damage(some[5], "cut")
    with pytest.raises(ReaderError):
        open_dataset(some)
    assert {name for name, *_ in reads} == {path.name for path in some[:5]}


@pytest.mark.parametrize("how", ["cut", "header only", "removed"])
@pytest.mark.parametrize("packed", [False, True])
def test_file_damaged_after_opening(
    some: list[Path], how: str, packed: bool, small_chunks: None, cache: Path
) -> None:
    if packed:
        write_day(some[23], 23, RECORDS, **GZIP)
        with pytest.warns(XpadWarning, match=r"1 of 40 files \(the first: "):
            ds = open_dataset(some)
    else:
        ds = open_dataset(some)
    damage(some[23], how)
    with pytest.raises(ReaderError) as error:
        ds["FEDU"].compute()
    assert str(some[23]) in str(error.value)
    assert "'FEDU'" in str(error.value)
    good = ds["FEDU"].isel(Epoch=slice(0, 23 * RECORDS))
    assert np.isfinite(good.values).all()
    assert isinstance(pickle.loads(pickle.dumps(error.value)), ReaderError)


# Compressed as a whole ----------------------------------------------------------------------------


@pytest.fixture
def cache(tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Where the copies lie of a cache that is new."""
    monkeypatch.setattr(unpacked, "_cache", unpacked._Cache())
    folder = tmp_path_factory.mktemp("cache")
    monkeypatch.setenv("DASK_TEMPORARY_DIRECTORY", str(folder))
    with dask.config.set({"temporary-directory": str(folder)}):
        yield folder


@pytest.fixture
def unpackings(monkeypatch: pytest.MonkeyPatch) -> Counter[str]:
    """How often each file was decompressed."""
    done: Counter[str] = Counter()
    original = unpacked._decompress

    def counted(path: str, to: Path) -> None:
        done[Path(path).name] += 1
        time.sleep(0.02)  # so that threads can come in between
        original(path, to)

    monkeypatch.setattr(unpacked, "_decompress", counted)
    return done


def write_packed(folder: Path, files: int) -> NDArray[np.float32]:
    flux = [write_day(folder / f"{day}.cdf", day, RECORDS, **GZIP) for day in range(files)]
    return np.concatenate(flux)


def copies(cache: Path) -> list[Path]:
    return sorted(cache.glob("xpad-cdf-*/*.cdf"))


def open_packed(folder: Path, **options: Any) -> xr.Dataset:
    with pytest.warns(XpadWarning, match="compressed as a whole"):
        return open_dataset(folder / "*.cdf", **options)


def test_packed_files_are_named_once_and_decompressed_once(
    tmp_path: Path, cache: Path, unpackings: Counter[str]
) -> None:
    flux = write_packed(tmp_path, 3)
    for day in (3, 4):
        write_day(tmp_path / f"{day}.cdf", day, RECORDS)
    with pytest.warns(XpadWarning) as caught:
        ds = open_dataset(tmp_path / "*.cdf", chunks={"Epoch": 2})
    (message,) = (str(one.message) for one in caught)
    assert message.startswith(f"3 of 5 files (the first: {tmp_path / '0.cdf'}) are compressed")
    assert "cdfconvert" in message
    assert caught[0].filename == __file__
    for _ in range(2):
        np.testing.assert_array_equal(ds["FEDU"][: len(flux)], flux)
    ds["L"].load()
    assert unpackings == {"0.cdf": 1, "1.cdf": 1, "2.cdf": 1}
    assert len(copies(cache)) == 3


def test_copies_are_equal_to_what_cdflib_makes(tmp_path: Path, cache: Path) -> None:
    write_day(tmp_path / "plain.cdf", records=50)
    write_day(tmp_path / "packed.cdf", records=50, **GZIP)
    with uncompressed(str(tmp_path / "packed.cdf")) as copy:
        assert Path(copy).read_bytes() == (tmp_path / "plain.cdf").read_bytes()
    with uncompressed(str(tmp_path / "plain.cdf")) as copy:
        assert copy == str(tmp_path / "plain.cdf")


def test_threads_decompress_a_file_once(
    tmp_path: Path, cache: Path, unpackings: Counter[str]
) -> None:
    write_packed(tmp_path, 1)
    barrier = threading.Barrier(8)

    def read(_: int) -> bytes:
        barrier.wait()
        with uncompressed(str(tmp_path / "0.cdf")) as copy:
            return Path(copy).read_bytes()

    with ThreadPoolExecutor(8) as pool:
        assert len(set(pool.map(read, range(8)))) == 1
    assert unpackings == {"0.cdf": 1}


def test_copies_are_bounded_and_the_least_recently_used_goes(
    tmp_path: Path, cache: Path, unpackings: Counter[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    flux = write_packed(tmp_path, 5)
    with uncompressed(str(tmp_path / "0.cdf")) as copy:
        size = Path(copy).stat().st_size
    monkeypatch.setattr(unpacked, "_cache", unpacked._Cache())
    monkeypatch.setattr(unpacked, "LARGEST_TOTAL", 3 * size + size // 2)
    unpackings.clear()
    paths = [str(tmp_path / f"{day}.cdf") for day in range(5)]

    def use(day: int) -> None:
        with uncompressed(paths[day]):
            pass

    for day in (0, 1, 2, 0, 3):  # the last makes 1 go, which was not used for longest
        use(day)
    assert len(list(unpacked._cache._folder.glob("*.cdf"))) == 3
    use(0)
    use(2)
    assert unpackings["0.cdf"] == unpackings["2.cdf"] == 1
    use(1)
    assert unpackings["1.cdf"] == 2
    ds = open_packed(tmp_path, chunks={"Epoch": RECORDS})
    np.testing.assert_array_equal(ds["FEDU"], flux)
    assert sum(path.stat().st_size for path in unpacked._cache._folder.glob("*.cdf")) <= 3.5 * size


def test_copies_in_use_stay(tmp_path: Path, cache: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(unpacked, "LARGEST_TOTAL", 1)
    write_packed(tmp_path, 3)
    with uncompressed(str(tmp_path / "0.cdf")) as first:
        with uncompressed(str(tmp_path / "1.cdf")) as second:
            assert Path(first).is_file()
            assert Path(second).is_file()
        assert Path(first).is_file()
        assert not Path(second).exists()
    assert copies(cache) == []


def test_changed_file_is_decompressed_anew(tmp_path: Path, cache: Path) -> None:
    write_day(tmp_path / "a.cdf", 0, **GZIP)
    open_packed(tmp_path)
    flux = write_day(tmp_path / "a.cdf", 1, **GZIP)
    np.testing.assert_array_equal(open_packed(tmp_path)["FEDU"], flux)


def test_copy_that_was_tidied_away_is_made_again(
    tmp_path: Path, cache: Path, unpackings: Counter[str]
) -> None:
    flux = write_packed(tmp_path, 1)
    ds = open_packed(tmp_path)
    (copy,) = copies(cache)
    copy.unlink()
    np.testing.assert_array_equal(ds["FEDU"], flux)
    assert unpackings == {"0.cdf": 2}


def test_no_room_to_decompress(
    tmp_path: Path, cache: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    write_packed(tmp_path, 1)

    def full(path: str, to: Path) -> None:
        to.write_bytes(b"half")
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr(unpacked, "_decompress", full)
    with pytest.raises(ReaderError, match=r"0\.cdf is compressed as a whole.*no room.*TMPDIR"):
        open_dataset(tmp_path / "0.cdf")
    assert {path.name for path in unpacked._cache._folder.iterdir()} == {"lock", "locked"}


def test_no_folder_to_decompress_into(tmp_path: Path, cache: Path) -> None:
    write_packed(tmp_path, 1)
    (cache / "file").touch()
    with (
        dask.config.set({"temporary-directory": str(cache / "file")}),
        pytest.raises(ReaderError, match=r"0\.cdf is compressed.*cannot be dec.*cache.*TMPDIR"),
    ):
        open_dataset(tmp_path / "0.cdf")


def test_half_a_copy_is_not_taken_for_a_copy(
    tmp_path: Path, cache: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Where one thread fails to decompress a file while another waits for it."""
    write_packed(tmp_path, 1)
    original = unpacked._decompress
    first_call, second_waits = threading.Event(), threading.Event()

    def fails_first(path: str, to: Path) -> None:
        if not first_call.is_set():
            first_call.set()
            to.write_bytes(b"half")
            second_waits.wait(10)
            raise OSError(errno.EIO, os.strerror(errno.EIO))
        original(path, to)

    def read() -> bytes:
        with uncompressed(str(tmp_path / "0.cdf")) as copy:
            return Path(copy).read_bytes()

    monkeypatch.setattr(unpacked, "_decompress", fails_first)
    with ThreadPoolExecutor(2) as pool:
        first = pool.submit(read)
        first_call.wait(10)
        second = pool.submit(read)
        while all(copy.users < 2 for copy in unpacked._cache._copies.values()):
            time.sleep(0.001)
        second_waits.set()
        assert isinstance(first.exception(), OSError)
        assert len(second.result()) > 1000


def test_compression_of_an_unknown_kind(tmp_path: Path, cache: Path) -> None:
    write_packed(tmp_path, 1)
    data = bytearray((tmp_path / "0.cdf").read_bytes())
    (cpr,) = struct.unpack_from(">q", data, 20)
    data[cpr + 12 : cpr + 16] = struct.pack(">i", 2)  # Huffman
    (tmp_path / "0.cdf").write_bytes(data)
    with pytest.raises(ReaderError, match=r"0\.cdf is compressed with method 2.*cdfconvert"):
        open_dataset(tmp_path / "0.cdf")


SCRIPT = """
import multiprocessing, os, signal, sys, warnings
if sys.argv[2] == "without fcntl":
    sys.modules["fcntl"] = None
    warnings.filterwarnings("ignore", message="only soft file lock is available")
from xpad.readers.cdf import unpacked

def use():
    with unpacked.uncompressed(sys.argv[1]):
        return unpacked._cache._folder

def child(pipe):
    pipe.send(use())

if sys.argv[2] == "killed":
    use()
    os.kill(os.getpid(), signal.SIGKILL)
mine = use()
here, there = multiprocessing.get_context("fork").Pipe()
process = multiprocessing.get_context("fork").Process(target=child, args=(there,))
process.start()
theirs = here.recv()
process.join()
assert process.exitcode == 0
assert theirs != mine and not theirs.exists(), "a process that has ended keeps its folder"
assert mine.is_dir(), "a process that has ended took its parent's folder along"
"""


def run(path: Path, how: str) -> int:
    command = [sys.executable, "-c", SCRIPT, str(path), how]
    return subprocess.run(command, check=False, timeout=100).returncode


@pytest.mark.skipif(sys.platform == "win32", reason="there is no fork and no SIGKILL")
def test_the_folder_goes_with_its_process(tmp_path: Path, cache: Path) -> None:
    write_packed(tmp_path, 1)
    open_packed(tmp_path)  # this process is alive, and its folder stays
    (mine,) = cache.iterdir()
    assert run(tmp_path / "0.cdf", "killed") != 0
    assert len(list(cache.iterdir())) == 2
    assert run(tmp_path / "0.cdf", "ends") == 0
    assert list(cache.iterdir()) == [mine]
    assert len(copies(cache)) == 1


def test_a_folder_whose_lock_is_not_held_yet_stays(tmp_path: Path, cache: Path) -> None:
    new = cache / f"xpad-cdf-{socket.gethostname()}-new"
    new.mkdir()
    (new / "lock").touch()
    write_packed(tmp_path, 1)
    open_packed(tmp_path)
    assert new.is_dir()


@pytest.mark.skipif(sys.platform == "win32", reason="there is no fork")
def test_the_folder_goes_with_its_process_without_fcntl(tmp_path: Path, cache: Path) -> None:
    write_packed(tmp_path, 1)
    assert run(tmp_path / "0.cdf", "without fcntl") == 0
    assert list(cache.iterdir()) == []
