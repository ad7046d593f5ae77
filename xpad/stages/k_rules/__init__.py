"""Rules for the number of clusters.

An entry of `K_RULES` is a class that does all of its kind (`base.KRule`): another rule is one class in a
module of its own, and its name here and in `xpad.settings.KRule`.
"""

from xpad.stages.k_rules.base import KRule
from xpad.stages.k_rules.modes import MeanShiftRule

__all__ = ["K_RULES", "PUBLISHED", "KRule", "chosen"]

K_RULES: dict[str, type[KRule]] = {"meanshift": MeanShiftRule}
"""Each name that the setting ``k`` can be."""

PUBLISHED = "meanshift"


def chosen(k: int | str | None) -> tuple[str, int | None]:
    """The rule that a setting ``k`` names, and the number of clusters where it is given.

    Examples
    --------
    >>> chosen(None), chosen("meanshift"), chosen(6)
    (('meanshift', None), ('meanshift', None), ('meanshift', 6))
    """
    return (k, None) if isinstance(k, str) else (PUBLISHED, k)
