"""Keys: the bin that each record belongs to, one whole number a record; a negative one is no bin.

A key is any function of the values that a block's records have (labels, places, …) and of where
the records lie among all. Two keys become one as indices of a matrix do: ``first * n + second``.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
import xarray as xr
from numpy.typing import NDArray

from xpad.pads.dims import checked_record_dims, time_dim

Integers = NDArray[np.int64]

Key = Callable[..., Integers]
"""``key(*values, position)``, all of shape (records,), gives the records' bins (records,)."""


def by_number(number: NDArray[Any], position: Integers | None = None) -> Integers:
    """Records by a number of theirs, such as their label; those without one (-1, NaN) in no bin.

    Examples
    --------
    >>> by_number(np.array([2.0, np.nan, 0.0, -1.0]))
    array([ 2, -1,  0, -1])
    """
    return np.where(number >= 0, number, -1).astype(np.int64)


@dataclass(frozen=True)
class Runs:
    """Records by runs that follow each other in time, apart for each of the other dimensions.

    Attributes
    ----------
    sizes : tuple of int
        Of the record dimensions, in the order that positions count them.
    axis : int
        Which of them has the runs.
    length : int
        Records of a run; the last may have fewer.

    Examples
    --------
    >>> Runs(sizes=(2, 5), axis=1, length=2)(np.arange(10))
    array([0, 0, 1, 1, 2, 3, 3, 4, 4, 5])
    """

    sizes: tuple[int, ...]
    axis: int
    length: int

    @classmethod
    def of(cls, flux: xr.DataArray, length: int) -> Runs:
        """Along the times of a canonical flux."""
        dims = sorted(checked_record_dims(flux))
        return cls(tuple(flux.sizes[d] for d in dims), dims.index(time_dim(flux)), length)

    @property
    def shape(self) -> tuple[int, ...]:
        """How many runs there are: of the other dimensions' sizes in front, then along the axis."""
        others = (n for axis, n in enumerate(self.sizes) if axis != self.axis)
        return (*others, -(-self.sizes[self.axis] // self.length))

    def __call__(self, position: Integers) -> Integers:
        """The run of the records at some positions among all."""
        index = list(np.unravel_index(position, self.sizes))
        along = index.pop(self.axis) // self.length
        return np.asarray(np.ravel_multi_index((*index, along), self.shape), dtype=np.int64)
