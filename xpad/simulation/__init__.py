"""A simulated mission with the truth in it: Van Allen Probes REPT, in memory or as CDF files.

Imports go one way: draws, clock, orbit, storms, shapes, instrument, records, attributes, cdf,
mission.
"""

from xpad.simulation.cdf import to_cdf
from xpad.simulation.mission import simulate

__all__ = ["simulate", "to_cdf"]
