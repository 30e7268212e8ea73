"""Our networks beside published ones: each contender in a process of its own, measured in alternating rounds."""

from __future__ import annotations

import dataclasses
import os
import platform
import statistics
from collections import defaultdict
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from multiprocessing import get_context
from pathlib import Path
from typing import Any

from gaitcrafter_ext.errors import DataError, GaitCrafterError

#: What is measured, and what a step of it is.
TASKS = {
    "training": "forward, backward, AdamW step",
    "sampling": "one network evaluation a clip; a sampler makes equally many with each",
    "recognition": "forward, losses, backward, SGD step",
}

#: A contender of ours -> those that it is compared with, which may be missing.
RIVALS = {
    "gaitcrafter": ("video-diffusion-pytorch", "diffusers"),
    "gaitset": ("opengait-gaitset",),
    "gaitbase": ("opengait-gaitbase",),
}

#: Seconds that a contender computes in each round; a peer's single step may take longer.
ROUND_SECONDS = 2.0

CAUSE = """GFLOP: 10^9 operations a clip, as torch counts them. Their ratio comes from patches: 2 frames x 4 x 4 pixels
become channels before the first convolution, so every layer sees 32 times fewer positions. The rest of the speed ratio
is how much of the machine each network's layers use. The quality of the peers' clips is not measured."""


@dataclass(frozen=True)
class Rate:
    """How fast a contender did a task: clips a second, a figure a round, and 10^9 operations a clip (a multiply-add is
    two)."""

    contender: str
    task: str
    label: str
    parameters: int
    batch: int
    rounds: tuple[float, ...]
    gflop: float

    @property
    def median(self) -> float:
        """Clips a second."""
        return statistics.median(self.rounds)


@dataclass(frozen=True)
class Report:
    """All figures of one run."""

    machine: dict[str, Any]
    rates: tuple[Rate, ...]
    notes: tuple[str, ...] = ()

    def ratios(self, rate: Rate) -> tuple[float, float] | None:
        """For a rival: how many times faster ours is, and how much more the rival computes."""
        for ours in self.rates:
            if ours.task == rate.task and rate.contender in RIVALS.get(ours.contender, ()):
                return ours.median / rate.median, rate.gflop / ours.gflop
        return None

    def to_json(self) -> dict[str, Any]:
        """All fields, and the figures derived from them."""
        rates = []
        for rate in self.rates:
            speed, work = self.ratios(rate) or (None, None)
            derived = {"median": rate.median, "speedup_of_ours": speed, "work_ratio": work}
            rates.append({**dataclasses.asdict(rate), **derived})
        return {"machine": self.machine, "rates": rates, "notes": self.notes}

    def __str__(self) -> str:
        """A table for each task."""
        return "\n".join(self._lines())

    def _lines(self) -> Iterator[str]:
        yield ", ".join(f"{name} {value}" for name, value in self.machine.items())
        yield "medians of alternating rounds; denoisers on clips of 30 x 64 x 48, the middle of 30 x 64 x 64"
        for task in dict.fromkeys(rate.task for rate in self.rates):
            yield f"\n{task} ({TASKS[task]})"
            yield f"  {'':<52}{'params':>8}{'batch':>7}{'clips/s':>9}{'range':>15}{'GFLOP':>8}   ratios to ours"
            yield from (self._row(rate) for rate in self.rates if rate.task == task)
        if any(rate.contender in RIVALS["gaitcrafter"] for rate in self.rates):
            yield f"\n{CAUSE}"
        yield from (f"note: {note}" for note in self.notes)

    def _row(self, rate: Rate) -> str:
        spread = f"{min(rate.rounds):.3g}-{max(rate.rounds):.3g}"
        size, ratios = f"{rate.parameters / 1e6:.1f} M", self.ratios(rate)
        figures = f"{size:>8}{rate.batch:>7}{rate.median:>9.3g}{spread:>15}{rate.gflop:>8.3g}"
        beside = "" if ratios is None else f"   speed {ratios[0]:.3g}x, GFLOP {ratios[1]:.1f}x"
        return f"  {rate.label:<52}{figures}{beside}"


class Worker:
    """A process that measures one contender; a context manager that ends it.

    Raises:
        MissingError: The contender cannot be measured here; the message says why.
        DataError: The process failed.
    """

    def __init__(self, name: str, threads: int, folder: Path | None = None) -> None:
        from gaitcrafter_ext.benchmarks import contenders

        self.name, self._measure = name, contenders.measure
        self._pool = ProcessPoolExecutor(1, mp_context=get_context("spawn"))
        try:
            #: ``label``, ``parameters``, and ``batch`` by task.
            self.about: dict[str, Any] = self._ask(contenders.introduce, threads, folder)
        except GaitCrafterError:
            self.__exit__()
            raise

    def measure(self, task: str, precision: str, seconds: float) -> tuple[float, float]:
        """Clips a second, and 10^9 operations a clip."""
        rate, gflop = self._ask(self._measure, task, precision, seconds)
        return rate, gflop

    def _ask(self, function: Callable[..., Any], *arguments: object) -> Any:
        try:
            return self._pool.submit(function, self.name, *arguments).result()
        except GaitCrafterError:
            raise
        except BrokenProcessPool:
            raise DataError(f"the measurement of {self.name} was ended by the system; was memory short?") from None
        except Exception as error:
            raise DataError(f"the measurement of {self.name} failed: {type(error).__name__}: {error}") from error

    def __enter__(self) -> Worker:
        return self

    def __exit__(self, *_: object) -> None:
        self._pool.shutdown(cancel_futures=True)


def measure_speed(
    tasks: Sequence[str],
    precision: str,
    repeats: int = 5,
    threads: int = 1,
    folder: Path | None = None,
    progress: Callable[[int, int], None] = lambda done, total: None,
) -> Report:
    """Measure every contender of some of :data:`TASKS` in ``float32`` or ``bfloat16``, in rounds.

    ``folder`` is where the peers' packages lie, if they are not installed; ``progress`` hears of measurements done and
    in all.

    Raises:
        GaitCrafterError: One of our own networks cannot be measured; what ails a rival becomes a note instead.
    """
    workers, notes = dict[str, Worker](), list[str]()
    found = defaultdict[tuple[str, str], list[tuple[float, float]]](list)

    with ExitStack() as stack:
        for name in dict.fromkeys(name for task in tasks for name in entrants(task)):
            with _noted(name, workers, notes):
                workers[name] = stack.enter_context(Worker(name, threads, folder))
        turns = [(name, task) for task in tasks for name in entrants(task) if name in workers] * repeats
        for done, (name, task) in enumerate(turns, start=1):
            if name in workers:
                with _noted(name, workers, notes):
                    found[name, task].append(workers[name].measure(task, precision, ROUND_SECONDS))
            progress(done, len(turns))
        about = {name: worker.about for name, worker in workers.items()}
    rates = tuple(_rate(name, task, about[name], figures) for (name, task), figures in found.items() if name in about)
    return Report({"processor": _processor(), "threads": threads, "precision": precision}, rates, tuple(notes))


@contextmanager
def _noted(name: str, workers: dict[str, Worker], notes: list[str]) -> Iterator[None]:
    """A rival that fails is left out from then on, with a note."""
    try:
        yield
    except GaitCrafterError as error:
        if name in RIVALS:
            raise
        notes.append(str(error))
        workers.pop(name, None)


def entrants(task: str) -> tuple[str, ...]:
    """Those who take part in a task: each of ours, then its rivals."""
    ours = ("gaitset", "gaitbase") if task == "recognition" else ("gaitcrafter",)
    return tuple(name for mine in ours for name in (mine, *RIVALS[mine]))


def _rate(name: str, task: str, about: dict[str, Any], figures: Sequence[tuple[float, float]]) -> Rate:
    batch = about["batch"][task]
    return Rate(
        name, task, about["label"], about["parameters"], batch, tuple(rate for rate, _ in figures), figures[0][1]
    )


def _processor() -> str:
    try:
        lines = Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines()
    except OSError:
        lines = []
    named = [line.partition(":")[2].strip() for line in lines if line.startswith("model name")]
    return f"{named[0] if named else platform.machine()} ({os.cpu_count()} cores)"
