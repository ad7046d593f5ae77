"""CDF epochs and ISO 8601 texts to ``datetime64[ns]``, in bulk arithmetic.

CDF knows three kinds of time: CDF_EPOCH (milliseconds since year 0, a double), CDF_EPOCH16
(seconds and picoseconds since year 0, two doubles) and CDF_TIME_TT2000 (nanoseconds of terrestrial
time since J2000, which counts leap seconds). All come out as UTC; fill values, pad values and times
beyond what nanoseconds can hold (1677 to 2262) as NaT.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

#: The names of the CDF types that hold times; UNIX is seconds since 1970, as THEMIS stores them.
TIME_TYPES = ("CDF_EPOCH", "CDF_EPOCH16", "CDF_TIME_TT2000", "UNIX")

_SECOND = 10**9
_YEAR_0_TO_1970 = 62_167_219_200  # seconds
_J2000 = 946_728_000 * _SECOND  # 2000-01-01T12:00 as nanoseconds since 1970
_TT_MINUS_TAI = 32_184_000_000  # nanoseconds
_LARGEST = float(2**63 - 2**11)  # nanoseconds, the last double below 2**63
_WHOLE_YEARS = range(1678, 2262)  # that nanoseconds hold
_ISO = re.compile(
    r"(?P<year>\d{4})(?:-(?P<day>\d{3})|(?P<date>(?:-\d\d){0,2}))"
    r"(?P<clock>[T ]\d\d(?::\d\d(?::\d\d(?:\.\d{1,18})?)?)?)?Z?",
    re.ASCII,
)


def decode(values: NDArray, cdf_type: str) -> NDArray[np.datetime64]:
    """Return CDF times as UTC.

    Parameters
    ----------
    values : numpy.ndarray
        As ``cdflib.CDF.varget`` returns them: float64 (CDF_EPOCH), complex128 (CDF_EPOCH16) or
        int64 (CDF_TIME_TT2000), of any shape.
    cdf_type : str
        One of `TIME_TYPES`.

    Returns
    -------
    numpy.ndarray
        datetime64[ns] of the same shape; NaT for fill values. A leap second shares its numbers
        with the first second of the next day, since datetime64 has no leap seconds. Fractions of
        a millisecond in a CDF_EPOCH, which cdflib drops, are kept.

    Raises
    ------
    ValueError
        If `cdf_type` is not a type of times.

    Examples
    --------
    >>> import numpy as np
    >>> decode(np.array([63_500_000_000_000.0, -1e31]), "CDF_EPOCH").astype(str).tolist()
    ['2012-03-26T16:53:20.000000000', 'NaT']
    """
    if cdf_type == "CDF_TIME_TT2000":
        return _tt2000(np.asarray(values, dtype="int64"))
    if cdf_type == "CDF_EPOCH16":
        pairs = np.asarray(values, dtype="complex128")
        fraction = np.where(np.isfinite(pairs.imag), pairs.imag, 0)
        return _seconds(pairs.real - _YEAR_0_TO_1970, np.floor(fraction / 1000))
    if cdf_type == "CDF_EPOCH":
        milliseconds = _finite(values) - _YEAR_0_TO_1970 * 1000.0
        is_near = np.abs(milliseconds) < _LARGEST / 1e6
        if is_near.all() and np.array_equal(np.rint(milliseconds), milliseconds):
            return (milliseconds.astype("int64") * 10**6).view("datetime64[ns]")
        seconds = np.floor(milliseconds / 1000)
        return _seconds(seconds, np.rint((milliseconds - seconds * 1000) * 1e6))
    if cdf_type == "UNIX":
        stored = _finite(values)
        seconds = np.floor(stored)
        return _seconds(seconds, np.rint((stored - seconds) * _SECOND))
    raise ValueError(f"{cdf_type!r} is not a type of CDF times; they are {', '.join(TIME_TYPES)}")


def iso(value: object, cdf_type: str) -> str:
    """Return one CDF time, such as a VALIDMIN, as ISO 8601 text; "NaT" where it has none."""
    return str(decode(np.atleast_1d(np.asarray(value)), cdf_type).ravel()[0])


def from_iso(texts: Iterable[str]) -> NDArray[np.datetime64]:
    """Return ISO 8601 texts as UTC, those with the day of the year too.

    Parameters
    ----------
    texts : iterable of str

    Returns
    -------
    numpy.ndarray
        datetime64[ns], shape (n,); NaT where the year is beyond 1678 to 2261.

    Raises
    ------
    ValueError
        If one is no such text, or of another time zone; it is named.

    Examples
    --------
    >>> from_iso(["2013-03-01T12:00:00.5Z", "2013-060", "9999-12-31"]).astype(str).tolist()
    ['2013-03-01T12:00:00.500000000', '2013-03-01T00:00:00.000000000', 'NaT']
    """
    firsts, days, beyond = [], [], []
    for text in texts:
        found = _ISO.fullmatch(text.strip())
        if found is None or not 1 <= int(found["day"] or 1) <= 366:
            raise ValueError(f"the time {text!r} is no ISO 8601 of UTC")
        date = "-01-01" if found["day"] else found["date"]
        firsts.append(f"{found['year']}{date}{found['clock'] or ''}")
        days.append(int(found["day"] or 1) - 1)
        beyond.append(int(found["year"]) not in _WHOLE_YEARS)
    out = np.array(firsts, dtype="datetime64[ns]") + np.array(days, dtype="timedelta64[D]")
    out[beyond] = np.datetime64("NaT", "ns")
    return out


def _finite(values: NDArray) -> NDArray[np.float64]:
    """Return doubles with NaN for what is infinite."""
    stored = np.asarray(values, dtype="float64")
    return np.where(np.isinf(stored), np.nan, stored)


def _seconds(seconds: NDArray, nanoseconds: NDArray) -> NDArray[np.datetime64]:
    """Add whole `seconds` since 1970 and `nanoseconds`, both as doubles, without rounding."""
    with np.errstate(invalid="ignore", over="ignore"):
        whole = seconds * _SECOND + nanoseconds
        possible = np.isfinite(whole) & (np.abs(whole) < _LARGEST)
    out = np.full(np.shape(seconds), np.datetime64("NaT", "ns"))
    exact = seconds[possible].astype("int64") * _SECOND + nanoseconds[possible].astype("int64")
    out[possible] = exact.astype("datetime64[ns]")
    return out


def _tt2000(ticks: NDArray[np.int64]) -> NDArray[np.datetime64]:
    starts, leap_seconds = _leap_seconds()
    shape = ticks.shape
    ticks = ticks.ravel()
    out = np.full(ticks.shape, np.datetime64("NaT", "ns"))
    is_time = ticks > np.iinfo("int64").min + 1  # fill and pad value
    era = np.searchsorted(starts, ticks, side="right") - 1
    regular = is_time & (era >= 0)
    utc = ticks[regular] - _TT_MINUS_TAI - leap_seconds[era[regular]] * _SECOND
    latest = np.iinfo("int64").max - _J2000
    regular[regular] = utc <= latest
    out[regular] = (utc[utc <= latest] + _J2000).astype("datetime64[ns]")
    early = is_time & (era < 0)
    if early.any():
        # Before 1972 the length of the second drifted; such data are few, cdflib knows the rule.
        from cdflib.epochs import CDFepoch

        out[early] = np.atleast_1d(CDFepoch.to_datetime(ticks[early]))
    return out.reshape(shape)


@lru_cache(maxsize=1)
def _leap_seconds() -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Return when each count of leap seconds starts (as TT2000), and the counts, since 1972."""
    from cdflib.epochs import CDFepoch

    rows = [row for row in CDFepoch.LTS if row[0] >= 1972]
    counts = np.array([round(row[3]) for row in rows], dtype="int64")
    days = [f"{int(year):04d}-{int(month):02d}-{int(day):02d}" for year, month, day, *_ in rows]
    utc = np.array(days, dtype="datetime64[ns]").astype("int64")
    return utc - _J2000 + _TT_MINUS_TAI + counts * _SECOND, counts
