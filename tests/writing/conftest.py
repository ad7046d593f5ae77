"""Small data, and small regions to write them in."""

import warnings

import pytest
from helpers import QUICK, made

import xpad


@pytest.fixture(autouse=True)
def _small_regions(monkeypatch):
    monkeypatch.setattr("xpad.writing.regions.CHUNK", 100)
    monkeypatch.setattr("xpad.writing.regions.REGION", 200)


@pytest.fixture
def ds():
    """Made for each test: what one loads is not loaded for another."""
    return made(1000, chunks={"time": 50})


@pytest.fixture(scope="session")
def expected():
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", xpad.XpadWarning)
        return made(1000, chunks={"time": 50}).pad.cluster(**QUICK).compute()
