"""A look at the data before a fit: usable records, why others are not, bins never measured."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from html import escape

import xarray as xr

from xpad.compute.progress import Progress
from xpad.fitting.fit import selected_flux
from xpad.fitting.survey import survey
from xpad.pads.grid import Grid, grid_of
from xpad.pads.prepare import Preparation
from xpad.pads.quality import FLAGS
from xpad.pads.removed import told
from xpad.settings import (
    DEFAULT_PRESET,
    Negative,
    ValidRange,
    Zeros,
    lists,
    resolve,
    table,
)

_SETTINGS = (
    "min_coverage", "min_positive", "energies", "background", "negative", "valid_range", "quality", "zeros",
)  # fmt: skip


@dataclass(frozen=True, repr=False)
class Check:
    """What a flux holds, record by record and bin by bin."""

    flux: str
    grid: Grid
    reasons: dict[str, int]
    """Records by flag: ``ok`` and why not."""
    measured: xr.DataArray
    """(energy, pitch_angle) bool: bins measured at least once."""
    removed: dict[str, str]
    """What cleaning takes away, by cause: how many values, of which share, and why."""
    missing_share: float
    """Share of the bins that are ever measured which usable records lack."""
    picked: str
    """How the flux was picked, and what else was there."""

    @property
    def n_records(self) -> int:
        """All records."""
        return sum(self.reasons.values())

    @property
    def n_usable(self) -> int:
        """Records that would get a label."""
        return self.reasons["ok"]

    def __repr__(self) -> str:
        share = self.n_usable / self.n_records if self.n_records else 0.0
        lines = [
            f"<xpad check of {self.flux}: {self.n_usable:,} of {self.n_records:,} records usable "
            f"({share:.1%})>",
            f"    picked           {self.picked}",
            f"    grid             {self.grid}",
        ]
        for name, number in self.reasons.items():
            if name != "ok" and number:
                lines.append(f"    {name.replace('_', ' '):<16} {number:,} records")
        lines += [f"    {'removed':<16} {text}" for text in self.removed.values()]
        if self.n_usable:
            lines.append(
                f"    {'usable records':<16} lack {self.missing_share:.1%} of the bins in use"
            )
        lines.append(f"    never measured   {self._never()}")
        return "\n".join(lines)

    def _never(self) -> str:
        measured = self.measured.values
        n = int((~measured).sum())
        if n == 0:
            return "no bin"
        parts = []
        angles = self.grid.pitch_angle[~measured.any(axis=0)]
        energies = self.grid.energy[~measured.any(axis=1)]
        if angles.size:
            parts.append(f"pitch angles {', '.join(f'{a:g}' for a in angles)} deg")
        if energies.size:
            parts.append(
                f"energies {', '.join(f'{e:g}' for e in energies)} {self.grid.energy_units}".rstrip()
            )
        of = f"{n} of {measured.size} bins"
        return f"{of} ({'; '.join(parts)})" if parts else of

    def _repr_html_(self) -> str:
        return f"<pre>{escape(repr(self))}</pre>"


@lists(table()[name] for name in _SETTINGS)
def check(
    obj: xr.Dataset | xr.DataArray,
    variable: str | None = None,
    *,
    min_coverage: float = 0.0,
    min_positive: int = 1,
    energies: tuple[float, float] | None = None,
    background: float | Sequence[float] | None = None,
    negative: Negative = "drop",
    valid_range: tuple[float, float] | ValidRange = "stated",
    quality: bool = False,
    zeros: Zeros = "stated",
    progress: bool | None = None,
) -> Check:
    """Look at the data before a fit: usable records, why others are not, bins never measured.

    Parameters
    ----------
    obj : xarray.Dataset or xarray.DataArray
        The data; read once.
    variable : str, optional
        The flux, where several are there.
    progress : bool, optional
        Show bars.
    min_coverage, min_positive, energies, background
        Settings that decide which records are usable, as for `fit`.
    negative, valid_range, quality, zeros
        Settings that decide which values count as measured, as for `fit`.

    Returns
    -------
    Check
        Its repr is the report.

    Examples
    --------
    >>> import xpad
    >>> found = xpad.check(xpad.simulate(days=0.2))
    >>> found.n_usable <= found.n_records
    True
    """
    options = {
        "min_coverage": min_coverage,
        "min_positive": min_positive,
        "energies": energies,
        "background": background,
        "negative": negative,
        "valid_range": valid_range,
        "quality": quality,
        "zeros": zeros,
    }
    settings = resolve(DEFAULT_PRESET, options)
    flux = selected_flux(obj, variable, settings)
    grid = grid_of(flux.array, settings)
    seen = survey(flux, Preparation.of_all(grid, settings), None, Progress(progress))
    flags = seen.flags(settings)
    chosen, others = flux.roles.chosen, ", ".join(c.label for c in flux.roles.others)
    return Check(
        flux=flux.name,
        grid=grid,
        reasons={name: int((flags == i).sum()) for i, name in enumerate(FLAGS)},
        measured=xr.DataArray(
            seen.ever_measured,
            dims=("energy", "pitch_angle"),
            coords={"energy": grid.energy, "pitch_angle": grid.pitch_angle},
            name="measured",
        ),
        removed=told(seen.removed, flux.limits),
        missing_share=seen.missing_share,
        picked=chosen.why + (f"; also there: {others}" if others else ""),
    )
