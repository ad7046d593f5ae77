"""An array that grows piece by piece without ever being held twice."""

import numpy as np
from numpy.typing import NDArray

__all__ = ["GrowingArray"]


class GrowingArray:
    """One-dimensional pieces joined into one array as they come.

    To keep all pieces and concatenate them takes their memory twice. Here the array is enlarged
    in place, by an eighth at a time, which the system does without copying where it is large.

    Attributes
    ----------
    size : int
        The number of values so far.

    Examples
    --------
    >>> import numpy as np
    >>> array = GrowingArray()
    >>> array.append(np.arange(3))
    >>> array.append(np.arange(2))
    >>> array.taken()
    array([0, 1, 2, 0, 1])
    """

    def __init__(self) -> None:
        self._values: NDArray | None = None
        self.size = 0

    def append(self, piece: NDArray) -> None:
        """Put `piece`, shape (n,), at the end; the first one decides about the dtype."""
        if self._values is None:
            self._values = np.empty(piece.shape, piece.dtype)
        needed = self.size + piece.size
        if needed > self._values.size:
            self._values.resize(needed + needed // 8, refcheck=False)
        self._values[self.size : needed] = piece
        self.size = needed

    def taken(self) -> NDArray:
        """Return the array, shape (size,), and forget it."""
        values = np.empty(0) if self._values is None else self._values
        values.resize(self.size, refcheck=False)
        self._values, self.size = None, 0
        return values
