"""Files of missions as raw Datasets: one module for each source.

Everything that a reader returns can be written with ``to_zarr`` and ``to_netcdf`` as it is.
"""

import os
from collections.abc import Collection, Iterable, Mapping
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import xarray as xr

__all__ = ["from_tplot", "open_dataset", "open_lazily", "to_tplot"]

Path = str | os.PathLike[str]


def open_dataset(
    path: Path | Iterable[Path],
    variable: str | Collection[str] | None = None,
    *,
    chunks: str | int | Mapping[Any, Any] | None = "auto",
    on_error: str = "raise",
    engine: str | None = None,
) -> "xr.Dataset":
    """Open files of a space mission as one raw Dataset, lazily.

    Parameters
    ----------
    path : str, path, or several
        CDF files, das2 streams (``.d2s``), netCDF files (also with groups), or Zarr stores (also
        fsspec URLs); a file, a pattern such as ``"rbspb_*.cdf"``, or a list. The format is told
        by the content. Many files of one product become one Dataset: put in the order of their
        first times, their records joined as they stand.
    variable : str or several, optional
        Keep these variables, their axes, and what else lies on the same records without an axis of
        its own (L, MLT, position…). Default: all. Asking for a variable makes it an error if one
        of the files lacks it.
    chunks : "auto", int, dict or None
        "auto": dask arrays, chunked along the records (about a file, 4 to 128 MiB for the largest
        variable, all of one length so that Zarr takes them); None: no dask, read when first
        needed; otherwise as in `xarray.Dataset.chunk`.
    on_error : {"raise", "skip"}
        With "skip", CDF files and das2 streams that cannot be read are left out with an
        `XpadWarning` and listed in ``attrs["xpad_skipped"]``.
    engine : {"cdf", "das2", "netcdf", "zarr"}, optional
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
    from xpad.errors import OptionError
    from xpad.readers.lazy import chunked

    if isinstance(chunks, str) and chunks != "auto":
        raise OptionError(f"chunks={chunks!r} is not possible; use 'auto', None, an int or a dict.")
    dataset, tokens = open_lazily(path, variable, on_error=on_error, engine=engine)
    return chunked(dataset, chunks, tokens)


def open_lazily(
    path: Path | Iterable[Path],
    variable: str | Collection[str] | None = None,
    *,
    on_error: str = "raise",
    engine: str | None = None,
    drop_variables: Collection[str] = (),
) -> tuple["xr.Dataset", dict[Any, str]]:
    """Open files as `open_dataset` does, before any chunking.

    Returns
    -------
    xarray.Dataset
        Lazily indexed; the length of a chunk is in ``encoding["preferred_chunks"]``.
    dict
        Variable to a text that identifies its content, as far as file names, sizes and times of
        change can.

    Raises
    ------
    ReaderError, OptionError
        As `open_dataset`.
    """
    from xpad.errors import OptionError, ReaderError
    from xpad.readers.sources import detect, resolve

    if on_error not in ("raise", "skip"):
        raise OptionError(f"on_error={on_error!r} is not possible; use 'raise' or 'skip'.")
    paths = resolve(path)
    formats: dict[str, str] = {}
    unknown: dict[str, str] = {}
    for one in paths:
        try:
            formats.setdefault(detect(one, engine), one)
        except ReaderError as error:
            if on_error == "raise" or len(paths) == 1:
                raise
            unknown[one] = str(error)
    if not formats:
        raise ReaderError(f"None of the {len(paths)} files can be read. {unknown[paths[0]]}")
    if len(formats) > 1:
        found = ", ".join(f"{name} ({example})" for name, example in formats.items())
        raise ReaderError(f"The files are of several formats: {found}. Open each by itself.")
    dataset = _read(next(iter(formats)), paths, variable, on_error, drop_variables)
    return dataset, _tokens(dataset, paths)


def from_tplot(names: str | Iterable[str]) -> "xr.Dataset":
    """Return tplot variables of pyspedas as a raw Dataset; see `xpad.readers.tplot.from_tplot`."""
    from xpad.readers import tplot

    return tplot.from_tplot(names)


def to_tplot(out: "xr.Dataset", prefix: str = "pad") -> list[str]:
    """Store results as tplot variables; see `xpad.readers.tplot.to_tplot`."""
    from xpad.readers import tplot

    return tplot.to_tplot(out, prefix)


def _read(
    name: str,
    paths: list[str],
    variable: str | Collection[str] | None,
    on_error: str,
    dropped: Collection[str],
) -> "xr.Dataset":
    if name == "cdf":
        from xpad.readers.cdf.read import read_cdf

        return read_cdf(paths, variable, on_error=on_error, drop_variables=dropped)
    if name == "das2":
        from xpad.readers.das2.read import read_das2

        return read_das2(paths, variable, on_error=on_error).drop_vars(dropped, errors="ignore")
    if name == "netcdf":
        from xpad.readers.netcdf import read_netcdf

        return read_netcdf(paths, variable).drop_vars(dropped, errors="ignore")
    from xpad.readers.zarr import read_zarr

    return read_zarr(paths, variable).drop_vars(dropped, errors="ignore")


def _tokens(dataset: "xr.Dataset", paths: list[str]) -> dict[Any, str]:
    from dask.base import tokenize

    def stamp(path: str) -> tuple[str, int, int]:
        if not os.path.isfile(path):
            return path, 0, 0
        found = os.stat(path)
        return os.path.abspath(path), found.st_size, found.st_mtime_ns

    files = tokenize([stamp(path) for path in paths])
    return {
        name: tokenize(files, name, item.shape, str(item.dtype))
        for name, item in dataset.variables.items()
        if item.chunks is None and not item._in_memory
    }
