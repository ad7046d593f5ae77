"""Zarr stores, local or behind an fsspec URL."""

from __future__ import annotations

from typing import Any

import xarray as xr

from xpad.errors import ReaderError, told_as, warn, warned_as
from xpad.readers.lazy import told
from xpad.readers.paths import is_url
from xpad.roles.ours import any_unfinished
from xpad.storage.urls import lacking


def open_zarr(path: str) -> xr.Dataset:
    """Open the root of a Zarr store.

    Parameters
    ----------
    path : str
        A folder or an fsspec URL.

    Returns
    -------
    xarray.Dataset
        Lazily indexed; the chunks of the store are the preferred ones.

    Raises
    ------
    ReaderError
        If the store cannot be read, or has no variables at its root (a saved model).
    """
    needed = lacking(path) if is_url(path) else None
    if needed is not None:
        raise ReaderError(f"{path} cannot be opened: {needed}.")
    options: dict[str, Any] = {"chunks": None, "cache": False, "decode_timedelta": False}
    with warned_as(path), told_as(path, lambda error: _unreadable(path, error)):
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
    return told(dataset, path)


def _unreadable(path: str, error: Exception) -> ReaderError:
    return ReaderError(f"{path} cannot be read as a Zarr store: {type(error).__name__}: {error}.")
