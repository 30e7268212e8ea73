"""One function over many items, on several cores, results in order; and work shared by the processes of a launcher."""

from __future__ import annotations

import contextlib
import math
import multiprocessing
import os
import shutil
import signal
import sys
import threading
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from dataclasses import dataclass, field
from pathlib import Path
from typing import TypeVar

import numpy as np
from numpy.typing import NDArray

from gaitcrafter_ext.errors import StorageError
from gaitcrafter_ext.hardware import Process
from gaitcrafter_ext.silhouettes.files import FileLock, atomic_write

Item = TypeVar("Item")
Result = TypeVar("Result")


def available_cores() -> int:
    """Cores that this process may use (a scheduler may lend fewer than the machine has)."""
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


def map_in_order(
    function: Callable[[Item], Result], items: Sequence[Item], jobs: int, chunk: int = 16
) -> Iterator[Result]:
    """Yield ``function(item)`` for every item, in the items' order, computed by ``jobs`` processes, ``chunk`` at once.

    Function and items are sent to them by pickle. One job, or no more than ``chunk`` items, is done in this process.

    Raises:
        StorageError: The system ended one of the processes (memory, as a rule).
    """
    jobs = min(jobs, -(-len(items) // chunk))
    if jobs <= 1:
        yield from map(function, items)
        return
    with ProcessPoolExecutor(jobs, mp_context=_context(), initializer=_start_worker) as pool:
        try:
            yield from pool.map(function, items, chunksize=chunk)
        except BrokenProcessPool:
            raise StorageError("the system ended a worker process, most likely for memory; use fewer --jobs") from None
        finally:
            pool.shutdown(wait=True, cancel_futures=True)


def _context() -> multiprocessing.context.BaseContext:
    """Fresh processes: a fork of one that has run threads (torch, OpenCV) may hang."""
    return multiprocessing.get_context("forkserver" if sys.platform == "linux" else "spawn")


def _start_worker() -> None:
    """Leave Ctrl-C to the parent, and use one thread a process: the processes are the parallelism."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    threading.Thread(target=_end_with_parent, daemon=True).start()
    import cv2

    cv2.setNumThreads(1)


def _end_with_parent() -> None:
    """End this process when its parent does: a killed one cannot stop its workers, which would wait for ever."""
    parent = multiprocessing.parent_process()
    if parent is not None:
        parent.join()
        os._exit(1)


@dataclass(frozen=True)
class Shared:
    """Arrays that several processes make together, by files in a folder that all of them see and nothing else lies in.

    What a killed run made is taken up again; what a process left undone, another one makes.
    """

    folder: Path
    process: Process = field(default_factory=Process)

    def working(self) -> FileLock:
        """To be held while this process is at work."""
        return self._lock(self.process.rank, patience_s=5.0)  # others look into it, see is_last

    def is_last(self) -> bool:
        """Whether none is at work any more."""
        with FileLock(self.folder / "ending.lock", patience_s=math.inf):
            return not any(self._lock(rank).is_held() for rank in range(self.process.count))

    def _lock(self, rank: int, patience_s: float = 0.0) -> FileLock:
        return FileLock(self.folder / f"process-{rank}.lock", f"{self.folder} (process {rank + 1})", patience_s)

    def own_first(self, count: int) -> list[int]:
        """The numbers of all ``count`` parts, those of this process before those of others."""
        return sorted(range(count), key=lambda part: part % self.process.count != self.process.rank)

    def array(self, name: str, rows: int, make: Callable[[], NDArray[np.float32]]) -> NDArray[np.float32]:
        """The float32 array of that name and so many rows: what is kept, or else made now, unless another is at it.

        Raises:
            StorageError: The disk refuses.
        """
        path = self.folder / f"{name}.npy"
        with FileLock(path.with_suffix(".lock"), patience_s=math.inf):
            found: NDArray[np.float32] | None = None
            with contextlib.suppress(OSError, ValueError, EOFError):  # not there, or not whole
                found = np.load(path, allow_pickle=False)
            if found is None or found.dtype != np.float32 or len(found) != rows:
                found = make()
                with atomic_write(path) as file:
                    np.save(file, found, allow_pickle=False)
        return found

    def forget(self) -> None:
        """Delete what was kept."""
        shutil.rmtree(self.folder, ignore_errors=True)
