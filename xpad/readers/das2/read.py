"""das2 streams of version 2.2 (``.d2s``), text and binary.

A stream is a row of packets. ``[00]`` and ``[01]``…``[99]`` are headers: six digits of length, then
that many bytes of XML; ``[xx]`` are comments. ``:01:`` starts a data packet of the kind that header
``[01]`` describes, whose length follows from the header: one x value, then the items of each plane
(``y``, ``z``, ``yscan``), each of a fixed number of bytes. Definition: das2.2.2 Interface Control
Document, University of Iowa, https://github.com/das-developers/das2docs.
"""

from __future__ import annotations

import math
import re
from collections import ChainMap
from collections.abc import Collection, Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import xarray as xr
from numpy.typing import NDArray

from xpad.errors import ReaderError, warn
from xpad.readers import times
from xpad.readers.das2.stream import _BINARY, Packets, Plane, read_stream
from xpad.readers.skipping import Skipping
from xpad.storage.storable import storable

#: Units of x that are a time: start, and seconds in one unit. Leap seconds are not counted.
_TIME_UNITS = {
    "us2000": ("2000-01-01", 1e-6),
    "t2000": ("2000-01-01", 1.0),
    "us1980": ("1980-01-01", 1e-6),
    "t1970": ("1970-01-01", 1.0),
    "mj1958": ("1958-01-01", 86400.0),
    "mjd1958": ("1958-01-01", 86400.0),
    "mjd": ("1858-11-17", 86400.0),
}
_SPAN_UNITS = {
    "days": 86400.0,
    "hr": 3600.0,
    "min": 60.0,
    "s": 1.0,
    "ms": 1e-3,
    "microseconds": 1e-6,
    "nanoseconds": 1e-9,
}
_ENERGY_UNITS = {"ev": "eV", "kev": "keV", "mev": "MeV"}
_BAND = re.compile(r"(\S+)\s+\(\s*([-+.\dEe]+)\s*,\s*([-+.\dEe]+)\s*\)\s*([kM]?eV)")


@dataclass(frozen=True)
class Quantity:
    """One variable of one stream: its values, its axis, and what its title tells.

    Attributes
    ----------
    name : str
    x : numpy.ndarray
        Times as datetime64[ns], or numbers.
    x_name : str
    values : numpy.ndarray
        (records,) or (records, items).
    axis : tuple or None
        Name, values and attributes of the second dimension.
    attrs : dict
    """

    name: str
    x: NDArray
    x_name: str
    values: NDArray
    axis: tuple[str, NDArray, dict[str, str]] | None
    attrs: dict[str, Any]

    @property
    def identity(self) -> tuple[Any, ...]:
        """What two quantities share that are the same one at other times."""
        axis = None
        if self.axis is not None:
            axis = (self.axis[0], self.axis[1].tobytes(), self.axis[2].get("units"))
        bounds = self.attrs.get("energy_bounds")
        band = tuple(bounds) if bounds is not None else None
        title = None if band is not None else self.attrs.get("TITLE")
        units = self.attrs.get("units")
        return self.name, self.x_name, units, self.attrs.get("species"), band, title, axis


def read_das2(
    paths: Sequence[str],
    variable: str | Collection[str] | None = None,
    *,
    on_error: str = "raise",
    drop_variables: Collection[str] = (),
) -> xr.Dataset:
    """Read das2 streams into one Dataset.

    Parameters
    ----------
    paths : sequence of str
        The same quantity in several files is joined in time; different species (or energy bands)
        become variables of their own, with the species in the name: ``Intensity_O``.
    variable : str or several, optional
        Keep only these.
    on_error : {"raise", "skip"}
        As for `xpad.open_dataset`.
    drop_variables : collection of str
        Variables to leave out.

    Returns
    -------
    xarray.Dataset
        Variables (time, pitch_angle) or (time, energy), in memory, raw: fill values as they stand,
        FILLVAL as the header has it (which may not be what the data use). Species and energy band
        are taken from the TITLE: attributes ``species``, ``energy_bounds``, ``energy_units``, and a
        scalar coordinate ``energy``, the geometric mean of the band.

    Raises
    ------
    ReaderError
        If a stream is malformed; it names the file and the position in bytes.

    Warns
    -----
    XpadWarning
        Of a file that ends within a packet: what is whole before that is read.
    """
    skipping = Skipping(paths, on_error)
    quantities: list[Quantity] = []
    for path in paths:
        with skipping.tolerate(path):
            quantities.extend(_quantities(path))
    skipping.require_some()
    dataset = _dataset(_joined(quantities))
    if variable is not None:
        asked = [variable] if isinstance(variable, str) else list(variable)
        missing = [name for name in asked if name not in dataset]
        if missing:
            known = ", ".join(map(str, dataset.data_vars))
            raise ReaderError(f"{paths[0]} holds no variable {missing[0]!r}. It holds {known}.")
        dataset = dataset[asked]
    dataset = dataset.drop_vars(drop_variables, errors="ignore")
    skipping.tell(dataset)
    dataset.encoding["source"] = paths[0] if len(paths) == 1 else list(paths)
    for item in dataset.variables.values():
        if item.dims and item.dims[0] not in item.dims[1:] and str(item.dims[0]).startswith("time"):
            item.encoding["preferred_chunks"] = {item.dims[0]: max(item.shape[0], 1)}
    return storable(dataset)


# The stream -------------------------------------------------------------------------------------


def _quantities(path: str) -> Iterator[Quantity]:
    try:
        with open(path, "rb") as file:
            data = file.read()
    except OSError as error:
        raise ReaderError(f"{path} cannot be opened: {error.strerror or error}.") from error
    stream = read_stream(data, path)
    if not stream.packets:
        raise ReaderError(f"{path} holds no data packets (no header [01] in {len(data)} bytes).")
    for kind in stream.packets:
        yield from _decode(kind, path)
    if stream.short:
        records = sum(len(kind.rows) for kind in stream.packets)
        warn(
            f"{path} is truncated: it ends {stream.short}. What is whole before that is read, "
            f"{records} record{'s' * (records != 1)}; fetch it again for the rest."
        )


# Decoding ---------------------------------------------------------------------------------------


def _decode(packets: Packets, path: str) -> Iterator[Quantity]:
    """Turn all packets of one kind into arrays."""
    table = np.frombuffer(b"".join(packets.rows), dtype="u1").reshape(-1, packets.length)
    columns = []
    offset = 0
    for plane in packets.planes:
        width = plane.width * plane.items
        columns.append(_numbers(table[:, offset : offset + width], plane, path))
        offset += width
    x_plane, *planes = packets.planes
    x = _x_values(columns[0][:, 0], x_plane, path)
    x_name = "time" if x.dtype.kind == "M" else x_plane.attrs.get("name") or "x"
    for number, (plane, values) in enumerate(zip(planes, columns[1:], strict=True)):
        is_scan = plane.kind == "yscan"
        axis = _axis(plane, path) if is_scan else None
        yield Quantity(
            name=_name(plane, number, len(planes)),
            x=x,
            x_name=x_name,
            values=values if is_scan else values[:, 0],
            axis=axis,
            attrs=_attrs(plane),
        )


def _numbers(table: NDArray[np.uint8], plane: Plane, path: str) -> NDArray:
    contiguous = np.ascontiguousarray(table)
    if plane.encoding in _BINARY:
        dtype = np.dtype(_BINARY[plane.encoding])
        return contiguous.view(dtype).astype(dtype.newbyteorder("="))
    text = contiguous.view(f"S{plane.width}")
    if plane.encoding.startswith("time"):
        if plane.kind == "x":
            return text
        return _parse_times(text.ravel(), path).reshape(text.shape)
    try:
        return text.astype("f8")
    except ValueError as error:
        bad = next(
            (row, item) for row in range(len(text)) for item in text[row] if not _is_number(item)
        )
        raise ReaderError(
            f"{path}: data packet {bad[0] + 1} holds {bad[1]!r} where a number of "
            f"{plane.width} characters was expected."
        ) from error


def _is_number(text: bytes) -> bool:
    try:
        float(text)
    except ValueError:
        return False
    return True


def _x_values(values: NDArray, plane: Plane, path: str) -> NDArray:
    if plane.encoding.startswith("time"):
        return _parse_times(values, path)
    units = plane.attrs.get("units", "")
    base = plane.attrs.get("base")
    if units.lower() == "tt2000":
        return times.decode(values.astype("i8"), "CDF_TIME_TT2000")
    if units.lower() == "cdfepoch":
        return times.decode(values, "CDF_EPOCH")
    if base is not None and units in _SPAN_UNITS:
        origin, seconds = _parse_times(np.array([base.encode()]), path)[0], _SPAN_UNITS[units]
        if np.isnat(origin):
            raise ReaderError(f"{path}: its times count from base={base!r}, which is out of range.")
    elif units in _TIME_UNITS:
        start, seconds = _TIME_UNITS[units]
        origin = np.datetime64(start, "ns")
    else:
        return values
    since_1970, fraction = divmod(int(np.datetime64(origin, "ns").astype("i8")), 10**9)
    per_second = round(1 / seconds)
    if seconds < 1:  # whole seconds apart from the rest, so that nothing is rounded away
        whole = np.floor(values / per_second)
        rest = (values - whole * per_second) * seconds
    else:
        whole = np.floor(values) * seconds
        rest = (values - np.floor(values)) * seconds
    carried = np.floor(rest)
    unix = times.decode(whole + carried + since_1970, "UNIX")
    return unix + np.rint((rest - carried) * 1e9 + fraction).astype("timedelta64[ns]")


def _parse_times(values: NDArray, path: str) -> NDArray[np.datetime64]:
    """Parse ISO 8601 text, with month and day or with the day of the year."""
    try:
        return times.from_iso(value.decode("ascii", errors="replace") for value in values)
    except ValueError as error:
        raise ReaderError(f"{path}: {error}.") from error


def _axis(plane: Plane, path: str) -> tuple[str, NDArray, dict[str, str]]:
    """Return name, values and attributes of the second dimension of a yscan."""
    units = plane.attrs.get("yUnits", "")
    described = plane.properties.get("DEPEND_1") or plane.properties.get("yLabel") or ""
    name = re.sub(r"\W+", "_", re.sub(r"[\[(].*", "", described).strip()).strip("_").lower()
    if units.lower() in _ENERGY_UNITS:
        name = "energy"
    elif "pitch" in name:
        name = "pitch_angle"
    try:
        values = _tags(plane)
    except ValueError as error:
        raise ReaderError(f"{path}: the y tags of a yscan are no numbers ({error}).") from error
    if len(values) != plane.items:
        raise ReaderError(
            f"{path}: a yscan has nitems={plane.items} but {len(values)} values in yTags."
        )
    attrs = {"UNITS": units, "units": units} if units else {}
    if described:
        attrs["long_name"] = _plain(described)
    return name or "y", values, attrs


def _tags(plane: Plane) -> NDArray:
    tags = plane.attrs.get("yTags")
    if tags is not None:
        return np.array([float(tag) for tag in re.split(r"[,\s]+", tags.strip(" ,\t\r\n"))])
    step = float(plane.attrs.get("yTagInterval", "1"))
    last = plane.attrs.get("yTagMax")
    before = (plane.items - 1) * step
    default = float(last) - before if last is not None and "yTagInterval" in plane.attrs else 0
    return float(plane.attrs.get("yTagMin", default)) + step * np.arange(plane.items)


def _plain(label: str) -> str:
    """Return a label without the marks that raise and lower letters (``m!U-1!N``)."""
    return " ".join(re.sub(r"![A-Za-z]", " ", label).split())


def _name(plane: Plane, number: int, planes: int) -> str:
    name = plane.attrs.get("name") or plane.properties.get("NAME") or plane.kind
    is_shared = not plane.attrs.get("name") and planes > 1
    return re.sub(r"\W+", "_", f"{name}_{number}" if is_shared else name)


def _attrs(plane: Plane) -> dict[str, Any]:
    properties = plane.properties
    attrs: dict[str, Any] = {
        key: value for key, value in properties.items() if key not in ("UNITS", "FILL_VALUE")
    }
    units = plane.attrs.get("zUnits") or plane.attrs.get("units") or properties.get("UNITS", "")
    if units:
        attrs["UNITS"] = attrs["units"] = units
    letter = "y" if plane.kind == "y" else "z"
    limits = {
        "FILLVAL": ("FILL_VALUE", f"{letter}Fill", "fill"),
        "VALIDMIN": (f"{letter}ValidMin", "validMin"),
        "VALIDMAX": (f"{letter}ValidMax", "validMax"),
    }
    for attribute, keys in limits.items():
        limit = _nearest_number(properties, keys)
        if limit is not None:
            attrs[attribute] = limit
    title = properties.get("TITLE") or properties.get("title") or ""
    found = _BAND.search(title)
    if found:
        attrs["species"] = found[1]
        attrs["energy_bounds"] = [float(found[2]), float(found[3])]
        attrs["energy_units"] = found[4]
    label = properties.get("LABEL") or properties.get(f"{letter}Label")
    if label:
        attrs["long_name"] = _plain(label)
    return attrs


def _nearest_number(properties: ChainMap[str, str], keys: Iterable[str]) -> float | None:
    """Return a property of the plane, else of its packet, else of the stream; without its unit."""
    for own in properties.maps:
        for key in keys:
            first = own.get(key, "").split()[:1]
            if first and _is_number(first[0].encode()):
                return float(first[0])
    return None


# The Dataset ------------------------------------------------------------------------------------


def _joined(quantities: Iterable[Quantity]) -> list[Quantity]:
    """Join what is the same quantity in time, in the order of the first times."""
    groups: dict[tuple[Any, ...], list[Quantity]] = {}
    for quantity in quantities:
        groups.setdefault(quantity.identity, []).append(quantity)
    out = []
    for members in groups.values():
        ordered = sorted(members, key=lambda one: one.x[:1].tolist())
        joined = replace(
            ordered[0],
            x=np.concatenate([one.x for one in ordered]),
            values=np.concatenate([_with_fill_of(ordered[0], one) for one in ordered]),
        )
        out.append(joined)
    return out


def _with_fill_of(first: Quantity, one: Quantity) -> NDArray:
    """Return the values of `one`, its fill value replaced by that of `first`."""
    fill, own = (quantity.attrs.get("FILLVAL", -1e31) for quantity in (first, one))
    if own == fill or one.values.dtype.kind != "f":
        return one.values
    return np.where(one.values == one.values.dtype.type(own), fill, one.values)


def _dataset(quantities: Sequence[Quantity]) -> xr.Dataset:
    names = _distinct_names(quantities)
    variables: dict[str, xr.Variable] = {}
    coordinates: dict[str, xr.Variable] = {}
    axes = {quantity.axis[0] for quantity in quantities if quantity.axis is not None}
    for quantity, name in zip(quantities, names, strict=True):
        attrs = dict(quantity.attrs)
        suffix = name.removeprefix(quantity.name)
        record = _place(coordinates, quantity.x_name, suffix, quantity.x, {"axis": "T"})
        attrs["DEPEND_0"] = record
        dims = [record]
        if quantity.axis is not None:
            axis, values, axis_attrs = quantity.axis
            dims.append(_place(coordinates, axis, suffix, values, axis_attrs))
            attrs["DEPEND_1"] = dims[1]
        variables[name] = xr.Variable(dims, quantity.values, attrs)
        bounds = attrs.get("energy_bounds")
        is_spectrum = quantity.axis is not None and quantity.axis[0] == "energy"
        if bounds is not None and min(bounds) > 0 and not is_spectrum:
            scalar = (
                "energy" if len(quantities) == 1 and "energy" not in axes else f"energy{suffix}"
            )
            units = attrs["energy_units"]
            mean = xr.Variable(
                (), math.sqrt(bounds[0] * bounds[1]), {"UNITS": units, "units": units}
            )
            coordinates[scalar] = mean
    return xr.Dataset(variables, coordinates)


def _place(
    coordinates: dict[str, xr.Variable], name: str, suffix: str, values: NDArray, attrs: Any
) -> str:
    """Enter a coordinate under its name, or with a suffix where another has that name."""
    for candidate in (name, f"{name}{suffix}", *(f"{name}_{number}" for number in range(2, 1000))):
        found = coordinates.get(candidate)
        if found is None:
            coordinates[candidate] = xr.Variable((candidate,), values, attrs)
            return candidate
        if found.dims == (candidate,) and np.array_equal(found.values, values):
            return candidate
    raise ReaderError(f"More than 1000 different axes are called {name!r}.")


def _distinct_names(quantities: Sequence[Quantity]) -> list[str]:
    """Return names that tell the quantities apart: by species, then axis, then energy band."""

    def species(one: Quantity) -> str:
        return re.sub(r"\W+", "", str(one.attrs.get("species", "")).replace("+", "p"))

    def axis(one: Quantity) -> str:
        return one.axis[0] if one.axis is not None and one.axis[0] != "pitch_angle" else ""

    def band(one: Quantity) -> str:
        bounds = one.attrs.get("energy_bounds")
        units = one.attrs.get("energy_units", "")
        return f"{bounds[0]:g}_{bounds[1]:g}{units}".replace(".", "p") if bounds else ""

    names = [one.name for one in quantities]
    for tell in (species, axis, band):
        repeated = {name for name in names if names.count(name) > 1}
        for number, one in enumerate(quantities):
            if names[number] in repeated and tell(one):
                names[number] = f"{names[number]}_{tell(one)}"
    for number, name in enumerate(names):
        if name in names[:number]:
            names[number] = f"{name}_{number}"
    return names
