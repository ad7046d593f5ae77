"""The engine of ``xr.open_dataset``."""

import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import dask
import numpy as np
import pytest
import xarray as xr
from helpers.cdf import write_day
from numpy.typing import NDArray
from packaging.version import Version

from xpad.errors import ReaderError, XpadWarning
from xpad.readers.backend import XpadBackend


@pytest.fixture(scope="module")
def days(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, NDArray[np.float32]]:
    """Three daily files, and their fluxes in the order of time; read only."""
    folder = tmp_path_factory.mktemp("days")
    flux = [write_day(folder / f"day{day}.cdf", day) for day in range(3)]
    return folder, np.concatenate(flux)


def no_compute(*args: Any, **kwargs: Any) -> Any:
    raise AssertionError("something was computed")


@pytest.mark.parametrize("engine", ["xpad", None])
def test_backend(tmp_path: Path, engine: Any, reads: list[tuple[str, str, int, int]]) -> None:
    flux = write_day(tmp_path / "day.cdf")
    with xr.open_dataset(tmp_path / "day.cdf", engine=engine, drop_variables=["L"]) as ds:
        assert "L" not in ds
        assert ds["FEDU"].dims == ("Epoch", "FEDU_Alpha", "FEDU_Energy")
        assert "FEDU" not in {name for _, name, _, _ in reads}
        np.testing.assert_array_equal(ds["FEDU"], flux)


def test_backend_with_dask(days: tuple[Path, NDArray]) -> None:
    folder, _ = days
    with dask.config.set(scheduler=no_compute):
        ds = xr.open_dataset(folder / "day1.cdf", engine="xpad", chunks={}, drop_variables="MLT")
    assert ds["FEDU"].chunks is not None
    assert "MLT" not in ds


@pytest.mark.skipif(
    Version(xr.__version__) < Version("2026.7"),
    reason="before 2026.7, xarray itself looked for a file of the glob's name to date its chunks",
)
def test_backend_with_dask_and_a_glob(days: tuple[Path, NDArray]) -> None:
    folder, flux = days
    with dask.config.set(scheduler=no_compute):
        many = xr.open_dataset(str(folder / "*.cdf"), engine="xpad", chunks={"Epoch": -1})
    np.testing.assert_array_equal(many["FEDU"], flux)


def test_backend_guesses_only_what_it_reads(tmp_path: Path) -> None:
    write_day(tmp_path / "day.cdf")
    xr.Dataset({"x": 1}).to_netcdf(tmp_path / "other.cdf", engine="h5netcdf")
    shutil.copy(tmp_path / "other.cdf", tmp_path / "other.nc")
    guess: Callable[[Any], bool] = XpadBackend().guess_can_open
    assert guess(tmp_path / "day.cdf")
    assert not guess(tmp_path / "other.cdf")
    assert not guess(tmp_path / "other.nc")
    assert not guess(tmp_path / "missing.cdf")
    assert not guess(b"bytes")
    with pytest.raises(ReaderError, match="by their path"):
        xr.open_dataset(b"bytes", engine="xpad")


def test_warnings_are_at_the_users_own_line(tmp_path: Path) -> None:
    write_day(tmp_path / "day.cdf", records=2, epoch=np.zeros(2))
    with pytest.warns(XpadWarning, match="Unusual times") as caught:
        xr.open_dataset(tmp_path / "day.cdf", engine="xpad", chunks={})
    assert [one.filename for one in caught] == [__file__]
