"""Small CDF files in the structure of missions' products, where their loaders look for them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from cdflib.epochs import CDFepoch

from helpers.cdf import EPOCH, INT2, REAL4, File

RECORDS = 24
PA = np.linspace(7.5, 172.5, 8)
E = np.geomspace(20, 900, 6)
UNITS = "1/(cm^2 s sr keV)"


@dataclass(frozen=True)
class Product:
    """A product as its archive stores it.

    `file` is the path below the data folder of the mission's loader; `axes` name the DEPEND_1, DEPEND_2
    of the flux, each with its values and units: (n,) are static, (records, n) vary, and what has more
    dimensions is as it is. `extra` are other variables of the file.
    """

    id: str
    mission: str
    file: str
    flux: str
    axes: Mapping[str, tuple[np.ndarray, str]]
    arguments: Mapping[str, Any]
    source: str = ""
    units: str = UNITS
    names: tuple[str, ...] = ()
    stored: str = ""
    extra: Mapping[str, tuple[np.ndarray, Mapping[str, Any]]] = field(default_factory=dict)
    master: str = ""

    @property
    def tplot(self) -> str:
        """The name of the flux in tplot's memory."""
        return self.stored or self.flux


def shape(product: Product) -> tuple[int, ...]:
    """The flux's, by its axes."""
    return (RECORDS, *(values.shape[-1] if values.ndim < 3 else values.shape[1]
                       for values, _ in product.axes.values()))  # fmt: skip


def flux_of(product: Product, seed: int = 0) -> np.ndarray:
    """What is written: two shapes of PADs, a fill here and there."""
    rng = np.random.default_rng(seed)
    angle = np.linspace(0, np.pi, 64)
    size = shape(product)
    level = rng.lognormal(3, 1, RECORDS).reshape((RECORDS, *[1] * (len(size) - 1)))
    noise = rng.lognormal(0, 0.1, size)
    bins = np.interp(np.linspace(0, 1, size[1]), np.linspace(0, 1, 64), 0.2 + np.sin(angle) ** 2)
    form = np.where(np.arange(RECORDS)[:, None] % 2, bins, bins[::-1] ** -1)
    return (level * noise * form.reshape((RECORDS, size[1], *[1] * (len(size) - 2)))).astype("f4")


def write(product: Product, folder: Path, day: np.datetime64) -> dict[str, np.ndarray]:
    """Write a product's file, and its master where its loader asks for one; the fluxes by name."""
    path = folder / product.file
    made = {
        name: flux_of(product, seed) for seed, name in enumerate(product.names or (product.flux,))
    }
    for target in [path, *([folder.parent / product.master] if product.master else [])]:
        target.parent.mkdir(parents=True, exist_ok=True)
        _write(product, target, made, day)
    return made


def _write(
    product: Product, path: Path, made: Mapping[str, np.ndarray], day: np.datetime64
) -> None:
    file = File(path, Majority="row_major")
    file.writer.write_globalattrs(
        {"Logical_source": {0: product.source}, "LOGICAL_SOURCE_DESCRIPTION": {0: "a test"},
         "PI_NAME": {0: "nobody"}, "PI_AFFILIATION": {0: "none"}}
    )  # fmt: skip
    start = CDFepoch.compute_epoch([*map(int, str(day).split("-")), 0, 0, 0, 0])
    support = {"VAR_TYPE": "support_data"}
    file.add("Epoch", EPOCH, start + 11_000.0 * np.arange(RECORDS), {**support, "UNITS": "ms"})
    depends = {f"DEPEND_{n}": name for n, name in enumerate(product.axes, start=1)}
    for name, (values, units) in product.axes.items():
        varies = values.ndim > 1 and values.shape[0] == RECORDS
        own = {**support, "UNITS": units, **({"DEPEND_0": "Epoch"} if varies else {})}
        file.add(name, REAL4, values.astype("f4"), own, varying=varies)
    fill = {"FILLVAL": [-1e31, "CDF_REAL4"], "VAR_TYPE": "data", "DISPLAY_TYPE": "spectrogram"}
    for name, values in made.items():
        file.add(
            name, REAL4, values, {**fill, "DEPEND_0": "Epoch", **depends, "UNITS": product.units}
        )
    for name, (values, attrs) in product.extra.items():
        kind = INT2 if values.dtype.kind in "iu" else REAL4
        file.add(name, kind, values, {"VAR_TYPE": "data", "DEPEND_0": "Epoch", **attrs})
    file.writer.close()


def expected(product: Product, made: Mapping[str, np.ndarray]) -> np.ndarray:
    """The values that its flux must have, sorted: a full turn is folded."""
    if len(product.axes) == 1:  # all of its variables are one flux
        return np.sort(np.concatenate([values.ravel() for values in made.values()]))
    flux, (last, unit) = made[product.flux], list(product.axes.values())[-1]
    if unit == DEG and last.max() > 181.5:
        flux = ((flux + flux[..., ::-1]) / 2)[..., : last.size // 2]
    return np.sort(flux.ravel())


def moving(values: np.ndarray, by: float = 0.05) -> np.ndarray:
    """Values that change from record to record."""
    return values * (1 + by * (np.arange(RECORDS)[:, None] % 3))


def turning() -> np.ndarray:
    """Pitch angles that turn round every record, and stray outside 0…180, as ELFIN's."""
    up = np.linspace(-1.5, 181.5, 10)
    return np.array([up if n % 2 else up[::-1] for n in range(RECORDS)])


def of_energy() -> np.ndarray:
    """Pitch angles that change with time and energy."""
    sway = np.random.default_rng(1).uniform(-4, 4, (RECORDS, 1, E.size))
    return PA[:, None] + sway


EDGES = np.stack([E * 0.9, E * 1.1])
DEG = "deg"

CODIF, PEACE, RAPID = (
    "C4_CP_CIS_CODIF_PAD_HS_H1_PF", "C1_CP_PEA_PITCH_SPIN_DEFlux", "C1_CP_RAP_PAD_E3DD",
)  # fmt: skip

PRODUCTS = [
    Product("rbsp.rept", "rbsp",
            "rbspa/l3/ect/rept/sectors/rel03/2013/rbspa_rel03_ect-rept-sci-l3_20130301_v5.0.0.cdf",
            "FEDU", {"FEDU_Alpha": (PA, DEG), "FEDU_Energy": (E, "MeV")}, {"probe": "a"},
            "rbspa_rel03_ect-rept-sci-l3"),
    Product("rbsp.rept-protons", "rbsp",
            "rbspb/l3/ect/rept/sectors/rel03/2013/rbspb_rel03_ect-rept-sci-l3_20130301_v5.0.0.cdf",
            "FPDU", {"FPDU_Alpha": (PA, DEG), "FPDU_Energy": (E, "MeV")}, {"probe": "b"},
            "rbspb_rel03_ect-rept-sci-l3"),
    Product("rbsp.mageis", "rbsp",
            "rbspa/l3/ect/mageis/sectors/rel04/2013/rbspa_rel04_ect-mageis-l3_20130301_v8.0.0.cdf",
            "FEDU", {"FEDU_Alpha": (PA, DEG), "FEDU_Energy": (moving(E), "keV")}, {"probe": "a"},
            "rbspa_rel04_ect-mageis-l3"),
    Product("rbsp.mageis-protons", "rbsp",
            "rbspb/l3/ect/mageis/sectors/rel04/2013/rbspb_rel04_ect-mageis-l3_20130301_v8.0.0.cdf",
            "FPDU", {"FPDU_Alpha": (PA, DEG), "FPDU_Energy": (moving(E), "keV")}, {"probe": "b"},
            "rbspb_rel04_ect-mageis-l3"),
    Product("rbsp.hope", "rbsp",
            "rbspa/l3/ect/hope/pitchangle/rel04/2013/rbspa_rel04_ect-hope-pa-l3_20130301_v7.1.0.cdf",
            "FEDU", {"PITCH_ANGLE": (PA, DEG), "HOPE_ENERGY_Ele": (moving(E), "eV")}, {"probe": "a"},
            "rbspa_rel04_ect-hope-pa-l3"),
    Product("rbsp.hope-ions", "rbsp",
            "rbspb/l3/ect/hope/pitchangle/rel04/2013/rbspb_rel04_ect-hope-pa-l3_20130301_v7.1.0.cdf",
            "FPDU", {"PITCH_ANGLE": (PA, DEG), "HOPE_ENERGY_Ion": (moving(E), "eV")}, {"probe": "b"},
            "rbspb_rel04_ect-hope-pa-l3", names=("FPDU", "FHEDU", "FODU")),
    Product("rbsp.rbspice", "rbsp",
            "rbspa/l3/rbspice/tofxeh/2013/rbsp-a-rbspice_lev-3_tofxeh_20130301_v1.1.2-02.cdf",
            "FPDU", {"FPDU_Alpha": (moving(PA[:6]), DEG), "FPDU_Energy": (np.tile(E, (6, 1)), "MeV")},
            {"probe": "a"}, "rbsp-a-rbspice_lev-3_TOFxEH", stored="rbspa_rbspice_l3_TOFxEH_FPDU"),
    Product("erg.hep", "ergsc",
            "satellite/erg/hep/l3/pa/2017/03/erg_hep_l3_pa_20170301_v01_01.cdf",
            "FEDU_L", {"FEDU_L_Energy": (EDGES, "keV"), "FEDU_L_Alpha": (PA, DEG)}, {},
            "erg_hep_l3_pa", stored="erg_hep_l3_FEDU_L"),
    Product("erg.hep-paspec", "ergsc",
            "satellite/erg/hep/l3/pa/2017/03/erg_hep_l3_pa_20170301_v01_01.cdf",
            "FEDU_L", {"FEDU_L_Energy": (EDGES, "keV"), "FEDU_L_Alpha": (PA, DEG)}, {},
            "erg_hep_l3_pa", stored="erg_hep_l3_FEDU_L_paspec_ene00"),
    Product("erg.lepe", "ergsc",
            "satellite/erg/lepe/l3/pa/2017/03/erg_lepe_l3_pa_20170301_v05_01.cdf",
            "FEDU", {"FEDU_Energy": (E, "eV"), "FEDU_Pitch_Angle": (PA, DEG)}, {},
            "erg_lepe_l3_pa", stored="erg_lepe_l3_pa_FEDU"),
    Product("erg.lepi", "ergsc",
            "satellite/erg/lepi/l3/pa/2017/03/erg_lepi_l3_pa_20170301_v03_00.cdf",
            "FPDU", {"FIDU_Energy": (E, "keV/q"), "FIDU_Alpha": (PA, DEG)}, {},
            "erg_lepi_l3_pa", names=("FPDU", "FHEDU", "FODU"), stored="erg_lepi_l3_pa_FPDU"),
    Product("erg.mepe", "ergsc",
            "satellite/erg/mepe/l3/pa/2017/03/erg_mepe_l3_pa_20170301_v01_01.cdf",
            "FEDU", {"FEDU_Energy": (E[::-1], "keV"), "FEDU_Alpha": (PA, DEG)}, {},
            "erg_mepe_l3_pa", names=("FEDU", "FEEDU"), stored="erg_mepe_l3_pa_FEDU"),
    Product("erg.mepi", "ergsc",
            "satellite/erg/mepi/l3/pa/2017/03/erg_mepi_l3_pa_20170301_v01_01.cdf",
            "FPDU", {"FIDU_Energy": (E[::-1], "keV/q"), "FIDU_Alpha": (PA, DEG)}, {},
            "erg_mepi_l3_pa", names=("FPDU", "FHE2DU", "FHEDU", "FOPPDU", "FODU", "FO2PDU"),
            stored="erg_mepi_l3_pa_FPDU"),
    Product("elfin.epd", "elfin",
            "elb/l2/epd/fast/electron/2021/elb_l2_epdef_20210301_v01.cdf",
            "elb_pef_hs_Epat_nflux",
            {"elb_pef_hs_epa_spec": (turning(), "#/(s-cm^2-str-MeV)"),
             "elb_pef_energies_mean": (np.geomspace(63, 6500, 16), "keV")},
            {"probe": "b"}, "elb_l2_epdef", "#/(s-cm^2-str-MeV)",
            extra={"elb_pef_hs_LCdeg": (np.full(RECORDS, 60.0), {"UNITS": "deg"}),
                   "elb_pef_hs_antiLCdeg": (np.full(RECORDS, 120.0), {"UNITS": "deg"})}),
    Product("psp.spane", "psp",
            "sweap/spe/l3/spe_sf0_pad/2020/psp_swp_spa_sf0_L3_pad_20200301_v04.cdf",
            "EFLUX_VS_PA_E", {"PITCHANGLE": (moving(PA), DEG), "ENERGY_VALS": (moving(E), "eV")}, {},
            "psp_swp_spa_sf0_L3_pad", "eV/cm2-s-ster-eV", stored="psp_spe_EFLUX_VS_PA_E"),
    Product("maven.swea", "maven",
            "swea/l2/svypad/2015/03/mvn_swe_l2_svypad_20150301_v04_r03.cdf",
            "diff_en_fluxes", {"pa": (of_energy(), DEG), "energy": (E[::-1], "eV")}, {},
            "mvn_swe_l2_svypad", "eV/cm^2-sr-s-eV"),
    Product("wind.3dp", "wind", "3dp/3dp_elpd/2005/wi_elpd_3dp_20050301_v02.cdf",
            "FLUX", {"PANGLE": (moving(PA), DEG), "ENERGY": (moving(E[::-1]), "eV")}, {},
            "wi_elpd_3dp", "1/cm^2-s-sr-eV", stored="wi_3dp_elpd_FLUX",
            master="windwind_masters/wi_elpd_3dp_00000000_v01.cdf"),
    Product("wind.swe", "wind", "swe/swe_h4/2005/wi_h4_swe_20050301_v01.cdf",
            "f_pitch_E00", {"p_angs": (PA, DEG)}, {}, "wi_h4_swe", "s^3/cm^6",
            names=tuple(f"f_pitch_E{n:02}" for n in range(4)),
            master="windwind_masters/wi_h4_swe_00000000_v01.cdf"),
    Product("stereo.swea", "stereo",
            "ahead/l2/impact/swea_pad/2010/sta_l2_swea_pad_20100301_v05.cdf",
            "pad", {"pitch": (PA, DEG), "energy": (moving(E), "eV")}, {"probe": "a"},
            "sta_l2_swea_pad", "s^3/cm^3/km^3"),
    Product("polar.timas", "polar", "timas/timas_h0/1997/po_h0_tim_19970301_v03.cdf",
            "Flux_H", {"energy": (E, "eV"), "angle": (PA, DEG)}, {}, "po_h0_tim",
            names=("Flux_H", "Flux_O", "Flux_He_1", "Flux_He_2")),
    Product("fast.teams", "fast",
            "teams/l2/pa/1998/09/fast_teams_pa_l2_19980901_08300_v02.cdf",
            "proton_distribution", {"energy_label": (E, "eV"),
                                    "pitch_angle_label": (np.arange(11.25, 360, 22.5), DEG)}, {},
            "fast_teams_pa_l2", stored="fast_teams_proton_distribution"),
    Product("fast.esa", "fast",
            "esa/l2/ees/1998/09/fa_esa_l2_ees_19980901000000_08300_v01.cdf",
            "eflux", {"pitch_angle_median": (moving(PA, 0.0) + 3, DEG),
                      "energy_median": (moving(E[::-1]), "eV")}, {}, "fa_esa_l2_ees", "eV/sr/sec",
            stored="fast_esa_eflux",
            extra={"pitch_angle": (of_energy(), {"DEPEND_1": "pitch_angle_median", "UNITS": "degrees",
                                                 "DEPEND_2": "energy_median"})}),
    Product("cluster.codif", "cluster", "codif.cdf",
            f"Differential_Particle_Flux__{CODIF}",
            {f"pitch_angle__{CODIF}": (PA, DEG), f"energy_table__{CODIF}": (E[::-1], "eV")}, {},
            units="1/cm^2-s-sr-keV"),
    Product("cluster.peace", "cluster", "peace.cdf", f"Data__{PEACE}",
            {f"Sweep_PitchAngle__{PEACE}": (moving(PA), DEG), f"Sweep_Energy__{PEACE}": (moving(E), "eV")},
            {}, units="keV/cm^2-s-str-keV"),
    Product("cluster.rapid", "cluster", "rapid.cdf", f"PAD_Electron_Dif_flux__{RAPID}",
            {f"Dimension_E__{RAPID}": (E, "keV"), f"Dimension_Pitch__{RAPID}": (PA, DEG)}, {},
            names=(f"PAD_Electron_Dif_flux__{RAPID}", f"PAD_Electron_Dif_flux_SD__{RAPID}")),
]  # fmt: skip

RBSPICE_PAD = Product(
    "rbsp.rbspice-pad",
    "rbsp",
    "rbspa/l3/rbspice/tofxeh/2013/rbsp-a-rbspice_lev-3_tofxeh_20130301_v1.1.2-02.cdf",
    "FPDU",
    {"FPDU_Alpha": (moving(PA[:6]), DEG), "FPDU_Energy": (np.tile(E / 1e3, (6, 1)), "MeV")},
    {"probe": "a"},
    "rbsp-a-rbspice_lev-3_TOFxEH",
    stored="rbspa_rbspice_l3_TOFxEH_proton_omni_0-1000keV_pad",
    extra={"Alpha": (moving(PA[:6]), {"UNITS": "deg"}), "Spin": (np.arange(RECORDS) // 4, {})},
)
