"""The variables that a result has: names, types and what they say of themselves."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Hashable, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import xarray as xr
from numpy.typing import NDArray

from xpad.errors import OptionError, warn
from xpad.model.model import Model
from xpad.model.pipeline import UNUSABLE
from xpad.pads.quality import FLAG_ATTRS, OK
from xpad.roles.ours import prefixes
from xpad.stages.split import SPLIT_ATTRS

Floats = NDArray[np.float32]


@dataclass(frozen=True)
class RecordVariable:
    """A variable of which every record has a value.

    Attributes
    ----------
    name : str
        Follows the prefix.
    dtype : type
        One whose every value float32 holds, in which results lie side by side.
    missing : float
        What a record has that is not usable, or not yet written.
    attrs : callable
        ``attrs(model)``: what it says of itself.
    dim : str
        Its further dimension, follows the prefix; empty where it has none.
    size : callable
        ``size(model)``: numbers a record.
    fitted : bool
        Whether it is there only for the data that the model was fitted on.
    of_unusable : bool
        Whether records that are not usable have a value of their own, too, as the reason why.

    Raises
    ------
    TypeError
        float32 does not hold all values of the type.
    """

    name: str
    dtype: type
    missing: float
    attrs: Callable[[Model], dict[str, Any]]
    dim: str = ""
    size: Callable[[Model], int] = lambda model: 1
    fitted: bool = False
    of_unusable: bool = False

    def __post_init__(self) -> None:
        if not np.can_cast(self.dtype, np.float32):
            raise TypeError(
                f"the results of a record lie side by side as float32, which cannot hold every "
                f"{np.dtype(self.dtype)} of {self.name!r}; give it a type of at most 16 bits, or float32"
            )

    def sizes(
        self, records: Mapping[Hashable, int], model: Model, prefix: str
    ) -> dict[Hashable, int]:
        """Its dimensions in a result, and their sizes: those of the records, and its own."""
        own: dict[Hashable, int] = {}
        if self.dim:
            own[f"{prefix}_{self.dim}"] = self.size(model)
        return {**records, **own}


def _label(model: Model) -> dict[str, Any]:
    return {
        "long_name": "cluster of the pitch-angle distribution",
        "comment": f"0 is the largest of {model.k} clusters among the fitted records; -1 is unusable",
        "valid_min": np.int16(UNUSABLE),
        "valid_max": np.int16(model.k - 1),
    }


def _components(model: Model) -> dict[str, Any]:
    return {
        "long_name": "principal components of the encoded PAD",
        "explained_variance_ratio": [float(v) for v in model.explained_variance_ratio],
    }


def _error(model: Model) -> dict[str, Any]:
    return {
        "long_name": "root mean square of normalised PAD minus reconstruction, over measured bins",
        "units": "1",
    }


def _flag(model: Model) -> dict[str, Any]:
    return dict(FLAG_ATTRS)


def _split(model: Model) -> dict[str, Any]:
    return {**SPLIT_ATTRS, "comment": "-1 is unusable"}


def _n_components(model: Model) -> int:
    return model.n_components


RECORD_VARIABLES: dict[str, RecordVariable] = {
    v.name: v
    for v in (
        RecordVariable("label", np.int16, UNUSABLE, _label),
        RecordVariable("pc", np.float32, np.nan, _components, "component", _n_components),
        RecordVariable("error", np.float32, np.nan, _error),
        RecordVariable("flag", np.int8, UNUSABLE, _flag, of_unusable=True),
        RecordVariable("split", np.int8, UNUSABLE, _split, fitted=True),
    )
}
"""What `Pipeline.results` brings of each record, and the split; `predict` and stores allocate by it."""


def record_variables(*, fitted: bool) -> dict[str, RecordVariable]:
    """Those that a result has; with the split where the model was fitted on the data."""
    return {name: v for name, v in RECORD_VARIABLES.items() if fitted or not v.fitted}


def usable_only(results: Mapping[str, NDArray[Any]]) -> dict[str, NDArray[Any]]:
    """Results by name, as `Pipeline.results` brings them, and what is missing where unusable."""
    unusable = results["flag"] != OK
    found = dict(results)
    for name, values in found.items():
        if not RECORD_VARIABLES[name].of_unusable:
            values[unusable] = RECORD_VARIABLES[name].missing
    return found


OF_CLUSTERS = ("mean", "flux", "positive", "count", "share")
"""Variables of the catalogue, which a result may hold as well."""


@dataclass(frozen=True)
class Packing:
    """How the results of a record lie side by side in one float32 array: one task makes them all."""

    places: Mapping[str, slice]
    size: int

    @classmethod
    def of(cls, model: Model, *, fitted: bool) -> Packing:
        """Of a model's results; with the split where it was fitted on the data."""
        places, start = {}, 0
        for name, variable in record_variables(fitted=fitted).items():
            places[name] = slice(start, start + variable.size(model))
            start = places[name].stop
        return cls(places, start)

    def pack(self, results: Mapping[str, NDArray[Any]]) -> Floats:
        """Results by name, each (records,) or (records, …), as (records, size)."""
        out = np.empty((len(results["label"]), self.size), dtype=np.float32)
        for name, place in self.places.items():
            out[:, place] = results[name].reshape(len(out), -1)
        return out

    def place(self, name: str) -> int | slice:
        """Where one is: a number where it is one number a record."""
        return self.places[name] if RECORD_VARIABLES[name].dim else self.places[name].start


def warn_of_no_label(model: Model, prefix: str) -> None:
    """Say that no record has a label, which an array of -1 does not tell."""
    warn(
        f"no record has a label; {prefix}_flag says why. All flux may be fill, or beyond what a float32 "
        "of less than 1e30 holds, or the records' own tables of energies or pitch angles lie outside of "
        f"the model's grid ({model.grid})"
    )


def require_prefix(prefix: str) -> None:
    """Refuse a prefix that cannot begin the name of a variable."""
    if not isinstance(prefix, str) or not re.fullmatch(r"[A-Za-z]\w*", prefix):
        raise OptionError(
            f"prefix={prefix!r} begins names of variables: letters, digits and _ only, a letter first"
        )


def without_former(ds: xr.Dataset, names: set[Hashable], prefix: str) -> xr.Dataset:
    """The Dataset without an earlier result under this prefix; what is the user's own stays.

    Raises
    ------
    OptionError
        A variable or dimension of the user's own has a name that the result needs.
    """
    of_records = {f"{prefix}_{name}" for name in RECORD_VARIABLES}
    if prefix in prefixes(ds.attrs):
        made = names | of_records | {f"{prefix}_{name}" for name in OF_CLUSTERS}
        return ds.drop_vars([n for n in ds.variables if n in made])
    needed = names | of_records | {f"{prefix}_mode_index", f"{prefix}_feature"}
    taken = [n for n in [*ds.variables, *ds.dims] if n in needed]
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
        f"{prefix}_cleaning": json.dumps(model.provenance.get("cleaning", {})),
        f"{prefix}_scores": json.dumps(model.scores),
        f"{prefix}_training": json.dumps({k: int(v) for k, v in model.history.attrs.items()}),
        f"{prefix}_references": "Killey et al. 2023, doi:10.1093/rasti/rzad035",
    }
