"""Mean shift and k-means, on points and on cells."""

from __future__ import annotations

from functools import partial

from . import data


class MeanShift:
    """The bandwidth, and the modes of the points one by one."""

    def setup(self):
        n = data.records()
        self.points, self.bandwidth = data.points(n), data.bandwidth(n)

    def time_estimate_bandwidth(self):
        from xpad.stages.k_rules import meanshift

        meanshift.estimate_bandwidth(self.points)

    def time_modes(self):
        from xpad.stages.k_rules import meanshift

        meanshift.modes(self.points, self.bandwidth, max_points=len(self.points))

    def time_assign(self):
        from xpad.stages.nearest import nearest

        nearest(self.points[:10], self.points)

    peakmem_modes = time_modes


class Cells:
    """Points binned part by part, and the modes of the cells."""

    params = (16, 64, 256)
    param_names = ("cells per bandwidth",)

    def setup(self, fineness):
        n = data.records()
        self.bandwidth = data.bandwidth(n)
        self.parts = data.parts(data.points(n))
        self.cells = self.binned(fineness)

    def binned(self, fineness):
        from xpad.stages.k_rules import meanshift
        from xpad.stages.parts import over

        size = self.bandwidth / fineness
        return over(self.parts)(partial(meanshift.Cells.of, size=size))

    def time_binning(self, fineness):
        self.binned(fineness)

    def time_modes_of_cells(self, fineness):
        from xpad.stages.k_rules import meanshift

        meanshift.modes_of_cells(self.cells, self.bandwidth)

    peakmem_binning = time_binning
    peakmem_modes_of_cells = time_modes_of_cells


class KMeans:
    """Centres from points in memory, from points in parts, and the nearest centre of each."""

    params = (5, 10)
    param_names = ("k",)

    def setup(self, k):
        from xpad.stages.k_rules import meanshift

        n = data.records()
        self.points = data.points(n)
        self.parts = data.parts(self.points)
        size = data.bandwidth(n) / meanshift.CELLS_PER_BANDWIDTH
        self.cells = meanshift.Cells.of(self.points, size)

    def time_fit(self, k):
        from xpad.stages.labellers import kmeans

        kmeans.fit(self.points, k)

    def time_fit_parts(self, k):
        from xpad.stages.labellers import kmeans
        from xpad.stages.parts import over

        kmeans.fit_parts(over(self.parts), self.cells, k)

    def time_assign(self, k):
        from xpad.stages.nearest import nearest

        nearest(self.points[:k], self.points)

    peakmem_fit = time_fit
    peakmem_fit_parts = time_fit_parts
    peakmem_assign = time_assign
