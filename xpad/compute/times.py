"""What is unusual about the times of records."""

from __future__ import annotations

from collections.abc import Hashable, Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from xpad.errors import warn


def unusual(times: NDArray[Any]) -> str:
    """Say how many times are missing or repeated, and whether they are out of order.

    Parameters
    ----------
    times : (records,)
        datetime64, or numbers.

    Returns
    -------
    str
        Empty where nothing is unusual.

    Examples
    --------
    >>> import numpy as np
    >>> unusual(np.array(["2013-03-02", "2013-03-01", "NaT", "2013-03-02"], "datetime64[ns]"))
    '1 missing (NaT), not in ascending order, 1 duplicate'
    """
    found = []
    missing = np.isnat(times) if times.dtype.kind == "M" else np.isnan(times)
    if missing.any():
        found.append(f"{int(missing.sum())} missing (NaT)")
        times = times[~missing]
    if (times[1:] < times[:-1]).any():
        found.append("not in ascending order")
        times = np.sort(times)
    if repeated := int((times[1:] == times[:-1]).sum()):
        found.append(f"{repeated} duplicate")
    return ", ".join(found)


def warn_of_unusual_times(times: Mapping[Hashable, NDArray[Any]]) -> None:
    """Say once what is unusual about the times on each dimension of records; none of it is an error."""
    found = {dim: remark for dim, values in times.items() if (remark := unusual(values))}
    if found:
        remarks = "; ".join(f"{dim}: {remark}" for dim, remark in found.items())
        warn(f"Unusual times ({remarks}). The records are kept as they stand.")
