"""Bad input, made from a kind and a seed alone, and how each kind is tried: what `fuzz.py` runs.

Datasets of any dims, dtypes and metadata, files of each format with bytes flipped and parts cut out,
settings that cannot be. Files are written here; those of shared/data that are small are mutated, too,
where that folder is beside the checkout.
"""

from __future__ import annotations

import shutil
import tempfile
import warnings
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np

ROOT = Path(__file__).resolve().parents[1]
SMALL = 400_000  # bytes of a real file that is mutated


# -- what a trial says ----------------------------------------------------------------------------


class Tell:
    """What a trial says of itself as it runs."""

    def __init__(self, scratch: Path) -> None:
        self.scratch = scratch
        self.refused: str | None = None
        self.names: list[str] = []
        self._about: Callable[[], str] = lambda: ""

    def about(self, text: Callable[[], str]) -> None:
        """What the input is, in words that are only made where they are wanted."""
        self._about = text

    def step(self, does: Callable[[], Any]) -> Any:
        """Do a step: its answer, or None where it is refused in one line of ours."""
        import xpad

        try:
            return does()
        except xpad.XpadError as error:
            self.refused = str(error)
            require_one_line(error)
            return None

    def described(self) -> str:
        """What the input is."""
        return self._about()


class TooManyLines(Exception):
    """A message of ours that is none, or is not of one line."""


def require_one_line(error: BaseException | Warning) -> None:
    """Refuse what the command line would have to join."""
    text = str(error)
    if not text.strip() or len(text.splitlines()) != 1:
        raise TooManyLines(f"{type(error).__name__}: {text!r}") from (
            error if isinstance(error, Exception) else None
        )


Trial = Callable[[int, Path, Tell], None]


# -- Datasets -------------------------------------------------------------------------------------

RECORDS = ("Epoch", "time", "t", "record", "Epoch_ns", "dim0", "two\nlines")
ENERGIES = ("energy", "FEDU_Energy", "E", "channel", "dim1", "W", "energy_bin", "sector", "freq")
ANGLES = ("pitch_angle", "FEDU_Alpha", "pa", "PITCH_ANGLE", "alpha", "dim2", "theta", "phi", "azimuth",
          "elevation", "latitude", "angle", "look", "gyrophase", "pitch\nangle")  # fmt: skip
FLUXES = ("FEDU", "flux", "eflux", "j", "PAD", "FPDU", "counts", "Data", "data", "pad_label",
          "electron_flux_120keV", "psd", "FEDU_quality", "Alpha_flux", 7, ("a", 1), "", "two\nlines",
          "flux\tPA")  # fmt: skip
WORDS = ("pitch angle", "Pitch Angle", "energy", "electron differential flux", "azimuth", "spin phase",
         "counts per second", "elevation angle", "latitude", "quality flag", "energy flux",
         "uncertainty of the flux", "anode number", "", "\n", "a\nb", "flux\x00", "σ° µ",
         "x" * 300)  # fmt: skip
UNITS = ("keV", "eV", "MeV", "deg", "degrees", "rad", "1/(cm^2 s sr keV)", "cm!E-2!Ns!E-1!Nsr!E-1!NkeV!E-1!N",
         "#/(cm^2*s*str*MeV)", "log10(cm-2 s-1)", "s^3/km^6", "counts", "", " ", "1", "nT", "ergs/cm2",
         "keV/cm2-s-sr-keV", "((cm", "cm^^2", "10^3 keV", "seconds since 1970-01-01", "hours",
         "°")  # fmt: skip
ODD: tuple[Any, ...] = (
    None, 0, -1, 1.5, np.nan, np.inf, -1e31, 10**40, True, b"keV", [], [1, 2], ["a", "b"], {}, {"a": 1},
    np.array([]), np.array([1.0, 2.0]), np.array("keV"), np.float32(-1e31), np.datetime64("NaT"),
    np.array([[1, 2], [3, 4]]), "1e5", "nan", (1, 2), 1 + 2j, "yes",
)  # fmt: skip
TEXTS = ("units", "UNITS", "long_name", "standard_name", "CATDESC", "FIELDNAM", "LABLAXIS", "VAR_NOTES",
         "VAR_TYPE", "SCALETYP", "description", "TITLE", "Units")  # fmt: skip
LIMITS = ("FILLVAL", "_FillValue", "VALIDMIN", "VALIDMAX", "valid_min", "valid_max", "valid_range",
          "missing_value", "SCALEMIN", "scale_factor")  # fmt: skip
POINTERS = ("DEPEND_0", "DEPEND_1", "DEPEND_2", "DELTA_PLUS_VAR", "LABL_PTR_1", "coordinates")
GLOBALS = ("Logical_source", "Mission_group", "Source_name", "Descriptor", "TITLE", "xpad_flux",
           "xpad_energy", "xpad_pitch_angle", "xpad_skipped", "pad_settings", "xpad_mission")  # fmt: skip
SOURCES = ("rbspb_rel03_ect-rept-sci-l3", "rbspa_rel04_ect-hope-pa-l3", "mms1_fpi_fast_l2_des-dist",
           "mvn_swe_l2_svypad", "wi_elpd_3dp", "nothing", "")  # fmt: skip

Values = Any
DTYPES: dict[str, Callable[[Values], Values]] = {
    "f4": lambda v: v.astype("f4"),
    "f8": lambda v: v,
    "f2": lambda v: np.clip(v, -6e4, 6e4).astype("f2"),
    ">f4": lambda v: v.astype(">f4"),
    ">f8": lambda v: v.astype(">f8"),
    "longdouble": lambda v: v.astype("longdouble"),
    "i1": lambda v: _whole(v, 100).astype("i1"),
    "i4": lambda v: _whole(v, 1e9).astype("i4"),
    ">i2": lambda v: _whole(v, 3e4).astype(">i2"),
    "u2": lambda v: abs(_whole(v, 6e4)).astype("u2"),
    "i8": lambda v: _whole(v, 9e18).astype("i8"),
    "u8": lambda v: abs(_whole(v, 1e19)).astype("u8"),
    "bool": lambda v: v > 1,
    "object": lambda v: v.astype(object),
    "None": lambda v: np.where(v > 1, v.astype(object), None),
    "mixed": lambda v: np.where(v > 1, v.astype(object), "a"),
    "str": lambda v: v.astype(str),
    "bytes": lambda v: v.astype("S8"),
    "datetime": lambda v: _whole(v, 1e18).astype("i8").astype("M8[ns]"),
    "timedelta": lambda v: _whole(v, 1e18).astype("i8").astype("m8[ns]"),
    "complex": lambda v: v.astype("c16"),
}
PLAIN = ("f4", "f8")

SHAPES: dict[str, Callable[[np.random.Generator, int], Values]] = {
    "up": lambda rng, n: np.linspace(5, 175, n),
    "down": lambda rng, n: np.linspace(175, 5, n),
    "log": lambda rng, n: np.geomspace(1, 1e4, n) if n else np.empty(0),
    "radians": lambda rng, n: np.linspace(0, np.pi, n),
    "turn": lambda rng, n: np.linspace(0, 360, n),
    "cosine": lambda rng, n: np.linspace(-1, 1, n),
    "index": lambda rng, n: np.arange(n),
    "constant": lambda rng, n: np.full(n, 45.0),
    "NaN": lambda rng, n: np.full(n, np.nan),
    "holes": lambda rng, n: np.where(rng.random(n) < 0.3, np.nan, np.linspace(5, 175, n)),
    "fill": lambda rng, n: np.where(rng.random(n) < 0.3, -1e31, np.geomspace(1, 100, max(n, 1))[:n]),
    "infinite": lambda rng, n: np.where(rng.random(n) < 0.3, np.inf, np.linspace(1, 100, n)),
    "negative": lambda rng, n: -np.linspace(1, 100, n),
    "zero": lambda rng, n: np.zeros(n),
    "huge": lambda rng, n: np.linspace(1e300, 1.7e308, n),
    "shuffled": lambda rng, n: rng.permutation(np.linspace(5, 175, n)),
}  # fmt: skip
CONTENTS: dict[str, Callable[[np.random.Generator, Values], Values]] = {
    "plain": lambda rng, v: v,
    "holes": lambda rng, v: np.where(rng.random(v.shape) < 0.2, np.nan, v),
    "fill": lambda rng, v: np.where(rng.random(v.shape) < 0.2, -1e31, v),
    "big fill": lambda rng, v: np.where(rng.random(v.shape) < 0.2, 1e31, v),
    "infinite": lambda rng, v: np.where(rng.random(v.shape) < 0.1, np.inf, v),
    "negative": lambda rng, v: np.where(rng.random(v.shape) < 0.2, -v, v),
    "zeros": lambda rng, v: np.where(rng.random(v.shape) < 0.7, 0, v),
    "all zero": lambda rng, v: np.zeros_like(v),
    "all missing": lambda rng, v: np.full_like(v, np.nan),
    "all fill": lambda rng, v: np.full_like(v, -1e31),
    "alike": lambda rng, v: np.ones_like(v),
    "huge": lambda rng, v: v * 1e300,
    "overflowing": lambda rng, v: np.full_like(v, 1.7e308),
    "tiny": lambda rng, v: v * 1e-310,
}  # fmt: skip


def _whole(values: Values, most: float) -> Values:
    return np.nan_to_num(values, nan=-1, posinf=most, neginf=-most).clip(-most, most)


class Draw:
    """What is drawn of an input: mostly what is usual, and now and then what is not."""

    def __init__(self, seed: int) -> None:
        self.rng = np.random.default_rng(seed)
        self.oddness = self.rng.choice([0.02, 0.06, 0.2])

    def one(self, of: Sequence[Any]) -> Any:
        return of[int(self.rng.integers(len(of)))]

    def odd(self, times: float = 1.0) -> bool:
        return bool(self.rng.random() < self.oddness * times)

    def usual(self, usual: Any, of: Sequence[Any], times: float = 1.0) -> Any:
        return self.one(of) if self.odd(times) else usual


def made(draw: Draw) -> tuple[Any, str | None]:
    """A Dataset or DataArray, and the flux that is asked for by its name, if any."""
    import xarray as xr

    rng = draw.rng
    record, energy, angle = (
        draw.usual(names[0], names, 3) for names in (RECORDS, ENERGIES, ANGLES)
    )
    sizes = {
        record: draw.usual(24, (0, 1, 2, 3, 60), 2),
        energy: draw.usual(4, (0, 1, 2, 9), 2),
        angle: draw.usual(7, (0, 1, 2, 3, 18), 2),
    }
    dims = [record, angle, energy]
    if draw.odd(2):
        dims = list(rng.permutation(dims))
    if draw.odd():
        dims.remove(draw.one(dims))
    if draw.odd():
        sizes["look"] = draw.usual(2, (0, 1, 5))
        dims.insert(int(rng.integers(len(dims) + 1)), "look")
    dims = [str(dim) for dim in dict.fromkeys(dims)]
    fluxes = list(
        dict.fromkeys(draw.usual("FEDU", FLUXES, 3) for _ in range(draw.usual(1, (0, 2, 3))))
    )
    variables = {name: _flux(draw, dims, sizes) for name in fluxes if name not in sizes}
    coordinates = {}
    for dim, usual in ((record, "time"), (energy, "log"), (angle, "up")):
        if not draw.odd():
            coordinates.update(_axis(draw, dim, record, usual, sizes))
    if draw.odd(2):
        name = draw.one(("L", "Quality", "fedu", "Energy", "PA", "orbit", "FEDU_Alpha", "Epoch"))
        if name not in sizes:
            variables[name] = _flux(draw, [d for d in dims if rng.random() < 0.5], sizes)
    everything = [*variables, *coordinates]
    for variable in [*variables.values(), *coordinates.values()]:
        _describe(draw, variable, everything)
    attrs = {}
    for key in GLOBALS:
        if draw.odd(0.3):
            attrs[key] = draw.one((*SOURCES, *map(str, everything), *ODD))
    found: Any = xr.Dataset(variables, coordinates, attrs)
    if draw.odd():
        found = found.chunk(
            {dim: int(rng.integers(1, 9)) for dim in found.dims if rng.random() < 0.7}
        )
    if draw.odd(0.5) and variables:
        found = found[next(iter(variables))]
        if draw.odd():
            found.name = draw.one((None, 3, "energy"))
    asked = draw.one((*map(str, everything), "nothing", "")) if draw.odd() else None
    return found, asked


def _flux(draw: Draw, dims: Sequence[str], sizes: dict[str, int]) -> Any:
    import xarray as xr

    shape = [sizes[dim] for dim in dims]
    values = draw.rng.lognormal(3, 1, shape)
    content = CONTENTS[draw.usual("holes", tuple(CONTENTS), 2)]
    dtype = DTYPES[draw.usual(draw.one(PLAIN), tuple(DTYPES), 2)]
    with np.errstate(all="ignore"):
        array = np.asarray(dtype(np.asarray(content(draw.rng, values))))
    return xr.Variable(dims, array, {"UNITS": draw.usual("1/(cm^2 s sr keV)", UNITS, 2)})


def _axis(draw: Draw, dim: str, record: str, usual: str, sizes: dict[str, int]) -> dict[str, Any]:
    import xarray as xr

    n = sizes[dim]
    if dim == record and usual == "time":
        values = np.datetime64("2013-01-01", "ns") + np.arange(n) * np.timedelta64(11, "s")
        if draw.odd():
            values = draw.one(
                (values.astype("f8") / 1e9, values[::-1], values.astype(object), values.astype(str),
                 values.astype("M8[s]"), np.repeat(values[:1], n), np.arange(n),
                 np.where(draw.rng.random(n) < 0.3, np.datetime64("NaT", "ns"), values),
                 np.full(n, np.datetime64("NaT", "ns")), np.full(n, np.nan))
            )  # fmt: skip
        return {dim: xr.Variable(dim, values)}
    values = SHAPES[draw.usual(usual, tuple(SHAPES), 2)](draw.rng, n)
    if draw.odd(0.7):
        with np.errstate(all="ignore"):
            values = np.asarray(DTYPES[draw.one(tuple(DTYPES))](np.asarray(values, "f8")))
    attrs = {"UNITS": draw.usual({"log": "keV", "up": "deg"}[usual], UNITS)}
    if draw.odd():  # a table that varies in time, under a name of its own
        table = np.broadcast_to(values, (sizes[record], n)).copy()
        if table.dtype.kind == "f" and draw.odd(3):
            table = table * draw.one((1, np.nan, draw.rng.random((sizes[record], 1))))
        return {f"{dim}_table": xr.Variable((record, dim), table, attrs)}
    return {dim: xr.Variable(dim, values, attrs)}


def _describe(draw: Draw, variable: Any, names: Sequence[Any]) -> None:
    for keys, likely in ((TEXTS, (*WORDS, *UNITS)), (LIMITS, ()), (POINTERS, names)):
        for key in keys:
            if draw.odd(0.3):
                known = (*likely, *likely, *ODD) if likely else (*ODD, -1e31, 0.0, 1e3, -1)
                variable.attrs[key] = draw.one(known)


def try_dataset(seed: int, folder: Path, tell: Tell) -> None:
    """Recognise, check and cluster a Dataset."""
    import xpad

    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        obj, asked = made(Draw(seed))
    tell.about(lambda: f"variable={asked!r} of\n{obj}\n{_all_attributes(obj)}")
    tell.step(lambda: repr(xpad.recognise(obj, asked)))
    tell.step(lambda: repr(xpad.check(obj, asked, progress=False)))
    tell.step(lambda: xpad.cluster(obj, asked, encoder=None, k=2, progress=False))


def _all_attributes(obj: Any) -> str:
    own = {name: dict(obj[name].attrs) for name in [*getattr(obj, "data_vars", ()), *obj.coords]}
    return f"attributes {dict(obj.attrs)}, {own}"


# -- files ----------------------------------------------------------------------------------------


def write_files(folder: Path) -> None:
    """One small file of each format, and a model, as the inputs of `try_file` begin from."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # so little data is hardly a training
        _write_files(folder)


def _write_files(folder: Path) -> None:
    import xpad

    ds = xpad.simulate(days=0.03, chunks=None).isel(Epoch=slice(0, 60))
    for kind in ("CDF", "das2", "CEF", "netCDF", "netCDF 3", "Zarr", "model"):
        (folder / kind).mkdir(parents=True)
    (written,) = xpad.simulation.to_cdf(ds, folder / "CDF")
    written.rename(folder / "CDF" / "a.cdf")
    plain = ds[["FEDU", "L"]].reset_coords(drop=True)
    plain.to_netcdf(folder / "netCDF" / "a.nc", engine="h5netcdf")
    plain.to_netcdf(folder / "netCDF 3" / "a.nc", engine="scipy")
    plain.chunk(Epoch=20).to_zarr(folder / "Zarr" / "a.zarr", consolidated=True)
    model = xpad.fit(ds, epochs=1, k=2, n_hidden=4, progress=False)
    model.save(folder / "model" / "a.zarr")
    (folder / "CEF" / "a.cef").write_text(_cef(ds))
    (folder / "das2" / "a.d2s").write_bytes(_das2(ds))


def _cef(ds: Any) -> str:
    flux = ds["FEDU"].values[:20, :5, :3]
    rows = "".join(
        f"2013-01-01T00:00:{n:02}.000Z, {', '.join(f'{v:.4g}' for v in record.ravel())} $\n"
        for n, record in enumerate(np.nan_to_num(flux, nan=-1e31))
    )
    return f"""FILE_NAME="a.cef"
FILE_FORMAT_VERSION="CEF-2.0"
END_OF_RECORD_MARKER="$"
START_META = LOGICAL_FILE_ID
  ENTRY = "a"
END_META = LOGICAL_FILE_ID
START_VARIABLE = time_tags
  VALUE_TYPE = ISO_TIME
  SIZES = 1
END_VARIABLE = time_tags
START_VARIABLE = pitch
  VALUE_TYPE = FLOAT
  UNITS = "deg"
  SIZES = 5
  DATA = 18, 54, 90, 126, 162
END_VARIABLE = pitch
START_VARIABLE = energy
  VALUE_TYPE = FLOAT
  UNITS = "keV"
  SIZES = 3
  DATA = 10, 100, 1000
END_VARIABLE = energy
START_VARIABLE = flux
  VALUE_TYPE = FLOAT
  UNITS = "1/(cm^2 s sr keV)"
  FILLVAL = -1e31
  SIZES = 5, 3
  DEPEND_0 = time_tags
  DEPEND_1 = pitch
  DEPEND_2 = energy
END_VARIABLE = flux
DATA_UNTIL = "END"
{rows}END
"""


def _das2(ds: Any) -> bytes:
    header = (
        '<stream version="2.2"><properties title="A spectrogram" xCacheResetRange="1 s"/></stream>'
    )
    angles = ",".join(f"{v:g}" for v in ds["FEDU_Alpha"].values)
    packet = (
        '<packet><x type="time24" units="us2000"/><yscan nitems="17" type="little_endian_real4" '
        f'yTags="{angles}" yUnits="deg" zUnits="1/(cm^2 s sr keV)" name="flux">'
        '<properties String:yLabel="Pitch angle (deg)" double:zFill="-1e31"/></yscan></packet>'
    )
    stream = b"".join(
        f"[{tag:02}]{len(text):06}{text}".encode() for tag, text in enumerate((header, packet))
    )
    for n, record in enumerate(np.nan_to_num(ds["FEDU"].values[:30, :, 0], nan=-1e31)):
        stream += (
            b":01:" + f"2013-01-01T00:{n:02}:00.000 ".encode() + record.astype("<f4").tobytes()
        )
    return stream


def mutated(draw: Draw, data: bytes) -> bytes:
    """Bytes with some flipped, numbers set to what no file has, parts cut out, put twice or exchanged."""
    rng, found = draw.rng, bytearray(data)
    # What says how a file is laid out stands mostly at its beginning.
    end = draw.one((64, 512, 4096, len(found), len(found)))
    for _ in range(draw.one((1, 1, 2, 5, 30))):
        at = int(rng.integers(max(min(end, len(found)), 1)))
        how = draw.one(("bit", "bit", "byte", "number", "cut", "twice", "end", "digit"))
        if how == "bit" and found:
            found[at] ^= 1 << int(rng.integers(8))
        elif how == "byte" and found:
            found[at] = int(rng.integers(256))
        elif how == "number":
            width = draw.one((2, 4, 8))
            value = draw.one((0, 1, 2**31 - 1, 2**63 - 1, -1, 255, 10**6, 10**9, len(data)))
            piece = (value % 2 ** (8 * width)).to_bytes(width, draw.one(("big", "little")))
            found[at : at + width] = piece
        elif how == "cut":
            del found[at : at + int(rng.integers(1, 300))]
        elif how == "twice":
            found[at:at] = found[at : at + int(rng.integers(1, 300))]
        elif how == "end":
            del found[int(rng.integers(len(found) + 1)) :]
        elif how == "digit":
            digits = [n for n in range(at, min(at + 400, len(found))) if 48 <= found[n] < 58]
            if digits:
                found[draw.one(digits)] = 48 + int(rng.integers(10))
    return bytes(found)


def _mutated_copy(draw: Draw, source: Path, target: Path) -> Path:
    if source.is_dir():
        shutil.copytree(source, target)
        of = sorted(path for path in target.rglob("*") if path.is_file())
        chosen = [path for path in of if path.suffix == ".json" or path.name.startswith(".z")]
        path = draw.one(chosen if chosen and draw.rng.random() < 0.7 else of)
        if draw.odd(0.5):
            path.unlink()
        else:
            path.write_bytes(mutated(draw, path.read_bytes()))
    else:
        target.write_bytes(mutated(draw, source.read_bytes()))
    return target


def of_format(kind: str) -> Trial:
    """A trial of one of the files that `write_files` wrote."""

    def try_file(seed: int, folder: Path, tell: Tell) -> None:
        (source,) = (folder / kind).iterdir()
        _try_mutated(seed, source, tell)

    return try_file


def try_real(seed: int, folder: Path, tell: Tell) -> None:
    """Open and check a mutated real file."""
    files = real_files()
    _try_mutated(seed, files[seed % len(files)], tell)


def real_files(folder: Path = ROOT.parent / "shared" / "data") -> list[Path]:
    """The small ones beside the checkout."""
    return sorted(
        path for path in folder.rglob("*")
        if path.is_file() and path.stat().st_size < SMALL and path.suffix != ".ceh"
    )  # fmt: skip


def _try_mutated(seed: int, source: Path, tell: Tell) -> None:
    import xpad

    with tempfile.TemporaryDirectory(dir=tell.scratch) as folder:
        path = _mutated_copy(Draw(seed), source, Path(folder) / source.name)
        tell.about(lambda: f"{source.name}, mutated")
        tell.names.append(source.name)
        if source.parent.name == "model":
            ds = xpad.simulate(days=0.01, chunks=None)
            model = tell.step(lambda: xpad.load_model(path))
            if model is not None:
                tell.step(lambda: xpad.predict(ds, model).load())
            return
        opened = tell.step(lambda: xpad.open_dataset(path))
        if opened is not None:
            tell.step(lambda: repr(xpad.check(opened, progress=False)))


# -- settings -------------------------------------------------------------------------------------


def try_settings(seed: int, folder: Path, tell: Tell) -> None:
    """Cluster data that are good, with settings that may be anything."""
    import xpad

    draw = Draw(seed)
    options: dict[str, Any] = {"encoder": None, "k": 2, "epochs": 1, "max_train": 200, "n_init": 1}
    for _ in range(draw.one((1, 1, 2, 4))):
        name = draw.one(tuple(xpad.Settings().as_dict()))
        if draw.odd():
            at = int(draw.rng.integers(len(name)))
            name = draw.one(
                (name[:at] + name[at + 1 :], name.upper(), f"{name}s", name.replace("_", ""))
            )
        options[name] = draw.one(_values(name))
    verb = draw.one(("cluster", "cluster", "fit", "check"))
    ds = xpad.simulate(days=0.03, chunks=None)
    tell.about(lambda: f"xpad.{verb}(ds, {', '.join(f'{k}={v!r}' for k, v in options.items())})")
    if verb == "check":
        options = {
            name: value for name, value in options.items()
            if name not in ("encoder", "k", "epochs", "max_train", "n_init")
        }  # fmt: skip
    try:
        tell.step(lambda: getattr(xpad, verb)(ds, progress=False, **options))
    except TypeError as error:
        # Python's own word on the argument of a function that takes no others.
        if verb != "check" or "unexpected keyword" not in str(error):
            raise


def _values(name: str) -> tuple[Any, ...]:
    words = ("max", "max_energy", "90deg", "zero", "mask", "drop", "keep", "stated", "ignore", "refuse",
             "interpolate", "random", "blocks", "dense", "fast", "meanshift", "kmeans", "ward", "1D",
             "9h", "L", "measured", "missing", "Max", "auto", "-1D", "0s", "1 fortnight", "FEDU")  # fmt: skip
    numbers = (0, 1, 2, 3, 5, 0.1, 0.5, 0.9, 1.0, -1, 1e-30, 1e30, np.int64(2), np.float32(0.3), np.nan,
               (1.0, 5.0), (5.0, 1.0), (2.0, 2.0), (0, np.inf), [1.0], [1.0] * 12)  # fmt: skip
    return (*words, *numbers, *numbers, *ODD)
