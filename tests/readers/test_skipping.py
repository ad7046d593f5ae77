"""Files that cannot be read."""

import pytest
import xarray as xr

from xpad.errors import OptionError, ReaderError, XpadWarning
from xpad.readers.skipping import Skipping


def test_raise_stops_at_the_first() -> None:
    with (
        pytest.raises(ReaderError, match="a is empty"),
        Skipping(["a", "b"], "raise").tolerate("a"),
    ):
        raise ReaderError("a is empty")


def test_skip_names_them_once_at_the_end() -> None:
    skipping = Skipping(["a", "b", "c"], "skip")
    for path in ("b", "b", "a"):
        with skipping.tolerate(path):
            raise ReaderError(f"{path} is empty")
    skipping.require_some()
    dataset = xr.Dataset()
    with pytest.warns(XpadWarning, match=r"2 of 3 files .*The first: b is empty") as caught:
        skipping.tell(dataset)
    assert dataset.attrs == {"xpad_skipped": ["b", "a"]}
    assert (len(caught), caught[0].filename) == (1, __file__)


def test_nothing_is_said_where_all_can_be_read() -> None:
    skipping = Skipping(["a"], "skip")
    with skipping.tolerate("a"):
        pass
    skipping.require_some()
    dataset = xr.Dataset()
    skipping.tell(dataset)
    assert dataset.attrs == {}


def test_only_what_is_told_of_a_file_is_skipped() -> None:
    skipping = Skipping(["a", "b"], "skip")
    for fault in (OptionError("a"), KeyError("a"), MemoryError()):
        with pytest.raises(type(fault)), skipping.tolerate("a"):
            raise fault


@pytest.mark.parametrize("paths", [["a"], ["a", "b"], ["a", "a"]])
def test_none_can_be_read(paths: list[str]) -> None:
    skipping = Skipping(paths, "skip")
    for path in paths:
        with skipping.tolerate(path):
            raise ReaderError(f"{path} is empty")
    message = "None of the 2 files can be read; the first: a is" if "b" in paths else "a is empty"
    with pytest.raises(ReaderError, match=message):
        skipping.require_some()
