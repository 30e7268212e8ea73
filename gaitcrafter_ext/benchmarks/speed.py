"""Our networks beside published ones: each contender in a process of its own, measured in alternating rounds."""

from __future__ import annotations

import dataclasses
import os
import platform
import resource
import statistics
import sys
from collections import defaultdict
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from contextlib import ExitStack
from dataclasses import dataclass, field
from multiprocessing import get_context
from pathlib import Path
from typing import Any

from gaitcrafter_ext.errors import DataError, GaitCrafterError
from gaitcrafter_ext.hardware import multiplies_bfloat16
from gaitcrafter_ext.silhouettes.parallel import available_cores

__all__ = [
    "OPENGAIT",
    "OURS",
    "PEERS",
    "PRECISIONS",
    "RECOGNISERS",
    "TASKS",
    "Contender",
    "Rate",
    "Report",
    "Worker",
    "measure_speed",
    "peak_memory_gb",
    "rounds",
    "usual_precisions",
]

TASKS, PRECISIONS = ("training", "sampling", "recognition"), ("fp32", "bf16")

#: Names of the contenders: our denoiser, published ones, our recognisers, and OpenGait's.
OURS, PEERS, RECOGNISERS = "gaitcrafter", ("video-diffusion-pytorch", "diffusers"), ("gaitset", "gaitbase")
OPENGAIT = {name: f"opengait-{name}" for name in RECOGNISERS}

#: Contender -> the one of ours that it is compared with. They may be missing.
RIVALS = {**dict.fromkeys(PEERS, OURS), **{theirs: ours for ours, theirs in OPENGAIT.items()}}

#: Seconds that a contender computes in each round; a peer's single step may take longer.
ROUND_SECONDS = 2.0

CAUSE = """GFLOP: 10^9 operations a clip, as torch counts them. Their ratio comes from patches: 2 frames x 4 x 4 pixels
become channels before the first convolution, so every layer sees 32 times fewer positions. The rest of the speed ratio
is how much of the machine each network's layers use. The quality of the peers' clips is not measured."""

WHAT = {
    "training": "training (forward, backward, AdamW step), clips/s",
    "sampling": "sampling (one network evaluation a clip; a sampler makes equally many with each), clips/s",
    "recognition": "recognition (a training iteration: forward, losses, backward, SGD step), iterations/s",
}
HEADER = ("", "params", "batch", "rate", "range", "GFLOP", "speed ratio", "GFLOP ratio")


@dataclass(frozen=True)
class Contender:
    """One network; ``batch`` maps a task to the clips computed at once."""

    name: str
    label: str
    parameters: int
    batch: dict[str, int]


@dataclass(frozen=True)
class Rate:
    """How fast a contender did a task.

    ``repetitions`` are units a second, one figure a round: clips, or training iterations in recognition. ``gflop`` is
    10^9 operations a unit, a multiply-add counted as two.
    """

    contender: str
    task: str
    precision: str
    repetitions: tuple[float, ...]
    gflop: float

    @property
    def median(self) -> float:
        """Units a second."""
        return statistics.median(self.repetitions)


@dataclass(frozen=True)
class Report:
    """All figures of one run; ``memory_gb`` is the peak of a process that trains our denoiser, by precision."""

    machine: dict[str, Any]
    contenders: tuple[Contender, ...]
    rates: tuple[Rate, ...]
    memory_gb: dict[str, float] = field(default_factory=dict)
    notes: tuple[str, ...] = ()

    def ratios(self, rate: Rate) -> dict[str, float | None]:
        """For a rival: how many times faster ours is, and how much more the rival computes."""
        wanted = (RIVALS.get(rate.contender), rate.task, rate.precision)
        ours = next((each for each in self.rates if (each.contender, each.task, each.precision) == wanted), None)
        return {
            "speedup_of_ours": None if ours is None else ours.median / rate.median,
            "work_ratio": None if ours is None else rate.gflop / ours.gflop,
        }

    def to_json(self) -> dict[str, Any]:
        """All fields, and the figures derived from them."""
        rates = [{**dataclasses.asdict(rate), "median": rate.median, **self.ratios(rate)} for rate in self.rates]
        return {**dataclasses.asdict(self), "rates": rates}

    def __str__(self) -> str:
        """One table a task and precision."""
        return "\n".join(self._lines())

    def _lines(self) -> Iterator[str]:
        about, repeats = self.machine, len(self.rates[0].repetitions) if self.rates else 0
        load = "" if about["load"] is None else f"; load before the run {about['load']:.1f}"
        threads = f"{about['threads']} threads of {about['cores']} cores"
        yield f"{about['processor']}, {threads}, torch {about['torch']}{load}"
        yield f"medians of {repeats} alternating rounds; denoisers on clips of 30 x 64 x 48, the middle of 30 x 64 x 64"
        for task, precision in dict.fromkeys((rate.task, rate.precision) for rate in self.rates):
            rows = [self._row(rate) for rate in self.rates if (rate.task, rate.precision) == (task, precision)]
            yield from ("", f"{WHAT[task]}, {precision}", *_columns([HEADER, *rows]))
        for precision, peak in self.memory_gb.items():
            batch = self._contender(OURS).batch["training"]
            yield f"peak memory of training ours at batch {batch}: {precision} {peak:.2f} GB"
        if any(rate.contender in PEERS for rate in self.rates):
            yield from ("", CAUSE)
        yield from (f"note: {note}" for note in self.notes)

    def _row(self, rate: Rate) -> tuple[str, ...]:
        contender, ratios = self._contender(rate.contender), self.ratios(rate)
        forms = {"speedup_of_ours": "{:.3g}x", "work_ratio": "{:.1f}x"}
        return (
            contender.label,
            f"{contender.parameters / 1e6:.1f} M",
            str(contender.batch[rate.task]),
            f"{rate.median:.3g}",
            f"{min(rate.repetitions):.3g}-{max(rate.repetitions):.3g}",
            f"{rate.gflop:.3g}",
            *("" if ratios[name] is None else form.format(ratios[name]) for name, form in forms.items()),
        )

    def _contender(self, name: str) -> Contender:
        return next(contender for contender in self.contenders if contender.name == name)


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
            self.torch, self.contender = self._ask(contenders.introduce, threads, folder)
        except GaitCrafterError:
            self.__exit__()
            raise

    def measure(self, task: str, precision: str, seconds: float) -> dict[str, float]:
        """``rate`` (units a second), ``gflop`` (10^9 operations a unit) and ``peak_gb`` of memory so far."""
        found: dict[str, float] = self._ask(self._measure, task, precision, seconds)
        return found

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


def usual_precisions() -> tuple[str, ...]:
    """Both, where this processor has instructions for bfloat16; one that imitates it takes hours."""
    return PRECISIONS if multiplies_bfloat16("cpu") else PRECISIONS[:1]


def measure_speed(
    tasks: Sequence[str],
    precisions: Sequence[str],
    repeats: int = 5,
    threads: int = 1,
    folder: Path | None = None,
    seconds: float = ROUND_SECONDS,
    progress: Callable[[int, int], None] = lambda done, total: None,
) -> Report:
    """Measure every contender of some of :data:`TASKS` in some of :data:`PRECISIONS`.

    Args:
        tasks: What to measure.
        precisions: In which arithmetic.
        repeats: Rounds.
        threads: Threads of each worker.
        folder: Where the peers' packages lie, if they are not installed.
        seconds: Least length of a contender's part of a round.
        progress: Called with measurements done and in all.

    Raises:
        GaitCrafterError: One of our own networks cannot be measured; what ails a rival becomes a note instead.
    """
    load = os.getloadavg()[0] if hasattr(os, "getloadavg") else None
    with ExitStack() as stack:
        workers, notes = _start(tasks, threads, folder, stack)
        rates = _measure(list(rounds(tasks, precisions, repeats, list(workers))), workers, notes, seconds, progress)
        version = next(iter(workers.values())).torch
        contenders = tuple(worker.contender for worker in workers.values())
    about = {"processor": _processor(), "cores": available_cores(), "threads": threads, "torch": version, "load": load}
    memory: dict[str, float] = {}
    for precision in precisions if "training" in tasks else ():
        with Worker(OURS, threads) as fresh:
            memory[precision] = fresh.measure("training", precision, seconds)["peak_gb"]
    return Report(about, contenders, rates, memory, tuple(notes))


def rounds(
    tasks: Sequence[str], precisions: Sequence[str], repeats: int, names: Sequence[str]
) -> Iterator[tuple[str, str, str]]:
    """(contender, task, precision) of every measurement in order; neighbours in time are what will be compared."""
    for _ in range(repeats):
        for precision in precisions:
            yield from ((name, task, precision) for task in tasks for name in entrants(task) if name in names)


def entrants(task: str) -> tuple[str, ...]:
    """Names of those who take part in a task."""
    pairs = tuple(name for ours in RECOGNISERS for name in (ours, OPENGAIT[ours]))
    return pairs if task == "recognition" else (OURS, *PEERS)


def _start(
    tasks: Sequence[str], threads: int, folder: Path | None, stack: ExitStack
) -> tuple[dict[str, Worker], list[str]]:
    """A worker for each contender, and notes about the rivals that are missing."""
    workers: dict[str, Worker] = {}
    notes: list[str] = []
    for name in dict.fromkeys(name for task in tasks for name in entrants(task)):
        try:
            workers[name] = stack.enter_context(Worker(name, threads, folder if name in PEERS else None))
        except GaitCrafterError as error:
            if name not in RIVALS:
                raise
            notes.append(str(error))
    return workers, notes


def _measure(
    order: Sequence[tuple[str, str, str]],
    workers: dict[str, Worker],
    notes: list[str],
    seconds: float,
    progress: Callable[[int, int], None],
) -> tuple[Rate, ...]:
    """Every round; a rival that fails is left out from then on, with a note."""
    found: dict[tuple[str, str, str], list[dict[str, float]]] = defaultdict(list)
    failed = set[str]()
    for number, (name, task, precision) in enumerate(order, start=1):
        if name not in failed:
            try:
                found[name, task, precision].append(workers[name].measure(task, precision, seconds))
            except GaitCrafterError as error:
                if name not in RIVALS:
                    raise
                failed.add(name)
                notes.append(str(error))
        progress(number, len(order))
    return tuple(Rate(*key, tuple(each["rate"] for each in got), got[0]["gflop"]) for key, got in found.items() if got)


def peak_memory_gb() -> float:
    """Most memory that this process has held so far, 10^9 bytes."""
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return peak / 1e9 if sys.platform == "darwin" else peak * 1024 / 1e9


def _columns(rows: Sequence[tuple[str, ...]]) -> Iterator[str]:
    """Rows in columns, the first aligned left, the others right; an empty column is left out."""
    kept = [column for column in zip(*rows, strict=True) if any(column[1:])]
    widths = [max(map(len, column)) for column in kept]
    for first, *others in zip(*kept, strict=True):
        cells = [cell.rjust(width) for cell, width in zip(others, widths[1:], strict=True)]
        yield "  " + "  ".join([first.ljust(widths[0]), *cells])


def _processor() -> str:
    """The processor's name, where the system says it."""
    try:
        lines = Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines()
    except OSError:
        lines = []
    named = [line.partition(":")[2].strip() for line in lines if line.startswith("model name")]
    return named[0] if named else platform.processor() or platform.machine()
