"""One function over many items, on several cores, results in order."""

from __future__ import annotations

import multiprocessing
import os
import signal
import sys
import threading
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from typing import TypeVar

from gaitcrafter_ext.errors import StorageError

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
