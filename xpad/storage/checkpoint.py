"""What a killed fit goes on from: the state of its training, and what the training led to."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from xpad.errors import OptionError, told_as
from xpad.storage.scratch import PART, Scratch

Arrays = dict[str, NDArray[Any]]

CONFIGURATION = "configuration.npy"
TRAINING = "training.npz"
TRAINED = "trained.npz"

NAMES = (TRAINING, TRAINED, CONFIGURATION)
"""All that a checkpoint writes; deleted in this order, so that what is left is still known for ours."""


@dataclass(frozen=True)
class Checkpoint:
    """A folder that remembers how far a fit has come; without a place, it remembers nothing."""

    place: Scratch | None = None

    def require_ours(self) -> None:
        """Refuse a folder with files that no checkpoint wrote, before anything is done in it.

        Raises
        ------
        OptionError
            Names one of them.
        """
        if self.place is None or self.place.has(CONFIGURATION):
            return
        theirs = [name for name in self.place.others(()) if not name.endswith(PART)]
        if theirs:
            raise OptionError(
                f"checkpoint={self.place.url!r} is a folder with {theirs[0]!r} in it and not what a fit "
                "left; give the name of a new one"
            )

    def require_same(self, configuration: Mapping[str, Any]) -> None:
        """Refuse a folder that another configuration wrote to, and mark a new one.

        Raises
        ------
        OptionError
            Names the differences, or what is damaged, not ours, or cannot be written.
        """
        if self.place is None:
            return
        self.require_ours()
        if self.place.has(CONFIGURATION):
            with told_as(self.place.url, self._damaged):
                found = dict(from_json(self.place.get(CONFIGURATION)))
            require_equal(found, configuration, self.place.url)
        else:
            with told_as(self.place.url, self._unwritable):
                self.place.put(CONFIGURATION, as_json(configuration))

    def load(self, name: str) -> Arrays | None:
        """What was saved under a name, if anything was.

        Raises
        ------
        OptionError
            It is damaged.
        """
        if self.place is None or not self.place.has(name):
            return None
        with told_as(self.place.url, self._damaged):
            return self.place.get_all(name)

    def save(self, name: str, arrays: Arrays) -> None:
        """Save arrays under a name, in place of what was there."""
        if self.place is not None:
            self.place.put_all(name, arrays)

    def save_training(self, arrays: Arrays) -> None:
        """Save the state of the training."""
        self.save(TRAINING, arrays)

    def remove(self) -> None:
        """Forget everything: the fit has come to its end. What is not ours stays."""
        if self.place is not None:
            self.place.remove_only(NAMES)

    def _damaged(self, err: Exception) -> OptionError:
        assert self.place is not None
        return OptionError(
            f"checkpoint={self.place.url!r} is damaged ({err}); delete it, and begin anew"
        )

    def _unwritable(self, err: Exception) -> OptionError:
        assert self.place is not None
        return OptionError(f"checkpoint={self.place.url!r}: nothing can be written there ({err})")


def require_equal(found: Mapping[str, Any], wanted: Mapping[str, Any], place: str) -> None:
    """Refuse to go on with what another configuration began.

    Raises
    ------
    OptionError
        Names the first differences.
    """
    wanted = json.loads(json.dumps(wanted))
    before, now = _flat(found), _flat(wanted)
    names = [n for n in dict.fromkeys([*before, *now]) if before.get(n) != now.get(n)]
    if names:
        told = "; ".join(f"{n} was {before.get(n)!r} and is {now.get(n)!r}" for n in names[:3])
        more = f"; and {len(names) - 3} more" if len(names) > 3 else ""
        raise OptionError(
            f"{place} was begun with another configuration ({told}{more}). Give the same again to go "
            "on, another name, or overwrite=True (--overwrite) to begin anew"
        )


def _flat(values: Mapping[str, Any], before: str = "") -> dict[str, Any]:
    found: dict[str, Any] = {}
    for name, value in values.items():
        if isinstance(value, Mapping):
            found |= _flat(value, f"{before}{name}.")
        else:
            found[f"{before}{name}"] = value
    return found


def as_json(values: Any) -> NDArray[np.uint8]:
    """Plain values as an array of bytes."""
    return np.frombuffer(json.dumps(values).encode(), dtype=np.uint8)


def from_json(array: NDArray[Any]) -> Any:
    """The inverse of `as_json`."""
    return json.loads(array.tobytes())
