"""One run: every contender at every task, turn about, so that a busy spell of the machine strikes all alike."""

from __future__ import annotations

import os
import platform
from collections import defaultdict
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, replace
from pathlib import Path

from gaitcrafter_ext.benchmarks.child import Child
from gaitcrafter_ext.benchmarks.results import (
    CONVOLUTION,
    OPENGAIT,
    OURS,
    PEERS,
    RECOGNISERS,
    RIVALS,
    Benchmark,
    Machine,
    Rate,
)
from gaitcrafter_ext.errors import GaitCrafterError
from gaitcrafter_ext.hardware import multiplies_bfloat16
from gaitcrafter_ext.silhouettes.parallel import available_cores

__all__ = ["PRECISIONS", "Race", "run_race", "turns", "usual_precisions"]

PRECISIONS = ("fp32", "bf16")

#: Seconds a contender computes each time it is its turn; a peer's single step may take longer.
TURN_SECONDS = 2.0

Progress = Callable[[int, int], None]


@dataclass(frozen=True)
class Race:
    """What is measured.

    Attributes:
        tasks: Some of training, sampling, recognition.
        precisions: ``fp32``, ``bf16`` or both; see :func:`usual_precisions`.
        repeats: Turns of each contender.
        threads: Threads of each worker.
        folder: Where the peers' packages lie, if they are not installed.
        turn_seconds: Least length of a turn.
    """

    tasks: tuple[str, ...]
    precisions: tuple[str, ...] = PRECISIONS
    repeats: int = 5
    threads: int = 1
    folder: Path | None = None
    turn_seconds: float = TURN_SECONDS


def usual_precisions() -> tuple[str, ...]:
    """Both, where this processor has instructions for bfloat16; one that imitates it takes hours."""
    return PRECISIONS if multiplies_bfloat16("cpu") else PRECISIONS[:1]


def run_race(race: Race, progress: Progress = lambda done, total: None) -> Benchmark:
    """Measure.

    Args:
        race: What.
        progress: Called with turns done and turns in all.

    Raises:
        GaitCrafterError: One of our own networks cannot be measured; what ails a peer becomes a note instead.
    """
    load = os.getloadavg()[0] if hasattr(os, "getloadavg") else None
    machine = Machine(_processor(), available_cores(), race.threads, "", load)
    with ExitStack() as stack:
        children, notes = _start(race, stack)
        rates = _measure(race, children, notes, progress)
        machine = replace(machine, torch=next(iter(children.values())).torch)
        contenders = tuple(child.contender for child in children.values())
    memory = {
        precision: training_memory_gb(race, precision) for precision in race.precisions if "training" in race.tasks
    }
    return Benchmark(machine, contenders, rates, memory, tuple(notes))


def turns(race: Race, names: Sequence[str]) -> Iterator[tuple[str, str, str]]:
    """(contender, task, precision) of every turn in order; neighbours in time are what will be compared."""
    entered = [(name, task) for task in race.tasks for name in entrants(task) if name in names]
    if CONVOLUTION in names:
        entered.insert(0, (CONVOLUTION, CONVOLUTION))
    for _ in range(race.repeats):
        for precision in race.precisions:
            yield from ((name, task, precision) for name, task in entered)


def entrants(task: str) -> tuple[str, ...]:
    """Names of those who take part in a task."""
    pairs = [name for ours in RECOGNISERS for name in (ours, OPENGAIT[ours])]
    return tuple(pairs) if task == "recognition" else (OURS, *PEERS)


def training_memory_gb(race: Race, precision: str) -> float:
    """Peak memory of a fresh process that trains our denoiser for a few steps at its batch size."""
    with Child(OURS, race.threads) as child:
        return child.measure("training", precision, race.turn_seconds)["peak_gb"]


def _start(race: Race, stack: ExitStack) -> tuple[dict[str, Child], list[str]]:
    """A worker for each contender, and notes about the peers that cannot be had."""
    children: dict[str, Child] = {}
    notes: list[str] = []
    for name in dict.fromkeys((CONVOLUTION, *(name for task in race.tasks for name in entrants(task)))):
        try:
            children[name] = stack.enter_context(Child(name, race.threads, race.folder if name in PEERS else None))
        except GaitCrafterError as error:
            if name not in RIVALS:
                raise
            notes.append(str(error))
    return children, notes


def _measure(race: Race, children: dict[str, Child], notes: list[str], progress: Progress) -> tuple[Rate, ...]:
    """Every turn; a peer that fails is left out from then on, with a note."""
    found: dict[tuple[str, str, str], list[dict[str, float]]] = defaultdict(list)
    order, failed = list(turns(race, list(children))), set[str]()
    for number, turn in enumerate(order):
        progress(number, len(order))
        name, task, precision = turn
        if name in failed:
            continue
        try:
            answer = children[name].measure(task, precision, race.turn_seconds)
        except GaitCrafterError as error:
            if name not in RIVALS:
                raise
            failed.add(name)
            notes.append(str(error))
        else:
            found[turn].append(answer)
    progress(len(order), len(order))
    return tuple(Rate(*turn, tuple(each["rate"] for each in of), of[0]["gflop"]) for turn, of in found.items())


def _processor() -> str:
    """The processor's name, where the system tells it."""
    try:
        lines = Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines()
    except OSError:
        lines = []
    named = [line.partition(":")[2].strip() for line in lines if line.startswith("model name")]
    return named[0] if named else platform.processor() or platform.machine()
