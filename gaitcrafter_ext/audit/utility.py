"""Does it help a recogniser? What ``experiment`` found, as rows of a card."""

from __future__ import annotations

import json
import statistics
from dataclasses import asdict
from pathlib import Path
from typing import Annotated

from pydantic import Field

from gaitcrafter_ext.audit.card import NONE, Measure, Row
from gaitcrafter_ext.errors import DataError, MissingError
from gaitcrafter_ext.records import fill, read_json, record

#: The network before training, and the arm of real clips alone, as experiments call them.
UNTRAINED, REAL = "untrained", "real"

Percent = Annotated[float, Field(ge=0, le=100, allow_inf_nan=False)]


@record
class ArmResult:
    """Figures of one arm, percent: ``NM rank-1`` and so on -> one a seed.

    ``gains``: those over the arm ``against``, mean and the ends of the 95 % interval over people and seeds, points.
    ``iterations``: the length that counts, where several were tested.
    """

    name: str
    figures: dict[str, Annotated[tuple[Percent, ...], Field(min_length=1)]]
    against: str = ""
    gains: dict[str, tuple[float, float, float]] | None = None
    iterations: int | None = None


@record
class Results:
    """All arms of an experiment, in order; the untrained network is the last. ``chance`` of rank-1 is in percent."""

    arms: tuple[ArmResult, ...]
    chance: Percent

    def to_json(self) -> str:
        """The file that ``experiment`` writes: these fields as they are."""
        return json.dumps(asdict(self), indent=1) + "\n"


def utility_measure(folder: str | None) -> Measure:
    """:func:`utility_rows`, read at once; without a folder it cannot be had."""
    rows = utility_rows(folder) if folder else None

    def find() -> list[Row]:
        if rows is None:
            raise DataError("takes trainings of its own: run 'experiment', then name its folder by --experiments")
        return rows

    return Measure("utility", "rank1_gain", "trained recognisers", find)


def utility_rows(folder: str | Path) -> list[Row]:
    """One row a trained arm and figure of every experiment that ``experiment --out`` wrote into a folder.

    The interval runs from the lowest to the highest seed; the ceiling is the arm ``real`` of the same experiment.
    Raises ``MissingError`` without an experiment, ``DataError`` where a file is none or a figure is no percentage.
    """
    files = sorted(Path(folder).glob("*.json"))
    if not files:
        raise MissingError(f"{folder} holds no results; name a folder in which 'experiment' has finished")
    return [row for file in files for row in _rows(file)]


def _rows(file: Path) -> list[Row]:
    found = fill(Results, read_json(file), file)
    try:
        trained = [arm for arm in found.arms if arm.name != UNTRAINED]
        return [_row(file.stem, arm, name, found) for arm in trained for name in arm.figures]
    except (KeyError, ValueError) as error:
        raise DataError(f"{file}: arms do not match ({error}); run 'experiment' again") from None


def _row(experiment: str, arm: ArmResult, name: str, found: Results) -> Row:
    figures = {each.name: each.figures[name] for each in found.arms if name in each.figures}
    seeds = [value / 100 for value in arm.figures[name]]
    column, _, metric = name.rpartition(" ")
    notes = [f"{len(seeds)} seed(s) of the recogniser, the interval is their range"]
    if arm.against:
        gains = [ours - theirs for ours, theirs in zip(arm.figures[name], figures[arm.against], strict=True)]
        spread = f" +- {statistics.stdev(gains):.1f}" if len(gains) > 1 else ""
        notes.append(f"{statistics.fmean(gains):+.1f}{spread} points against {arm.against}")
    if UNTRAINED in figures:
        notes.append(f"untrained network {statistics.fmean(figures[UNTRAINED]):.1f} %")
    real = figures.get(REAL) if arm.name != REAL else None
    return Row(
        "utility",
        f"{metric}_{column}".lower().replace("rank-", "rank"),
        f"{experiment}: {arm.name}",
        "share",
        statistics.fmean(seeds),
        min(seeds),
        max(seeds),
        len(seeds),
        ceiling=statistics.fmean(real) / 100 if real else NONE,
        chance=found.chance / 100 if metric == "rank-1" else NONE,
        note="; ".join(notes),
    )
