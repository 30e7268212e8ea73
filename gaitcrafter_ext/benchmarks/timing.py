"""Timing: a unit of work, again and again until the clock has something to say."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from typing import Protocol

from torch.utils.flop_counter import FlopCounterMode

from gaitcrafter_ext.benchmarks.results import GIGA, Contender

__all__ = ["Stopwatch", "Subject", "Work", "timed_rate"]

Work = Callable[[str], float]
"""Does one piece of work in the given precision and returns how many units that was."""


class Subject(Protocol):
    """What can be measured."""

    contender: Contender

    def measure(self, task: str, precision: str, seconds: float) -> tuple[float, float]:
        """Units a second over at least so many seconds, and 10^9 operations a unit."""


def timed_rate(work: Callable[[], float], seconds: float, clock: Callable[[], float] = time.perf_counter) -> float:
    """Units a second of work repeated until ``seconds`` have passed, at least once."""
    units, started = 0.0, clock()
    while True:
        units += work()
        passed = clock() - started
        if passed >= seconds:
            return units / passed


class Stopwatch:
    """Measures work; the first of each kind is a warm-up, in which the operations are counted.

    Args:
        contender: Whose work.
        works: Task -> work.
    """

    def __init__(self, contender: Contender, works: Mapping[str, Work]) -> None:
        self.contender, self._works = contender, works
        self._gflop: dict[tuple[str, str], float] = {}

    def measure(self, task: str, precision: str, seconds: float) -> tuple[float, float]:
        """Units a second over at least so many seconds, and 10^9 operations a unit."""
        work = self._works[task]
        if (task, precision) not in self._gflop:
            with FlopCounterMode(display=False) as counter:
                units = work(precision)
            self._gflop[task, precision] = counter.get_total_flops() / GIGA / units
        return timed_rate(lambda: work(precision), seconds), self._gflop[task, precision]
