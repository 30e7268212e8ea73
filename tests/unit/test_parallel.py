"""Work on several processes: the same results in the same order, and one line if a process dies."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from gaitcrafter_ext.errors import StorageError
from gaitcrafter_ext.silhouettes.parallel import map_in_order


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
from tests.unit.test_parallel import note_and_wait
if __name__ == "__main__":
    list(map_in_order(note_and_wait, [sys.argv[1]] * 40, jobs=2))
"""


def note_and_wait(folder: str) -> None:
    """Note which process this is, and take long."""
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
    """What ``found`` gives as soon as that is something; nothing after a while."""
    for _ in range(300):
        if answer := found():
            return answer
        time.sleep(0.1)
    return None


def _runs(process: int) -> bool:
    """Whether there is such a process, those not counted that have ended and wait to be asked how."""
    state = subprocess.run(["ps", "-o", "stat=", "-p", str(process)], capture_output=True, text=True).stdout.strip()
    return bool(state) and not state.startswith("Z")
