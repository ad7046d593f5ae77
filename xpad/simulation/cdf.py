"""Simulated days as CDF files in the structure of REPT level 3."""

from __future__ import annotations

import logging
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import xarray as xr

from xpad.errors import OptionError, ReaderError
from xpad.simulation.records import SHAPES

if TYPE_CHECKING:
    from os import PathLike

_log = logging.getLogger(__name__)

# CDF_EPOCH counts milliseconds from the year 0.
_EPOCH_OF_1970_MS = 62_167_219_200_000.0
_REAL4, _INT1, _EPOCH = 44, 41, 31
_XARRAY_ONLY = ("units", "long_name")
_GZIP = 4


def to_cdf(ds: xr.Dataset, folder: str | PathLike[str], *, overwrite: bool = False) -> list[Path]:
    """Write a simulated mission as one ISTP CDF file a day, in REPT level 3's structure.

    The files are called ``rbspb_rel03_ect-rept-sci-l3_YYYYMMDD_v5.0.0.cdf``: zVariables in row
    order, ``FEDU`` (Epoch; 17 ``FEDU_Alpha``, 12 ``FEDU_Energy``) as CDF_REAL4 compressed by
    itself, ``Epoch`` as CDF_EPOCH, as the instrument suite's other files have it. Beside what a
    mission file has there is ``truth``. Values come back equal to the bit, times to the
    millisecond.

    Parameters
    ----------
    ds : xarray.Dataset
        What `simulate` returned, or any selection of its times in ascending order. A lazy one
        is computed one day at a time.
    folder : path
        Where to write; made if need be.
    overwrite : bool, default False
        Whether to replace files that exist.

    Returns
    -------
    list of Path
        One a UTC day that has records, in order of time.

    Raises
    ------
    OptionError
        If the Dataset is not a simulated mission.
    ReaderError
        If a file exists and may not be replaced; nothing is then written.

    Examples
    --------
    >>> import tempfile
    >>> from xpad.simulation import simulate, to_cdf
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     [path.name for path in to_cdf(simulate(days=0.1), folder)]
    ['rbspb_rel03_ect-rept-sci-l3_20130101_v5.0.0.cdf']
    """
    source = _check(ds)
    times = ds["Epoch"].values
    dates = times.astype("datetime64[D]")
    days, begins = np.unique(dates, return_index=True)
    ends = np.r_[begins[1:], len(times)]
    root = Path(folder)
    names = [f"{source}_{str(day).replace('-', '')}_v5.0.0" for day in days]
    paths = [root / f"{name}.cdf" for name in names]
    present = [path for path in paths if path.exists()]
    if present and not overwrite:
        raise ReaderError(
            f"{present[0]} exists ({len(present)} of the {len(paths)} files to write do): "
            "give overwrite=True to replace, or another folder"
        )
    root.mkdir(parents=True, exist_ok=True)
    for path, begin, end in zip(paths, begins, ends, strict=True):
        _write(ds.isel(Epoch=slice(int(begin), int(end))).compute(), path)
        _log.info("wrote %s, %d records", path, end - begin)
    return paths


def _check(ds: xr.Dataset) -> str:
    """The beginning of the files' names."""
    wanted = [*SHAPES, "Epoch", "FEDU_Alpha", "FEDU_Energy"]
    missing = [name for name in wanted if name not in ds.variables]
    source = ds.attrs.get("Logical_source")
    if missing or not isinstance(source, str):
        what = ", ".join(missing) if missing else "the attribute Logical_source"
        raise OptionError(f"not a simulated mission, {what} is missing: give what simulate returns")
    times = ds["Epoch"].values
    if times.size == 0 or np.any(times[1:] <= times[:-1]):
        raise OptionError(f"Epoch: {times.size} times, wanted at least one and ascending")
    return source


def _write(ds: xr.Dataset, path: Path) -> None:
    from cdflib.cdfwrite import CDF

    partial = path.with_name(f".{path.stem}.part.cdf")
    partial.unlink(missing_ok=True)
    try:
        with CDF(partial, cdf_spec={"Majority": "row_major"}) as file:
            file.write_globalattrs(_global_entries(ds, path))
            file.write_var(*_epoch(ds["Epoch"]))
            for name in ("FEDU_Alpha", "FEDU_Energy"):
                file.write_var(*_variable(ds[name], record_varying=False))
            file.write_var(
                {
                    "Variable": "Position_Label",
                    "Data_Type": 51,
                    "Num_Elements": 1,
                    "Rec_Vary": False,
                    "Dim_Sizes": [3],
                },
                {
                    "CATDESC": "Axes of Position",
                    "FIELDNAM": "Position_Label",
                    "VAR_TYPE": "metadata",
                    "FORMAT": "A1",
                },
                np.array(["X", "Y", "Z"]),
            )
            for name in SHAPES:
                file.write_var(*_variable(ds[name], record_varying=True))
        partial.replace(path)
    finally:
        partial.unlink(missing_ok=True)


def _global_entries(ds: xr.Dataset, path: Path) -> dict[str, dict[int, Any]]:
    entries = ds.attrs | {"Logical_file_id": path.stem}
    return {name: {0: str(value)} for name, value in entries.items()}


def _epoch(times: xr.DataArray) -> tuple[dict[str, Any], dict[str, Any], Any]:
    milliseconds = times.values.astype("datetime64[ms]").astype(np.int64) + _EPOCH_OF_1970_MS
    spec = _spec("Epoch", _EPOCH, [], record_varying=True)
    attrs = {k: v for k, v in times.attrs.items() if k not in _XARRAY_ONLY}
    attrs |= {
        "UNITS": "ms",
        "FILLVAL": [-1e31, "CDF_EPOCH"],
        "VALIDMIN": [63_429_523_200_000.0, "CDF_EPOCH"],
        "VALIDMAX": [71_328_211_199_999.0, "CDF_EPOCH"],
    }
    return spec, attrs, milliseconds


def _variable(
    array: xr.DataArray, *, record_varying: bool
) -> tuple[dict[str, Any], dict[str, Any], Any]:
    name = str(array.name)
    integer = array.dtype == np.int8
    shape = array.shape[1:] if record_varying else array.shape
    spec = _spec(name, _INT1 if integer else _REAL4, list(shape), record_varying=record_varying)
    number = "CDF_INT1" if integer else "CDF_REAL4"
    attrs: dict[str, Any] = {}
    for key, value in array.attrs.items():
        if key not in _XARRAY_ONLY:
            attrs[key] = value if isinstance(value, str) else [_plain(value), number]
    if name == "Position":
        attrs["LABL_PTR_1"] = "Position_Label"
    return spec, attrs, np.ascontiguousarray(array.values)


def _plain(value: Any) -> Any:
    return value.tolist() if isinstance(value, np.ndarray | np.generic) else value


def _spec(name: str, kind: int, shape: list[int], *, record_varying: bool) -> dict[str, Any]:
    return {
        "Variable": name,
        "Data_Type": kind,
        "Num_Elements": 1,
        "Rec_Vary": record_varying,
        "Dim_Sizes": shape,
        "Compress": _GZIP if record_varying else 0,
    }
