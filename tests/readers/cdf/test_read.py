"""CDF files: one, many, odd and damaged ones."""

import pickle
import re
import struct
import warnings
from pathlib import Path
from typing import Any

import cdflib
import dask
import numpy as np
import pytest
import xarray as xr
import zarr
from cdflib.epochs import CDFepoch
from helpers.cdf import (
    ALPHA,
    CHAR,
    DAY,
    ENERGY,
    EPOCH,
    INT2,
    REAL4,
    REAL8,
    START,
    TT2000,
    File,
    cut,
    write_day,
)
from numpy.typing import NDArray
from packaging.version import Version

from xpad.errors import OptionError, ReaderError, XpadError, XpadWarning
from xpad.readers import open_dataset, times
from xpad.readers.cdf.read import read_cdf


@pytest.fixture(scope="module")
def days(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, NDArray[np.float32]]:
    """Three daily files of different lengths, and their fluxes in the order of time; read only."""
    folder = tmp_path_factory.mktemp("days")
    flux = [write_day(folder / f"day{day}.cdf", day, 6 + day) for day in range(3)]
    return folder, np.concatenate(flux)


def pack_run_lengths(path: Path) -> None:
    """Compress a CDF file as a whole, zeros to their number, which cdflib does not write."""
    plain = path.read_bytes()
    runs = re.sub(b"\0{1,256}", lambda zeros: bytes([0, len(zeros[0]) - 1]), plain[8:])
    ccr = struct.pack(">qiqqi", 32 + len(runs), 10, 8 + 32 + len(runs), len(plain) - 8, 0)
    cpr = struct.pack(">qiiiii", 28, 11, 1, 0, 1, 0)
    path.write_bytes(plain[:4] + b"\xcc\xcc\0\x01" + ccr + runs + cpr)


def no_compute(*args: Any, **kwargs: Any) -> Any:
    raise AssertionError("something was computed")


# Times --------------------------------------------------------------------------------------------


def agree(ours: NDArray, theirs: NDArray) -> bool:
    return bool(np.all((ours == theirs) | (np.isnat(ours) & np.isnat(theirs))))


def test_tt2000_equals_cdflib() -> None:
    rng = np.random.default_rng(0)
    starts, _ = times._leap_seconds()
    near = starts[1:, None] + np.array([-1_500_000_000, -(10**9) - 1, -1, 0, 1, 10**9])
    ticks = np.concatenate(
        [rng.integers(-8 * 10**17, 8 * 10**17, 2000), near.ravel(), [-(2**63), -(2**63) + 1, 0]]
    )
    inside_first_leap_second = (ticks >= starts[1] - 10**9) & (ticks < starts[1])
    ticks = ticks[~inside_first_leap_second]  # cdflib puts this one a second early
    assert agree(times.decode(ticks, "CDF_TIME_TT2000"), CDFepoch.to_datetime(ticks))


def test_tt2000_before_1972_equals_cdflib() -> None:
    ticks = np.array([-1_200_000_000_000_000_000, -900_000_000_000_000_000])
    assert agree(times.decode(ticks, "CDF_TIME_TT2000"), CDFepoch.to_datetime(ticks))


def test_cdf_epoch_equals_cdflib_in_whole_milliseconds() -> None:
    rng = np.random.default_rng(0)
    values = np.floor(rng.uniform(6.0e13, 6.5e13, 500))
    assert agree(times.decode(values, "CDF_EPOCH"), CDFepoch.to_datetime(values))
    values = np.concatenate([values, [-1e31, 0.0, np.nan]])
    assert agree(times.decode(values, "CDF_EPOCH"), CDFepoch.to_datetime(values))


def test_cdf_epoch_keeps_fractions_of_milliseconds() -> None:
    found = times.decode(np.array([62_167_219_200_000.5]), "CDF_EPOCH")
    assert found[0] == np.datetime64("1970-01-01T00:00:00.000500", "ns")


def test_cdf_epoch16_equals_cdflib() -> None:
    rng = np.random.default_rng(0)
    seconds = rng.integers(60_000_000_000, 65_000_000_000, 500)
    values = seconds + 1j * rng.integers(0, 10**12, 500)
    values = np.concatenate([values, [-1e31 - 1e31j]])
    assert agree(times.decode(values, "CDF_EPOCH16"), CDFepoch.to_datetime(values))


def test_times_outside_of_nanoseconds_are_missing() -> None:
    values = np.array([1e13, 9e13, np.inf])  # years 316 and 2852
    assert np.isnat(times.decode(values, "CDF_EPOCH")).all()
    assert times.decode(np.zeros((2, 3)), "UNIX").shape == (2, 3)
    with pytest.raises(ValueError, match="CDF_REAL4"):
        times.decode(values, "CDF_REAL4")


# One file -----------------------------------------------------------------------------------------


def test_structure_of_one_file(tmp_path: Path) -> None:
    flux = write_day(tmp_path / "day.cdf")
    ds = open_dataset(tmp_path / "day.cdf")
    assert ds["FEDU"].dims == ("Epoch", "FEDU_Alpha", "FEDU_Energy")
    assert ds["FEDU"].dtype == np.float32
    np.testing.assert_array_equal(ds["FEDU"], flux)
    np.testing.assert_array_equal(ds["FEDU_Energy"], ENERGY)
    assert ds["dE"].dims == ("FEDU_Energy",)
    assert ds["Position"].dims[0] == "Epoch"
    assert ds["Epoch"].values[1] == np.datetime64("2013-03-01T00:00:11", "ns")
    assert set(ds.coords) == {"Epoch", "FEDU_Alpha", "FEDU_Energy"}
    attrs = ds["FEDU"].attrs
    assert attrs["FILLVAL"] == np.float32(-1e31)
    assert isinstance(attrs["FILLVAL"], np.float32)
    assert attrs["units"] == attrs["UNITS"] == "cm-2 s-1 sr-1 MeV-1"
    assert attrs["long_name"] == "e- flux"
    assert attrs["DEPEND_2"] == "FEDU_Energy"
    assert not {"units", "UNITS", "FILLVAL"} & set(ds["Epoch"].attrs)
    assert ds.attrs["Project"] == "LWS"
    assert ds.attrs["TEXT"] == ["one", "two"]


@pytest.mark.parametrize(
    "settings", [{"Majority": "column_major"}, {"Encoding": 1}, {"Encoding": 5}]
)
def test_majority_and_byte_order(tmp_path: Path, settings: dict[str, Any]) -> None:
    flux = write_day(tmp_path / "day.cdf", **settings)
    ds = open_dataset(tmp_path / "day.cdf")
    np.testing.assert_array_equal(ds["FEDU"], flux)
    assert ds["FEDU"].dtype.isnative


@pytest.mark.parametrize("method", ["gzip", "run lengths", "by variable"])
def test_compressed(tmp_path: Path, method: str) -> None:
    settings = {"gzip": {"Compressed": 6}, "by variable": {"compress": 6}}.get(method, {})
    flux = write_day(tmp_path / "day.cdf", records=50, **settings)
    if method == "run lengths":
        pack_run_lengths(tmp_path / "day.cdf")
    if method == "by variable":
        ds = open_dataset(tmp_path / "day.cdf")
    else:
        with pytest.warns(XpadWarning, match=r"day\.cdf is compressed as a whole") as caught:
            ds = open_dataset(tmp_path / "day.cdf")
        assert len(caught) == 1
        assert caught[0].filename == __file__
    np.testing.assert_array_equal(ds["FEDU"], flux)
    np.testing.assert_array_equal(ds["FEDU"][20:31], flux[20:31])


def test_one_record_with_axes_in_time(tmp_path: Path) -> None:
    """cdf_to_xarray raises on this."""
    file = File(tmp_path / "one.cdf")
    file.add("Epoch", EPOCH, np.array([START]))
    file.add("E", REAL4, ENERGY[None], {"DEPEND_0": "Epoch"})
    file.add("J", REAL4, ENERGY[None] * 2, {"DEPEND_0": "Epoch", "DEPEND_1": "E"})
    file.writer.close()
    ds = open_dataset(tmp_path / "one.cdf")
    assert ds["J"].dims == ds["E"].dims == ("Epoch", "E_dim")
    assert "E" in ds.coords
    np.testing.assert_array_equal(ds["J"], ENERGY[None] * 2)


def test_without_attributes(tmp_path: Path) -> None:
    file = File(tmp_path / "bare.cdf")
    file.add("Epoch", TT2000, np.arange(4) * 10**9)
    file.add("J", REAL8, np.ones((4, 2)))
    file.add("other", INT2, np.ones((7, 2), "i2"))
    file.add("T", REAL8, np.ones((4, 3, 3)))
    file.writer.close()
    ds = open_dataset(tmp_path / "bare.cdf")
    assert ds["J"].dims == ("Epoch", "dim0")
    assert ds["other"].dims == ("record0", "dim0")
    assert len(set(ds["T"].dims)) == 3


def test_text_records_and_labels(tmp_path: Path) -> None:
    file = File(tmp_path / "text.cdf")
    file.add("Epoch", EPOCH, START + np.arange(2.0))
    file.add("mode", CHAR, np.array(["fast", "slow"]), {"DEPEND_0": "Epoch"}, width=4)
    file.add("labels", CHAR, np.array(["Bx", "By", "Bz"]), varying=False, width=2)
    file.add("B", REAL4, np.ones((2, 3), "f4"), {"DEPEND_0": "Epoch", "LABL_PTR_1": "labels"})
    file.add("name", CHAR, np.array("ABC"), varying=False, width=3)
    file.writer.close()
    ds = open_dataset(tmp_path / "text.cdf")
    assert list(ds["mode"].values) == ["fast", "slow"]
    assert ds["mode"].chunks is not None
    assert ds["labels"].dims == ds["B"].dims[1:]
    assert list(ds["labels"].values) == ["Bx", "By", "Bz"]
    assert ds["name"].item() == "ABC"


def test_unwritten_and_odd_variables(tmp_path: Path) -> None:
    """Virtual variables, a DEPEND_n that leads nowhere, one record of a table, axes of two dims."""
    file = File(tmp_path / "odd.cdf")
    file.add("Epoch", EPOCH, START + np.arange(4.0))
    virtual = {"DEPEND_0": "Epoch", "VIRTUAL": "true", "FUNCT": "x"}
    file.add("virtual", REAL4, np.ones((0, 3), "f4"), virtual)
    file.add("table", REAL4, np.ones((1, 3), "f4"))
    file.add("E", REAL4, ENERGY, varying=False)
    file.add("bounds", REAL4, np.ones((2, 3), "f4"), varying=False)
    file.add("J", REAL4, np.ones((4, 3), "f4"), {"DEPEND_0": "Epoch", "DEPEND_1": "nowhere"})
    file.add("K", REAL4, np.ones((4, 3), "f4"), {"DEPEND_0": "Epoch", "DEPEND_1": "bounds"})
    pa = {"DEPEND_0": "Epoch", "DEPEND_1": "pa", "DEPEND_2": "E"}
    file.add("M", REAL4, np.ones((4, 5, 3), "f4"), pa)
    file.add("pa", REAL4, np.ones((4, 5, 3), "f4"), {"DEPEND_0": "Epoch"})
    file.writer.close()
    ds = open_dataset(tmp_path / "odd.cdf")
    assert "virtual" not in ds
    assert ds["table"].shape == (3,)
    assert ds["K"].dims == ("Epoch", "bounds_dim")
    assert ds["bounds"].dims[1] == "bounds_dim"
    assert ds["M"].dims == ds["pa"].dims == ("Epoch", "pa_dim", "E")
    assert "pa" in ds.coords


def test_times_of_themis(tmp_path: Path) -> None:
    """A virtual epoch, and seconds since 1970 as DEPEND_TIME."""
    file = File(tmp_path / "themis.cdf")
    file.add("epoch", EPOCH, np.ones(0), {"VIRTUAL": "true"})
    file.add("seconds", REAL8, np.array([0.5, 1.25]), {"UNITS": "sec"})
    depends = {"DEPEND_0": "epoch", "DEPEND_TIME": "seconds"}
    file.add("J", REAL4, np.ones((2, 3), "f4"), depends)
    file.writer.close()
    ds = open_dataset(tmp_path / "themis.cdf")
    assert ds["J"].dims[0] == "seconds"
    assert ds["seconds"].values[1] == np.datetime64("1970-01-01T00:00:01.25", "ns")


# Laziness -----------------------------------------------------------------------------------------


def test_opening_reads_only_times_and_axes(
    days: tuple[Path, NDArray], reads: list[tuple[str, str, int, int]]
) -> None:
    folder, flux = days
    with dask.config.set(scheduler=no_compute):
        ds = open_dataset(folder / "*.cdf")
        first = ds["FEDU"].isel(Epoch=slice(0, 2))
    assert {name for _, name, _, _ in reads} == {"Epoch", "FEDU_Alpha", "FEDU_Energy", "dE"}
    reads.clear()
    np.testing.assert_array_equal(first, flux[:2])
    assert {name for _, name, _, _ in reads} == {"FEDU"}


def test_without_dask_only_the_records_asked_for_are_read(
    days: tuple[Path, NDArray], reads: list[tuple[str, str, int, int]]
) -> None:
    folder, flux = days
    ds = open_dataset(folder / "*.cdf", chunks=None)
    assert ds["FEDU"].chunks is None
    reads.clear()
    np.testing.assert_array_equal(ds["FEDU"].isel(Epoch=slice(7, 9)), flux[7:9])
    assert reads == [("day1.cdf", "FEDU", 1, 2)]
    reads.clear()
    assert ds["L"].values.size == 21
    ds["L"].load()
    assert len(reads) == 3


def test_a_fault_of_the_interpreter_is_not_one_of_the_file(
    days: tuple[Path, NDArray], monkeypatch: pytest.MonkeyPatch
) -> None:
    """CPython's parser, which NumPy asks for a dtype, fails now and then in threads (gh-106905)."""
    folder, flux = days
    original, failed = cdflib.CDF.varget, set()

    def failing(self: Any, variable: str, *given: Any, **records: Any) -> Any:
        if (self.file, variable) not in failed:
            failed.add((self.file, variable))
            raise SystemError("AST constructor recursion depth mismatch (before=111, after=108)")
        return original(self, variable, *given, **records)

    monkeypatch.setattr(cdflib.CDF, "varget", failing)
    ds = open_dataset(folder / "*.cdf")
    np.testing.assert_array_equal(ds["FEDU"], flux)
    assert {name for _, name in failed} >= {"FEDU", "Epoch"}


@pytest.mark.parametrize(
    "fault", [DeprecationWarning("old"), MemoryError("full"), SystemError("lost count")]
)
def test_what_is_no_fault_of_the_file_is_not_told_as_one(
    days: tuple[Path, NDArray], monkeypatch: pytest.MonkeyPatch, fault: Exception
) -> None:
    folder, _ = days
    ds = open_dataset(folder / "day1.cdf")

    def failing(*args: Any, **records: Any) -> Any:
        raise fault

    monkeypatch.setattr(cdflib.CDF, "varget", failing)
    with pytest.raises(type(fault), match=str(fault)) as error:
        ds["FEDU"].compute()
    assert any("day1.cdf: variable 'FEDU'" in note for note in error.value.__notes__)
    with pytest.raises(type(fault), match=str(fault)) as error:
        open_dataset(folder / "*.cdf", on_error="skip")
    assert any("day0.cdf" in note for note in error.value.__notes__)


def test_a_bug_of_ours_is_not_told_as_damage(
    days: tuple[Path, NDArray], monkeypatch: pytest.MonkeyPatch
) -> None:
    folder, _ = days

    def buggy(*args: Any) -> Any:
        raise ValueError("a bug")

    monkeypatch.setattr(times, "decode", buggy)
    with pytest.raises(ValueError, match=r"^a bug$"):
        open_dataset(folder / "*.cdf", on_error="skip")


@pytest.mark.parametrize(
    "key",
    [
        slice(None),
        slice(4, 15),
        slice(1, 20, 4),
        slice(None, None, -1),
        slice(18, 2, -3),
        slice(5, 5),
        3,
        -1,
        [0, 13, 6, 6],
        np.arange(21) % 3 == 0,
    ],
)
@pytest.mark.parametrize("chunks", ["auto", None, {"Epoch": 4, "FEDU_Energy": 2}, 5])
def test_any_selection(days: tuple[Path, NDArray], key: Any, chunks: Any) -> None:
    folder, flux = days
    ds = open_dataset(folder / "*.cdf", "FEDU", chunks=chunks)
    found = ds["FEDU"].isel(Epoch=key, FEDU_Alpha=slice(1, 4))
    np.testing.assert_array_equal(found, flux[key][..., 1:4, :])


def test_chunks(days: tuple[Path, NDArray], monkeypatch: pytest.MonkeyPatch) -> None:
    folder, flux = days
    assert open_dataset(folder / "*.cdf")["FEDU"].chunks[0] == (21,)
    assert open_dataset(folder / "*.cdf", chunks={"Epoch": 10})["FEDU"].chunks[0] == (10, 10, 1)
    monkeypatch.setattr("xpad.compute.chunks.SMALLEST_CHUNK", 1)
    ds = open_dataset(folder / "*.cdf")
    assert ds["FEDU"].chunks[0] == ds["L"].chunks[0] == (8, 8, 5)
    np.testing.assert_array_equal(ds["FEDU"], flux)
    monkeypatch.setattr("xpad.compute.chunks.LARGEST_CHUNK", 3 * flux[0].nbytes)
    assert max(open_dataset(folder / "*.cdf")["FEDU"].chunks[0]) <= 3
    with pytest.raises(OptionError, match="chunks='big'"):
        open_dataset(folder / "*.cdf", chunks="big")


def test_dask_arrays_travel_to_other_processes(days: tuple[Path, NDArray]) -> None:
    folder, flux = days
    ds = pickle.loads(pickle.dumps(open_dataset(folder / "*.cdf", "FEDU", chunks={"Epoch": 7})))
    with dask.config.set(scheduler="processes", num_workers=2):
        np.testing.assert_array_equal(ds["FEDU"], flux)


def test_names_of_dask_arrays_follow_the_content(tmp_path: Path) -> None:
    write_day(tmp_path / "day.cdf")
    one = open_dataset(tmp_path / "day.cdf")["FEDU"].data.name
    assert one == open_dataset(tmp_path / "day.cdf")["FEDU"].data.name
    assert "FEDU" in one
    write_day(tmp_path / "day.cdf", 9)
    assert one != open_dataset(tmp_path / "day.cdf")["FEDU"].data.name


# Choice of variables ------------------------------------------------------------------------------


def test_variable_keeps_axes_and_positions(days: tuple[Path, NDArray]) -> None:
    folder, _ = days
    ds = open_dataset(folder / "*.cdf", "FEDU")
    assert set(ds.variables) == {
        *("FEDU", "Epoch", "FEDU_Alpha", "FEDU_Energy", "dE", "L", "MLT", "Position")
    }
    assert "FESA" in open_dataset(folder / "*.cdf", ["FEDU", "FESA"])


def test_unknown_variable_names_what_there_is(days: tuple[Path, NDArray]) -> None:
    folder, _ = days
    with pytest.raises(ReaderError, match=r"'FEDO'.*did you mean 'FEDU'"):
        open_dataset(folder / "*.cdf", "FEDO")


# Many files ---------------------------------------------------------------------------------------


def test_files_come_in_the_order_of_their_times(tmp_path: Path) -> None:
    late, early = write_day(tmp_path / "a.cdf", 5), write_day(tmp_path / "b.cdf", 1)
    ds = open_dataset([tmp_path / "a.cdf", tmp_path / "b.cdf"])
    np.testing.assert_array_equal(ds["FEDU"], np.concatenate([early, late]))
    assert ds.indexes["Epoch"].is_monotonic_increasing
    assert ds.encoding["source"] == [str(tmp_path / "b.cdf"), str(tmp_path / "a.cdf")]


def test_energies_that_differ_between_files_vary_in_time(tmp_path: Path) -> None:
    write_day(tmp_path / "a.cdf", 0, 2)
    flux = write_day(tmp_path / "b.cdf", 1, 3, energy=ENERGY * 2)
    ds = open_dataset(tmp_path / "*.cdf")
    assert ds["FEDU"].dims == ("Epoch", "FEDU_Alpha", "FEDU_Energy_dim")
    assert ds["FEDU_Energy"].dims == ("Epoch", "FEDU_Energy_dim")
    assert "FEDU_Energy" in ds.coords
    assert "FEDU_Energy_dim" not in ds.coords
    assert ds["dE"].dims == ("Epoch", "FEDU_Energy_dim")
    expected = np.array([ENERGY, ENERGY, ENERGY * 2, ENERGY * 2, ENERGY * 2])
    np.testing.assert_array_equal(ds["FEDU_Energy"], expected)
    np.testing.assert_array_equal(ds["FEDU"][2:], flux)
    np.testing.assert_array_equal(ds["FEDU_Alpha"], ALPHA)


def test_axis_of_another_length_is_refused(tmp_path: Path) -> None:
    write_day(tmp_path / "a.cdf", 0)
    write_day(tmp_path / "b.cdf", 1, energy=np.append(ENERGY, 9.0).astype("f4"))
    with pytest.raises(ReaderError, match=r"b\.cdf: variable 'FEDU_Energy'.*\(4,\) and not \(3,\)"):
        open_dataset(tmp_path / "*.cdf")


def test_shared_axis_that_differs_between_files_with_two_epochs(tmp_path: Path) -> None:
    for number, alpha in enumerate([ALPHA, ALPHA + 1]):
        file = File(tmp_path / f"{number}.cdf")
        file.add("alpha", REAL4, alpha, varying=False)
        for species, records in (("e", 2), ("p", 3)):
            times_ = START + number * DAY + np.arange(records)
            file.add(f"Epoch_{species}", EPOCH, times_)
            attrs = {"DEPEND_0": f"Epoch_{species}", "DEPEND_1": "alpha"}
            file.add(f"J_{species}", REAL4, np.ones((records, 5), "f4"), attrs)
        file.writer.close()
    ds = open_dataset(tmp_path / "*.cdf")
    assert ds["J_e"].dims == ("Epoch_e", "alpha_dim")
    assert ds["J_p"].dims == ("Epoch_p", "alpha_dim")
    assert ds["alpha"].dims == ("Epoch_e", "alpha_dim")
    assert ds["J_p"].attrs["DEPEND_1"] == "alpha_Epoch_p"
    np.testing.assert_array_equal(ds["alpha_Epoch_p"][3:], np.tile(ALPHA + 1, (3, 1)))


def test_variable_that_a_file_lacks(tmp_path: Path) -> None:
    write_day(tmp_path / "a.cdf", 0)
    write_day(tmp_path / "b.cdf", 1, extra=False)
    with pytest.warns(XpadWarning, match=r"'MLT' is missing in .*b\.cdf") as caught:
        ds = open_dataset(tmp_path / "*.cdf")
    assert caught[0].filename == __file__
    assert "MLT" not in ds
    assert "L" in ds
    with pytest.raises(ReaderError, match=r"b\.cdf: variable 'MLT' is missing"):
        open_dataset(tmp_path / "*.cdf", "MLT")


def test_empty_day_among_others(tmp_path: Path) -> None:
    write_day(tmp_path / "a.cdf", 0, 0)
    flux = write_day(tmp_path / "b.cdf", 1)
    ds = open_dataset(tmp_path / "*.cdf")
    np.testing.assert_array_equal(ds["FEDU"], flux)
    assert open_dataset(tmp_path / "a.cdf").sizes["Epoch"] == 0


@pytest.mark.parametrize("method", ["fit", "cluster", "check"])
@pytest.mark.parametrize("varying", [False, True])
def test_a_master_file_holds_no_records(tmp_path: Path, method: str, varying: bool) -> None:
    file = File(tmp_path / "master.cdf")
    file.add("Epoch", EPOCH, np.empty(0))
    alpha = np.empty((0, 5), "f4") if varying else ALPHA
    names = {"UNITS": "deg", "CATDESC": "pitch angle"}
    names |= {"DEPEND_0": "Epoch"} if varying else {}
    file.add("pitch_angle", REAL4, alpha, names, varying=varying)
    axes = {"DEPEND_0": "Epoch", "DEPEND_1": "pitch_angle", "UNITS": "1/(cm^2 s sr keV)"}
    file.add("flux", REAL4, np.empty((0, 5), "f4"), axes)
    file.writer.close()
    ds = open_dataset(tmp_path / "master.cdf")
    with pytest.raises(XpadError, match=r"no (usable )?record"):
        getattr(ds.pad, method)()


@pytest.mark.parametrize(
    ("epoch", "remark"),
    [
        (START + np.array([2.0, 1.0, 3.0]), "not in ascending order"),
        (START + np.array([1.0, 1.0, 3.0]), "1 duplicate"),
        (np.array([START, -1e31, START + 1]), "1 missing"),
    ],
)
def test_unusual_times_are_said_once_and_kept(tmp_path: Path, epoch: NDArray, remark: str) -> None:
    flux = write_day(tmp_path / "a.cdf", records=3, epoch=epoch)
    with pytest.warns(XpadWarning, match=remark) as caught:
        ds = open_dataset(tmp_path / "a.cdf")
    assert len(caught) == 1
    assert caught[0].filename == __file__
    np.testing.assert_array_equal(ds["FEDU"], flux)


# Damage -------------------------------------------------------------------------------------------


@pytest.mark.parametrize("keep", [0.0, 0.001, 0.02, 0.1, 0.5, 0.9, 0.99])
@pytest.mark.parametrize("settings", [{}, {"Compressed": 6}], ids=["plain", "compressed"])
def test_truncated_file_is_named(tmp_path: Path, keep: float, settings: dict[str, Any]) -> None:
    write_day(tmp_path / "good.cdf", records=200)
    write_day(tmp_path / "short.cdf", 1, records=200, **settings)
    cut(tmp_path / "short.cdf", keep)
    with pytest.raises(ReaderError, match=r"short\.cdf"):
        open_dataset(tmp_path / "*.cdf")
    with pytest.warns(XpadWarning, match=r"1 of 2 files.*short\.cdf"):
        ds = open_dataset(tmp_path / "*.cdf", on_error="skip")
    assert ds.attrs["xpad_skipped"] == [str(tmp_path / "short.cdf")]
    assert ds.sizes["Epoch"] == 200


def test_every_file_unreadable(tmp_path: Path) -> None:
    for name in ("a.cdf", "b.cdf"):
        write_day(tmp_path / name)
        cut(tmp_path / name, 0.5)  # beside others, a part of a file is none
    with pytest.raises(ReaderError, match=r"a\.cdf"):
        open_dataset(tmp_path / "*.cdf", on_error="skip")


def test_web_page_instead_of_a_file(tmp_path: Path) -> None:
    (tmp_path / "a.cdf").write_text("<html>not found</html>")
    with pytest.raises(ReaderError, match=r"a\.cdf is not the cdf file.*<html>"):
        open_dataset(tmp_path / "a.cdf")


def test_file_that_is_cut_or_removed_after_opening(tmp_path: Path) -> None:
    write_day(tmp_path / "a.cdf", records=200)
    ds = open_dataset(tmp_path / "a.cdf")
    cut(tmp_path / "a.cdf", 0.7)
    with pytest.raises(ReaderError, match=r"a\.cdf is truncated"):
        ds["FEDU"].compute()
    (tmp_path / "a.cdf").unlink()
    with pytest.raises(ReaderError, match=r"a\.cdf does not exist"):
        ds["FEDU"].compute()


def test_damaged_records_name_file_and_variable(tmp_path: Path) -> None:
    write_day(tmp_path / "a.cdf", records=500, compress=6)
    data = bytearray((tmp_path / "a.cdf").read_bytes())
    start = data.index(b"\x1f\x8b\x08") + 30  # in the middle of the first compressed block
    data[start : start + 400] = bytes(400)
    (tmp_path / "a.cdf").write_bytes(data)
    ds = open_dataset(tmp_path / "a.cdf")
    with pytest.raises(ReaderError, match=r"a\.cdf: variable 'FEDU' cannot be read"):
        ds["FEDU"].compute()


# Writing ------------------------------------------------------------------------------------------


def assert_written_and_read_back(ds: xr.Dataset, folder: Path) -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        ds.to_zarr(folder / "out.zarr", consolidated=False)
        ds.to_netcdf(folder / "out.nc", engine="h5netcdf")
        zarr = xr.open_zarr(folder / "out.zarr", consolidated=False).load()
        netcdf = xr.load_dataset(folder / "out.nc", engine="h5netcdf")
    expected = ds.load()
    for back in (zarr, netcdf):
        xr.testing.assert_equal(back, expected)
        for name in expected.variables:
            assert set(expected[name].attrs) == set(back[name].attrs), name
            for key in ("UNITS", "DEPEND_0", "FILLVAL"):
                assert back[name].attrs.get(key) == expected[name].attrs.get(key), (name, key)


@pytest.mark.parametrize("chunks", ["auto", None])
@pytest.mark.parametrize("pattern", ["mms_fpi/*.cdf", "rbsp_hope/*.cdf", "no_pitch_angle/*.cdf"])
def test_real_files_are_written_as_they_are(
    shared_data: Path, tmp_path: Path, pattern: str, chunks: Any
) -> None:
    ds = open_dataset(shared_data / pattern, chunks=chunks)
    assert_written_and_read_back(ds, tmp_path)


def test_files_of_different_lengths_are_written_as_they_are(
    days: tuple[Path, NDArray], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("xpad.compute.chunks.SMALLEST_CHUNK", 1)
    ds = open_dataset(days[0] / "*.cdf")
    assert len(ds["FEDU"].chunks[0]) == 3
    assert_written_and_read_back(ds, tmp_path)


@pytest.mark.skipif(
    Version(xr.__version__) < Version("2026.7") or Version(zarr.__version__) < Version("3.1.6"),
    reason="older xarray writes no StringDType to netCDF, older zarr warns of text of fixed width",
)
def test_text_is_written_as_it_is(tmp_path: Path) -> None:
    file = File(tmp_path / "text.cdf")
    file.add("Epoch", EPOCH, START + np.arange(2.0))
    file.add("mode", CHAR, np.array(["fast", "slow"]), {"DEPEND_0": "Epoch"}, width=4)
    file.writer.close()
    assert_written_and_read_back(open_dataset(tmp_path / "text.cdf"), tmp_path)


# Real files ---------------------------------------------------------------------------------------


def test_mms(shared_data: Path) -> None:
    ds = open_dataset(shared_data / "mms_fpi" / "*.cdf")
    assert ds.sizes["Epoch"] == 6400
    assert ds["mms1_des_pitchangdist_lowen_fast"].dims == ("Epoch", "mms1_des_alpha_fast")
    assert ds["mms1_des_energy_fast"].dims == ("Epoch", "mms1_des_energy_fast_dim")
    np.testing.assert_array_equal(ds["mms1_des_alpha_fast"], np.arange(3.0, 180.0, 6.0))
    assert ds["mms1_des_alpha_delta_fast"].dims == ("mms1_des_alpha_fast",)
    first = sorted((shared_data / "mms_fpi").glob("*.cdf"))[0]
    cdf = cdflib.CDF(first)
    name = "mms1_des_prestensor_dbcs_fast"
    np.testing.assert_array_equal(ds[name][:1600], cdf.varget(name))
    assert agree(ds["Epoch"].values[:1600], CDFepoch.to_datetime(cdf.varget("Epoch")))


def test_hope_keeps_both_epochs(shared_data: Path) -> None:
    ds = open_dataset(shared_data / "rbsp_hope" / "*.cdf")
    assert ds["FEDU"].dims == ("Epoch_Ele", "PITCH_ANGLE", "HOPE_ENERGY_Ele_dim")
    assert ds["FPDU"].dims == ("Epoch_Ion", "PITCH_ANGLE", "HOPE_ENERGY_Ion_dim")
    assert ds["HOPE_ENERGY_Ele"].dims == ("Epoch_Ele", "HOPE_ENERGY_Ele_dim")
    (path,) = (shared_data / "rbsp_hope").glob("*.cdf")
    cdf = cdflib.CDF(path)
    np.testing.assert_array_equal(ds["FEDU"], cdf.varget("FEDU"))
    assert agree(ds["Epoch_Ion"].values, CDFepoch.to_datetime(cdf.varget("Epoch_Ion")))
    only = open_dataset(path, "FEDU")
    assert set(only.dims) == {"Epoch_Ele", "PITCH_ANGLE", "HOPE_ENERGY_Ele_dim", "dim2"}
    assert "Position_Ele" in only
    assert not {"FEDO", "Counts_E", "Position_Ion"} & set(only)


def test_same_as_cdf_to_xarray(shared_data: Path) -> None:
    from cdflib.xarray import cdf_to_xarray

    (path,) = (shared_data / "rbsp_hope").glob("*.cdf")
    theirs, ours = cdf_to_xarray(str(path)), open_dataset(path)
    for name in ("FEDU", "FPDU", "HOPE_ENERGY_Ele", "ENERGY_Ele_DELTA", "Epoch_Ele", "PITCH_ANGLE"):
        assert ours[name].dims == theirs[name].dims
        np.testing.assert_array_equal(ours[name].values, theirs[name].values)


def test_template_is_a_typical_file(tmp_path: Path) -> None:
    """A first file of one record says nothing about which variables vary."""
    write_day(tmp_path / "a.cdf", 0, 1)
    write_day(tmp_path / "b.cdf", 1, 5)
    ds = read_cdf([str(tmp_path / "a.cdf"), str(tmp_path / "b.cdf")])
    assert ds.sizes["Epoch"] == 6
