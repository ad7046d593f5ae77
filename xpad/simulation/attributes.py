"""What the simulated variables are called: ISTP attributes, as REPT's files have them."""

from __future__ import annotations

from typing import Any

import numpy as np

from xpad.simulation.instrument import FILL
from xpad.simulation.shapes import NAMES

_FLUX_UNITS = "cm!E-2!N s!E-1!N sr!E-1!N MeV!E-1!N"

# name: (description, UNITS, units, VALIDMIN, VALIDMAX, VAR_TYPE, DISPLAY_TYPE)
_VARIABLES: dict[str, tuple[str, str, str, float, float, str]] = {
    "FEDU": (
        "Simulated unidirectional differential electron flux",
        _FLUX_UNITS,
        "cm-2 s-1 sr-1 MeV-1",
        0.0,
        1e10,
        "data",
    ),
    "L": ("Dipole L of the probe", "RE", "1", 0.0, 20.0, "data"),
    "L_star": ("L* of 90-degree particles", "RE", "1", 0.0, 20.0, "data"),
    "MLT": ("Magnetic local time", "Hours", "h", 0.0, 24.0, "data"),
    "MLAT": ("Magnetic latitude", "Degrees", "degrees", -90.0, 90.0, "data"),
    "B_Calc": ("Dipole field at the probe", "nT", "nT", 0.0, 1e5, "data"),
    "B_Eq": (
        "Dipole field at the equator of the probe's field line",
        "nT",
        "nT",
        0.0,
        1e5,
        "data",
    ),
    "Position": ("Position of the probe in geographic coordinates", "km", "km", -1e5, 1e5, "data"),
}

_COORDINATES: dict[str, tuple[str, str, str, float, float]] = {
    "FEDU_Alpha": ("Pitch angle of the middle of the bin", "Degrees", "degrees", 0.0, 180.0),
    "FEDU_Energy": ("Energy of the middle of the channel", "MeV", "MeV", 0.0, 100.0),
}


def variable_attributes(name: str) -> dict[str, Any]:
    """Attributes of a data variable."""
    if name == "truth":
        return _truth_attributes()
    text, istp_units, units, smallest, largest, kind = _VARIABLES[name]
    attrs: dict[str, Any] = {
        "CATDESC": text,
        "FIELDNAM": name,
        "LABLAXIS": name,
        "FILLVAL": FILL,
        "VALIDMIN": np.float32(smallest),
        "VALIDMAX": np.float32(largest),
        "FORMAT": "E12.2",
        "VAR_TYPE": kind,
        "DEPEND_0": "Epoch",
        "UNITS": istp_units,
        "DISPLAY_TYPE": "spectrogram" if name == "FEDU" else "time_series",
        "units": units,
        "long_name": text,
    }
    if name == "FEDU":
        attrs |= {"DEPEND_1": "FEDU_Alpha", "DEPEND_2": "FEDU_Energy", "SCALETYP": "log"}
    return attrs


def coordinate_attributes(name: str) -> dict[str, Any]:
    """Attributes of a coordinate; of Epoch without units, which encoding it adds."""
    if name == "Epoch":
        return {
            "CATDESC": "Middle of the spin",
            "FIELDNAM": "Epoch",
            "LABLAXIS": "Epoch",
            "VAR_TYPE": "support_data",
            "long_name": "Middle of the spin",
        }
    text, istp_units, units, smallest, largest = _COORDINATES[name]
    return {
        "CATDESC": text,
        "FIELDNAM": name,
        "LABLAXIS": name,
        "FILLVAL": FILL,
        "VALIDMIN": np.float32(smallest),
        "VALIDMAX": np.float32(largest),
        "FORMAT": "F8.3",
        "VAR_TYPE": "support_data",
        "UNITS": istp_units,
        "units": units,
        "long_name": text,
    }


def global_attributes(probe: str) -> dict[str, str]:
    """Attributes of the whole, ISTP's names."""
    return {
        "title": f"Simulated Van Allen Probes REPT electrons, probe {probe}",
        "Project": "LWS>Living With a Star",
        "Source_name": f"RBSP-{probe.upper()}>Radiation Belt Storm Probe {probe.upper()}",
        "Discipline": "Space Physics>Magnetospheric Science",
        "Data_type": "L3>Level 3",
        "Descriptor": "ect-rept-sci-L3>Relativistic Electron Proton Telescope, SIMULATED",
        "Data_version": "5.0.0",
        "Mission_group": "RBSP",
        "Instrument_type": "Particles (space)",
        "Logical_source": f"rbsp{probe}_rel03_ect-rept-sci-l3",
        "TEXT": "Simulated by xpad in the structure of REPT level 3 files; not a measurement.",
    }


def _truth_attributes() -> dict[str, Any]:
    text = "Type of the simulated pitch-angle distribution"
    return {
        "CATDESC": text,
        "FIELDNAM": "truth",
        "LABLAXIS": "truth",
        "FILLVAL": np.int8(-128),
        "VALIDMIN": np.int8(-1),
        "VALIDMAX": np.int8(len(NAMES) - 1),
        "FORMAT": "I3",
        "VAR_TYPE": "support_data",
        "DEPEND_0": "Epoch",
        "UNITS": " ",
        "DISPLAY_TYPE": "time_series",
        "long_name": text,
        "flag_values": np.arange(-1, len(NAMES), dtype=np.int8),
        "flag_meanings": " ".join(("all_fill", *NAMES)),
    }
