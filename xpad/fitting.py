"""Fit the pipeline: three passes over the data, then work on what they brought."""

from __future__ import annotations

import logging
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd
import xarray as xr
from numpy.typing import NDArray

from xpad.axes import as_dataset
from xpad.blocks import run
from xpad.errors import NotEnoughDataError, OptionError, warn
from xpad.flux import ENERGY, PITCH_ANGLE, canonical_flux, record_dims, varies
from xpad.model import Model, Pads
from xpad.normalisation import is_bounded
from xpad.presets import DEFAULT_PRESET, Options, Settings, resolve
from xpad.progress import Progress
from xpad.provenance import identity, versions
from xpad.regrid import Grid, flat_records
from xpad.sampling import TEST, TRAIN, VALIDATION
from xpad.splitting import Splitter, splitter
from xpad.survey import (
    Survey,
    grid_of,
    selected,
    survey,
    survey_blocks,
)
from xpad.usable import ALL_FILL, BAD_AXIS, FLAGS, NO_POSITIVE_FLUX, OK, TOO_SPARSE

if TYPE_CHECKING:
    from typing import Unpack

    from xpad.stages.autoencoder import Autoencoder
    from xpad.stages.pca import Moments

Floats = NDArray[np.float32]
log = logging.getLogger(__name__)


def fit(
    obj: xr.Dataset | xr.DataArray,
    variable: str | None = None,
    *,
    preset: str = DEFAULT_PRESET,
    progress: bool | None = None,
    **options: Unpack[Options],
) -> Model:
    """Fit the pipeline to the PADs of a Dataset.

    Normalises each PAD, trains the autoencoder on the training split, and
    fits principal components, mean shift and k-means on the test split, as
    the published method does.

    Parameters
    ----------
    obj : xarray.Dataset or xarray.DataArray
        The data, from any reader; not changed.
    variable : str, optional
        The flux, where several are there and another than the preferred one
        is meant.
    preset : str
        Parameter set to begin from.
    progress : bool, optional
        Show bars; by default in terminals and notebooks.
    **options
        Any setting of `xpad.Settings`, instead of the preset's.

    Returns
    -------
    Model

    Raises
    ------
    RolesError
        The flux or its axes cannot be told.
    OptionError
        A setting has a value that it cannot take.
    NotEnoughDataError
        Fewer usable records than a step needs.
    TrainingError
        The training diverged.

    Warns
    -----
    XpadWarning
        The training is too short to mean anything; the mean shift finds one
        mode only; times are not sorted, repeated or missing.

    References
    ----------
    Killey et al. (2023), RASTI 2, 548, doi:10.1093/rasti/rzad035; after
    Bakrania et al. (2020), doi:10.3389/fspas.2020.593516.

    Examples
    --------
    >>> import xpad
    >>> model = xpad.fit(xpad.simulate(days=0.5), encoder=None, k=6, progress=False)
    >>> model.k
    6
    """
    settings = resolve(preset, options)
    ds = as_dataset(obj)
    return _fit(
        ds, selected(canonical_flux(ds, variable), settings), preset, settings, Progress(progress)
    )


def _fit(
    ds: xr.Dataset, flux: xr.DataArray, preset: str, settings: Settings, progress: Progress
) -> Model:
    warn_about_times(flux)
    grid = grid_of(flux, settings)
    split = splitter(flux, ds, settings)
    varying = [role for role in (ENERGY, PITCH_ANGLE) if varies(flux, role)]
    seen = survey(flux, grid, settings, split, progress)
    model = _unfitted(preset, settings, grid, seen.ever_measured, identity(ds, flux))
    flags = model.flags(_counts_only(seen))
    _require_usable(flags, flux, settings)
    ok = flags == OK
    log.info("%s: %d of %d records usable", flux.name, int(ok.sum()), ok.size)

    split = split.exact(seen.position[ok])
    model.provenance.update(split=split.as_dict(), varying=varying)
    usable = seen.position[ok]
    chosen = [split.training(usable, part) for part in (TRAIN, VALIDATION)]
    if not all(seen.holds(part) for part in chosen):
        # Far fewer records are usable than the first pass could assume.
        seen = survey(flux, grid, settings, split.wanting(*chosen), progress)
    train, validation = (seen.rows(part, model.features) for part in chosen)
    model = replace(model, fill=_fill(train, settings))
    if settings.encoder is not None:
        autoencoder, history = _train(train, validation, settings, progress)
        model = replace(model, autoencoder=autoencoder, history=history)

    shift = _shift(model, train)
    _require_components(int((split.split(usable) == TEST).sum()), model)
    return _fit_clusters(flux, model, split, shift, progress)


def _shift(model: Model, train: Floats) -> NDArray[np.float64]:
    """About the mean encoding, so that sums of squares lose no digits."""
    if len(train) == 0:
        return np.zeros(model.fill.size)
    return np.asarray(model.encode(train[:4096]).mean(axis=0, dtype=np.float64))


def _unfitted(
    preset: str,
    settings: Settings,
    grid: Grid,
    features: NDArray[np.bool_],
    source: dict[str, Any],
) -> Model:
    """A model that knows its grid and features, before anything is learned."""
    from xpad.stages.pca import PCA

    empty = np.empty((0, 0))
    return Model(
        preset=preset,
        settings=settings,
        grid=grid,
        features=features,
        fill=np.zeros(int(features.sum()), dtype=np.float32),
        autoencoder=None,
        pca=PCA(np.empty(0), empty, np.empty(0), np.empty(0), 0),
        bandwidth=float("nan"),
        modes=empty,
        centres=empty,
        counts=np.empty(0, dtype=np.int64),
        scores={},
        history=_history([], []),
        provenance={"versions": versions(), "input": source},
    )


def _counts_only(seen: Survey) -> Pads:
    return Pads(
        np.empty((0, 0, 0), dtype=np.float32),
        seen.n_measured, seen.n_positive, seen.bad_axis, seen.ever_measured,
    )  # fmt: skip


def _fill(train: Floats, settings: Settings) -> Floats:
    """What stands for a missing bin: zero as published, or the training mean."""
    n = train.shape[1]
    if settings.missing == "zero":
        return np.zeros(n, dtype=np.float32)
    measured = np.isfinite(train)
    total = np.where(measured, train, 0).sum(axis=0, dtype=np.float64)
    return np.asarray(total / np.maximum(measured.sum(axis=0), 1), dtype=np.float32)


def _train(
    train: Floats, validation: Floats, settings: Settings, progress: Progress
) -> tuple[Autoencoder, xr.Dataset]:
    from xpad.stages import autoencoder

    for rows, name in ((train, "training"), (validation, "validation")):
        if len(rows) == 0:
            raise NotEnoughDataError(
                f"no usable record fell into the {name} split; give more records, a larger share "
                "(train=, validation=), or encoder=None"
            )
    with progress.step("training", settings.epochs, unit="epoch") as bar:

        def ended(epoch: int, loss: float, val_loss: float) -> None:
            bar.note(loss=f"{loss:.3g}", val_loss=f"{val_loss:.3g}")
            bar.update(1)

        trained, curves = autoencoder.train(
            train,
            validation,
            n_hidden=settings.n_hidden,
            output="sigmoid" if is_bounded(settings.normalise) else "linear",
            masked=settings.missing == "mask",
            epochs=settings.epochs,
            batch_size=settings.batch_size,
            learning_rate=settings.learning_rate,
            patience=settings.patience,
            restore_best=settings.restore_best,
            min_steps=settings.min_steps,
            random_state=settings.seed("encoder"),
            progress=ended,
        )
    history = _history(curves.loss, curves.val_loss).assign_attrs(
        steps=int(curves.steps),
        best_epoch=int(curves.best_epoch) + 1,
        stopped_early=int(curves.stopped_early),
        n_train=len(train),
        n_validation=len(validation),
    )
    _warn_if_untrained(train, validation, trained.encoder_bias.size, history, settings)
    return trained, history


def _history(loss: Any, val_loss: Any) -> xr.Dataset:
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
    train: Floats, validation: Floats, hidden: int, history: xr.Dataset, settings: Settings
) -> None:
    """Say so when the training was too small for its encoding to mean anything."""
    masked = settings.missing == "mask"
    rows = validation if masked else np.nan_to_num(validation)
    mean = np.nanmean(rows, axis=0) if masked else rows.mean(axis=0, dtype=np.float64)
    variance = float(np.nanmean((rows - mean) ** 2))
    reached = float(history.val_loss[-1])
    faults = []
    if variance > 0 and reached > 0.5 * variance:
        faults.append(
            f"its validation loss {reached:.3g} is {reached / variance:.0%} of the variance about the "
            f"mean record ({variance:.3g}), where half would be the least to expect"
        )
    if len(train) < hidden:
        faults.append(
            f"its encoding has {hidden} numbers a record, more than there are training records"
        )
    if faults:
        steps = history.attrs["steps"]
        warn(
            f"the autoencoder has hardly learned from {len(train)} training records in {steps} steps: "
            f"{'; '.join(faults)}. So its encoding means little. Train longer with "
            f"min_steps={_rounded(20 * max(steps, 500))} (--min-steps), use more records, or encoder=None"
        )


def _rounded(number: int) -> int:
    """To one significant figure, for a suggestion."""
    return int(float(f"{number:.0e}"))


def _fit_clusters(
    flux: xr.DataArray,
    model: Model,
    split: Splitter,
    shift: NDArray[np.float64],
    progress: Progress,
) -> Model:
    """Principal components, mean shift and clusters of the test split."""
    from xpad.stages import kmeans, meanshift, pca, ward

    s = model.settings
    blocks = survey_blocks(flux)
    with progress.blocks("components", len(blocks), "xpad-moments"):
        moments: Moments = run(
            _moments,
            blocks,
            combine=_add,
            name="xpad-moments",
            model=model,
            split=split,
            shift=shift,
        )
    model = replace(model, pca=pca.from_moments(moments, s.n_components))
    components = components_of_test_split(flux, model, split, progress)

    with progress.step("clusters"):
        bandwidth = s.bandwidth if s.bandwidth is not None else meanshift.estimate_bandwidth(
            components, quantile=s.quantile, n_samples=s.n_samples, random_state=s.seed("bandwidth")
        )  # fmt: skip
        if bandwidth > 0 or s.k is None:
            _require_bandwidth(bandwidth, len(components), s)
            modes = meanshift.modes(components, bandwidth, bin_seeding=s.bin_seeding).modes
        else:
            modes = np.empty((0, components.shape[1]))  # k is given, so nothing hangs on them
        k = s.k if s.k is not None else len(modes)
        if k == 1:
            warn(
                "the mean shift finds a single mode, so every record gets label 0. A smaller bandwidth "
                f"(this one is {bandwidth:.4g}; bandwidth=, quantile=) may tell more shapes apart, or "
                "choose k= yourself; estimate_k shows the evidence"
                if s.k is None
                else "k=1: every usable record gets label 0"
            )
        found = (
            ward.fit(components, k, max_samples=s.max_ward, random_state=s.seed("cluster"))
            if s.labeller == "ward"
            else kmeans.fit(components, k, n_init=s.n_init, random_state=s.seed("cluster"))
        )
        scores = {
            "meanshift": _scores(
                components,
                meanshift.assign(modes, components)
                if len(modes)
                else np.zeros(len(components), np.int16),
            ),
            s.labeller: _scores(components, kmeans.assign(found.centres, components)),
        }
    return replace(
        model,
        bandwidth=float(bandwidth),
        modes=modes,
        centres=found.centres,
        counts=np.asarray(found.counts, dtype=np.int64),
        scores=scores,
    )


def components_of_test_split(
    flux: xr.DataArray, model: Model, split: Splitter, progress: Progress
) -> Floats:
    """Components of the test split's usable records, in the order of their positions."""
    blocks = survey_blocks(flux)
    with progress.blocks("projecting", len(blocks), "xpad-project"):
        parts = run(_projected, blocks, name="xpad-project", model=model, split=split)
    at = np.concatenate([p[0] for p in parts])
    order = np.argsort(at, kind="stable")
    return np.asarray(np.concatenate([p[1] for p in parts])[order])


def _moments(*block: Any, model: Model, split: Splitter, shift: NDArray[np.float64]) -> Moments:
    from xpad.stages.pca import Moments

    rows, _ = _test_rows(block, model, split)
    return Moments.of(model.encode(rows), shift)


def _add(a: Moments, b: Moments) -> Moments:
    return a + b


def _projected(*block: Any, model: Model, split: Splitter) -> tuple[NDArray[np.int64], Floats]:
    rows, at = _test_rows(block, model, split)
    return at, model.project(model.encode(rows))


def _test_rows(
    block: tuple[Any, ...], model: Model, split: Splitter
) -> tuple[Floats, NDArray[np.int64]]:
    """Usable rows of a block that belong to the test split, and their positions."""
    flux, energies, pitch_angles = flat_records(*block[:3])
    at = np.asarray(block[3]).reshape(-1)
    chosen = split.split(at) == TEST
    rows, flags = model.prepare(
        flux[chosen],
        None if energies is None else energies[chosen],
        None if pitch_angles is None else pitch_angles[chosen],
    )
    return rows[flags == OK], at[chosen][flags == OK]


def _scores(components: Floats, labels: NDArray[np.integer[Any]]) -> dict[str, float]:
    from xpad.stages import scores

    return {
        "calinski_harabasz": scores.calinski_harabasz(components, labels),
        "davies_bouldin": scores.davies_bouldin(components, labels),
    }


def _require_usable(flags: NDArray[np.int8], flux: xr.DataArray, settings: Settings) -> None:
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


def _require_components(n_test: int, model: Model) -> None:
    settings = model.settings
    width = model.fill.size if model.autoencoder is None else model.autoencoder.encoder_bias.size
    if settings.n_components > width:
        raise OptionError(
            f"n_components={settings.n_components} is more than the {width} numbers of an encoded record"
        )
    least = max(settings.n_components + 1, settings.k or 2)
    if n_test < least:
        raise NotEnoughDataError(
            f"the test split has {n_test} usable record(s), and {settings.n_components} components and the "
            f"clusters need at least {least}: give more records, or a larger test split "
            f"(train={settings.train}, validation={settings.validation})"
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


def warn_about_times(flux: xr.DataArray) -> None:
    """Times out of order, repeated or missing do no harm to the method, but are worth knowing."""
    for dim in record_dims(flux):
        index = flux.indexes.get(dim)
        if not isinstance(index, pd.DatetimeIndex):
            continue
        absent = np.asarray(index.isna())
        faults = []
        if absent.any():
            faults.append(f"{int(absent.sum())} missing (NaT)")
        known = index[~absent]
        if not known.is_monotonic_increasing:
            faults.append("not sorted")
        if not known.is_unique:
            faults.append("repeated")
        if faults:
            warn(
                f"times on {dim!r} are {', '.join(faults)}; the records are labelled as they stand"
            )
