"""The evidence for the number of clusters, and a look at the data before any fit."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from html import escape

import numpy as np
import xarray as xr
from numpy.typing import NDArray

from xpad.axes import as_dataset, recognise
from xpad.errors import NotEnoughDataError, OptionError
from xpad.flux import raw_flux
from xpad.grouping import test_components
from xpad.model import Model
from xpad.outcome import settings_of
from xpad.presets import DEFAULT_PRESET, Settings, resolve
from xpad.progress import Progress
from xpad.regrid import Grid
from xpad.results import checked_flux
from xpad.sampling import TEST
from xpad.splitting import splitter
from xpad.survey import grid_of, selected, survey
from xpad.usable import FLAGS

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

    Examples
    --------
    >>> import xpad
    >>> ds = xpad.simulate(days=0.5)
    >>> model = xpad.fit(ds, encoder=None, k=6, progress=False)
    >>> sorted(xpad.estimate_k(ds, model, ks=(2, 3), quantiles=(0.1,)).data_vars)
    ['bandwidth', 'calinski_harabasz', 'davies_bouldin', 'inertia', 'n_modes']
    """
    flux = checked_flux(obj, model, variable)
    split = splitter(flux, as_dataset(obj), model.settings, model.provenance["split"])
    fitted = model.provenance["split"]["total"]
    if split.total != fitted:
        raise OptionError(
            f"the model was fitted on {fitted} records and these data have {split.total}; "
            "estimate_k needs the data that the model was fitted on"
        )
    components = test_components(flux, model, split, Progress(progress))
    return evidence_of(
        components, model.settings, model.k, quantiles=quantiles, ks=ks, max_records=max_records
    )


def evidence_of_result(out: xr.Dataset, prefix: str = "pad") -> xr.Dataset:
    """The same from a result alone: its test split's components (all, where no split is kept)."""
    settings = Settings.from_dict(settings_of(out, prefix))
    pc, label = out[f"{prefix}_pc"], out[f"{prefix}_label"]
    dims = sorted(label.dims, key=str)
    chosen = label >= 0
    if f"{prefix}_split" in out:
        chosen = chosen & (out[f"{prefix}_split"] == TEST)
    rows = pc.transpose(*dims, f"{prefix}_component").values.reshape(
        -1, pc.sizes[f"{prefix}_component"]
    )
    components = rows[chosen.transpose(*dims).values.ravel()]
    ks = tuple(k for k in KS if k < len(components))
    return evidence_of(components, settings, out.sizes[f"{prefix}_cluster"], ks=ks)


def evidence_of(
    components: NDArray[np.float32],
    settings: Settings,
    chosen: int,
    *,
    quantiles: Sequence[float] = QUANTILES,
    ks: Sequence[int] = KS,
    max_records: int = 20_000,
) -> xr.Dataset:
    """The same from principal components (records, components) alone."""
    from xpad.stages import kmeans, meanshift, scores

    s = settings
    if len(components) > max_records:
        rng = np.random.default_rng(s.seed("cluster"))
        components = components[np.sort(rng.choice(len(components), max_records, replace=False))]
    if not ks or max(ks) >= len(components):
        raise NotEnoughDataError(
            f"{len(components)} usable records are too few to try k up to {max(ks, default=0)}"
        )
    widths = [
        meanshift.estimate_bandwidth(
            components, quantile=q, n_samples=s.n_samples, random_state=s.seed("bandwidth")
        )
        for q in quantiles
    ]
    modes = [
        len(meanshift.modes(components, w, bin_seeding=s.bin_seeding).modes) if w > 0 else 0
        for w in widths
    ]
    fits = [kmeans.fit(components, k, n_init=s.n_init, random_state=s.seed("cluster")) for k in ks]
    labels = [kmeans.assign(f.centres, components) for f in fits]
    ch = [scores.calinski_harabasz(components, x) for x in labels]
    db = [scores.davies_bouldin(components, x) for x in labels]
    return xr.Dataset(
        {
            "bandwidth": ("quantile", widths, {"long_name": "mean-shift bandwidth"}),
            "n_modes": ("quantile", modes, {"long_name": "mean-shift modes"}),
            "calinski_harabasz": (
                "k",
                ch,
                {"long_name": "Calinski-Harabasz score, higher is better"},
            ),
            "davies_bouldin": ("k", db, {"long_name": "Davies-Bouldin score, lower is better"}),
            "inertia": ("k", [f.inertia for f in fits], {"long_name": "sum of squared distances"}),
        },
        coords={"quantile": ("quantile", list(quantiles)), "k": ("k", list(ks))},
        attrs={"k": chosen, "records": len(components)},
    )


@dataclass(frozen=True, repr=False)
class Check:
    """What a flux holds, record by record and bin by bin."""

    flux: str
    grid: Grid
    reasons: dict[str, int]
    """Records by flag: ``ok`` and why not."""
    measured: xr.DataArray
    """(energy, pitch_angle) bool: bins measured at least once."""
    picked: str
    """How the flux was picked, and what else was there."""

    @property
    def n_records(self) -> int:
        """All records."""
        return sum(self.reasons.values())

    @property
    def n_usable(self) -> int:
        """Records that would get a label."""
        return self.reasons["ok"]

    def __repr__(self) -> str:
        share = self.n_usable / self.n_records if self.n_records else 0.0
        lines = [
            f"<xpad check of {self.flux}: {self.n_usable:,} of {self.n_records:,} records usable "
            f"({share:.1%})>",
            f"    picked           {self.picked}",
            f"    grid             {self.grid}",
        ]
        for name, number in self.reasons.items():
            if name != "ok" and number:
                lines.append(f"    {name.replace('_', ' '):<16} {number:,} records")
        lines.append(f"    never measured   {self._never()}")
        return "\n".join(lines)

    def _never(self) -> str:
        measured = self.measured.values
        n = int((~measured).sum())
        if n == 0:
            return "no bin"
        parts = []
        angles = self.grid.pitch_angle[~measured.any(axis=0)]
        energies = self.grid.energy[~measured.any(axis=1)]
        if angles.size:
            parts.append(f"pitch angles {', '.join(f'{a:g}' for a in angles)} deg")
        if energies.size:
            parts.append(
                f"energies {', '.join(f'{e:g}' for e in energies)} {self.grid.energy_units}".rstrip()
            )
        of = f"{n} of {measured.size} bins"
        return f"{of} ({'; '.join(parts)})" if parts else of

    def _repr_html_(self) -> str:
        return f"<pre>{escape(repr(self))}</pre>"


def check(
    obj: xr.Dataset | xr.DataArray,
    variable: str | None = None,
    *,
    min_coverage: float = 0.0,
    min_positive: int = 1,
    energies: tuple[float, float] | None = None,
    background: float | Sequence[float] | None = None,
    progress: bool | None = None,
) -> Check:
    """Look at the data before a fit: usable records, why others are not, bins never measured.

    Parameters
    ----------
    obj : xarray.Dataset or xarray.DataArray
        The data; read once.
    variable : str, optional
        The flux, where several are there.
    min_coverage, min_positive, energies, background
        As in `xpad.Settings`.
    progress : bool, optional
        Show bars.

    Returns
    -------
    Check
        Its repr is the report.

    Examples
    --------
    >>> import xpad
    >>> found = xpad.check(xpad.simulate(days=0.2))
    >>> found.n_usable <= found.n_records
    True
    """
    options = {
        "min_coverage": min_coverage,
        "min_positive": min_positive,
        "energies": energies,
        "background": background,
    }
    settings = resolve(DEFAULT_PRESET, options)
    ds = as_dataset(obj)
    roles = recognise(ds, variable)
    flux = selected(raw_flux(ds, roles=roles), settings)
    grid = grid_of(flux, settings)
    seen = survey(flux, grid, settings, None, Progress(progress))
    flags = seen.flags(settings)
    others = ", ".join(c.label for c in roles.others)
    return Check(
        flux=str(flux.name),
        grid=grid,
        reasons={name: int((flags == i).sum()) for i, name in enumerate(FLAGS)},
        measured=xr.DataArray(
            seen.ever_measured,
            dims=("energy", "pitch_angle"),
            coords={"energy": grid.energy, "pitch_angle": grid.pitch_angle},
            name="measured",
        ),
        picked=roles.chosen.why + (f"; also there: {others}" if others else ""),
    )
