"""Principal components from sums over the rows, which can be taken chunk by chunk and merged."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import xarray as xr
from numpy.typing import ArrayLike, NDArray

from xpad.compute.compiled import compiled, compiled_in_any_order
from xpad.errors import NotEnoughDataError, OptionError

Float64 = NDArray[np.float64]

CHUNK_ROWS = 16_384


@dataclass(frozen=True)
class PCA:
    """Principal components, in float64.

    Attributes
    ----------
    mean : (h,)
    components : (c, h)
        Unit vectors by descending variance, each with its largest coordinate positive. Zero where
        the rows vary in fewer than c directions.
    explained_variance : (c,)
    explained_variance_ratio : (c,)
    n_samples : int
    """

    mean: Float64
    components: Float64
    explained_variance: Float64
    explained_variance_ratio: Float64
    n_samples: int

    def to_node(self) -> xr.Dataset:
        """As plain arrays, for a store."""
        return xr.Dataset(
            {
                "mean": ("encoded", self.mean),
                "components": (("component", "encoded"), self.components),
                "explained_variance": ("component", self.explained_variance),
                "explained_variance_ratio": ("component", self.explained_variance_ratio),
            },
            attrs={"n_samples": int(self.n_samples)},
        )

    @classmethod
    def from_node(cls, node: xr.Dataset) -> PCA:
        """The inverse of `to_node`."""
        return cls(
            node["mean"].values,
            node["components"].values,
            node["explained_variance"].values,
            node["explained_variance_ratio"].values,
            int(node.attrs["n_samples"]),
        )


@dataclass(frozen=True)
class Moments:
    """Number, sum and outer products of rows about a shift. Merge by `+`.

    Attributes
    ----------
    count : int
    shift : (h,)
        Subtracted from each row first: near the mean, so that no digits are lost.
    total : (h,)
        Sum of the shifted rows.
    outer : (h, h)
        Sum of the outer products of the shifted rows.
    """

    count: int
    shift: Float64
    total: Float64
    outer: Float64

    @classmethod
    def of(cls, x: ArrayLike, shift: ArrayLike) -> Moments:
        """Take the moments of the rows of `x`, shape (rows, h), about `shift`, shape (h,)."""
        rows, about = np.asarray(x), np.asarray(shift, np.float64)
        if rows.ndim != 2 or about.shape != rows.shape[1:]:
            raise OptionError(
                f"rows of shape {rows.shape} and a shift of shape {about.shape}; "
                "wanted (rows, h) and (h,)"
            )
        total, outer = np.zeros(about.shape), np.zeros(about.shape * 2)
        for start in range(0, len(rows), CHUNK_ROWS):
            chunk = _floats(rows[start : start + CHUNK_ROWS])
            shifted = np.empty(chunk.shape)
            _shift(chunk, about, shifted, total)
            outer += shifted.T @ shifted
        if not np.isfinite(total).all():
            raise OptionError("rows are not all finite: leave out the records that are not usable")
        return cls(len(rows), about, total, outer)

    def __add__(self, other: Moments) -> Moments:
        other = other._about(self.shift)
        return Moments(
            self.count + other.count,
            self.shift,
            self.total + other.total,
            self.outer + other.outer,
        )

    def _about(self, shift: Float64) -> Moments:
        if shift is self.shift or np.array_equal(shift, self.shift):
            return self
        step = self.shift - shift
        cross = np.outer(step, self.total)
        outer = self.outer + cross + cross.T + self.count * np.outer(step, step)
        return Moments(self.count, shift, self.total + self.count * step, outer)


def from_moments(moments: Moments, n_components: int) -> PCA:
    """The principal components of the rows that the moments were taken of.

    Parameters
    ----------
    moments : Moments
    n_components : int

    Returns
    -------
    PCA
        As `sklearn.decomposition.PCA`, signs as its `svd_flip(u_based_decision=False)`.

    Raises
    ------
    NotEnoughDataError
        If there are fewer rows than components, or fewer than two.

    Examples
    --------
    >>> import numpy as np
    >>> x = np.array([[0.0, 1.0], [1.0, 2.0], [2.0, 3.0]])
    >>> pca = from_moments(Moments.of(x, x[0]), 2)
    >>> pca.mean.tolist(), pca.explained_variance.round(6).tolist()
    ([1.0, 2.0], [2.0, 0.0])
    """
    if n_components < 1:
        raise OptionError(f"n_components={n_components}; it must be at least 1")
    n, h = moments.count, len(moments.shift)
    if n < max(n_components, 2):
        raise NotEnoughDataError(
            f"{n_components} principal components need {max(n_components, 2)} usable records and "
            f"there are {n}: give more records, or ask for fewer components"
        )
    offset = moments.total / n
    covariance = (moments.outer - n * np.outer(offset, offset)) / (n - 1)
    variance, vectors = np.linalg.eigh(covariance)
    variance, vectors = np.maximum(variance[::-1], 0), vectors.T[::-1]
    # A variance within the sums' rounding has any direction: zero is at least the same everywhere.
    rounding = 100 * np.finfo(float).eps * np.trace(moments.outer) / n
    rank = int(np.count_nonzero(variance > rounding))

    kept = min(rank, n_components)
    components, explained = np.zeros((n_components, h)), np.zeros(n_components)
    largest = np.abs(vectors[:kept]).argmax(axis=1)
    signs = np.sign(vectors[np.arange(kept), largest])
    components[:kept] = vectors[:kept] * signs[:, None]
    explained[:kept] = variance[:kept]
    whole = variance.sum()
    ratio = explained / whole if whole > 0 else np.zeros(n_components)
    return PCA(moments.shift + offset, components, explained, ratio, n)


def project(pca: PCA, x: ArrayLike) -> NDArray[np.float32]:
    """The principal components' values for each row.

    Parameters
    ----------
    pca : PCA
    x : (rows, h)

    Returns
    -------
    (rows, c) float32
        A row's values do not depend on the other rows of the call.

    Examples
    --------
    >>> import numpy as np
    >>> x = np.array([[0.0, 1.0], [1.0, 2.0], [2.0, 3.0]])
    >>> project(from_moments(Moments.of(x, x[0]), 1), x).round(3) + 0.0
    array([[-1.414],
           [ 0.   ],
           [ 1.414]], dtype=float32)
    """
    rows = _floats(np.asarray(x))
    if rows.ndim != 2 or rows.shape[1] != pca.mean.size:
        raise OptionError(f"rows have shape {rows.shape}; wanted (rows, {pca.mean.size})")
    out = np.empty((len(rows), len(pca.components)), np.float32)
    _project(rows, pca.mean, np.ascontiguousarray(pca.components), out)
    return out


def _floats(rows: NDArray[Any]) -> NDArray[Any]:
    """Rows in C order, as float32 where they are, else as float64."""
    known = rows.dtype in (np.float32, np.float64) and rows.dtype.isnative
    return np.ascontiguousarray(rows, dtype=rows.dtype if known else np.float64)


@compiled
def _shift(rows: NDArray[Any], about: Float64, shifted: Float64, total: Float64) -> None:
    for i in range(rows.shape[0]):
        row, own = rows[i], shifted[i]
        for j in range(about.size):
            own[j] = row[j] - about[j]
        for j in range(about.size):
            total[j] += own[j]


@compiled_in_any_order
def _project(
    rows: NDArray[Any], mean: Float64, components: Float64, out: NDArray[np.float32]
) -> None:
    # Row by row: the rounding of a matrix product depends on the number of rows.
    for i in range(rows.shape[0]):
        for c in range(components.shape[0]):
            total = 0.0
            for j in range(mean.size):
                total += (rows[i, j] - mean[j]) * components[c, j]
            out[i, c] = total


def inverse(pca: PCA, pc: ArrayLike) -> NDArray[np.float32]:
    """The rows that the principal components' values stand for.

    Parameters
    ----------
    pca : PCA
    pc : (rows, c)

    Returns
    -------
    (rows, h) float32

    Examples
    --------
    >>> import numpy as np
    >>> x = np.array([[0.0, 1.0], [1.0, 2.0], [2.0, 3.0]])
    >>> pca = from_moments(Moments.of(x, x[0]), 1)
    >>> inverse(pca, project(pca, x)).round(3)[1:]
    array([[1., 2.],
           [2., 3.]], dtype=float32)
    """
    rows = np.asarray(pc, np.float64) @ pca.components + pca.mean
    return rows.astype(np.float32)
