"""Fixtures that many tests share; what is no fixture is in `helpers`."""

import warnings
from pathlib import Path

import pytest
from helpers import QUICK, SHARED_DATA, made


@pytest.fixture(scope="session")
def shared_data() -> Path:
    """The folder of real mission files that lies beside the checkout."""
    if not SHARED_DATA.is_dir():
        pytest.skip(f"no real mission files: {SHARED_DATA.name} is not beside this checkout")
    return SHARED_DATA


@pytest.fixture(scope="session")
def small():
    """600 PADs in memory."""
    return made()


@pytest.fixture(scope="session")
def fitted(small):
    """A model of `small`."""
    import xpad

    with warnings.catch_warnings():
        warnings.simplefilter("ignore", xpad.XpadWarning)
        return xpad.fit(small, **QUICK)
