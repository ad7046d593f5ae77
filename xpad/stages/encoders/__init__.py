"""Ways to compress rows of features: how they are trained, and how they encode.

An entry of `ENCODERS` is a class that does all of its kind (`base.Encoder`): another way is one class
in a module of its own, and its name here and in `xpad.settings.EncoderName`.
"""

from xpad.stages.encoders.autoencoder import DenseEncoder
from xpad.stages.encoders.base import Encoder
from xpad.stages.encoders.straight import Straight

__all__ = ["ENCODERS", "Encoder"]

ENCODERS: dict[str | None, type[Encoder]] = {"dense": DenseEncoder, None: Straight}
"""Each value of the setting ``encoder``."""
