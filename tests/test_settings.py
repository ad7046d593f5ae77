"""Settings: one table, and what comes from it: checks, docstrings, the command line, editors' types."""

import inspect
import json
import subprocess
import sys
from collections.abc import Sequence
from dataclasses import FrozenInstanceError, fields, replace
from typing import get_args, get_type_hints

import numpy as np
import pytest
from helpers import made

import xpad
from xpad.cli import parser
from xpad.errors import OptionError, XpadWarning
from xpad.fitting.resources import FIT_OPTIONS, FitOptions, resources
from xpad.pads.normalise import NORMALISATIONS
from xpad.settings import (
    DEFAULT_PRESET,
    FAST,
    METHODS,
    PRESETS,
    EncoderName,
    KRule,
    Labeller,
    Normalise,
    Options,
    Settings,
    chosen,
    resolve,
    table,
)
from xpad.settings.table import UNUSED
from xpad.stages.encoders import ENCODERS
from xpad.stages.k_rules import K_RULES
from xpad.stages.labellers import LABELLERS

EVERY = list(table().values())
BY_NAME = pytest.mark.parametrize("setting", EVERY, ids=[s.name for s in EVERY])

NO_COUNT = [0, -1, 1.5, "5", True, float("nan")]
NO_SEED = [-1, 1.5, "5", True, 2**32]
NO_SHARE = [0, 1, 1.5, -0.1, "0.5", True, float("nan")]
# What a setting takes, as a text of the command line and as the value it stands for; what it refuses.
TAKES_REFUSES: dict[str, tuple[dict[str, object], list[object]]] = {
    "normalise": ({"max_energy": "max_energy", "90deg": "90deg"}, ["min", None, 5, ["max"]]),
    "missing": ({"mask": "mask"}, ["drop", None]),
    "energies": (
        {"1 2": (1.0, 2.0), "3 3": (3.0, 3.0), "0 inf": (0.0, float("inf"))},
        [5, (2, 1), (1,), (1, 2, 3), ("a", "b"), (None, 5), "12", (float("nan"), 1)],
    ),
    "background": (
        {"3": 3.0, "3,4": (3.0, 4.0), "none": None},
        ["3", float("nan"), (1, float("inf")), (1, "a"), True, {"a": 1}],
    ),
    "min_coverage": ({"0": 0, "1": 1, "0.5": 0.5}, [-0.1, 1.1, "0.5", True, float("nan")]),
    "min_positive": ({"3": 3}, NO_COUNT),
    "negative": ({"zero": "zero", "keep": "keep"}, ["mask", None]),
    "valid_range": (
        {"0,5": (0.0, 5.0), "ignore": "ignore"},
        [5, (2, 1), (1,), (1, 2, 3), "12", None],
    ),
    "quality": ({}, [2, "yes", None]),
    "zeros": ({"missing": "missing"}, ["drop", None, True]),
    "energy_tables": ({"refuse": "refuse"}, ["mix", None]),
    "split": ({"blocks": "blocks"}, ["days", None]),
    "block": (
        {"9h": "9h", "orbit": "orbit", "P1D": "P1D", "01:00:00": "01:00:00", "3orbits": "3orbits"},
        ["3", "1.5", "+3", "3 4", "1e3", "", "  ", "NaT", "nan", "-1D", "0h", "0.1ns", 5, None],
    ),
    "train": ({"0.3": 0.3}, NO_SHARE),
    "validation": ({"0.3": 0.3}, NO_SHARE),
    "max_train": ({"5": 5, "none": None}, NO_COUNT),
    "encoder": ({"dense": "dense", "none": None, "None": None}, ["deep", False]),
    "n_hidden": ({"5": 5, "none": None}, NO_COUNT),
    "training": ({"fast": "fast"}, ["quick", None]),
    "epochs": ({"3": 3}, [*NO_COUNT, None]),
    "min_steps": ({"0": 0, "3": 3}, [-1, 1.5, "5", True, None]),
    "batch_size": ({"3": 3}, NO_COUNT),
    "learning_rate": ({"1e-3": 1e-3}, [0, -1, "1", True, float("inf"), None]),
    "patience": ({"3": 3, "none": None}, NO_COUNT),
    "restore_best": ({}, [2, "yes", None]),
    "n_components": ({"2": 2}, NO_COUNT),
    "bandwidth": ({"0.5": 0.5, "none": None}, [0, -1, "1", True, float("nan")]),
    "quantile": ({"0.2": 0.2}, NO_SHARE),
    "n_samples": ({"7": 7}, NO_COUNT),
    "bin_seeding": ({}, [2, "yes", None]),
    "k": ({"6": 6, "meanshift": "meanshift", "none": None}, [*NO_COUNT, "elbow"]),
    "labeller": ({"ward": "ward"}, ["dbscan", None]),
    "n_init": ({"3": 3}, NO_COUNT),
    "max_ward": ({"3": 3}, NO_COUNT),
    "random_state": ({"0": 0, "none": None}, NO_SEED),
    "split_seed": ({"0": 0, str(2**32 - 1): 2**32 - 1}, [*NO_SEED, None]),
    "encoder_seed": ({"3": 3}, [*NO_SEED, None]),
    "bandwidth_seed": ({"3": 3}, [*NO_SEED, None]),
    "cluster_seed": ({"3": 3}, [*NO_SEED, None]),
}


def given(*words):
    """The settings that these words of the command line give."""
    arguments = parser().parse_args(["cluster", "in", "-o", "out", *words])
    return {k.removeprefix("set_"): v for k, v in vars(arguments).items() if k.startswith("set_")}


def option(name):
    return f"--{name.replace('_', '-')}"


# the table, and what comes from it


def test_the_table_is_the_settings():
    assert list(table()) == [f.name for f in fields(Settings)] == list(TAKES_REFUSES)
    for setting in EVERY:
        assert setting.default == getattr(Settings(), setting.name)
        assert setting.text.endswith(".")
    sections = [s.section for s in EVERY]
    assert sections == sorted(sections, key=sections.index)  # each section in one piece


@BY_NAME
def test_every_setting_takes_its_own_and_refuses_the_rest_by_name(setting):
    takes, refuses = TAKES_REFUSES[setting.name]
    for value in (setting.default, *takes.values()):
        kept = getattr(Settings(**{setting.name: value}), setting.name)
        assert kept == value
        assert type(kept) is type(value)
    for value in refuses:
        with pytest.raises(OptionError) as caught:
            Settings(**{setting.name: value})
        assert str(caught.value).startswith(f"{setting.name}={value!r} ")


@BY_NAME
def test_a_refusal_says_what_is_wanted(setting):
    with pytest.raises(OptionError) as caught:
        Settings(**{setting.name: TAKES_REFUSES[setting.name][1][0]})
    told = str(caught.value)
    words = [w for member in (setting.type, *get_args(setting.type)) for w in get_args(member)]
    for word in words:
        if isinstance(word, str) or word is None:
            assert repr(word) in told
    if "choose one of" not in told:
        assert setting.text[1:].removesuffix(".") in told


def test_the_words_of_a_choice_are_those_of_its_type():
    assert get_args(Normalise) == METHODS
    with pytest.raises(OptionError) as caught:
        Settings(encoder="no word")
    assert f"choose one of {[*get_args(EncoderName), None]}" in str(caught.value)
    with pytest.raises(OptionError, match=r"k='no word' .* at least 1, ") as caught:
        Settings(k="no word")
    for word in (*get_args(KRule), None):
        assert repr(word) in str(caught.value)


def test_a_registry_has_an_entry_for_every_word_and_no_other():
    assert set(NORMALISATIONS) == set(get_args(Normalise))
    assert set(ENCODERS) == {*get_args(EncoderName), None}
    assert set(LABELLERS) == set(get_args(Labeller))
    assert set(K_RULES) == set(get_args(KRule))


def test_a_rule_and_a_labeller_have_different_names():
    """A model's scores are by these names, side by side."""
    assert not set(K_RULES) & set(LABELLERS)


@BY_NAME
def test_an_editor_completes_what_the_table_says(setting):
    wanted = setting.type
    if tuple[float, ...] in get_args(wanted):
        # Kept as a tuple; a list or an array will do.
        wanted = float | Sequence[float] | None
    assert get_type_hints(Options)[setting.name] == wanted
    assert get_type_hints(FitOptions)[setting.name] == wanted


def test_an_editor_completes_nothing_else():
    assert list(get_type_hints(Options)) == list(table())
    assert set(get_type_hints(FitOptions)) == {s.name for s in FIT_OPTIONS}


@pytest.mark.parametrize("told", [xpad.fit, xpad.cluster, xpad.cluster_to_zarr, Settings])
def test_help_lists_every_setting(told):
    text = " ".join(inspect.getdoc(told).split())
    for setting in EVERY if told is Settings else FIT_OPTIONS:
        body = text.partition(f" {setting.name} : ")[2].partition(" : ")[0]
        assert f"default {setting.default!r} {setting.text}" in body
        if setting.own is not None:
            assert str(setting.own)[1:] in body
    for section in ("Parameters", "Returns" if told is not Settings else "Examples"):
        assert text.count(f"{section} ---") == 1


def test_help_of_a_check_lists_what_it_takes():
    text = " ".join(inspect.getdoc(xpad.check).split())
    for name in ("min_coverage", "min_positive", "energies", "background"):
        assert table()[name].text in text
        parameter = inspect.signature(xpad.check).parameters[name]
        assert parameter.default == table()[name].default


def test_help_of_a_step_lists_the_words_of_its_setting():
    text = " ".join(inspect.getdoc(xpad.normalise).split())
    assert f"method : {{{', '.join(map(repr, METHODS))}}} {table()['normalise'].text}" in text
    assert get_type_hints(xpad.normalise)["method"] == table()["normalise"].type


def test_help_says_types_as_numpydoc_does():
    for name, words in [
        ("normalise", get_args(Normalise)),
        ("encoder", (*get_args(EncoderName), None)),
    ]:
        told = ", ".join(map(repr, words))
        default = table()[name].default
        assert table()[name].told().startswith(f"{name} : {{{told}}}, default {default!r}")
    rules = ", ".join(["int", *map(repr, get_args(KRule))])
    assert table()["k"].told().startswith(f"k : {rules} or None, default None")
    assert table()["epochs"].told().endswith("A whole number of at least\n    1.")
    assert (
        resources()["storage_options"].told().startswith("storage_options : Mapping[str, Any] or ")
    )
    assert "Annotated" not in str(inspect.signature(Settings))


@BY_NAME
def test_the_command_line_reads_what_the_table_says(setting):
    takes, _ = TAKES_REFUSES[setting.name]
    for text, value in takes.items():
        read = given(option(setting.name), *text.split())
        assert list(read) == [setting.name]
        assert Settings(**read) == Settings(**{setting.name: value})
    if not takes:
        assert given(option(setting.name)) == {setting.name: True}
        assert given(f"--no-{option(setting.name)[2:]}") == {setting.name: False}


@BY_NAME
def test_the_command_line_refuses_in_the_words_of_the_table(setting, capsys):
    if setting.type in (bool, str):
        return  # any text may be the name of a variable, and a switch takes none
    words = ["nonsense"] * (2 if setting.name == "energies" else 1)
    with pytest.raises(SystemExit) as stop:
        given(option(setting.name), *words)
    assert stop.value.code == 2
    told = capsys.readouterr().err
    assert f"argument {option(setting.name)}: 'nonsense' " in told
    assert "must be a" in told or "choose one of" in told
    assert told.count("\n") == 2  # how it is used, and what is wrong


def test_the_table_knows_nothing_of_what_uses_it():
    code = (
        "import sys, xpad; print(sorted(m for m in sys.modules if m.startswith('xpad.')));"
        "import xpad.settings; print(sorted(m for m in sys.modules if m.startswith('xpad.')))"
    )
    for optimised in ([], ["-OO"]):
        run = [sys.executable, *optimised, "-c", code]
        done = subprocess.run(run, capture_output=True, text=True, check=True)
        alone, beside = done.stdout.splitlines()
        assert alone == "['xpad.accessor', 'xpad.methods']"
        parts = {m.split(".")[1] for m in eval(beside)}
        assert parts == {"accessor", "methods", "errors", "settings"}


# values


def test_settings_are_plain_values_however_they_come():
    found = Settings(
        k=np.int64(2), learning_rate=np.float32(0.5), background=np.array([0.1]),
        energies=[np.float32(1), 2], restore_best=np.True_, bin_seeding=0, block=np.str_("9h"),
    )  # fmt: skip
    assert found == Settings(
        k=2, learning_rate=0.5, background=0.1, energies=(1.0, 2.0), restore_best=True,
        bin_seeding=False, block="9h",
    )  # fmt: skip
    assert [type(v) for v in (found.k, found.learning_rate, found.background, found.bin_seeding)] == [
        int, float, float, bool,
    ]  # fmt: skip
    assert [type(v) for v in found.energies] == [float, float]
    assert hash(found) == hash(replace(found))
    with pytest.raises(FrozenInstanceError):
        found.k = 3


def test_settings_survive_json():
    for found in (Settings(), Settings(energies=(1, 2), background=[3, 4], k="meanshift"),
                 resolve(DEFAULT_PRESET, {"training": "fast"})):  # fmt: skip
        assert Settings.from_dict(json.loads(json.dumps(found.as_dict()))) == found
    with pytest.raises(
        OptionError,
        match="'epocs' is not a setting \\(did you mean 'epochs'\\?\\); the settings are background, ",
    ):
        Settings.from_dict({"epocs": 3})


def test_what_settings_must_be_together():
    with pytest.raises(OptionError, match=r"train=0\.9 and validation=0\.1 leave nothing"):
        Settings(train=0.9, validation=0.1)


def test_fast_training_sets_what_the_caller_does_not():
    settings = resolve("killey2023", {"training": "fast", "epochs": 3})
    assert (settings.epochs, settings.min_steps) == (3, 0)  # so many epochs, and no more
    for name in ("learning_rate", "patience"):
        assert getattr(settings, name) == FAST[name]
    assert resolve("killey2023", {"training": "fast"}).min_steps == FAST["min_steps"]
    both = resolve("killey2023", {"training": "fast", "epochs": 3, "min_steps": 9})
    assert (both.epochs, both.min_steps) == (3, 9)
    assert resolve("killey2023", {}).training == "published"


def test_unknown_training_is_refused():
    with pytest.raises(OptionError, match="'published', 'fast'"):
        resolve("killey2023", {"training": "quick"})


@pytest.mark.slow
def test_fast_training_takes_its_least_number_of_steps():
    model = xpad.fit(made(), training="fast", k=3, progress=False)
    assert model.settings.training == "fast"
    assert model.history.attrs["steps"] >= FAST["min_steps"]
    assert float(model.history.val_loss[-1]) < float(model.history.val_loss[0])


# settings given whole


def test_whole_settings_bear_the_name_of_the_preset_they_are(monkeypatch):
    monkeypatch.setitem(PRESETS, "other", Settings(k=6))
    own = Settings(k=7)
    assert chosen(DEFAULT_PRESET, {}, own) == ("custom", own)
    assert chosen(DEFAULT_PRESET, {}, Settings(k=6)) == ("other", PRESETS["other"])
    assert chosen(DEFAULT_PRESET, {}, Settings())[0] == DEFAULT_PRESET
    # With options, the preset is the one that is begun from.
    assert chosen("other", {"k": 7}) == ("other", own)


def test_whole_settings_are_refused_beside_others(monkeypatch):
    monkeypatch.setitem(PRESETS, "other", Settings(k=6))
    for preset, options, told in [
        ("other", {}, "preset='other' cannot change it"),
        (DEFAULT_PRESET, {"k": 3, "epochs": 4}, "k=3, epochs=4 cannot change it"),
        (DEFAULT_PRESET, {"k": None}, "k=None cannot change it"),
        (DEFAULT_PRESET, {"epocs": 4}, "'epocs' is not a setting"),
    ]:
        with pytest.raises(OptionError, match=told):
            chosen(preset, options, Settings())
    with pytest.raises(OptionError, match=r"given a dict; xpad\.Settings\.from_dict"):
        chosen(DEFAULT_PRESET, {}, {"k": 3})


def saved(model, folder):
    model.save(folder / "model.zarr")
    return folder / "model.zarr"


@pytest.mark.parametrize(
    ("options", "told"),
    [
        ({"epochs": 5, "n_hidden": 3}, "n_hidden=3 and epochs=5 have no effect with encoder=None"),
        ({"training": "fast"}, "training='fast' has no effect with encoder=None"),
        ({"max_ward": 50}, "max_ward=50 has no effect with labeller='kmeans'"),
        ({"block": "2D"}, "block='2D' has no effect with split='random'"),
        ({"bandwidth": 1.0, "quantile": 0.2}, "quantile=0.2 has no effect with bandwidth=1.0"),
        ({"random_state": 1, "split_seed": 2}, "split_seed=2 has no effect with random_state=1"),
    ],
)
def test_an_option_without_effect_is_told(options, told):
    with pytest.warns(XpadWarning) as caught:
        chosen(DEFAULT_PRESET, {"encoder": None} | options)
    assert [str(w.message) for w in caught] == [told]


def test_every_setting_that_may_have_no_effect_is_one():
    names = {name for unused in UNUSED for name in (*unused.names, unused.because)}
    assert names <= set(table())


@pytest.mark.parametrize(
    ("given", "meant"),
    [("normalize", "normalise"), ("memroy", "memory"), ("overwrit", "overwrite")],
)
def test_what_a_misspelt_option_may_have_meant(given, meant):
    with pytest.raises(OptionError, match=f"'{given}' is not a setting .did you mean '{meant}'"):
        xpad.cluster(made(), **{given: 1})


def test_a_fit_takes_whole_settings(tmp_path):
    ds = made()
    whole = Settings(encoder=None, k=3)
    wanted = xpad.fit(ds, encoder=None, k=3, progress=False)
    model = xpad.fit(ds, settings=whole, memory="1GiB", progress=False)
    assert (wanted.preset, model.preset) == (DEFAULT_PRESET, "custom")
    assert model.settings is whole
    assert ds.pad.fit(settings=whole, progress=False).settings == whole
    outs = [
        xpad.cluster(ds, settings=whole, progress=False),
        ds.pad.cluster(settings=whole, progress=False),
        xpad.cluster_to_zarr(ds, tmp_path / "out.zarr", settings=whole, progress=False),
    ]
    for out in outs:
        assert out.attrs["pad_preset"] == "custom"
        assert Settings.from_dict(json.loads(out.attrs["pad_settings"])) == whole
        np.testing.assert_array_equal(out.pad_label, xpad.predict(ds, wanted).pad_label)
    faint = r"k=11 by meanshift counts 2 mode\(s\) that hold 1, 3 of 358"
    with pytest.warns(XpadWarning, match=faint):
        named = xpad.fit(ds, settings=Settings(encoder=None, k="meanshift"), progress=False)
    with pytest.warns(XpadWarning, match=faint):
        usual = xpad.fit(ds, encoder=None, progress=False)
    assert named.k == usual.k == len(named.mode_counts)
    assert named.mode_counts.sum() == named.counts.sum() == 358
    assert f"with {', '.join(map(str, named.mode_counts))} records" in repr(named)
    assert xpad.load_model(saved(usual, tmp_path)) == usual
    for call in (xpad.fit, xpad.cluster):
        with pytest.raises(OptionError, match="k=4 cannot change it"):
            call(ds, settings=whole, k=4)
    with pytest.raises(OptionError, match="k=4 cannot change it"):
        xpad.cluster_to_zarr(ds, tmp_path / "no.zarr", settings=whole, k=4)
