"""From and to the tplot variables of pyspedas."""

from xpad.readers.tplot.fetching import fetch
from xpad.readers.tplot.read import from_tplot
from xpad.readers.tplot.results import to_tplot

__all__ = ["fetch", "from_tplot", "to_tplot"]
