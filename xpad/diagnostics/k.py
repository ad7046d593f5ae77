"""The evidence for the number of clusters."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

import numpy as np
import xarray as xr
from numpy.typing import NDArray

from xpad.compute.progress import Progress
from xpad.errors import NotEnoughDataError, OptionError
from xpad.fitting.clusters import components_of_test
from xpad.fitting.splitter import splitter
from xpad.model.model import Model
from xpad.results.predict import flux_for
from xpad.results.read import settings_of
from xpad.settings import Settings
from xpad.settings.constraints import Between, Constraint, Whole
from xpad.settings.entry import shown
from xpad.stages import scores
from xpad.stages.k_rules import K_RULES, chosen
from xpad.stages.labellers import kmeans
from xpad.stages.nearest import nearest
from xpad.stages.split import TEST

QUANTILES = (0.03, 0.05, 0.075, 0.1, 0.15, 0.2, 0.3)
KS = tuple(range(2, 13))


def estimate_k(
    obj: xr.Dataset | xr.DataArray,
    model: Model,
    variable: str | None = None,
    *,
    quantiles: Sequence[float] = QUANTILES,
    ks: Sequence[int] = KS,
    max_records: int = 20_000,
    progress: bool | None = None,
) -> xr.Dataset:
    """The evidence for the number of clusters.

    How many modes the mean shift finds as its bandwidth grows, and how well
    k-means separates the same records for each k.

    Parameters
    ----------
    obj : xarray.Dataset or xarray.DataArray
        The data the model was fitted on.
    model : Model
    variable : str, optional
        The flux, where several are there.
    quantiles : sequence of float
        Quantiles of the pairwise distances, each giving a bandwidth.
    ks : sequence of int
        Numbers of clusters to try.
    max_records : int
        Records of the test split that are looked at, drawn with the model's seed.
    progress : bool, optional
        Show bars.

    Returns
    -------
    xarray.Dataset
        ``bandwidth`` and ``n_modes`` over ``quantile``; ``calinski_harabasz``
        (higher is better), ``davies_bouldin`` (lower is better) and ``inertia``
        over ``k``; attribute ``k``, the model's.

    Raises
    ------
    NotEnoughDataError
        Fewer records than the largest k.
    OptionError
        The data are others than those of the fit, or an argument has a value that it cannot take.

    Examples
    --------
    >>> import xpad
    >>> ds = xpad.simulate(days=0.5)
    >>> model = xpad.fit(ds, encoder=None, k=6, progress=False)
    >>> sorted(xpad.estimate_k(ds, model, ks=(2, 3), quantiles=(0.1,)).data_vars)
    ['bandwidth', 'calinski_harabasz', 'davies_bouldin', 'inertia', 'n_modes']
    """
    _require_each("quantiles", quantiles, Between(0, 1, ends=True))
    _require_each("ks", ks, Whole(1))
    _require_each("max_records", [max_records], Whole(1))
    flux = flux_for(model, obj, variable)
    split = splitter(flux, model.settings, model.provenance["split"])
    fitted = model.provenance["split"]["total"]
    if split.total != fitted:
        raise OptionError(
            f"the model was fitted on {fitted} records and these data have {split.total}; "
            "estimate_k needs the data that the model was fitted on"
        )
    components = components_of_test(flux, model, split, Progress(progress))
    return evidence_of(
        components, model.settings, model.k, quantiles=tuple(quantiles), ks=tuple(ks),
        max_records=max_records,
    )  # fmt: skip


def _require_each(name: str, given: Any, kind: Constraint) -> None:
    if (
        not isinstance(given, Iterable)
        or isinstance(given, str)
        or not all(kind.takes(kind.plain(one)) for one in given)
    ):
        raise OptionError(f"{name}={shown(given)} is not possible; each must be {kind}")


def evidence_of_result(out: xr.Dataset, prefix: str = "pad") -> xr.Dataset:
    """The same from a result alone: its test split's components (all, where no split is kept)."""
    settings = Settings.from_dict(settings_of(out, prefix))
    pc, label = out[f"{prefix}_pc"], out[f"{prefix}_label"]
    dims = sorted(label.dims, key=str)
    fitted = label >= 0
    if f"{prefix}_split" in out:
        fitted = fitted & (out[f"{prefix}_split"] == TEST)
    rows = pc.transpose(*dims, f"{prefix}_component").values.reshape(
        -1, pc.sizes[f"{prefix}_component"]
    )
    components = rows[fitted.transpose(*dims).values.ravel()]
    ks = tuple(k for k in KS if k < len(components))
    return evidence_of(components, settings, out.sizes[f"{prefix}_cluster"], ks=ks)


def evidence_of(
    components: NDArray[np.float32],
    settings: Settings,
    k: int,
    *,
    quantiles: Sequence[float] = QUANTILES,
    ks: Sequence[int] = KS,
    max_records: int = 20_000,
) -> xr.Dataset:
    """The same from principal components (records, components) alone."""
    s = settings
    if len(components) > max_records:
        rng = np.random.default_rng(s.seed("cluster"))
        components = components[np.sort(rng.choice(len(components), max_records, replace=False))]
    if not ks or max(ks) >= len(components):
        raise NotEnoughDataError(
            f"{len(components)} usable records are too few to try k up to {max(ks, default=0)}"
        )
    fits = [kmeans.fit(components, n, n_init=s.n_init, random_state=s.seed("cluster")) for n in ks]
    labels = [nearest(f.centres, components) for f in fits]
    ch = [scores.calinski_harabasz(components, x) for x in labels]
    db = [scores.davies_bouldin(components, x) for x in labels]
    rule, _ = chosen(s.k)
    scored = xr.Dataset(
        {
            "calinski_harabasz": (
                "k",
                ch,
                {"long_name": "Calinski-Harabasz score, higher is better"},
            ),
            "davies_bouldin": ("k", db, {"long_name": "Davies-Bouldin score, lower is better"}),
            "inertia": ("k", [f.inertia for f in fits], {"long_name": "sum of squared distances"}),
        },
        coords={"k": ("k", list(ks))},
        attrs={"k": k, "records": len(components)},
    )
    found = K_RULES[rule].evidence(components, s, quantiles)
    return found.merge(scored).assign_attrs(scored.attrs)
