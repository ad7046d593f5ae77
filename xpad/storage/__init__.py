"""Where things are written: places (paths and URLs), scratch folders, checkpoints, what a file can hold.

Knows nothing of PADs.
"""
