"""The second half of a fit: principal components, mean shift and clusters of the test split."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from functools import partial
from itertools import pairwise
from typing import Any
from uuid import uuid4

import numpy as np
import xarray as xr
from numpy.typing import NDArray

from xpad.compute.memory import release
from xpad.compute.progress import Progress
from xpad.errors import NotEnoughDataError, warn
from xpad.fitting.components import Components
from xpad.fitting.encoder import Trained
from xpad.fitting.resources import Workspace
from xpad.fitting.splitter import Splitter
from xpad.fitting.training_rows import among
from xpad.model.model import Model
from xpad.pads.clean import Limits, limits_of
from xpad.pads.prepare import pieces
from xpad.pads.quality import OK
from xpad.pads.records import flux_records
from xpad.settings import Settings
from xpad.stages import pca, scores
from xpad.stages.cells import CELLS_PER_BANDWIDTH, Cells
from xpad.stages.k_rules import meanshift
from xpad.stages.labellers import kmeans, ward
from xpad.stages.split import TEST, Members
from xpad.storage.scratch import Scratch

Floats = NDArray[np.float32]
Integers = NDArray[np.int64]

IN_MEMORY = 2_000_000
"""Records of which each is looked at by itself; of more, mean shift and the starts of k-means
look at cells, so that neither memory nor time grows with them."""


def group(flux: xr.DataArray, trained: Trained, space: Workspace, progress: Progress) -> Model:
    """Fit components and clusters to the test split: two passes over the data."""
    release()
    model, test = trained.model, Members.of(trained.codes, TEST)
    records = flux_records(flux)
    with progress.blocks("components", len(records), "xpad-moments"):
        moments: pca.Moments = records.run(
            _moments, combine=_add, name="xpad-moments", limits=limits_of(flux.attrs), model=model,
            test=test, shift=trained.shift,
        )  # fmt: skip
    model = replace(model, pca=pca.from_moments(moments, model.settings.n_components))
    components = project(flux, model, trained.codes, test, space, progress)
    release()
    with progress.step("clusters"):
        found = _clustered(components, model)
    release()
    return found


def project(
    flux: xr.DataArray,
    model: Model,
    codes: NDArray[np.int8],
    test: Members,
    space: Workspace,
    progress: Progress,
) -> Components:
    """Components of the test split's usable records, in the order of their positions.

    Beside them a sample for the bandwidth, drawn by rank as scikit-learn draws it.
    """
    s = model.settings
    n = int(np.count_nonzero(codes == TEST))
    sample = _at_ranks(codes, _drawn_ranks(n, s))
    fits = n <= IN_MEMORY or 4 * n * model.n_components <= space.memory // 8
    scratch = space.scratch_unless(fits)
    records = flux_records(flux)
    with progress.blocks("projecting", len(records), "xpad-project"):
        parts: list[_Projected] = records.run(
            _project, name="xpad-project", limits=limits_of(flux.attrs), model=model, test=test,
            scratch=scratch, sample=np.sort(sample), folder=f"components-{uuid4().hex}",
        )  # fmt: skip
    sampled_at = np.concatenate([p.sampled_at for p in parts])
    order = np.argsort(sampled_at)
    sampled = np.concatenate([p.sampled for p in parts])[order]
    sampled = sampled[np.searchsorted(sampled_at[order], sample)]
    if scratch is not None:
        names = tuple(p.name for p in parts if p.name)
        return Components(n, sampled, _scratch=scratch, _names=names)
    return Components(n, sampled, _rows=_by_position(parts, model.n_components))


def test_components(
    flux: xr.DataArray, model: Model, split: Splitter, progress: Progress
) -> Floats:
    """The same from a fitted model alone, in memory: one pass over the data."""
    records = flux_records(flux)
    with progress.blocks("projecting", len(records), "xpad-project"):
        parts: list[_Projected] = records.run(
            _project, name="xpad-project", limits=limits_of(flux.attrs), model=model, test=split,
            scratch=None, sample=np.empty(0, np.int64), folder="",
        )  # fmt: skip
    return _by_position(parts, model.n_components)


@dataclass(frozen=True)
class _Projected:
    """What one block brings."""

    at: Integers | None
    rows: Floats | None
    name: str
    sampled_at: Integers
    sampled: Floats


def _project(
    *block: Any,
    limits: Limits,
    model: Model,
    test: Members | Splitter,
    scratch: Scratch | None,
    sample: Integers,
    folder: str,
) -> _Projected:
    found = [(model.project(encoded), at) for encoded, at in _encoded(block, limits, model, test)]
    rows = np.concatenate([np.empty((0, model.n_components), np.float32), *(r for r, _ in found)])
    at = np.concatenate([np.empty(0, np.int64), *(a for _, a in found)])
    chosen, _ = among(at, sample)
    if scratch is None:
        return _Projected(at, rows, "", at[chosen], rows[chosen])
    name = ""
    if at.size:
        name = f"{folder}/{int(at[0]):015d}.npy"
        scratch.put(name, rows)
    return _Projected(None, None, name, at[chosen], rows[chosen])


def _by_position(parts: list[_Projected], width: int) -> Floats:
    at = np.concatenate([p.at for p in parts if p.at is not None])
    rows = np.empty((at.size, width), dtype=np.float32)
    start = 0
    for part in parts:
        assert part.rows is not None
        rows[start : start + len(part.rows)] = part.rows
        start += len(part.rows)
    return rows if (at[1:] > at[:-1]).all() else rows[np.argsort(at)]


def _moments(
    *block: Any, limits: Limits, model: Model, test: Members, shift: NDArray[np.float64]
) -> pca.Moments:
    none = pca.Moments.of(np.empty((0, shift.size)), shift)
    return sum(
        (pca.Moments.of(rows, shift) for rows, _ in _encoded(block, limits, model, test)), none
    )


def _add(a: pca.Moments, b: pca.Moments) -> pca.Moments:
    return a + b


def _encoded(
    block: tuple[Any, ...], limits: Limits, model: Model, test: Members | Splitter
) -> Iterator[tuple[Floats, Integers]]:
    """Encodings of a block's usable records that belong to the test split, and their positions.

    Members are known to be usable; by a splitter alone, each record is looked at.
    """
    flux, energies, pitch_angles, position = block
    if isinstance(test, Members):
        chosen = test.among(position)
    else:
        chosen = np.flatnonzero(test.split(position) == TEST)
    for at, piece in pieces(flux, energies, pitch_angles, limits, chosen):
        pads = model.pads(*piece)
        encoded, where = model.encode(*model.rows_with_divisors(pads)), position[at]
        if isinstance(test, Splitter):
            ok = model.flags(pads) == OK
            encoded, where = encoded[ok], where[ok]
        yield encoded, where


def _drawn_ranks(n: int, settings: Settings) -> Integers:
    """The ranks that `sklearn.cluster.estimate_bandwidth` draws among `n` points."""
    rng = np.random.RandomState(settings.seed("bandwidth"))
    return rng.permutation(n)[: settings.n_samples].astype(np.int64)


def _at_ranks(codes: NDArray[np.int8], ranks: Integers) -> Integers:
    """Positions of the test records with these ranks."""
    span = 2**20
    counts = [
        np.count_nonzero(codes[i : i + span] == TEST) for i in range(0, codes.size, span)
    ]  # fmt: skip
    begins = np.cumsum([0, *counts])
    order = np.argsort(ranks)
    found = np.empty(ranks.size, dtype=np.int64)
    for number, (begin, end) in enumerate(pairwise(begins)):
        own = order[np.searchsorted(ranks[order], begin) : np.searchsorted(ranks[order], end)]
        if own.size:
            start = number * span
            places = np.flatnonzero(codes[start : start + span] == TEST)
            found[own] = start + places[ranks[own] - begin]
    return found


# ------------------------------------------------------------------------------------------ groups


def _clustered(components: Components, model: Model) -> Model:
    s = model.settings
    bandwidth = s.bandwidth if s.bandwidth is not None else meanshift.estimate_bandwidth(
        components.sample, quantile=s.quantile, n_samples=max(len(components.sample), 1)
    )  # fmt: skip
    many = components.n > IN_MEMORY and s.labeller == "kmeans" and s.bin_seeding
    fit = _fit_cells if many else _fit_points
    if bandwidth > 0 or s.k is None:
        _require_bandwidth(bandwidth, components.n, s)
    found = fit(components, float(bandwidth), s)
    if len(found.centres) == 1:
        _warn_of_one(bandwidth, s)
    return replace(
        model,
        bandwidth=float(bandwidth),
        modes=found.modes,
        centres=found.centres,
        counts=found.counts,
        scores=found.scores,
    )


@dataclass(frozen=True)
class _Groups:
    modes: NDArray[np.float64]
    centres: NDArray[np.float64]
    counts: Integers
    scores: dict[str, dict[str, float]]


def _fit_points(components: Components, bandwidth: float, s: Settings) -> _Groups:
    """Modes and clusters from each record by itself."""
    rows = components.rows()
    # Where k is given and the bandwidth is zero, nothing hangs on modes.
    modes = np.empty((0, rows.shape[1]))
    if bandwidth > 0:
        modes = meanshift.modes(
            rows, bandwidth, bin_seeding=s.bin_seeding, max_points=max(len(rows), 1)
        ).modes
    k = s.k if s.k is not None else len(modes)
    found = (
        ward.fit(rows, k, max_samples=s.max_ward, random_state=s.seed("cluster"))
        if s.labeller == "ward"
        else kmeans.fit(rows, k, n_init=s.n_init, random_state=s.seed("cluster"))
    )
    centres, counts = found.centres, np.asarray(found.counts, dtype=np.int64)
    return _Groups(modes, centres, counts, _scores(components, modes, centres, s))


def _fit_cells(components: Components, bandwidth: float, s: Settings) -> _Groups:
    """The same from sums over the records, a few passes over their components."""
    size = (bandwidth if bandwidth > 0 else 1.0) / CELLS_PER_BANDWIDTH
    cells = components.reduce(partial(Cells.of, size=size))
    release()
    modes = np.empty((0, components.sample.shape[1]))
    if bandwidth > 0:
        modes = meanshift.modes_of_cells(cells, bandwidth).modes
    k = s.k if s.k is not None else len(modes)
    found = kmeans.fit_parts(
        components.reduce, cells, k, n_init=s.n_init, random_state=s.seed("cluster")
    )
    if found.reseeded:
        warn(
            f"k-means: {found.reseeded} cluster(s) lost all their records on the way and were begun "
            f"again at the records farthest from the others; k={k} may be too many"
        )
    scored = _scores(components, modes, found.centres, s)
    return _Groups(modes, found.centres, np.asarray(found.counts, dtype=np.int64), scored)


def _scores(
    components: Components,
    modes: NDArray[np.float64],
    centres: NDArray[np.float64],
    s: Settings,
) -> dict[str, dict[str, float]]:
    found = {}
    for name, places in (("meanshift", modes), (s.labeller, centres)):
        ch, db = float("nan"), float("nan")
        if len(places) > 1:
            ch, db = scores.of_parts(components.reduce, partial(kmeans.assign, places), len(places))
        found[name] = {"calinski_harabasz": ch, "davies_bouldin": db}
    return found


def _warn_of_one(bandwidth: float, s: Settings) -> None:
    warn(
        "the mean shift finds a single mode, so every record gets label 0. A smaller bandwidth "
        f"(this one is {bandwidth:.4g}; bandwidth=, quantile=) may tell more shapes apart, or "
        "choose k= yourself; estimate_k shows the evidence"
        if s.k is None
        else "k=1: every usable record gets label 0"
    )


def _require_bandwidth(bandwidth: float, n: int, settings: Settings) -> None:
    if bandwidth > 0:
        return
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
