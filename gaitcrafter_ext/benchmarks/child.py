"""The benchmark's side of a worker process."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
from pathlib import Path
from types import TracebackType
from typing import Any

from gaitcrafter_ext.benchmarks.results import Contender
from gaitcrafter_ext.errors import DataError, MissingError

__all__ = ["Child"]


class Child:
    """A worker that measures one contender; a context manager that ends it.

    Args:
        name: Which contender.
        threads: Threads it computes with.
        folder: Where the peers' packages lie, if they are not installed.

    Raises:
        MissingError: The contender cannot be measured here; the message says why.
        DataError: The worker ended before its time.
    """

    def __init__(self, name: str, threads: int, folder: Path | None = None) -> None:
        command = [sys.executable, "-m", "gaitcrafter_ext.benchmarks.worker", name, str(threads)]
        self.name = name
        self._complaints = tempfile.TemporaryFile("w+")  # noqa: SIM115 - close() closes it
        self._process = subprocess.Popen(
            command + ([str(folder.resolve())] if folder else []),
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=self._complaints,
            text=True,
            env=_environment(threads),
        )
        try:
            about = self._answer()
            if "absent" in about:
                raise MissingError(about["absent"])
        except BaseException:
            self.close()
            raise
        self.torch: str = about.pop("torch")
        self.contender = Contender(**about)

    def measure(self, task: str, precision: str, seconds: float) -> dict[str, float]:
        """Rate, operations a unit and peak memory so far, as the worker tells them."""
        assert self._process.stdin is not None
        try:
            print(json.dumps({"task": task, "precision": precision, "seconds": seconds}), file=self._process.stdin)
            self._process.stdin.flush()
        except BrokenPipeError:
            pass  # the answer, or its absence, tells more
        return self._answer()

    def close(self) -> None:
        """End the worker."""
        self._process.kill()
        self._process.communicate()
        self._complaints.close()

    def __enter__(self) -> Child:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def _answer(self) -> dict[str, Any]:
        assert self._process.stdout is not None
        line = self._process.stdout.readline()
        if not line:
            code = self._process.wait()
            self._complaints.seek(0)
            last = self._complaints.read().strip().splitlines()[-1:] or ["it said nothing; was memory short?"]
            raise DataError(f"the measurement of {self.name} ended with exit code {code}: {last[0]}")
        answer: dict[str, Any] = json.loads(line)
        return answer


def _environment(threads: int) -> dict[str, str]:
    """Ours, with the threads set, threads that wait asleep, and this very package found first."""
    paths = [str(Path(__file__).parents[2]), os.environ.get("PYTHONPATH", "")]
    count = {"OMP_NUM_THREADS": str(threads), "MKL_NUM_THREADS": str(threads), "OMP_WAIT_POLICY": "PASSIVE"}
    return {**os.environ, **count, "PYTHONPATH": os.pathsep.join(path for path in paths if path)}
