"""From data to labels: the sums of the catalogue, predicting, and everything end to end."""

from __future__ import annotations

import tempfile

import numpy as np

from . import data


class Tally:
    """Sums over labelled records, piece by piece as in a pass."""

    params = (True, False)
    param_names = ("all measured",)

    def setup(self, whole):
        n = data.records()
        flux = data.flux(n)
        self.flux = np.nan_to_num(flux) if whole else flux
        self.labels = np.random.default_rng(0).integers(-1, 8, n)
        self.run = np.arange(n) // 64

    def time_of(self, whole):
        from xpad.pads.valid import measured
        from xpad.statistics.sums import Tally

        total = Tally.none(self.flux.shape[1:])
        for start in range(0, len(self.flux), 4096):
            at = slice(start, start + 4096)
            seen = measured(self.flux[at])
            total += Tally.of(self.flux[at], seen, self.labels[at], self.run[at])

    peakmem_of = time_of


class Predict:
    """Labels of a fitted model: the lazy graph, and what it computes."""

    def setup(self):
        n = data.records()
        self.ds, self.model = data.mission(n), data.model(n)

    def time_predict_lazily(self):
        import xpad

        xpad.predict(self.ds, self.model)

    def time_predict(self):
        import xpad

        xpad.predict(self.ds, self.model)["pad_label"].compute()

    peakmem_predict = time_predict

    def time_label(self):
        import xpad

        xpad.label(self.ds, self.model).compute()


class Cluster:
    """The whole method but for a short training, on data in memory."""

    def setup(self):
        self.ds = data.mission(data.records())

    def time_cluster(self):
        import xpad

        xpad.cluster(self.ds, **data.SHORT)["pad_label"].compute()

    peakmem_cluster = time_cluster


class ClusterToZarr:
    """The same from a Zarr store to a Zarr store."""

    def setup(self):
        self.folder = tempfile.TemporaryDirectory()
        self.source, self.target = (f"{self.folder.name}/{n}.zarr" for n in ("data", "labels"))
        data.mission(data.records()).to_zarr(self.source, zarr_format=3, consolidated=False)

    def teardown(self):
        self.folder.cleanup()

    def time_cluster_to_zarr(self):
        import xpad

        ds = xpad.open_dataset(self.source)
        xpad.cluster_to_zarr(ds, self.target, overwrite=True, **data.SHORT)

    peakmem_cluster_to_zarr = time_cluster_to_zarr
