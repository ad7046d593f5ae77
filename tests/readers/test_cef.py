"""CEF files: the Cluster archive's headers over records written here."""

import gzip
import warnings
from pathlib import Path

import numpy as np
import pytest
import xarray as xr

import xpad
from xpad.errors import ReaderError, XpadWarning
from xpad.readers import open_dataset
from xpad.readers.sources import detect

HEADER = """!---- written by a test ----
FILE_NAME = "a.cef"
FILE_FORMAT_VERSION = "CEF-2.0"
END_OF_RECORD_MARKER = "$"
START_META = Mission
  ENTRY = "Cluster!"
  ENTRY = "two"   ! a comment
END_META = Mission
START_VARIABLE = time_tags
  VALUE_TYPE = ISO_TIME
  FILLVAL = "9999-99-99T99:99:99Z"
  UNITS = "s"
END_VARIABLE = time_tags
START_VARIABLE = flux
  VALUE_TYPE = FLOAT
  SIZES = 3, 2
  FILLVAL = -1e31
  VALIDMIN = 0
  UNITS = "1/(cm^2 s sr keV)"
  LABLAXIS = "j, of protons"
  DEPEND_0 = time_tags
  DEPEND_1 = alpha
  DEPEND_2 = energy
END_VARIABLE = flux
START_VARIABLE = mode
  VALUE_TYPE = INT
  FILLVAL = 99
  DEPEND_0 = time_tags
END_VARIABLE = mode
START_VARIABLE = remark
  VALUE_TYPE = CHAR
  DEPEND_0 = time_tags
END_VARIABLE = remark
START_VARIABLE = alpha
  VALUE_TYPE = FLOAT
  SIZES = 3
  UNITS = "degrees"
  CATDESC = "Pitch angle"
  DATA = 30., \\
         90., 150.
END_VARIABLE = alpha
START_VARIABLE = energy
  VALUE_TYPE = FLOAT
  SIZES = 2
  UNITS = "eV"
  DEPEND_0 = time_tags
END_VARIABLE = energy
DATA_UNTIL = "END_OF_DATA"
"""
ROWS = [
    '2001-02-01T00:00:00.5Z, 1, 2, 3, 4, 5, 6, 7, "a, b", 100, 50 $',
    "2001-02-01T00:00:04Z, -1e31, 2, 3,\n  4, 5, 6, 99, c, 200, 60 $",
    "9999-99-99T99:99:99Z, 1, 2, 3, 4, 5, 6e3, 8, d, 300, 70 $",
]


def text(rows: list[str] = ROWS, header: str = HEADER, end: str = "END_OF_DATA\n") -> str:
    return header + "\n".join(rows) + "\n" + end


@pytest.mark.parametrize("name", ["a.cef", "a.cef.gz"])
def test_read(tmp_path: Path, name: str) -> None:
    path = tmp_path / name
    data = text().encode()
    path.write_bytes(gzip.compress(data) if name.endswith("gz") else data)
    assert detect(str(path)) == "cef"
    ds = open_dataset(path)
    assert ds["flux"].dims == ("time_tags", "alpha", "energy_dim")
    assert ds["flux"].dtype == np.float32
    np.testing.assert_array_equal(ds["flux"][0], [[1, 2], [3, 4], [5, 6]])
    assert ds["flux"].values[1, 0, 0] == np.float32(-1e31)
    assert ds["flux"].attrs["FILLVAL"] == -1e31
    assert ds["flux"].attrs["VALIDMIN"] == 0
    assert ds["flux"].attrs["units"] == "1/(cm^2 s sr keV)"
    assert ds["flux"].attrs["long_name"] == "j, of protons"
    assert ds["time_tags"].values[0] == np.datetime64("2001-02-01T00:00:00.5", "ns")
    assert np.isnat(ds["time_tags"].values[2])
    assert ds["alpha"].values.tolist() == [30, 90, 150]
    assert ds["energy"].values.tolist() == [[100, 50], [200, 60], [300, 70]]
    assert ds["mode"].values.tolist() == [7, 99, 8]
    assert ds["remark"].values.tolist() == ["a, b", "c", "d"]
    assert ds.attrs["Mission"] == ["Cluster!", "two"]
    assert ds.pad.flux.dims == ("time_tags", "energy", "pitch_angle")
    assert xr.open_dataset(path).sizes == ds.sizes
    assert set(open_dataset(path, "flux").data_vars) == {"flux", "mode", "remark"}


def test_records_of_a_line_each_and_files_joined_in_time(tmp_path: Path) -> None:
    header = HEADER.replace('END_OF_RECORD_MARKER = "$"\n', "").replace('"END_OF_DATA"', "EOF")
    row = "2001-02-0{}T00:00:00Z, 1, 2, 3, 4, 5, 6, 7, a, 100, 50"
    for name, day in (("a", 2), ("b", 1)):
        (tmp_path / f"{name}.cef").write_text(text([row.format(day)], header, ""))
    ds = open_dataset(tmp_path / "*.cef")
    assert ds["flux"].shape == (2, 3, 2)
    assert ds.indexes["time_tags"].is_monotonic_increasing


@pytest.mark.parametrize("marked", [True, False])
def test_cut_anywhere_only_whole_records_are_read(tmp_path: Path, marked: bool) -> None:
    rows = [row.replace("\n ", "") for row in ROWS]
    header = HEADER
    if not marked:
        header = HEADER.replace('END_OF_RECORD_MARKER = "$"\n', "")
        rows = [row.rstrip(" $") for row in rows]
    whole, path = text(rows, header), tmp_path / "a.cef"
    path.write_text(whole)
    complete = open_dataset(path, chunks=None)
    counts = []
    last_line = header.index("DATA_UNTIL")
    for length in [*range(99, last_line, 50), *range(len(header), len(whole) - 1, 7)]:
        path.write_text(whole[:length])
        if length < last_line:
            with pytest.raises(ReaderError, match=r"a\.cef is not a well-formed CEF file"):
                open_dataset(path)
            continue
        with pytest.warns(XpadWarning, match=r"a\.cef is truncated: .* line \d+\. The \d records"):
            ds = open_dataset(path, chunks=None)
        counts.append(ds.sizes["time_tags"])
        xr.testing.assert_equal(ds["flux"], complete["flux"][: counts[-1]])
    assert sorted(set(counts)) == [0, 1, 2, 3]


def test_included_headers_lie_beside_the_file(tmp_path: Path) -> None:
    start, rest = HEADER.split("START_VARIABLE = alpha")
    variables, until = rest.rsplit("DATA_UNTIL", 1)
    (tmp_path / "b.ceh").write_text("START_VARIABLE = alpha" + variables)
    header = f'{start}INCLUDE = "b.ceh"\nDATA_UNTIL{until}'
    (tmp_path / "a.cef").write_text(text(header=header))
    assert open_dataset(tmp_path / "a.cef")["alpha"].values.tolist() == [30, 90, 150]
    (tmp_path / "b.ceh").unlink()
    with (
        pytest.warns(XpadWarning, match=r"Not beside it: b\.ceh"),
        pytest.raises(ReaderError, match=r"record 1 has 11 values .* 9\. Not beside it: b\.ceh"),
    ):
        open_dataset(tmp_path / "a.cef")


@pytest.mark.parametrize(
    ("data", "message"),
    [
        (
            text([ROWS[0].replace(" 7,", "")]),
            "record 1 has 10 values where the header announces 11",
        ),
        (text([ROWS[0].replace(" 7,", " x,")]), r"variable 'mode' \(INT\) cannot be read"),
        (text([ROWS[0].replace("2001", "year")]), r"variable 'time_tags' \(ISO_TIME\)"),
        (text().replace("SIZES = 3, 2", "SIZES = a"), "variable 'flux' has no sizes"),
        (text().replace("SIZES = 3\n", "SIZES = 4\n"), "'alpha' has 3 values .* announce 4"),
        (text().replace("= INT", "= QUATERNION"), "'mode' has VALUE_TYPE 'QUATERNION'"),
        (
            text().replace("  ENTRY", "  no entry"),
            "at line 6, a line KEY = value should stand here",
        ),
        (HEADER.split("START_VARIABLE")[0] + 'DATA_UNTIL = "X"\nX\n', "holds no variables"),
    ],
)
def test_what_is_wrong_is_named(tmp_path: Path, data: str, message: str) -> None:
    (tmp_path / "bad.cef").write_text(data)
    with pytest.raises(ReaderError, match=rf"bad\.cef.*{message}") as error:
        open_dataset(tmp_path / "bad.cef")
    assert "\n" not in str(error.value)
    (tmp_path / "good.cef").write_text(text())
    with pytest.warns(XpadWarning, match="1 of 2 files could not be read"):
        assert open_dataset(tmp_path / "*.cef", on_error="skip").sizes["time_tags"] == 3


def test_headers_that_include_each_other_end(tmp_path: Path) -> None:
    (tmp_path / "a.cef").write_text('FILE_FORMAT_VERSION = "CEF-2.0"\nINCLUDE = "a.cef"\n')
    with pytest.raises(ReaderError, match="include each other"):
        open_dataset(tmp_path / "a.cef")


def test_codif_pad(shared_data: Path, tmp_path: Path) -> None:
    """The archive's own header; its records are (16 pitch angles, 31 energies)."""
    name = "C1_CH_CIS-CODIF_PAD_HS_H1_PF.ceh"
    flux = np.random.default_rng(0).gamma(1, 100, (5, 16, 31)).astype("f4")
    flux[0, 0, 0] = -1e31
    rows = [
        f"2003-01-01T00:00:{4 * row:02d}.000Z, 4.0, 8, 20, "
        + ", ".join(f"{value:.9g}" for value in flux[row].ravel())
        for row in range(5)
    ]
    header = (shared_data / "cluster_headers" / name).read_text()
    (tmp_path / name).write_text(header)
    (tmp_path / "C1.cef").write_text(
        f'FILE_NAME="C1.cef"\nFILE_FORMAT_VERSION="CEF-2.0"\nEND_OF_RECORD_MARKER="$"\n'
        f'INCLUDE="{name}"\nDATA_UNTIL="EOF"\n' + "".join(f"{row} $\n" for row in rows) + "EOF\n"
    )
    with pytest.warns(XpadWarning, match="CL_CH_MISSION"):
        ds = open_dataset(tmp_path / "C1.cef")
    found = ds.pad.flux
    assert found.shape == (5, 31, 16)
    np.testing.assert_array_equal(found.values[1], flux[1].T[::-1])
    assert np.isnan(found.values[0, -1, 0])
    assert "guess" not in repr(ds.pad)


def test_peace_header_is_read(shared_data: Path, tmp_path: Path) -> None:
    name = "C1_CH_PEA_PITCH_SPIN_DEFlux_PARA.ceh"
    header = (shared_data / "cluster_headers" / name).read_text(encoding="latin-1")
    (tmp_path / "p.cef").write_text(
        f'FILE_FORMAT_VERSION="CEF-2.0"\n{header}\nDATA_UNTIL=EOF\n', encoding="latin-1"
    )
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", XpadWarning)
        ds = xpad.open_dataset(tmp_path / "p.cef")
    assert ds.sizes["time_tags__C1_CP_PEA_PITCH_SPIN_DEFlux"] == 0
    assert len(ds.variables) == header.count("START_VARIABLE")
