"""What tests of the writer share: results that are the same, and runs that are cut off."""

import numpy as np
import pytest

from xpad.writing.store import OpenStore

RESULTS = ("pad_label", "pad_flag", "pad_split", "pad_error", "pad_pc")


def assert_same(out, expected, names=RESULTS):
    for name in names:
        np.testing.assert_array_equal(out[name].values, expected[name].values, err_msg=name)
        assert out[name].dims == expected[name].dims
        assert out[name].dtype == expected[name].dtype
        assert out[name].attrs.keys() == expected[name].attrs.keys()


class Killed(BaseException):
    """The end of a run in the middle of its work."""


def cut_off():
    return pytest.raises(Killed)


def cut_off_after(monkeypatch, regions):
    """Kill a run when it has written so many regions; gives where each of these begins."""
    original = OpenStore.write
    seen = []

    def write(self, at, *args):
        if len(seen) == regions:
            raise Killed
        seen.append(at.start)
        original(self, at, *args)

    monkeypatch.setattr(OpenStore, "write", write)
    return seen
