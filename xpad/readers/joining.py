"""Datasets of several files joined along their records."""

from __future__ import annotations

from collections.abc import Callable, Collection, Hashable, Sequence

import numpy as np
import xarray as xr

from xpad.compute.chunks import chunk_length
from xpad.errors import ReaderError, warn
from xpad.readers.lazy import chunked
from xpad.readers.skipping import Skipping
from xpad.readers.terms import Rule, Terms, differ, different, joint_attrs, rules
from xpad.storage.storable import storable


def read_each(
    open_one: Callable[[str], xr.Dataset],
    paths: Sequence[str],
    variable: str | Collection[str] | None,
    *,
    on_error: str,
    drop_variables: Collection[str],
) -> xr.Dataset:
    """Open files one by one, and join what they hold; the arguments are those of `sources.Read`."""
    skipping = Skipping(paths, on_error)
    opened: list[tuple[str, xr.Dataset]] = []
    for path in paths:
        with skipping.tolerate(path):
            opened.append((path, open_one(path)))
    skipping.require_some()
    dataset = join([one for _, one in opened], [path for path, _ in opened])
    dataset = select(dataset, variable, opened[0][0]).drop_vars(drop_variables, errors="ignore")
    skipping.tell(dataset)
    return storable(dataset)


def join(datasets: Sequence[xr.Dataset], paths: Sequence[str]) -> xr.Dataset:
    """Join Datasets along their records, in the order of their first times.

    Parameters
    ----------
    datasets : sequence of xarray.Dataset
    paths : sequence of str
        Where they come from.

    Returns
    -------
    xarray.Dataset
        With an empty encoding, so that it can be written with other chunks than it was read with.

    Raises
    ------
    ReaderError
        If they do not fit together.
    """
    dataset = datasets[0]
    if len(datasets) > 1:
        dim = next(iter(record_dimensions(dataset)), None)
        if dim is None or any(dim not in other.dims for other in datasets):
            raise ReaderError(
                f"{paths[0]} and {len(paths) - 1} more share no record dimension to be joined "
                f"along: open them one by one."
            )
        alike = in_terms_of_the_first(datasets, paths)
        lazy = [chunked(_without_encoding(one), "auto", {}) for one in alike]
        ordered = sorted(lazy, key=lambda one: one[dim].values[:1].tolist())
        try:
            dataset = xr.concat(
                ordered,
                dim=dim,
                data_vars="minimal",
                coords="minimal",
                compat="equals",
                join="exact",
                combine_attrs="override",
            )
        except ValueError as error:
            raise ReaderError(
                f"{paths[0]} and {len(paths) - 1} more cannot be joined along {dim!r}: {error}"
            ) from error
    dataset = _without_encoding(dataset)
    dataset.encoding["source"] = paths[0] if len(paths) == 1 else list(paths)
    return dataset


def in_terms_of_the_first(datasets: Sequence[xr.Dataset], paths: Sequence[str]) -> list[xr.Dataset]:
    """Datasets whose variables all have the fills, the ranges and the units of the first's."""
    changed: list[dict[Hashable, xr.Variable]] = [{} for _ in datasets]
    told: list[str] = []
    for name, variable in datasets[0].variables.items():
        holders = [n for n, one in enumerate(datasets) if name in one.variables]
        if variable.dtype.kind not in "fiu" or len(holders) < 2:
            continue
        every = [datasets[n].variables[name] for n in holders]
        found = rules(str(name), [Terms.of(v.attrs, v.encoding) for v in every],
                      [paths[n] for n in holders])  # fmt: skip
        attrs = joint_attrs(variable.attrs, found)
        for n, own, rule in zip(holders, every, found, strict=True):
            if rule is not None:
                changed[n][name] = _by_rule(own, rule, variable)
            if rule is not None or attrs != variable.attrs:
                changed[n].setdefault(name, own.copy(deep=False)).attrs = attrs
        if what := differ(found):
            told.append(f"{what} of {name!r}")
    if told:
        warn(different(told, len(paths), paths[0]))
    return [
        one.assign({n: v for n, v in new.items() if n not in one.coords}).assign_coords(
            {n: v for n, v in new.items() if n in one.coords}
        )
        for one, new in zip(datasets, changed, strict=True)
    ]


def _by_rule(variable: xr.Variable, rule: Rule, first: xr.Variable) -> xr.Variable:
    """A variable in other terms; an axis that is the first's but for rounding is the first's."""
    encoding = {k: v for k, v in variable.encoding.items() if k == "preferred_chunks"}
    if variable._in_memory:
        values = rule(variable.values)
        if first._in_memory and first.shape == values.shape and np.allclose(values, first.values):
            values = first.values
        return xr.Variable(variable.dims, values, variable.attrs, encoding)
    data = variable.chunk(encoding.get("preferred_chunks", {})).data
    kept = data.dtype if data.dtype.kind == "f" else np.float64
    return xr.Variable(variable.dims, data.map_blocks(rule, dtype=kept), variable.attrs, encoding)


def _without_encoding(dataset: xr.Dataset) -> xr.Dataset:
    """Drop what would bind a later writing to the chunks and codecs of this file."""
    # Not by drop_encoding, which loads the variables in xarray before 2025.12.
    out = dataset.copy()
    out.encoding = {}
    for item in out.variables.values():
        item.encoding = {}
    for dim in record_dimensions(dataset):
        records = dataset.sizes[dim]
        members = [item for item in dataset.variables.values() if dim in item.dims]
        largest = max(item.nbytes // max(records, 1) for item in members)
        for name, item in out.variables.items():
            if dim in item.dims:
                own = dataset.variables[name].encoding.get("preferred_chunks")
                length = chunk_length([records], largest)
                item.encoding["preferred_chunks"] = own or {dim: length}
    return out


def record_dimensions(dataset: xr.Dataset) -> list[Hashable]:
    """Return the dimensions of times, else the first dimension of the first variable."""
    found = [name for name, index in dataset.indexes.items() if index.dtype.kind == "M"]
    if not found and "time" in dataset.dims:
        found = ["time"]
    first = next((item.dims[0] for item in dataset.data_vars.values() if item.dims), None)
    return found or ([first] if first is not None else [])


def select(dataset: xr.Dataset, variable: str | Collection[str] | None, path: str) -> xr.Dataset:
    """Keep some variables, and those of the same records that have no further dimension."""
    if variable is None:
        return dataset
    asked = [variable] if isinstance(variable, str) else list(variable)
    for name in asked:
        if name not in dataset.variables:
            known = ", ".join(map(str, dataset.data_vars))
            raise ReaderError(f"{path} holds no variable {name!r}. It holds {known}.")
    records = {dim for name in asked for dim in dataset[name].dims[:1]}
    company = [
        name
        for name, other in dataset.data_vars.items()
        if other.dims and set(other.dims) <= records
    ]
    return dataset[list(dict.fromkeys([*asked, *company]))]
