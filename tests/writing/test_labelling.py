"""From region to region: each once, at most two at a time."""

import dask
import numpy as np
import pytest
from helpers import QUICK
from helpers.writing import assert_same

import xpad
from xpad.writing.regions import Labelling

pytestmark = [
    pytest.mark.filterwarnings("ignore:the autoencoder has hardly:xpad.XpadWarning"),
    pytest.mark.filterwarnings("ignore:.*process .* is multi-threaded:DeprecationWarning"),
]


def test_reads_the_flux_no_more_often_than_it_states(ds, tmp_path):
    """Three passes to fit and one to label, a compute a region."""
    reads = []
    counted = ds.copy()
    data = ds.FEDU.data.map_blocks(
        lambda b: reads.append(1) or b, meta=np.empty((0, 0, 0), np.float32)
    )
    counted["FEDU"] = ds.FEDU.copy(data=data)
    with dask.config.set(scheduler="synchronous"):
        xpad.cluster_to_zarr(counted, tmp_path / "out.zarr", **QUICK)
    assert len(reads) == 4 * ds.FEDU.data.npartitions


@pytest.mark.parametrize("scheduler", ["threads", "synchronous"])
def test_regions_side_by_side_are_those_one_after_another(ds, expected, tmp_path, scheduler):
    with dask.config.set(scheduler=scheduler):
        out = xpad.cluster_to_zarr(ds, tmp_path / "out.zarr", **QUICK)
    assert_same(out, expected)


def test_two_regions_share_the_threads_and_one_is_ahead(ds, fitted, tmp_path, monkeypatch):
    """With dask's threads two regions are under way at once, and never three."""
    import threading

    under_way, most, both = set(), [], threading.Barrier(2, timeout=30)
    original = Labelling.region

    def counted(self, at, **options):
        under_way.add(at.start)
        most.append(len(under_way))
        if at.start < 400:
            both.wait()  # the second begins before the first has ended
        found = original(self, at, **options)
        under_way.discard(at.start)
        return found

    monkeypatch.setattr(Labelling, "region", counted)
    xpad.predict_to_zarr(ds, fitted, tmp_path / "out.zarr", progress=False)
    assert max(most) == 2
