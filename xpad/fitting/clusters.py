"""The second half of a fit: principal components, mean shift and clusters of the test split."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from functools import partial
from itertools import pairwise
from uuid import uuid4

import numpy as np
from numpy.typing import NDArray

from xpad.compute.memory import release
from xpad.compute.progress import Progress
from xpad.errors import warn
from xpad.fitting.components import Components
from xpad.fitting.encoder import Trained
from xpad.fitting.resources import Workspace
from xpad.fitting.splitter import Splitter
from xpad.fitting.training_rows import among
from xpad.model.model import Model
from xpad.pads.blocks import Block
from xpad.pads.flux import Flux
from xpad.pads.prepare import Preparation
from xpad.pads.quality import OK
from xpad.settings import Settings
from xpad.stages import pca, scores
from xpad.stages.encoders import Encoder
from xpad.stages.k_rules import K_RULES, KRule, chosen
from xpad.stages.labellers import LABELLERS, Labeller
from xpad.stages.nearest import nearest
from xpad.stages.split import TEST, Members
from xpad.storage.scratch import Scratch

Floats = NDArray[np.float32]
Integers = NDArray[np.int64]

IN_MEMORY = 2_000_000
"""Records of which each is looked at by itself; of more, mean shift and the starts of k-means
look at cells, so that neither memory nor time grows with them."""


@dataclass(frozen=True)
class Grouped:
    """What the second half of a fit leads to."""

    components: pca.PCA
    rule: KRule
    labeller: Labeller
    scores: dict[str, dict[str, float]]


def group(flux: Flux, trained: Trained, space: Workspace, progress: Progress) -> Grouped:
    """Fit components and clusters to the test split: two passes over the data."""
    release()
    settings, test = trained.preparation.settings, Members.of(trained.codes, TEST)
    records = flux.records()
    with progress.blocks("components", len(records), "xpad-moments"):
        moments: pca.Moments = records.run(
            _moments, combine=_add, name="xpad-moments", preparation=trained.preparation,
            encoder=trained.encoder, test=test, shift=trained.shift,
        )  # fmt: skip
    components = pca.from_moments(moments, settings.n_components)
    points = project(flux, trained, components, test, space, progress)
    release()
    with progress.step("clusters"):
        found = _clustered(points, components, settings)
    release()
    return found


def project(
    flux: Flux,
    trained: Trained,
    components: pca.PCA,
    test: Members,
    space: Workspace,
    progress: Progress,
) -> Components:
    """Components of the test split's usable records, in the order of their positions.

    Beside them a sample for the bandwidth, drawn by rank as scikit-learn draws it.
    """
    s, width = trained.preparation.settings, len(components.components)
    n = int(np.count_nonzero(trained.codes == TEST))
    sample = _at_ranks(trained.codes, _drawn_ranks(n, s))
    fits = n <= IN_MEMORY or 4 * n * width <= space.memory // 8
    scratch = space.scratch_unless(fits)
    records = flux.records()
    with progress.blocks("projecting", len(records), "xpad-project"):
        parts: list[_Projected] = records.run(
            _project, name="xpad-project", preparation=trained.preparation,
            encoder=trained.encoder, components=components, test=test,
            scratch=scratch, sample=np.sort(sample), folder=f"components-{uuid4().hex}",
        )  # fmt: skip
    sampled_at = np.concatenate([p.sampled_at for p in parts])
    order = np.argsort(sampled_at)
    sampled = np.concatenate([p.sampled for p in parts])[order]
    sampled = sampled[np.searchsorted(sampled_at[order], sample)]
    one_by_one = n <= IN_MEMORY or not _in_cells(s)
    if scratch is not None:
        names = tuple(p.name for p in parts if p.name)
        return Components(n, sampled, one_by_one, _scratch=scratch, _names=names)
    return Components(n, sampled, one_by_one, _rows=_by_position(parts, width))


def _in_cells(settings: Settings) -> bool:
    """Whether rule and labeller can do without looking at each record by itself."""
    rule, _ = chosen(settings.k)
    return LABELLERS[settings.labeller].out_of_core and K_RULES[rule].out_of_core(settings)


def components_of_test(flux: Flux, model: Model, split: Splitter, progress: Progress) -> Floats:
    """The same from a fitted model alone, in memory: one pass over the data."""
    records, fitted = flux.records(), model.pipeline
    with progress.blocks("projecting", len(records), "xpad-project"):
        parts: list[_Projected] = records.run(
            _project, name="xpad-project", preparation=fitted.preparation, encoder=fitted.encoder,
            components=fitted.components, test=split,
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
    block: Block,
    *,
    preparation: Preparation,
    encoder: Encoder,
    components: pca.PCA,
    test: Members | Splitter,
    scratch: Scratch | None,
    sample: Integers,
    folder: str,
) -> _Projected:
    width = len(components.components)
    found = [
        (pca.project(components, encoded), at)
        for encoded, at in _encoded(block, preparation, encoder, test)
    ]
    rows = np.concatenate([np.empty((0, width), np.float32), *(r for r, _ in found)])
    at = np.concatenate([np.empty(0, np.int64), *(a for _, a in found)])
    drawn, _ = among(at, sample)
    if scratch is None:
        return _Projected(at, rows, "", at[drawn], rows[drawn])
    name = ""
    if at.size:
        name = f"{folder}/{int(at[0]):015d}.npy"
        scratch.put(name, rows)
    return _Projected(None, None, name, at[drawn], rows[drawn])


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
    block: Block,
    *,
    preparation: Preparation,
    encoder: Encoder,
    test: Members,
    shift: NDArray[np.float64],
) -> pca.Moments:
    none = pca.Moments.of(np.empty((0, shift.size)), shift)
    encoded = _encoded(block, preparation, encoder, test)
    return sum((pca.Moments.of(rows, shift) for rows, _ in encoded), none)


def _add(a: pca.Moments, b: pca.Moments) -> pca.Moments:
    return a + b


def _encoded(
    block: Block, preparation: Preparation, encoder: Encoder, test: Members | Splitter
) -> Iterator[tuple[Floats, Integers]]:
    """Encodings of a block's usable records that belong to the test split, and their positions.

    Members are known to be usable; by a splitter alone, each record is looked at.
    """
    position = block.position
    if isinstance(test, Members):
        members = test.among(position)
    else:
        members = np.flatnonzero(test.split(position) == TEST)
    for at, piece in block.pieces(members):
        pads = preparation.pads(piece)
        encoded, where = encoder.encode(*preparation.rows_with_divisors(pads)), position[at]
        if isinstance(test, Splitter):
            ok = preparation.flags(pads) == OK
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


def _clustered(points: Components, components: pca.PCA, settings: Settings) -> Grouped:
    name, given = chosen(settings.k)
    rule = K_RULES[name].find(points, settings, given)
    k = given if given is not None else rule.k
    labeller = LABELLERS[settings.labeller].fit(points, k, settings, cell=rule.cell)
    rule = replace(rule, counts=_counts(points, rule.modes))
    if given is None:
        _warn_of_faint_modes(rule, name)
    if len(labeller.centres) == 1:
        warn(rule.remedy() if given is None else "k=1: every usable record gets label 0")
    scored = {
        name: _scores(points, places)
        for name, places in ((name, rule.modes), (settings.labeller, labeller.centres))
    }
    return Grouped(components, rule, labeller, scored)


FAINT = 0.01
"""Share of the records below which a mode holds next to nothing."""


def _counts(points: Components, places: NDArray[np.float64]) -> NDArray[np.int64]:
    if len(places) == 0:
        return np.zeros(0, np.int64)
    return scores.counts(points.reduce, partial(nearest, places), len(places))


def _warn_of_faint_modes(rule: KRule, name: str) -> None:
    """Say so where clusters are counted of which some are only records that lie apart."""
    total = int(rule.counts.sum())
    faint = sorted(int(n) for n in rule.counts if n < FAINT * total)
    if faint:
        held = ", ".join(f"{n:,}" for n in faint)
        warn(
            f"k={rule.k} by {name} counts {len(faint)} mode(s) that hold {held} of {total:,} fitted "
            "records: these may be outliers, and no cluster. Give k=, or a wider bandwidth= or "
            "quantile="
        )


def _scores(points: Components, places: NDArray[np.float64]) -> dict[str, float]:
    """How well separated the points are by the nearest of some places."""
    ch, db = float("nan"), float("nan")
    if len(places) > 1:
        ch, db = scores.of_parts(points.reduce, partial(nearest, places), len(places))
    return {"calinski_harabasz": ch, "davies_bouldin": db}
