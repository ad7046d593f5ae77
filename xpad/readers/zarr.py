"""Zarr stores, local or behind an fsspec URL."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from typing import Any

import xarray as xr

from xpad.errors import ReaderError, told_as, warn
from xpad.readers.joining import read_each
from xpad.readers.paths import is_url
from xpad.roles.ours import any_unfinished
from xpad.storage.urls import lacking


def read_zarr(
    paths: Sequence[str],
    variable: str | Collection[str] | None = None,
    *,
    on_error: str = "raise",
    drop_variables: Collection[str] = (),
) -> xr.Dataset:
    """Open the root of Zarr stores.

    Parameters
    ----------
    paths : sequence of str
        Folders or fsspec URLs. Several are joined along their records.
    variable : str or several, optional
        Keep these and the variables of the same records that have no further dimension.
    on_error : {"raise", "skip"}
        As for `xpad.open_dataset`.
    drop_variables : collection of str
        Variables to leave out.

    Returns
    -------
    xarray.Dataset
        Lazily indexed; the chunks of the store are the preferred ones.

    Raises
    ------
    ReaderError
        If a store cannot be read, or has no variables at its root (a saved model).
    """
    return read_each(_open_one, paths, variable, on_error=on_error, drop_variables=drop_variables)


def _open_one(path: str) -> xr.Dataset:
    needed = lacking(path) if is_url(path) else None
    if needed is not None:
        raise ReaderError(f"{path} cannot be opened: {needed}.")
    options: dict[str, Any] = {"chunks": None, "cache": False, "decode_timedelta": False}
    with told_as(path, lambda error: _unreadable(path, error)):
        try:
            dataset = xr.open_dataset(path, engine="zarr", consolidated=True, **options)
        except (ValueError, KeyError):  # it has no consolidated metadata
            dataset = xr.open_dataset(path, engine="zarr", consolidated=False, **options)
    if not dataset.variables:
        raise ReaderError(
            f"{path} holds no variables at its root. If it is a saved model, open it with "
            f"xpad.load_model({path!r})."
        )
    if any_unfinished(dataset.attrs):
        warn(
            f"{path} is unfinished: its labels are still being written, or the run that wrote them "
            "was cut off; the same call again goes on from there. Records not yet written have "
            "label -1."
        )
    return dataset


def _unreadable(path: str, error: Exception) -> ReaderError:
    return ReaderError(f"{path} cannot be read as a Zarr store: {type(error).__name__}: {error}.")
