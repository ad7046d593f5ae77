"""Work on records in blocks: passes over them, threads and workers, memory, compiled loops.

Knows nothing of PADs; the words: a block is the records of one dask task, a piece those that go
through the pipeline at once.
"""
