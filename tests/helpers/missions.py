"""Small hand-made data in the exact structure of the products that xpad must read.

Every flux holds `signal` of its record, energy and pitch angle, so a test can tell from the
values alone whether the axes were put in their places.
"""

from __future__ import annotations

from collections.abc import Callable, Hashable
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import xarray as xr

FLUX_UNITS = "cm!E-2!Ns!E-1!Nster!E-1!NkeV!E-1!N"
RECORDS = 6
FILL = -1e31

REPT_ALPHA = np.array([5.294, 15.88, 26.47, 37.06, 47.65, 58.24, 68.82, 79.41, 90.0, 100.6, 111.2,
                       121.8, 132.4, 142.9, 153.5, 164.1, 174.7])  # fmt: skip
REPT_ENERGY = np.array([1.8, 2.1, 2.6, 3.4, 4.2, 5.2, 6.3, 7.7, 9.9, 12.3, 15.2, 20.0])
HOPE_ALPHA = np.array([4.5, *np.arange(18, 163, 18), 175.5])
MAGEIS_ALPHA = np.array([8.18, 24.5, 40.9, 57.3, 73.6, 90, 106.4, 122.7, 139.1, 155.5, 171.8])
FPI_ALPHA = np.arange(3.0, 178, 6)


def folded(pitch_angle: Any) -> Any:
    """Pitch angles without sign or full turn: what a particle's angle to the field can be."""
    return 180 - np.abs(180 - np.abs(pitch_angle))


def signal(record: Any, energy: Any, pitch_angle: Any) -> Any:
    """The flux that every builder puts in its bins."""
    return 100 * (1 + record) * (20 + folded(pitch_angle)) / np.sqrt(energy)


def times(records: int = RECORDS) -> np.ndarray:
    start = np.datetime64("2013-01-01", "ns")
    return start + np.arange(records) * np.timedelta64(11, "s").astype("timedelta64[ns]")


@dataclass
class Product:
    """One flux variable and its axes, from which either guise is made.

    `order` is of the flux's own axes, "PE" or "EP" ("P" without energies). An
    axis that is constant has one dimension; one that varies has (records, n);
    a pitch angle of (records, energy, pitch angle) depends on energy too.
    `gone` marks bins of (records, energy, pitch angle) that hold fill.
    """

    flux: str
    order: str
    energy: Any
    pitch: Any
    energy_name: str = ""
    pitch_name: str = ""
    energy_units: str | None = "keV"
    pitch_units: str | None = "deg"
    units: str | None = FLUX_UNITS
    epoch: str = "Epoch"
    records: int = RECORDS
    fill: float = FILL
    gone: Callable[[np.ndarray], None] | None = None
    attrs: dict[str, Any] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self.energy = np.asarray(self.energy, dtype=np.float64)
        self.pitch = np.asarray(self.pitch, dtype=np.float64)
        self.energy_name = self.energy_name or f"{self.flux}_Energy"
        self.pitch_name = self.pitch_name or f"{self.flux}_Alpha"

    def axes(self) -> tuple[np.ndarray, np.ndarray]:
        """Energies and pitch angles of every bin (records, energy, pitch angle)."""
        n_energy, n_pitch = self.energy.shape[-1], self.pitch.shape[-1]
        shape = (self.records, n_energy, n_pitch)
        energy = self.energy[..., None] if self.energy.ndim == 2 else self.energy[:, None]
        pitch = self.pitch[:, None, :] if self.pitch.ndim == 2 else self.pitch
        return np.broadcast_to(energy, shape), np.broadcast_to(pitch, shape)

    def missing(self) -> np.ndarray:
        """Which bins (records, energy, pitch angle) hold fill."""
        lost = np.zeros(self.axes()[0].shape, dtype=bool)
        if self.gone is not None:
            self.gone(lost)
        return lost

    def values(self) -> np.ndarray:
        """The flux in its own order of axes, fills as stored."""
        energy, pitch = self.axes()
        record = np.arange(self.records)[:, None, None]
        with np.errstate(invalid="ignore"):
            flux = signal(record, np.abs(energy), pitch).astype("f4")
        flux[self.missing()] = self.fill
        if self.order == "P":
            return flux[:, 0, :]
        return flux.transpose(0, 2, 1) if self.order == "PE" else flux

    def _axis(self, letter: str) -> tuple[str, np.ndarray, str | None]:
        if letter == "E":
            return self.energy_name, self.energy, self.energy_units
        return self.pitch_name, self.pitch, self.pitch_units

    def raw(self) -> xr.Dataset:
        """As `cdf_to_xarray` has it."""
        dims: list[Hashable] = [self.epoch]
        coords: dict[Hashable, Any] = {self.epoch: (self.epoch, times(self.records))}
        attrs = {"DEPEND_0": self.epoch, "FILLVAL": np.float64(FILL), "VAR_TYPE": "data",
                 "VALIDMIN": 0.0, "VALIDMAX": 1e30, "FIELDNAM": self.flux}  # fmt: skip
        if self.units is not None:
            attrs |= {"UNITS": self.units, "units": self.units}
        for number, letter in enumerate(self.order, 1):
            name, values, unit = self._axis(letter)
            dim = name if values.ndim == 1 else f"{name}_dim"
            own = {"FIELDNAM": name, "FILLVAL": np.float64(FILL), "VAR_TYPE": "support_data"}
            own |= {} if unit is None else {"UNITS": unit, "units": unit}
            if values.ndim == 3:
                shape = {"EP": ("dim0", "dim1"), "PE": ("dim1", "dim0")}[self.order]
                coords[name] = ((self.epoch, *shape), values.astype("f4"), own)
            elif values.ndim == 2:
                coords[name] = ((self.epoch, dim), values.astype("f4"), own)
            else:
                coords[name] = (dim, values.astype("f4"), own)
            attrs[f"DEPEND_{number}"] = name
            dims.append(dim)
        attrs |= self.attrs
        return xr.Dataset({self.flux: (dims, self.values(), attrs)}, coords=coords)

    def tplot(self, *, metadata: bool = True) -> xr.DataArray:
        """As pyspedas's ``get_data(name, xarray=True)`` has it."""
        keys = ["v"] if len(self.order) == 1 else ["v1", "v2"]
        dims = ["time", *(f"{key}_dim" for key in keys)]
        values = self.values().astype("f4")
        array = xr.DataArray(
            np.where(values < -1e30, np.nan, values),
            dims=dims,
            coords={"time": times(self.records)},
        )
        vatt: dict[str, Any] = {"DEPEND_0": self.epoch, "FILLVAL": FILL, "FIELDNAM": self.flux}
        if self.units is not None:
            vatt["UNITS"] = self.units
        vatt |= self.attrs
        data_att: dict[str, Any] = {"coord_sys": "", "units": self.units}
        for number, (key, letter) in enumerate(zip(keys, self.order, strict=True), 1):
            name, axis, unit = self._axis(letter)
            if axis.ndim < 3:
                on = f"{key}_dim" if axis.ndim == 1 else ("time", f"{key}_dim")
                array.coords[key] = (on, axis)
            vatt[f"DEPEND_{number}"] = name
            # pyspedas repeats the flux's units where an axis has none.
            data_att[f"depend_{number}_units"] = self.units if unit is None else unit
        last = array.coords.get(keys[-1])
        if last is not None:
            array.coords["spec_bins"] = (last.dims, last.values)
        array.name = self.flux
        array.attrs = {"plot_options": {"extras": {"panel_size": 1}, "error": None}}
        if metadata:
            array.attrs |= {"CDF": {"VATT": vatt, "GATT": {"Project": ["X"]}}, "data_att": data_att}
        return array


def _gone(*index: Any) -> Callable[[np.ndarray], None]:
    def mark(lost: np.ndarray) -> None:
        lost[index] = True

    return mark


def _varying(values: np.ndarray, factor: float = 1.1, records: int = RECORDS) -> np.ndarray:
    """Two tables in turn, of which the first is the commoner."""
    table = np.repeat(np.asarray(values, float)[None], records, axis=0)
    table[1::3] *= factor
    return table


# -- one builder a product ------------------------------------------------------------------------


def rept() -> Product:
    return Product("FEDU", "PE", REPT_ENERGY, REPT_ALPHA, energy_units="MeV", gone=_gone(2))


def rept_file() -> xr.Dataset:
    """REPT's file with the many relatives of the one flux that is meant."""
    protons = Product("FPDU", "PE", [18.5, 24.9, 34.4, 46.7, 57.9, 61.5, 73.8, 92.3], REPT_ALPHA,
                      energy_units="MeV", epoch="Epoch_prot", records=4)  # fmt: skip
    half = Product("FEDU_0to180", "PE", REPT_ENERGY, np.linspace(2.5, 177.5, 36), "FEDU_Energy",
                   "FEDU_0to180_Alpha", "MeV")  # fmt: skip
    turn = Product("FEDU_Unbinned_0to360", "PE", REPT_ENERGY, np.linspace(5, 355, 36),
                   "FEDU_Energy", "FEDU_Unbinned_0to360_Alpha", "MeV")  # fmt: skip
    sector = Product("FEDU_Sector_Avg", "PE", REPT_ENERGY, REPT_ALPHA, "FEDU_Energy", "FEDU_Alpha",
                     "MeV")  # fmt: skip
    error = Product("FEDU_ERROR", "PE", REPT_ENERGY, REPT_ALPHA, "FEDU_Energy", "FEDU_Alpha", "MeV",
                    units="percent")  # fmt: skip
    every = (rept(), protons, half, turn, sector, error)
    ds = xr.merge([p.raw() for p in every], compat="override", join="exact")
    for name in ("L", "L_star", "MLT", "MLAT", "B_Calc", "B_Eq"):
        ds[name] = ("Epoch", np.linspace(1, 6, RECORDS, dtype="f4"), {"DEPEND_0": "Epoch"})
    ds["Position"] = (("Epoch", "dim0"), np.ones((RECORDS, 3), "f4"), {"UNITS": "km"})
    ds["FEDO"] = (("Epoch", "FEDU_Energy"), np.ones((RECORDS, 12), "f4"), {"UNITS": FLUX_UNITS})
    ds["FEDU_Energy_DELTA_plus"] = ("FEDU_Energy", np.ones(12, "f4"), {"UNITS": "MeV"})
    return ds


def mageis() -> Product:
    """Energies are a series in time, in which whole channels can be fill, as in the flux."""
    energy = _varying(np.geomspace(30, 4000, 8), 1.02)
    energy[:, 6] = FILL
    return Product("FEDU", "PE", energy, MAGEIS_ALPHA, gone=_gone(slice(None), 6))


def mageis_protons() -> Product:
    """The last 17 pitch angles are fill in the coordinate itself."""
    alpha = np.full(32, FILL)
    alpha[:15] = np.linspace(6, 174, 15)
    return Product("FPDU", "PE", np.geomspace(60, 1200, 5), alpha, epoch="FPDU_Epoch",
                   gone=_gone(slice(None), slice(None), slice(15, None)))  # fmt: skip


def hope() -> Product:
    def gone(lost: np.ndarray) -> None:
        lost[:, :, [0, -1]] = True

    return Product("FEDU", "PE", _varying(np.geomspace(15, 5e4, 9), 1.2), HOPE_ALPHA,
                   "HOPE_ENERGY_Ele", "PITCH_ANGLE", "eV", None, epoch="Epoch_Ele",
                   gone=gone)  # fmt: skip


def hope_file() -> xr.Dataset:
    ions = Product("FPDU", "PE", _varying(np.geomspace(25, 5e4, 9), 1.2), HOPE_ALPHA,
                   "HOPE_ENERGY_Ion", "PITCH_ANGLE", "eV", None, epoch="Epoch_Ion")  # fmt: skip
    counts = Product("Counts_E", "PE", hope().energy, HOPE_ALPHA, "HOPE_ENERGY_Ele", "PITCH_ANGLE",
                     "eV", None, epoch="Epoch_Ele", units="#")  # fmt: skip
    return xr.merge([p.raw() for p in (ions, counts, hope())], compat="override", join="exact")


def rbspice() -> Product:
    """Reversed against ECT; energies of -1 mean not applicable."""
    energy = np.r_[np.geomspace(45, 600, 12), -1, -1]
    return Product("FPDU", "EP", energy, [7.5, *np.arange(20, 161, 10), 172.5],
                   "FPDU_Energy", "PA_Midpoints",
                   gone=_gone(slice(None), slice(12, None)))  # fmt: skip


def rbspice_telescopes() -> Product:
    """Raw L3: six telescopes with a pitch angle for each record."""
    alpha = 10 + 28 * np.arange(6) + np.arange(RECORDS)[:, None]
    return Product("FPDU", "EP", np.geomspace(45, 600, 5), alpha, "FPDU_Energy", "Alpha")


def ect_combined() -> xr.Dataset:
    """Order reversed, folded pitch angles, fills in the energies, tables, no metadata but units."""
    product = ect_combined_product()
    ds = product.raw().rename(Epoch="time", energy_dim="energy_dim", alpha_local_dim="alpha")
    ds.FEDU.attrs = {"units": "1 / (keV s sr cm2)", "description": ""}
    for name, unit in (("energy", "MeV"), ("alpha_local", "deg")):
        ds[name].attrs = {"units": unit, "description": ""}
    ds = ds.reset_coords(["alpha_local"])
    ds["alpha_eq"] = ds.alpha_local.copy(data=ds.alpha_local.values * 0.7)
    ds["Lstar"] = ds.alpha_local.copy(data=np.ones_like(ds.alpha_local.values)).assign_attrs(
        units=""
    )
    return ds


def ect_combined_product() -> Product:
    energy = np.repeat(np.geomspace(1e-5, 20, 12)[None], RECORDS, axis=0)
    energy[:, :2] = -1e28
    alpha = np.repeat(np.arange(5.0, 91, 5)[None], RECORDS, axis=0)
    alpha[4] = FILL

    def gone(lost: np.ndarray) -> None:
        lost[:, :2] = True
        lost[4] = True

    return Product("FEDU", "EP", energy, alpha, "energy", "alpha_local", "MeV", gone=gone)


def feeps(suffix: str = "_pad") -> Product:
    """Energy-averaged, zeros already NaN, made by pyspedas, which leaves no metadata."""
    name = f"mms1_epd_feeps_srvy_l2_electron_intensity_70-600keV{suffix}"
    return Product(name, "P", [np.sqrt(70.0 * 600)], np.linspace(8.18, 171.82, 11), fill=np.nan,
                   gone=_gone(1, slice(None), slice(0, 3)))  # fmt: skip


def eis() -> Product:
    name = "mms1_epd_eis_extof_proton_flux_omni_pads"
    return Product(name, "PE", np.geomspace(60, 900, 6), np.arange(7.5, 180, 15), fill=np.nan)


def fpi(band: str = "low", word: str = "lowen") -> Product:
    text = {"low": "low energy bin: 0 eV - 200 eV", "mid": "mid energy bin: 200 eV - 2 keV",
            "high": "high energy bin: 2 keV - 30 keV"}[band]  # fmt: skip
    middle = {"low": 100.0, "mid": np.sqrt(200.0 * 2000), "high": np.sqrt(2e3 * 30e3)}[band]
    return Product(f"mms1_des_pitchangdist_{word}_fast", "P", [middle], FPI_ALPHA,
                   pitch_name="mms1_des_alpha_fast", units="keV/(cm^2 s sr keV)",
                   attrs={"VAR_NOTES": text,
                          "FIELDNAM": f"MMS1 FPI/DES pitchAngDist_{band}En"})  # fmt: skip


def fpi_file(suffix: str = "en", *, tplot: bool = False) -> xr.Dataset:
    """The triple, not in order of energy, and its average."""
    bands = [fpi(band, f"{band}{suffix}") for band in ("high", "low", "mid")]
    average = fpi("low", "avg")
    average.attrs = {"FIELDNAM": "average"}
    if tplot:
        arrays = [product.tplot() for product in (*bands, average)]
        return xr.Dataset({array.name: array for array in arrays})
    return xr.merge([p.raw() for p in (*bands, average)], compat="override", join="exact")


def erg_hep() -> Product:
    edges = np.geomspace(70, 1000, 7)
    return Product("FEDU_L", "EP", np.sqrt(edges[1:] * edges[:-1]), np.linspace(5.6, 174.4, 8),
                   "FEDU_L_Energy", "FEDU_L_Alpha", units="/keV-s-sr-cm2")  # fmt: skip


def erg_hep_raw() -> xr.Dataset:
    """The energies are (2, n) bounds, which come out with dimensions of their own."""
    ds = erg_hep().raw()
    edges = np.geomspace(70, 1000, 7)
    attrs = ds.FEDU_L_Energy.attrs
    ds = ds.drop_vars("FEDU_L_Energy").rename_dims(FEDU_L_Energy="FEDU_L_Energy_dim")
    bounds = np.stack([edges[:-1], edges[1:]]).astype("f4")
    return ds.assign_coords(FEDU_L_Energy=(("dim0", "dim1"), bounds, attrs))


def erg_lepe() -> Product:
    return Product("FEDU", "EP", _varying(np.geomspace(20, 2e4, 8), 1.5),
                   np.linspace(5.6, 174.4, 8), "FEDU_Energy", "FEDU_Angle", "eV",
                   units="/eV-s-sr-cm2")  # fmt: skip


def erg_mepe() -> Product:
    energy = np.geomspace(7, 87, 8)[[3, 0, 7, 1, 2, 6, 4, 5]]
    return Product("FEDU", "EP", energy, np.linspace(5.6, 174.4, 8), units="/s-cm^{2}-sr-keV")


def elfin(records: int = RECORDS) -> Product:
    """Pitch angles vary, turn round every half spin, stray outside 0…180, have the flux's units."""
    rng = np.random.default_rng(0)
    up = np.linspace(-1.5, 181.5, 10)
    pitch = np.array([up if i % 2 == 0 else up[::-1] for i in range(records)])
    pitch[:, 1:-1] += rng.uniform(-3, 3, (records, 8))
    units = "#/(s-cm^2-str-MeV)"
    return Product("ela_pef_hs_nflux", "PE", np.geomspace(63, 6500, 16), pitch,
                   "ela_pef_energies_mean", "ela_pef_hs_epa_spec", pitch_units=units, units=units,
                   records=records, gone=_gone(slice(None), slice(None), [0, -1]))  # fmt: skip


def cluster_codif() -> Product:
    return Product("pad_p", "PE", np.geomspace(25, 38e3, 12)[::-1], np.linspace(5.6, 174.4, 16),
                   "energy_table__C4_CP_CIS", "pitch_angle_table__C4_CP_CIS", "eV",
                   units="ions/(cm^2 s sr keV)")  # fmt: skip


def psp_spane() -> Product:
    pitch = np.linspace(7.5, 172.5, 12) + np.array([[0.0], [1.0], [0.0]] * 2)
    return Product("EFLUX_VS_PA_E", "PE", _varying(np.geomspace(2, 2e3, 10)[::-1], 1.3), pitch,
                   "ENERGY_VALS", "PITCHANGLE", "eV", units="eV/cm2-s-ster-eV", fill=np.nan,
                   gone=_gone(3, slice(None), 2))  # fmt: skip


def maven_swea() -> Product:
    """Pitch angles depend on time and energy; energies descend."""
    rng = np.random.default_rng(1)
    pitch = np.linspace(10, 170, 7) + rng.uniform(-4, 4, (RECORDS, 5, 1))
    return Product("diff_en_fluxes", "PE", np.geomspace(3, 4600, 5)[::-1], pitch, "energy", "pa",
                   "eV", units="eV/cm^2-sr-s-eV")  # fmt: skip


def fast_esa() -> Product:
    """A full turn of pitch angles; energies descend."""
    half = np.arange(5.3, 180, 22.5)
    return Product("data", "EP", np.geomspace(4, 3e4, 6)[::-1], np.r_[half, 360 - half], "energy",
                   "pitch_angle", "eV", units="eV/cm^2-s-sr-eV")  # fmt: skip


def wind_elpd() -> Product:
    return Product("FLUX", "PE", np.geomspace(5, 1100, 15)[::-1], np.linspace(11, 169, 8), "ENERGY",
                   "PANGLE", "eV", units="1/cm^2-s-sr-eV")  # fmt: skip


def jedi() -> xr.Dataset:
    """One energy, in a scalar coordinate; the data's fill is not the header's."""
    product = Product("Intensity", "P", [474.3], FPI_ALPHA, pitch_name="pitch_angle",
                      units="c/s/ster/cm^2/keV", epoch="time", fill=-1e38,
                      gone=_gone(1))  # fmt: skip
    ds = product.raw()
    ds.Intensity.attrs |= {"FILLVAL": -1e31, "species": "O", "FIELDNAM": "Intensity"}
    return ds.assign_coords(energy=((), 474.3, {"units": "keV"}))


def jedi_product() -> Product:
    return Product("Intensity", "P", [474.3], FPI_ALPHA, gone=_gone(1))


def amda_jedi() -> xr.Dataset:
    """Look directions whose pitch angles lie in another variable, which nothing links."""
    alpha = 20 + 25.0 * np.arange(6) + 2 * np.arange(RECORDS)[:, None]
    flux = signal(np.arange(RECORDS)[:, None], 1.0, alpha).astype("f4")
    return xr.Dataset(
        {
            "jedi_e90_fluxpad": (("time", "dim0"), flux, {"units": "1/(cm2.s.sr.keV)"}),
            "jedi_e90_pa": (("time", "dim0"), alpha.astype("f4"), {"units": "deg"}),
        },
        coords={"time": times()},
    )


def plain(**sizes: int) -> xr.Dataset:
    """Hand-made, without any metadata; `sizes` are the record dimensions."""
    energy, pitch = np.geomspace(10, 1000, 4), np.linspace(10, 170, 5)
    shape = tuple(sizes.values())
    record = np.arange(np.prod(shape, dtype=int)).reshape(*shape, 1, 1)
    return xr.Dataset(
        {"f": ((*sizes, "e", "a"), signal(record, energy[:, None], pitch))},
        coords={"e": energy, "a": pitch},
    )


def omnidirectional() -> xr.Dataset:
    ds = rept_file()
    return ds[["FEDO", "L", "Position"]].drop_vars("FEDU_Alpha", errors="ignore")


def with_results(prefix: str = "pad") -> xr.Dataset:
    """A Dataset that already went through `cluster`."""
    ds = rept_file()
    ds[f"{prefix}_label"] = ("Epoch", np.zeros(RECORDS, "i2"))
    ds[f"{prefix}_pc"] = (("Epoch", f"{prefix}_component"), np.zeros((RECORDS, 3), "f4"))
    ds[f"{prefix}_mean"] = (
        (f"{prefix}_cluster", "FEDU_Alpha", "FEDU_Energy"),
        np.ones((4, 17, 12), "f4"),
        {"UNITS": FLUX_UNITS},
    )
    return ds.assign_attrs({f"{prefix}_settings": "{}", f"{prefix}_preset": "killey2023"})


ALL: dict[str, Product] = {
    "rept": rept(),
    "mageis": mageis(),
    "mageis protons": mageis_protons(),
    "hope": hope(),
    "rbspice": rbspice(),
    "rbspice telescopes": rbspice_telescopes(),
    "feeps": feeps(),
    "eis": eis(),
    "fpi band": fpi(),
    "erg hep": erg_hep(),
    "erg lepe": erg_lepe(),
    "erg mepe": erg_mepe(),
    "elfin": elfin(),
    "cluster codif": cluster_codif(),
    "psp span-e": psp_spane(),
    "maven swea": maven_swea(),
    "fast esa": fast_esa(),
    "wind elpd": wind_elpd(),
}


def check_flux(flux: xr.DataArray, product: Product) -> None:
    """The canonical flux holds the signal of its own coordinates, and misses what was fill."""
    *records, energy_dim, pitch_dim = flux.dims
    assert (energy_dim, pitch_dim) == ("energy", "pitch_angle")
    assert flux.dtype == np.float32
    assert [flux.sizes[d] for d in records] == [product.records]
    energy = flux.coords.get("energy_table", flux.coords.get("energy"))
    pitch = flux.coords.get("pitch_angle_table", flux.coords.get("pitch_angle"))
    record = xr.DataArray(np.arange(product.records), dims=records)
    expected = signal(record, energy, pitch).transpose(*flux.dims)
    measured = np.isfinite(flux.values)
    np.testing.assert_allclose(flux.values[measured], expected.values[measured], rtol=2e-4)
    own_energy, own_pitch = product.axes()
    placed = (own_energy > 0) & (own_pitch > -90) & ~product.missing()
    # Bins of one place become one: as many are measured as there are places.
    angle = folded(np.round(own_pitch, 3))
    for i in range(product.records):
        places = set(zip(own_energy[i][placed[i]], np.round(angle[i][placed[i]], 2), strict=True))
        merged = "pitch_angle_table" not in flux.coords
        assert measured[i].sum() == (len(places) if merged else placed[i].sum())


RAW: dict[str, xr.Dataset] = {name: product.raw() for name, product in ALL.items()}
RAW |= {"erg hep": erg_hep_raw(), "ect combined": ect_combined()}
PRODUCTS = ALL | {"ect combined": ect_combined_product()}
TPLOT = {name: product.tplot() for name, product in ALL.items() if name != "maven swea"}
