"""The same labels on a dask.distributed cluster of spawned workers, also where one of them dies."""

import os
import warnings

import dask
import numpy as np
import pytest
import xarray as xr
from helpers import QUICK, made
from helpers.workers import die_once

import xpad
from xpad.compute.workers import client, run_on
from xpad.errors import OptionError
from xpad.storage.scratch import temporary

distributed = pytest.importorskip("distributed")

pytestmark = [
    pytest.mark.slow,
    pytest.mark.filterwarnings("ignore:the autoencoder has hardly:xpad.XpadWarning"),
    # What distributed itself leaves open or warns of when its workers come and go.
    pytest.mark.filterwarnings("ignore::ResourceWarning"),
    pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning"),
    pytest.mark.filterwarnings("ignore:.*large graph.*:UserWarning"),
]


@pytest.fixture(scope="module")
def cluster():
    """Two worker processes, spawned, with a nanny each that starts a dead one again."""
    # Without a worker left, a test fails instead of waiting for ever.
    limit = dask.config.set({"distributed.scheduler.no-workers-timeout": "120s"})
    with limit, warnings.catch_warnings():
        warnings.simplefilter("ignore")
        made_here = distributed.LocalCluster(
            n_workers=2, threads_per_worker=1, processes=True, dashboard_address=None,
            memory_limit="3GiB", host="127.0.0.1",
        )  # fmt: skip
    yield made_here
    made_here.close()


@pytest.fixture
def workers(cluster):
    with distributed.Client(cluster) as found:
        yield found


@pytest.fixture(scope="module")
def ds():
    return made(3000, chunks={"time": 100})


@pytest.fixture(scope="module")
def expected(ds):
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", xpad.XpadWarning)
        return ds.pad.cluster(**QUICK).compute(scheduler="threads")


def assert_same(out, expected):
    for name in ("pad_label", "pad_split", "pad_flag"):
        np.testing.assert_array_equal(out[name].values, expected[name].values, err_msg=name)
    np.testing.assert_allclose(out.pad_pc, expected.pad_pc, rtol=1e-5, atol=1e-6)


def test_same_labels_and_named_tasks(ds, expected, workers):
    out = ds.pad.cluster(**QUICK)
    assert client() is workers
    assert_same(out.compute(), expected)
    names = workers.run_on_scheduler(lambda dask_scheduler: set(dask_scheduler.task_prefixes))
    assert {"xpad-survey", "xpad-project"} <= names
    assert any(name.startswith("xpad-moments") for name in names)


def test_zarr_with_spooling_while_a_worker_is_killed(ds, expected, workers, tmp_path):
    """With the least memory, and a worker that dies within the second pass: the undisturbed labels."""
    slow = ds.copy()
    slow["FEDU"] = ds.FEDU.copy(
        data=ds.FEDU.data.map_blocks(die_once, path=str(tmp_path / "died"), dtype=np.float32,
                                     meta=np.empty((0, 0, 0), np.float32))
    )  # fmt: skip
    out = xpad.cluster_to_zarr(
        slow, tmp_path / "out.zarr", memory="16MiB", scratch=str(tmp_path), **QUICK
    )
    assert (tmp_path / "died").exists()
    assert_same(out, expected)


def test_training_on_a_named_worker(ds, expected, workers):
    address = list(workers.ncores())[1]
    out = ds.pad.cluster(training_worker=address, **QUICK)
    assert_same(out.compute(), expected)
    with pytest.raises(OptionError, match="no worker of the cluster"):
        ds.pad.fit(training_worker="tcp://127.0.0.1:1", **QUICK)
    assert run_on(address, os.getpid, name="pid") != os.getpid()


def test_without_a_client_no_worker_can_be_named(ds):
    with pytest.raises(OptionError, match=r"no dask\.distributed Client is active"):
        ds.pad.fit(training_worker="a", **QUICK)


def test_workers_that_do_not_see_the_scratch_folder(workers, monkeypatch, tmp_path):
    monkeypatch.setattr(workers, "run", lambda *_: {"tcp://far:1": False})
    with (
        pytest.raises(OptionError, match=r"tcp://far:1 does not see .*--scratch"),
        temporary(tmp_path),
    ):
        pass
    with pytest.raises(OptionError, match=r"shares no temporary folder"), temporary(None):
        pass
    assert os.listdir(tmp_path) == []


def test_a_store_that_workers_do_not_see_is_refused(ds, workers):
    """Memory of this process is not that of the workers."""
    import fsspec

    with pytest.raises(OptionError, match=r"does not see memory://.*workers reach"):
        xpad.cluster_to_zarr(ds, "memory://unseen/out.zarr", **QUICK)
    assert not fsspec.filesystem("memory").find("/unseen")


def test_command_line_on_a_scheduler(ds, expected, cluster, tmp_path):
    from xpad.cli import main

    ds.to_zarr(tmp_path / "in.zarr", consolidated=False)
    options = ["--epochs", "8", "--k", "3", "--batch-size", "64", "--quiet"]
    code = main(["cluster", str(tmp_path / "in.zarr"), "-o", str(tmp_path / "out.zarr"),
                 "--scheduler", cluster.scheduler_address, "--memory", "1GiB", *options])  # fmt: skip
    assert code == 0
    assert_same(xr.open_zarr(tmp_path / "out.zarr"), expected)
    assert client() is None
