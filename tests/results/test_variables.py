"""The table of what every record gets: a new row is stored as it is, and missing where it should be."""

import numpy as np
import pytest
from helpers import made

import xpad
from xpad.model.pipeline import Pipeline
from xpad.pads.quality import OK
from xpad.results.variables import RECORD_VARIABLES, RecordVariable


def row(dtype, missing):
    return RecordVariable("shape", dtype, missing, lambda model: {})


@pytest.mark.parametrize("dtype", [np.int32, np.int64, np.float64, np.uint32, "M8[ns]"], ids=str)
def test_a_type_that_a_float32_does_not_hold_is_refused(dtype):
    with pytest.raises(TypeError, match=r"cannot hold every .* of 'shape'"):
        row(dtype, 0)


@pytest.mark.parametrize("dtype", [np.int8, np.uint8, np.int16, np.uint16, np.float16, bool])
def test_a_type_of_few_bits_is_taken(dtype):
    assert row(dtype, 0).dtype == dtype


@pytest.mark.parametrize(("dtype", "missing"), [(np.int16, -7), (np.float32, np.nan)])
def test_a_new_row_is_missing_where_a_record_is_unusable(
    fitted, tmp_path, monkeypatch, dtype, missing
):
    original = Pipeline.results

    def with_shape(self, pads, **own):
        found = original(self, pads, **own)
        return found | {"shape": np.full(len(found["flag"]), 5, dtype)}

    monkeypatch.setattr(Pipeline, "results", with_shape)
    monkeypatch.setitem(RECORD_VARIABLES, "shape", row(dtype, missing))
    ds = made(chunks={"time": 200})
    in_memory = xpad.predict(ds, fitted).compute()
    stored = xpad.predict_to_zarr(ds, fitted, tmp_path / "out.zarr", progress=False)
    for out in (in_memory, stored):
        usable = out.pad_flag.values == OK
        assert 0 < usable.sum() < usable.size
        assert out.pad_shape.dtype == dtype
        np.testing.assert_array_equal(out.pad_shape, np.where(usable, dtype(5), dtype(missing)))


def test_only_the_flag_says_more_of_unusable_records():
    assert [v.name for v in RECORD_VARIABLES.values() if v.of_unusable] == ["flag"]
