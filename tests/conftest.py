"""Fixtures that many tests share."""

from pathlib import Path

import pytest

SHARED_DATA = Path(__file__).resolve().parents[2] / "shared" / "data"


@pytest.fixture(scope="session")
def shared_data() -> Path:
    """The folder of real mission files that lies beside the checkout."""
    if not SHARED_DATA.is_dir():
        pytest.skip(f"no real mission files: {SHARED_DATA.name} is not beside this checkout")
    return SHARED_DATA
