"""The autoencoder: training and encoding."""

from __future__ import annotations

from xpad.stages.encoders import dense as _dense

from . import data


class Training:
    """A few epochs of the published training."""

    params = (False, True)
    param_names = ("masked",)

    def setup(self, masked):
        n = data.records()
        self.rows = data.rows(n)
        self.train(masked)  # compiles

    def train(self, masked):
        from xpad.stages.encoders import train as autoencoder

        validation = self.rows[: max(len(self.rows) // 10, 1)]
        autoencoder.train(self.rows, validation, epochs=2, patience=None, masked=masked)

    def time_train(self, masked):
        self.train(masked)

    peakmem_train = time_train


class Encoding:
    """Rows to hidden units, with and without the error of their reconstruction."""

    def setup(self):
        from xpad.stages.encoders import train as autoencoder

        self.rows = data.rows(data.records())
        few = self.rows[:512]
        self.model, _ = autoencoder.train(few, few, epochs=1)
        self.time_encode()  # compile
        self.time_encode_with_error()

    def time_encode(self):

        _dense.encode(self.model, self.rows)

    def time_encode_with_error(self):

        _dense.encode_with_error(self.model, self.rows)

    peakmem_encode = time_encode
    peakmem_encode_with_error = time_encode_with_error
