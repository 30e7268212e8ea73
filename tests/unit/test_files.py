"""Nothing half-written, locks that die with their process, and work on several processes in the items' order."""

from __future__ import annotations

import errno
import os
import stat
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any
from unittest import mock

import filelock
import pytest

from gaitcrafter_ext.errors import ConflictError, StorageError
from gaitcrafter_ext.silhouettes.files import FileLock, atomic_write, atomic_write_text
from gaitcrafter_ext.silhouettes.parallel import map_in_order


def names(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir())


def test_a_file_appears_with_its_content_and_nothing_else(tmp_path: Path) -> None:
    with atomic_write(tmp_path / "deep" / "a.bin") as file:
        file.write(b"new")
        assert not (tmp_path / "deep" / "a.bin").exists()
    assert (tmp_path / "deep" / "a.bin").read_bytes() == b"new"
    assert names(tmp_path / "deep") == ["a.bin"]
    with atomic_write(tmp_path / "view" / "a", staging=tmp_path) as file:
        file.write(b"x")
        assert not (tmp_path / "view").exists()
    assert names(tmp_path) == ["deep", "view"]


@pytest.mark.skipif(os.name == "nt", reason="rights of POSIX")
def test_text_is_utf_8_and_the_umask_decides_who_may_read(tmp_path: Path) -> None:
    before = os.umask(0o022)
    try:
        atomic_write_text(tmp_path / "a.txt", "é\n")
    finally:
        os.umask(before)
    assert (tmp_path / "a.txt").read_bytes() == "é\n".encode()
    assert stat.S_IMODE((tmp_path / "a.txt").stat().st_mode) == 0o644


def test_a_failure_keeps_the_old_file_and_leaves_nothing_behind(tmp_path: Path) -> None:
    (tmp_path / "a").write_text("old")
    with pytest.raises(KeyboardInterrupt), atomic_write(tmp_path / "a") as file:  # noqa: PT012
        file.write(b"half")
        raise KeyboardInterrupt
    assert (tmp_path / "a").read_text() == "old"
    assert names(tmp_path) == ["a"]


def test_what_the_disk_refuses_is_one_line(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for number, words in ((errno.ENOSPC, "the disk is full"), (errno.EACCES, "no permission")):
        monkeypatch.setattr(os, "fsync", mock.Mock(side_effect=OSError(number, os.strerror(number))))
        with pytest.raises(StorageError, match=rf"\A.*a.bin.*{words}.*\Z"), atomic_write(tmp_path / "a.bin") as file:
            file.write(b"half")
        assert names(tmp_path) == []


HOLD = """
import sys, time
from gaitcrafter_ext.silhouettes.files import FileLock
with FileLock(sys.argv[1]):
    print("held", flush=True)
    time.sleep(60)
"""


def test_a_lock_is_refused_while_held_and_free_once_its_process_is_killed(tmp_path: Path) -> None:
    path = tmp_path / "shard-1"
    with subprocess.Popen([sys.executable, "-c", HOLD, str(path)], stdout=subprocess.PIPE) as holder:
        assert holder.stdout is not None
        holder.stdout.readline()
        with pytest.raises(ConflictError, match="shard 1/4 is being worked on"), FileLock(path, "shard 1/4"):
            pass
        holder.kill()
    for _ in range(2):
        with FileLock(path):
            pass


def test_a_lock_can_be_waited_for(tmp_path: Path) -> None:
    held, waited = FileLock(tmp_path / "lock"), list[str]()
    with held:
        release = threading.Timer(0.1, held.__exit__)
        release.start()
        with FileLock(tmp_path / "lock", patience_s=20, waiting=lambda: waited.append("waiting")):
            assert waited == ["waiting"]
        release.join()


def test_where_files_cannot_be_locked_a_file_is_the_lock(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(filelock.FileLock, "acquire", mock.Mock(side_effect=NotImplementedError))
    with FileLock(tmp_path / "lock"), pytest.raises(ConflictError), FileLock(tmp_path / "lock"):
        pass
    with FileLock(tmp_path / "lock"):
        pass


def test_results_keep_the_order_of_the_items_and_errors_their_class() -> None:
    assert list(map_in_order(abs, range(-40, 0), jobs=2)) == list(range(40, 0, -1))
    with pytest.raises(ValueError, match="invalid literal"):
        list(map_in_order(int, ["1"] * 39 + ["x"], jobs=2))
    here: list[int] = []
    list(map_in_order(here.append, range(16), jobs=8))
    assert here == list(range(16)), "little work stays in this process"


def test_a_process_that_dies_is_one_line() -> None:
    with pytest.raises(StorageError, match=r"ended a worker process.*fewer --jobs"):
        list(map_in_order(os._exit, [1] * 40, jobs=2))


PARENT = """
import sys, time
from gaitcrafter_ext.silhouettes.parallel import map_in_order
from tests.unit.test_files import note_and_wait
if __name__ == "__main__":
    list(map_in_order(note_and_wait, [sys.argv[1]] * 40, jobs=2))
"""


def note_and_wait(folder: str) -> None:
    (Path(folder) / str(os.getpid())).touch()
    time.sleep(0.2)


@pytest.mark.slow
@pytest.mark.skipif(os.name == "nt", reason="needs POSIX signals")
def test_workers_end_when_their_parent_is_killed(tmp_path: Path) -> None:
    script, noted = tmp_path / "parent.py", tmp_path / "noted"
    script.write_text(PARENT)
    noted.mkdir()
    environment = {**os.environ, "PYTHONPATH": str(Path(__file__).parents[2])}
    parent = subprocess.Popen([sys.executable, str(script), str(noted)], env=environment)
    workers = _until(lambda: [int(path.name) for path in noted.iterdir()])
    parent.kill()
    parent.wait()
    assert _until(lambda: not any(map(_runs, workers)))


def _until(found: Callable[[], Any]) -> Any:
    for _ in range(300):
        if answer := found():
            return answer
        time.sleep(0.1)
    return None


def _runs(process: int) -> bool:
    """Whether there is such a process, those not counted that have ended and wait to be asked how."""
    state = subprocess.run(["ps", "-o", "stat=", "-p", str(process)], capture_output=True, text=True).stdout.strip()
    return bool(state) and not state.startswith("Z")
