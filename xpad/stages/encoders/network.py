"""The compiled programs of an autoencoder: its start, a training block, a loss, encode, decode.

JAX, Flax and optax are imported when the first of them is asked for.
"""

from __future__ import annotations

import logging
from collections.abc import Callable
from dataclasses import dataclass
from functools import cache
from typing import Any, NamedTuple

VALIDATION_BATCH = 2048


class State(NamedTuple):
    """What training carries from step to step (a JAX pytree)."""

    weights: Any
    optimiser: Any


@dataclass(frozen=True)
class Programs:
    """The compiled programs of one network."""

    start: Callable[[int], State]
    train_block: Any
    loss_block: Any
    encode: Any
    encode_with_error: Any
    decode: Any


@cache
def import_jax() -> Any:
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
def programs(hidden: int, n: int, output: str, masked: bool, optimiser: str = "adam") -> Programs:
    """The programs of a network of `n` features and `hidden` units, compiled when first called."""
    jax = import_jax()
    import flax.linen as nn
    import jax.numpy as jnp
    import optax

    precision = jax.lax.Precision.HIGHEST

    class Layer(nn.Module):
        """A dense layer whose training does not depend on the number of cores, to the bit.

        As a product, the bias has a product for its gradient; as a sum over the rows, that is cut
        into as many parts as there are cores. Where nothing is trained, it is simply added.
        """

        width: int
        trained: bool

        @nn.compact
        def __call__(self, x: Any) -> Any:
            shape = (x.shape[-1], self.width)
            kernel = self.param("kernel", nn.initializers.glorot_uniform(), shape)
            bias = self.param("bias", nn.initializers.zeros, (self.width,))
            product = jnp.dot(x, kernel, precision=precision)
            if not self.trained:
                return product + bias
            ones = jnp.ones((len(x), 1), jnp.float32)
            return product + jnp.dot(ones, bias[None], precision=precision)

    class Network(nn.Module):
        trained: bool = True

        def setup(self) -> None:
            self.encoder, self.decoder = Layer(hidden, self.trained), Layer(n, self.trained)

        def encode(self, x: Any) -> Any:
            return nn.relu(self.encoder(x))

        def decode(self, encoding: Any) -> Any:
            y = self.decoder(encoding)
            return nn.sigmoid(y) if output == "sigmoid" else y

        def __call__(self, x: Any) -> Any:
            return self.decode(self.encode(x))

    network, applied = Network(), Network(trained=False)
    rule = muon(optax) if optimiser == "muon" else keras_adam(jax, jnp, optax)

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

    def start(seed: int) -> State:
        weights = network.init(jax.random.key(seed), jnp.zeros((1, n), jnp.float32))["params"]
        return State(weights, rule.init(weights))

    def train_block(
        state: State, block: Any, order: Any, rows: Any, fill: Any, rates: Any, batch: int
    ) -> tuple[State, Any, Any]:
        def step(i: Any, carry: tuple[State, Any, Any]) -> tuple[State, Any, Any]:
            (weights, optimiser), total, weight = carry
            places = jax.lax.dynamic_slice(order, (i * batch,), (batch,))
            x = block.at[places].get(mode="promise_in_bounds", unique_indices=True)
            real = i * batch + jnp.arange(batch) < rows
            gradient, (loss, count) = jax.grad(batch_loss, has_aux=True)(weights, x, real, fill)
            updates, optimiser = rule.update(gradient, optimiser, weights)
            updates = jax.tree.map(lambda update: -rates[i] * update, updates)
            weights = optax.apply_updates(weights, updates)
            return State(weights, optimiser), total + loss, weight + count

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

    # Division, the fill and the product's input are one loop here, and three over all rows outside.
    def encoded(weights: Any, x: Any, over: Any, fill: Any) -> tuple[Any, Any]:
        x = x / over[:, None]
        filled = jnp.where(jnp.isnan(x), fill, x)
        return x, applied.apply({"params": weights}, filled, method="encode")

    def decoded(weights: Any, encoding: Any) -> Any:
        return applied.apply({"params": weights}, encoding, method="decode")

    def encode_block(weights: Any, x: Any, over: Any, fill: Any) -> tuple[Any]:
        return (encoded(weights, x, over, fill)[1],)

    def encode_with_error_block(weights: Any, x: Any, over: Any, fill: Any) -> tuple[Any, Any]:
        x, encoding = encoded(weights, x, over, fill)
        apart = decoded(weights, encoding) - x
        apart = jnp.where(jnp.isnan(apart), 0, apart)
        return encoding, jnp.sum(jnp.square(apart), axis=1)

    def decode_block(weights: Any, encoding: Any, fill: Any) -> tuple[Any]:
        return (decoded(weights, encoding),)

    return Programs(
        start=start,
        train_block=jax.jit(train_block, static_argnames="batch", donate_argnums=0),
        loss_block=jax.jit(loss_block),
        encode=jax.jit(encode_block),
        encode_with_error=jax.jit(encode_with_error_block),
        decode=jax.jit(decode_block),
    )


def keras_adam(jax: Any, jnp: Any, optax: Any) -> Any:
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


def muon(optax: Any) -> Any:
    """Muon for the kernels and Adam for the biases (to be scaled by minus the rate).

    Momentum is made orthogonal by Newton-Schulz steps before it moves a kernel; K. Jordan et al.
    (2024), https://kellerjordan.github.io/posts/muon.
    """
    return optax.chain(optax.contrib.muon(1.0), optax.scale(-1.0))
