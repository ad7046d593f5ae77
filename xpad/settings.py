"""Published parameter sets, by name; every number of the method is one of these settings."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass, fields, replace
from typing import Any, Literal, TypedDict

from xpad.errors import OptionError

METHODS = ("max", "max_energy", "90deg")

Normalise = Literal["max", "max_energy", "90deg"]
Missing = Literal["zero", "mask"]
Split = Literal["random", "blocks"]
Labeller = Literal["kmeans", "ward"]
Training = Literal["published", "fast"]

FAST: dict[str, Any] = {"epochs": 8, "learning_rate": 0.03, "patience": None, "min_steps": 1200}
"""What ``training="fast"`` sets, where the caller does not."""


@dataclass(frozen=True)
class Settings:
    """Every setting of the method; the defaults are those of the preset ``killey2023``."""

    normalise: Normalise = "max"
    """What each PAD is divided by: its own maximum, each energy's, or the flux at 90 degrees."""
    missing: Missing = "zero"
    """Missing bins count as zero (as published), or are masked: replaced by the mean on input
    and left out of the loss."""
    energies: tuple[float, float] | None = None
    """Only energies in this range (low, high), in the data's units."""
    background: float | tuple[float, ...] | None = None
    """Flux below this counts as zero; one number, or one for each energy in use."""
    min_coverage: float = 0.0
    """Least share of the measured bins that a usable record must have."""
    min_positive: int = 1
    """Least number of positive bins that a usable record must have."""
    energy_tables: Literal["interpolate", "refuse"] = "interpolate"
    """What to do with energies that change in time."""
    split: Split = "random"
    """Draw training and validation records one by one, or by whole blocks (days, orbits)."""
    block: str = "1D"
    """Length of a block ("1D", "9h"), or the name of a variable that numbers the blocks (orbits)."""
    train: float = 0.2
    """Share of the records in the training split."""
    validation: float = 0.2
    """Share of the records in the validation split; the rest is the test split."""
    max_train: int | None = None
    """Most training records that are used (validation in proportion); None uses all."""
    encoder: Literal["dense"] | None = "dense"
    """The autoencoder, or None to go straight to the principal components."""
    n_hidden: int | None = None
    """Width of the encoding; None is half the number of inputs."""
    training: Training = "published"
    """Adam at a constant rate, as published; or "fast", to the same loss in a few epochs:
    Muon, its rate up and down along cosines. It sets other epochs, learning_rate, patience and
    min_steps, too."""
    epochs: int = 200
    """Most passes over the training records."""
    min_steps: int = 0
    """Least number of optimiser steps; raises the epochs where the data are few."""
    batch_size: int = 256
    """Training records a step."""
    learning_rate: float = 5e-4
    """Size of a step; of a fast training, the greatest."""
    patience: int | None = 5
    """Epochs without a lower validation loss before training stops; None never stops early."""
    restore_best: bool = False
    """Keep the weights of the lowest validation loss instead of the last."""
    n_components: int = 3
    """Principal components of the encoding."""
    bandwidth: float | None = None
    """Radius of the mean shift; None estimates it from the data."""
    quantile: float = 0.1
    """The bandwidth is the mean distance of a record to the one at this quantile of its neighbours."""
    n_samples: int = 6000
    """Records that the bandwidth is estimated from."""
    bin_seeding: bool = True
    """Start the mean shift from occupied bins instead of from every record."""
    k: int | None = None
    """Number of clusters; None takes the number of mean-shift modes."""
    labeller: Labeller = "kmeans"
    """k-means, or Ward's agglomerative clustering (Bakrania et al. 2020) of a bounded sample."""
    n_init: int = 10
    """Starts of k-means."""
    max_ward: int = 20_000
    """Most records that Ward's clustering is built from."""
    random_state: int | None = None
    """One seed for everything; None keeps the seeds below."""
    split_seed: int = 4
    """Seed of the split."""
    encoder_seed: int = 0
    """Seed of the initial weights and the shuffling."""
    bandwidth_seed: int = 0
    """Seed of the sample for the bandwidth."""
    cluster_seed: int = 0
    """Seed of k-means (or of Ward's sample)."""

    def __post_init__(self) -> None:
        _check(self)

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
        _require_known(values)
        plain: dict[str, Any] = {
            k: tuple(v) if isinstance(v, list) else v for k, v in values.items()
        }
        return cls(**plain)


class Options(TypedDict, total=False):
    """The settings as keyword arguments of `fit` and `cluster`; see `Settings` for each."""

    normalise: Normalise
    missing: Missing
    energies: tuple[float, float] | None
    background: float | Sequence[float] | None
    min_coverage: float
    min_positive: int
    energy_tables: Literal["interpolate", "refuse"]
    split: Split
    block: str
    train: float
    validation: float
    max_train: int | None
    encoder: Literal["dense"] | None
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
    k: int | None
    labeller: Labeller
    n_init: int
    max_ward: int
    random_state: int | None
    split_seed: int
    encoder_seed: int
    bandwidth_seed: int
    cluster_seed: int


def resolve(preset: str, options: Mapping[str, Any]) -> Settings:
    """A preset's settings with the caller's own on top.

    Raises
    ------
    OptionError
        An unknown preset or setting, or a value that a setting cannot take.

    Examples
    --------
    >>> resolve("killey2023", {"epochs": 20}).epochs
    20
    """
    if preset not in PRESETS:
        raise OptionError(f"preset {preset!r} is not known; the presets are {', '.join(PRESETS)}")
    _require_known(options)
    own = {name: _plain(name, v) for name, v in options.items()}
    if own.get("training") == "fast":
        # Epochs that are asked for are as many as are made.
        own = FAST | ({"min_steps": 0} if "epochs" in own else {}) | own
    return replace(PRESETS[preset], **own)


def _require_known(names: Iterable[str]) -> None:
    known = {f.name for f in fields(Settings)}
    unknown = sorted(set(names) - known)
    if unknown:
        raise OptionError(
            f"{unknown[0]!r} is not a setting; the settings are {', '.join(sorted(known))}"
        )


def _plain(name: str, value: Any) -> Any:
    """The value as plain Python: NumPy's numbers and arrays, lists of numbers."""
    if hasattr(value, "tolist"):
        value = value.tolist()
    if name in ("energies", "background") and isinstance(value, list | tuple):
        try:
            numbers = tuple(float(x) for x in value)
        except (TypeError, ValueError) as err:
            raise OptionError(f"{name}={value!r} must hold numbers only") from err
        return numbers[0] if name == "background" and len(numbers) == 1 else numbers
    return value


def _check(s: Settings) -> None:
    _one_of(s, "normalise", METHODS)
    _one_of(s, "missing", ("zero", "mask"))
    _one_of(s, "energy_tables", ("interpolate", "refuse"))
    _one_of(s, "split", ("random", "blocks"))
    _one_of(s, "labeller", ("kmeans", "ward"))
    _one_of(s, "encoder", ("dense", None))
    _one_of(s, "training", ("published", "fast"))
    for name in (
        "batch_size",
        "epochs",
        "n_components",
        "n_init",
        "n_samples",
        "min_positive",
        "max_ward",
    ):
        _whole(s, name, least=1)
    for name in ("min_steps", "split_seed", "encoder_seed", "bandwidth_seed", "cluster_seed"):
        _whole(s, name, least=0)
    for name in ("n_hidden", "k", "max_train", "patience"):
        if getattr(s, name) is not None:
            _whole(s, name, least=1)
    if s.random_state is not None:
        _whole(s, "random_state", least=0)
    for name in ("train", "validation", "quantile"):
        _between(s, name, 0.0, 1.0)
    if s.train + s.validation >= 1:
        raise OptionError(
            f"train={s.train} and validation={s.validation} leave nothing for the test split, "
            "which the components and clusters are fitted on"
        )
    if not (_is_number(s.min_coverage) and 0 <= s.min_coverage <= 1):
        raise OptionError(f"min_coverage={s.min_coverage!r} is a share; it lies between 0 and 1")
    floors = s.background if isinstance(s.background, tuple) else (s.background,)
    if s.background is not None and not all(map(_is_number, floors)):
        raise OptionError(f"background={s.background!r} must be a flux, or one for each energy")
    if not (_is_number(s.learning_rate) and s.learning_rate > 0):
        raise OptionError(f"learning_rate={s.learning_rate!r} must be positive")
    if s.bandwidth is not None and not (_is_number(s.bandwidth) and s.bandwidth > 0):
        raise OptionError(f"bandwidth={s.bandwidth!r} must be positive, or None to estimate it")
    for name in ("split_seed", "encoder_seed", "bandwidth_seed", "cluster_seed", "random_state"):
        if (getattr(s, name) or 0) >= 2**32:
            raise OptionError(f"{name}={getattr(s, name)} is too large; seeds lie below 2**32")
    e = s.energies
    if e is not None and not (isinstance(e, tuple) and len(e) == 2 and e[0] <= e[1]):
        raise OptionError(f"energies={s.energies} must be a range (low, high)")


def _one_of(s: Settings, name: str, choices: Sequence[Any]) -> None:
    if getattr(s, name) not in choices:
        raise OptionError(
            f"{name}={getattr(s, name)!r} is not known; choose one of {list(choices)}"
        )


def _whole(s: Settings, name: str, least: int) -> None:
    value = getattr(s, name)
    if isinstance(value, bool) or not isinstance(value, int) or value < least:
        raise OptionError(f"{name}={value!r} must be a whole number of at least {least}")


def _is_number(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool) and math.isfinite(value)


def _between(s: Settings, name: str, low: float, high: float) -> None:
    value = getattr(s, name)
    if not isinstance(value, int | float) or not low < value < high:
        raise OptionError(f"{name}={value!r} must lie between {low:g} and {high:g}")


PRESETS: dict[str, Settings] = {"killey2023": Settings()}
"""Killey et al. (2023), RASTI 2, 548, doi:10.1093/rasti/rzad035, and the authors' script."""

DEFAULT_PRESET = "killey2023"
