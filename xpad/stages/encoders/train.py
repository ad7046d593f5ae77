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
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from xpad.errors import NotEnoughDataError, OptionError, TrainingError
from xpad.stages.encoders.deal import Deal, batch_of, empty_block
from xpad.stages.encoders.dense import Autoencoder, Float32, _put, _rows, width_of
from xpad.stages.encoders.network import VALIDATION_BATCH, Programs, State, import_jax, programs
from xpad.stages.encoders.rows import History, Rows, means

log = logging.getLogger(__name__)

Checkpoint = dict[str, NDArray[Any]]


def train(
    x_train: ArrayLike | Rows,
    x_val: ArrayLike | Rows,
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
    optimiser: str = "adam",
    schedule: str = "constant",
    progress: Callable[[int, float, float], None] | None = None,
    save: Callable[[Checkpoint], None] | None = None,
    resume: Checkpoint | None = None,
) -> tuple[Autoencoder, History]:
    """Train an autoencoder on the rows of `x_train`, watching its loss on those of `x_val`.

    Parameters
    ----------
    x_train, x_val : (rows, n), or Rows
        Features, NaN where missing. `Rows` are dealt by `batch_size`, and by 2048 for validation.
    n_hidden : int, optional
        Hidden units; half the number of features by default.
    output : {"sigmoid", "linear"}
        The last layer's activation: "sigmoid" for features within 0…1.
    masked : bool
        False: a missing value is a zero, also in the loss. True: a missing input is replaced with
        the feature's mean over the training rows, and the loss is over the measured bins only.
    epochs, batch_size, learning_rate
        Passes over the training rows, rows in a step, and the rate of a step, at its peak.
    patience : int or None
        Stop once the validation loss has not fallen below its lowest for so many epochs in a row.
        None: never.
    restore_best : bool
        Return the weights of the epoch with the lowest validation loss, not the last ones.
    min_steps : int
        Take at least so many steps: `epochs` is raised to what that needs, and no earlier
        stop is made.
    random_state : int
        Seed of the initial weights and of the order of the rows.
    optimiser : {"adam", "muon"}
        What makes a step of a gradient.
    schedule : {"constant", "onecycle"}
        The rate over the steps: always the same, or up to its peak and down to zero along cosines.
    progress : callable, optional
        Called after each epoch with its number (from zero), loss and validation loss.
    save : callable, optional
        Called after each epoch with all that is needed to go on from there, as plain arrays.
    resume : dict, optional
        What `save` was called with: the training goes on from there, to the same end.

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
    train_rows = _source(x_train, "x_train", batch_size)
    val_rows = _source(x_val, "x_val", VALIDATION_BATCH)
    _check_training(
        train_rows,
        val_rows,
        n_hidden,
        output,
        epochs,
        batch_size,
        learning_rate,
        patience,
        optimiser,
        schedule,
    )
    n = train_rows.shape[1]
    hidden = width_of(n, n_hidden)
    fill = means(train_rows) if masked else np.zeros(n, np.float32)

    deal = train_rows.deal
    train_blocks, val_blocks = _Loaded(train_rows), _Loaded(val_rows)
    epochs = max(epochs, math.ceil(min_steps / deal.steps))
    program = programs(hidden, n, output, masked, optimiser)
    rates = _rates(schedule, learning_rate, epochs * deal.steps)
    padded_steps = deal.padded_rows // deal.batch
    state, so_far = program.start(random_state), _Course()
    if resume is not None:
        state, so_far = _resumed(state, resume)

    for epoch in range(len(so_far.losses), epochs):
        if so_far.ended(patience, min_steps, deal.steps):
            break
        total, first = _Mean(), epoch * deal.steps
        for block, loaded in train_blocks.each(_shuffle(random_state, epoch, 0, len(deal.sizes))):
            rows = deal.sizes[block]
            order = np.arange(deal.padded_rows, dtype=np.int32)
            order[:rows] = _shuffle(random_state, epoch, 1 + block, rows)
            state, *sums = program.train_block(
                state, loaded, order, rows, fill, rates(first, padded_steps), deal.batch
            )
            first += math.ceil(rows / deal.batch)
            total.add(*sums)
        loss, val_loss = total.value(), _loss(program, state.weights, val_blocks, fill)
        _check_finite(loss, val_loss, epoch, epochs, learning_rate)
        log.debug("epoch %d: loss %.6g, val_loss %.6g", epoch, loss, val_loss)
        if so_far.add(loss, val_loss) and restore_best:
            so_far.best_weights = _plain_arrays(state.weights)
        if save is not None:
            save(_checkpoint(state, so_far))
        if progress is not None:
            progress(epoch, loss, val_loss)

    weights = so_far.best_weights if restore_best else _plain_arrays(state.weights)
    model = _model(weights, fill, output, masked)
    n_epochs = len(so_far.losses)
    stopped = n_epochs < epochs
    curves = np.array(so_far.losses), np.array(so_far.val_losses)
    return model, History(*curves, n_epochs * deal.steps, so_far.best_epoch, stopped)


class _Array:
    """Rows of an array."""

    held = True

    def __init__(self, x: Float32, batch: int) -> None:
        self._x = x
        self.shape: tuple[int, int] = x.shape
        self.deal = Deal.of(x.shape[0], batch, max(x.shape[1], 1))

    def block(self, number: int) -> Float32:
        rows = empty_block(self.deal, self.shape[1])
        rows[: self.deal.sizes[number]] = self._x[self.deal.rows(number)]
        return rows


def _source(x: ArrayLike | Rows, name: str, batch: int) -> Rows:
    rows = x
    if not isinstance(rows, Rows):
        if batch < 1:
            raise OptionError(f"batch_size={batch}; it must be at least 1")
        return _Array(_rows(rows, name), batch)
    if rows.deal.batch != batch_of(rows.shape[0], batch):
        raise OptionError(f"{name} is dealt to batches of {rows.deal.batch}; wanted {batch}")
    return rows


def _check_training(
    x_train: Rows,
    x_val: Rows,
    n_hidden: int | None,
    output: str,
    epochs: int,
    batch_size: int,
    learning_rate: float,
    patience: int | None,
    optimiser: str,
    schedule: str,
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
    for option, chosen, choices in (
        ("optimiser", optimiser, ("adam", "muon")),
        ("schedule", schedule, ("constant", "onecycle")),
    ):
        if chosen not in choices:
            raise OptionError(f"{option}={chosen!r}; it can be {choices[0]!r} or {choices[1]!r}")
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


def _shuffle(seed: int, epoch: int, block: int, n: int) -> NDArray[np.int64]:
    """A permutation of n that depends on nothing but these four numbers."""
    bits = np.random.Philox(np.random.SeedSequence([seed, epoch, block]))
    return np.random.Generator(bits).permutation(n)


class _Loaded:
    """Blocks of rows on JAX's device: kept there, or where they do not fit, read one ahead."""

    def __init__(self, rows: Rows) -> None:
        self._rows = rows
        self._kept: dict[int, Any] = {}

    def each(self, order: Iterable[Any]) -> Iterator[tuple[int, Any]]:
        """The blocks in this order, with their numbers."""
        numbers = [int(number) for number in order]
        if self._rows.held:
            for number in numbers:
                if number not in self._kept:
                    self._kept[number] = _put(self._rows.block(number))
                yield number, self._kept[number]
            return
        with ThreadPoolExecutor(1) as reader:
            coming = reader.submit(self._rows.block, numbers[0])
            for number, after in zip(numbers, [*numbers[1:], None], strict=True):
                block = coming.result()
                if after is not None:
                    coming = reader.submit(self._rows.block, after)
                yield number, _put(block)

    @property
    def sizes(self) -> tuple[int, ...]:
        return self._rows.deal.sizes


@dataclass
class _Course:
    """How a training has gone so far."""

    losses: list[float] = field(default_factory=list)
    val_losses: list[float] = field(default_factory=list)
    best: float = math.inf
    best_epoch: int = 0
    best_weights: Any = None

    def add(self, loss: float, val_loss: float) -> bool:
        """Note an epoch; whether it is the best so far."""
        self.losses.append(loss)
        self.val_losses.append(val_loss)
        if val_loss >= self.best:
            return False
        self.best, self.best_epoch = val_loss, len(self.losses) - 1
        return True

    def ended(self, patience: int | None, min_steps: int, steps: int) -> bool:
        """Whether early stopping ends the training here."""
        epochs = len(self.losses)
        waited = epochs - 1 - self.best_epoch
        late_enough = epochs > 1 and epochs * steps >= min_steps
        return patience is not None and waited > 0 and waited >= patience and late_enough


def _checkpoint(state: State, so_far: _Course) -> Checkpoint:
    leaves = import_jax().tree.leaves((state, so_far.best_weights))
    found = {"losses": np.array(so_far.losses), "val_losses": np.array(so_far.val_losses)}
    return found | {f"state/{number}": np.array(leaf) for number, leaf in enumerate(leaves)}


def _resumed(fresh: State, saved: Checkpoint) -> tuple[State, _Course]:
    so_far = _Course()
    for loss, val_loss in zip(saved["losses"], saved["val_losses"], strict=True):
        so_far.add(float(loss), float(val_loss))
    tree = import_jax().tree
    held = sum(name.startswith("state/") for name in saved)
    leaves = [saved[f"state/{number}"] for number in range(held)]
    n = len(tree.leaves(fresh))
    if len(leaves) > n:
        best = tree.unflatten(tree.structure(fresh.weights), leaves[n:])
        so_far.best_weights = _plain_arrays(best)
    state = tree.unflatten(tree.structure(fresh), leaves[:n])
    return tree.map(import_jax().numpy.asarray, state), so_far


def _rates(schedule: str, peak: float, total: int) -> Callable[[int, int], Float32]:
    """The rates of so many steps from a first one on."""
    if schedule == "constant":
        return lambda first, steps: np.full(steps, peak, np.float32)
    import optax

    rate = import_jax().vmap(optax.cosine_onecycle_schedule(total, peak))
    return lambda first, steps: np.asarray(rate(np.arange(first, first + steps)), np.float32)


def _plain_arrays(tree: Any) -> dict[str, dict[str, NDArray[Any]]]:
    """A copy of a network's parameters as NumPy arrays."""
    return {k: {p: np.array(a) for p, a in parts.items()} for k, parts in tree.items()}


class _Mean:
    """A mean whose sums stay on the device until it is asked for.

    JAX goes on before a program has ended, and holds what it works on: all but the newest are waited
    for, so that no more than two blocks are under way.
    """

    def __init__(self) -> None:
        self._sums: list[tuple[Any, Any]] = []

    def add(self, total: Any, weight: Any) -> None:
        if self._sums:
            self._sums[-1][0].block_until_ready()
        self._sums.append((total, weight))

    def value(self) -> float:
        total = math.fsum(float(total) for total, _ in self._sums)
        return total / max(math.fsum(float(weight) for _, weight in self._sums), 1.0)


def _loss(program: Programs, weights: Any, blocks: _Loaded, fill: Float32) -> float:
    total = _Mean()
    for block, loaded in blocks.each(range(len(blocks.sizes))):
        total.add(*program.loss_block(weights, loaded, blocks.sizes[block], fill))
    return total.value()


def _model(weights: Any, fill: Float32, output: str, masked: bool) -> Autoencoder:
    encoder, decoder = weights["encoder"], weights["decoder"]
    return Autoencoder(
        encoder_kernel=encoder["kernel"],
        encoder_bias=encoder["bias"],
        decoder_kernel=decoder["kernel"],
        decoder_bias=decoder["bias"],
        fill=fill,
        output=output,
        masked=masked,
    )
