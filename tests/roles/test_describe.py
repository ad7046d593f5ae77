"""The repr says what was recognised and guessed and what else is there, and never raises."""

from __future__ import annotations

import re
from html.parser import HTMLParser
from typing import Any

import numpy as np
import pytest
import xarray as xr
from helpers import missions
from hypothesis import given, settings
from hypothesis import strategies as st

from xpad.roles import describe as formatting


def rows(obj: Any) -> dict[str, str]:
    return dict(formatting.describe(obj))


def test_what_was_recognised() -> None:
    text = repr(missions.rept_file().pad)
    assert text.splitlines() == [
        "<xpad>",
        "    flux         FEDU  (differential flux by its units, energy × pitch angle, electron)",
        "    energy       FEDU_Energy: 12  "
        "(DEPEND FEDU_Energy (name, FIELDNAM, units MeV, values))",
        "    pitch angle  FEDU_Alpha: 17  (DEPEND FEDU_Alpha (name, units deg, values))",
        "    records      Epoch: 6",
        "    also there   FEDU_0to180, FPDU, FEDU_Unbinned_0to360, FEDU_Sector_Avg",
    ]


def test_where_the_values_are() -> None:
    found = rows(missions.hope_file())
    assert found["energy"].startswith("HOPE_ENERGY_Ele_dim: 9, values in HOPE_ENERGY_Ele  (DEPEND")
    stacked = rows(missions.fpi_file())
    assert stacked["flux"].count(" + ") == 2
    assert stacked["energy"] == "companions that differ in their energy word, stacked"
    assert rows(missions.jedi())["energy"] == "none: one energy channel"
    assert rows(missions.plain(time=12345, probe=2))["records"] == "time: 12,345 × probe: 2"
    assert rows(missions.plain())["records"] == "none"


def test_what_was_guessed() -> None:
    found = rows(missions.plain(time=2))
    assert found["pitch angle"].endswith("[guessed]")
    assert found["energy"].endswith("[guessed]")
    assert not any("guessed" in text for text in rows(missions.rept_file()).values())
    told = missions.plain(time=2).pad.assign_roles(flux="f", energy="e", pitch_angle="a")
    assert rows(told)["pitch angle"] == "a: 5  (assigned)"


def test_what_else_is_there_is_not_endless() -> None:
    ds = missions.rept_file()
    for i in range(9):
        ds[f"FEDU_{i}"] = ds.FEDU
    assert rows(ds)["also there"].endswith("and 7 more")


def test_results() -> None:
    ds = missions.with_results()
    assert rows(ds)["pad_label"] == "4 clusters, preset killey2023"
    assert "pad_mean" not in repr(ds.pad)


@pytest.mark.parametrize(
    ("obj", "reason"),
    [
        (xr.Dataset(), "no variable has a pitch-angle axis"),
        (missions.omnidirectional(), "no variable has a pitch-angle axis"),
        (xr.DataArray(3.0), "no variable has a pitch-angle axis"),
        (xr.DataArray(["a"], dims="pitch_angle"), "no variable has a pitch-angle axis"),
        (xr.Dataset(attrs={"xpad_flux": "gone"}), "the flux 'gone' is not in the Dataset"),
        (xr.Dataset(attrs={"xpad_flux": 3}), "the flux '3' is not in the Dataset"),
        (xr.Dataset({"j": ("x", [1.0])}, attrs={"xpad_energy": 3}), "energy=3"),
        (missions.plain(time=2).assign(g=missions.plain(time=2).f), "none is likelier"),
    ],
)
def test_what_is_not_recognised_is_explained(obj: Any, reason: str) -> None:
    found = rows(obj)
    assert list(found) == ["not recognised"]
    assert reason in found["not recognised"]
    assert reason.replace("'", "&#x27;") in obj.pad._repr_html_()


class _Balanced(HTMLParser):
    def __init__(self) -> None:
        super().__init__()
        self.open: list[str] = []

    def handle_starttag(self, tag: str, attrs: Any) -> None:
        self.open.append(tag)

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag


@pytest.mark.parametrize("name", missions.RAW)
def test_text_and_html_say_the_same(name: str) -> None:
    ds = missions.RAW[name]
    parser = _Balanced()
    parser.feed(ds.pad._repr_html_())
    assert not parser.open
    for role in ("flux", "energy", "pitch angle", "records"):
        assert re.search(rf"^    {role} +\S", repr(ds.pad), re.MULTILINE)
        assert f">{role}</th>" in ds.pad._repr_html_()


def test_names_are_escaped() -> None:
    ds = missions.rept().raw().rename(FEDU="<b>j</b>")
    assert "<b>j" not in ds.pad._repr_html_()
    assert "&lt;b&gt;j" in ds.pad._repr_html_()


NAMES = st.one_of(
    st.sampled_from(["FEDU", "energy", "pitch_angle", "alpha", "E", "time", "pad_label", "v1", "x",
                     "flux_low", "flux_high", "", "v1_dim", "v2_dim", "spec_bins"]),
    st.text(max_size=4),
    st.integers(0, 3),
)  # fmt: skip
ATTRS = st.dictionaries(
    st.sampled_from(["UNITS", "units", "DEPEND_0", "DEPEND_1", "DEPEND_2", "FILLVAL", "CDF",
                     "data_att", "FIELDNAM", "xpad_flux", "xpad_energy", "pad_settings", "VAR_TYPE"]),
    st.one_of(NAMES, st.none(), st.floats(), st.just({}), st.just({"VATT": {"DEPEND_1": "x"}}),
              st.just("keV"), st.just("deg"), st.just([1, "a"]), st.just(np.arange(3)),
              st.just("{}"), st.just("{broken")),
    max_size=4,
)  # fmt: skip


@st.composite
def nonsense(draw: st.DrawFn) -> xr.Dataset:
    # xarray has no index on a dimension whose name is not text.
    dims = draw(
        st.lists(NAMES.filter(lambda n: isinstance(n, str)), min_size=1, max_size=4, unique=True)
    )
    sizes = {d: draw(st.integers(0, 3)) for d in dims}
    ds = xr.Dataset(attrs=draw(ATTRS))
    for name in draw(st.lists(NAMES, max_size=5, unique=True)):
        own = (
            [name]
            if name in dims
            else draw(st.lists(st.sampled_from(dims), max_size=4, unique=True))
        )
        values = np.ones(
            [sizes[d] for d in own], draw(st.sampled_from(["f4", "i2", "U1", "M8[ns]", "?"]))
        )
        ds[name] = (own, values, draw(ATTRS))
        if draw(st.booleans()):
            ds = ds.set_coords([name])
    return ds


@given(nonsense())
@settings(max_examples=150, deadline=None)
def test_nonsense_never_raises(ds: xr.Dataset) -> None:
    assert repr(ds.pad).startswith("<xpad>")
    assert ds.pad._repr_html_().startswith("<div>")
    for name in ds.data_vars:
        repr(ds[name].pad)
