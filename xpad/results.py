"""Apply a model: the input Dataset with labels, lazily; and the steps one by one."""

from __future__ import annotations

import json
import re
from collections.abc import Hashable
from typing import TYPE_CHECKING, Any, Literal, overload

import numpy as np
import xarray as xr
from numpy.typing import NDArray

from xpad.apply import over_records
from xpad.attributes import storable
from xpad.axes import ROLE_ATTRS, as_dataset
from xpad.clean import Limits, limits_of
from xpad.errors import GridMismatchError, OptionError, warn
from xpad.fitting import fit
from xpad.flux import ENERGY, PITCH_ANGLE, TABLES, raw_flux, varies
from xpad.model import Model
from xpad.presets import DEFAULT_PRESET
from xpad.provenance import identity
from xpad.regrid import Grid, as_table, in_energy_units, require_same_grid
from xpad.sampling import SPLIT_ATTRS
from xpad.splitting import split_of_records, splitter
from xpad.survey import selected
from xpad.usable import FLAG_ATTRS, OK

if TYPE_CHECKING:
    from typing import Unpack

    from xpad.workspace import FitOptions

UNUSABLE = -1


@overload
def cluster(
    obj: xr.Dataset | xr.DataArray,
    variable: str | None = ...,
    *,
    preset: str = ...,
    prefix: str = ...,
    return_model: Literal[False] = ...,
    progress: bool | None = ...,
    **options: Unpack[FitOptions],
) -> xr.Dataset: ...
@overload
def cluster(
    obj: xr.Dataset | xr.DataArray,
    variable: str | None = ...,
    *,
    preset: str = ...,
    prefix: str = ...,
    return_model: Literal[True],
    progress: bool | None = ...,
    **options: Unpack[FitOptions],
) -> tuple[xr.Dataset, Model]: ...
def cluster(
    obj: xr.Dataset | xr.DataArray,
    variable: str | None = None,
    *,
    preset: str = DEFAULT_PRESET,
    prefix: str = "pad",
    return_model: bool = False,
    progress: bool | None = None,
    **options: Unpack[FitOptions],
) -> xr.Dataset | tuple[xr.Dataset, Model]:
    """Sort the PADs of a Dataset into their typical shapes.

    `fit` and `predict` in one: normalise, autoencoder, principal components,
    mean shift for the number of clusters, k-means; then every usable record
    is labelled.

    Parameters
    ----------
    obj : xarray.Dataset or xarray.DataArray
        The data, from any reader; not changed.
    variable : str, optional
        The flux, where another than the preferred one is meant.
    preset : str
        Parameter set to begin from.
    prefix : str
        Begins the names of everything added, so that electrons and protons
        fit in one Dataset.
    return_model : bool
        Return the model too.
    progress : bool, optional
        Show bars; by default in terminals and notebooks.
    **options
        Any setting of `xpad.Settings`, instead of the preset's; ``memory``,
        ``scratch``, ``checkpoint``, ``training_worker`` and
        ``storage_options`` as for `fit`.

    Returns
    -------
    xarray.Dataset
        The input with, on its record dimensions: ``pad_label`` (int16; 0 is
        the largest cluster, -1 unusable), ``pad_pc`` (record,
        ``pad_component``), ``pad_error`` (root mean square over measured bins
        of the normalised PAD minus its reconstruction), ``pad_flag`` (why a
        record is unusable), ``pad_split``; also the training's ``pad_loss``
        and ``pad_val_loss`` over ``pad_epoch``, ``pad_centre``, ``pad_mode``,
        and attributes that say how all this was made. Lazy where the input is.
    Model
        With ``return_model=True``.

    Raises
    ------
    RolesError, OptionError, NotEnoughDataError, TrainingError
        As `fit`.

    References
    ----------
    Killey et al. (2023), RASTI 2, 548, doi:10.1093/rasti/rzad035.

    Examples
    --------
    >>> import xpad
    >>> out = xpad.cluster(xpad.simulate(days=0.5), encoder=None, k=6, progress=False)
    >>> out.pad_label.dims, out.pad_label.dtype
    (('Epoch',), dtype('int16'))
    """
    require_prefix(prefix)
    model = fit(obj, variable, preset=preset, progress=progress, **options)
    out = labelled(obj, model, variable, prefix)
    return (out, model) if return_model else out


def labelled(
    obj: xr.Dataset | xr.DataArray, model: Model, variable: str | None = None, prefix: str = "pad"
) -> xr.Dataset:
    """`predict` for the data that the model was fitted on: with the split of every record."""
    ds, flux = checked(obj, model, variable)
    return labelled_from(ds, flux, model, prefix, fitted=True)


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


def label_attrs(model: Model) -> dict[str, Any]:
    """What labels say of themselves."""
    return {
        "long_name": "cluster of the pitch-angle distribution",
        "comment": f"0 is the largest of {model.k} clusters among the fitted records; -1 is unusable",
        "valid_min": np.int16(UNUSABLE),
        "valid_max": np.int16(model.k - 1),
    }


def component_attrs(model: Model) -> dict[str, Any]:
    """What components say of themselves."""
    return {
        "long_name": "principal components of the encoded PAD",
        "explained_variance_ratio": [float(v) for v in model.pca.explained_variance_ratio],
    }


def warn_of_no_label(model: Model, prefix: str) -> None:
    """Say that no record has a label, which an array of -1 does not tell."""
    warn(
        f"no record has a label; {prefix}_flag says why. All flux may be fill, or beyond what a float32 "
        "of less than 1e30 holds, or the records' own tables of energies or pitch angles lie outside of "
        f"the model's grid ({model.grid})"
    )


def _without_coords_of(ds: xr.Dataset, value: Any) -> Any:
    if not isinstance(value, xr.DataArray):
        return value
    return value.drop_vars([n for n in value.coords if n in ds.coords])


def require_prefix(prefix: str) -> None:
    """Refuse a prefix that cannot begin the name of a variable."""
    if not isinstance(prefix, str) or not re.fullmatch(r"[A-Za-z]\w*", prefix):
        raise OptionError(
            f"prefix={prefix!r} begins names of variables: letters, digits and _ only, a letter first"
        )


def _without_former(ds: xr.Dataset, names: set[Hashable], prefix: str) -> xr.Dataset:
    """The Dataset without an earlier result under this prefix; what is the user's own stays.

    Raises
    ------
    OptionError
        A variable or dimension of the user's own has a name that the result needs.
    """
    made = {f"{prefix}_{n}" for n in ("split", "mean", "flux", "positive", "count", "share")}
    dims = {f"{prefix}_mode_index", f"{prefix}_feature"}
    if f"{prefix}_settings" in ds.attrs:
        return ds.drop_vars([n for n in ds.variables if n in names | made])
    taken = [n for n in [*ds.variables, *ds.dims] if n in names | dims | {f"{prefix}_split"}]
    if taken:
        raise OptionError(
            f"the data have a variable {str(taken[0])!r} of their own, a name that the result needs; "
            "give another prefix=, such as prefix='xpad'"
        )
    return ds


def learned(model: Model, prefix: str = "pad") -> dict[Hashable, Any]:
    """What a model knows that plots and reports need, as variables of a result."""
    component, cluster_dim, epoch = f"{prefix}_component", f"{prefix}_cluster", f"{prefix}_epoch"
    mode = f"{prefix}_mode_index"
    return {
        f"{prefix}_loss": ((epoch,), model.history.loss.values, model.history.loss.attrs),
        f"{prefix}_val_loss": (
            (epoch,),
            model.history.val_loss.values,
            model.history.val_loss.attrs,
        ),
        f"{prefix}_centre": (
            (cluster_dim, component),
            model.centres,
            {"long_name": "centre of the cluster, in components"},
        ),
        f"{prefix}_fitted": (
            (cluster_dim,),
            model.counts,
            {"long_name": "fitted records in the cluster", "units": "1"},
        ),
        f"{prefix}_mode": (
            (mode, component),
            model.modes,
            {"long_name": "mean-shift mode, in components", "bandwidth": model.bandwidth},
        ),
        f"{prefix}_feature": (
            (f"{prefix}_energy", f"{prefix}_pitch_angle"),
            model.features.astype(np.int8),
            {"long_name": "bins in use: 1 where ever measured", "units": "1"},
        ),
        f"{prefix}_energy": (
            f"{prefix}_energy",
            model.grid.energy,
            {"long_name": "energy", "units": model.grid.energy_units},
        ),
        f"{prefix}_pitch_angle": (
            f"{prefix}_pitch_angle",
            model.grid.pitch_angle,
            {"long_name": "pitch angle", "units": "deg"},
        ),
        component: (component, np.arange(1, model.n_components + 1), {"long_name": "component"}),
        cluster_dim: (cluster_dim, np.arange(model.k, dtype=np.int16), {"long_name": "cluster"}),
        epoch: (epoch, model.history.pad_epoch.values, {"long_name": "epoch"}),
    }


def result_attrs(model: Model, prefix: str = "pad") -> dict[str, Any]:
    """Provenance of a result, as attributes that any format holds."""
    return {
        f"{prefix}_version": model.provenance["versions"]["xpad"],
        f"{prefix}_preset": model.preset,
        f"{prefix}_settings": json.dumps(model.settings.as_dict()),
        f"{prefix}_versions": json.dumps(model.provenance["versions"]),
        f"{prefix}_fitted_on": json.dumps(model.provenance["input"]),
        f"{prefix}_scores": json.dumps(model.scores),
        f"{prefix}_training": json.dumps({k: int(v) for k, v in model.history.attrs.items()}),
        f"{prefix}_references": "Killey et al. 2023, doi:10.1093/rasti/rzad035",
    }


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
