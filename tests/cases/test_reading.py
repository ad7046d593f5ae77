"""The cases of cases.md that are about reading, by their numbers."""

import sys
from pathlib import Path

import numpy as np
import pytest
import xarray as xr
from fsspec.registry import _registry
from helpers.cdf import write_day

import xpad
from xpad.errors import NotEnoughDataError, ReaderError, RolesError, XpadWarning


def test_26_theta_of_pyrfu_is_the_pitch_angle() -> None:
    flux = np.random.default_rng(0).gamma(1, 100, (60, 8, 18))
    ds = xr.Dataset(
        {
            "data": (("time", "idx0", "idx1"), flux, {"UNITS": "1/(cm^2 s sr keV)"}),
            "energy": (("time", "idx0"), np.tile(np.geomspace(1, 100, 8), (60, 1))),
            "theta": (("time", "idx1"), np.tile(np.linspace(5, 175, 18), (60, 1))),
            "time": np.datetime64("2015-12-01", "ns") + np.arange(60) * np.timedelta64(30, "s"),
        }
    )
    found = xpad.as_dataset(ds).pad
    assert found.flux.shape == (60, 8, 18)
    assert "guess" not in repr(found)


@pytest.mark.parametrize("name", ["das2_ascii_input1.d2s", "galileo_pws_sample.d2t"])
def test_29_das2_of_other_makers(shared_data: Path, name: str) -> None:
    ds = xpad.open_dataset(shared_data / "das2" / name)
    (flux,) = ds.data_vars.values()
    assert flux.attrs["FILLVAL"] == 0.0
    assert flux.dims == ("time", "frequency")
    with pytest.raises(RolesError, match="frequency"):
        xpad.flux(ds)


def test_31_a_cdf_file_that_lacks_its_last_part(tmp_path: Path) -> None:
    flux = write_day(tmp_path / "a.cdf", records=300)
    data = (tmp_path / "a.cdf").read_bytes()
    (tmp_path / "a.cdf").write_bytes(data[: -len(data) // 1000])
    with pytest.warns(XpadWarning, match=r"a\.cdf is truncated: .*variables left out: MLT"):
        ds = xpad.open_dataset(tmp_path / "a.cdf")
    np.testing.assert_array_equal(ds["FEDU"], flux)
    assert "MLT" not in ds


@pytest.mark.filterwarnings("ignore:.*compressed as a whole")
def test_32_a_master_file_holds_no_records(shared_data: Path) -> None:
    ds = xpad.open_dataset(next((shared_data / "fast_esa").glob("*.cdf")))
    for method in (ds.pad.check, ds.pad.fit):
        with pytest.raises(NotEnoughDataError, match="holds no records"):
            method()


def test_41_a_library_that_is_not_installed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "s3fs", None)
    if "s3" in _registry:
        monkeypatch.delitem(_registry, "s3")
    with pytest.raises(ReaderError, match=r"s3fs, which is not installed: pip install s3fs"):
        xpad.open_dataset("s3://bucket/a.zarr")
