"""Results written to a store region by region, in bounded memory, and resumed where they were cut off.

`to_zarr` has what users call: `cluster_to_zarr` and `predict_to_zarr`. Behind it, `unfinished` is the
folder beside a store that remembers how far a run is; `contents` says what a store is to hold and how
each variable comes there; `store` is the Zarr store itself; `regions` cuts the records and computes
what is written about some of them; `labelling` goes from region to region.
"""
