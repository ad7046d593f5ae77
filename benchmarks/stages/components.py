"""Principal components, from sums over the encoded rows."""

from __future__ import annotations

from . import data

WIDTH = data.FEATURES // 2


class Components:
    """Moments of encoded rows, the components of the moments, and the rows' values."""

    def setup(self):
        self.rows = data.rows(data.records(), WIDTH)
        self.shift = self.rows[:4096].mean(axis=0)
        self.moments = self.moments_of_all()
        self.pca = self.components()

    def moments_of_all(self):
        from xpad.stages.pca import Moments

        return Moments.of(self.rows, self.shift)

    def components(self):
        from xpad.stages.pca import from_moments

        return from_moments(self.moments, 3)

    def time_moments(self):
        self.moments_of_all()

    def time_from_moments(self):
        self.components()

    def time_project(self):
        from xpad.stages.pca import project

        project(self.pca, self.rows)

    peakmem_moments = time_moments
    peakmem_project = time_project
