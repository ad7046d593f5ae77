"""Missions as data: what is known of each product, one row of ``missions.toml`` each.

A row that fits a variable says which axes it has, and stands in for what the metadata lack or get wrong.
It counts more than metadata and less than what a user states; without a row, everything is recognised
from evidence as before.
"""

from __future__ import annotations

import tomllib
from collections.abc import Hashable, Iterator, Mapping, Sequence
from dataclasses import MISSING, dataclass, field, fields
from difflib import get_close_matches
from fnmatch import fnmatchcase
from functools import cache
from importlib.resources import files
from pathlib import Path
from types import MappingProxyType
from typing import TYPE_CHECKING, Any

import numpy as np
import xarray as xr

from xpad.errors import OptionError
from xpad.roles import metadata, units
from xpad.roles.axes import MISSION_ATTR, ROLE_ATTRS
from xpad.roles.evidence import judged
from xpad.roles.words import SPECIES, surely_pitch_angles

if TYPE_CHECKING:
    import pandas as pd

ZERO_IS_MISSING = "xpad_zero_is_missing"
"""Attribute of a flux whose empty bins hold zero."""
PLACE_ATTR = "xpad_mission_place"
"""Attribute of a flux: which of its row's fluxes it is."""
VERIFIED = ("real", "run", "read")
_NOTHING: Mapping[str, Any] = MappingProxyType({})
_ROLES = ("pitch_angle", "energy")


@dataclass(frozen=True)
class Product:
    """What is known of one product.

    Attributes
    ----------
    id : str
        ``mission.instrument`` by which it is called.
    mission, product : str
        For a person.
    verified : {"real", "run", "read"}
        On a real file; by the real loader on a file of its structure; in metadata or source only.
    flux : mapping
        Names of its variables, with ``*``, ``?`` and ``[…]``, to the species; the first is preferred.
    where : mapping
        Global attributes, and what they must be like; empty where the names alone tell.
    order : tuple of {"pitch_angle", "energy"}
        The axes of the flux after its records, for data that name no variables of them.
    pitch_angle, energy : tuple of str
        Names of the variables with the values, with ``*`` and ``?``.
    flux_units, pitch_angle_units, energy_units : str
        Stand in for units that are missing or of another kind of quantity.
    zero_is_missing : bool
        Whether empty bins hold zero.
    pitch_angle_edges : bool
        Whether pitch angles are given as n labels from 0 to 180 of n bins of equal width.
    quality : mapping
        ``variable`` and either ``good``, the values that are good, or ``bad_bits``, bits that are not.
    loader : mapping
        ``function`` of ``pyspedas.projects``, its arguments, and ``then``, what makes the PAD.
    cadence, fills, note, reference : str
    pad : bool
        Whether it holds pitch angles at all, as far as is known.
    """

    id: str
    mission: str
    product: str
    verified: str
    flux: Mapping[str, str] = field(default_factory=dict)
    where: Mapping[str, str] = field(default_factory=dict)
    order: tuple[str, ...] = ()
    pitch_angle: tuple[str, ...] = ()
    energy: tuple[str, ...] = ()
    flux_units: str = ""
    pitch_angle_units: str = ""
    energy_units: str = ""
    zero_is_missing: bool = False
    pitch_angle_edges: bool = False
    quality: Mapping[str, Any] = field(default_factory=dict)
    loader: Mapping[str, Any] = field(default_factory=dict)
    cadence: str = ""
    fills: str = ""
    note: str = ""
    reference: str = ""
    pad: bool = True

    def __str__(self) -> str:
        return f"{self.id}: {self.mission} {self.product}"

    @property
    def species(self) -> tuple[str, ...]:
        """Its species, each once."""
        return tuple(dict.fromkeys(found for found in self.flux.values() if found))

    def place(self, name: str) -> int | None:
        """Which of its fluxes a name is, by their order; None where it is none of them."""
        fits = (n for n, pattern in enumerate(self.flux) if fnmatchcase(name, pattern))
        return next(fits, None)

    def holds(self, stated: Mapping[Any, Any]) -> bool:
        """Whether global attributes are those of its files."""
        return all(
            any(fnmatchcase(text.lower(), pattern.lower()) for text in _texts(stated.get(key)))
            for key, pattern in self.where.items()
        )


def _texts(stated: Any) -> list[str]:
    """A global attribute as texts; CDF files have several entries of one."""
    entries = [stated] if isinstance(stated, str) else [*np.ravel(stated)] if _many(stated) else []
    return [entry.strip() for entry in entries if isinstance(entry, str)]


def _many(stated: Any) -> bool:
    return isinstance(stated, list | tuple | np.ndarray)


# -- the table -------------------------------------------------------------------------------------


@cache
def _shipped() -> tuple[Product, ...]:
    text = files("xpad.roles").joinpath("missions.toml").read_text(encoding="utf-8")
    return tuple(_product(row, "missions.toml") for row in tomllib.loads(text)["product"])


_registered: dict[str, Product] = {}


def products() -> tuple[Product, ...]:
    """All rows, those that were registered first; a registered one replaces that of its id."""
    return (*_registered.values(), *(p for p in _shipped() if p.id not in _registered))


def product(name: str) -> Product:
    """The row with an id.

    Raises
    ------
    OptionError
        There is none.
    """
    known = {row.id: row for row in products()}
    if name not in known:
        close = get_close_matches(name, known, n=1)
        hint = f"; did you mean {close[0]!r}?" if close else ""
        raise OptionError(
            f"no product is called {name!r}{hint} xpad.missions() lists them, and "
            "xpad.register_mission adds one"
        )
    return known[name]


def missions() -> pd.DataFrame:
    """List the products that are known, one a row.

    Returns
    -------
    pandas.DataFrame
        By ``id``: mission, product, species, how it was verified (``real``: on a real file; ``run``: by
        the real loader on a file of its structure; ``read``: in metadata only), whether it holds
        PADs, names, axes, units, repairs, quality flags, loader, cadence, fills, note and reference,
        as in ``missions.toml``.

    Examples
    --------
    >>> import xpad
    >>> xpad.missions().loc["rbsp.rept", ["mission", "product", "verified"]].tolist()
    ['Van Allen Probes', 'REPT L3, electrons', 'run']
    """
    import pandas as pd

    columns = [f.name for f in fields(Product)]
    columns.insert(columns.index("product") + 1, "species")
    rows = [{name: getattr(row, name) for name in columns} for row in products()]
    return pd.DataFrame(rows, columns=columns).set_index("id")


def register_mission(row: Mapping[str, Any] | str | Path | None = None, **known: Any) -> list[str]:
    """Add products to those that are known, until the process ends.

    Parameters
    ----------
    row : mapping, or path of a TOML file
        The fields of one product, or a file with rows ``[[product]]`` of them.
    **known
        The fields of one product: ``id``, ``mission``, ``product`` and ``verified`` at least; see
        `xpad.missions` for the others.

    Returns
    -------
    list of str
        The ids that were added. One that was known already is replaced.

    Raises
    ------
    OptionError
        A field is missing, unknown or of the wrong kind, or the file is no TOML.

    Examples
    --------
    >>> import xpad
    >>> xpad.register_mission(id="mine.sensor", mission="Mine", product="sensor", verified="read",
    ...                       flux={"my_flux": "electron"}, pitch_angle=["my_angle"])
    ['mine.sensor']
    """
    if isinstance(row, str | Path):
        if known:
            raise OptionError("give either a TOML file or the fields of one product, not both")
        rows, source = _rows_of(Path(row)), str(row)
    else:
        rows, source = [{**(row or {}), **known}], "register_mission"
    found = [_product(fields_of, source) for fields_of in rows]
    _registered.update({made.id: made for made in found})
    return [made.id for made in found]


def _rows_of(path: Path) -> list[Mapping[str, Any]]:
    try:
        read = tomllib.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError as error:
        raise OptionError(f"{path}: there is no such file") from error
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise OptionError(f"{path} is no TOML ({error})") from error
    rows = read.get("product")
    if not isinstance(rows, list) or not rows:
        raise OptionError(f"{path} has no rows: each begins with the line [[product]]")
    return rows


def _product(row: Mapping[str, Any], source: str) -> Product:
    """A checked row."""
    known = {f.name: f for f in fields(Product)}
    told = f"{source}: product {row.get('id', '(without id)')!r}"
    for name in row:
        if name not in known:
            close = get_close_matches(str(name), known, n=1)
            hint = f"; did you mean {close[0]!r}?" if close else ""
            raise OptionError(f"{told} has a field {name!r}, which there is not{hint}")
    needed = [n for n, f in known.items() if f.default is f.default_factory is MISSING]
    lacking = [name for name in needed if not row.get(name)]
    if lacking:
        raise OptionError(f"{told} lacks {', '.join(map(repr, lacking))}")
    return Product(**{name: _checked(told, name, value) for name, value in row.items()})


def _checked(told: str, name: str, value: Any) -> Any:
    kind = next(f.type for f in fields(Product) if f.name == name)
    if str(kind) == "bool":
        good, wanted = isinstance(value, bool), "true or false"
    elif str(kind).startswith("tuple"):
        good = _many(value) and all(isinstance(text, str) for text in value)
        wanted = "a list of texts"
    elif str(kind).startswith("Mapping"):
        good, wanted = (
            isinstance(value, Mapping) and all(isinstance(k, str) for k in value),
            "a table",
        )
    else:
        good, wanted = isinstance(value, str), "a text"
    if good and name in _CHECKS:
        good, wanted = _CHECKS[name](value)
    if not good:
        raise OptionError(f"{told}: {name} is {value!r}, and must be {wanted}")
    if str(kind).startswith("tuple"):
        return tuple(value)
    return MappingProxyType(dict(value)) if isinstance(value, Mapping) else value


def _of_kind(*kinds: str) -> Any:
    told = " or ".join(kinds)
    return lambda text: (units.kind_of(text) in kinds, f"units of {told}, as 'keV' or 'deg' are")


_CHECKS = {
    "verified": lambda text: (text in VERIFIED, f"one of {', '.join(VERIFIED)}"),
    "order": lambda order: (
        set(order) <= set(_ROLES) and len(set(order)) == len(order),
        "of 'pitch_angle' and 'energy', each once",
    ),
    "flux": lambda table: (
        all(species in (*SPECIES, "") for species in table.values()),
        f"names to one of {', '.join(SPECIES)}, or ''",
    ),
    "where": lambda table: (all(isinstance(v, str) for v in table.values()), "attributes to texts"),
    "pitch_angle_units": _of_kind(units.ANGLE),
    "energy_units": _of_kind(units.ENERGY),
    "quality": lambda table: (
        isinstance(table.get("variable"), str) and len({"good", "bad_bits"} & set(table)) == 1,
        "a variable with either good, a list of values, or bad_bits, a number",
    ),
    "loader": lambda table: (isinstance(table.get("function"), str), "a table with a function"),
}
"""What a field must be beyond its type: whether it is so, and how that is said."""


# -- a row and a Dataset ----------------------------------------------------------------------------


def known(ds: xr.Dataset) -> dict[Hashable, Product]:
    """The variables of a Dataset that are a known product's flux.

    Examples
    --------
    >>> import xpad
    >>> {name: row.id for name, row in known(xpad.simulate(days=0.1)).items()}
    {'FEDU': 'rbsp.rept'}
    """
    found: dict[Hashable, Product] = {}
    rows = [row for row in products() if row.flux]
    for name, variable in ds.data_vars.items():
        if variable.ndim and variable.dtype.kind in "fiu":
            fits = (r for r in rows if r.place(str(name)) is not None and _stated(ds, name, r))
            if (row := next(fits, None)) is not None:
                found[name] = row
    return found


def _stated(ds: xr.Dataset, name: Hashable, row: Product) -> bool:
    if not row.where or row.holds(ds.attrs):
        return True
    nested = metadata.mapping(ds.variables[name].attrs, "CDF")
    return row.holds(metadata.mapping(nested, "GATT"))


def informed(ds: xr.Dataset) -> xr.Dataset:
    """A Dataset with what the table knows of it: roles, and repairs of attributes.

    Parameters
    ----------
    ds : xarray.Dataset
        Not changed; it is returned itself where no row fits. Nothing is computed.
    """
    rows = known(ds)
    if not rows:
        return ds
    ds = ds.copy()
    for name, row in rows.items():
        flux = ds[name].attrs
        flux.update({MISSION_ATTR: row.id, PLACE_ATTR: row.place(str(name))})
        _repair_units(flux, row.flux_units)
        species = list(row.flux.values())[row.place(str(name)) or 0]
        if species:
            flux.setdefault("species", species)
        if row.zero_is_missing:
            flux[ZERO_IS_MISSING] = 1
        axes = {role: _axis(ds, name, row, role) for role in _ROLES}
        for role, axis in axes.items():
            if axis is not None:
                _repair_units(ds[axis].attrs, getattr(row, f"{role}_units"), flux)
        if axes["pitch_angle"] is not None and row.pitch_angle_edges:
            ds = _with_centres(ds, axes["pitch_angle"])
        found = {ROLE_ATTRS[r]: str(axis) for r, axis in axes.items() if axis is not None}
        if not any(_contradicted(ds, a, r) for r, a in axes.items() if a is not None):
            ds[name].attrs.update(found)
    return ds


def _axis(ds: xr.Dataset, name: Hashable, row: Product, role: str) -> Hashable | None:
    """The variable with an axis's values, by its name, else by the order of the axes."""
    flux = ds.variables[name]
    patterns = getattr(row, role)
    for pattern in patterns:
        for variable, found in ds.variables.items():
            fits = fnmatchcase(str(variable), pattern) and variable != name
            along = set(found.dims) <= set(flux.dims) and set(found.dims) & set(flux.dims[1:])
            if fits and along and found.dtype.kind in "fiu":
                return variable
    if patterns and any(metadata.text_of(flux.attrs, f"DEPEND_{n}") for n in (1, 2, 3)):
        return None  # the data name their axes, and these are others than the row's
    return _by_order(ds, flux, row.order).get(role)


def _by_order(ds: xr.Dataset, flux: xr.Variable, order: tuple[str, ...]) -> dict[str, Hashable]:
    """The coordinates along the axes, in the row's order; unless values tell that they were swapped."""
    if not order or flux.ndim != len(order) + 1:
        return {}
    coordinates = []
    for dim in flux.dims[1:]:
        called = dim if dim in ds.coords else str(dim).removesuffix("_dim")
        if called not in ds.coords or ds.variables[called].dtype.kind not in "fiu":
            return {}
        coordinates.append(called)
    sure = [_surely_angles(ds.variables[c]) for c in coordinates]
    if len(order) == 2 and sum(sure) == 1 and order[sure.index(True)] != "pitch_angle":
        order = order[::-1]
    return dict(zip(order, coordinates, strict=True))


def _surely_angles(variable: xr.Variable) -> bool:
    return variable._in_memory and variable.size > 0 and surely_pitch_angles(variable.values)


def _repair_units(attrs: dict[Any, Any], known: str, flux: Mapping[Any, Any] = _NOTHING) -> None:
    """Give units where there are none, or of another kind than is known; those of a flux are no axis's."""
    stated = metadata.units(attrs)
    wrong = stated == metadata.units(flux) or units.kind_of(stated) != units.kind_of(known)
    if known and (not stated or wrong):
        attrs["units"] = known


def _with_centres(ds: xr.Dataset, axis: Hashable) -> xr.Dataset:
    """Turn n labels from 0 to 180 into the centres of n bins of equal width."""
    variable = ds.variables[axis]
    if variable.ndim != 1 or not variable._in_memory:
        return ds
    size = variable.size
    if not np.allclose(variable.values, np.linspace(0, 180, size)):
        return ds
    centres = (np.arange(size) + 0.5) * 180 / size
    return ds.assign_coords({axis: (variable.dims, centres, variable.attrs)})


def _contradicted(ds: xr.Dataset, axis: Hashable, role: str) -> bool:
    """Whether units or values rule an axis out, whatever the row says."""
    variable = ds.variables[axis]
    values = variable.values if variable._in_memory and variable.size else None
    return bool(judged(role, role, {}, values, metadata.units(variable.attrs)).against)


def good(ds: xr.Dataset, name: Hashable) -> xr.DataArray | None:
    """Where the quality flags of a known product are good.

    Parameters
    ----------
    ds : xarray.Dataset
        The data, as they are.
    name : hashable
        The flux.

    Returns
    -------
    xarray.DataArray or None
        bool, on those of the flux's dimensions that the flags have, lazy where these are; of flags
        with several columns a record, all must be good. None where no flags are known of it.

    Examples
    --------
    >>> import numpy as np, xarray as xr, xpad
    >>> _ = xpad.register_mission(id="mine.flagged", mission="Mine", product="flagged", verified="read",
    ...                           flux={"my_j": ""}, quality={"variable": "my_q", "bad_bits": 2})
    >>> ds = xr.Dataset({"my_j": (("t", "a"), np.ones((3, 2))), "my_q": ("t", [0, 1, 3])})
    >>> good(ds, "my_j").values
    array([ True,  True, False])
    """
    row = known(ds).get(name)
    if row is None:
        return None
    for flags in _flags(ds, name, row):
        if "good" in row.quality:
            fine = flags.isin(list(row.quality["good"]))
        else:
            fine = (flags & flags.dtype.type(row.quality["bad_bits"])) == 0
        columns = [dim for dim in flags.dims if dim not in ds[name].dims]
        return fine.all(columns) if columns else fine
    return None


def _flags(ds: xr.Dataset, name: Hashable, row: Product) -> Iterator[xr.DataArray]:
    """Variables with its quality flags that lie along its records."""
    pattern = row.quality.get("variable")
    for variable in ds.variables if pattern else ():
        flags = ds[variable]
        if not fnmatchcase(str(variable), str(pattern)) or flags.dtype.kind not in "iuf":
            continue
        if flags.ndim and flags.dims[0] in ds[name].dims:
            yield flags if flags.dtype.kind in "iu" or "good" in row.quality else flags.astype("i8")


def listed(rows: Sequence[Product]) -> str:
    """The table as text for a terminal: id, product, species, whether it holds PADs, how verified."""
    told = [("id", "mission", "product", "species", "PAD", "verified")] + [
        (r.id, r.mission, r.product, ", ".join(r.species), "yes" if r.pad else "no", r.verified)
        for r in rows
    ]
    widths = [max(len(line[column]) for line in told) for column in range(len(told[0]))]
    return "\n".join(
        "  ".join(text.ljust(width) for text, width in zip(line, widths, strict=True)).rstrip()
        for line in told
    )
