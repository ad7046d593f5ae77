"""Short blocks of a store, read several at once."""

import numpy as np
import xarray as xr

import xpad
from xpad.compute.chunks import in_longer_blocks


def test_short_blocks_of_a_store_are_read_several_at_once(tmp_path):
    values = np.arange(210.0).reshape(70, 3)
    ds = xr.Dataset({"J": (("time", "E"), values), "L": ("time", values[:, 0])})
    ds.chunk(time=20).to_zarr(tmp_path / "a.zarr", consolidated=False)
    stored = xr.open_zarr(tmp_path / "a.zarr", consolidated=False)
    assert in_longer_blocks(stored.L.variable, "time", 40).chunks == ((40, 30),)
    # With the lowest versions, what xpad opened is read as it is.
    for found in (xpad.open_dataset(tmp_path / "a.zarr"), stored):
        longer = in_longer_blocks(found.L.variable, "time", 40)
        xr.testing.assert_identical(longer.load(), found.L.variable.load())
        for other in (
            found.L[:50].variable,
            (2 * found.L).variable,
            found.J.variable,
            found.compute().chunk(time=20).L.variable,
            found.compute().L.variable,
        ):
            assert in_longer_blocks(other, "time", 40) is other
        assert in_longer_blocks(found.L.variable, "time", 20) is found.L.variable
