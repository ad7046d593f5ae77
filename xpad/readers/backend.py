"""``xarray.open_dataset(path, engine="xpad")``."""

from __future__ import annotations

import os
from collections.abc import Collection, Iterable
from typing import Any

import xarray as xr
from xarray.backends import BackendEntrypoint

from xpad.errors import ReaderError
from xpad.readers.opening import source_of
from xpad.readers.paths import resolve
from xpad.readers.sources import SOURCES, detect, promised

_CLAIMED = ", ".join(source.title for source in SOURCES.values() if source.is_claimed)


class XpadBackend(BackendEntrypoint):
    """Opens files of every format in `SOURCES` for xarray, some without being named.

    Examples
    --------
    >>> import xarray as xr
    >>> xr.open_dataset("day.cdf", engine="xpad", chunks={})  # doctest: +SKIP
    """

    description = f"Files of space missions ({_CLAIMED}), lazily, with xpad"
    open_dataset_parameters = ("filename_or_obj", "drop_variables", "variable", "on_error")

    def open_dataset(
        self,
        filename_or_obj: Any,
        *,
        drop_variables: str | Iterable[str] | None = None,
        variable: str | Collection[str] | None = None,
        on_error: str = "raise",
    ) -> xr.Dataset:
        """Return one file, or all that a pattern matches, as a lazily indexed Dataset.

        Parameters
        ----------
        filename_or_obj : str or path
            A file or a pattern.
        drop_variables : str or several, optional
            Variables to leave out.
        variable, on_error
            As for `xpad.open_dataset`.

        Returns
        -------
        xarray.Dataset
        """
        if not isinstance(filename_or_obj, str | os.PathLike | list | tuple):
            raise ReaderError(
                f"engine='xpad' opens files by their path, not {type(filename_or_obj).__name__}."
            )
        dropped = [drop_variables] if isinstance(drop_variables, str) else drop_variables or []
        paths = resolve(filename_or_obj)
        source = source_of(paths, on_error)
        return source.opened(paths, variable, on_error=on_error, drop_variables=list(dropped))

    def guess_can_open(self, filename_or_obj: Any) -> bool:
        """Return whether this is a file, by name and content, that xarray leaves to xpad."""
        if not isinstance(filename_or_obj, str | os.PathLike):
            return False
        path = os.fspath(filename_or_obj)
        name = promised(path)
        if name is None or not SOURCES[name].is_claimed or not os.path.isfile(path):
            return False
        try:
            return detect(path) == name
        except ReaderError:
            return False
