"""Locks on files: what one process holds no other can take, until it lets go or has ended."""

from __future__ import annotations

import errno
import os
from pathlib import Path
from typing import Any

from filelock import FileLock, Timeout


class Lock(FileLock):
    """A lock of this process, whichever of its threads took it."""

    def __init__(self, path: str | os.PathLike[str]) -> None:
        super().__init__(path, thread_local=False)
        self._process = os.getpid()

    def __del__(self, *given: Any) -> None:
        # A fork shares the open file with its parent, whose lock would go with the fork's object.
        if os.getpid() == self._process:
            super().__del__(*given)


def taken(path: str | os.PathLike[str]) -> Lock | None:
    """Take the lock on a file, which is made where there is none; None where another process has it.

    Raises
    ------
    OSError
        The file cannot be written, or the file system has no locks.

    Examples
    --------
    >>> import tempfile
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     lock = taken(f"{folder}/lock")
    ...     print(taken(f"{folder}/lock"))
    ...     lock.release()
    None
    """
    lock = Lock(path)
    try:
        lock.acquire(timeout=0)
    except Timeout:
        return None
    except NotImplementedError as error:  # of filelock before 4, without flock
        raise OSError(errno.ENOLCK, str(error), str(path)) from error
    return lock


def discard(lock: Lock) -> None:
    """Let go of a lock, and delete its file."""
    Path(lock.lock_file).unlink(missing_ok=True)
    lock.release()
