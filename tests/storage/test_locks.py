"""Locks hold against other processes and go with their own, however it ends."""

import subprocess
import sys
from pathlib import Path

import pytest

from xpad.storage.locks import discard, taken

TAKE = """
import os, signal, sys
if sys.argv[2] == "without fcntl":
    import warnings
    sys.modules["fcntl"] = None
    warnings.filterwarnings("ignore", message="only soft file lock is available")
from xpad.storage.locks import taken

lock = taken(sys.argv[1])
if sys.argv[2] == "killed":
    os.kill(os.getpid(), signal.SIGKILL)
sys.exit(lock is None)
"""

FORK = """
import os, subprocess, sys
from xpad.storage.locks import taken

lock = taken(sys.argv[1])
if os.fork() == 0:
    del lock
    sys.exit()
os.wait()
sys.exit(subprocess.run([sys.executable, "-c", sys.argv[2], sys.argv[1], ""]).returncode == 0)
"""


def another_takes(path: Path, how: str = "") -> bool:
    command = [sys.executable, "-c", TAKE, str(path), how]
    return subprocess.run(command, check=False, timeout=100).returncode == 0


def test_one_process_at_a_time(tmp_path: Path) -> None:
    lock = taken(tmp_path / "lock")
    assert lock is not None
    assert taken(tmp_path / "lock") is None
    assert not another_takes(tmp_path / "lock")
    discard(lock)
    assert not (tmp_path / "lock").exists()
    assert another_takes(tmp_path / "lock")


def test_the_lock_ends_with_its_object(tmp_path: Path) -> None:
    lock = taken(tmp_path / "lock")
    del lock
    assert another_takes(tmp_path / "lock")


@pytest.mark.skipif(sys.platform == "win32", reason="there is no SIGKILL")
def test_a_killed_process_holds_nothing(tmp_path: Path) -> None:
    another_takes(tmp_path / "lock", "killed")
    assert another_takes(tmp_path / "lock")


@pytest.mark.skipif(sys.platform == "win32", reason="there is no fork")
def test_a_fork_leaves_the_lock_to_its_parent(tmp_path: Path) -> None:
    command = [sys.executable, "-W", "ignore", "-c", FORK, str(tmp_path / "lock"), TAKE]
    assert subprocess.run(command, check=False, timeout=100).returncode == 0


def test_without_fcntl(tmp_path: Path) -> None:
    assert another_takes(tmp_path / "lock", "without fcntl")
    assert another_takes(tmp_path / "lock", "without fcntl")


def test_a_folder_that_is_not_there_or_cannot_be_written(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(OSError, match="file"):
        taken(tmp_path / "file" / "lock")
