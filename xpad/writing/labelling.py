"""From region to region: one is computed while the next one begins and the one before is written."""

from __future__ import annotations

from concurrent.futures import Future, ThreadPoolExecutor
from functools import partial

from xpad.compute.progress import Progress
from xpad.compute.threads import in_order, side_by_side
from xpad.writing.regions import Labelled, Labelling
from xpad.writing.store import OpenStore
from xpad.writing.unfinished import Unfinished


def label_regions(
    labelling: Labelling, store: OpenStore, run: Unfinished, progress: Progress
) -> None:
    """Label and write the regions that are not yet written."""
    missing = run.missing(labelling.layout)

    def write(number: int, at: slice, found: Labelled) -> None:
        store.write(at, found.columns, labelling.packing)
        run.keep_region(number, found.sums)

    with (
        progress.step("labelling", len(missing), unit="region") as bar,
        side_by_side() as (many, threads),
        ThreadPoolExecutor(many) as labellers,
        ThreadPoolExecutor(1) as writer,
    ):
        label = partial(labelling.region, pool=threads)
        every = in_order(labellers, label, [at for _, at in missing], ahead=many - 1)
        before: Future[None] | None = None
        for (number, at), found in zip(missing, every, strict=True):
            if before is not None:
                before.result()
            before = writer.submit(write, number, at, found)
            bar.update(1)
        if before is not None:
            before.result()
