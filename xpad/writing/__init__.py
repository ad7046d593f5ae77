"""Results written to a store region by region, in bounded memory, and resumed where they were cut off.

Gives `to_zarr.cluster_to_zarr` and `to_zarr.predict_to_zarr`.
"""
