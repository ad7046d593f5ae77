"""Run a function of rows over the records of a canonical flux, lazily where the flux is lazy."""

from __future__ import annotations

from collections.abc import Callable, Hashable, Sequence
from typing import Any

import numpy as np
import xarray as xr
from numpy.typing import NDArray

from xpad.compute.records import Records
from xpad.errors import NotEnoughDataError, OptionError

ENERGY = "energy"
PITCH_ANGLE = "pitch_angle"
TABLES = {ENERGY: "energy_table", PITCH_ANGLE: "pitch_angle_table"}

Floats = NDArray[np.float32]
Doubles = NDArray[np.float64]

CELL_DIMS = ("energy", "pitch_angle")

RowFunction = Callable[..., NDArray[np.float32]]


def over_records(
    flux: xr.DataArray, function: RowFunction, dim: str, size: int, *, name: str, **kwargs: Any
) -> xr.DataArray:
    """Numbers for every record: (record…, dim) float32, in the flux's own order.

    Parameters
    ----------
    flux : canonical flux
    function : callable
        ``function(flux, energy_table, pitch_angle_table, **kwargs)`` of flat rows gives
        (rows, size).
    dim : str
        Name of the new dimension, of length `size`.
    name : str
        What a dashboard calls the tasks.
    **kwargs
        Models and the like: one node of the graph each, not a part of every task.
    """
    records, dims = flux_records(flux), record_dims(flux)
    given = tuple(a is not None for a in records.arrays)
    present = [a for a in records.arrays if a is not None]
    if present[0].chunks is None and all(a.chunks is None for a in present):
        data = _on_block(*(a.values for a in present), function=function, given=given, **kwargs)
    else:
        data = _lazily(records, function, size, name, given, kwargs)
    found = xr.DataArray(data, dims=(*records.dims, dim)).transpose(*dims, dim)
    return found.assign_coords({n: c for n, c in flux.coords.items() if set(c.dims) <= set(dims)})


def _lazily(
    records: Records,
    function: RowFunction,
    size: int,
    name: str,
    given: Sequence[bool],
    kwargs: dict[str, Any],
) -> Any:
    import dask.array as da
    from dask.delayed import delayed

    letters = {d: i for i, d in enumerate(records.dims)}
    new = len(letters)
    arguments: list[Any] = []
    for array in records.arrays:
        if array is not None:
            others = [d for d in array.dims if d not in letters]
            own = letters | {d: new + 1 + i for i, d in enumerate(others)}
            arguments += [array.data, tuple(own[d] for d in array.dims)]
    bound = {k: delayed(v, pure=True, traverse=False) for k, v in kwargs.items()}
    return da.blockwise(
        _on_block, (*letters.values(), new), *arguments, token=name, concatenate=True,
        new_axes={new: size}, align_arrays=False,
        dtype=np.float32, meta=np.empty((0,) * (new + 1), np.float32),
        function=function, given=given, **bound,
    )  # fmt: skip


def _on_block(
    *arrays: Any, function: RowFunction, given: Sequence[bool], **kwargs: Any
) -> NDArray[np.float32]:
    found = iter(arrays)
    flux, energies, pitch_angles = (np.asarray(next(found)) if there else None for there in given)
    assert flux is not None
    rows = function(*flat_records(flux, energies, pitch_angles), **kwargs)
    return np.asarray(rows, dtype=np.float32).reshape(*flux.shape[:-2], rows.shape[-1])


def varies(flux: xr.DataArray, axis: str) -> bool:
    """Whether an axis of a canonical flux changes from record to record."""
    return TABLES[axis] in flux.coords


def describe_axis(values: np.ndarray, unit: str, most: int = 3) -> str:
    """'12 energies 1.8 … 20 MeV'-like text for messages."""
    values = np.asarray(values, dtype=float)
    ends = f"{values[0]:g}" if values.size == 1 else f"{values[0]:g} … {values[-1]:g}"
    return (
        f"{values.size} from {ends} {unit}".rstrip() if values.size > 1 else f"1 at {ends} {unit}"
    )


def record_dims(flux: xr.DataArray) -> tuple[Hashable, ...]:
    """Record dimensions of a canonical flux, in its order."""
    return tuple(d for d in flux.dims if d not in (ENERGY, PITCH_ANGLE))


def time_dim(flux: xr.DataArray) -> str:
    """The record dimension that has times; else the last one."""
    dims = checked_record_dims(flux)
    return next((d for d in reversed(dims) if record_times(flux, d) is not None), dims[-1])


def record_times(obj: xr.DataArray | xr.Dataset, dim: str) -> np.ndarray | None:
    """Return the datetime64 values along a record dimension, or None where it has no times.

    Parameters
    ----------
    obj : xarray.DataArray or xarray.Dataset
        Where to look.
    dim : str
        A record dimension. Its own coordinate is preferred to others that lie on it.

    Returns
    -------
    numpy.ndarray or None
        datetime64, shape (size of `dim`,).

    Examples
    --------
    >>> import numpy as np, xarray as xr
    >>> t = np.array(["2013-01-01", "2013-01-02"], "datetime64[ns]")
    >>> record_times(xr.Dataset(coords={"Epoch": t}), "Epoch").size
    2
    """
    for name in sorted(obj.coords, key=lambda name: name != dim):
        coordinate = obj.coords[name]
        if coordinate.dims == (dim,) and coordinate.dtype.kind == "M":
            return np.asarray(coordinate.values)
    return None


def tables(flux: xr.DataArray) -> dict[str, xr.DataArray]:
    """The tables of the axes that vary, by coordinate name, without coordinates of their own."""
    return {
        name: flux.coords[name].reset_coords(drop=True)
        for name in TABLES.values()
        if name in flux.coords
    }


def flat_records(
    flux: Any, energy_table: Any, pitch_angle_table: Any
) -> tuple[Floats, Doubles | None, Doubles | None]:
    """A block's records on one axis; the tables have the flux's record dimensions or none."""
    flux = np.asarray(flux, dtype=np.float32)
    records, energies, pitch_angles = flux.shape[:-2], flux.shape[-2], flux.shape[-1]
    n = int(np.prod(records, dtype=np.int64))
    if energy_table is not None:
        energy_table = np.broadcast_to(energy_table, (*records, energies)).reshape(n, energies)
    if pitch_angle_table is not None:
        own = np.asarray(pitch_angle_table)
        by_energy = own.ndim == len(records) + 2
        shape = (energies, pitch_angles) if by_energy else (pitch_angles,)
        pitch_angle_table = np.broadcast_to(own, (*records, *shape)).reshape(n, *shape)
    return flux.reshape(n, energies, pitch_angles), energy_table, pitch_angle_table


def checked_record_dims(flux: xr.DataArray) -> tuple[str, ...]:
    """Every dim that is neither energy nor pitch angle."""
    lacking = [d for d in CELL_DIMS if d not in flux.dims]
    if lacking:
        raise OptionError(
            f"{flux.name or 'the flux'} has dims {flux.dims}, without {' and '.join(lacking)}: "
            "pass a canonical flux, such as ds.pad.flux"
        )
    return tuple(str(d) for d in flux.dims if d not in CELL_DIMS)


def units_of(flux: xr.DataArray) -> str:
    """The units of a flux, CF's attribute before ISTP's; nothing where none are told."""
    return str(flux.attrs.get("units") or flux.attrs.get("UNITS") or "")


def record_arrays(flux: xr.DataArray) -> list[xr.DataArray | None]:
    """A canonical flux and the tables of its varying axes, records in sorted order of dims."""
    dims = sorted(record_dims(flux), key=str)
    bare = flux.reset_coords(drop=True).transpose(*dims, ENERGY, PITCH_ANGLE)
    found = tables(flux)
    ordered: list[xr.DataArray | None] = [bare]
    for role in (ENERGY, PITCH_ANGLE):
        table = found.get(TABLES[role])
        if table is not None:
            table = table.transpose(*(d for d in bare.dims if d in table.dims))
        ordered.append(table)
    return ordered


def require_records(flux: xr.DataArray) -> None:
    """Refuse data without a record.

    Raises
    ------
    NotEnoughDataError
    """
    if flux.size == 0:
        sizes = ", ".join(f"{d}: {flux.sizes[d]}" for d in record_dims(flux))
        raise NotEnoughDataError(f"{flux.name} has no records ({sizes})")


def flux_records(flux: xr.DataArray) -> Records:
    """The records of a canonical flux: flux, energy table, pitch-angle table."""
    return Records.of(record_arrays(flux), record_dims(flux))
