"""The folder beside a store that is being written, which remembers how far the run is."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np

from xpad.errors import ModelStoreError, OptionError
from xpad.model.model import Model
from xpad.model.saved import load_model_at, save_model_at
from xpad.roles.ours import is_unfinished, run
from xpad.statistics.sums import Tally
from xpad.storage.checkpoint import TRAINED, TRAINING, as_json, from_json, require_equal
from xpad.storage.place import UNFINISHED, Place
from xpad.storage.scratch import Scratch, require_shared
from xpad.writing.regions import Layout

FORMAT = 2
"""Of what lies in the folder: a run is not gone on with that left another."""

CONFIGURATION = "configuration.npy"
FIT = "fit"
MODEL, FITTED = "model.zarr", "fitted.npy"
LAYOUT = "skeleton.npy"
REGIONS = "regions"

NAMES = (CONFIGURATION, FIT, MODEL, FITTED, LAYOUT, REGIONS)
"""All that lies in the folder; deleted in this order: what is left says nothing without the first."""


@dataclass(frozen=True)
class Unfinished:
    """A run that writes a store, as far as it is.

    The folder holds the configuration that the run was begun with, the checkpoint of its fit, then
    the fitted model, how the store is cut once it stands, and of each finished region the sums that
    the catalogue is made of.

    Attributes
    ----------
    place : Place
        Of the store.
    """

    place: Place

    @property
    def folder(self) -> Scratch:
        """The folder itself."""
        return self.place.beside(UNFINISHED)

    def remove(self) -> None:
        """Forget the run: it has come to its end, or to nothing. What is not ours stays."""
        self.folder.remove_only(NAMES)

    # ----------------------------------------------------------------------------------- the model

    @property
    def fit(self) -> Scratch:
        """The checkpoint of the fit."""
        return self.folder.below(FIT)

    @contextmanager
    def forgotten_where_a_fit_comes_to_nothing(self) -> Iterator[None]:
        """Leave nothing behind where a fit fails before there is anything to go on from."""
        try:
            yield
        except BaseException:
            worth_it = {f"{FIT}/{TRAINING}", f"{FIT}/{TRAINED}"}
            if worth_it.isdisjoint(self.folder.names(FIT)):
                self.remove()
            raise

    def keep_model(self, model: Model) -> None:
        """Remember the fitted model, and forget how far the fit was."""
        if not self.folder.has(FITTED):
            self._model.remove()
            save_model_at(model, self._model)
            self.folder.put(FITTED, np.zeros(0))
            self.folder.remove(FIT)

    def model(self) -> Model | None:
        """The fitted model, if the run has come so far."""
        if not self.folder.has(FITTED):
            return None
        try:
            return load_model_at(self._model)
        except ModelStoreError as err:
            raise self._damaged("holds the fitted model of {}", err) from err

    @property
    def _model(self) -> Place:
        return Place(self.folder.below(MODEL).url, self.place.options)

    # ----------------------------------------------------------------------------------- the store

    def keep_layout(self, layout: Layout) -> None:
        """Remember that the store stands, without its regions, and how it is cut."""
        self.folder.put(LAYOUT, as_json(asdict(layout)))

    def layout(self) -> Layout | None:
        """How the store is cut, if the run has come so far."""
        return Layout(**self._stated(LAYOUT)) if self.folder.has(LAYOUT) else None

    def keep_region(self, number: int, sums: Tally) -> None:
        """Remember that a region is written, and its sums."""
        self.folder.put_all(f"{REGIONS}/{number:06d}.npz", sums.arrays())

    def missing(self, layout: Layout) -> list[tuple[int, slice]]:
        """The regions that are not yet written, by their numbers."""
        done = set(self.folder.names(REGIONS))
        every = enumerate(layout.regions())
        return [(n, at) for n, at in every if f"{REGIONS}/{n:06d}.npz" not in done]

    def sums(self) -> Iterator[Tally]:
        """The sums of each region that is written."""
        stored = (self.folder.get_all(name) for name in self.folder.names(REGIONS))
        return map(Tally.of_arrays, stored)

    def forget_regions(self) -> None:
        """Take no region for written."""
        self.folder.remove(REGIONS)

    # ------------------------------------------------------------------------------- configuration

    def begin(self, stated: Mapping[str, Any]) -> None:
        """Make the folder.

        Raises
        ------
        OptionError
            Something else lies there, nothing can be written there, or a worker of the cluster does
            not see it.
        """
        theirs = [] if self.is_there else self.folder.others(NAMES)
        if theirs:
            raise OptionError(
                f"the folder {self.folder.url}, which a run needs to itself, has {theirs[0]!r} in it, "
                "which is not xpad's; give the store another name, or the folder"
            )
        self.remove()
        try:
            self.folder.put(CONFIGURATION, as_json({**stated, "format": FORMAT}))
        except OSError as err:
            raise OptionError(f"{self.place.url} cannot be written: {err}") from err
        try:
            self._require_shared()
        except OptionError:
            self.remove()
            raise

    def go_on(self, stated: Mapping[str, Any]) -> None:
        """Go on with what is there.

        Raises
        ------
        OptionError
            Another configuration began it, or it is damaged, or a worker does not see it.
        """
        found = self._stated(CONFIGURATION)
        require_equal(found, {**stated, "format": FORMAT}, self.place.url)
        self._require_shared()

    @property
    def is_there(self) -> bool:
        """Whether a run was begun."""
        return self.folder.has(CONFIGURATION)

    def _require_shared(self) -> None:
        """The workers of a cluster must reach the store: they write parts of it, and read it."""
        require_shared(
            self.folder, CONFIGURATION,
            f"does not see {self.place.url}, which the client writes to; give a path or URL that all "
            "workers reach",
        )  # fmt: skip

    def _stated(self, name: str) -> dict[str, Any]:
        try:
            return from_json(self.folder.get(name))
        except (EOFError, ValueError) as err:
            raise self._damaged("says how far {} is", err) from err

    def _damaged(self, does: str, err: Exception) -> OptionError:
        return OptionError(
            f"{self.folder.url}, which {does.format(self.place.url)}, is damaged ({err}); delete it "
            "and the store, and begin anew"
        )


def digest(stated: Mapping[str, Any]) -> str:
    """What a finished store keeps of the configuration that made it."""
    return hashlib.sha256(json.dumps(stated, sort_keys=True).encode()).hexdigest()


def is_finished(place: Place, prefix: str, stated: Mapping[str, Any]) -> bool:
    """Whether a store stands there that this configuration made, and to its end."""
    place.require_reached()
    attrs = place.attributes()
    return attrs.get(run(prefix)) == digest(stated) and not is_unfinished(attrs, prefix)


@contextmanager
def begun(place: Place, stated: Mapping[str, Any], *, overwrite: bool) -> Iterator[Unfinished]:
    """Begin a store, or go on with one that the same configuration began; nobody else writes it.

    Raises
    ------
    OptionError
        What stands there is complete, of another configuration or no output of xpad; or another
        run is writing it.
    """
    found = Unfinished(place)
    with place.alone():
        place.require_reached()
        if found.is_there and not overwrite:
            found.go_on(stated)
        else:
            place.require_free(overwrite=overwrite)
            found.begin(stated)
        yield found
