"""das2 streams: Juno's files, each encoding, and malformed ones."""

import warnings
import zlib
from pathlib import Path

import dask
import numpy as np
import pytest
import xarray as xr

from xpad.errors import ReaderError, XpadWarning
from xpad.readers import open_dataset

TITLE = "JED900THXL06 {species} ({low},{high}) keV ...!CAngle Spectrogram configuration"


def header(tag: str, xml: str) -> bytes:
    body = xml.encode()
    return f"[{tag}]{len(body):06d}".encode() + body


def stream_header(species: str = "O", band: tuple[float, float] = (379.75, 592.3)) -> bytes:
    title = TITLE.format(species=species, low=band[0], high=band[1])
    return header(
        "00",
        f'<stream><properties DEPEND_1="Pitch Angle[3] (deg)" FILL_VALUE="-1.0E31" NAME="Intensity"'
        f' LABEL="{species}!CIntensity" TITLE="{title}" UNITS="1/s"/></stream>',
    )


def packet_header(
    x: str = 'type="time24" units="us2000"',
    encoding: str = "ascii10",
    tags: str = 'yTags="3.0, 90.0, 177.0"',
) -> bytes:
    return header(
        "01",
        f'<packet><x {x}/><yscan nitems="3" type="{encoding}" {tags} yUnits="deg" zUnits="1/s"/>'
        f"</packet>",
    )


def text_rows(first: int = 0, count: int = 2) -> bytes:
    rows = [
        f":01:2017-10-{17 + first + row:02d}T21:02:07.800 {1.5 + row:+9.2E} {-1e38:+9.2E} "
        f"{0.0:+9.2E}\n"
        for row in range(count)
    ]
    return "".join(rows).encode()


@pytest.fixture
def good(tmp_path: Path) -> Path:
    path = tmp_path / "good.d2s"
    path.write_bytes(stream_header() + b"\n" + packet_header() + b"\n" + text_rows())
    return path


def test_text_stream(good: Path) -> None:
    with dask.config.set(scheduler=lambda *args, **kwargs: pytest.fail("computed")):
        ds = open_dataset(good)
    flux = ds["Intensity"]
    assert flux.dims == ("time", "pitch_angle")
    np.testing.assert_array_equal(flux, [[1.5, -1e38, 0.0], [2.5, -1e38, 0.0]])
    assert ds["time"].values[0] == np.datetime64("2017-10-17T21:02:07.800", "ns")
    np.testing.assert_array_equal(ds["pitch_angle"], [3.0, 90.0, 177.0])
    assert ds["pitch_angle"].attrs["units"] == "deg"
    assert flux.attrs["FILLVAL"] == -1e31
    assert flux.attrs["UNITS"] == flux.attrs["units"] == "1/s"
    assert flux.attrs["species"] == "O"
    assert flux.attrs["long_name"] == "O Intensity"
    assert list(flux.attrs["energy_bounds"]) == [379.75, 592.3]
    assert ds["energy"].item() == pytest.approx(np.sqrt(379.75 * 592.3))
    assert ds["energy"].attrs["units"] == "keV"


@pytest.mark.parametrize(
    ("encoding", "dtype"),
    [
        ("little_endian_real4", "<f4"),
        ("little_endian_real8", "<f8"),
        ("sun_real4", ">f4"),
        ("sun_real8", ">f8"),
        ("float", ">f4"),
        ("little_endian_int4", "<i4"),
        ("big_endian_uint2", ">u2"),
    ],
)
def test_binary_encodings(tmp_path: Path, encoding: str, dtype: str) -> None:
    values = np.array([[1, 2, 3], [4, 5, 58]], dtype=dtype)  # 58 is ":"
    x = np.array([0.0, 86400.25], dtype=">f8")
    rows = b"".join(
        b":01:" + x[row : row + 1].tobytes() + values[row].tobytes() for row in range(2)
    )
    head = packet_header('type="sun_real8" units="t2000"', encoding)
    (tmp_path / "a.d2s").write_bytes(stream_header() + head + rows)
    ds = open_dataset(tmp_path / "a.d2s")
    np.testing.assert_array_equal(ds["Intensity"], values)
    assert ds["Intensity"].dtype == np.dtype(dtype).newbyteorder("=")
    assert ds["time"].values[1] == np.datetime64("2000-01-02T00:00:00.25", "ns")


@pytest.mark.parametrize(
    ("x", "value", "time"),
    [
        ('type="sun_real8" units="us2000"', 1_000_001.0, "2000-01-01T00:00:01.000001"),
        ('type="sun_real8" units="us1980"', 5e5, "1980-01-01T00:00:00.5"),
        ('type="sun_real8" units="t1970"', -0.25, "1969-12-31T23:59:59.75"),
        ('type="sun_real8" units="mj1958"', 1.5, "1958-01-02T12:00:00"),
        ('type="sun_real8" units="mjd"', 51544.0, "2000-01-01T00:00:00"),
        ('type="sun_real8" units="cdfEpoch"', 62_167_219_200_000.0, "1970-01-01T00:00:00"),
        ('type="sun_real8" units="hr" base="2013-060T00:00:00"', 1.5, "2013-03-01T01:30:00"),
        ('type="sun_real8" units="hr" base="2013-060T00:00:00.25"', 1, "2013-03-01T01:00:00.25"),
        ('type="big_endian_int8" units="tt2000"', 64_184_000_000, "2000-01-01T12:00:00"),
    ],
)
def test_kinds_of_time(tmp_path: Path, x: str, value: float, time: str) -> None:
    number = np.array(value, dtype=">i8" if "int8" in x else ">f8").tobytes()
    row = b":01:" + number + np.zeros(3, "<f4").tobytes()
    head = packet_header(x, "little_endian_real4")
    (tmp_path / "a.d2s").write_bytes(stream_header() + head + row)
    found = open_dataset(tmp_path / "a.d2s")["time"].values
    assert found[0] == np.datetime64(time, "ns")


def test_day_of_the_year_comments_and_a_last_line_without_its_end(tmp_path: Path) -> None:
    head = packet_header('type="time22" units="us2000"')
    row = b":01:2013-060T01:00:00.000 +1.00E+00 +2.00E+00 +3.00E+00"
    comment = header("xx", '<comment type="log:info" value="x" source=""/>')
    (tmp_path / "a.d2s").write_bytes(stream_header() + head + comment + row + b"\n" + row)
    ds = open_dataset(tmp_path / "a.d2s")
    assert (ds["time"].values == np.datetime64("2013-03-01T01:00:00", "ns")).all()
    np.testing.assert_array_equal(ds["Intensity"][1], [1.0, 2.0, 3.0])


def test_compressed_stream_and_tags_by_interval(tmp_path: Path) -> None:
    start = header("00", '<stream compression="deflate"><properties NAME="j"/></stream>')
    rest = packet_header(tags='yTagInterval="10" yTagMin="5"') + text_rows()
    (tmp_path / "a.d2s").write_bytes(start + zlib.compress(rest))
    ds = open_dataset(tmp_path / "a.d2s")
    np.testing.assert_array_equal(ds["y"], [5.0, 15.0, 25.0])  # degrees, of what is not said


def test_several_planes_and_kinds_of_packets(tmp_path: Path) -> None:
    first = header(
        "01",
        '<packet><x type="time24" units="us2000"/><y type="ascii10" name="L" units=""/>'
        '<y type="ascii10" name="MLT" units="hr"/></packet>',
    )
    second = header(
        "02",
        '<packet><x type="sun_real4" units="degrees" name="lon"/>'
        '<yscan nitems="2" type="sun_real4" name="wave" yUnits="Hz" zUnits="V"/></packet>',
    )
    row = b":01:2017-10-17T21:02:07.800 +4.00E+00 +6.00E+00\n"
    other = b":02:" + np.array([1, 2, 3], ">f4").tobytes()
    (tmp_path / "a.d2s").write_bytes(header("00", "<stream/>") + first + second + row + other + row)
    ds = open_dataset(tmp_path / "a.d2s")
    assert ds["L"].dims == ("time",)
    assert ds["MLT"].attrs["units"] == "hr"
    assert ds["wave"].dims == ("lon", "y")
    np.testing.assert_array_equal(ds["wave"], [[2.0, 3.0]])


def test_same_quantity_is_joined_in_time(tmp_path: Path) -> None:
    for name, first in (("a", 5), ("b", 0)):
        data = stream_header() + packet_header() + text_rows(first)
        (tmp_path / f"{name}.d2s").write_bytes(data)
    ds = open_dataset(tmp_path / "*.d2s")
    assert list(ds.data_vars) == ["Intensity"]
    assert ds.sizes["time"] == 4
    assert ds.indexes["time"].is_monotonic_increasing


def test_species_and_bands_become_variables(tmp_path: Path) -> None:
    for name, species, band in (("a", "O", (1, 2)), ("b", "O", (2, 3)), ("c", "He++", (1, 2))):
        data = stream_header(species, band) + packet_header() + text_rows()
        (tmp_path / f"{name}.d2s").write_bytes(data)
    (tmp_path / "d.d2s").write_bytes(stream_header("S") + packet_header() + text_rows(9))
    ds = open_dataset(tmp_path / "*.d2s")
    assert set(ds.data_vars) == {
        "Intensity_O_1_2keV",
        "Intensity_O_2_3keV",
        "Intensity_Hepp",
        "Intensity_S",
    }
    assert ds["Intensity_S"].dims == ("time_S", "pitch_angle")
    assert ds["energy_Hepp"].item() == pytest.approx(np.sqrt(2))
    assert list(open_dataset(tmp_path / "*.d2s", "Intensity_S")) == ["Intensity_S"]
    with pytest.raises(ReaderError, match="no variable 'x'"):
        open_dataset(tmp_path / "*.d2s", "x")


@pytest.mark.parametrize(
    ("data", "message"),
    [
        (stream_header()[:60], r"truncated: it ends within a header \(50 of \d+ bytes\)"),
        (b"[00]00x123", "byte 0, a header should read"),
        (header("00", "<stream>"), "byte 0, the header is no XML"),
        (stream_header(), "holds no data packets"),
        (stream_header() + b":01:x", r"byte \d+, data packet b'01' before its header"),
        (stream_header() + b"garbage", r"byte \d+, a packet should start here, not b'garbage'"),
        (
            stream_header() + packet_header() + text_rows()[:57],  # of one, but for its line's end
            r"truncated: it ends within a data packet \(53 of 54 bytes\), and holds no whole",
        ),
        (stream_header() + packet_header(encoding="ascii"), "type 'ascii' is none of"),
        (stream_header() + packet_header(encoding="ascii0"), "type 'ascii0' is none of"),
        (stream_header() + packet_header(tags='yTags="1,x,3"') + text_rows(), "no numbers"),
        (
            stream_header() + packet_header() + text_rows().replace(b"E+00", b"E+xx"),
            "data packet 1",
        ),
        (stream_header() + packet_header() + text_rows().replace(b"2017", b"year"), "ISO 8601"),
        (
            stream_header() + packet_header() + text_rows().replace(b"07.800", b"07+02 "),
            "is no ISO 8601 of UTC",
        ),
        (
            stream_header()
            + packet_header(x='type="sun_real8" units="hr" base="9999-01-01"')
            + b":01:"
            + bytes(8)
            + b"+1.00E+00 " * 3,
            "count from base='9999-01-01', which is out of range",
        ),
        (
            stream_header() + packet_header(tags='yTags="1"') + text_rows(),
            "nitems=3 but 1 values",
        ),
        (stream_header() + header("xx", '<exception type="E" message="no"/>'), "E: no"),
        (b"|Hs||12|<stream/>", "version 2.3"),
    ],
)
def test_malformed_stream_is_named(tmp_path: Path, data: bytes, message: str) -> None:
    (tmp_path / "bad.d2s").write_bytes(data)
    with pytest.raises(ReaderError, match=r"bad\.d2s.*" + message):
        open_dataset(tmp_path / "bad.d2s")


TYPED = header(
    "00",
    '<stream version="2.2"><properties String:title="a sounder" double:zFill="0.0" '
    'Datum:xTagWidth="16 s" yLabel="Frequency (s!U-1!N)" DatumRange:zRange="1 to 4 V"/></stream>',
)


def typed_packet(encoding: str, own: str = "") -> bytes:
    return header(
        "01",
        '<packet><x type="little_endian_real8" units="us2000"></x>\n'
        f'<yscan name="e" nitems="3" type="{encoding}" yTags="10, 20,\n 40" yUnits="Hz" '
        f'zUnits="V/m">{own}</yscan></packet>',
    )


def binary_rows(dtype: str, count: int = 3) -> bytes:
    return b"".join(
        b":01:" + np.array([row * 1e6], "<f8").tobytes() + np.array([row, 0, 2], dtype).tobytes()
        for row in range(count)
    )


@pytest.mark.parametrize(
    ("encoding", "dtype"),
    [
        ("little_endian_real4", "<f4"),
        ("big_endian_real4", ">f4"),
        ("big_endian_real8", ">f8"),
        ("sun_real8", ">f8"),
    ],
)
def test_other_makers_properties_have_types_and_lengths_blanks(
    tmp_path: Path, encoding: str, dtype: str
) -> None:
    own = (
        '<properties double:fill="2.000" double:zValidMin="-5 V/m" double:zValidMax="1e3"'
        ' zLabel="E (V m!U-1!N)"/>'
    )
    body = b'<comment type="taskProgress" value="32" source="x" />'
    comment = b"[xx]" + f"{len(body):6d}".encode() + body
    rows = binary_rows(dtype)
    data = TYPED + b"\n" + comment + typed_packet(encoding, own) + rows[:20] + rows[20:] + comment
    (tmp_path / "a.d2s").write_bytes(data)
    ds = open_dataset(tmp_path / "a.d2s")
    assert ds["e"].dims == ("time", "frequency")
    np.testing.assert_array_equal(ds["e"], [[0, 0, 2], [1, 0, 2], [2, 0, 2]])
    assert ds["e"].attrs["FILLVAL"] == 2.0  # of the plane, before that of the stream
    assert (ds["e"].attrs["VALIDMIN"], ds["e"].attrs["VALIDMAX"]) == (-5.0, 1000.0)
    assert (ds["e"].attrs["title"], ds["e"].attrs["long_name"]) == ("a sounder", "E (V m -1 )")
    assert (ds["e"].attrs["zRange"], ds["e"].attrs["units"]) == ("1 to 4 V", "V/m")
    assert ds["frequency"].attrs["long_name"] == "Frequency (s -1 )"
    assert ds["time"].values[2] == np.datetime64("2000-01-01T00:00:02", "ns")


def test_fill_of_the_stream_counts_where_the_plane_has_none(tmp_path: Path) -> None:
    (tmp_path / "a.d2s").write_bytes(TYPED + typed_packet("sun_real4") + binary_rows(">f4"))
    assert open_dataset(tmp_path / "a.d2s")["e"].attrs["FILLVAL"] == 0.0


def test_a_joined_quantity_has_one_fill(tmp_path: Path) -> None:
    for name, fill in (("a", "2"), ("b", "7")):
        own = f'<properties double:zFill="{fill}"/>'
        rows = binary_rows("<f4").replace(*(np.array([v], "<f4").tobytes() for v in (2, int(fill))))
        (tmp_path / f"{name}.d2s").write_bytes(
            TYPED + typed_packet("little_endian_real4", own) + rows
        )
    ds = open_dataset(tmp_path / "*.d2s")
    assert ds["e"].attrs["FILLVAL"] == 2.0
    assert ds["e"].values[:, 2].tolist() == [2.0] * 6


def test_what_is_not_the_same_quantity_is_not_joined(tmp_path: Path) -> None:
    data = header("00", "<stream/>")
    for tag, x, units in (("01", 'units="t2000"', "V"), ("02", 'name="lon" units="deg"', "V")):
        plane = f'<packet><x type="sun_real4" {x}/><y type="sun_real4" name="e" units="{units}"/>'
        data += header(tag, plane + "</packet>")
        data += f":{tag}:".encode() + np.array([1, 2], ">f4").tobytes()
    (tmp_path / "a.d2s").write_bytes(data)
    assert [item.dims for item in open_dataset(tmp_path / "a.d2s").values()] == [
        ("time",),
        ("lon",),
    ]


def test_a_plane_of_times_is_times(tmp_path: Path) -> None:
    head = header(
        "01",
        '<packet><x type="time11" units="UTC"/><y type="time20" name="end" units="UTC"/></packet>',
    )
    row = b":01:2013-05-21 2013-142T00:00:00.5\n"
    (tmp_path / "a.d2t").write_bytes(header("00", "<stream/>") + head + row)
    ds = open_dataset(tmp_path / "a.d2t")
    assert ds["end"].values[0] == np.datetime64("2013-05-22T00:00:00.5", "ns")


@pytest.mark.parametrize("compressed", [False, True])
@pytest.mark.parametrize("is_text", [False, True])
def test_a_stream_cut_anywhere_gives_only_whole_records(
    tmp_path: Path, is_text: bool, compressed: bool
) -> None:
    if is_text:
        start, rest = stream_header(), packet_header() + text_rows(count=4)
    else:
        start, rest = TYPED, typed_packet("big_endian_real4") + binary_rows(">f4", 4)
    path = tmp_path / "a.d2s"
    path.write_bytes(start + rest)
    ((name, whole),) = open_dataset(path, chunks=None).items()
    if compressed:
        start = header(
            "00", start[10:].decode().replace("<stream", '<stream compression="deflate"')
        )
        rest = zlib.compress(rest)
    one = len(text_rows(count=1)) if is_text else len(binary_rows(">f4", 1))
    first = len(start + rest) - 4 * one
    ends = {first + row * one - blank for row in range(5) for blank in range(1 + is_text)}
    last = 0
    for length in range(10, len(start + rest) + 1):
        path.write_bytes((start + rest)[:length])
        with warnings.catch_warnings(record=True) as told:
            warnings.simplefilter("always")
            refused = ""
            try:
                found = open_dataset(path, chunks=None)[name]
            except ReaderError as error:
                refused = str(error)
        if refused:
            assert "\n" not in refused
            assert str(path) in refused
            continue
        records = found.sizes["time"]
        assert records >= last
        np.testing.assert_array_equal(found, whole[:records])
        said = [str(one.message) for one in told]
        assert all(f"{records} record" in one for one in said)
        between = not compressed and length in ends
        assert len(said) == (not between and length < len(start + rest))
        last = records
    assert last == 4


def test_streams_of_other_makers(shared_data: Path) -> None:
    voyager = open_dataset(shared_data / "das2" / "das2_ascii_input1.d2s")["e_spec"]
    assert dict(voyager.sizes) == {"time": 1398, "frequency": 16}
    assert voyager.attrs["FILLVAL"] == 0.0
    galileo = open_dataset(shared_data / "das2" / "galileo_pws_sample.d2t")["electric"]
    assert galileo.values[1, 0] == 7.273e-09
    assert galileo["time"].values[1] == np.datetime64("1997-05-07T15:00:34.874", "ns")
    unrolled = open_dataset(shared_data / "not_pad" / "test_sort.d2t")
    np.testing.assert_array_equal(unrolled["amp_y"].values.ravel(), unrolled["amp"].values)


def test_malformed_stream_is_skipped(good: Path) -> None:
    (good.parent / "bad.d2s").write_bytes(b"[00]garbage")
    with pytest.warns(XpadWarning, match=r"bad\.d2s"):
        ds = open_dataset(good.parent / "*.d2s", on_error="skip")
    assert ds.attrs["xpad_skipped"] == [str(good.parent / "bad.d2s")]
    good.unlink()
    with pytest.raises(ReaderError, match=r"bad\.d2s is not a well-formed das2 stream"):
        open_dataset(good.parent / "*.d2s", on_error="skip")


def test_backend(good: Path) -> None:
    ds = xr.open_dataset(good)
    assert ds["Intensity"].dims == ("time", "pitch_angle")
    assert "Intensity" not in xr.open_dataset(good, engine="xpad", drop_variables="Intensity")


def test_juno(shared_data: Path) -> None:
    ds = open_dataset(shared_data / "juno_jedi" / "*PA_O.d2s")
    assert dict(ds["Intensity"].sizes) == {"time": 1000, "pitch_angle": 30}
    values = ds["Intensity"].values
    assert values[0, 7] == 0.933
    assert (values[0, :7] == -1e38).all()
    assert int((values > 0).any(axis=1).sum()) == 717
    assert int((values == -1e38).all(axis=1).sum()) == 63
    assert ds["time"].values[-1] == np.datetime64("2017-10-20T19:57:52.200", "ns")


def test_juno_species_and_spectrum_together(shared_data: Path) -> None:
    ds = open_dataset(shared_data / "juno_jedi" / "*.d2s")
    assert set(ds.data_vars) == {
        *("Intensity_O", "Intensity_S", "Intensity_Hp", "Intensity_Hepp", "Intensity_O_energy")
    }
    assert ds["Intensity_O"].dims == ("time", "pitch_angle")
    assert ds["Intensity_O_energy"].dims == ("time", "energy")
    assert ds["Intensity_Hepp"].attrs["species"] == "He++"


@pytest.mark.parametrize("pattern", ["*PA_O.d2s", "*.d2s", "*En_O.d2s"])
@pytest.mark.parametrize("chunks", ["auto", None])
def test_written_as_they_are(
    shared_data: Path, tmp_path: Path, pattern: str, chunks: str | None
) -> None:
    ds = open_dataset(shared_data / "juno_jedi" / pattern, chunks=chunks)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        ds.to_zarr(tmp_path / "out.zarr", consolidated=False)
        ds.to_netcdf(tmp_path / "out.nc", engine="h5netcdf")
        zarr = xr.open_zarr(tmp_path / "out.zarr", consolidated=False).load()
    for back in (zarr, xr.load_dataset(tmp_path / "out.nc", engine="h5netcdf")):
        xr.testing.assert_equal(back, ds.load())
        for name in ds.variables:
            assert set(back[name].attrs) == set(ds[name].attrs)
