"""One format for all files, and the options of opening."""

from pathlib import Path

import pytest
import xarray as xr
from helpers.cdf import write_day

from xpad.errors import OptionError, ReaderError, XpadWarning
from xpad.readers import open_dataset


def test_wrong_options(tmp_path: Path) -> None:
    write_day(tmp_path / "a.cdf")
    with pytest.raises(OptionError, match="on_error='ignore'"):
        open_dataset(tmp_path / "a.cdf", on_error="ignore")
    with pytest.raises(
        OptionError, match=r"engine='hdf4'.*use 'cdf', 'das2', 'cef', 'netcdf', 'zarr'"
    ):
        open_dataset(tmp_path / "a.cdf", engine="hdf4")
    with pytest.raises(OptionError, match="chunks='big'"):
        open_dataset(tmp_path / "a.cdf", chunks="big")


def test_files_of_several_formats(tmp_path: Path) -> None:
    write_day(tmp_path / "a.cdf")
    xr.Dataset({"x": ("time", [1.0])}).to_netcdf(tmp_path / "b.nc", engine="h5netcdf")
    with pytest.raises(ReaderError, match=r"several formats: cdf \(.*a\.cdf\), netcdf \(.*b\.nc\)"):
        open_dataset([tmp_path / "a.cdf", tmp_path / "b.nc"])


def test_files_of_no_format(tmp_path: Path) -> None:
    write_day(tmp_path / "a.cdf")
    (tmp_path / "b.cdf").write_text("<html>")
    with pytest.raises(ReaderError, match=r"b\.cdf is not the cdf file that its name promises"):
        open_dataset(tmp_path / "*.cdf")
    with pytest.warns(XpadWarning, match=r"1 of 2 files.*b\.cdf"):
        assert open_dataset(tmp_path / "*.cdf", on_error="skip").sizes["Epoch"] == 6
    (tmp_path / "a.cdf").write_text("<html>")
    with pytest.raises(
        ReaderError, match=r"None of the 2 files can be read; the first: .*a\.cdf is not"
    ):
        open_dataset(tmp_path / "*.cdf", on_error="skip")
    with pytest.raises(ReaderError, match=r"^[^ ]*a\.cdf is not the cdf file"):
        open_dataset(tmp_path / "a.cdf", on_error="skip")


def test_the_engine_decides_where_it_is_named(tmp_path: Path) -> None:
    write_day(tmp_path / "a.cdf")
    with pytest.raises(ReaderError, match=r"a\.cdf cannot be read as netCDF"):
        open_dataset(tmp_path / "a.cdf", engine="netcdf")
