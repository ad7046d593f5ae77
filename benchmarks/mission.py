"""A long simulated mission in a Zarr store on disk, made once and used by several benchmarks."""

from __future__ import annotations

import os
import sys
import tempfile
import time
from pathlib import Path

CHUNK = 16_384
RECORDS_A_DAY = 7_740
"""About, with the simulation's gaps."""


def folder(given: str | None) -> Path:
    """Where the benchmarks keep their data."""
    found = Path(
        given or os.environ.get("XPAD_BENCHMARKS", Path(tempfile.gettempdir()) / "xpad-benchmarks")
    )
    found.mkdir(parents=True, exist_ok=True)
    return found


def mission(where: Path, records: int) -> Path:
    """A store of at least so many records; made if it is not there."""
    import dask
    import xarray as xr

    import xpad

    for store in sorted(where.glob("rept-*.zarr")):
        if int(store.stem.removeprefix("rept-")) >= records:
            return store
    target = where / f"rept-{records:010d}.zarr"
    part = where / f".{target.name}.part"
    ds = xpad.simulate(days=1.02 * records / RECORDS_A_DAY + 1, chunks=CHUNK)
    ds = ds.isel(Epoch=slice(records))
    if ds.sizes["Epoch"] < records:
        raise SystemExit(f"simulated {ds.sizes['Epoch']} records, {records} were wanted")
    begun = time.perf_counter()
    print(f"simulating {records:,} records into {target} …", file=sys.stderr, flush=True)
    import shutil

    shutil.rmtree(part, ignore_errors=True)
    with dask.config.set(scheduler="processes" if (os.cpu_count() or 1) > 1 else "sync"):
        ds[["FEDU", "L", "MLT", "truth"]].to_zarr(part, zarr_format=3, consolidated=False)
    part.rename(target)
    print(f"… took {time.perf_counter() - begun:.0f} s", file=sys.stderr, flush=True)
    del xr
    return target
