"""Does it help a recogniser? What ``experiment`` found, as rows of a card."""

from __future__ import annotations

import json
import statistics
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from gaitcrafter_ext.audit.card import NONE, Row
from gaitcrafter_ext.errors import DataError, MissingError

__all__ = ["helps_rows"]

#: The network before training, and the arm of real clips alone, as experiments call them.
UNTRAINED, REAL = "untrained", "real"


def helps_rows(folder: str | Path) -> list[Row]:
    """Rank-1 of every arm of every experiment in a folder.

    Args:
        folder: What ``experiment --out`` wrote: ``<experiment>.json``, one an experiment.

    Returns:
        One row a trained arm and condition; the interval runs from the lowest to the highest seed, the ceiling is the
        arm ``real`` of the same experiment.

    Raises:
        MissingError: There is no experiment in it.
        DataError: A file is not an experiment's, or a rank-1 in it is none.
    """
    files = sorted(Path(folder).glob("*.json"))
    if not files:
        raise MissingError(f"{folder} holds no results; name a folder in which 'experiment' has finished")
    return [row for file in files for row in _rows(file)]


def _rows(file: Path) -> list[Row]:
    try:
        found = json.loads(file.read_text(encoding="utf-8"))
        arms = {arm["name"]: arm for arm in found["arms"]}
        for what, value in _figures(found):
            if not 0 <= value <= 100:  # not a number, too
                raise DataError(f"{file}: {what} is {value}; allowed: 0 to 100 (percent); run 'experiment' again")
        return [
            _row(file.stem, arm, condition, arms, float(found["chance"]) / 100)
            for arm in arms.values()
            for condition in arm["rank1"]
            if arm["name"] != UNTRAINED
        ]
    except DataError:
        raise
    except (ValueError, KeyError, TypeError, AttributeError, statistics.StatisticsError) as error:
        raise DataError(f"{file} is not what 'experiment' writes ({type(error).__name__}: {error})") from None


def _figures(found: dict[str, Any]) -> Iterator[tuple[str, float]]:
    """Every percentage of a file, after what it is."""
    yield "chance", found["chance"]
    for arm in found["arms"]:
        for condition, seeds in arm["rank1"].items():
            yield from ((f"rank-1 of arm '{arm['name']}' in {condition}", value) for value in seeds)


def _row(experiment: str, arm: dict[str, Any], condition: str, arms: dict[str, Any], chance: float) -> Row:
    seeds = [value / 100 for value in arm["rank1"][condition]]
    notes = [f"{len(seeds)} seed(s) of the recogniser, the interval is their range"]
    if arm["against"]:
        pairs = zip(arm["rank1"][condition], arms[arm["against"]]["rank1"][condition], strict=True)
        gains = [ours - theirs for ours, theirs in pairs]
        spread = f" +- {statistics.stdev(gains):.1f}" if len(gains) > 1 else ""
        notes.append(f"{statistics.fmean(gains):+.1f}{spread} points against {arm['against']}")
    if UNTRAINED in arms:
        notes.append(f"untrained network {statistics.fmean(arms[UNTRAINED]['rank1'][condition]):.1f} %")
    real = arms.get(REAL) if arm["name"] != REAL else None
    return Row(
        "helps",
        f"rank1_{condition.lower()}",
        f"{experiment}: {arm['name']}",
        "share",
        statistics.fmean(seeds),
        min(seeds),
        max(seeds),
        len(seeds),
        ceiling=statistics.fmean(real["rank1"][condition]) / 100 if real else NONE,
        chance=chance,
        note="; ".join(notes),
    )
