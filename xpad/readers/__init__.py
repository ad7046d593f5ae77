"""Files of missions, pyspedas's variables, and objects of other libraries, as raw Datasets.

Everything that a reader returns can be written with ``to_zarr`` and ``to_netcdf`` as it is. What is
read, and by which module, stands in `sources.SOURCES`.
"""

from xpad.readers.opening import open_dataset
from xpad.readers.tplot import from_tplot, to_tplot

__all__ = ["from_tplot", "open_dataset", "to_tplot"]
