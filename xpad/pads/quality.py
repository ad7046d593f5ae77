"""Which records are usable, and why not."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

FLAGS = ("ok", "all_fill", "no_positive_flux", "too_sparse", "bad_axis")
OK, ALL_FILL, NO_POSITIVE_FLUX, TOO_SPARSE, BAD_AXIS = range(len(FLAGS))

FLAG_ATTRS = {
    "long_name": "why a record has no label",
    "standard_name": "status_flag",
    "flag_values": np.arange(len(FLAGS), dtype=np.int8),
    "flag_meanings": " ".join(FLAGS),
}


def record_flags(
    n_measured: NDArray[np.integer],
    n_positive: NDArray[np.integer],
    bad_axis: NDArray[np.bool_],
    *,
    n_features: int,
    min_coverage: float = 0.0,
    min_positive: int = 1,
) -> NDArray[np.int8]:
    """One flag a record, from how many bins it measured and how many of them are positive.

    Parameters
    ----------
    n_measured, n_positive : (records,)
        Bins with a value, and with a positive one.
    bad_axis : (records,)
        Records whose energies or pitch angles are all invalid.
    n_features : int
        Bins that are ever measured, of which `min_coverage` is a share.
    min_coverage : float
        Least share of the features that a record must have measured.
    min_positive : int
        Least number of positive bins; the published rule is one.

    Returns
    -------
    (records,) int8
        Indices into `FLAGS`.

    Examples
    --------
    >>> import numpy as np
    >>> record_flags(np.array([4, 0, 4]), np.array([3, 0, 0]), np.zeros(3, bool), n_features=4)
    array([0, 1, 2], dtype=int8)
    """
    flags = np.full(len(n_measured), OK, dtype=np.int8)
    # The weightiest reason last: it stays.
    flags[(n_measured < min_coverage * n_features) | (n_positive < min_positive)] = TOO_SPARSE
    flags[n_positive == 0] = NO_POSITIVE_FLUX
    flags[n_measured == 0] = ALL_FILL
    flags[bad_axis] = BAD_AXIS
    return flags


Floats = NDArray[np.float32]
Counts = NDArray[np.int32]
