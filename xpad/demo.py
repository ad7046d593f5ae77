"""A simulated mission from CDF files to pictures: what ``xpad demo`` shows."""

from __future__ import annotations

from pathlib import Path

import xarray as xr

from xpad.model.saved import load_model
from xpad.plot.save import draw
from xpad.readers import open_dataset
from xpad.simulation.cdf import to_cdf
from xpad.simulation.mission import simulate
from xpad.storage.paths import whole_or_nothing
from xpad.storage.place import Place
from xpad.writing.to_zarr import cluster_to_zarr


def demo(folder: Path, *, days: float, seed: int, overwrite: bool, progress: bool | None) -> None:
    """Simulate a mission, write it as CDF files, cluster those, draw the pictures.

    Everything goes into a new folder: ``cdf``, ``rept.zarr`` and ``pictures``.
    """
    store = Place(str(folder / "rept.zarr"))
    with whole_or_nothing(folder, overwrite=overwrite, ours=store.is_ours) as part:
        print(f"simulating {days:g} days of REPT (seed {seed}) …", flush=True)
        simulated = simulate(days=days, seed=seed)
        part.mkdir()
        files = to_cdf(simulated, part / "cdf")
        print(
            f"wrote {len(files)} daily CDF file(s); reading them back and clustering …", flush=True
        )
        opened = open_dataset(sorted(files))
        out = cluster_to_zarr(opened, part / "rept.zarr", progress=progress)
        model = load_model(part / "rept.zarr")
        draw(out, part / "pictures")
        agreement = _agreement(simulated, out)
    print(model)
    print(agreement)
    print(f"\nresults   {folder / 'rept.zarr'}")
    for picture in sorted((folder / "pictures").iterdir()):
        print(f"picture   {picture}")


def _agreement(simulated: xr.Dataset, out: xr.Dataset) -> str:
    from sklearn.metrics import adjusted_rand_score

    truth, labels = simulated["truth"].values, out["pad_label"].values
    both = (truth >= 0) & (labels >= 0)
    types = len(set(truth[both].tolist()))
    index = adjusted_rand_score(truth[both], labels[both])
    return (
        f"against the simulated truth ({types} types): adjusted Rand index {index:.2f}. Types that "
        "differ where 'max' sees little signal fall together; docs/method.md says why"
    )
