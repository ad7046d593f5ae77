"""Records to pixel columns along time: however many records, one array as wide as the picture."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

GAP = 2.5  # a step of more than so many usual steps is a gap in the data


@dataclass(frozen=True)
class Columns:
    """How records fall into equally wide columns.

    Attributes
    ----------
    start, end : numpy.datetime64 or float
        Outer edges: the first and last record with half a usual step on either side.
    edges : numpy.ndarray
        float64, shape (columns + 1,): seconds after `start`, or record numbers.
    index : numpy.ndarray
        int64, shape (records,): each record's column, -1 for a record without a valid time.
    source : numpy.ndarray
        int64, shape (columns,): the column whose content is shown here, which is the column
        itself where it holds records and the nearest one where the usual step is wider than a
        column; -1 in a gap.
    """

    start: np.datetime64 | float
    end: np.datetime64 | float
    edges: np.ndarray
    index: np.ndarray
    source: np.ndarray

    @property
    def is_time(self) -> bool:
        """Whether the axis is time; else it is the record number."""
        return isinstance(self.start, np.datetime64)

    @property
    def number(self) -> int:
        """How many columns."""
        return self.edges.size - 1


def columns_of(times: np.ndarray | None, records: int, number: int) -> Columns:
    """Divide the records' time range into columns. Times may be unsorted, repeated or NaT.

    Parameters
    ----------
    times : numpy.ndarray or None
        datetime64, shape (records,); None (or NaT everywhere) for records without time.
    records : int
        How many records.
    number : int
        How many columns.

    Returns
    -------
    Columns

    Examples
    --------
    >>> import numpy as np
    >>> t = np.datetime64("2013-01-01", "ns") + np.array([0, 1, 2, 5]).astype("timedelta64[m]")
    >>> found = columns_of(t, 4, 6)
    >>> found.index.tolist(), found.source.tolist()
    ([0, 1, 2, 5], [0, 1, 2, -1, -1, 5])
    """
    if times is None or np.isnat(times).all():
        origin, position = None, np.arange(records, dtype=np.float64)
    else:
        origin = times[~np.isnat(times)].min()
        position = (times - origin) / np.timedelta64(1, "s")
    valid = np.isfinite(position)
    ordered = np.sort(position[valid])
    steps = np.diff(ordered)
    usual = float(np.median(steps[steps > 0])) if (steps > 0).any() else 1.0
    low, high = ordered[0] - usual / 2, ordered[-1] + usual / 2
    edges = np.linspace(low, high, number + 1)

    index = np.full(records, -1, dtype=np.int64)
    inside = np.floor((position[valid] - low) / (high - low) * number).astype(np.int64)
    index[valid] = np.clip(inside, 0, number - 1)
    source = _source(ordered, edges, np.unique(index[valid]), usual)
    if origin is None:
        return Columns(low, high, edges, index, source)
    ends = [origin + np.timedelta64(round(edge * 1e9), "ns") for edge in (low, high)]
    return Columns(ends[0], ends[1], edges - low, index, source)


def _source(
    ordered: np.ndarray, edges: np.ndarray, occupied: np.ndarray, usual: float
) -> np.ndarray:
    """For each column the column that it shows: itself, the nearest record's, or -1 in a gap."""
    number = edges.size - 1
    centres = (edges[1:] + edges[:-1]) / 2
    after = np.searchsorted(ordered, centres, side="right")
    left = ordered[np.maximum(after - 1, 0)]
    right = ordered[np.minimum(after, ordered.size - 1)]
    nearest = np.where(np.abs(centres - left) <= np.abs(right - centres), left, right)
    between = (left <= centres) & (centres <= right) & (right - left <= GAP * usual)
    shown = between | (np.abs(centres - nearest) <= usual / 2)
    column = np.floor((nearest - edges[0]) / (edges[-1] - edges[0]) * number).astype(np.int64)
    source = np.where(shown, np.clip(column, 0, number - 1), -1)
    source[occupied] = occupied
    return source
