"""Arrays over the records of many files, read when they are asked for."""

from __future__ import annotations

import os
from collections.abc import Callable, Hashable, Mapping, Sequence
from typing import Any

import numpy as np
import xarray as xr
from dask.base import tokenize
from numpy.typing import DTypeLike, NDArray
from xarray.backends import BackendArray
from xarray.core import indexing

from xpad.errors import ReaderError, told_as

#: Reads records start…stop of one file: (path, start, stop) -> array (stop - start, …).
ReadRecords = Callable[[str, int, int], NDArray]


class RecordArray(BackendArray):
    """One variable of many files as one array along the record dimension.

    Parameters
    ----------
    read : callable
        ``read(path, start, stop)`` returns those records of one file. It must be picklable, since
        it travels to the workers of a cluster.
    paths : sequence of str
        The files, in the order of the records.
    ends : numpy.ndarray of int
        The number of records up to and with each file.
    shape : tuple of int
        Of the whole array, records first.
    dtype : numpy.dtype
        Of the result.
    """

    def __init__(
        self,
        read: ReadRecords,
        paths: Sequence[str],
        ends: NDArray[np.int64],
        shape: tuple[int, ...],
        dtype: DTypeLike,
    ) -> None:
        self.read = read
        self.paths = paths
        self.ends = ends
        self.shape = shape
        self.dtype = np.dtype(dtype)

    def __getitem__(self, key: indexing.ExplicitIndexer) -> Any:
        """Return the part of the array that `key` selects, reading only the records it spans."""
        return indexing.explicit_indexing_adapter(
            key, self.shape, indexing.IndexingSupport.BASIC, self._select
        )

    def _select(self, key: tuple[Any, ...]) -> NDArray:
        records, rest = key[0], key[1:]
        if not isinstance(records, slice):
            index = range(self.shape[0])[int(records)]
            return self._records(index, index + 1, 1)[(0, *rest)]
        chosen = range(self.shape[0])[records]
        if len(chosen) == 0:
            return np.empty((0, *self.shape[1:]), dtype=self.dtype)[(slice(None), *rest)]
        # xarray only asks for ascending records here, and turns them round itself.
        values = self._records(chosen[0], chosen[-1] + 1, chosen.step)
        return values[(slice(None), *rest)]

    def _records(self, start: int, stop: int, step: int) -> NDArray:
        pieces = []
        for file in range(int(np.searchsorted(self.ends, start, side="right")), len(self.paths)):
            begin = int(self.ends[file - 1]) if file else 0
            low, high = max(start, begin), min(stop, int(self.ends[file]))
            if begin >= stop:
                break
            if high > low:
                piece = self.read(self.paths[file], low - begin, high - begin)
                pieces.append(piece[(start - low) % step :: step])
        if len(pieces) == 1:
            return np.ascontiguousarray(pieces[0], dtype=self.dtype)
        return np.concatenate(pieces, dtype=self.dtype)


class TableArray(RecordArray):
    """A table that is constant within a file and differs between files, as one array per record.

    Parameters
    ----------
    tables : sequence of numpy.ndarray
        One for each file, all of one shape.
    ends : numpy.ndarray of int
        The number of records up to and with each file.
    """

    def __init__(self, tables: Sequence[NDArray], ends: NDArray[np.int64]) -> None:
        shape = (int(ends[-1]) if len(ends) else 0, *tables[0].shape)
        keys = [str(number) for number in range(len(tables))]
        super().__init__(self._table, keys, ends, shape, np.result_type(*tables))
        self.tables = tables

    def _table(self, key: str, start: int, stop: int) -> NDArray:
        table = self.tables[int(key)]
        return np.broadcast_to(table, (stop - start, *table.shape))


class ToldArray(BackendArray):
    """An array that a library reads when it is asked for, whose errors name file and variable.

    Parameters
    ----------
    array : indexing.LazilyIndexedArray or indexing.CopyOnWriteArray
        As xarray opened it.
    where : str
        The file and the variable.
    """

    def __init__(self, array: Any, where: str) -> None:
        self.array = array
        self.where = where
        self.shape = array.shape
        self.dtype = array.dtype

    def __getitem__(self, key: indexing.ExplicitIndexer) -> Any:
        """Return the part of the array that `key` selects."""
        return indexing.explicit_indexing_adapter(
            key, self.shape, indexing.IndexingSupport.OUTER, self._select
        )

    def _select(self, key: tuple[Any, ...]) -> Any:
        with told_as(self.where, self._unreadable):
            return self.array.oindex[indexing.OuterIndexer(key)].get_duck_array()

    def _unreadable(self, error: Exception) -> ReaderError:
        reason = f"{type(error).__name__}: {error}".rstrip(".: ")
        return ReaderError(
            f"{self.where} cannot be read: {reason}. It is damaged or was changed; fetch it again."
        )


def told(dataset: xr.Dataset, path: str) -> xr.Dataset:
    """A Dataset just opened, whose variables name the file where they cannot be read."""
    for name, variable in dataset.variables.items():
        if variable.chunks is None and not variable._in_memory:
            array = ToldArray(variable._data, f"{path}: variable {str(name)!r}")
            lazy: Any = indexing.LazilyIndexedArray(array)
            variable._data = lazy
    return dataset


def chunked(
    dataset: xr.Dataset,
    chunks: str | int | Mapping[Any, Any] | None,
    tokens: Mapping[Hashable, str],
) -> xr.Dataset:
    """Turn the variables along the records into dask arrays.

    Parameters
    ----------
    dataset : xarray.Dataset
        With lazily indexed variables; those that have ``encoding["preferred_chunks"]`` are turned,
        and lose it. Index coordinates, and variables without records, stay in memory.
    chunks : "auto", int, dict or None
        As for `xpad.open_dataset`; None leaves NumPy arrays that load when they are first used.
    tokens : mapping
        Variable to a text that identifies its content, for the names of the dask arrays.

    Returns
    -------
    xarray.Dataset
    """
    variables = {}
    for name, variable in dataset.variables.items():
        preferred = variable.encoding.pop("preferred_chunks", None)
        if name in dataset.indexes:
            continue
        if chunks is None:
            _load_on_demand(variable)
            continue
        if preferred is None or not variable.ndim:
            continue
        if isinstance(chunks, Mapping) and chunks:
            sizes: Any = {dim: chunks[dim] for dim in variable.dims if dim in chunks}
        elif isinstance(chunks, int):
            sizes = chunks
        else:
            sizes = preferred
        label = f"xpad-{name}-{tokenize(tokens[name], sizes)}" if name in tokens else None
        variables[name] = variable.chunk(sizes, name=label)
    coordinates = {name: variables[name] for name in variables if name in dataset.coords}
    values = {name: variables[name] for name in variables if name not in dataset.coords}
    return dataset.assign(values).assign_coords(coordinates)


def tokens(dataset: xr.Dataset, paths: Sequence[str]) -> dict[Hashable, str]:
    """Return texts that identify the content of lazily indexed variables.

    Parameters
    ----------
    dataset : xarray.Dataset
    paths : sequence of str
        The files it was opened from.

    Returns
    -------
    dict
        Variable to its text, which is another one where a name, size or time of change of a file is.
    """
    files = tokenize([_stamp(path) for path in paths])
    return {
        name: tokenize(files, name, item.shape, str(item.dtype))
        for name, item in dataset.variables.items()
        if item.chunks is None and not item._in_memory
    }


def _stamp(path: str) -> tuple[str, int, int]:
    if not os.path.isfile(path):
        return path, 0, 0
    found = os.stat(path)
    return os.path.abspath(path), found.st_size, found.st_mtime_ns


def _load_on_demand(variable: xr.Variable) -> None:
    """Make a variable load when it is first used, and stay in memory then."""
    data: Any = variable._data
    is_lazy = isinstance(data, indexing.LazilyIndexedArray)
    if is_lazy:
        protected: Any = indexing.CopyOnWriteArray(data)
        cached: Any = indexing.MemoryCachedArray(protected)
        variable._data = cached
