"""Objects of other libraries: of the real ones where they are installed."""

import datetime as dt
import json
import threading
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import xarray as xr

import xpad
from xpad.errors import ReaderError

RECORDS = 20
TIMES = np.datetime64("2013-03-01", "ns") + np.arange(RECORDS) * np.timedelta64(11, "s")
ALPHA = np.linspace(5, 175, 7)
ENERGY = np.array([100.0, 200.0, 400.0])
UNITS = "1/(cm^2 s sr keV)"
FLUX = np.random.default_rng(0).gamma(1, 100, (RECORDS, ALPHA.size, ENERGY.size))
FLUX[0, 0, 0] = -1e31


def right(ds: xr.Dataset, name: str = "FEDU") -> None:
    """The flux is recognised, with its axes, units and fill values."""
    found = ds.pad.flux
    assert found.name == name
    assert found.shape == (RECORDS, ENERGY.size, ALPHA.size)
    np.testing.assert_allclose(found[1:], np.moveaxis(FLUX, 2, 1)[1:], rtol=1e-6)
    assert np.isnan(found.values[0, 0, 0])
    assert int(np.isnan(found).sum()) == 1
    np.testing.assert_array_equal(found[found.dims[0]], TIMES)
    assert "guess" not in repr(ds.pad)


@pytest.fixture
def speasy_flux() -> Any:
    variable = pytest.importorskip("speasy.products.variable", exc_type=ImportError)
    varying = np.tile(ENERGY, (RECORDS, 1))
    return variable.SpeasyVariable(
        axes=[
            variable.VariableTimeAxis(values=TIMES, meta={}),
            variable.VariableAxis(ALPHA, {"UNITS": "deg"}, "Pitch_angle", False),
            variable.VariableAxis(varying, {"UNITS": "keV"}, "Energy", True),
        ],
        values=variable.DataContainer(
            FLUX.copy(), meta={"UNITS": UNITS, "FILLVAL": -1e31, "DEPEND_0": "x"}, name="FEDU"
        ),
    )


def test_speasy(speasy_flux: Any) -> None:
    ds = xpad.as_dataset(speasy_flux)
    right(ds)
    assert ds["Energy"].dims == ("time", "Energy_dim")
    assert speasy_flux.meta["DEPEND_0"] == "x"


def test_several_of_speasy(speasy_flux: Any) -> None:
    ds = xpad.as_dataset({"a": speasy_flux, "b": speasy_flux[:10]})
    assert ds["a"].dims[0] == "time"
    assert ds["b"].dims[0] == "b_time"
    assert ds["b"].sizes["b_time"] == 10
    right(xpad.as_dataset([speasy_flux]))


def test_spacepy() -> None:
    datamodel = pytest.importorskip("spacepy.datamodel", exc_type=ImportError)
    data = datamodel.SpaceData(attrs={"Mission": "RBSP"})
    times = [dt.datetime(2013, 3, 1) + row * dt.timedelta(seconds=11) for row in range(RECORDS)]
    data["Epoch"] = datamodel.dmarray(times, attrs={"VAR_TYPE": "support_data"})
    data["FEDU"] = datamodel.dmarray(
        FLUX,
        attrs={
            "DEPEND_0": "Epoch",
            "DEPEND_1": "FEDU_Alpha",
            "DEPEND_2": "FEDU_Energy",
            "UNITS": UNITS,
            "FILLVAL": -1e31,
        },
    )
    data["FEDU_Alpha"] = datamodel.dmarray(ALPHA, attrs={"UNITS": "deg"})
    data["FEDU_Energy"] = datamodel.dmarray(ENERGY, attrs={"UNITS": "keV"})
    data["L"] = datamodel.dmarray(np.ones(RECORDS), attrs={"DEPEND_0": "Epoch"})
    ds = xpad.as_dataset(data)
    right(ds)
    assert ds["FEDU"].dims == ("Epoch", "FEDU_Alpha", "FEDU_Energy")
    assert ds["L"].dims == ("Epoch",)
    assert ds.attrs["Mission"] == "RBSP"


META = {
    "HAPI": "3.1",
    "parameters": [
        {"name": "Time", "type": "isotime", "units": "UTC", "fill": None, "length": 24},
        {
            "name": "FEDU",
            "type": "double",
            "units": UNITS,
            "fill": "-1e31",
            "size": [ALPHA.size, ENERGY.size],
            "description": "electron flux",
            "bins": [
                {"name": "pitch angle", "units": "deg", "centers": ALPHA.tolist()},
                {"name": "energy", "units": "keV", "centers": "energies"},
            ],
        },
        {
            "name": "energies",
            "type": "double",
            "units": "keV",
            "fill": "-1e31",
            "size": [ENERGY.size],
            "description": "energy channels",
        },
    ],
}


class Server(BaseHTTPRequestHandler):
    """A HAPI server of one dataset."""

    def do_GET(self) -> None:
        self.send_response(200)
        self.end_headers()
        if "/data" in self.path:
            for time, flux in zip(TIMES.astype("M8[ms]"), FLUX, strict=True):
                numbers = [*flux.ravel(), *ENERGY]
                self.wfile.write(f"{time}Z,{','.join(map(str, numbers))}\n".encode())
        elif "/info" in self.path:
            status = {"code": 1200, "message": "OK"}
            dates = {"startDate": "2013-03-01Z", "stopDate": "2013-03-02Z"}
            self.wfile.write(json.dumps({**META, **dates, "status": status}).encode())
        else:
            self.wfile.write(json.dumps({"HAPI": "3.1", "outputFormats": ["csv"]}).encode())

    def log_message(self, *args: Any) -> None:
        """Say nothing."""


@pytest.mark.filterwarnings("ignore")  # of hapiclient's own
def test_hapi_as_its_client_gives_it(tmp_path: Path) -> None:
    client = pytest.importorskip("hapiclient", exc_type=ImportError)
    server = HTTPServer(("127.0.0.1", 0), Server)
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    try:
        address = f"http://127.0.0.1:{server.server_port}/hapi"
        options = {"cachedir": str(tmp_path), "usecache": False, "format": "csv"}
        span = ("2013-03-01T00:00:00Z", "2013-03-01T01:00:00Z")
        found = client.hapi(address, "rept", "FEDU,energies", *span, **options)
    finally:
        server.shutdown()
        server.server_close()
        thread.join()
    right(xpad.as_dataset(found))


def test_hapi_arrays() -> None:
    types = [("Time", "S24"), ("FEDU", "f8", FLUX.shape[1:]), ("energies", "f8", ENERGY.shape)]
    data = np.zeros(RECORDS, types)
    data["Time"] = [f"{time}Z".encode() for time in TIMES.astype("M8[s]")]
    data["FEDU"], data["energies"] = FLUX, ENERGY
    ds = xpad.as_dataset((data, META))
    right(ds)
    assert ds["energies"].dims == ("Time", "energies_dim")
    data["Time"][3] = b"2013-060T00:01:00Z"
    assert xpad.as_dataset((data, META))["Time"].values[3] == np.datetime64("2013-03-01T00:01")
    data["Time"][3] = b"noon"
    with pytest.raises(ReaderError, match="the time 'noon'"):
        xpad.as_dataset((data, META))


def pyrfu_pad() -> xr.Dataset:
    """As ``pyrfu.mms.get_pitch_angle_dist`` makes it."""
    return xr.Dataset(
        {
            "data": (["time", "idx0", "idx1"], np.moveaxis(FLUX, 2, 1), {"UNITS": UNITS}),
            "energy": (["time", "idx0"], np.tile(ENERGY, (RECORDS, 1))),
            "theta": (["time", "idx1"], np.tile(ALPHA, (RECORDS, 1))),
            "time": TIMES,
            "idx0": np.arange(ENERGY.size),
            "idx1": np.arange(ALPHA.size),
        },
        attrs={"mean_or_sum": "mean", "delta_pitchangle_minus": np.full(ALPHA.size, 2.5)},
    )


def test_pyrfu() -> None:
    given = pyrfu_pad()
    ds = xpad.as_dataset(given)
    right(ds, "data")
    assert given.identical(pyrfu_pad())
    sky = given.assign(phi=("idx2", np.arange(3)))
    assert xpad.as_dataset(sky) is sky  # a sky map's theta is another angle


def test_xarray_is_given_back() -> None:
    ds = xr.Dataset({"j": ("time", [1.0])})
    assert xpad.as_dataset(ds) is ds
    xr.testing.assert_identical(xpad.as_dataset(ds["j"]), ds)


@pytest.mark.parametrize(
    ("obj", "message"),
    [
        (7, "no object of builtins.int; it knows pitch-angle distributions of pyrfu; xarray"),
        ([], "no object of builtins.list"),
        ({"a": 1}, "no object of builtins.dict"),
        ("FEDU", r"xpad\.from_tplot\('FEDU'\)"),
    ],
)
def test_what_is_not_known_is_said(obj: Any, message: str) -> None:
    with pytest.raises(ReaderError, match=message) as error:
        xpad.as_dataset(obj)
    assert "\n" not in str(error.value)
