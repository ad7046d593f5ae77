"""From raw flux to rows of features."""

from __future__ import annotations

import numpy as np

from . import data


class Clean:
    """Fills and invalid values to NaN."""

    params = ("float32", "float64", ">f4")
    param_names = ("dtype",)

    def setup(self, dtype):
        from xpad.pads.canonical import located

        flux = located(data.mission(data.records()))
        self.values, self.limits = flux.ds["FEDU"].values.astype(dtype), flux.limits

    def time_clean_flux(self, dtype):
        from xpad.pads.valid import clean_flux

        clean_flux(self.values, self.limits)

    peakmem_clean_flux = time_clean_flux


class Regrid:
    """Records whose tables vary, put on one grid."""

    params = ("energy", "pitch_angle", "pitch_angle of each energy")
    param_names = ("varies",)

    def setup(self, varies):
        n = data.records()
        self.flux, self.grid = data.flux(n), data.grid(n)
        shift = np.random.default_rng(0).uniform(0.97, 1.03, (n, 1))
        self.tables = {
            "energy": (self.grid.energy * shift, None),
            "pitch_angle": (None, self.grid.pitch_angle * shift),
            "pitch_angle of each energy": (
                None,
                np.repeat((self.grid.pitch_angle * shift)[:, None], self.grid.energy.size, axis=1),
            ),
        }[varies]

    def time_to_grid(self, varies):
        from xpad.pads.regrid import to_grid

        to_grid(self.flux, self.grid, *self.tables)

    peakmem_to_grid = time_to_grid


class Normalise:
    """PADs over their references."""

    params = ("max", "max_energy", "90deg")
    param_names = ("method",)

    def setup(self, method):
        n = data.records()
        self.flux, self.pitch_angle = data.flux(n), data.grid(n).pitch_angle

    def time_normalise_pads(self, method):
        from xpad.pads.normalise import normalise_pads

        normalise_pads(self.flux, method, self.pitch_angle)

    peakmem_normalise_pads = time_normalise_pads


class Prepare:
    """Everything up to rows of features and flags, piece by piece as in a pass."""

    def setup(self):
        n = data.records()
        self.flux, self.model = data.flux(n), data.model(n)

    def time_prepare(self):
        from xpad.pads.blocks import Block
        from xpad.pads.valid import CLEAN

        preparation = self.model.pipeline.preparation
        for _, piece in Block(self.flux, None, None, CLEAN).pieces():
            pads = preparation.pads(piece)
            preparation.rows(pads), preparation.flags(pads)

    peakmem_prepare = time_prepare
