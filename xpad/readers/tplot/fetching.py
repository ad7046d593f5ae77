"""A product by its name: pyspedas's loader and `from_tplot` in one."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Sequence
from importlib import import_module
from typing import Any

import xarray as xr

from xpad.errors import OptionError, ReaderError, XpadError, told_as
from xpad.readers.tplot import store
from xpad.readers.tplot.read import from_tplot
from xpad.roles.missions import Product, product

PROJECTS = "pyspedas.projects"


def fetch(name: str, *, trange: Sequence[str], **arguments: Any) -> xr.Dataset:
    """Load a product of the missions table with pyspedas, and return it as a raw Dataset.

    Parameters
    ----------
    name : str
        The product's id, as `xpad.missions` lists it: ``rbsp.rept``.
    trange : two str
        Times of begin and end, as pyspedas takes them.
    **arguments
        Whatever else the loader takes, ``probe="a"`` or ``no_update=True``; they go before those of the
        table's row.

    Returns
    -------
    xarray.Dataset
        As `xpad.from_tplot` gives it of all that the loader returned, and of the product's fluxes that
        it stored. The variables are in tplot's memory, too.

    Raises
    ------
    ImportError
        If pyspedas is not installed.
    OptionError
        If no such product is known, pyspedas has no loader for it, or the loader does not take the
        arguments.
    ReaderError
        If the loader found or loaded nothing.

    Examples
    --------
    >>> ds = xpad.fetch("rbsp.rept", trange=["2013-03-01", "2013-03-02"], probe="a")  # doctest: +SKIP
    """
    row = product(name)
    told = dict(row.loader)
    if not told:
        raise OptionError(
            f"pyspedas has no loader for {row.id!r} ({row.note or row.product}): open its files with "
            "xpad.open_dataset"
        )
    pyspedas = store.imported()
    before = dict(store.variables(pyspedas))
    loader = function(row, told.pop("function"))
    maker = function(row, then) if (then := told.pop("then", "")) else None
    given: dict[str, Any] = {**told, "trange": list(trange), **arguments}
    own = _taken(loader, given)
    unknown = [
        a for a in arguments if a not in own and (maker is None or a not in _taken(maker, given))
    ]
    if unknown:
        raise OptionError(
            f"pyspedas's {loader.__name__}() does not take {unknown[0]!r}; it takes "
            f"{', '.join(inspect.signature(loader).parameters)}"
        )
    loaded = _called(row, loader, own) or []
    if loaded and maker is not None:
        loaded = _called(row, maker, _taken(maker, given)) or []
    # A loader that makes something of a flux may return that alone, or nothing.
    stored = [n for n, live in store.variables(pyspedas).items() if before.get(n) is not live]
    found = [*([loaded] if isinstance(loaded, str) else loaded)]
    found += [name for name in stored if row.place(name) is not None and name not in found]
    if not found:
        raise ReaderError(
            f"pyspedas's {loader.__name__}() loaded nothing of {row.id!r} for {given['trange']}: there may "
            "be no files then, or no connection; its log says more"
        )
    return from_tplot(found)


def function(row: Product, path: str) -> Callable[..., Any]:
    """A function by its path within pyspedas."""
    full = path if path.startswith("pyspedas.") else f"{PROJECTS}.{path}"
    module, _, called = full.rpartition(".")
    try:
        found = getattr(import_module(module), called)
    except (ImportError, AttributeError) as error:
        raise OptionError(
            f"the loader of {row.id!r}, {full}, is not in this pyspedas ({error}): another version may "
            "have it"
        ) from error
    made: Callable[..., Any] = found
    return made


def _taken(called: Callable[..., Any], given: dict[str, Any]) -> dict[str, Any]:
    """Those of the arguments that a function takes."""
    parameters = inspect.signature(called).parameters
    takes_any = any(p.kind is p.VAR_KEYWORD for p in parameters.values())
    return {name: value for name, value in given.items() if takes_any or name in parameters}


def _called(row: Product, called: Callable[..., Any], given: dict[str, Any]) -> Any:
    def tell(error: Exception) -> XpadError:
        return ReaderError(
            f"pyspedas's {called.__name__}() failed to load {row.id!r} for "
            f"{given.get('trange', 'this time')}: {type(error).__name__}: {error}"
        )

    with told_as(row.id, tell):
        return called(**given)
