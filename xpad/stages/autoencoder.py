"""An autoencoder with one hidden layer: training, encoding and reconstruction of rows.

The network and its training follow Killey et al. (2023, doi 10.1093/rasti/rzad035): n inputs, n/2
hidden units with ReLU, n outputs, mean squared error, Adam, early stopping on the validation loss,
with Keras's initialisation, epsilon, reported loss and last partial batch.

Rows are trained on in blocks of a few fixed sizes, so that data of any length run through a bounded
number of compiled programs, and so that blocks need not all be in memory at a time. Importing this
module does not import JAX; the first call of a function does.
"""

from __future__ import annotations

import logging
import math
from collections.abc import Callable
from dataclasses import dataclass
from functools import cache
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import ArrayLike, NDArray

from xpad.errors import NotEnoughDataError, OptionError, TrainingError

__all__ = ["Autoencoder", "History", "encode", "reconstruct", "train"]

log = logging.getLogger(__name__)

Float32 = NDArray[np.float32]

BLOCK_ROWS = 65_536
"""Rows that one call of the training program takes at most (if a batch is no longer than that)."""

VALIDATION_BATCH = 512
ENCODE_ROWS = (512, 8192)


@dataclass(frozen=True)
class Autoencoder:
    """A trained autoencoder of `n` features and `h` hidden units, as plain float32 arrays.

    Attributes
    ----------
    encoder_kernel : (n, h)
    encoder_bias : (h,)
    decoder_kernel : (h, n)
    decoder_bias : (n,)
    fill : (n,)
        What a missing input is replaced with: zero, or the feature's mean over the training rows.
    output : {"sigmoid", "linear"}
        The last layer's activation.
    masked : bool
        Whether the loss was taken over the measured bins only.
    """

    encoder_kernel: Float32
    encoder_bias: Float32
    decoder_kernel: Float32
    decoder_bias: Float32
    fill: Float32
    output: str
    masked: bool


@dataclass(frozen=True)
class History:
    """What happened in a training.

    Attributes
    ----------
    loss : (epochs,)
        Mean loss over an epoch's batches, each as it was when it was trained on, as Keras reports.
    val_loss : (epochs,)
        Loss over the validation rows at the end of each epoch.
    steps : int
        Adam steps taken.
    best_epoch : int
        The epoch, counted from zero, with the lowest validation loss.
    stopped_early : bool
        Whether early stopping ended the training.
    """

    loss: NDArray[np.float64]
    val_loss: NDArray[np.float64]
    steps: int
    best_epoch: int
    stopped_early: bool


def train(
    x_train: ArrayLike,
    x_val: ArrayLike,
    *,
    n_hidden: int | None = None,
    output: str = "sigmoid",
    masked: bool = False,
    epochs: int = 200,
    batch_size: int = 256,
    learning_rate: float = 5e-4,
    patience: int | None = 5,
    restore_best: bool = False,
    min_steps: int = 0,
    random_state: int = 0,
    progress: Callable[[int, float, float], None] | None = None,
) -> tuple[Autoencoder, History]:
    """Train an autoencoder on the rows of `x_train`, watching its loss on those of `x_val`.

    Parameters
    ----------
    x_train, x_val : (rows, n)
        Features, NaN where missing.
    n_hidden : int, optional
        Hidden units; half the number of features by default.
    output : {"sigmoid", "linear"}
        The last layer's activation: "sigmoid" for features within 0…1.
    masked : bool
        False: a missing value is a zero, also in the loss. True: a missing input is replaced with
        the feature's mean over the training rows, and the loss is over the measured bins only.
    epochs, batch_size, learning_rate
        Passes over the training rows, rows in an Adam step, and Adam's rate.
    patience : int or None
        Stop once the validation loss has not fallen below its lowest for so many epochs in a row.
        None: never.
    restore_best : bool
        Return the weights of the epoch with the lowest validation loss, not the last ones.
    min_steps : int
        Take at least so many Adam steps: `epochs` is raised to what that needs, and no earlier
        stop is made.
    random_state : int
        Seed of the initial weights and of the order of the rows.
    progress : callable, optional
        Called after each epoch with its number (from zero), loss and validation loss.

    Returns
    -------
    model : Autoencoder
    history : History

    Raises
    ------
    NotEnoughDataError
        If there is no training or no validation row.
    TrainingError
        If a loss is not finite.
    OptionError
        If an argument cannot have its value.

    Notes
    -----
    The order of the rows is shuffled every epoch, block by block: the rows are dealt to blocks of
    at most 65,536 like cards, the blocks' order is shuffled, and so are the rows of each block. The
    shuffles depend on `random_state`, the epoch and the block only.

    References
    ----------
    .. [1] Killey et al. (2023), RASTI 2, 548, doi 10.1093/rasti/rzad035.

    Examples
    --------
    >>> import numpy as np
    >>> x = np.random.default_rng(0).random((300, 8), dtype=np.float32)
    >>> model, history = train(x[:200], x[200:], epochs=3)
    >>> model.encoder_kernel.shape, history.loss.shape, history.steps
    ((8, 4), (3,), 3)
    """
    x_train, x_val = _rows(x_train, "x_train"), _rows(x_val, "x_val")
    _check_training(x_train, x_val, n_hidden, output, epochs, batch_size, learning_rate, patience)
    n = x_train.shape[1]
    hidden = max(n // 2, 1) if n_hidden is None else n_hidden
    fill = _means(x_train) if masked else np.zeros(n, np.float32)

    train_blocks = _Blocks(x_train, batch_size)
    val_blocks = _Blocks(x_val, VALIDATION_BATCH)
    epochs = max(epochs, math.ceil(min_steps / train_blocks.steps))
    programs = _programs(hidden, n, output, masked)
    state = programs.start(random_state)

    losses: list[float] = []
    val_losses: list[float] = []
    best, best_epoch, waited, stopped = math.inf, 0, 0, False
    best_weights: Any = None
    for epoch in range(epochs):
        total = _Mean()
        for block in _shuffle(random_state, epoch, 0, len(train_blocks)):
            rows = train_blocks.sizes[block]
            order = np.arange(train_blocks.padded_rows, dtype=np.int32)
            order[:rows] = _shuffle(random_state, epoch, 1 + int(block), rows)
            state, *sums = programs.train_block(
                state, train_blocks.load(block), order, rows, fill, learning_rate, batch_size
            )
            total.add(*sums)
        losses.append(total.value())
        val_losses.append(_loss(programs, state.weights, val_blocks, fill))
        _check_finite(losses[-1], val_losses[-1], epoch, epochs, learning_rate)
        log.debug("epoch %d: loss %.6g, val_loss %.6g", epoch, losses[-1], val_losses[-1])
        if progress is not None:
            progress(epoch, losses[-1], val_losses[-1])

        waited += 1
        if val_losses[-1] < best:
            best, best_epoch, waited = val_losses[-1], epoch, 0
            best_weights = programs.copy(state.weights) if restore_best else best_weights
        late_enough = epoch > 0 and (epoch + 1) * train_blocks.steps >= min_steps
        if patience is not None and waited > 0 and waited >= patience and late_enough:
            stopped = epoch + 1 < epochs
            break

    weights = best_weights if restore_best else state.weights
    model = _model(weights, fill, output, masked)
    steps = len(losses) * train_blocks.steps
    return model, History(np.array(losses), np.array(val_losses), steps, best_epoch, stopped)


def encode(model: Autoencoder, x: ArrayLike) -> Float32:
    """The hidden units' values for each row of `x`.

    Parameters
    ----------
    model : Autoencoder
    x : (rows, n)
        Features, NaN where missing.

    Returns
    -------
    (rows, h) float32
        A row's encoding does not depend on the other rows of the call.

    Examples
    --------
    >>> import numpy as np
    >>> x = np.random.default_rng(0).random((300, 8), dtype=np.float32)
    >>> model, _ = train(x[:200], x[200:], epochs=1)
    >>> encode(model, x).shape
    (300, 4)
    """
    n, hidden = model.encoder_kernel.shape
    program = _programs(hidden, n, model.output, model.masked).encode
    return _by_blocks(program, model, _rows(x, "x", n), hidden)


def reconstruct(model: Autoencoder, encoding: ArrayLike) -> Float32:
    """The features that the decoder makes of an encoding.

    Parameters
    ----------
    model : Autoencoder
    encoding : (rows, h)

    Returns
    -------
    (rows, n) float32

    Examples
    --------
    >>> import numpy as np
    >>> x = np.random.default_rng(0).random((300, 8), dtype=np.float32)
    >>> model, _ = train(x[:200], x[200:], epochs=1)
    >>> reconstruct(model, encode(model, x)).shape
    (300, 8)
    """
    n, hidden = model.encoder_kernel.shape
    program = _programs(hidden, n, model.output, model.masked).decode
    return _by_blocks(program, model, _rows(encoding, "encoding", hidden), n)


# ------------------------------------------------------------------------------------------ arrays


def _rows(x: ArrayLike, name: str, n: int | None = None) -> Float32:
    rows = np.asarray(x, dtype=np.float32)
    if rows.ndim != 2 or (n is not None and rows.shape[1] != n):
        wanted = "features" if n is None else str(n)
        raise OptionError(f"{name} has shape {rows.shape}; wanted two dimensions, (rows, {wanted})")
    return rows


def _check_training(
    x_train: Float32,
    x_val: Float32,
    n_hidden: int | None,
    output: str,
    epochs: int,
    batch_size: int,
    learning_rate: float,
    patience: int | None,
) -> None:
    for name, rows in (("training", x_train), ("validation", x_val)):
        if rows.shape[0] == 0:
            raise NotEnoughDataError(
                f"the autoencoder has no {name} record: give it more usable records, "
                f"or a larger {name} share of the split"
            )
    if x_train.shape[1] == 0 or x_val.shape[1] != x_train.shape[1]:
        raise OptionError(
            f"x_train has {x_train.shape[1]} features and x_val has {x_val.shape[1]}; "
            "both must have the same number, at least one"
        )
    if output not in ("sigmoid", "linear"):
        raise OptionError(f"output={output!r}; it can be 'sigmoid' or 'linear'")
    for option, value in (("epochs", epochs), ("batch_size", batch_size), ("n_hidden", n_hidden)):
        if value is not None and value < 1:
            raise OptionError(f"{option}={value}; it must be at least 1")
    if not 0 < learning_rate < math.inf:
        raise OptionError(f"learning_rate={learning_rate}; it must be positive and finite")
    if patience is not None and patience < 0:
        raise OptionError(f"patience={patience}; it must not be negative (None: no early stopping)")


def _check_finite(
    loss: float, val_loss: float, epoch: int, epochs: int, learning_rate: float
) -> None:
    if not (math.isfinite(loss) and math.isfinite(val_loss)):
        raise TrainingError(
            f"the autoencoder's training diverged in epoch {epoch + 1} of {epochs} (loss {loss}, "
            f"validation loss {val_loss}) at learning_rate={learning_rate}: lower learning_rate, "
            "or check that the features are finite and of order 1 (normalise them)"
        )


def _means(x: Float32) -> Float32:
    """Each feature's mean over its measured values; 0 where there is none."""
    total, count = np.zeros(x.shape[1]), np.zeros(x.shape[1])
    for start in range(0, len(x), BLOCK_ROWS):
        block = x[start : start + BLOCK_ROWS]
        total += np.nansum(block, axis=0, dtype=np.float64)
        count += np.count_nonzero(~np.isnan(block), axis=0)
    return (total / np.maximum(count, 1)).astype(np.float32)


def _shuffle(seed: int, epoch: int, block: int, n: int) -> NDArray[np.int64]:
    """A permutation of n that depends on nothing but these four numbers."""
    bits = np.random.Philox(np.random.SeedSequence([seed, epoch, block]))
    return np.random.Generator(bits).permutation(n)


class _Blocks:
    """Rows dealt to blocks of whole batches (the last batch may be partial), padded to one size.

    There are as few blocks as `BLOCK_ROWS` allows, equal to within a batch. Rows are dealt like
    cards, for a block to be a sample of the whole: training on a month at a time would forget the
    months before.
    """

    def __init__(self, x: Float32, batch: int) -> None:
        n = x.shape[0]
        most = max(BLOCK_ROWS // batch, 1)
        self.steps = math.ceil(n / batch)
        blocks = math.ceil(self.steps / most)
        per_block, longer = divmod(self.steps, blocks)
        sizes = [(per_block + (block < longer)) * batch for block in range(blocks)]
        sizes[-1] -= self.steps * batch - n
        self.sizes = sizes
        self.padded_rows = _padded_steps(math.ceil(sizes[0] / batch), most) * batch
        self._x = x
        self._dealt = min(sizes) * blocks
        self._tails = self._dealt + np.cumsum([0] + [size - min(sizes) for size in sizes])
        self._loaded: dict[int, Any] = {}

    def __len__(self) -> int:
        return len(self.sizes)

    def load(self, block: int) -> Any:
        """Block `block` as an array of `padded_rows` rows on JAX's device, kept there."""
        block = int(block)
        if block not in self._loaded:
            import jax

            rows = np.zeros((self.padded_rows, self._x.shape[1]), np.float32)
            dealt = self._x[block : self._dealt : len(self)]
            tail = self._x[self._tails[block] : self._tails[block + 1]]
            rows[: len(dealt)] = dealt
            rows[len(dealt) : len(dealt) + len(tail)] = tail
            self._loaded[block] = jax.device_put(rows)
        return self._loaded[block]


def _padded_steps(steps: int, most: int) -> int:
    """The least of 4, 16, 64 … that holds `steps`, or `most`: few sizes make few compilations."""
    padded = 4
    while padded < steps:
        padded *= 4
    return min(padded, most)


class _Mean:
    """A mean whose sums stay on the device until it is asked for."""

    def __init__(self) -> None:
        self._sums: list[tuple[Any, Any]] = []

    def add(self, total: Any, weight: Any) -> None:
        self._sums.append((total, weight))

    def value(self) -> float:
        total = math.fsum(float(total) for total, _ in self._sums)
        return total / max(math.fsum(float(weight) for _, weight in self._sums), 1.0)


def _loss(programs: _Programs, weights: Any, blocks: _Blocks, fill: Float32) -> float:
    total = _Mean()
    for block, rows in enumerate(blocks.sizes):
        total.add(*programs.loss_block(weights, blocks.load(block), rows, fill))
    return total.value()


def _by_blocks(program: Callable[..., Any], model: Autoencoder, x: Float32, width: int) -> Float32:
    """Run a row-wise program over blocks of fixed sizes.

    A matrix product's rounding can depend on the number of rows; at a fixed number, large enough,
    it does not, nor on a row's place (seen with XLA's CPU products from 256 rows, and not with
    NumPy's, which were also slower here).
    """
    out = np.empty((x.shape[0], width), np.float32)
    weights = _weights(model)
    small, large = ENCODE_ROWS
    start = 0
    while start < len(x):
        size = large if len(x) - start > small else small
        rows = x[start : start + size]
        padded = rows
        if len(rows) < size:
            padded = np.zeros((size, x.shape[1]), np.float32)
            padded[: len(rows)] = rows
        out[start : start + len(rows)] = np.asarray(program(weights, padded, model.fill))[
            : len(rows)
        ]
        start += size
    return out


def _weights(model: Autoencoder) -> dict[str, dict[str, Float32]]:
    return {
        "encoder": {"kernel": model.encoder_kernel, "bias": model.encoder_bias},
        "decoder": {"kernel": model.decoder_kernel, "bias": model.decoder_bias},
    }


def _model(weights: Any, fill: Float32, output: str, masked: bool) -> Autoencoder:
    encoder, decoder = weights["encoder"], weights["decoder"]
    return Autoencoder(
        encoder_kernel=np.array(encoder["kernel"]),
        encoder_bias=np.array(encoder["bias"]),
        decoder_kernel=np.array(decoder["kernel"]),
        decoder_bias=np.array(decoder["bias"]),
        fill=fill,
        output=output,
        masked=masked,
    )


# --------------------------------------------------------------------------------------------- JAX


class _State(NamedTuple):
    """What training carries from step to step (a JAX pytree)."""

    weights: Any
    optimiser: Any


@dataclass(frozen=True)
class _Programs:
    """The compiled programs of one network."""

    start: Callable[[int], _State]
    train_block: Any
    loss_block: Any
    encode: Any
    decode: Any
    copy: Any


@cache
def _import_jax() -> Any:
    """JAX, its backend started without the warning that it could have used another one."""
    import jax

    logger = logging.getLogger("jax._src.xla_bridge")
    level = logger.level
    logger.setLevel(logging.ERROR)
    try:
        jax.devices()
    finally:
        logger.setLevel(level)
    return jax


@cache
def _programs(hidden: int, n: int, output: str, masked: bool) -> _Programs:
    jax = _import_jax()
    import flax.linen as nn
    import jax.numpy as jnp
    import optax

    def dense(width: int) -> Any:
        return nn.Dense(
            width, kernel_init=nn.initializers.glorot_uniform(), precision=jax.lax.Precision.HIGHEST
        )

    class Network(nn.Module):
        def setup(self) -> None:
            self.encoder, self.decoder = dense(hidden), dense(n)

        def encode(self, x: Any) -> Any:
            return nn.relu(self.encoder(x))

        def decode(self, encoding: Any) -> Any:
            y = self.decoder(encoding)
            return nn.sigmoid(y) if output == "sigmoid" else y

        def __call__(self, x: Any) -> Any:
            return self.decode(self.encode(x))

    network = Network()
    adam = _keras_adam(jax, jnp, optax)

    def sums(weights: Any, x: Any, real: Any, fill: Any) -> tuple[Any, Any]:
        """Squared error and its weight, summed over the real rows of a batch."""
        measured = ~jnp.isnan(x)
        x = jnp.where(measured, x, fill)
        counted = (measured & real[:, None]) if masked else jnp.broadcast_to(real[:, None], x.shape)
        error = jnp.where(counted, network.apply({"params": weights}, x) - x, 0)
        weight = jnp.count_nonzero(counted) if masked else jnp.count_nonzero(real) * n
        return jnp.sum(jnp.square(error)), weight.astype(jnp.float32)

    def batch_loss(weights: Any, x: Any, real: Any, fill: Any) -> tuple[Any, tuple[Any, Any]]:
        total, weight = sums(weights, x, real, fill)
        return total / jnp.maximum(weight, 1), (total, weight)

    def start(seed: int) -> _State:
        weights = network.init(jax.random.key(seed), jnp.zeros((1, n), jnp.float32))["params"]
        return _State(weights, adam.init(weights))

    def train_block(
        state: _State, block: Any, order: Any, rows: Any, fill: Any, rate: Any, batch: int
    ) -> tuple[_State, Any, Any]:
        def step(i: Any, carry: tuple[_State, Any, Any]) -> tuple[_State, Any, Any]:
            (weights, optimiser), total, weight = carry
            places = jax.lax.dynamic_slice(order, (i * batch,), (batch,))
            x = block.at[places].get(mode="promise_in_bounds", unique_indices=True)
            real = i * batch + jnp.arange(batch) < rows
            gradient, (loss, count) = jax.grad(batch_loss, has_aux=True)(weights, x, real, fill)
            updates, optimiser = adam.update(gradient, optimiser)
            updates = jax.tree.map(lambda update: -rate * update, updates)
            weights = optax.apply_updates(weights, updates)
            return _State(weights, optimiser), total + loss, weight + count

        zero = jnp.zeros((), jnp.float32)
        return jax.lax.fori_loop(0, (rows + batch - 1) // batch, step, (state, zero, zero))

    def loss_block(weights: Any, block: Any, rows: Any, fill: Any) -> tuple[Any, Any]:
        batch = VALIDATION_BATCH

        def step(i: Any, carry: tuple[Any, Any]) -> tuple[Any, Any]:
            x = jax.lax.dynamic_slice(block, (i * batch, 0), (batch, n))
            real = i * batch + jnp.arange(batch) < rows
            loss, count = sums(weights, x, real, fill)
            return carry[0] + loss, carry[1] + count

        zero = jnp.zeros((), jnp.float32)
        return jax.lax.fori_loop(0, (rows + batch - 1) // batch, step, (zero, zero))

    def encode_block(weights: Any, x: Any, fill: Any) -> Any:
        x = jnp.where(jnp.isnan(x), fill, x)
        return network.apply({"params": weights}, x, method="encode")

    def decode_block(weights: Any, encoding: Any, fill: Any) -> Any:
        return network.apply({"params": weights}, encoding, method="decode")

    return _Programs(
        start=start,
        train_block=jax.jit(train_block, static_argnames="batch", donate_argnums=0),
        loss_block=jax.jit(loss_block),
        encode=jax.jit(encode_block),
        decode=jax.jit(decode_block),
        copy=lambda weights: jax.tree.map(jnp.copy, weights),
    )


def _keras_adam(jax: Any, jnp: Any, optax: Any) -> Any:
    """Adam with Keras's defaults, as an optax transformation (to be scaled by minus the rate).

    It differs from `optax.adam(rate, eps=1e-7)` in that Keras adds epsilon before the correction of
    the second moment's bias, which damps the first steps more: gradients are of order 1e-5 here.
    """
    first, second, epsilon = 0.9, 0.999, 1e-7

    def init(weights: Any) -> tuple[Any, Any, Any]:
        zeros = jax.tree.map(jnp.zeros_like, weights)
        return jnp.zeros((), jnp.int32), zeros, jax.tree.map(jnp.copy, zeros)

    def update(gradient: Any, state: tuple[Any, Any, Any], _: Any = None) -> tuple[Any, Any]:
        count, mean, square = state
        count = count + 1
        mean = jax.tree.map(lambda m, g: m + (g - m) * (1 - first), mean, gradient)
        square = jax.tree.map(lambda v, g: v + (g * g - v) * (1 - second), square, gradient)
        scale = jnp.sqrt(1 - second**count) / (1 - first**count)
        updates = jax.tree.map(lambda m, v: scale * m / (jnp.sqrt(v) + epsilon), mean, square)
        return updates, (count, mean, square)

    return optax.GradientTransformation(init, update)
