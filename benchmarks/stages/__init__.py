"""Benchmarks of every stage for asv: time and peak memory, over the history of the code.

    cd benchmarks
    asv run --quick --python=same            # the present code, each benchmark once
    asv continuous main HEAD                 # two commits, side by side
    XPAD_BENCH_RECORDS=1_000_000 asv run     # other data

They are plain classes, which need no asv to be imported; the tests run each of them on few records.
xpad is imported where it is used, so that of a commit without some module the rest is still measured.
"""
