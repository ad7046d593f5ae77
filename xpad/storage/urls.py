"""The library that a URL needs."""

from __future__ import annotations


def lacking(url: str) -> str | None:
    """Say what is to be installed before an fsspec URL can be read or written.

    Parameters
    ----------
    url : str

    Returns
    -------
    str or None
        None where nothing is.

    Examples
    --------
    >>> lacking("memory://store.zarr") is None
    True
    """
    from fsspec.registry import get_filesystem_class, known_implementations

    protocol = url.partition("://")[0].rpartition("::")[2]
    try:
        get_filesystem_class(protocol)
    except ImportError:
        known = known_implementations.get(protocol, {})
        library = str(known.get("class", "")).partition(".")[0]
        return f"{protocol}:// needs {library}, which is not installed: pip install {library}"
    except ValueError:
        return f"{protocol}:// is no protocol that fsspec knows"
    return None
