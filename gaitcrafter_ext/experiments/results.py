"""What an experiment found: mean and spread of each arm over the seeds, and the difference to the first arm."""

from __future__ import annotations

import json
import statistics
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from gaitcrafter_ext.audit.drawing import COLOURS, GREY, Plot
from gaitcrafter_ext.errors import MissingError
from gaitcrafter_ext.experiments.lab import FLOOR, Arm, Lab

__all__ = ["ArmResult", "Results", "collect", "plot", "summary"]

CONDITIONS = ("NM", "BG", "CL")


@dataclass(frozen=True)
class ArmResult:
    """Rank-1 of one arm, percent.

    Attributes:
        name: Of the arm.
        rank1: Condition -> rank-1 of each seed.
    """

    name: str
    rank1: dict[str, tuple[float, ...]]


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
        """For machines: ``{"arms": [{"name", "rank1": {"NM": [a seed each], ...}}], "chance"}``."""
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
    return ArmResult(arm.name, {name: tuple(each[name]["rank1"] for each in conditions) for name in named})


def summary(results: Results, question: str) -> str:
    """The table: rank-1 of each arm, mean and standard deviation over seeds, and its difference to the first arm."""
    first, width = results.arms[0], max(len(arm.name) for arm in results.arms)
    shown = [name for name in CONDITIONS if name in first.rank1]
    seeds = len(next(iter(first.rank1.values())))
    rows = [" " * width + "".join(f"{name:>14}" for name in shown) + "   difference to the first"]
    for arm in results.arms:
        cells = "".join(f"{_spread(arm.rank1[name]):>14}" for name in shown)
        gains = "" if arm is first or arm.name == FLOOR else "".join(_gain(arm, first, name) for name in shown)
        rows.append(f"{arm.name:<{width}}{cells}   {gains}")
    note = f"rank-1 %, identical view excluded, mean and standard deviation over {seeds} seeds of the recogniser"
    return "\n".join([question, "", *rows, f"{note}; chance {results.chance:.1f}"])


def _spread(values: Sequence[float]) -> str:
    return f"{statistics.fmean(values):.1f} +- {statistics.stdev(values) if len(values) > 1 else 0.0:.1f}"


def _gain(arm: ArmResult, first: ArmResult, name: str) -> str:
    """Mean difference of the runs with equal seeds."""
    pairs = zip(arm.rank1[name], first.rank1[name], strict=True)
    gains = [ours - theirs for ours, theirs in pairs]
    return f"{name} {statistics.fmean(gains):+.1f} +- {statistics.stdev(gains) if len(gains) > 1 else 0.0:.1f}  "


def plot(results: Results, title: str) -> str:
    """Every arm and seed as an SVG file: NM, BG and CL of each arm side by side, a dot a seed, a bar at the mean."""
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
