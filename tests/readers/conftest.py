"""What the tests of readers share."""

from pathlib import Path
from typing import Any

import cdflib
import pytest


@pytest.fixture
def reads(monkeypatch: pytest.MonkeyPatch) -> list[tuple[str, str, int, int]]:
    """All that cdflib reads: file, variable, first and last record (-1: the last there is)."""
    done: list[tuple[str, str, int, int]] = []
    original = cdflib.CDF.varget

    def counted(self: Any, variable: str, startrec: int = 0, endrec: int | None = None) -> Any:
        done.append((Path(self.file).name, variable, startrec, -1 if endrec is None else endrec))
        return original(self, variable, startrec=startrec, endrec=endrec)

    monkeypatch.setattr(cdflib.CDF, "varget", counted)
    return done
