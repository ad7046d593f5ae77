"""A simulated mission with the truth in it: a probe in Van Allen Probes REPT's structure."""

from __future__ import annotations

import math
import numbers
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd
import xarray as xr

from xpad.errors import OptionError
from xpad.simulation.attributes import coordinate_attributes, global_attributes, variable_attributes
from xpad.simulation.clock import DAY_MS, SPIN_MS, Mission, kept, slot_times
from xpad.simulation.instrument import ENERGY, PITCH_ANGLE
from xpad.simulation.records import SHAPES, dtype_of, generate

if TYPE_CHECKING:
    import dask.array as da
    from numpy.typing import NDArray

_DIMS = {"FEDU": ("FEDU_Alpha", "FEDU_Energy"), "Position": ("dim0",)}


def simulate(
    days: float = 30,
    *,
    seed: int = 0,
    start: Any = "2013-01-01",
    probe: str = "b",
    chunks: int | str | None = "1D",
) -> xr.Dataset:
    """Simulate a mission in the structure of Van Allen Probes REPT level 3, truth included.

    A probe on a nine-hour ellipse passes through a radiation belt that storms empty and refill,
    and measures electrons at 12 energies and 17 pitch angles once a spin, 7900 times a day. The
    pitch-angle distributions are drawn from ten types that occur where and when surveys find
    them, each a cloud in a space of continuous parameters, with counting noise, background, fill
    values and gaps; an eleventh, ``background``, is for records whose electrons drown in it.

    Parameters
    ----------
    days : float, default 30
        Length; above 0. The beginning of a longer run is the same as a shorter one's.
    seed : int, default 0
        The same seed gives the same mission; at least 0.
    start : str or datetime-like, default "2013-01-01"
        Time of the first record, UTC, in whole milliseconds. Another start is another mission.
    probe : {"a", "b"}, default "b"
        Both probes see the same storms.
    chunks : int, str or None, default "1D"
        Records a dask chunk, or a length of time that is turned into a number of records at the
        nominal cadence ("1D" is 7901), so that chunks are of equal length; ``None`` computes
        everything at once into NumPy arrays. It never changes a value.

    Returns
    -------
    xarray.Dataset
        Raw, as read from a file: fills are stored as -1e31. Dimensions ``Epoch`` (times, whole
        milliseconds), ``FEDU_Alpha`` (17, degrees), ``FEDU_Energy`` (12, MeV), ``dim0`` (3).

        - ``FEDU`` (Epoch, FEDU_Alpha, FEDU_Energy), float32, per cm2 s sr MeV
        - ``truth`` (Epoch), int8: the type, named in ``flag_meanings``; -1 where all is fill
        - ``L``, ``L_star``, ``MLT`` (h), ``MLAT`` (deg), ``B_Calc``, ``B_Eq`` (nT) (Epoch),
          ``Position`` (Epoch, dim0) (geographic, km), float32

        With chunks all but ``Epoch`` is lazy.

    Raises
    ------
    OptionError
        If an argument has a value that it cannot take.

    Notes
    -----
    The physics, and its sources:

    - Orbit: perigee 1.1, apogee 5.8 Earth radii, inclination 10 degrees, apogee local time once
      around in 660 days (Mauk et al. 2013, doi 10.1007/s11214-012-9908-y) in a tilted dipole;
      ``L_star`` is a few per cent below ``L`` and fill beyond L = 6.
    - Spectra: exponential, e-folding 0.3 to 0.8 MeV, hardest in the heart of the belt after a
      storm. Storms: at most one a week, with a dropout within hours and a refilling within days
      to more, the same or fewer electrons (Reeves et al. 2003, doi 10.1029/2002GL016513); a slot
      (Baker et al. 2014, doi 10.1038/nature13956) and hardly any electrons above 1 MeV in the
      inner zone (Fennell et al. 2015, doi 10.1002/2014GL062874).
    - Types: ``pancake`` and ``strong_pancake`` (sin^n, n rising with energy), ``flattop``,
      ``butterfly_night`` (drift-shell splitting, deeper at high energies) and
      ``butterfly_low_l`` (a shallow hole near L = 4; Ni et al. 2016, doi
      10.1002/2016GL069350), ``cap`` (Zhao et al. 2014, doi 10.1002/2014JA020386),
      ``bump_on_tail`` (peaked at 90 degrees at low energies, flatter at high ones, more flux at
      2.6 than at 1.8 MeV; Zhao et al. 2019, doi 10.1029/2018JA026277), ``isotropic`` (the loss
      cone filled), ``field_aligned`` and ``emic_narrowed`` (only electrons above some 4 MeV are
      narrow; Usanova et al. 2014, doi 10.1002/2013GL059024). A type lasts minutes to hours and
      changes with place and storm phase. The types are defined in equatorial pitch angle, so
      that off the equator, where the hole of a butterfly is not in view, they look more alike;
      neighbouring types overlap.
    - Counts: Poisson, through 0.2 cm2 sr (Baker et al. 2013, doi 10.1007/s11214-012-9950-9), the
      channel's width and 0.64 s; a background of 0.03 counts a bin, and the inner zone's
      protons. It is not subtracted. ``truth`` is ``background`` where equatorial 1.8 MeV
      electrons at 90 degrees have a mean below three counts or below the background's.
    - Fill: single records (0.2 %), below 1.25 Earth radii, in a quarter of the eclipses; one
      value (1 % of the records); one energy (0.2 %); the pitch angles nearest the field where
      the spinning aperture does not see them. Gaps in time: single records (1 in 4096), and on
      average 0.4 a day of 2 to 240 minutes.

    Every random number is drawn by position from a counter-based generator in fixed blocks.

    Examples
    --------
    >>> import xpad
    >>> ds = xpad.simulate(days=0.5, seed=1)
    >>> dict(ds.sizes)  # with a gap of three hours
    {'Epoch': 2901, 'FEDU_Alpha': 17, 'FEDU_Energy': 12, 'dim0': 3}
    >>> ds.truth.attrs["flag_meanings"].split()[1:4]
    ['pancake', 'strong_pancake', 'flattop']
    """
    mission = _mission(seed, start, probe)
    slots = _slots(mission, days)
    size = _chunk_records(chunks)
    data: Mapping[str, NDArray[Any] | da.Array]
    if size is None:
        data = generate(mission, list(SHAPES), 0, int(slots[-1]) + 1)
    else:
        data = {name: _lazy(mission, name, slots, size) for name in SHAPES}
    data_vars = {
        name: (("Epoch", *_DIMS.get(name, ())), values, variable_attributes(name))
        for name, values in data.items()
    }
    epoch = (mission.start_ms + _times(mission, slots)).astype("datetime64[ms]")
    coords = {
        "Epoch": ("Epoch", epoch.astype("datetime64[ns]"), coordinate_attributes("Epoch")),
        "FEDU_Alpha": ("FEDU_Alpha", PITCH_ANGLE, coordinate_attributes("FEDU_Alpha")),
        "FEDU_Energy": ("FEDU_Energy", ENERGY, coordinate_attributes("FEDU_Energy")),
    }
    attrs = global_attributes(mission.probe) | {
        "simulation_seed": mission.seed,
        "simulation_start": str(np.datetime64(mission.start_ms, "ms")),
        "simulation_days": float(days),
    }
    return xr.Dataset(data_vars, coords, attrs)


def _mission(seed: Any, start: Any, probe: Any) -> Mission:
    if isinstance(seed, bool) or not isinstance(seed, numbers.Integral) or seed < 0:
        raise OptionError(f"seed={seed!r}: give a whole number of at least 0")
    if probe not in ("a", "b"):
        raise OptionError(f'probe={probe!r}: there are probes "a" and "b"')
    try:
        time = pd.Timestamp(start)
    except (ValueError, TypeError, OverflowError) as error:
        raise OptionError(
            f'start={start!r} is not a time: give one such as "2013-01-01T12:00"'
        ) from error
    if pd.isna(time):
        raise OptionError(f'start={start!r} is not a time: give one such as "2013-01-01T12:00"')
    if time.tzinfo is not None:
        time = time.tz_convert("UTC").tz_localize(None)
    milliseconds = time.to_datetime64().astype("datetime64[ms]")
    if milliseconds != time.to_datetime64():
        raise OptionError(f"start={start!r}: give whole milliseconds, which the files can hold")
    return Mission(int(seed), int(milliseconds.astype(np.int64)), probe)


def _slots(mission: Mission, days: Any) -> NDArray[np.int64]:
    """The slots that became records, ascending."""
    if isinstance(days, bool) or not isinstance(days, numbers.Real):
        raise OptionError(f"days={days!r}: give a finite number above 0")
    if not 0 < float(days) < math.inf:
        raise OptionError(f"days={days!r}: give a finite number above 0")
    length_ms = float(days) * DAY_MS
    if mission.start_ms + length_ms >= np.iinfo(np.int64).max // 1_000_000:
        raise OptionError(f"days={days!r}: the mission must end before 2262, the last year in ns")
    count = math.ceil(length_ms / SPIN_MS)
    slots = np.flatnonzero(kept(mission, 0, count))
    return slots[_times(mission, slots) < length_ms]


def _times(mission: Mission, slots: NDArray[np.int64]) -> NDArray[np.int64]:
    return slot_times(mission, 0, int(slots[-1]) + 1)[slots]


def _chunk_records(chunks: Any) -> int | None:
    """Records a chunk."""
    if chunks is None:
        return None
    if isinstance(chunks, str):
        try:
            milliseconds = pd.Timedelta(chunks) / pd.Timedelta(1, "ms")
        except ValueError as error:
            raise OptionError(
                f'chunks={chunks!r} is not a length of time: give one such as "1D" or "6h", '
                "a number of records, or None for NumPy"
            ) from error
        if not milliseconds > 0:
            raise OptionError(f"chunks={chunks!r}: give a length of time above 0")
        return math.ceil(milliseconds / SPIN_MS)
    if isinstance(chunks, bool) or not isinstance(chunks, numbers.Integral) or chunks < 1:
        raise OptionError(
            f"chunks={chunks!r}: give a number of records of at least 1, a length of time such as "
            '"1D", or None for NumPy'
        )
    return int(chunks)


def _lazy(mission: Mission, name: str, slots: NDArray[np.int64], size: int) -> da.Array:
    """One variable as a dask array whose chunks know nothing but their first and last slot."""
    import dask.array as da

    begins = np.arange(0, len(slots), size)
    lengths = np.diff(np.r_[begins, len(slots)])
    bounds = np.r_[slots[begins], slots[-1] + 1]
    trailing = SHAPES[name]
    dtype = dtype_of(name)
    return da.map_blocks(
        _generate_chunk,
        mission=mission,
        variable=name,
        bounds=bounds,
        chunks=(tuple(int(n) for n in lengths), *((n,) for n in trailing)),
        dtype=dtype,
        meta=np.empty((0,) * (1 + len(trailing)), dtype=dtype),
        name=None,
    )


def _generate_chunk(
    mission: Mission,
    variable: str,
    bounds: NDArray[np.int64],
    block_id: tuple[int, ...] = (0,),
) -> NDArray[np.float32 | np.int8]:
    index = block_id[0]
    return generate(mission, [variable], int(bounds[index]), int(bounds[index + 1]))[variable]
