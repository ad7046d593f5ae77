"""Ways to give points of the components' space to k clusters.

An entry of `LABELLERS` is a class that does all of its kind (`base.Labeller`): another way is one class
in a module of its own, and its name here and in `xpad.settings.Labeller`.
"""

from xpad.stages.labellers.base import Labeller
from xpad.stages.labellers.kmeans import KMeansLabeller
from xpad.stages.labellers.ward import WardLabeller

__all__ = ["LABELLERS", "Labeller"]

LABELLERS: dict[str, type[Labeller]] = {"kmeans": KMeansLabeller, "ward": WardLabeller}
"""Each value of the setting ``labeller``."""
