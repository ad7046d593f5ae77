"""CDF files that tests write, in the structure of REPT's."""

from pathlib import Path
from typing import Any

import numpy as np
from cdflib.cdfwrite import CDF as Writer
from cdflib.epochs import CDFepoch
from numpy.typing import NDArray

EPOCH, EPOCH16, TT2000 = 31, 32, 33
REAL4, REAL8, INT2, CHAR = 44, 45, 2, 51
DAY = 86_400_000.0  # milliseconds
START = CDFepoch.compute_epoch([2013, 3, 1, 0, 0, 0, 0])

ALPHA = np.linspace(5, 175, 5).astype("f4")
ENERGY = np.array([1.8, 2.1, 2.6], dtype="f4")


class File:
    """A CDF file being written, one variable a call."""

    def __init__(self, path: Path, **settings: Any) -> None:
        self.writer = Writer(str(path), cdf_spec=settings, delete=True)

    def add(
        self,
        name: str,
        cdf_type: int,
        values: Any,
        attrs: dict[str, Any] | None = None,
        *,
        varying: bool = True,
        width: int = 1,
        compress: int = 0,
    ) -> None:
        array = np.asarray(values)
        shape = array.shape[1:] if varying else array.shape
        spec = {
            "Variable": name,
            "Data_Type": cdf_type,
            "Num_Elements": width,
            "Rec_Vary": varying,
            "Dim_Sizes": list(shape),
            "Compress": compress,
            "Var_Type": "zVariable",
        }
        self.writer.write_var(spec, var_attrs=attrs or {}, var_data=array)


def write_day(
    path: Path,
    day: int = 0,
    records: int = 6,
    *,
    energy: NDArray | None = None,
    extra: bool = True,
    compress: int = 0,
    epoch: NDArray | None = None,
    **settings: Any,
) -> NDArray[np.float32]:
    """Write a file in REPT's structure, and return its flux."""
    energy = ENERGY if energy is None else energy
    rng = np.random.default_rng(day)
    flux = rng.gamma(1.0, 100.0, (records, ALPHA.size, energy.size)).astype("f4")
    if records:
        flux[0, 0, 0] = -1e31
    if epoch is None:
        epoch = START + day * DAY + 11_000.0 * np.arange(records)
    file = File(path, **settings)
    file.writer.write_globalattrs({"Project": {0: "LWS"}, "TEXT": {0: "one", 1: "two"}})
    fill = {"FILLVAL": [-1e31, "CDF_REAL4"], "VAR_TYPE": "data"}
    file.add("Epoch", EPOCH, epoch, {"FILLVAL": [-1e31, "CDF_REAL8"], "UNITS": "ms"})
    file.add("FEDU_Alpha", REAL4, ALPHA, {"UNITS": "deg"}, varying=False)
    file.add("FEDU_Energy", REAL4, energy, {"UNITS": "MeV", "DELTA_PLUS_VAR": "dE"}, varying=False)
    file.add("dE", REAL4, energy / 10, {"UNITS": "MeV"}, varying=False)
    is_column_major = settings.get("Majority") == "column_major"  # the writer reorders nothing
    stored = np.swapaxes(flux, 1, 2).reshape(flux.shape) if is_column_major else flux
    file.add(
        "FEDU",
        REAL4,
        stored,
        {
            "DEPEND_0": "Epoch",
            "DEPEND_1": "FEDU_Alpha",
            "DEPEND_2": "FEDU_Energy",
            "UNITS": "cm-2 s-1 sr-1 MeV-1",
            "LABLAXIS": "e- flux",
            "VALIDMIN": [0.0, "CDF_REAL4"],
            **fill,
        },
        compress=compress,
    )
    file.add("FESA", REAL4, flux[:, 0], {"DEPEND_0": "Epoch", "DEPEND_1": "FEDU_Energy", **fill})
    file.add("L", REAL4, np.arange(records, dtype="f4"), {"DEPEND_0": "Epoch", **fill})
    file.add("Position", REAL4, np.ones((records, 3), "f4"), {"DEPEND_0": "Epoch", **fill})
    if extra:
        file.add("MLT", REAL4, np.ones(records, "f4"), {"DEPEND_0": "Epoch", **fill})
    file.writer.close()
    return flux


def cut(path: Path, keep: float) -> None:
    data = path.read_bytes()
    path.write_bytes(data[: int(len(data) * keep)])
