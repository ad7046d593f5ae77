"""Much memory or little, any chunks, any scheduler: the same labels; nothing computed unasked."""

import gc
import multiprocessing
import sys
import warnings
from concurrent.futures import ProcessPoolExecutor

import dask
import numpy as np
import pytest
import xarray as xr
from dask.callbacks import Callback
from helpers import QUICK, computes, made
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

import xpad
from xpad.compute import memory
from xpad.compute.records import Records
from xpad.errors import OptionError
from xpad.fitting import clusters as grouping
from xpad.fitting import survey
from xpad.fitting import training_rows as sample
from xpad.fitting.components import Components
from xpad.pads.blocks import Block
from xpad.pads.canonical import located
from xpad.pads.grid import Grid
from xpad.pads.prepare import Preparation
from xpad.pads.valid import Limits
from xpad.settings import resolve
from xpad.stages.encoders.deal import Deal
from xpad.storage.checkpoint import Checkpoint, require_equal
from xpad.storage.scratch import Scratch, temporary

pytestmark = pytest.mark.filterwarnings("ignore:the autoencoder has hardly:xpad.XpadWarning")


@pytest.fixture(scope="module")
def reference(small):
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", xpad.XpadWarning)
        return small.pad.cluster(**QUICK)


def assert_same(out, reference):
    for name in ("pad_label", "pad_flag", "pad_split"):
        np.testing.assert_array_equal(out[name].values, reference[name].values, err_msg=name)
    np.testing.assert_allclose(out.pad_pc, reference.pad_pc, rtol=1e-5, atol=1e-6)


# ------------------------------------------------------------------------------------ the same labels


@pytest.mark.parametrize(
    "chunks",
    [{"time": -1}, {"time": 7}, {"time": (1, 599)}, {"time": 100, "energy": 1},
     {"time": 250, "pitch_angle": 2, "energy": 3}],
)  # fmt: skip
def test_any_chunks(small, reference, chunks):
    assert_same(small.chunk(chunks).pad.cluster(**QUICK), reference)


@pytest.mark.parametrize("scheduler", ["synchronous", "threads"])
@pytest.mark.parametrize("budget", ["16MiB", "4GiB"])
def test_any_scheduler_and_memory(small, reference, scheduler, budget):
    with dask.config.set(scheduler=scheduler):
        out = small.chunk(time=100).pad.cluster(memory=budget, **QUICK)
        assert_same(out, reference)


@pytest.mark.slow
def test_processes(small, reference):
    spawned = multiprocessing.get_context("spawn")
    with (
        ProcessPoolExecutor(2, mp_context=spawned) as pool,
        dask.config.set(scheduler="processes", pool=pool),
    ):
        assert_same(small.chunk(time=200).pad.cluster(**QUICK), reference)


@pytest.mark.parametrize("options", [{}, {"missing": "mask"}, {"restore_best": True}])
def test_spooled_training_is_the_same_training(small, monkeypatch, tmp_path, options):
    """Rows that do not fit are written away and read back in the same order, to the same weights."""
    monkeypatch.setattr("xpad.stages.encoders.deal.BLOCK_ROWS", 64)
    held = small.pad.fit(**QUICK, **options)
    puts = []
    original = Scratch.put
    monkeypatch.setattr(
        Scratch, "put", lambda self, name, a: puts.append(name) or original(self, name, a)
    )
    monkeypatch.setattr(memory, "LEAST", 1)
    for chunked in (small, small.chunk(time=90)):
        spooled = chunked.pad.fit(memory="20kB", scratch=str(tmp_path), **QUICK, **options)
        np.testing.assert_array_equal(
            spooled.pipeline.encoder.network.encoder_kernel,
            held.pipeline.encoder.network.encoder_kernel,
        )
        xr.testing.assert_identical(spooled.history, held.history)
        np.testing.assert_allclose(spooled.centres, held.centres, rtol=1e-6)
    assert any(name.startswith("drawn/") for name in puts)
    assert any(name.startswith("sample-") for name in puts)
    assert not list(tmp_path.iterdir()), "the scratch folder is left behind"


def test_cells_find_what_points_find(monkeypatch, tmp_path):
    """Beyond two million records cells are looked at, in parts; here from the first record on."""
    ds = made(20_000, seed=3)
    options = {"encoder": None, "progress": False, "quantile": 0.2}
    points = ds.pad.fit(**options)
    monkeypatch.setattr(grouping, "IN_MEMORY", 0)
    monkeypatch.setattr(memory, "LEAST", 1)
    labels = []
    for chunked, budget in (
        (ds, "1GiB"),
        (ds.chunk(time=1500), "1GiB"),
        (ds.chunk(time=1500), "100kB"),
    ):
        cells = chunked.pad.fit(memory=budget, scratch=str(tmp_path), **options)
        assert cells.bandwidth == pytest.approx(points.bandwidth, rel=1e-9)
        assert cells.k == points.k
        np.testing.assert_allclose(cells.modes, points.modes, atol=0.01 * points.bandwidth)
        np.testing.assert_allclose(cells.centres, points.centres, atol=0.01 * points.bandwidth)
        assert abs(cells.counts - points.counts).max() < 0.01 * points.counts.sum()
        for name, values in points.scores.items():
            assert cells.scores[name] == pytest.approx(values, rel=0.01)
        labels.append(chunked.pad.label(cells).values)
    for other in labels[1:]:
        np.testing.assert_array_equal(other, labels[0])


# --------------------------------------------------------------------------------- nothing unasked for


def test_graphs_stay_small(fitted):
    """Opening and predicting builds a few layers, however many chunks there are."""
    ds = made(3000).chunk(time=3)
    with computes(most=0):
        out = ds.pad.predict(fitted)
    layers = out.pad_label.data.dask.layers
    assert len(layers) < 30
    assert len(out.pad_label.data.dask) < 12 * ds.FEDU.data.npartitions


def test_the_model_is_one_node(small, fitted):
    import cloudpickle

    few, many = (small.chunk(time=n).pad.predict(fitted).pad_label.data.dask for n in (300, 30))
    per_task = (len(cloudpickle.dumps(dict(many))) - len(cloudpickle.dumps(dict(few)))) / 18
    assert per_task < 25_000 < len(cloudpickle.dumps(fitted)) * 20


@pytest.mark.parametrize("method", ["encode", "pca", "label", "predict"])
def test_steps_are_lazy_and_block_by_block(small, fitted, method):
    chunked = small.chunk(time=100)
    with computes(most=0):
        lazy = getattr(chunked.pad, method)(fitted)
    with computes() as counted:
        values = lazy.compute()
    assert counted.computes == 1
    whole = getattr(small.pad, method)(fitted)
    if method != "predict":
        np.testing.assert_array_equal(values, whole)


# ---------------------------------------------------------------------------------------- the pieces


@settings(deadline=None, max_examples=30, suppress_health_check=[HealthCheck.too_slow])
@given(
    shape=st.tuples(st.integers(1, 7), st.integers(1, 7)),
    chunks=st.tuples(st.integers(1, 7), st.integers(1, 7), st.integers(1, 3)),
    names=st.permutations(["b", "a"]),
)
def test_every_record_has_one_position_whatever_the_blocks(shape, chunks, names):
    array = xr.DataArray(
        np.arange(shape[0] * shape[1] * 3).reshape(*shape, 3), dims=(*names, "energy")
    )
    chunked = array.chunk(dict(zip((*names, "energy"), chunks, strict=True)))
    found = []
    for one in (array, chunked):
        records = Records.of([one], names)
        rows = np.empty((shape[0] * shape[1], 3))
        for at, (position, values) in zip(records.places(), records.run(_rows), strict=True):
            rows[at] = values
            np.testing.assert_array_equal(np.arange(len(rows))[at], position)
        found.append(rows)
        assert records.run(_total, combine=np.add) == array.sum()
    np.testing.assert_array_equal(*found)
    np.testing.assert_array_equal(found[0], array.transpose("a", "b", ...).values.reshape(-1, 3))


def test_a_block_is_read_and_worked_on_by_one_task(tmp_path, small):
    """Whatever transposes lie between: a block goes to no other thread, nor to another worker."""
    small.chunk(time=100).to_zarr(tmp_path / "small.zarr", consolidated=False)
    ds = xpad.open_dataset(tmp_path / "small.zarr")
    records = located(ds).records()
    with Tasks() as tasks:
        blocks = records.run(lambda block: block.position.size, name="work")
    assert sum(blocks) == small.sizes["time"]
    # Joined tasks have the name in theirs, and with older dask an alias too.
    others = [key for key in tasks.keys if "work" not in str(key)]
    assert len(records) > 5
    assert len(tasks.keys) - len(others) >= len(records)
    assert len(others) <= 2, "beside the work, only the gathering of its results"


class Tasks(Callback):
    def __init__(self) -> None:
        super().__init__()
        self.keys: list[object] = []

    def _pretask(self, key, dsk, state):
        self.keys.append(key)


@settings(deadline=None, max_examples=25, suppress_health_check=[HealthCheck.too_slow])
@given(
    flux=hnp.arrays(
        np.float32,
        (40, 3, 4),
        elements=st.sampled_from(np.array([-1e31, 0, 0.5, 2, 7, 1e30], "f4")),
    ),
    fills=st.sampled_from([(), (7.0,)]),
    method=st.sampled_from(["max", "max_energy"]),
    swapped=st.booleans(),
)
def test_values_are_counted_where_they_lie_as_after_cleaning(flux, fills, method, swapped):
    grid = Grid(np.arange(1.0, 4), np.array([20.0, 60, 100, 160]), "MeV")
    own = Preparation.of_all(grid, resolve("killey2023", {"normalise": method}))
    if swapped:
        flux = np.ascontiguousarray(flux.swapaxes(1, 2)).swapaxes(1, 2)
    chosen = np.arange(40) % 3 == 0
    limits, evers = Limits(fills, 0.0, 1e29), np.zeros((2, *grid.shape), bool)
    block = Block(flux, None, None, limits)
    once = survey._look_once(block, chosen, own, evers[0])
    ((at, piece),) = block.pieces()
    cleaned = survey._look(at, piece, chosen, own, evers[1], [])
    np.testing.assert_array_equal(*evers)
    for one, other in zip(once, cleaned, strict=True):
        np.testing.assert_array_equal(one, other)


def test_a_block_without_records_changes_nothing(small):
    """Also where its energies are more than the grid's, which the background has a number for each."""
    energies = small.energy.values
    table = np.where((np.arange(small.sizes["time"]) % 3 == 0)[:, None], 1.07, 1.0) * energies
    low, high = energies[[0, -2]] * (0.9, 1.01)
    varying = small.drop_vars("energy").assign_coords(table=(("time", "energy"), table))
    varying["table"].attrs = small.energy.attrs
    varying.FEDU.attrs["DEPEND_2"] = "table"
    own = {**QUICK, "energies": (low, high), "background": (1.0,) * (energies.size - 1)}
    half = small.sizes["time"] // 2
    found = [
        varying.chunk(time=chunks).pad.cluster(**own)
        for chunks in ((half, half), (0, half, 0, half))
    ]
    assert_same(found[1], found[0])


def _rows(block, position):
    return position, block.reshape(-1, 3)


def _total(block, position):
    return block.sum()


@settings(deadline=None, max_examples=30)
@given(start=st.integers(0, 80), length=st.integers(1, 20), chunk=st.integers(1, 30))
def test_a_part_keeps_its_positions(start, length, chunk):
    array = xr.DataArray(np.arange(300.0).reshape(100, 3), dims=("time", "energy")).chunk(
        time=chunk
    )
    part = Records.of([array], ["time"]).part("time", slice(start, start + length))
    position = np.concatenate([p for p, _ in part.run(_rows)])
    np.testing.assert_array_equal(position, np.arange(start, min(start + length, 100)))


@settings(deadline=None, max_examples=50)
@given(
    n=st.integers(1, 400),
    batch=st.integers(1, 40),
    seed=st.integers(0, 99),
    buffer=st.integers(0, 3000),
)
def test_a_spooled_sample_has_the_blocks_of_one_in_memory(n, batch, seed, buffer):
    rng = np.random.default_rng(seed)
    features = np.array([[True, False, True]])
    rows = rng.random((500, 1, 3), dtype=np.float32)
    wanted = rng.permutation(500)[:n]
    with pytest.MonkeyPatch.context() as patch, temporary(None) as scratch:
        patch.setattr("xpad.stages.encoders.deal.BLOCK_ROWS", 64)
        deal = Deal.of(n, batch, 2)
        samples = []
        for place in (None, scratch):
            cut = np.sort(rng.integers(0, 500, 3))
            drawn = [sample.Drawn.of(rows[at], at, place) for at in np.split(np.arange(500), cut)]
            samples += sample.gather(
                drawn, [wanted], features, [deal], read_from=place, spool=place, buffer=buffer
            )
            assert not drawn
        held, spooled = samples
        assert (held.held, spooled.held) == (True, False)
        np.testing.assert_array_equal(held.first, spooled.first)
        for number, size in enumerate(deal.sizes):
            np.testing.assert_array_equal(held.block(number), spooled.block(number))
            expected = rows[wanted[deal.rows(number)]][:, features]
            np.testing.assert_array_equal(held.block(number)[:size], expected)


def test_components_are_summed_alike_in_memory_and_in_parts():
    rows = np.random.default_rng(0).random((1000, 3), dtype=np.float32)
    with temporary(None) as scratch:
        for i in range(0, 1000, 130):
            scratch.put(f"c/{i:04d}.npy", rows[i : i + 130])
        parts = Components(1000, rows[:5], _scratch=scratch, _names=tuple(scratch.names("c")))
        held = Components(1000, rows[:5], _rows=rows)
        np.testing.assert_array_equal(parts.rows(), held.rows())
        for one in (parts, held):
            np.testing.assert_allclose(one.reduce(_sum), rows.sum(axis=0), rtol=1e-5)


def _sum(part):
    return part.sum(axis=0)


def test_scratch_writes_whole_and_lists(tmp_path):
    scratch = Scratch(str(tmp_path / "s"))
    assert scratch.names("a") == []
    scratch.put("a/1.npy", np.arange(3))
    scratch.put_all("a/2.npz", {"x": np.ones(2)})
    (tmp_path / "s" / "a" / "3.npy.1.part").touch()
    assert scratch.names("a") == ["a/1.npy", "a/2.npz"]
    np.testing.assert_array_equal(scratch.get("a/1.npy"), np.arange(3))
    np.testing.assert_array_equal(scratch.get_all("a/2.npz")["x"], np.ones(2))
    scratch.remove()
    assert not scratch.has("a/1.npy")


def test_a_place_that_cannot_be_written_is_named(tmp_path):
    (tmp_path / "file").touch()
    with pytest.raises(OptionError, match=r"scratch=.*file.*nothing can be written"), \
            temporary(tmp_path / "file"):  # fmt: skip
        pass


@pytest.mark.parametrize("given", ["2 apples", "1MiB", -5, object()])
def test_memory_that_is_none(given):
    with pytest.raises(OptionError, match="memory="):
        memory.budget(given)


def test_memory_of_a_container(tmp_path, monkeypatch):
    limit = tmp_path / "memory.max"
    monkeypatch.setattr(memory, "_CGROUP_FILES", (str(limit), str(tmp_path / "absent")))
    whole = memory.available()
    limit.write_text("max\n")
    assert memory.available() == whole
    limit.write_text(f"{2**30}\n")
    assert memory.available() == 2**30
    assert memory.budget() == 2**28


def test_interrupted_while_it_writes_a_checkpoint(tmp_path, monkeypatch):
    """Neither a part of it is left under its name, nor a complaint of what was not closed."""

    class Interrupted:
        def __array__(self, *_, **__):
            raise KeyboardInterrupt

    complaints = []
    monkeypatch.setattr(sys, "unraisablehook", complaints.append)
    place = Scratch(str(tmp_path))
    with pytest.raises(KeyboardInterrupt):
        place.put_all("training.npz", {"a": np.zeros(3), "b": Interrupted()})
    gc.collect()
    assert not complaints
    assert not place.has("training.npz")


def test_a_checkpoint_of_another_configuration_is_refused(small, tmp_path):
    place = Scratch(str(tmp_path / "ckpt"))
    Checkpoint(place).require_same({"settings": {"epochs": 3}})
    Checkpoint(place).require_same({"settings": {"epochs": 3}})
    with pytest.raises(OptionError, match=r"settings.epochs was 3 and is 4"):
        Checkpoint(place).require_same({"settings": {"epochs": 4}})
    with pytest.raises(OptionError, match="ckpt was begun with another configuration"):
        small.pad.fit(checkpoint=str(tmp_path / "ckpt"), **QUICK)
    with pytest.raises(OptionError, match="and 2 more"):
        require_equal({}, {name: 1 for name in "abcde"}, "there")


def test_passes_carry_no_coordinates(small):
    """What xarray chunks, it hashes with its coordinates: with a mission's times, seconds a pass."""
    flux = xpad.flux(small.chunk(time=100))
    assert "time" in flux.coords
    records = Records.of([flux], ["time"])
    assert not records.arrays[0].coords
