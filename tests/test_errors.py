"""Warnings at the user's own line, and whose fault an error is."""

from functools import partial

import pytest

from xpad.errors import OptionError, ReaderError, XpadWarning, told_as, warn


def call_of(package):
    """A function that calls another, in a module of this name."""
    module = {"__name__": package}
    exec(compile("def call(work):\n    work()\n", f"{package}.py", "exec"), module)
    return module["call"]


@pytest.mark.parametrize(
    "inside",
    [
        ["xpad.results.cluster"],
        ["xpad"],
        ["xpad.accessor", "contextlib", "xpad.pads.grid"],
        ["xarray.backends.api", "xpad.readers.backend"],
    ],
)
def test_a_warning_is_at_the_line_outside_of_xpad_and_xarray(inside):
    work = partial(warn, "so it is")
    for package in [*reversed(inside), "xpadding", "xpad.cli"]:
        work = partial(call_of(package), work)
    with pytest.warns(XpadWarning, match="so it is") as caught:
        work()
    assert (caught[0].filename, caught[0].lineno) == ("xpadding.py", 2)


def damaged(error):
    return ReaderError(f"a.nc is damaged ({error})")


@pytest.mark.parametrize(
    "fault",
    [
        ValueError("no signature"),
        OSError(5, "no signature"),
        RuntimeError("no signature"),
        KeyError("no signature"),
        TypeError("no signature"),
    ],
)
def test_what_a_library_raises_of_a_file_is_told_as_ours(fault):
    message = r"a\.nc is damaged \(.*no signature"
    with pytest.raises(ReaderError, match=message) as error, told_as("a.nc", damaged):
        raise fault
    assert error.value.__cause__ is fault


@pytest.mark.parametrize(
    "fault",
    [
        DeprecationWarning("The 'generic' unit is deprecated"),
        XpadWarning("unfinished"),
        MemoryError("4 TiB"),
        SystemError("returned NULL"),
        ImportError("no h5py"),
        AttributeError("module 'numpy' has no attribute 'in1d'"),
    ],
)
def test_what_says_nothing_of_the_file_passes_with_a_note(fault):
    with pytest.raises(type(fault)) as error, told_as("a.nc", damaged):
        raise fault
    assert error.value is fault
    assert "at work on a.nc" in fault.__notes__[0]
    assert ("unless memory is short" in fault.__notes__[0]) is isinstance(fault, MemoryError)


@pytest.mark.parametrize(
    "fault", [ReaderError("ours"), OptionError("ours"), KeyboardInterrupt(), SystemExit(3)]
)
def test_what_is_ours_or_the_users_passes_as_it_is(fault):
    with pytest.raises(type(fault)) as error, told_as("a.nc", damaged):
        raise fault
    assert error.value is fault
    assert not hasattr(fault, "__notes__")


def test_what_a_library_did_not_find_is_of_the_file():
    nothing = None
    with pytest.raises(ReaderError, match="no attribute 'split'"), told_as("a.nc", damaged):
        nothing.split("/")
