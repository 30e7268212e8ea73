"""What an experiment found: mean and spread of each arm over the seeds, and what it gains over another."""

from __future__ import annotations

import statistics
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from gaitcrafter_ext.audit.utility import ArmResult, Results
from gaitcrafter_ext.experiments.designs import Arm, Lab
from gaitcrafter_ext.records import read_json

#: Rounds of the bootstrap over people and seeds.
ROUNDS = 2000

#: Rank-1 of a column in percent, float64 [seed, person]; only rank-1 is known person by person.
ByPerson = Mapping[str, NDArray[np.float64]]


def collect(lab: Lab) -> Results:
    """Read the tables of every arm.

    Raises:
        MissingError: A table is not there.
    """
    read = {arm.name: _best(arm) for arm in lab.arms}
    people = {name: _by_person(tables) for name, (_, tables) in read.items()}
    results = tuple(
        ArmResult(
            arm.name,
            _figures(read[arm.name][1]),
            arm.against,
            gains_over(people[arm.name], people[arm.against]) if arm.against else None,
            read[arm.name][0] if len(arm.tables) > 1 else None,
        )
        for arm in lab.arms
    )
    _, tables = read[lab.arms[0].name]
    return Results(results, statistics.fmean(part["chance"] for part in tables[0]))


#: Tables of an arm: of each seed, of each part of the test people.
Tables = Sequence[Sequence[dict[str, Any]]]


def _best(arm: Arm) -> tuple[int, Tables]:
    """The length with the highest mean of all figures, and its tables."""
    found = {length: [[read_json(path) for path in seed] for seed in paths] for length, paths in arm.tables.items()}
    return max(found.items(), key=lambda item: np.mean([*_figures(item[1]).values()]))


def _columns(tables: Tables) -> dict[str, list[list[dict[str, Any]]]]:
    """Column -> that of each seed, of each part whose people have such clips."""
    names = dict.fromkeys(name for part in tables[0] for name in part["columns"])
    return {
        name: [[part["columns"][name] for part in seed if name in part["columns"]] for seed in tables] for name in names
    }


def _figures(tables: Tables) -> dict[str, tuple[float, ...]]:
    return {
        f"{name} {metric}": tuple(statistics.fmean(part["metrics"][metric] for part in seed) for seed in seeds)
        for name, seeds in _columns(tables).items()
        for metric in seeds[0][0]["metrics"]
    }


def _by_person(tables: Tables) -> ByPerson:
    """Every person's rank-1 with every seed, part by part."""
    return {
        f"{name} rank-1": np.array(
            [[share for part in seed for _, share in sorted(part["per_person"].items())] for seed in seeds]
        )
        for name, seeds in _columns(tables).items()
    }


def gains_over(ours: ByPerson, theirs: ByPerson) -> dict[str, tuple[float, float, float]]:
    """Mean gain and the ends of its interval: people and seeds are drawn again, those of both arms alike."""
    gains = {}
    for name, values in ours.items():
        apart = values - theirs[name]
        seeds, people = apart.shape
        rng = np.random.default_rng(0)
        drawn = [rng.multinomial(size, np.full(size, 1 / size), ROUNDS) / size for size in (seeds, people)]
        low, high = np.quantile(np.einsum("rs,sp,rp->r", drawn[0], apart, drawn[1]), (0.025, 0.975))
        gains[name] = (float(apart.mean()), float(low), float(high))
    return gains


def summary(results: Results, question: str) -> str:
    """The table: figures of each arm, mean and standard deviation over seeds, and its gain over another arm."""
    best = {arm.name: f" (best length: {arm.iterations})" if arm.iterations else "" for arm in results.arms}
    names = {name: name + length for name, length in best.items()}
    shown, width = list(results.arms[0].figures), max(map(len, names.values()))
    rows = [" " * width + "".join(f"{name:>14}" for name in shown)]
    for arm in results.arms:
        cells = "".join(f"{_spread(arm.figures[name]):>14}" for name in shown)
        rows.append(f"{names[arm.name]:<{width}}{cells}{_gained(arm)}")
    seeds = len(results.arms[0].figures[shown[0]])
    spread = f"%, mean and standard deviation over {seeds} seed(s) of the recogniser"
    gains = f"gains with 95 % intervals over people and seeds; chance {results.chance:.1f}"
    return "\n".join([question, "", *rows, f"{spread}; {gains}"])


def _spread(values: Sequence[float]) -> str:
    """Mean, and standard deviation where there are several."""
    mean = f"{statistics.fmean(values):.1f}"
    return f"{mean} +- {statistics.stdev(values):.1f}" if len(values) > 1 else mean


def _gained(arm: ArmResult) -> str:
    if not arm.gains:
        return ""
    cells = (f"{name} {mean:+.1f} [{low:+.1f}, {high:+.1f}]" for name, (mean, low, high) in arm.gains.items())
    return f"   against {arm.against}: {', '.join(cells)}"


def plot(results: Results, title: str, file: Path) -> None:
    """Every arm and seed as a PNG file: a dot a seed, the figures of an arm side by side, the floor as a line."""
    from matplotlib.figure import Figure

    figure = Figure(figsize=(2 + 0.8 * len(results.arms), 3.6), layout="constrained", dpi=90)
    axes = figure.subplots()
    names = list(results.arms[0].figures)
    width = 0.6 / len(names)
    for place, name in enumerate(names):
        shift = width * (place + 0.5) - 0.3
        for number, arm in enumerate(results.arms):
            values, label = arm.figures[name], name if number == 0 else None
            axes.bar(number + shift, statistics.fmean(values), width, color=f"C{place}", alpha=0.4, label=label)
            axes.scatter([number + shift] * len(values), values, s=10, color=f"C{place}")
    axes.axhline(results.chance, color="grey", linestyle="--", linewidth=0.8, label="chance of rank-1")
    axes.set(title=title, ylabel="%", ylim=(0, 100))
    axes.set_xticks(range(len(results.arms)), [arm.name for arm in results.arms], rotation=20, ha="right")
    axes.legend(fontsize="small")
    figure.savefig(file, metadata={"Software": None})
