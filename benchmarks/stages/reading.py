"""What comes before any computing: importing xpad, and opening files."""

from __future__ import annotations

import tempfile

from . import data


class Import:
    """A new process each time."""

    def timeraw_xpad(self):
        return "import xpad"

    def timeraw_xpad_beyond_xarray(self):
        return "import xpad", "import xarray"


class OpenDataset:
    """Daily CDF files: headers and times, and then the flux."""

    def setup(self):
        import xpad
        from xpad.simulation.cdf import to_cdf

        self.folder = tempfile.TemporaryDirectory()
        n = data.records()
        days = n / data.RECORDS_A_DAY
        self.paths = to_cdf(xpad.simulate(days=days, chunks=None), self.folder.name)

    def teardown(self):
        self.folder.cleanup()

    def time_open(self):
        import xpad

        xpad.open_dataset(self.paths)

    def time_open_and_read(self):
        import xpad

        xpad.open_dataset(self.paths)["FEDU"].compute()

    peakmem_open = time_open
    peakmem_open_and_read = time_open_and_read
