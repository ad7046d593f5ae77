"""The table of settings, and the same names and types as keyword arguments."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass
from difflib import get_close_matches
from functools import cache
from typing import Annotated, Any, Literal, TypedDict, get_args

from xpad.errors import OptionError
from xpad.settings.constraints import Between, Fluxes, Interval, Positive, Span, TimeOrName, Whole
from xpad.settings.entry import Setting, entries, with_text

Normalise = Literal["max", "max_energy", "90deg"]
Missing = Literal["zero", "mask"]
EnergyTables = Literal["interpolate", "refuse"]
Negative = Literal["drop", "zero", "keep"]
ValidRange = Literal["stated", "ignore"]
Zeros = Literal["stated", "measured", "missing"]
Split = Literal["random", "blocks"]
EncoderName = Literal["dense"]
Training = Literal["published", "fast"]
KRule = Literal["meanshift"]
Labeller = Literal["kmeans", "ward"]

METHODS: tuple[str, ...] = get_args(Normalise)

# What belongs together; the list in a docstring and the command line's help name it.
RECORDS = "records and their normalisation"
SPLIT = "split into training, validation and test"
ENCODER = "autoencoder"
CLUSTERS = "components and clusters"
SEEDS = "seeds"

SEED = Whole(0, bits=32)


@dataclass(frozen=True)
class Settings:
    """Every setting of the method; the defaults are those of the preset ``killey2023``.

    Given whole, as ``xpad.fit(ds, settings=Settings(...))``, it is used as it is:
    ``training="fast"`` sets no other setting then.

    Examples
    --------
    >>> import xpad
    >>> xpad.Settings(epochs=20, k=6).as_dict()["epochs"]
    20
    >>> xpad.Settings(epochs=0)
    Traceback (most recent call last):
    ...
    xpad.errors.OptionError: epochs=0 must be a whole number of at least 1: most passes over ...
    """

    # fmt: off
    normalise: Annotated[
        Normalise, RECORDS,
        "What each PAD is divided by: its own maximum, each energy's, or the flux at 90 degrees.",
    ] = "max"
    missing: Annotated[
        Missing, RECORDS,
        "Missing bins count as zero (as published), or are masked: replaced by the mean on input "
        "and left out of the loss.",
    ] = "zero"
    energies: Annotated[
        tuple[float, float] | None, RECORDS, Interval(),
        "Only energies in this range, in the data's units; None takes all.",
    ] = None
    background: Annotated[
        float | tuple[float, ...] | None, RECORDS, Fluxes(),
        "Flux below this counts as zero; one number, or one for each energy in use.",
    ] = None
    min_coverage: Annotated[
        float, RECORDS, Between(0, 1, ends=True),
        "Least share of the measured bins that a usable record must have.",
    ] = 0.0
    min_positive: Annotated[
        int, RECORDS, Whole(1),
        "Least number of positive bins that a usable record must have.",
    ] = 1
    negative: Annotated[
        Negative, RECORDS,
        "What a flux below zero is, as one less its background may be: missing, no flux, or kept.",
    ] = "drop"
    valid_range: Annotated[
        tuple[float, float] | ValidRange, RECORDS, Span(),
        "Flux outside of it is missing: as the data state it (VALIDMIN, VALIDMAX), a range in their "
        "units, or none.",
    ] = "stated"
    quality: Annotated[
        bool, RECORDS,
        "Leave out what the product's quality flags say is bad, as far as `xpad.missions` knows them.",
    ] = False
    zeros: Annotated[
        Zeros, RECORDS,
        "What a flux of zero is: measured, missing, or what is known of the product.",
    ] = "stated"
    energy_tables: Annotated[
        EnergyTables, RECORDS,
        "What to do with energies that change in time.",
    ] = "interpolate"

    split: Annotated[
        Split, SPLIT,
        "Draw training and validation records one by one, or by whole blocks (days, orbits).",
    ] = "random"
    block: Annotated[
        str, SPLIT, TimeOrName(),
        'Length of a block ("1D", "9h"), or the name of a variable that numbers the blocks (orbits).',
    ] = "1D"
    train: Annotated[
        float, SPLIT, Between(0, 1),
        "Share of the records in the training split.",
    ] = 0.2
    validation: Annotated[
        float, SPLIT, Between(0, 1),
        "Share of the records in the validation split; the rest is the test split.",
    ] = 0.2
    max_train: Annotated[
        int | None, SPLIT, Whole(1),
        "Most training records that are used (validation in proportion); None uses all.",
    ] = None

    encoder: Annotated[
        EncoderName | None, ENCODER,
        "The autoencoder, or None to go straight to the principal components.",
    ] = "dense"
    n_hidden: Annotated[
        int | None, ENCODER, Whole(1),
        "Width of the encoding; None is half the number of inputs.",
    ] = None
    training: Annotated[
        Training, ENCODER,
        'Adam at a constant rate, as published; or "fast", to the same loss in a few epochs: Muon, '
        "its rate up and down along cosines. It sets other epochs, learning_rate, patience and "
        "min_steps, too.",
    ] = "published"
    epochs: Annotated[
        int, ENCODER, Whole(1),
        "Most passes over the training records.",
    ] = 200
    min_steps: Annotated[
        int, ENCODER, Whole(0),
        "Least number of optimiser steps; raises the epochs where the data are few.",
    ] = 0
    batch_size: Annotated[
        int, ENCODER, Whole(1),
        "Training records a step.",
    ] = 256
    learning_rate: Annotated[
        float, ENCODER, Positive(),
        "Size of a step; of a fast training, the greatest.",
    ] = 5e-4
    patience: Annotated[
        int | None, ENCODER, Whole(1),
        "Epochs without a lower validation loss before training stops; None never stops early.",
    ] = 5
    restore_best: Annotated[
        bool, ENCODER,
        "Keep the weights of the lowest validation loss instead of the last.",
    ] = False

    n_components: Annotated[
        int, CLUSTERS, Whole(1),
        "Principal components of the encoding.",
    ] = 3
    bandwidth: Annotated[
        float | None, CLUSTERS, Positive(),
        "Radius of the mean shift; None estimates it from the data.",
    ] = None
    quantile: Annotated[
        float, CLUSTERS, Between(0, 1),
        "The bandwidth is the mean distance of a record to the one at this quantile of its "
        "neighbours.",
    ] = 0.1
    n_samples: Annotated[
        int, CLUSTERS, Whole(1),
        "Records that the bandwidth is estimated from.",
    ] = 6000
    bin_seeding: Annotated[
        bool, CLUSTERS,
        "Start the mean shift from occupied bins instead of from every record.",
    ] = True
    k: Annotated[
        int | KRule | None, CLUSTERS, Whole(1),
        "Number of clusters, or the rule that finds it; None is the published rule, the number of "
        "mean-shift modes.",
    ] = None
    labeller: Annotated[
        Labeller, CLUSTERS,
        "k-means, or Ward's agglomerative clustering (Bakrania et al. 2020) of a bounded sample.",
    ] = "kmeans"
    n_init: Annotated[
        int, CLUSTERS, Whole(1),
        "Starts of k-means.",
    ] = 10
    max_ward: Annotated[
        int, CLUSTERS, Whole(1),
        "Most records that Ward's clustering is built from.",
    ] = 20_000

    random_state: Annotated[
        int | None, SEEDS, SEED,
        "One seed for everything; None keeps the seeds below.",
    ] = None
    split_seed: Annotated[
        int, SEEDS, SEED,
        "Seed of the split.",
    ] = 4
    encoder_seed: Annotated[
        int, SEEDS, SEED,
        "Seed of the initial weights and the shuffling.",
    ] = 0
    bandwidth_seed: Annotated[
        int, SEEDS, SEED,
        "Seed of the sample for the bandwidth.",
    ] = 0
    cluster_seed: Annotated[
        int, SEEDS, SEED,
        "Seed of k-means (or of Ward's sample).",
    ] = 0
    # fmt: on

    def __post_init__(self) -> None:
        for name, setting in table().items():
            object.__setattr__(self, name, setting.taken(getattr(self, name)))
        for check in _TOGETHER:
            check(self)

    def seed(self, of: Literal["split", "encoder", "bandwidth", "cluster"]) -> int:
        """The seed of one step."""
        own: int = getattr(self, f"{of}_seed")
        return own if self.random_state is None else self.random_state

    def as_dict(self) -> dict[str, Any]:
        """Plain values that JSON can hold."""
        return {k: list(v) if isinstance(v, tuple) else v for k, v in asdict(self).items()}

    @classmethod
    def from_dict(cls, values: Mapping[str, Any]) -> Settings:
        """The inverse of `as_dict`; unknown names are refused."""
        if not isinstance(values, Mapping):
            raise OptionError(
                f"settings come from a dict, not from a {type(values).__name__}; give what as_dict() gave"
            )
        require_known(values)
        return cls(**values)


class Options(TypedDict, total=False):
    """The settings as keyword arguments of `fit` and `cluster`; see `Settings` for each."""

    normalise: Normalise
    missing: Missing
    energies: tuple[float, float] | None
    background: float | Sequence[float] | None
    min_coverage: float
    min_positive: int
    negative: Negative
    valid_range: tuple[float, float] | ValidRange
    quality: bool
    zeros: Zeros
    energy_tables: EnergyTables
    split: Split
    block: str
    train: float
    validation: float
    max_train: int | None
    encoder: EncoderName | None
    n_hidden: int | None
    training: Training
    epochs: int
    min_steps: int
    batch_size: int
    learning_rate: float
    patience: int | None
    restore_best: bool
    n_components: int
    bandwidth: float | None
    quantile: float
    n_samples: int
    bin_seeding: bool
    k: int | KRule | None
    labeller: Labeller
    n_init: int
    max_ward: int
    random_state: int | None
    split_seed: int
    encoder_seed: int
    bandwidth_seed: int
    cluster_seed: int


@cache
def table() -> dict[str, Setting]:
    """The entries of the table by name."""
    return entries(Settings)


def require_known(names: Iterable[str], others: Iterable[str] = ()) -> None:
    """Refuse names that are no settings; `others` could have been meant, too."""
    unknown = sorted(set(names) - set(table()))
    if unknown:
        near = get_close_matches(unknown[0], [*table(), *others], n=1)
        meant = f" (did you mean {near[0]!r}?)" if near else ""
        raise OptionError(
            f"{unknown[0]!r} is not a setting{meant}; the settings are {', '.join(sorted(table()))}"
        )


def _leave_a_test_split(s: Settings) -> None:
    if s.train + s.validation >= 1:
        raise OptionError(
            f"train={s.train} and validation={s.validation} leave nothing for the test split, "
            "which the components and clusters are fitted on"
        )


_TOGETHER: tuple[Callable[[Settings], None], ...] = (_leave_a_test_split,)
"""What settings must be together, after each by itself."""


@dataclass(frozen=True)
class Unused:
    """Settings that do nothing under another one.

    Attributes
    ----------
    names : tuple of str
    where : callable
        Whether they do nothing under these settings.
    because : str
        The setting whose value says so.
    """

    names: tuple[str, ...]
    where: Callable[[Settings], bool]
    because: str


UNUSED = (
    Unused(
        ("n_hidden", "training", "epochs", "min_steps", "batch_size", "learning_rate", "patience",
         "restore_best", "encoder_seed"),
        lambda s: s.encoder is None, "encoder",
    ),
    Unused(("block",), lambda s: s.split != "blocks", "split"),
    Unused(("quantile", "n_samples", "bandwidth_seed"), lambda s: s.bandwidth is not None, "bandwidth"),
    Unused(("n_init",), lambda s: s.labeller != "kmeans", "labeller"),
    Unused(("max_ward",), lambda s: s.labeller != "ward", "labeller"),
    Unused(
        ("split_seed", "encoder_seed", "bandwidth_seed", "cluster_seed"),
        lambda s: s.random_state is not None, "random_state",
    ),
)  # fmt: skip
"""What is told where a caller sets it all the same."""


def without_effect(given: Iterable[str], settings: Settings) -> list[str]:
    """What to say of settings that were given and do nothing under the others.

    Examples
    --------
    >>> without_effect(["epochs", "k"], Settings(encoder=None, epochs=5, k=3))
    ['epochs=5 has no effect with encoder=None']
    """
    asked, told = set(given), []
    for unused in UNUSED:
        names = [name for name in unused.names if name in asked] if unused.where(settings) else []
        if names:
            values = " and ".join(f"{name}={getattr(settings, name)!r}" for name in names)
            because = f"{unused.because}={getattr(settings, unused.because)!r}"
            told.append(f"{values} {'have' if len(names) > 1 else 'has'} no effect with {because}")
    return told


def _told_by_the_table() -> None:
    """Have `help` and signatures say of `Settings` what the table says."""
    Settings.__init__.__annotations__.update({s.name: s.type for s in table().values()})
    if Settings.__doc__ is not None:  # python -OO leaves none
        rows = "\n".join(setting.told() for setting in table().values())
        parameters = f"Parameters\n----------\n{rows}"
        Settings.__doc__ = with_text(Settings.__doc__, parameters, before="Examples")


_told_by_the_table()
