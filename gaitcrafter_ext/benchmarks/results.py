"""What a benchmark found, and the arithmetic on it."""

from __future__ import annotations

import dataclasses
import statistics
from dataclasses import dataclass, field
from typing import Any

__all__ = [
    "CONVOLUTION",
    "OPENGAIT",
    "OURS",
    "PEERS",
    "RECOGNISERS",
    "RIVALS",
    "TASKS",
    "Benchmark",
    "Contender",
    "Machine",
    "Rate",
]

#: What can be measured.
TASKS = ("training", "sampling", "recognition")

#: Names of the contenders: our denoiser, the published ones, our recognisers, OpenGait's, and the machine's
#: convolutions.
OURS = "gaitcrafter"
PEERS = ("video-diffusion-pytorch", "diffusers")
RECOGNISERS = ("gaitset", "gaitbase")
OPENGAIT = {name: f"opengait-{name}" for name in RECOGNISERS}
CONVOLUTION = "convolution"

#: Whoever ours is set beside -> ours. They may be missing.
RIVALS = {**dict.fromkeys(PEERS, OURS), **{theirs: ours for ours, theirs in OPENGAIT.items()}}

#: Which floating point operations of a step are counted is torch's business; a multiply-add counts as two.
GIGA = 1e9


@dataclass(frozen=True)
class Machine:
    """What the figures were taken on.

    Attributes:
        processor: Its name.
        cores: Cores that may be used.
        threads: Threads that were used.
        torch: Version of torch.
        load: Processes that wanted to run before the benchmark began (mean of a minute); None where it is unknown.
    """

    processor: str
    cores: int
    threads: int
    torch: str
    load: float | None


@dataclass(frozen=True)
class Contender:
    """One network.

    Attributes:
        name: Short name.
        label: What it is, in words.
        parameters: How many it has; 0 where it is no network.
        batch: Task -> clips computed at once.
    """

    name: str
    label: str
    parameters: int
    batch: dict[str, int]


@dataclass(frozen=True)
class Rate:
    """How fast a contender did a task.

    Attributes:
        contender: Its name.
        task: One of :data:`TASKS`, or ``convolution``.
        precision: ``fp32`` or ``bf16``.
        repetitions: Units a second, one figure each time it was its turn. The unit is a clip, in recognition a training
            iteration, for the machine's convolutions 10^9 operations.
        gflop: Operations of one unit, in 10^9.
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

    @property
    def gflop_per_second(self) -> float:
        """10^9 operations a second."""
        return self.median * self.gflop


@dataclass(frozen=True)
class Benchmark:
    """All figures of one run.

    Attributes:
        machine: Where.
        contenders: Who.
        rates: How fast.
        memory_gb: Precision -> peak memory, 10^9 bytes, of a process that trains our denoiser.
        notes: What could not be measured, and how to get it.
    """

    machine: Machine
    contenders: tuple[Contender, ...]
    rates: tuple[Rate, ...]
    memory_gb: dict[str, float] = field(default_factory=dict)
    notes: tuple[str, ...] = ()

    def rate(self, contender: str, task: str, precision: str) -> Rate | None:
        """The figure, if it was taken."""
        wanted = (contender, task, precision)
        return next((rate for rate in self.rates if (rate.contender, rate.task, rate.precision) == wanted), None)

    def share_of_machine(self, rate: Rate) -> float | None:
        """Operations a second of a rate over those of the machine's best convolution in the same precision."""
        roof = self.rate(CONVOLUTION, CONVOLUTION, rate.precision)
        return None if roof is None else rate.gflop_per_second / roof.gflop_per_second

    def speedup(self, peer: Rate) -> float | None:
        """How many times faster ours does the peer's task; None where it is nobody's peer, or ours was not measured."""
        ours = self._ours(peer)
        return None if ours is None else ours.median / peer.median

    def work_ratio(self, peer: Rate) -> float | None:
        """How many times more operations a unit costs the peer; None likewise."""
        ours = self._ours(peer)
        return None if ours is None else peer.gflop / ours.gflop

    def _ours(self, peer: Rate) -> Rate | None:
        ours = RIVALS.get(peer.contender)
        return None if ours is None else self.rate(ours, peer.task, peer.precision)

    def to_json(self) -> dict[str, Any]:
        """All fields, and the figures derived from them."""
        found = dataclasses.asdict(self)
        found["rates"] = [
            {
                **dataclasses.asdict(rate),
                "median": rate.median,
                "share_of_machine": self.share_of_machine(rate),
                "speedup_of_ours": self.speedup(rate),
                "work_ratio": self.work_ratio(rate),
            }
            for rate in self.rates
        ]
        return found
