"""The autoencoder against plain NumPy, and its row-wise promises."""

import os
import subprocess
import sys
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from xpad.errors import NotEnoughDataError, OptionError, TrainingError
from xpad.stages.encoders import deal, network
from xpad.stages.encoders import train as autoencoder
from xpad.stages.encoders.dense import encode, reconstruct
from xpad.stages.encoders.train import train

WEIGHTS = ("encoder_kernel", "encoder_bias", "decoder_kernel", "decoder_bias")


def records(n, features=8, seed=0, missing=0.0):
    r = np.random.default_rng(seed)
    kinds = r.random((3, features))
    x = (r.dirichlet([0.5] * 3, n) @ kinds + 0.02 * r.normal(size=(n, features))).clip(0, 1)
    x[r.random(x.shape) < missing] = np.nan
    return x.astype(np.float32)


def initial_weights(features, hidden, output, masked, seed):
    weights = network.programs(hidden, features, output, masked).start(seed).weights
    return autoencoder._model(weights, np.zeros(features, np.float32), output, masked)


class PlainAutoencoder:
    """Keras's formulas in float64, one step at a time."""

    def __init__(self, model, fill):
        self.weights = [getattr(model, name).astype(float) for name in WEIGHTS]
        self.output, self.masked, self.fill = model.output, model.masked, fill.astype(float)
        self.mean = [np.zeros_like(w) for w in self.weights]
        self.square = [np.zeros_like(w) for w in self.weights]
        self.steps = 0

    def forward(self, x):
        w1, b1, w2, b2 = self.weights
        measured = ~np.isnan(x)
        x = np.where(measured, x, self.fill)
        z = np.maximum(x @ w1 + b1, 0)
        y = z @ w2 + b2
        if self.output == "sigmoid":
            y = 1 / (1 + np.exp(-y))
        counted = measured if self.masked else np.ones_like(measured)
        return x, z, y, np.where(counted, y - x, 0), counted.sum()

    def loss(self, x):
        *_, error, weight = self.forward(x)
        return np.square(error).sum(), weight

    def step(self, x, rate):
        x, z, y, error, weight = self.forward(x)
        d = 2 * error / weight
        if self.output == "sigmoid":
            d = d * y * (1 - y)
        dz = (d @ self.weights[2].T) * (z > 0)
        self.steps += 1
        alpha = rate * np.sqrt(1 - 0.999**self.steps) / (1 - 0.9**self.steps)
        for i, g in enumerate([x.T @ dz, dz.sum(0), z.T @ d, d.sum(0)]):
            self.mean[i] += 0.1 * (g - self.mean[i])
            self.square[i] += 0.001 * (g * g - self.square[i])
            self.weights[i] = self.weights[i] - alpha * self.mean[i] / (
                np.sqrt(self.square[i]) + 1e-7
            )
        return np.square(error).sum(), weight


def shuffled_batches(n, batch, seed, epoch):
    order = autoencoder._shuffle(seed, epoch, 1, n)
    return [order[start : start + batch] for start in range(0, n, batch)]


@pytest.mark.slow
@pytest.mark.parametrize(
    ("output", "masked"), [("sigmoid", False), ("linear", False), ("sigmoid", True)]
)
def test_training_is_kerass_step_by_step(output, masked):
    x, val = records(74, missing=0.1), records(21, seed=1, missing=0.1)  # a partial batch of 10
    fill = np.nanmean(x, axis=0) if masked else np.zeros(8)
    plain = PlainAutoencoder(initial_weights(8, 4, output, masked, seed=5), fill)
    loss, val_loss = [], []
    for epoch in range(6):
        sums = [plain.step(x[rows], 5e-3) for rows in shuffled_batches(74, 16, 5, epoch)]
        loss.append(sum(s for s, _ in sums) / sum(w for _, w in sums))
        val_loss.append(np.divide(*plain.loss(val)))

    model, history = train(
        x, val, output=output, masked=masked, batch_size=16, epochs=6, random_state=5,
        learning_rate=5e-3,
    )  # fmt: skip

    assert history.steps == plain.steps == 30
    np.testing.assert_allclose(history.loss, loss, rtol=1e-5)
    np.testing.assert_allclose(history.val_loss, val_loss, rtol=1e-5)
    for name, expected in zip(WEIGHTS, plain.weights, strict=True):
        np.testing.assert_allclose(getattr(model, name), expected, atol=1e-5)
    np.testing.assert_allclose(model.fill, fill, rtol=1e-6)


def test_initial_weights_are_glorot_uniform():
    model = initial_weights(204, 102, "sigmoid", False, seed=0)
    limit = np.sqrt(6 / (204 + 102))
    for kernel in (model.encoder_kernel, model.decoder_kernel):
        assert np.abs(kernel).max() <= limit
        assert kernel.std() == pytest.approx(limit / np.sqrt(3), rel=0.02)
    assert not model.encoder_bias.any()
    assert not model.decoder_bias.any()


def test_shapes_and_defaults():
    x = records(40, features=7)
    model, history = train(x, x[:9], epochs=2)
    assert model.encoder_kernel.shape == (7, 3)
    assert {getattr(model, name).dtype for name in (*WEIGHTS, "fill")} == {np.dtype(np.float32)}
    assert model.output == "sigmoid"
    assert not model.masked
    assert not model.fill.any()
    assert len(history.loss) == len(history.val_loss) == 2
    assert history.steps == 2
    one, _ = train(x[:, :1], x[:5, :1], epochs=1)
    assert one.encoder_kernel.shape == (1, 1)


def test_training_learns():
    x = records(600, features=12)
    _, history = train(x, x[:100], epochs=60, batch_size=32, learning_rate=5e-3, patience=None)
    assert history.val_loss[-1] < 0.2 * np.var(x, axis=0).mean()


def test_the_same_seed_gives_the_same_bytes():
    x = records(300)
    kwargs = {"epochs": 4, "batch_size": 32}
    first, a = train(x, x[:50], **kwargs)
    second, b = train(x, x[:50], **kwargs)
    other, _ = train(x, x[:50], random_state=1, **kwargs)
    for name in WEIGHTS:
        assert getattr(first, name).tobytes() == getattr(second, name).tobytes()
    assert a.loss.tobytes() == b.loss.tobytes()
    assert not np.array_equal(first.encoder_kernel, other.encoder_kernel)


def keras_early_stopping(val_loss, patience):
    """Keras's EarlyStopping over a list of losses: the epochs run and the best of them."""
    best, best_epoch, wait = np.inf, 0, 0
    for epoch, current in enumerate(val_loss):
        wait += 1
        if current < best:
            best, best_epoch, wait = current, epoch, 0
            continue
        if wait >= patience and epoch > 0:
            break
    return epoch + 1, best_epoch


@pytest.mark.parametrize("patience", [0, 1, 2, 3])
def test_early_stopping_is_kerass(patience):
    x, val = records(60), records(20, seed=3)
    kwargs = {"batch_size": 4, "learning_rate": 0.05, "epochs": 40}
    _, free = train(x, val, patience=None, **kwargs)
    ran, best_epoch = keras_early_stopping(free.val_loss, patience)
    assert ran < 40  # else this tests nothing

    seen = []
    last, history = train(
        x, val, patience=patience, progress=lambda *args: seen.append(args), **kwargs
    )
    best, _ = train(x, val, patience=patience, restore_best=True, **kwargs)

    assert len(history.loss) == ran
    assert history.best_epoch == best_epoch
    assert history.stopped_early
    assert not free.stopped_early
    np.testing.assert_array_equal(history.val_loss, free.val_loss[:ran])
    assert seen == [
        (i, *both) for i, both in enumerate(zip(history.loss, history.val_loss, strict=True))
    ]
    for model, epoch in ((last, ran - 1), (best, best_epoch)):
        error = np.square(reconstruct(model, encode(model, val)) - val).mean()
        assert error == pytest.approx(history.val_loss[epoch], rel=1e-4)
    assert best_epoch != ran - 1


@settings(max_examples=30, deadline=None)
@given(
    st.lists(st.sampled_from([0.5, 0.5 + 1e-12, 0.5 + 2e-12, 0.7]), min_size=1, max_size=12),
    st.integers(0, 4),
)
def test_any_losses_stop_as_in_keras(losses, patience):
    x = records(4, features=2)
    with pytest.MonkeyPatch.context() as patch:
        series = iter(losses)
        patch.setattr(autoencoder, "_loss", lambda *_: next(series))
        _, history = train(x, x, epochs=len(losses), patience=patience)
    assert (len(history.loss), history.best_epoch) == keras_early_stopping(losses, patience)
    assert history.stopped_early == (len(history.loss) < len(losses))


def test_min_steps_raises_the_epochs_and_holds_off_the_stop():
    x, val = records(60), records(20, seed=3)
    kwargs = {"batch_size": 16, "patience": 1, "learning_rate": 0.05}  # four steps an epoch
    _, history = train(x, val, epochs=2, min_steps=30, **kwargs)
    assert history.steps == 32
    assert not history.stopped_early
    _, early = train(x, val, epochs=200, **kwargs)
    _, late = train(x, val, epochs=200, min_steps=early.steps + 21, **kwargs)
    assert early.stopped_early
    assert late.steps >= early.steps + 21


def test_a_masked_bin_changes_nothing_but_its_input():
    """The loss over measured bins only: the truth of a missing bin cannot matter."""
    x = records(100, missing=0.2)
    model, _ = train(x, x[:30], masked=True, epochs=2)
    assert np.isfinite(model.encoder_kernel).all()
    np.testing.assert_allclose(model.fill, np.nanmean(x, axis=0), rtol=1e-6)
    filled = np.where(np.isnan(x), model.fill, x)
    np.testing.assert_array_equal(encode(model, x), encode(model, filled))


def test_a_feature_that_is_never_measured_and_a_record_without_any():
    x = records(40, missing=0.1)
    x[:, 2] = np.nan
    x[5] = np.nan
    model, history = train(x, x[:10], masked=True, epochs=2, batch_size=1)
    assert model.fill[2] == 0
    assert np.isfinite(history.loss).all()
    assert np.isfinite(encode(model, x)).all()


@pytest.fixture(scope="module")
def model():
    x = records(200, features=9)
    return train(x, x[:50], epochs=1)[0]


def test_encode_and_reconstruct_are_the_formulas(model):
    x = records(30, features=9, missing=0.1)
    filled = np.where(np.isnan(x), 0, x)
    z = np.maximum(filled @ model.encoder_kernel + model.encoder_bias, 0)
    y = 1 / (1 + np.exp(-(z @ model.decoder_kernel + model.decoder_bias)))
    np.testing.assert_allclose(encode(model, x), z, atol=1e-6)
    np.testing.assert_allclose(reconstruct(model, z), y, atol=1e-6)
    assert encode(model, x).dtype == reconstruct(model, z).dtype == np.float32
    assert encode(model, x[:0]).shape == (0, 4)


@settings(max_examples=25, deadline=None)
@given(st.lists(st.integers(0, 20_000), max_size=6))
def test_a_rows_encoding_does_not_depend_on_its_company(model, cuts):
    x = records(20_000, features=9)
    parts = np.split(x, sorted(cuts))
    whole = encode(model, x)
    assert np.concatenate([encode(model, part) for part in parts]).tobytes() == whole.tobytes()
    y = reconstruct(model, whole)
    parts = np.split(whole, sorted(cuts))
    assert np.concatenate([reconstruct(model, part) for part in parts]).tobytes() == y.tobytes()


ON_CORES = """
import hashlib, os, sys
cores = sorted(os.sched_getaffinity(0))[: int(sys.argv[1])]
os.sched_setaffinity(0, cores)
import numpy as np
from xpad.stages.encoders.train import train
x = np.random.default_rng(0).random((3000, 204), dtype=np.float32)
for options in ({}, {"optimiser": "muon", "schedule": "onecycle", "learning_rate": 0.03}):
    model, _ = train(x[:2000], x[2000:], epochs=2, **options)
    weights = [model.encoder_kernel, model.encoder_bias, model.decoder_kernel, model.decoder_bias]
    print(hashlib.sha256(b"".join(w.tobytes() for w in weights)).hexdigest())
"""


@pytest.mark.slow
@pytest.mark.skipif(
    not hasattr(os, "sched_getaffinity") or len(os.sched_getaffinity(0)) < 2,
    reason="needs two cores",
)
def test_training_does_not_depend_on_the_number_of_cores():
    one, two = (
        subprocess.run(
            [sys.executable, "-c", ON_CORES, cores],
            capture_output=True,
            text=True,
            check=True,
            env=os.environ | {"JAX_ENABLE_COMPILATION_CACHE": "false"},  # each compiles for itself
        ).stdout
        for cores in ("1", "2")
    )
    assert len(set(one.split())) == 2
    assert one == two


@pytest.mark.parametrize("cut", [1, 2, 3])
def test_muon_goes_on_from_a_checkpoint_to_the_same_end(cut):
    x = records(600)
    options = {"optimiser": "muon", "schedule": "onecycle", "learning_rate": 0.03, "epochs": 4}
    saved = []
    whole, course = train(x[:400], x[400:], save=saved.append, patience=None, **options)
    again, course_again = train(x[:400], x[400:], resume=saved[cut - 1], patience=None, **options)
    for name in WEIGHTS:
        assert getattr(whole, name).tobytes() == getattr(again, name).tobytes()
    assert course.val_loss.tolist() == course_again.val_loss.tolist()


@pytest.mark.slow
def test_a_fast_training_is_ahead_of_the_published_one():
    x = records(3000)
    _, published = train(x[:2000], x[2000:], epochs=40, patience=None)
    _, fast = train(
        x[:2000], x[2000:], epochs=8, patience=None,
        optimiser="muon", schedule="onecycle", learning_rate=0.03,
    )  # fmt: skip
    assert fast.val_loss[-1] < published.val_loss[-1]


@pytest.mark.parametrize("options", [{"optimiser": "sgd"}, {"schedule": "linear"}])
def test_an_unknown_rule_of_training_is_refused(options):
    with pytest.raises(OptionError, match="it can be"):
        train(records(30), records(30), **options)


@pytest.mark.slow
def test_compilations_are_bounded():
    features, batch = 5, 8
    programs = network.programs(2, features, "sigmoid", False)
    x = records(4000, features=features)
    model, _ = train(x, x, epochs=1, batch_size=batch)
    encode(model, x[:4000])
    assert programs.encode._cache_size() == 2  # of every size, so that no other length adds one
    lengths = [1, 2, 7, 8, 9, 31, 33, 100, 127, 128, 200, 300, 500, 513, 700, 999, 1500, 2100, 3e3]
    for n in map(int, [*lengths, 4000]):
        model, _ = train(x[:n], x[-n:], epochs=1, batch_size=batch)
        encode(model, x[:n])
    assert programs.train_block._cache_size() <= 6
    assert programs.loss_block._cache_size() <= 3
    assert programs.encode._cache_size() <= 2


@given(st.integers(1, 3000), st.integers(1, 64))
@settings(deadline=None)
def test_rows_are_dealt_once_each_to_blocks_of_whole_batches(n, batch):
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(deal, "BLOCK_ROWS", 512)
        blocks = deal.Deal.of(n, batch, features=1)
    assert blocks.padded_rows <= max(512, batch)
    assert blocks.batch == batch
    rows = [blocks.rows(number) for number in range(len(blocks.sizes))]
    assert [len(row) for row in rows] == list(blocks.sizes)
    assert np.array_equal(np.sort(np.concatenate(rows)), np.arange(n))
    for number, row in enumerate(rows):
        block, place = blocks.where(row)
        assert (block == number).all()
        assert np.array_equal(place, np.arange(len(row)))
    assert blocks.steps == -(-n // batch) == sum(-(-size // batch) for size in blocks.sizes)
    assert all(size % batch == 0 for size in blocks.sizes[:-1])
    assert max(blocks.sizes) - min(blocks.sizes) < 2 * batch
    for row in rows:  # each block is spread over the whole
        assert abs(row.mean() - n / 2) <= n / 4 or n < 4 * batch


def test_a_batch_of_more_rows_than_there_are_takes_no_more_memory():
    x = records(100)
    model, history = train(x, x[:10], batch_size=10**9, epochs=2)
    whole, same = train(x, x[:10], batch_size=100, epochs=2)
    assert deal.Deal.of(100, 10**9, 112).padded_rows == deal.SMALL_BATCH
    assert deal.Deal.of(100_000, 10**9, 112).batch == 100_000
    assert history.steps == same.steps == 2
    np.testing.assert_allclose(model.encoder_kernel, whole.encoder_kernel, rtol=1e-4, atol=1e-6)


def test_many_blocks_train_like_one(monkeypatch):
    """The same steps, other shuffles: every row is trained on, once an epoch."""
    x = records(1000, features=6)
    one, a = train(x, x[:100], batch_size=16, epochs=15, learning_rate=5e-3)
    monkeypatch.setattr(deal, "BLOCK_ROWS", 128)
    many, b = train(x, x[:100], batch_size=16, epochs=15, learning_rate=5e-3)
    assert a.steps == b.steps
    assert not np.array_equal(one.encoder_kernel, many.encoder_kernel)
    np.testing.assert_allclose(a.val_loss, b.val_loss, rtol=0.1)


def test_divergence_names_the_epoch_the_rate_and_the_remedy():
    x = records(64)
    with pytest.raises(TrainingError, match=r"epoch \d+ of 50 .*learning_rate=1e\+20: lower"):
        train(x, x, output="linear", learning_rate=1e20, epochs=50, patience=None)
    x[3, 2] = np.inf
    with pytest.raises(TrainingError, match="epoch 1 of"):
        train(x, records(5))


def test_no_rows_is_not_enough():
    x = records(10)
    with pytest.raises(NotEnoughDataError, match="no training record"):
        train(x[:0], x)
    with pytest.raises(NotEnoughDataError, match="no validation record"):
        train(x, x[:0])


@pytest.mark.parametrize(
    "kwargs",
    [
        {"output": "tanh"},
        {"epochs": 0},
        {"batch_size": 0},
        {"n_hidden": 0},
        {"learning_rate": float("nan")},
        {"patience": -1},
    ],
)
def test_a_wrong_option_is_named(kwargs):
    x = records(10)
    with pytest.raises(OptionError, match=next(iter(kwargs))):
        train(x, x, **kwargs)


def test_wrong_shapes_are_named(model):
    x = records(10)
    with pytest.raises(OptionError, match="x_train has 8 features and x_val has 7"):
        train(x, x[:, :7])
    with pytest.raises(OptionError, match=r"x has shape \(10, 8\)"):
        encode(model, x)


def test_importing_does_not_import_jax_and_the_first_call_is_silent():
    code = """
import sys, numpy as np
from xpad.stages.encoders import train as autoencoder
from xpad.stages.labellers import kmeans
from xpad.stages.k_rules import meanshift
from xpad.stages import pca
from xpad.stages import scores
from xpad.stages.labellers import ward
assert not {"jax", "flax", "optax", "sklearn"} & set(sys.modules)
x = np.zeros((4, 2), np.float32)
autoencoder.train(x, x, epochs=1)
"""
    run = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert run.returncode == 0, run.stderr
    assert run.stdout == run.stderr == ""


class Read:
    """Rows made block by block, as if they were read."""

    held = False

    def __init__(self, n, features, batch):
        self.shape = (n, features)
        self.deal = deal.Deal.of(n, batch, features)

    def block(self, number):
        rows = deal.empty_block(self.deal, self.shape[1])
        rows[:] = np.random.default_rng(number).random(rows.shape, dtype=np.float32)
        return rows


def test_blocks_do_not_pile_up_before_a_training_that_is_slower_than_their_reading(monkeypatch):
    losses, under_way = [], []

    def watched(*args):
        program = network.programs(*args)

        def train_block(*args):
            state, *sums = program.train_block(*args)
            losses.append(sums[0])
            under_way.append(sum(not loss.is_ready() for loss in losses))
            return state, *sums

        return replace(program, train_block=train_block)

    monkeypatch.setattr(deal, "BLOCK_BYTES", 2**20)
    monkeypatch.setattr(autoencoder, "programs", watched)
    rows = Read(16 * 1024, features=256, batch=64)
    train(rows, records(100, features=256), n_hidden=1024, epochs=1, batch_size=64)
    assert len(under_way) == 16
    assert max(under_way) <= 2
