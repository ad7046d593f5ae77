"""The input Dataset with labels of a fitted model, lazily."""

from __future__ import annotations

import json
from collections.abc import Hashable
from typing import Any

import numpy as np
import xarray as xr
from numpy.typing import NDArray

from xpad.errors import GridMismatchError, OptionError
from xpad.fitting.splitter import split_of_records, splitter
from xpad.model.model import Model
from xpad.model.provenance import identity
from xpad.pads.canonical import raw_flux
from xpad.pads.clean import Limits, limits_of
from xpad.pads.grid import Grid, as_table, in_energy_units, require_same_grid, selected
from xpad.pads.quality import FLAG_ATTRS, OK
from xpad.pads.records import ENERGY, PITCH_ANGLE, TABLES, over_records, varies
from xpad.results.variables import (
    UNUSABLE,
    _without_coords_of,
    _without_former,
    component_attrs,
    label_attrs,
    learned,
    require_prefix,
    result_attrs,
    warn_of_no_label,
)
from xpad.roles.axes import ROLE_ATTRS
from xpad.roles.recognise import as_dataset
from xpad.stages.split import SPLIT_ATTRS
from xpad.storage.storable import storable


def predict(
    obj: xr.Dataset | xr.DataArray,
    model: Model,
    variable: str | None = None,
    *,
    prefix: str = "pad",
) -> xr.Dataset:
    """Label every record with a fitted model; computes nothing until asked.

    Parameters
    ----------
    obj : xarray.Dataset or xarray.DataArray
        Data on the model's energies and pitch angles; axes that vary in time
        are put onto them.
    model : Model
    variable : str, optional
        The flux; by default the one that the model was fitted on, where the
        data have it.
    prefix : str
        Begins the names of everything added.

    Returns
    -------
    xarray.Dataset
        As `cluster`, without ``pad_split``. Its label, components, error and
        flag are computed together; where only labels are wanted, `xpad.label`
        takes less time.

    Raises
    ------
    GridMismatchError
        The data are on another grid than the model; both are named.

    Examples
    --------
    >>> import xpad
    >>> ds = xpad.simulate(days=0.5)
    >>> model = xpad.fit(ds, encoder=None, k=6, progress=False)
    >>> bool((xpad.predict(ds, model).pad_label.max() < 6).compute())
    True
    """
    ds, flux = checked(obj, model, variable)
    return labelled_from(ds, flux, model, prefix, fitted=False)


def checked_flux(
    obj: xr.Dataset | xr.DataArray, model: Model, variable: str | None = None
) -> xr.DataArray:
    """The canonical flux that a model is meant for; refused where its grid is another."""
    return checked(obj, model, variable)[1]


def checked(
    obj: xr.Dataset | xr.DataArray, model: Model, variable: str | None
) -> tuple[xr.Dataset, xr.DataArray]:
    """The flux that the model is meant for, on the model's grid."""
    if not isinstance(model, Model):
        raise OptionError(
            f"model is a {type(model).__name__}; give what ds.pad.fit() or xpad.load_model(path) returned"
        )
    ds = as_dataset(obj)
    fitted = model.provenance["input"]["variable"]
    assigned = ROLE_ATTRS["flux"] in ds.attrs
    if variable is None and not assigned and isinstance(obj, xr.Dataset) and fitted in ds.data_vars:
        variable = fitted
    flux = selected(raw_flux(ds, variable), model.settings, model.grid.energy_units)
    units = str(flux.attrs.get("units", ""))
    if model.settings.background is not None and units != model.grid.flux_units:
        raise GridMismatchError(
            f"the model's background={model.settings.background} is in {model.grid.flux_units!r} and "
            f"the flux {flux.name} is in {units!r}; convert it, or fit a model on these data"
        )
    for role in model.provenance["varying"]:
        flux = as_table(flux, role)
    flux = in_energy_units(flux, model.grid.energy_units)
    _require_grid(flux, model)
    return ds, flux


def _require_grid(flux: xr.DataArray, model: Model) -> None:
    """Compare the axes that do not vary; those that do are put onto the model's grid."""
    energy, pitch_angle = model.grid.energy, model.grid.pitch_angle
    source = flux.coords[TABLES[ENERGY] if varies(flux, ENERGY) else ENERGY]
    units = str(source.attrs.get("units", ""))
    if ENERGY in flux.coords:
        energy = flux.coords[ENERGY].values
    if PITCH_ANGLE in flux.coords:
        pitch_angle = flux.coords[PITCH_ANGLE].values
    require_same_grid(Grid(energy, pitch_angle, units), model.grid, flux)


def labelled_from(
    ds: xr.Dataset, flux: xr.DataArray, model: Model, prefix: str, *, fitted: bool
) -> xr.Dataset:
    """The Dataset with labels of its canonical flux; with the split, where it was fitted on."""
    require_prefix(prefix)
    columns = packed(flux, model, prefix)
    column = f"{prefix}_packed"
    if columns.chunks is None and columns.size and not (columns.isel({column: 0}) >= 0).any():
        warn_of_no_label(model, prefix)
    component = f"{prefix}_component"
    pc = columns.isel({column: slice(3, None)}).rename({column: component})
    added: dict[Hashable, Any] = {
        f"{prefix}_label": columns.isel({column: 0}).astype(np.int16).assign_attrs(label_attrs(model)),
        f"{prefix}_pc": pc.assign_attrs(component_attrs(model)),
        f"{prefix}_error": columns.isel({column: 2}).assign_attrs(
            long_name="root mean square of normalised PAD minus reconstruction, over measured bins",
            units="1",
        ),
        f"{prefix}_flag": columns.isel({column: 1}).astype(np.int8).assign_attrs(FLAG_ATTRS),
    }  # fmt: skip
    added.update(learned(model, prefix))
    if fitted:
        added[f"{prefix}_split"] = _splits(ds, flux, model, added[f"{prefix}_flag"])
    made = set(added) - {f"{prefix}_split"}
    # Without the coordinates that the Dataset has: xarray takes those of a MultiIndex one by one.
    bare = {n: _without_coords_of(ds, a) for n, a in added.items()}
    out = storable(_without_former(ds, made, prefix)).assign(bare)
    out.attrs[f"{prefix}_input"] = json.dumps(identity(ds, flux))
    return out.assign_attrs(result_attrs(model, prefix))


def packed(
    flux: xr.DataArray, model: Model, prefix: str = "pad", *, with_error: bool = True
) -> xr.DataArray:
    """Label, flag, error and components of every record, side by side on ``{prefix}_packed``."""
    return over_records(
        flux,
        _predicted,
        f"{prefix}_packed",
        3 + model.n_components,
        name="xpad-predict",
        limits=limits_of(flux.attrs),
        model=model,
        with_error=with_error,
    )


def _predicted(
    flux: Any, energies: Any, pitch_angles: Any, *, limits: Limits, model: Model, with_error: bool
) -> NDArray[np.float32]:
    return model.predict_rows(flux, energies, pitch_angles, limits=limits, with_error=with_error)


def _splits(ds: xr.Dataset, flux: xr.DataArray, model: Model, flag: xr.DataArray) -> xr.DataArray:
    """The split of every record; -1 where it is unusable."""
    split = split_of_records(flux, splitter(flux, ds, model.settings, model.provenance["split"]))
    attrs = {**SPLIT_ATTRS, "comment": "-1 is unusable"}
    # On variables: xr.where of arrays would drop the attributes of their coordinates.
    usable = flag.variable == OK
    found = xr.where(usable, split.variable.transpose(*flag.dims), np.int8(UNUSABLE)).astype(
        np.int8
    )
    return xr.DataArray(found, coords=flag.coords, attrs=attrs)
