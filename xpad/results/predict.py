"""The input Dataset with labels of a fitted model, lazily."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

import numpy as np
import xarray as xr
from numpy.typing import NDArray

from xpad.errors import GridMismatchError
from xpad.fitting.splitter import split_of_records, splitter
from xpad.model.model import Model, require_model
from xpad.model.pipeline import Pipeline
from xpad.model.provenance import identity
from xpad.pads.blocks import Block, Piece
from xpad.pads.canonical import located
from xpad.pads.dims import ENERGY, PITCH_ANGLE
from xpad.pads.flux import Flux
from xpad.pads.grid import Grid, as_table, in_energy_units, require_same_grid, selected
from xpad.pads.quality import OK
from xpad.results.variables import (
    RECORD_VARIABLES,
    Packing,
    learned,
    require_prefix,
    result_attrs,
    usable_only,
    warn_of_no_label,
    without_former,
)
from xpad.roles import units
from xpad.roles.axes import ROLE_ATTRS
from xpad.roles.ours import run
from xpad.roles.recognise import as_dataset
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
    return labelled(flux_for(model, obj, variable), model, prefix, fitted=False)


def flux_for(model: Model, obj: xr.Dataset | xr.DataArray, variable: str | None = None) -> Flux:
    """The flux that a model is meant for; refused where its grid is another.

    Raises
    ------
    OptionError
        What is given is no model.
    GridMismatchError
        The data are on another grid than the model, or in other units than its background.
    """
    require_model(model)
    ds, grid = as_dataset(obj), model.grid
    fitted = model.provenance["input"]["variable"]
    assigned = ROLE_ATTRS["flux"] in ds.attrs
    if variable is None and not assigned and isinstance(obj, xr.Dataset) and fitted in ds.data_vars:
        variable = fitted
    flux = located(ds, variable, settings=model.settings)
    flux = flux.mapped(selected, model.settings, grid.energy_units)
    if model.settings.background is not None and flux.units != grid.flux_units:
        raise GridMismatchError(
            f"the model's background={model.settings.background} is in {grid.flux_units!r} and "
            f"the flux {flux.name} is in {flux.units!r}; convert it, or fit a model on these data"
        )
    kinds = [units.kind_of(stated) for stated in (flux.units, grid.flux_units)]
    if all(kinds) and kinds[0] != kinds[1]:
        raise GridMismatchError(
            f"the flux {flux.name} is in {flux.units!r} ({kinds[0]}), and the model was fitted on one in "
            f"{grid.flux_units!r} ({kinds[1]}); their shapes are not the same: convert it, or fit a model "
            "on these data"
        )
    for axis in model.pipeline.preparation.varying:
        flux = flux.mapped(as_table, axis)
    flux = flux.mapped(in_energy_units, grid.energy_units)
    _require_grid(flux, grid)
    return flux


def _require_grid(flux: Flux, wanted: Grid) -> None:
    """Compare the axes that do not vary; those that do are put onto the model's grid."""
    energy, pitch_angle = (
        own if flux.varies(axis) else flux.array.coords[axis].values
        for axis, own in ((ENERGY, wanted.energy), (PITCH_ANGLE, wanted.pitch_angle))
    )
    require_same_grid(Grid(energy, pitch_angle, flux.energy_units), wanted, flux.array)


def labelled(flux: Flux, model: Model, prefix: str, *, fitted: bool) -> xr.Dataset:
    """The Dataset of a flux with its labels; with the split, where the model was fitted on it."""
    require_prefix(prefix)
    packing = Packing.of(model, fitted=False)
    columns = packed(flux, model, packing, prefix)
    column = f"{prefix}_packed"
    labels = columns.isel({column: packing.place("label")})
    if columns.chunks is None and labels.size and not (labels >= 0).any():
        warn_of_no_label(model, prefix)
    results = {n: unpacked(columns, model, packing, n, prefix) for n in packing.places}
    if fitted:
        results["split"] = _splits(flux, model, results["flag"])
    return with_results(flux, model, results, prefix)


def with_results(
    flux: Flux, model: Model, results: Mapping[str, xr.DataArray | xr.Variable], prefix: str
) -> xr.Dataset:
    """The Dataset of a flux with results of its records, by name, and what the model learned."""
    named = {f"{prefix}_{name}": values for name, values in results.items()}
    # Without the coordinates that the Dataset has: xarray takes those of a MultiIndex one by one.
    added = {n: _without_coords_of(flux.ds, a) for n, a in (named | learned(model, prefix)).items()}
    out = storable(without_former(flux.ds, set(added), prefix)).assign(added)
    out.attrs.pop(run(prefix), None)  # of the store that the data came from
    out.attrs[f"{prefix}_input"] = json.dumps(identity(flux))
    return out.assign_attrs(result_attrs(model, prefix))


def packed(
    flux: Flux, model: Model, packing: Packing, prefix: str = "pad", *, with_error: bool = True
) -> xr.DataArray:
    """All results of every record, side by side on ``{prefix}_packed``."""
    return flux.numbers(
        _results_of_block,
        f"{prefix}_packed",
        packing.size,
        name="xpad-predict",
        pipeline=model.pipeline,
        packing=packing,
        with_error=with_error,
    )


def unpacked(
    columns: xr.DataArray, model: Model, packing: Packing, name: str, prefix: str = "pad"
) -> xr.DataArray:
    """One of the results that lie side by side."""
    variable, column = RECORD_VARIABLES[name], f"{prefix}_packed"
    found = columns.isel({column: packing.place(name)})
    if variable.dim:
        found = found.rename({column: f"{prefix}_{variable.dim}"})
    return found.astype(variable.dtype).assign_attrs(variable.attrs(model))


def _results_of_block(
    block: Block, *, pipeline: Pipeline, packing: Packing, with_error: bool
) -> NDArray[np.float32]:
    def results(piece: Piece) -> NDArray[np.float32]:
        pads = pipeline.preparation.pads(piece)
        return packing.pack(usable_only(pipeline.results(pads, with_error=with_error)))

    return block.rows(results, packing.size)


def _splits(flux: Flux, model: Model, flag: xr.DataArray) -> xr.DataArray:
    """The split of every record; -1 where it is unusable."""
    variable = RECORD_VARIABLES["split"]
    split = split_of_records(
        flux.array, splitter(flux, model.settings, model.provenance["split"])
    )  # fmt: skip
    # On variables: xr.where of arrays would drop the attributes of their coordinates.
    usable = flag.variable == OK
    found = xr.where(usable, split.variable.transpose(*flag.dims), np.int8(variable.missing))
    return xr.DataArray(
        found.astype(variable.dtype), coords=flag.coords, attrs=variable.attrs(model)
    )


def _without_coords_of(ds: xr.Dataset, value: Any) -> Any:
    if not isinstance(value, xr.DataArray):
        return value
    return value.drop_vars([n for n in value.coords if n in ds.coords])
