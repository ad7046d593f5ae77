"""The variables that a result has: names, types and what they say of themselves."""

from __future__ import annotations

import json
import re
from collections.abc import Hashable
from typing import Any

import numpy as np
import xarray as xr

from xpad.errors import OptionError, warn
from xpad.model.model import Model

UNUSABLE = -1


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
