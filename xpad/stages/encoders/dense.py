"""Encoding and reconstruction of rows by a trained autoencoder of one hidden layer."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from threading import Lock
from typing import Any
from weakref import WeakKeyDictionary

import numpy as np
from numpy.typing import ArrayLike, NDArray

from xpad.errors import OptionError
from xpad.stages.encoders.network import import_jax, programs

Float32 = NDArray[np.float32]

ENCODE_ROWS = (1024, 8192)


_compiled: set[Any] = set()
_compiling = Lock()


_held: WeakKeyDictionary[Autoencoder, Any] = WeakKeyDictionary()


@dataclass(frozen=True, eq=False)
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


def width_of(n: int, n_hidden: int | None) -> int:
    """The hidden units of `n` features: half as many, where no number is given."""
    return max(n // 2, 1) if n_hidden is None else n_hidden


def encode(model: Autoencoder, x: ArrayLike, over: ArrayLike | None = None) -> Float32:
    """The hidden units' values for each row of `x`.

    Parameters
    ----------
    model : Autoencoder
    x : (rows, n)
        Features, NaN where missing.
    over : (rows,), optional
        What each row is divided by first. NaN leaves nothing of it.

    Returns
    -------
    (rows, h) float32
        A row's encoding does not depend on the other rows of the call.

    Examples
    --------
    >>> import numpy as np
    >>> from xpad.stages.encoders.train import train
    >>> x = np.random.default_rng(0).random((300, 8), dtype=np.float32)
    >>> model, _ = train(x[:200], x[200:], epochs=1)
    >>> encode(model, x).shape
    (300, 4)
    """
    n, hidden = model.encoder_kernel.shape
    program = programs(hidden, n, model.output, model.masked).encode
    return _by_blocks(program, model, *_scaled(x, over, n))[0]


def encode_with_error(
    model: Autoencoder, x: ArrayLike, over: ArrayLike | None = None
) -> tuple[Float32, Float32]:
    """The encoding of each row, and how far its reconstruction is off.

    Parameters
    ----------
    model : Autoencoder
    x : (rows, n)
        Features, NaN where missing.
    over : (rows,), optional
        What each row is divided by first. NaN leaves nothing of it.

    Returns
    -------
    encoding : (rows, h) float32
    error : (rows,) float32
        Sum of the squares of reconstruction minus features, over the measured ones.

    Examples
    --------
    >>> import numpy as np
    >>> from xpad.stages.encoders.train import train
    >>> x = np.random.default_rng(0).random((300, 8), dtype=np.float32)
    >>> model, _ = train(x[:200], x[200:], epochs=1)
    >>> encoding, error = encode_with_error(model, x)
    >>> apart = reconstruct(model, encoding) - x
    >>> bool(np.allclose(error, np.sum(apart**2, axis=1)))
    True
    """
    n, hidden = model.encoder_kernel.shape
    program = programs(hidden, n, model.output, model.masked).encode_with_error
    encoding, error = _by_blocks(program, model, *_scaled(x, over, n))
    return encoding, error


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
    >>> from xpad.stages.encoders.train import train
    >>> x = np.random.default_rng(0).random((300, 8), dtype=np.float32)
    >>> model, _ = train(x[:200], x[200:], epochs=1)
    >>> reconstruct(model, encode(model, x)).shape
    (300, 8)
    """
    n, hidden = model.encoder_kernel.shape
    program = programs(hidden, n, model.output, model.masked).decode
    return _by_blocks(program, model, _rows(encoding, "encoding", hidden))[0]


# ------------------------------------------------------------------------------------------ arrays


def _rows(x: ArrayLike, name: str, n: int | None = None) -> Float32:
    rows = np.asarray(x, dtype=np.float32)
    if rows.ndim != 2 or (n is not None and rows.shape[1] != n):
        wanted = "features" if n is None else str(n)
        raise OptionError(f"{name} has shape {rows.shape}; wanted two dimensions, (rows, {wanted})")
    return rows


def _scaled(x: ArrayLike, over: ArrayLike | None, n: int) -> tuple[Float32, Float32]:
    """Rows of `n` features, and what each is divided by."""
    rows = _rows(x, "x", n)
    if over is None:
        return rows, np.ones(len(rows), np.float32)
    divisors = np.asarray(over, np.float32)
    if divisors.shape != (len(rows),):
        raise OptionError(f"over has shape {divisors.shape}; wanted one number a row, {len(rows)}")
    return rows, divisors


def _put(arrays: Any) -> Any:
    return import_jax().device_put(arrays)


def _by_blocks(program: Callable[..., Any], model: Autoencoder, *given: Float32) -> list[Float32]:
    """Run a row-wise program, of several arrays that returns several, over blocks of fixed sizes.

    A matrix product's rounding can depend on the number of rows; at a fixed number, large enough,
    it does not, nor on a row's place (seen with XLA's CPU products from 256 rows, and not with
    NumPy's, which were also slower here).
    """
    found: list[list[Float32]] = []
    weights, fill = _on_device(model)
    _compile(program, weights, given, fill)
    small, large = ENCODE_ROWS
    n = len(given[0])
    start = 0
    while start < n or not found:
        size = large if n - start > large // 2 else small
        rows = [_padded(a[start : start + size], size) for a in given]
        count = min(size, n - start)
        found.append([np.asarray(a)[:count] for a in program(weights, *rows, fill)])
        start += size
    return found[0] if len(found) == 1 else [np.concatenate(a) for a in zip(*found, strict=True)]


def _padded(rows: Float32, size: int) -> Float32:
    if len(rows) == size:
        return rows
    padded = np.zeros((size, *rows.shape[1:]), np.float32)
    padded[: len(rows)] = rows
    return padded


def _compile(
    program: Callable[..., Any], weights: Any, given: tuple[Float32, ...], fill: Any
) -> None:
    """Compile a program for every size of block, once, whatever the length of the data."""
    if program in _compiled:
        return
    with _compiling:
        if program not in _compiled:
            for size in ENCODE_ROWS:
                program(weights, *(np.zeros((size, *a.shape[1:]), np.float32) for a in given), fill)
            _compiled.add(program)


def _on_device(model: Autoencoder) -> Any:
    """A network's weights and its fill on JAX's device, put there once."""
    found = _held.get(model)
    if found is None:
        weights = {
            "encoder": {"kernel": model.encoder_kernel, "bias": model.encoder_bias},
            "decoder": {"kernel": model.decoder_kernel, "bias": model.decoder_bias},
        }
        found = _held[model] = _put((weights, model.fill))
    return found
