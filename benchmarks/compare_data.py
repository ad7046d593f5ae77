"""The records that both sides of a comparison get, with their truth and their split."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import mission
import numpy as np

if TYPE_CHECKING:
    import xarray as xr

DIMS = ("Epoch", "FEDU_Alpha", "FEDU_Energy")


def prepared(where: Path, records: int) -> Path:
    """A file with so many simulated REPT records; made if it is not there."""
    target = where / f"compare-{records}.npz"
    if target.exists():
        return target
    import xpad

    ds = xpad.open_dataset(mission.mission(where, records)).isel(Epoch=slice(records)).compute()
    # The split depends on which records are usable and on its seed, not on these cheap settings.
    out, model = xpad.cluster(
        ds, encoder=None, k=2, bandwidth=1.0, return_model=True, progress=False
    )
    part = target.with_name(f".{target.name}")
    arrays = {name: ds[name].values for name in (*DIMS, "FEDU", "truth")}
    thresholds = model.provenance["split"]["thresholds"]
    np.savez(part, split=out["pad_split"].values, thresholds=thresholds, **arrays)
    part.rename(target)
    return target


def load(path: str) -> dict[str, np.ndarray]:
    with np.load(path) as held:
        return dict(held)


def split_of(data: dict[str, np.ndarray]) -> tuple[np.ndarray, ...]:
    """Indices of the training, validation and test records."""
    return tuple(np.flatnonzero(data["split"] == part) for part in range(3))


def as_dataset(data: dict[str, np.ndarray], chunk: int = mission.CHUNK) -> xr.Dataset:
    """The same flux, in memory too, as the Dataset in chunks that a reader returns."""
    import xarray as xr

    flux: dict[str, Any] = {"units": "cm-2 s-1 sr-1 MeV-1", "FILLVAL": -1e31}
    return xr.Dataset(
        {"FEDU": (DIMS, data["FEDU"], flux)},
        coords={
            "Epoch": data["Epoch"],
            "FEDU_Alpha": ("FEDU_Alpha", data["FEDU_Alpha"], {"units": "degrees"}),
            "FEDU_Energy": ("FEDU_Energy", data["FEDU_Energy"], {"units": "MeV"}),
        },
    ).chunk(Epoch=chunk)
