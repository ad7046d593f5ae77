"""From and to the tplot variables of pyspedas."""

from xpad.readers.tplot.read import from_tplot
from xpad.readers.tplot.results import to_tplot

__all__ = ["from_tplot", "to_tplot"]
