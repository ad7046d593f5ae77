"""The command line, as a user types it."""

import inspect
import json
import os
import signal
import subprocess
import sys
import time

import numpy as np
import pytest
import xarray as xr

import xpad
from xpad.accessor import PadAccessor
from xpad.cli import main, parser
from xpad.fitting.resources import FIT_OPTIONS
from xpad.settings import Settings

FAST = ["--epochs", "4", "--quiet"]

# A shell has what it runs in the background ignore Ctrl-C, and children inherit that.
HEEDS_CTRL_C = """
import signal, sys
signal.signal(signal.SIGINT, signal.default_int_handler)
from xpad.cli import main
sys.exit(main(sys.argv[1:]))
"""


@pytest.fixture(scope="module")
def store(tmp_path_factory, small_module):
    path = tmp_path_factory.mktemp("cli") / "in.zarr"
    small_module.to_zarr(path, consolidated=False)
    return path


@pytest.fixture(scope="module")
def small_module():
    from helpers import made

    return made()


@pytest.fixture(scope="module")
def clustered(store, tmp_path_factory):
    path = tmp_path_factory.mktemp("out") / "out.zarr"
    assert main(["cluster", str(store), "-o", str(path), "--k", "3", *FAST]) == 0
    return path


def test_every_setting_is_an_option_with_its_text_below_its_section():
    shown = subprocess.run(
        [sys.executable, "-m", "xpad.cli", "cluster", "--help"],
        capture_output=True,
        text=True,
        check=True,
    ).stdout
    text = " ".join(shown.split())
    assert text.startswith("usage: xpad cluster FILE [FILE ...] -o STORE [options] Fit and label")
    for setting in FIT_OPTIONS:
        assert f"--{setting.name.replace('_', '-')}" in text
        assert setting.text in text
    heads = [line for line in shown.splitlines() if line.endswith(":") and line[0] != " "]
    assert heads[2:] == [
        "resources (they do not change the result):",
        "settings: records and their normalisation:",
        "settings: split into training, validation and test:",
        "settings: autoencoder:",
        "settings: components and clusters:",
        "settings: seeds:",
    ]


def test_every_argument_of_fit_is_one_of_cluster_and_an_option():
    """Also of the accessor's methods."""
    options = vars(parser().parse_args(["cluster", "in", "-o", "out"]))
    called = {"obj": "files", "progress": "quiet"}
    for name in inspect.signature(xpad.fit).parameters:
        for also in (xpad.cluster, xpad.cluster_to_zarr):
            assert name in inspect.signature(also).parameters
        if name != "options":  # each of those: the test above
            assert called.get(name, name) in options
            for also in (PadAccessor.fit, PadAccessor.cluster):
                assert name.replace("obj", "self") in inspect.signature(also).parameters


def test_options_reach_the_settings():
    text = (
        "cluster a -o b --max-train 5 --encoder none --restore-best --energies 1 2 --normalise 90deg "
        "--patience none --background 3 --bandwidth 0.5 --quantile 0.2"
    )
    arguments = parser().parse_args(text.split())
    given = {k[4:]: v for k, v in vars(arguments).items() if k.startswith("set_")}
    assert given == {
        "max_train": 5, "encoder": None, "restore_best": True, "energies": [1.0, 2.0],
        "normalise": "90deg", "patience": None, "background": 3.0, "bandwidth": 0.5, "quantile": 0.2,
    }  # fmt: skip


def test_whole_settings_come_from_a_file(tmp_path, capsys):
    path = tmp_path / "settings.json"
    command = ["cluster", "a", "-o", "b", "--settings", str(path)]
    whole = Settings(k=3, energies=(1, 2))
    path.write_text(json.dumps(whole.as_dict()))
    assert parser().parse_args(command).settings == whole
    for text, told in [
        ('{"epocs": 3}', "'epocs' is not a setting"),
        ('{"epochs": 0}', "epochs=0 must be a whole number"),
        ("[3]", "settings.json is not a JSON object"),
        ("epochs=3", "settings.json is not JSON (Expecting value"),
        (None, "No such file"),
    ]:
        path.unlink() if text is None else path.write_text(text)
        with pytest.raises(SystemExit) as stop:
            parser().parse_args(command)
        assert stop.value.code == 2
        assert told in capsys.readouterr().err


def test_whole_settings_reach_the_fit(store, tmp_path, capsys):
    path, target = tmp_path / "settings.json", tmp_path / "out.zarr"
    path.write_text(json.dumps({"encoder": None, "k": 2}))
    command = ["cluster", str(store), "-o", str(target), "--settings", str(path), "--quiet"]
    assert main([*command, "--k", "3"]) == 1
    assert "--k cannot change it" in capsys.readouterr().err
    assert main(command) == 0
    model = xpad.load_model(target)
    assert (model.k, model.preset, model.settings) == (2, "custom", Settings(encoder=None, k=2))


def test_cluster_writes_results_coordinates_and_model(clustered, small_module):
    out = xr.open_zarr(clustered, consolidated=False)
    np.testing.assert_array_equal(out.time.values, small_module.time.values)
    np.testing.assert_array_equal(out.L.values, small_module.L.values)
    assert "FEDU" not in out
    assert out.pad_mean.dims == ("pad_cluster", "energy", "pitch_angle")
    model = xpad.load_model(clustered)
    assert model.k == 3
    again = xpad.predict(small_module, model).pad_label.values
    np.testing.assert_array_equal(out.pad_label.values, again)


def test_keep_flux(store, tmp_path, small_module):
    path = tmp_path / "o.zarr"
    assert main(["cluster", str(store), "-o", str(path), "--k", "2", "--keep-flux", *FAST]) == 0
    np.testing.assert_array_equal(
        xr.open_zarr(path, consolidated=False).FEDU.values, small_module.FEDU.values
    )


def test_existing_output_is_refused_before_any_work(store, clustered, capsys):
    before = sorted(p.stat().st_mtime_ns for p in clustered.rglob("*"))
    assert main(["cluster", str(store), "-o", str(clustered)]) == 1
    assert "--overwrite" in capsys.readouterr().err
    assert sorted(p.stat().st_mtime_ns for p in clustered.rglob("*")) == before


def test_predict_with_the_stored_model(store, clustered, tmp_path):
    path = tmp_path / "p.zarr"
    assert main(["predict", str(store), "--model", str(clustered), "-o", str(path), "--quiet"]) == 0
    a, b = (xr.open_zarr(p, consolidated=False).pad_label.values for p in (path, clustered))
    np.testing.assert_array_equal(a, b)


def test_info(store, capsys):
    assert main(["info", str(store)]) == 0
    told = capsys.readouterr().out
    assert "FEDU" in told
    assert "598 of 600 records usable" in told


def test_plot(clustered, tmp_path, capsys):
    assert main(["plot", str(clustered), "-o", str(tmp_path / "p")]) == 0
    for name in ("catalogue", "labels", "components", "training"):
        assert (tmp_path / "p" / f"{name}.png").stat().st_size > 5_000
    assert main(["plot", str(clustered), "-o", str(tmp_path / "p")]) == 1
    assert "exists" in capsys.readouterr().err


def test_plot_finds_the_only_prefix(store, tmp_path):
    path = tmp_path / "electrons.zarr"
    assert main(["cluster", str(store), "-o", str(path), "--prefix", "electrons", *FAST]) == 0
    assert main(["plot", str(path), "-o", str(tmp_path / "p")]) == 0
    assert (tmp_path / "p" / "catalogue.png").exists()


def test_plot_of_a_store_behind_a_url(store, tmp_path):
    url = "memory://cli/out.zarr"
    assert main(["cluster", str(store), "-o", url, "--k", "3", *FAST]) == 0
    assert main(["plot", url, "-o", str(tmp_path / "p")]) == 0
    assert (tmp_path / "p" / "catalogue.png").exists()


@pytest.mark.parametrize(
    ("argv", "told"),
    [
        (["info", "nothing*.cdf"], "nothing"),
        (["cluster", "nothing.cdf", "-o", "o.zarr"], "nothing.cdf"),
        (["plot", "nothing.zarr", "-o", "d"], "nothing.zarr"),
        (["predict", "x.cdf", "--model", "nothing.zarr", "-o", "o.zarr"], "nothing.zarr"),
    ],
)
def test_errors_are_one_line_without_a_traceback(argv, told, capsys, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    assert main(argv) == 1
    err = capsys.readouterr().err
    assert told in err
    assert err.startswith("xpad: ")
    assert err.count("\n") == 1
    assert list(tmp_path.iterdir()) == []


def test_wrong_usage_is_2(capsys):
    with pytest.raises(SystemExit) as stop:
        main(["cluster"])
    assert stop.value.code == 2
    capsys.readouterr()


def test_warnings_are_one_line(store, tmp_path, capsys):
    assert (
        main(
            [
                "cluster",
                str(store),
                "-o",
                str(tmp_path / "o.zarr"),
                "--k",
                "3",
                "--epochs",
                "1",
                "--quiet",
            ]
        )
        == 0
    )
    err = capsys.readouterr().err
    assert err.startswith("xpad: warning: the autoencoder has hardly learned")
    assert err.count("\n") == 1


@pytest.mark.slow
def test_ctrl_c_says_how_to_go_on(store, tmp_path):
    target = tmp_path / "o.zarr"
    work = subprocess.Popen(
        [sys.executable, "-c", HEEDS_CTRL_C, "cluster", str(store), "-o", str(target),
         "--epochs", "1000000", "--patience", "none"],
        stderr=subprocess.PIPE, stdout=subprocess.PIPE, text=True, env=os.environ,
    )  # fmt: skip
    try:
        begun = time.monotonic()
        while not list(tmp_path.glob("o.zarr.unfinished/fit/training*")):
            assert work.poll() is None, work.communicate()
            assert time.monotonic() - begun < 240, "no epoch came to its end"
            time.sleep(0.5)
        work.send_signal(signal.SIGINT)
        _, err = work.communicate(timeout=300)
    finally:
        work.kill()
    assert work.returncode == 130
    assert "interrupted; the same command again" in err
    assert "Traceback" not in err
    assert [path.name for path in tmp_path.iterdir()] == ["o.zarr.unfinished"]


@pytest.mark.slow
def test_real_fpi(shared_data, tmp_path):
    files = sorted((shared_data / "mms_fpi").glob("*.cdf"))
    path = tmp_path / "fpi.zarr"
    assert main(["cluster", *map(str, files), "-o", str(path), *FAST]) == 0
    out = xr.open_zarr(path, consolidated=False)
    assert out.pad_label.sizes == {"Epoch": 6400}
    assert (out.pad_label >= 0).sum() > 6000


@pytest.mark.slow
def test_real_hope(shared_data, tmp_path, capsys):
    files = sorted((shared_data / "rbsp_hope").glob("*.cdf"))
    path = tmp_path / "hope.zarr"
    assert main(["cluster", *map(str, files), "--variable", "FEDU", "-o", str(path), *FAST]) == 0
    out = xr.open_zarr(path, consolidated=False)
    assert out.pad_label.size == 100
    assert (out.pad_label >= 0).all()
    assert "hardly learned" in capsys.readouterr().err


@pytest.mark.slow
def test_real_jedi(shared_data, tmp_path):
    files = sorted((shared_data / "juno_jedi").glob("*PA_O.d2s"))
    path = tmp_path / "jedi.zarr"
    assert main(["cluster", *map(str, files), "-o", str(path), *FAST]) == 0
    out = xr.open_zarr(path, consolidated=False)
    label, flag = out.pad_label.values, out.pad_flag.values
    assert label.size == 1000
    assert (label >= 0).sum() == 717
    assert (flag == 1).sum() == 63
    assert (label == -1).sum() == 283


def test_real_wind(shared_data, capsys):
    files = sorted((shared_data / "no_pitch_angle").glob("*.cdf"))
    assert main(["info", *map(str, files)]) == 1
    assert "no variable has a pitch-angle axis" in capsys.readouterr().err


@pytest.mark.parametrize("command", ["cluster", "predict"])
def test_overwrite_replaces_nothing_but_our_own(command, store, clustered, tmp_path, capsys):
    folder = tmp_path / "keep"
    folder.mkdir()
    (folder / "precious").write_text("precious")
    foreign = tmp_path / "foreign.zarr"
    xr.Dataset({"x": ("i", [1.0])}).to_zarr(foreign, consolidated=False)
    note = tmp_path / "note.txt"
    note.write_text("note")
    model = ["--model", str(clustered)] if command == "predict" else FAST[:2]
    for target in (folder, foreign, note, store, store / "inside.zarr", clustered / "inside.zarr"):
        argv = [command, str(store), "-o", str(target), "--overwrite", "--quiet", *model]
        assert main(argv) == 1, target
        assert capsys.readouterr().err.count("\n") == 1
    assert (folder / "precious").read_text() == "precious"
    assert note.read_text() == "note"
    assert float(xr.open_zarr(foreign, consolidated=False).x[0]) == 1.0
    assert "FEDU" in xr.open_zarr(store, consolidated=False)


def test_store_opens_plainly_and_silently(clustered):
    import warnings

    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert xr.open_zarr(clustered).sizes["pad_cluster"] == 3


def test_info_on_a_result(clustered, capsys):
    assert main(["info", str(clustered)]) == 0
    assert "3 clusters" in capsys.readouterr().out


def test_predict_on_all_fill(small_module, clustered, tmp_path):
    empty = small_module.assign(
        FEDU=small_module.FEDU.copy(data=np.full(small_module.FEDU.shape, -1e31, "f4"))
    )
    empty.to_zarr(tmp_path / "empty.zarr", consolidated=False)
    argv = [
        "predict",
        str(tmp_path / "empty.zarr"),
        "--model",
        str(clustered),
        "-o",
        str(tmp_path / "o.zarr"),
    ]
    assert main(argv) == 0
    assert (xr.open_zarr(tmp_path / "o.zarr").pad_label == -1).all()


def test_missions_are_listed(capsys):
    assert main(["missions"]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert len(lines) == 1 + len(xpad.missions())
    assert main(["missions", "Juno", "jedi", "das2"]) == 0
    assert capsys.readouterr().out.splitlines()[1].startswith("juno.jedi-pad")
    assert main(["missions", "nowhere"]) == 1
    assert capsys.readouterr().err.startswith("xpad: no product has nowhere in its row")
