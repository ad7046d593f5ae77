"""What a fit may use: memory, a place for what does not fit, a checkpoint, a worker to train on."""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from functools import cache
from typing import Annotated, Any, TypedDict

from xpad.compute.memory import budget
from xpad.compute.workers import require_worker
from xpad.errors import OptionError
from xpad.settings import Options, Setting, entries, require_known, table
from xpad.storage.checkpoint import Checkpoint
from xpad.storage.scratch import Scratch, storage, temporary

RESOURCES = "resources (they do not change the result)"


class Resources(TypedDict, total=False):
    """What a fit may use, as keyword arguments; none of it changes the result.

    Annotated as the settings are: section, text.
    """

    # fmt: off
    memory: Annotated[
        str | int | None, RESOURCES,
        'For the training and validation records and the components, such as "2GiB"; by default '
        "a quarter of what the machine, the dask worker or the container has.",
    ]
    scratch: Annotated[
        str | None, RESOURCES,
        "A path or fsspec URL where what does not fit is written, and removed at the end; all "
        "workers must reach it. By default the system's temporary folder.",
    ]
    checkpoint: Annotated[
        str | None, RESOURCES,
        "A path or URL. A fit that was killed goes on from its last epoch when it is called again "
        "with the same arguments. What is written to a store has its own beside it.",
    ]
    training_worker: Annotated[
        str | None, RESOURCES,
        "Address or name of the dask worker that trains, instead of this process.",
    ]
    storage_options: Annotated[
        Mapping[str, Any] | None, RESOURCES,
        "fsspec's options, where a store or a folder is a URL.",
    ]
    # fmt: on


class FitOptions(Options, Resources, total=False):
    """The settings of the method, and what a fit may use."""


@cache
def resources() -> dict[str, Setting]:
    """What a fit may use, by name, with its text."""
    return entries(Resources)


FIT_OPTIONS = (*table().values(), *resources().values())
"""What ``**options`` of a fit takes; its docstring lists them."""


_ARGUMENTS = (
    "variable",
    "preset",
    "settings",
    "progress",
    "prefix",
    "return_model",
    "overwrite",
    "keep_flux",
)
"""Of the functions that fit, beside these: what a misspelt option may have meant."""


def separated(options: Mapping[str, Any]) -> tuple[dict[str, Any], dict[str, Any]]:
    """The settings of the method among keyword arguments, and the resources."""
    known = Resources.__annotations__
    settings = {name: value for name, value in options.items() if name not in known}
    require_known(settings, [*known, *_ARGUMENTS])
    return settings, {name: value for name, value in options.items() if name in known}


def require_resources(resources: Mapping[str, Any]) -> None:
    """Refuse resources that cannot be had, before anything is begun with them.

    Raises
    ------
    OptionError
        An amount of memory that is none, a scratch folder that cannot be written or that workers
        do not see, a checkpoint that is another's folder, a worker that is not there.
    """
    for name in ("scratch", "checkpoint"):
        if not isinstance(resources.get(name), (str, os.PathLike, type(None))):
            raise OptionError(f"{name}={resources[name]!r} is neither a path nor a URL")
        if resources.get(name) is not None and not str(resources[name]).strip():
            raise OptionError(f"{name}={resources[name]!r} is an empty name; give a path or a URL")
    options = storage(resources.get("storage_options"))
    budget(resources.get("memory"))
    require_worker(resources.get("training_worker"))
    _checkpoint(resources).require_ours()
    if resources.get("scratch") is not None:
        with temporary(resources["scratch"], options):
            pass


def _checkpoint(resources: Mapping[str, Any]) -> Checkpoint:
    place, options = resources.get("checkpoint"), storage(resources.get("storage_options"))
    return Checkpoint(None if place is None else Scratch(str(place), options))


@dataclass
class Workspace:
    """What a fit may use.

    Attributes
    ----------
    memory : int
        Bytes for samples and components.
    training_worker : str or None
    checkpoint : Checkpoint
    """

    memory: int
    training_worker: str | None = None
    checkpoint: Checkpoint = field(default_factory=Checkpoint)
    _place: str | None = None
    _options: dict[str, Any] = field(default_factory=dict)
    _stack: ExitStack = field(default_factory=ExitStack)
    _scratch: Scratch | None = None

    def scratch_unless(self, fits: bool) -> Scratch | None:
        """A folder for what does not fit in memory; None where it does."""
        if fits:
            return None
        if self._scratch is None:
            self._scratch = self._stack.enter_context(temporary(self._place, self._options))
        return self._scratch


@contextmanager
def workspace(
    *,
    memory: str | int | None = None,
    scratch: str | None = None,
    checkpoint: str | None = None,
    training_worker: str | None = None,
    storage_options: Mapping[str, Any] | None = None,
) -> Iterator[Workspace]:
    """What a fit may use; its scratch folder is removed at the end."""
    given = {
        "memory": memory, "scratch": scratch, "checkpoint": checkpoint,
        "training_worker": training_worker, "storage_options": storage_options,
    }  # fmt: skip
    require_resources(given)
    with ExitStack() as stack:
        yield Workspace(
            budget(memory),
            training_worker,
            _checkpoint(given),
            None if scratch is None else str(scratch),
            storage(storage_options),
            stack,
        )
