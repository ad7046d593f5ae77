"""What is unusual about times is said once, and in one way."""

import numpy as np
import pytest

from xpad.compute.times import unusual, warn_of_unusual_times
from xpad.errors import XpadWarning


@pytest.mark.parametrize(
    ("numbers", "expected"),
    [
        ([], ""),
        ([1], ""),
        ([1, 2, 5], ""),
        ([2, 1, 3], "not in ascending order"),
        ([1, 1, 3, 3, 3], "3 duplicate"),
        ([3, 1, 3], "not in ascending order, 1 duplicate"),
        ([1, None, 2, None], "2 missing (NaT)"),
        ([2, None, 1, 2], "1 missing (NaT), not in ascending order, 1 duplicate"),
        ([None, None], "2 missing (NaT)"),
    ],
)
@pytest.mark.parametrize("kind", ["times", "numbers"])
def test_unusual(numbers: list[int | None], expected: str, kind: str) -> None:
    values = np.array([np.nan if number is None else number for number in numbers], "f8")
    if kind == "times":
        is_missing = np.isnan(values)
        values = np.nan_to_num(values).astype("i8").view("M8[ns]")
        values[is_missing] = np.datetime64("NaT", "ns")
    before = values.copy()
    assert unusual(values) == expected
    np.testing.assert_array_equal(values, before)


def test_whole_numbers() -> None:
    assert unusual(np.array([2, 1])) == "not in ascending order"


def test_all_dimensions_are_told_of_at_once() -> None:
    times = {"a": np.array([1.0, 1.0]), "b": np.array([1.0, 2.0]), "c": np.array([2.0, 1.0])}
    with pytest.warns(XpadWarning) as caught:
        warn_of_unusual_times(times)
    (message,) = (str(one.message) for one in caught)
    assert message.startswith("Unusual times (a: 1 duplicate; c: not in ascending order).")
    assert caught[0].filename == __file__


def test_nothing_is_said_of_usual_times() -> None:
    warn_of_unusual_times({"a": np.array([1.0, 2.0])})
