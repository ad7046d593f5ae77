"""The first half of a fit: the records that are usable, their split, and the encoder."""

from __future__ import annotations

import logging
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import xarray as xr
from numpy.typing import NDArray

from xpad.compute.memory import release
from xpad.compute.progress import Progress
from xpad.compute.workers import run_on
from xpad.errors import NotEnoughDataError, OptionError, warn
from xpad.fitting.resources import Workspace
from xpad.fitting.splitter import Splitter
from xpad.fitting.survey import Survey, survey
from xpad.fitting.training_rows import Sample, gather
from xpad.pads.flux import Flux
from xpad.pads.prepare import Preparation
from xpad.pads.quality import ALL_FILL, BAD_AXIS, FLAGS, NO_POSITIVE_FLUX, OK, TOO_SPARSE
from xpad.pads.removed import MISSING_SHARE, Removed, warnings_of
from xpad.settings import Settings
from xpad.stages.encoders import ENCODERS, Encoder
from xpad.stages.encoders.deal import Deal
from xpad.stages.encoders.rows import History
from xpad.stages.k_rules import chosen as chosen_k
from xpad.stages.split import TEST, TRAIN, VALIDATION
from xpad.storage.checkpoint import TRAINED, TRAINING, Arrays, Checkpoint, as_json, from_json

Floats = NDArray[np.float32]
ROWS = 4096
"""Rows that are held in double precision at once."""
log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Trained:
    """What the first half of a fit leads to.

    Attributes
    ----------
    preparation : Preparation
        With the bins that are ever measured.
    encoder : Encoder
    history : xarray.Dataset
        The course of the training.
    split : Splitter
        Exact among the usable records.
    codes : (records,) int8
        The split of every record by position; -1 where it is not usable.
    shift : (encoded,) float64
        Near the mean encoding, so that sums of squares about it lose no digits.
    removed : Removed
        What cleaning took away.
    """

    preparation: Preparation
    encoder: Encoder
    history: xr.Dataset
    split: Splitter
    codes: NDArray[np.int8]
    shift: NDArray[np.float64]
    removed: Removed


def train(
    flux: Flux, preparation: Preparation, split: Splitter, space: Workspace, progress: Progress
) -> Trained:
    """Read the data once, and train the encoder; or go on from a checkpoint.

    Parameters
    ----------
    flux : Flux
    preparation : Preparation
        With all bins in use.
    split : Splitter
        As it is before the data are read.
    space : Workspace
    progress : Progress
    """
    known = space.checkpoint.load(TRAINED)
    if known is not None:
        return _restored(known, preparation, split)
    found = _trained(flux, preparation, split, space, progress)
    space.checkpoint.save(TRAINED, _as_arrays(found))
    return found


def _trained(
    flux: Flux, preparation: Preparation, split: Splitter, space: Workspace, progress: Progress
) -> Trained:
    s = preparation.settings
    row_bytes = 4 * preparation.n_features
    # What is held of every record beside the sample: its time, its flag and its split.
    left = max(space.memory - 10 * split.total, 0) / 2
    drawn_to = space.scratch_unless(split.expected() * row_bytes <= left)
    seen = survey(flux, preparation, split, progress, drawn_to)
    flags = seen.flags(s)
    _require_usable(flags, flux, s)
    ok = flags == OK
    log.info("%s: %d of %d records usable", flux.name, int(ok.sum()), ok.size)
    removed = seen.removed
    _warn_of_removed(seen, flux, s)

    split = split.exact(ok)
    codes = split.codes(ok)
    in_use = replace(preparation, features=seen.ever_measured)
    _require_components(int(np.count_nonzero(codes == TEST)), in_use.n_features, s)
    chosen = [split.training(codes, part) for part in (TRAIN, VALIDATION)]
    if not all(seen.holds(part) for part in chosen):
        # Far fewer records are usable than the first pass could assume.
        drawn_to = space.scratch_unless(sum(c.size for c in chosen) * row_bytes <= left)
        seen = survey(flux, preparation, split.wanting(*chosen), progress, drawn_to)
    spool = space.scratch_unless(sum(c.size for c in chosen) * row_bytes <= left)
    batches = (s.batch_size, _validation_batch())
    with progress.step("gathering"):
        samples = gather(
            seen.drawn,
            chosen,
            in_use.features,
            [
                Deal.of(c.size, batch, in_use.n_features)
                for c, batch in zip(chosen, batches, strict=True)
            ],
            read_from=drawn_to,
            spool=spool,
            buffer=space.memory // 8,
        )
    if drawn_to is not None:
        drawn_to.remove("drawn")
    release()
    encoder, history = _train(samples[0], samples[1], in_use, space, progress)
    return Trained(
        in_use, encoder, history, split, codes, _shift(encoder, samples[0].first), removed
    )


def _warn_of_removed(seen: Survey, flux: Flux, settings: Settings) -> None:
    """Say what cleaning took away, or what counts as zero, where it is more than little."""
    for text in warnings_of(flux.name, seen.removed, flux.limits):
        warn(text)
    if settings.missing == "zero" and seen.missing_share >= MISSING_SHARE:
        warn(
            f"{flux.name}: usable records lack {seen.missing_share:.1%} of the bins that are ever "
            "measured, and missing='zero', as published, takes each of them for no flux; "
            "missing='mask' leaves them out"
        )


def _require_components(n_test: int, n_features: int, settings: Settings) -> None:
    """Refuse before the training what would only be found impossible after it."""
    width = ENCODERS[settings.encoder].width(n_features, settings)
    if settings.n_components > width:
        raise OptionError(
            f"n_components={settings.n_components} is more than the {width} numbers of an encoded record"
        )
    wanted = f"{settings.n_components} components"
    _, k = chosen_k(settings.k)
    if k is not None:
        wanted += f" and k={k}"
    least = max(settings.n_components + 1, k or 2)
    if n_test < least:
        raise NotEnoughDataError(
            f"the test split has {n_test} usable record(s), and {wanted} need at least {least}: give "
            f"more records, {'a smaller k, ' if k is not None else ''}or a larger test split "
            f"(train={settings.train}, validation={settings.validation})"
        )


def _validation_batch() -> int:
    from xpad.stages.encoders.network import VALIDATION_BATCH

    return VALIDATION_BATCH


def _shift(encoder: Encoder, rows: Floats) -> NDArray[np.float64]:
    if len(rows) == 0:
        return np.zeros(rows.shape[1])
    return np.asarray(encoder.encode(rows).mean(axis=0, dtype=np.float64))


def _train(
    train: Sample,
    validation: Sample,
    preparation: Preparation,
    space: Workspace,
    progress: Progress,
) -> tuple[Encoder, xr.Dataset]:
    settings, bounded = preparation.settings, preparation.normalisation.bounded
    kind = ENCODERS[settings.encoder]
    if not kind.learns:
        return kind.train(train, validation, settings, bounded=bounded)[0], as_history([], [])
    for sample, name in ((train, "training"), (validation, "validation")):
        if sample.shape[0] == 0:
            raise NotEnoughDataError(
                f"no usable record fell into the {name} split; give more records, a larger share "
                "(train=, validation=), or encoder=None"
            )
    with progress.step("training", settings.epochs, unit="epoch") as bar:

        def ended(epoch: int, loss: float, val_loss: float) -> None:
            bar.note(loss=f"{loss:.3g}", val_loss=f"{val_loss:.3g}")
            bar.update(1)

        here = space.training_worker is None
        encoder, curves = run_on(
            space.training_worker, train_samples, train, validation, settings, bounded,
            space.checkpoint, ended if here else None, name="xpad-training",
        )  # fmt: skip
    history = as_history(curves.loss, curves.val_loss).assign_attrs(
        steps=int(curves.steps),
        best_epoch=int(curves.best_epoch) + 1,
        stopped_early=int(curves.stopped_early),
        n_train=train.shape[0],
        n_validation=validation.shape[0],
    )
    width = kind.width(train.shape[1], settings)
    _warn_if_untrained(train, validation, width, history, settings)
    return encoder, history


def train_samples(
    train: Sample,
    validation: Sample,
    settings: Settings,
    bounded: bool,
    checkpoint: Checkpoint,
    ended: Callable[[int, float, float], None] | None,
) -> tuple[Encoder, History | None]:
    """Train the encoder on samples, from the last checkpoint on; here or in a task."""
    return ENCODERS[settings.encoder].train(
        train,
        validation,
        settings,
        bounded=bounded,
        progress=ended,
        save=checkpoint.save_training if checkpoint.place is not None else None,
        resume=checkpoint.load(TRAINING),
    )


def as_history(loss: Any, val_loss: Any) -> xr.Dataset:
    """Curves over the epochs, as a model keeps them."""
    loss, val_loss = np.asarray(loss, dtype=np.float64), np.asarray(val_loss, dtype=np.float64)
    return xr.Dataset(
        {
            "loss": ("pad_epoch", loss, {"long_name": "training loss (mean squared error)"}),
            "val_loss": (
                "pad_epoch",
                val_loss,
                {"long_name": "validation loss (mean squared error)"},
            ),
        },
        coords={"pad_epoch": ("pad_epoch", np.arange(1, loss.size + 1), {"long_name": "epoch"})},
    )


def _warn_if_untrained(
    train: Sample, validation: Sample, hidden: int, history: xr.Dataset, settings: Settings
) -> None:
    """Say so when the training was too small for its encoding to mean anything."""
    variance = _variance(validation, masked=settings.missing == "mask")
    reached = float(history.val_loss[-1])
    faults = []
    if variance > 0 and reached > 0.5 * variance:
        faults.append(
            f"its validation loss {reached:.3g} is {reached / variance:.0%} of the variance about the "
            f"mean record ({variance:.3g}), where half would be the least to expect"
        )
    if train.shape[0] < hidden:
        faults.append(
            f"its encoding has {hidden} numbers a record, more than there are training records"
        )
    if faults:
        steps = history.attrs["steps"]
        remedy = "Use more records, or encoder=None"
        if train.shape[0] >= hidden:  # of fewer records, no training makes more
            longer = _rounded(20 * max(steps, 500))
            remedy = f"Train longer with min_steps={longer} (--min-steps), use more records, or encoder=None"
        warn(
            f"the autoencoder has hardly learned from {train.shape[0]} training records in {steps} steps: "
            f"{'; '.join(faults)}. So its encoding means little. {remedy}"
        )


def _rounded(number: int) -> int:
    """To one significant figure, for a suggestion."""
    return int(float(f"{number:.0e}"))


def _variance(sample: Sample, masked: bool) -> float:
    """Mean square of the rows about the mean row; a missing value is left out, or a zero."""
    n, total, squares = (np.zeros(sample.shape[1]) for _ in range(3))
    for number, size in enumerate(sample.deal.sizes):
        block = sample.block(number)[:size]
        for start in range(0, size, ROWS):
            rows = block[start : start + ROWS].astype(np.float64)
            measured = np.isfinite(rows)
            rows[~measured] = 0
            n += measured.sum(axis=0) if masked else len(rows)
            total += rows.sum(axis=0)
            squares += np.square(rows).sum(axis=0)
    mean = total / np.maximum(n, 1)
    return float((squares - n * np.square(mean)).sum() / max(n.sum(), 1))


def _as_arrays(trained: Trained) -> Arrays:
    """A checkpoint of the first half."""
    node = trained.encoder.to_node()
    return {
        "features": trained.preparation.features,
        "codes": trained.codes,
        "shift": trained.shift,
        "loss": trained.history.loss.values,
        "val_loss": trained.history.val_loss.values,
        "stated": as_json(
            {
                "thresholds": trained.split.thresholds,
                "history": dict(trained.history.attrs),
                "removed": trained.removed.stated(),
                "encoder": {"dims": {n: v.dims for n, v in node.items()}, "attrs": node.attrs},
            }
        ),
        **{f"encoder/{name}": variable.values for name, variable in node.items()},
    }


def _restored(arrays: Arrays, preparation: Preparation, split: Splitter) -> Trained:
    stated = from_json(arrays["stated"])
    variables = {n: (dims, arrays[f"encoder/{n}"]) for n, dims in stated["encoder"]["dims"].items()}
    node = xr.Dataset(variables, attrs=stated["encoder"]["attrs"])
    low, high = stated["thresholds"]
    return Trained(
        replace(preparation, features=arrays["features"]),
        ENCODERS[preparation.settings.encoder].from_node(node),
        as_history(arrays["loss"], arrays["val_loss"]).assign_attrs(stated["history"]),
        replace(split, thresholds=(low, high)),
        arrays["codes"],
        arrays["shift"],
        Removed.of_stated(stated["removed"]),
    )


def _require_usable(flags: NDArray[np.int8], flux: Flux, settings: Settings) -> None:
    if (flags == OK).any():
        return
    reasons = {
        FLAGS[f]: int((flags == f).sum())
        for f in (ALL_FILL, NO_POSITIVE_FLUX, TOO_SPARSE, BAD_AXIS)
    }
    told = ", ".join(f"{n} {name.replace('_', ' ')}" for name, n in reasons.items() if n)
    hint = ""
    if reasons["too_sparse"]:
        hint = (
            f"; lower min_coverage={settings.min_coverage} or min_positive={settings.min_positive}"
        )
    raise NotEnoughDataError(
        f"none of the {flags.size} records of {flux.name} is usable: {told}{hint}"
    )
