"""Zarr stores, local or behind an fsspec URL."""

from collections.abc import Collection, Sequence
from typing import Any

import xarray as xr

from xpad.attributes import storable
from xpad.errors import ReaderError
from xpad.readers.netcdf import join, select
from xpad.readers.notice import notice

__all__ = ["read_zarr"]

AT_ONCE = 2**18
"""Records of a variable without further dimensions that are read at once, where its chunks are
shorter: every read takes its millisecond, whatever its length."""


def read_zarr(paths: Sequence[str], variable: str | Collection[str] | None = None) -> xr.Dataset:
    """Open the root of Zarr stores.

    Parameters
    ----------
    paths : sequence of str
        Folders or fsspec URLs. Several are joined along their records.
    variable : str or several, optional
        Keep these and the variables of the same records that have no further dimension.

    Returns
    -------
    xarray.Dataset
        Lazily indexed; the chunks of the store are the preferred ones, or several of them where a
        variable has no further dimension.

    Raises
    ------
    ReaderError
        If a store cannot be read, or has no variables at its root (a saved model).
    """
    dataset = join([_open_one(path) for path in paths], paths)
    dataset = storable(select(dataset, variable, paths[0]))
    for one in dataset.variables.values():
        _prefer_longer_chunks(one)
    return dataset


def _prefer_longer_chunks(variable: xr.Variable) -> None:
    preferred = variable.encoding.get("preferred_chunks", {})
    if len(preferred) == variable.ndim == 1:
        (dim, length), *_ = preferred.items()
        variable.encoding["preferred_chunks"] = {dim: length * max(AT_ONCE // max(length, 1), 1)}


def _open_one(path: str) -> xr.Dataset:
    options: dict[str, Any] = {"chunks": None, "cache": False, "decode_timedelta": False}
    try:
        try:
            dataset = xr.open_dataset(path, engine="zarr", consolidated=True, **options)
        except (ValueError, KeyError):  # it has no consolidated metadata
            dataset = xr.open_dataset(path, engine="zarr", consolidated=False, **options)
    except Exception as error:
        raise ReaderError(
            f"{path} cannot be read as a Zarr store: {type(error).__name__}: {error}."
        ) from error
    if not dataset.variables:
        raise ReaderError(
            f"{path} holds no variables at its root. If it is a saved model, open it with "
            f"xpad.load_model({path!r})."
        )
    if any(str(name).endswith("_unfinished") for name in dataset.attrs):
        notice(
            f"{path} is unfinished: its labels are still being written, or the run that wrote them "
            "was cut off; the same call again goes on from there. Records not yet written have "
            "label -1."
        )
    return dataset
