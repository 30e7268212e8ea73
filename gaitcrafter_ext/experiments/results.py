"""What an experiment found: mean and spread of each arm over the seeds, and what it gains over another."""

from __future__ import annotations

import io
import json
import statistics
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any

from gaitcrafter_ext.experiments.designs import Arm, Lab
from gaitcrafter_ext.records import read_json

__all__ = ["ArmResult", "Results", "collect", "plot", "summary"]


@dataclass(frozen=True)
class ArmResult:
    """Figures of one arm, percent: ``NM rank-1`` and so on -> one a seed."""

    name: str
    figures: dict[str, tuple[float, ...]]
    against: str = ""


@dataclass(frozen=True)
class Results:
    """All arms of an experiment, in order; the untrained network is the last. ``chance`` of rank-1 is in percent."""

    arms: tuple[ArmResult, ...]
    chance: float

    def to_json(self) -> str:
        """For machines: ``{"arms": [{"name", "figures": {"NM rank-1": [a seed each], ...}, "against"}], "chance"}``."""
        return json.dumps(asdict(self), indent=1) + "\n"


def collect(lab: Lab) -> Results:
    """Read the tables of every arm.

    Raises:
        MissingError: A table is not there.
    """
    tables = {arm.name: [read_json(path) for path in arm.tables] for arm in lab.arms}
    return Results(
        tuple(_arm(arm, tables[arm.name]) for arm in lab.arms), float(next(iter(tables.values()))[0]["chance"])
    )


def _arm(arm: Arm, tables: Sequence[dict[str, Any]]) -> ArmResult:
    named = {
        f"{column} {metric}": tuple(table["columns"][column]["metrics"][metric] for table in tables)
        for column in tables[0]["columns"]
        for metric in tables[0]["columns"][column]["metrics"]
    }
    return ArmResult(arm.name, named, arm.against)


def summary(results: Results, question: str) -> str:
    """The table: figures of each arm, mean and standard deviation over seeds, and its difference to another arm."""
    arms = {arm.name: arm for arm in results.arms}
    shown, width = list(results.arms[0].figures), max(map(len, arms))
    rows = [" " * width + "".join(f"{name:>14}" for name in shown)]
    for arm in results.arms:
        cells = "".join(f"{_spread(arm.figures[name], '.1f'):>14}" for name in shown)
        rows.append(f"{arm.name:<{width}}{cells}{_gains(arm, arms[arm.against]) if arm.against else ''}")
    seeds = len(results.arms[0].figures[shown[0]])
    note = f"%, mean and standard deviation over {seeds} seed(s) of the recogniser"
    return "\n".join([question, "", *rows, f"{note}; chance {results.chance:.1f}"])


def _spread(values: Sequence[float], form: str) -> str:
    """Mean, and standard deviation where there are several."""
    mean = format(statistics.fmean(values), form)
    return f"{mean} +- {statistics.stdev(values):.1f}" if len(values) > 1 else mean


def _gains(arm: ArmResult, other: ArmResult) -> str:
    """Differences of the runs with equal seeds."""
    gains = (
        f"{name} {_spread([ours - theirs for ours, theirs in zip(values, other.figures[name], strict=True)], '+.1f')}"
        for name, values in arm.figures.items()
    )
    return f"   against {other.name}: {', '.join(gains)}"


def plot(results: Results, title: str) -> str:
    """Every arm and seed as an SVG file, the same bytes each time: a dot a seed, the figures of an arm side by side."""
    import matplotlib as mpl
    from matplotlib.figure import Figure

    figure = Figure(figsize=(2 + 1.2 * len(results.arms), 4), layout="constrained")
    axes = figure.subplots()
    names = list(results.arms[0].figures)
    for place, name in enumerate(names):
        shift = 0.6 * ((place + 0.5) / len(names) - 0.5)
        dots = [(number + shift, value) for number, arm in enumerate(results.arms) for value in arm.figures[name]]
        axes.scatter([x for x, _ in dots], [y for _, y in dots], s=14, label=name)
    axes.axhline(results.chance, color="grey", linestyle="--", linewidth=0.8, label="chance of rank-1")
    axes.set(title=title, ylabel="%", ylim=(0, 100))
    axes.set_xticks(range(len(results.arms)), [arm.name for arm in results.arms], rotation=20, ha="right")
    axes.legend(fontsize="small")
    drawn = io.StringIO()
    with mpl.rc_context({"svg.hashsalt": title, "svg.fonttype": "none"}):
        figure.savefig(drawn, format="svg", metadata={"Date": None})
    return drawn.getvalue()
