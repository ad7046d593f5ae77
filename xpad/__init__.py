"""Sort pitch-angle distributions (PADs) into their typical shapes.

Importing xpad registers the accessor ``ds.pad`` on xarray's Dataset and
DataArray; ``ds.pad(x=1)`` is still xarray's own. Everything else loads when it
is first used.
"""

import lazy_loader

from xpad.accessor import register as _register

# What is public, and where it lies, is in __init__.pyi.
_named, _names, __all__ = lazy_loader.attach_stub(__name__, __file__)


def __getattr__(name: str) -> object:
    if name == "__version__":
        from importlib.metadata import version

        return version("xpad")
    return _named(name)


def __dir__() -> list[str]:
    return [*_names(), "__version__"]


_register()
