"""Files that cannot be read: an error, or left out and named."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager

import xarray as xr

from xpad.errors import OptionError, ReaderError, warn


class Skipping:
    """What to do about those of many files that cannot be read.

    Parameters
    ----------
    paths : sequence of str
    on_error : {"raise", "skip"}
        Stop at the first one, or leave them out, say so at the end, and list them in the attribute
        ``xpad_skipped``. At least one must remain.

    Raises
    ------
    OptionError
        If `on_error` is neither.

    Examples
    --------
    >>> skipping = Skipping(["a.cdf", "b.cdf"], "skip")
    >>> with skipping.tolerate("a.cdf"):
    ...     raise ReaderError("a.cdf is empty (0 bytes).")
    >>> list(skipping.faults)
    ['a.cdf']
    """

    def __init__(self, paths: Sequence[str], on_error: str) -> None:
        if on_error not in ("raise", "skip"):
            raise OptionError(f"on_error={on_error!r} is not possible; use 'raise' or 'skip'.")
        self.paths = paths
        self.on_error = on_error
        self.faults: dict[str, ReaderError] = {}

    @contextmanager
    def tolerate(self, path: str) -> Iterator[None]:
        """Note that a file cannot be read, if that shows in the block, and go on after it."""
        try:
            yield
        except ReaderError as error:
            if self.on_error == "raise":
                raise
            self.faults.setdefault(path, error)

    def require_some(self) -> None:
        """Refuse files of which none can be read.

        Raises
        ------
        ReaderError
            Names the first.
        """
        if len(self.faults) < len(set(self.paths)):
            return
        if len(self.faults) == 1:
            raise next(iter(self.faults.values()))
        raise ReaderError(
            f"None of the {len(self.paths)} files can be read; the first: {self._first()}"
        )

    def tell(self, dataset: xr.Dataset) -> None:
        """List in the attributes what was left out, with an `XpadWarning`."""
        if not self.faults:
            return
        dataset.attrs["xpad_skipped"] = list(self.faults)
        warn(
            f"{len(self.faults)} of {len(self.paths)} files could not be read and are left out (see "
            f"attrs['xpad_skipped']). The first: {self._first()}"
        )

    def _first(self) -> str:
        path, error = next(iter(self.faults.items()))
        return str(error) if str(error).startswith(path) else f"{path}: {error}"
