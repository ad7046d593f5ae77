"""``xarray.open_dataset(path, engine="xpad")``."""

from __future__ import annotations

import os
from collections.abc import Collection, Iterable
from pathlib import Path
from typing import Any

import xarray as xr
from xarray.backends import BackendEntrypoint

from xpad.errors import ReaderError


class XpadBackend(BackendEntrypoint):
    """Opens CDF files and das2 streams for xarray.

    Examples
    --------
    >>> import xarray as xr
    >>> xr.open_dataset("day.cdf", engine="xpad", chunks={})  # doctest: +SKIP
    """

    description = "Space-physics CDF files and das2 streams, lazily, with xpad"
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
        from xpad.readers import open_lazily

        if not isinstance(filename_or_obj, str | os.PathLike | list | tuple):
            raise ReaderError(
                f"engine='xpad' opens files by their path, not {type(filename_or_obj).__name__}."
            )
        dropped = [drop_variables] if isinstance(drop_variables, str) else drop_variables or []
        dataset, _ = open_lazily(
            filename_or_obj, variable, on_error=on_error, drop_variables=list(dropped)
        )
        return dataset

    def guess_can_open(self, filename_or_obj: Any) -> bool:
        """Return whether the file is a CDF file or a das2 stream, by name and content."""
        from xpad.readers.sources import detect

        if not isinstance(filename_or_obj, str | os.PathLike):
            return False
        path = Path(filename_or_obj)
        wanted = {".cdf": "cdf", ".d2s": "das2"}.get(path.suffix.lower())
        if wanted is None or not path.is_file():
            return False
        try:
            return detect(str(path)) == wanted
        except ReaderError:
            return False
