"""Arrays of PADs for property tests: what flux may hold, in the orders in which memory may hold it."""

import numpy as np
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

VALUES = st.sampled_from(np.array([np.nan, 0, 1e-45, 1e-39, 0.5, 1, 3, 2e8, 9.9e29], np.float32))
PADS = hnp.arrays(np.float32, hnp.array_shapes(min_dims=3, max_dims=3, max_side=9), elements=VALUES)
ORDERS = st.sampled_from(
    [
        lambda x: x,
        lambda x: np.ascontiguousarray(x.swapaxes(1, 2)).swapaxes(1, 2),
        lambda x: np.repeat(x, 2, axis=0)[::2],
        lambda x: np.repeat(x, 2, axis=2)[:, :, ::2],
        lambda x: x[::-1].copy()[::-1],
    ]
)
