"""Places are written whole or not at all, and nothing that is not xpad's own is deleted."""

import os
from pathlib import Path

import pytest
import xarray as xr

from xpad.errors import OptionError
from xpad.storage.paths import require_free, whole_or_nothing
from xpad.storage.place import Place


def ours():
    return True


def not_ours():
    return False


def store(path, **attrs):
    xr.Dataset({"a": 1}, attrs=attrs).to_zarr(path, consolidated=False, zarr_format=3)
    return Place.of(path)


RESULT = {"pad_settings": "{}", "pad_preset": "killey2023"}


def test_a_failure_leaves_what_was_there(tmp_path):
    target = tmp_path / "out"
    target.write_text("before")
    with pytest.raises(KeyError), whole_or_nothing(target, overwrite=True, ours=ours) as part:
        raise KeyError(part.write_text("half"))
    assert target.read_text() == "before"
    assert os.listdir(tmp_path) == ["out"]
    with whole_or_nothing(target, overwrite=True, ours=ours) as part:
        part.write_text("after")
    assert target.read_text() == "after"


def test_what_is_taken_or_cannot_be_is_refused(tmp_path):
    there = tmp_path / "there"
    there.mkdir()
    with pytest.raises(OptionError, match="there exists; give another name, or overwrite=True"):
        require_free(there, overwrite=False, ours=ours)
    require_free(there, overwrite=True, ours=not_ours)  # an empty folder is nobody's
    (there / "text").touch()
    require_free(there, overwrite=True, ours=ours)
    with pytest.raises(OptionError, match="is not an output of xpad, so it is not replaced"):
        require_free(there, overwrite=True, ours=not_ours)
    with pytest.raises(OptionError, match=r"folder .*nowhere does not exist, so out cannot be"):
        require_free(tmp_path / "nowhere" / "out", overwrite=False, ours=ours)
    store(tmp_path / "a.zarr")
    with pytest.raises(OptionError, match="lies inside another Zarr store"):
        require_free(tmp_path / "a.zarr" / "out", overwrite=False, ours=ours)


@pytest.mark.parametrize(
    ("attrs", "is_ours"),
    [
        (RESULT, True),
        ({"format": "xpad-model"}, True),
        ({"pad_settings": "{}"}, False),
        ({}, False),
    ],
    ids=str,
)
@pytest.mark.parametrize("url", ["{}/a.zarr", "memory://xpad-places{}/a.zarr"])
def test_only_what_xpad_wrote_is_replaced(tmp_path, url, attrs, is_ours):
    place = store(url.format(tmp_path), **attrs)
    assert place.is_ours() == is_ours
    with pytest.raises(OptionError, match="exists"):
        place.require_free(overwrite=False)
    if is_ours:
        with place.replaced(overwrite=True) as part:
            store(part.url, new=1)
        assert xr.open_zarr(place.url, consolidated=False).attrs == {"new": 1}
    else:
        with (
            pytest.raises(OptionError, match="not an output of xpad"),
            place.replaced(overwrite=True),
        ):
            pass
        assert xr.open_zarr(place.url, consolidated=False).attrs == attrs


def test_a_place_is_named_as_users_name_it(tmp_path, monkeypatch, fitted):
    """A home folder, a URL of a file: a model goes where a result would."""
    monkeypatch.setenv("HOME", str(tmp_path))
    fitted.save("~/one.zarr")
    fitted.save(f"file://{tmp_path}/two.zarr/")
    assert sorted(os.listdir(tmp_path)) == ["one.zarr", "two.zarr"]


@pytest.mark.parametrize("name", [".", "", "..", "../at work", "{}"])
def test_the_folder_at_work_in_is_not_replaced(tmp_path, monkeypatch, name, fitted):
    (tmp_path / "at work").mkdir()
    monkeypatch.chdir(tmp_path / "at work")
    path = Path(name.format(tmp_path))
    with (
        pytest.raises(OptionError, match="folder at work in, or holds it"),
        whole_or_nothing(path, overwrite=True, ours=ours),
    ):
        pass
    with pytest.raises(OptionError, match="folder at work in, or holds it"):
        fitted.save(path, overwrite=True)
    assert os.listdir(tmp_path) == ["at work"]


def test_a_name_that_goes_up_is_followed(tmp_path):
    target = tmp_path / "out" / "in" / ".."
    (tmp_path / "out" / "in").mkdir(parents=True)
    with whole_or_nothing(target, overwrite=True, ours=ours) as part:
        part.write_text("written")
    assert (tmp_path / "out").read_text() == "written"
