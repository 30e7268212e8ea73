"""What an experiment found: mean and spread of each arm over the seeds, and what it gains over another."""

from __future__ import annotations

import json
import statistics
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from gaitcrafter_ext.audit.drawing import COLOURS, GREY, Plot
from gaitcrafter_ext.errors import MissingError
from gaitcrafter_ext.experiments.lab import Arm, Lab

__all__ = ["ArmResult", "Results", "collect", "plot", "summary"]

CONDITIONS = ("NM", "BG", "CL")


@dataclass(frozen=True)
class ArmResult:
    """Rank-1 of one arm, percent.

    Attributes:
        name: Of the arm.
        rank1: Condition -> rank-1 of each seed.
        against: Name of the arm that it is compared with; may be empty.
    """

    name: str
    rank1: dict[str, tuple[float, ...]]
    against: str = ""


@dataclass(frozen=True)
class Results:
    """All arms of an experiment, in order; the untrained network is the last.

    Attributes:
        arms: Their figures.
        chance: Rank-1 of guessing, percent.
    """

    arms: tuple[ArmResult, ...]
    chance: float

    def to_json(self) -> str:
        """For machines: ``{"arms": [{"name", "rank1": {"NM": [a seed each], ...}, "against"}], "chance"}``."""
        return json.dumps(asdict(self), indent=1) + "\n"


def collect(lab: Lab) -> Results:
    """Read the tables of every arm.

    Raises:
        MissingError: A table is not there.
    """
    tables = {arm.name: [_read(path) for path in arm.tables] for arm in lab.arms}
    arms = [_arm(arm, tables[arm.name]) for arm in lab.arms]
    return Results(tuple(arms), float(next(iter(tables.values()))[0]["chance"]))


def _read(path: Path) -> dict[str, Any]:
    try:
        found: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        raise MissingError(f"{path} is not there; run the experiment again with another --out") from None
    return found


def _arm(arm: Arm, tables: Sequence[dict[str, Any]]) -> ArmResult:
    conditions: list[dict[str, dict[str, float]]] = [table["conditions"] for table in tables]
    named = [name for name in CONDITIONS if all(name in each for each in conditions)]
    return ArmResult(arm.name, {name: tuple(each[name]["rank1"] for each in conditions) for name in named}, arm.against)


def summary(results: Results, question: str) -> str:
    """The table: rank-1 of each arm, mean and standard deviation over seeds, and its difference to another arm."""
    arms = {arm.name: arm for arm in results.arms}
    first, width = results.arms[0], max(map(len, arms))
    shown = [name for name in CONDITIONS if name in first.rank1]
    rows = [" " * width + "".join(f"{name:>14}" for name in shown)]
    for arm in results.arms:
        cells = "".join(f"{_spread(arm.rank1[name], '.1f'):>14}" for name in shown)
        rows.append(f"{arm.name:<{width}}{cells}{_gains(arm, arms[arm.against], shown) if arm.against else ''}")
    seeds = len(next(iter(first.rank1.values())))
    note = f"rank-1 %, identical view excluded, mean and standard deviation over {seeds} seed(s) of the recogniser"
    return "\n".join([question, "", *rows, f"{note}; chance {results.chance:.1f}"])


def _spread(values: Sequence[float], form: str) -> str:
    """Mean, and standard deviation where there are several."""
    mean = format(statistics.fmean(values), form)
    return f"{mean} +- {statistics.stdev(values):.1f}" if len(values) > 1 else mean


def _gains(arm: ArmResult, other: ArmResult, shown: Sequence[str]) -> str:
    """Differences of the runs with equal seeds."""
    pairs = {name: zip(arm.rank1[name], other.rank1[name], strict=True) for name in shown}
    told = [f"{name} {_spread([ours - theirs for ours, theirs in pairs[name]], '+.1f')}" for name in shown]
    return f"   against {other.name}: {', '.join(told)}"


def plot(results: Results, title: str) -> str:
    """Every arm and seed as an SVG file: NM, BG and CL of each arm side by side, a dot a seed."""
    arms = results.arms
    picture = Plot(title, ("arm, in the table's order", 0.4, len(arms) + 0.6), ("rank-1, %", 0.0, 130.0))
    for place, name in enumerate(CONDITIONS):
        dots = [
            (number + 0.2 * (place - 1), value)
            for number, arm in enumerate(arms, start=1)
            for value in arm.rank1.get(name, ())
        ]
        picture.dots(dots, COLOURS[place], name)
    picture.line([(0.4, results.chance), (len(arms) + 0.6, results.chance)], GREY, "chance", dashed=True)
    return picture.svg().replace(
        "<svg ", '<svg xmlns="http://www.w3.org/2000/svg" font-family="sans-serif" font-size="11" ', 1
    )
