"""The processes of a launcher embed an audit's clips together, by files in one folder; the first one does the rest."""

from __future__ import annotations

import contextlib
import shutil
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from gaitcrafter_ext.errors import ConflictError
from gaitcrafter_ext.hardware import Process, this_process
from gaitcrafter_ext.silhouettes.files import FileLock, atomic_write

#: Seconds to wait for a process that does not hold its lock: it has yet to begin, or it ended.
PATIENCE_S = 300.0

Floats = NDArray[np.float32]


@dataclass(frozen=True)
class Team:
    """The processes of ``torchrun``, ``accelerate launch`` or ``srun``; without a launcher a team of one.

    Args:
        folder: Where the shares are left, on a disk that all of them see; gone at the end.
        process: Which one this is.
    """

    folder: Path
    process: Process = field(default_factory=this_process)

    @property
    def leads(self) -> bool:
        """Whether this process gathers the shares."""
        return self.process.rank == 0

    @contextlib.contextmanager
    def working(self) -> Iterator[None]:
        """Show the others that this process lives; the first one clears the folder at the end."""
        if self.process.count == 1:
            yield
            return
        with self._lock(self.process.rank, PATIENCE_S):
            yield
        if self.leads:
            shutil.rmtree(self.folder, ignore_errors=True)

    def gather(self, name: str, count: int, compute: Callable[[range], Floats]) -> Floats | None:
        """``compute(range(count))``, float32 [count, D], each process its share of the rows; None but in the first.

        ``name`` stands for everything that decides the result, so that a share which a killed run left is only ever
        taken for what it is.

        Raises:
            ConflictError: A process ended, or never began, without leaving its share.
        """
        rank, team = self.process.rank, self.process.count
        mine = compute(range(rank, count, team))
        if not self.leads:
            with atomic_write(self._share(name, rank)) as file:
                np.save(file, mine)
            return None
        shares = [mine if other == rank else self._wait_for(name, other) for other in range(team)]
        found = np.full((count, max(share.shape[1] for share in shares)), np.nan, np.float32)
        for other, share in enumerate(shares):
            if share.size:  # a process whose clips are all broken does not know D
                found[other::team] = share
        return found

    def _wait_for(self, name: str, rank: int) -> Floats:
        path, deadline = self._share(name, rank), time.monotonic() + PATIENCE_S
        while not path.is_file():
            if self._lock(rank).is_held():
                deadline = time.monotonic() + PATIENCE_S
            elif time.monotonic() > deadline:
                raise ConflictError(
                    f"process {rank} of {self.process.count} ended, or never began, without its share of the clips;"
                    " see what it said, and start all of them again"
                )
            time.sleep(0.2)
        return np.asarray(np.load(path, allow_pickle=False))

    def _lock(self, rank: int, patience_s: float = 0.0) -> FileLock:
        return FileLock(self.folder / f"{rank}.lock", f"the share of process {rank}", patience_s)

    def _share(self, name: str, rank: int) -> Path:
        return self.folder / f"{name}-{rank}-of-{self.process.count}.npy"
