"""Does it help a recogniser? What ``experiment`` found, as rows of a card."""

from __future__ import annotations

import statistics
from pathlib import Path
from typing import Annotated

from pydantic import Field

from gaitcrafter_ext.audit.card import NONE, Row
from gaitcrafter_ext.errors import DataError, MissingError
from gaitcrafter_ext.records import fill, read_json, record

#: The network before training, and the arm of real clips alone, as experiments call them.
UNTRAINED, REAL = "untrained", "real"

Percent = Annotated[float, Field(ge=0, le=100, allow_inf_nan=False)]


@record
class Arm:
    """Figures of one arm, percent: ``NM rank-1`` -> one a seed; ``against`` names the arm it is compared with.

    ``gains``: over that arm, mean and 95 % interval; ``iterations``: of the length that counts of several.
    """

    name: str
    figures: dict[str, Annotated[tuple[Percent, ...], Field(min_length=1)]]
    against: str = ""
    gains: dict[str, tuple[float, float, float]] | None = None
    iterations: int | None = None


@record
class Experiment:
    """What ``experiment --out`` wrote into one file; ``chance`` of rank-1 is in percent."""

    arms: tuple[Arm, ...]
    chance: Percent


def utility_rows(folder: str | Path) -> list[Row]:
    """One row a trained arm and figure of every experiment that ``experiment --out`` wrote into a folder.

    The interval runs from the lowest to the highest seed; the ceiling is the arm ``real`` of the same experiment.

    Raises:
        MissingError: There is no experiment in it.
        DataError: A file is not an experiment's, or a figure in it is no percentage.
    """
    files = sorted(Path(folder).glob("*.json"))
    if not files:
        raise MissingError(f"{folder} holds no results; name a folder in which 'experiment' has finished")
    return [row for file in files for row in _rows(file)]


def _rows(file: Path) -> list[Row]:
    found = fill(Experiment, read_json(file), file)
    arms = {arm.name: arm for arm in found.arms}
    try:
        return [
            _row(file.stem, arm, name, arms, found.chance / 100)
            for arm in found.arms
            for name in arm.figures
            if arm.name != UNTRAINED
        ]
    except (KeyError, ValueError) as error:
        raise DataError(f"{file}: arms do not match ({error}); run 'experiment' again") from None


def _row(experiment: str, arm: Arm, name: str, arms: dict[str, Arm], chance: float) -> Row:
    seeds = [value / 100 for value in arm.figures[name]]
    column, _, metric = name.rpartition(" ")
    notes = [f"{len(seeds)} seed(s) of the recogniser, the interval is their range"]
    if arm.against:
        pairs = zip(arm.figures[name], arms[arm.against].figures[name], strict=True)
        gains = [ours - theirs for ours, theirs in pairs]
        spread = f" +- {statistics.stdev(gains):.1f}" if len(gains) > 1 else ""
        notes.append(f"{statistics.fmean(gains):+.1f}{spread} points against {arm.against}")
    if UNTRAINED in arms:
        notes.append(f"untrained network {statistics.fmean(arms[UNTRAINED].figures[name]):.1f} %")
    real = arms.get(REAL) if arm.name != REAL else None
    return Row(
        "utility",
        f"{metric}_{column}".lower().replace("rank-", "rank"),
        f"{experiment}: {arm.name}",
        "share",
        statistics.fmean(seeds),
        min(seeds),
        max(seeds),
        len(seeds),
        ceiling=statistics.fmean(real.figures[name]) / 100 if real else NONE,
        chance=chance if metric == "rank-1" else NONE,
        note="; ".join(notes),
    )
