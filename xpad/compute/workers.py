"""The dask.distributed cluster that a call runs on, if there is one."""

from __future__ import annotations

import sys
from collections.abc import Callable
from typing import Any

from xpad.errors import OptionError


def client() -> Any:
    """The `distributed.Client` that a compute would go to, or None for a scheduler of this process."""
    import dask

    if "distributed" not in sys.modules or dask.config.get("scheduler", None) not in (
        None, "distributed", "dask.distributed",
    ):  # fmt: skip
        return None
    from distributed import default_client

    try:
        return default_client()
    except ValueError:
        return None


def require_worker(worker: str | None) -> tuple[Any, str]:
    """The client, and the address of a named worker; nothing for None.

    Raises
    ------
    OptionError
        There is no cluster, or it has no such worker.
    """
    if worker is None:
        return None, ""
    found = client()
    if found is None:
        raise OptionError(
            f"training_worker={worker!r} names a worker, and no dask.distributed Client is active; "
            "make one first, or leave it out to train in this process"
        )
    names: dict[str, str] = found.run_on_scheduler(_addresses)
    if worker not in names.values() and str(worker) not in names:
        told = ", ".join(f"{address} (name {name})" for name, address in names.items())
        raise OptionError(
            f"training_worker={worker!r} is no worker of the cluster; its workers are {told or 'none'}"
        )
    return found, names.get(str(worker), worker)


def _addresses(dask_scheduler: Any) -> dict[str, str]:
    return {str(state.name): address for address, state in dask_scheduler.workers.items()}


def run_on(worker: str | None, function: Callable[..., Any], *args: Any, name: str) -> Any:
    """Call a function here, or as one task on the named worker of the cluster.

    Parameters
    ----------
    worker : str or None
        Address or name of a worker.
    function : callable
    *args
        Its arguments; they travel to the worker.
    name : str
        What the dashboard calls the task.

    Raises
    ------
    OptionError
        There is no cluster, or it has no such worker.
    """
    if worker is None:
        return function(*args)
    from uuid import uuid4

    found, where = require_worker(worker)
    sent = found.scatter(list(args), workers=[where], hash=False) if args else []
    future = found.submit(
        function, *sent, workers=[where], allow_other_workers=False, pure=False,
        key=f"{name}-{uuid4().hex}",
    )  # fmt: skip
    return future.result()
