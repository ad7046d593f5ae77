"""Files opened as one raw Dataset, whatever their format."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from typing import Any

import xarray as xr

from xpad.errors import OptionError, ReaderError
from xpad.readers.paths import PathLike, resolve
from xpad.readers.skipping import Skipping
from xpad.readers.sources import SOURCES, Source, detect
from xpad.settings.entry import says


@says(engines=", ".join(map(repr, SOURCES)))
def open_dataset(
    path: PathLike | Iterable[PathLike],
    variable: str | Collection[str] | None = None,
    *,
    chunks: str | int | Mapping[Any, Any] | None = "auto",
    on_error: str = "raise",
    engine: str | None = None,
) -> xr.Dataset:
    """Open files of a space mission as one raw Dataset, lazily.

    Parameters
    ----------
    path : str, path, or several
        CDF files, das2 streams (``.d2s``), CEF files (``.cef``, ``.cef.gz``), netCDF files (also
        with groups), or Zarr stores (also fsspec URLs); a file, a pattern such as
        ``"rbspb_*.cdf"``, or a list. The format is told by the content. Many files
        of one product become one Dataset: put in the order of their first times, their records
        joined as they stand.
    variable : str or several, optional
        Keep these variables, their axes, and what else lies on the same records without an axis of
        its own (L, MLT, position…). Default: all. Asking for a variable makes it an error if one
        of the files lacks it.
    chunks : "auto", int, dict or None
        "auto": dask arrays, chunked along the records (about a file, 4 to 128 MiB for the largest
        variable, all of one length so that Zarr takes them); None: no dask, read when first
        needed; otherwise as in `xarray.Dataset.chunk`.
    on_error : {"raise", "skip"}
        With "skip", files that cannot be read are left out with an `XpadWarning` and listed in
        ``attrs["xpad_skipped"]``.
    engine : {<engines>}, optional
        Read as this format, whatever the content looks like.

    Returns
    -------
    xarray.Dataset
        Raw, as ``cdflib.xarray.cdf_to_xarray`` has it: values and fill values as stored, record
        dimension called after DEPEND_0 with datetime64[ns], attributes of the file plus CF's
        ``units`` and ``long_name``, all of them storable. Only headers, times and axes have been
        read. ``encoding["source"]`` has the path, or a list of them.

    Raises
    ------
    ReaderError
        If nothing is found, or a file cannot be read; the file is named. Damage to the records of
        a file shows when they are read.
    OptionError
        If an argument has a value that it cannot take.

    Warns
    -----
    XpadWarning
        Of files and variables left out, of times that are unsorted, duplicate or missing, and of
        CDF files that are compressed as a whole: each is decompressed into a temporary folder,
        once a process, where the copies take up to 2 GiB until the process ends.

    Examples
    --------
    >>> ds = xpad.open_dataset("rbspb_rel03_ect-rept-sci-l3_2013*.cdf")  # doctest: +SKIP
    >>> ds["FEDU"].dims  # doctest: +SKIP
    ('Epoch', 'FEDU_Alpha', 'FEDU_Energy')
    """
    from xpad.readers.lazy import chunked, tokens

    if isinstance(chunks, str) and chunks != "auto":
        raise OptionError(f"chunks={chunks!r} is not possible; use 'auto', None, an int or a dict.")
    paths = resolve(path)
    source = source_of(paths, on_error, engine)
    dataset = source.opened(paths, variable, on_error=on_error)
    return chunked(dataset, chunks, tokens(dataset, paths))


def source_of(paths: Sequence[str], on_error: str = "raise", engine: str | None = None) -> Source:
    """Return the one format of all files.

    Parameters
    ----------
    paths : sequence of str
    on_error : {"raise", "skip"}
        With "skip", files that are of none do not matter; those who read the rest will name them.
    engine : str, optional
        A key of `SOURCES`.

    Returns
    -------
    Source

    Raises
    ------
    ReaderError
        If they are of several formats, or of none.
    OptionError
        If an argument has a value that it cannot take.
    """
    skipping = Skipping(paths, on_error)
    formats: dict[str, str] = {}
    for path in paths:
        with skipping.tolerate(path):
            formats.setdefault(detect(path, engine), path)
    skipping.require_some()
    if len(formats) > 1:
        found = ", ".join(f"{name} ({example})" for name, example in formats.items())
        raise ReaderError(f"The files are of several formats: {found}. Open each by itself.")
    return SOURCES[next(iter(formats))]
