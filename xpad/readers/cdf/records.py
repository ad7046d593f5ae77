"""Records of one variable from one CDF file, and errors that name both."""

from __future__ import annotations

import math
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from functools import partial
from typing import Any

import numpy as np
from numpy.typing import NDArray

from xpad.errors import ReaderError, told_as
from xpad.readers import times
from xpad.readers.cdf.cut import Whole, check_blocks
from xpad.readers.cdf.header import check_length
from xpad.readers.cdf.layout import VariableInfo
from xpad.readers.cdf.unpacked import uncompressed


def read_records(
    path: str,
    start: int,
    stop: int,
    *,
    variable: str,
    info: VariableInfo,
    whole: Whole | None = None,
    missing: Any = None,
) -> NDArray:
    """Read records of one variable from one file.

    Parameters
    ----------
    path : str
    start, stop : int
        The records, counted from 0 in this file; `stop` is not among them.
    variable : str
    info : VariableInfo
        What the header said at opening.
    whole : Whole, optional
        The records that are there, of a file that is cut.
    missing
        What the others are set to.

    Returns
    -------
    numpy.ndarray
        Shape (stop - start, *info.shape), native byte order.

    Raises
    ------
    ReaderError
        If the file has gone, is truncated or damaged; it names file and variable.
    """
    from cdflib import CDF

    with named_errors(path, variable), uncompressed(path) as stored:
        check_length(path, stored, whole.size if whole else None)
        cdf = CDF(stored, string_encoding="latin-1")
        if whole is None:
            values = values_of(cdf, variable, startrec=start, endrec=stop - 1)
            return decoded(values, info, stop - start, path, variable)
        out = np.full((stop - start, *info.shape), missing, info.dtype)
        there = min(stop, whole.records)
        first, last = whole.block if there > whole.block[0] >= 0 else (there, there - 1)
        if min(first, there) > start:
            values = values_of(cdf, variable, startrec=start, endrec=first - 1)
            out[: first - start] = decoded(values, info, first - start, path, variable)
        if last >= first and there > start:
            # Of the block in which the file ends, cdflib gets the records right if asked for all.
            values = values_of(cdf, variable, startrec=first, endrec=last)
            block = decoded(values, info, last + 1 - first, path, variable)
            low = max(start, first)
            out[low - start : there - start] = block[low - first : there - first]
        return out


def values_of(cdf: Any, variable: str, **records: int) -> Any:
    """Return what ``cdf.varget`` gives, asked once more where Python itself failed."""
    try:
        return cdf.varget(variable, **records)
    except SystemError:
        # NumPy parses the dtype, and CPython before 3.11.8 and 3.12.2 now and then loses count where
        # threads parse at the same time (gh-106905).
        return cdf.varget(variable, **records)


def decoded(
    values: Any, info: VariableInfo, records: int | None, path: str, variable: str
) -> NDArray:
    """Return what varget gave in the shape and dtype that the header promised.

    Parameters
    ----------
    values : array-like
    info : VariableInfo
    records : int or None
        How many there should be; None for the one of a static variable, whose axis is left out.
    path, variable : str
        For the error.

    Returns
    -------
    numpy.ndarray

    Raises
    ------
    ReaderError
        If there are more or fewer values.
    """
    shape = info.shape if records is None else (records, *info.shape)
    array = np.asarray(values)
    if array.size != math.prod(shape):
        raise ReaderError(
            f"{path}: variable {variable!r} gave {array.size} values where the header promises "
            f"{' x '.join(map(str, shape))}. The file is damaged; fetch it again."
        )
    array = array.reshape(shape)
    if info.is_time:
        return times.decode(array, info.cdf_type)
    return array.astype(info.dtype, copy=False)


@contextmanager
def lent(path: str, variable: str | None = None) -> Iterator[str]:
    """`uncompressed`, with errors that name the file; not those of what is done with it."""
    with ExitStack() as stack:
        with named_errors(path, variable):
            stored = stack.enter_context(uncompressed(path))
        yield stored


@contextmanager
def named_errors(path: str, variable: str | None = None) -> Iterator[None]:
    """Turn whatever a damaged file makes cdflib raise into an error that names the file."""
    where = f"{path}: variable {variable!r}" if variable else path
    try:
        with told_as(where, lambda error: _unreadable(path, variable, error)):
            yield
    except MemoryError:
        # Short memory, or a length that is damaged: cdflib asks for as much as a block says it has.
        tell = partial(_unreadable, path, variable)
        with told_as(where, tell), uncompressed(path) as stored:
            check_blocks(path, stored)
        raise
    except ReaderError as error:
        if variable is None or repr(variable) in str(error):
            raise
        raise ReaderError(f"{error} (While reading variable {variable!r}.)") from error


def _unreadable(path: str, variable: str | None, error: Exception) -> ReaderError:
    if isinstance(error, FileNotFoundError):
        what = f" Variable {variable!r} cannot be read." if variable else ""
        return ReaderError(f"{path} does not exist (any more).{what}")
    where = f"{path}: variable {variable!r}" if variable else path
    reason = str(error) or "no reason given"
    return ReaderError(
        f"{where} cannot be read: {type(error).__name__}: {reason}. The file is damaged or "
        f"truncated; fetch it again, or pass on_error='skip' to open_dataset."
    )
