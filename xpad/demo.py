"""A simulated mission from CDF files to pictures: what ``xpad demo`` shows."""

from __future__ import annotations

from pathlib import Path

import xarray as xr

from xpad.errors import OptionError
from xpad.model.saved import load_model
from xpad.plot.save import draw
from xpad.readers import open_dataset
from xpad.simulation.cdf import to_cdf
from xpad.simulation.mission import simulate
from xpad.storage.paths import whole_or_nothing
from xpad.storage.place import Place
from xpad.writing.to_zarr import cluster_to_zarr

STORE = "rept.zarr"
SUFFIXES = {"cdf": ".cdf", "pictures": ".png"}
"""Of the files in each folder that the demo makes beside its store."""


def demo(folder: Path, *, days: float, seed: int, overwrite: bool, progress: bool | None) -> None:
    """Simulate a mission, write it as CDF files, cluster those, draw the pictures.

    Everything goes into a new folder: ``cdf``, ``rept.zarr`` and ``pictures``.

    Raises
    ------
    OptionError
        The folder is there and is not to be replaced, or has in it what no demo wrote.
    """
    if overwrite:
        _require_nothing_else(folder)
    store = Place(str(folder / STORE))
    with whole_or_nothing(folder, overwrite=overwrite, ours=store.is_ours) as part:
        print(f"simulating {days:g} days of REPT (seed {seed}) …", flush=True)
        simulated = simulate(days=days, seed=seed)
        part.mkdir()
        files = to_cdf(simulated, part / "cdf")
        print(
            f"wrote {len(files)} daily CDF file(s); reading them back and clustering …", flush=True
        )
        opened = open_dataset(sorted(files))
        out = cluster_to_zarr(opened, part / STORE, progress=progress)
        model = load_model(part / STORE)
        draw(out, part / "pictures")
        agreement = _agreement(simulated, out)
    print(model)
    print(agreement)
    print(f"\nresults   {folder / STORE}")
    for picture in sorted((folder / "pictures").iterdir()):
        print(f"picture   {picture}")


def _require_nothing_else(folder: Path) -> None:
    """Refuse to replace a folder that is not, file by file, what a demo left."""
    for one in sorted(folder.glob("*")):
        if one.is_dir() and one.name in SUFFIXES:
            theirs = [f for f in sorted(one.iterdir()) if f.suffix != SUFFIXES[one.name]]
        else:
            theirs = [] if one.name == STORE and folder.joinpath("pictures").is_dir() else [one]
        if theirs:
            raise OptionError(
                f"{folder} is not replaced: {theirs[0].relative_to(folder)} in it was not written by "
                "xpad demo; give another name (-o)"
            )


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
