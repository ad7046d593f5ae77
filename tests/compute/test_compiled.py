"""Compiled functions where there is no place for them, no room, or an error in them."""

import numpy as np
import pytest

from xpad.compute.compiled import compiled


def test_where_the_compiled_code_cannot_be_kept():
    """A function that no file holds has no place in numba's cache; it is compiled all the same."""
    scope = {}
    exec("def twice(x):\n    return 2 * x", scope)
    assert compiled(scope["twice"])(3) == 6


def test_no_room_to_keep_the_compiled_code(monkeypatch):
    import numba

    def full_at_first(function, **options):
        calls = []

        def call(*args):
            calls.append(args)
            if len(calls) == 1:
                raise OSError("no space left on device")
            return function(*args)

        return call

    monkeypatch.setattr(numba, "njit", full_at_first)
    assert compiled(lambda x: 2 * x)(3) == 6


def test_an_error_of_the_compiler_is_not_swallowed():
    def unknown(x):
        return x.no_such_attribute

    with pytest.raises(Exception, match="no_such_attribute"):
        compiled(unknown)(np.zeros(3))
