"""Every picture that a result allows, as files."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import xarray as xr

from xpad.errors import OptionError
from xpad.plot import PadPlots


def draw(
    out: xr.Dataset, folder: Path, prefix: str = "pad", suffix: str = "png", overwrite: bool = False
) -> list[Path]:
    """Write the pictures of a result into a folder, and return their paths."""
    import matplotlib.pyplot as plt

    plots = PadPlots(out)
    pictures: dict[str, Callable[..., Any]] = {
        "catalogue": plots.catalogue,
        "labels": plots.labels,
        "components": plots.components,
    }
    if out.sizes.get(f"{prefix}_epoch", 0):
        pictures["training"] = plots.training
    paths = [folder / f"{name}.{suffix}" for name in pictures]
    there = [p for p in paths if p.exists()]
    if there and not overwrite:
        raise OptionError(f"{there[0]} exists; give another folder, or --overwrite")
    folder.mkdir(parents=True, exist_ok=True)
    for path, picture in zip(paths, pictures.values(), strict=True):
        axes = np.atleast_1d(picture(prefix=prefix)).ravel()
        figure = axes[0].figure
        figure.savefig(path, dpi=150)
        plt.close(figure)
    return paths


def use_files_only() -> None:
    """Let matplotlib draw without a display, as a command that shows nothing should."""
    import matplotlib

    matplotlib.use("Agg")
