"""As many clusters as mean shift finds modes: the published rule."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Self

import numpy as np
import xarray as xr
from numpy.typing import NDArray

from xpad.compute.memory import release
from xpad.errors import NotEnoughDataError
from xpad.settings import Settings
from xpad.stages.cells import CELLS_PER_BANDWIDTH
from xpad.stages.k_rules import meanshift
from xpad.stages.k_rules.base import KRule
from xpad.stages.points import Points


@dataclass(frozen=True, eq=False)
class MeanShiftRule(KRule):
    """The modes of the points' density (Killey et al. 2023, doi:10.1093/rasti/rzad035)."""

    @classmethod
    def out_of_core(cls, settings: Settings) -> bool:
        """Where seeds come from bins, not from every point."""
        return settings.bin_seeding

    @classmethod
    def find(cls, points: Points, settings: Settings, k: int | None) -> Self:
        """The modes at the settings' bandwidth, or at the one estimated from a sample."""
        bandwidth = settings.bandwidth
        if bandwidth is None:
            bandwidth = meanshift.estimate_bandwidth(
                points.sample, quantile=settings.quantile, n_samples=max(len(points.sample), 1)
            )
        if not bandwidth > 0:
            if k is None:
                _refuse(bandwidth, points.n, settings)
            return cls(np.empty((0, points.sample.shape[1])), float(bandwidth))
        if points.one_by_one:
            rows = points.rows()
            found = meanshift.modes(
                rows, bandwidth, bin_seeding=settings.bin_seeding, max_points=max(len(rows), 1)
            )
        else:
            cells = points.cells(bandwidth / CELLS_PER_BANDWIDTH)
            release()
            found = meanshift.modes_of_cells(cells, bandwidth)
        return cls(found.modes, float(bandwidth))

    @property
    def cell(self) -> float:
        """A small share of the bandwidth."""
        return (self.bandwidth if self.bandwidth > 0 else 1.0) / CELLS_PER_BANDWIDTH

    def remedy(self) -> str:
        """Look less widely."""
        return (
            "the mean shift finds a single mode, so every record gets label 0. A smaller bandwidth "
            f"(this one is {self.bandwidth:.4g}; bandwidth=, quantile=) may tell more shapes apart, or "
            "choose k= yourself; estimate_k shows the evidence"
        )

    @classmethod
    def evidence(
        cls, rows: NDArray[np.float32], settings: Settings, quantiles: Sequence[float]
    ) -> xr.Dataset:
        """Bandwidth and number of modes, ``bandwidth`` and ``n_modes`` over ``quantile``."""
        widths = [
            meanshift.estimate_bandwidth(
                rows,
                quantile=quantile,
                n_samples=settings.n_samples,
                random_state=settings.seed("bandwidth"),
            )
            for quantile in quantiles
        ]
        modes = [
            len(meanshift.modes(rows, width, bin_seeding=settings.bin_seeding).modes)
            if width > 0
            else 0
            for width in widths
        ]
        return xr.Dataset(
            {
                "bandwidth": ("quantile", widths, {"long_name": "mean-shift bandwidth"}),
                "n_modes": ("quantile", modes, {"long_name": "mean-shift modes"}),
            },
            coords={"quantile": ("quantile", list(quantiles))},
        )


def _refuse(bandwidth: float, n: int, settings: Settings) -> None:
    if settings.quantile * min(n, settings.n_samples) < 2:
        raise NotEnoughDataError(
            f"the test split has {n} usable records, too few to estimate a bandwidth from the nearest "
            f"{settings.quantile:.0%} of them: give more records, a larger quantile=, bandwidth= or k="
        )
    raise NotEnoughDataError(
        f"the estimated bandwidth is {bandwidth:g}: more than {settings.quantile:.0%} of the pairs of "
        "records have equal components, so the PADs hardly differ. Give k=, bandwidth=, a larger "
        "quantile=, or more varied records"
    )
