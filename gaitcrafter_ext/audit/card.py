"""The identity card: rows of figures, each with what real clips and chance would have scored.

``report.json`` is this, field by field: ``schema`` (1; grows when a field changes its meaning), ``asked`` (the
options), ``groups`` (how many people and clips), ``caveats``, ``rows`` (of :class:`Row`) and ``unmeasured`` (of
:class:`Unmeasured`). Numbers that do not exist are ``null``.
"""

from __future__ import annotations

import dataclasses
import json
import math
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from typing import Any

from gaitcrafter_ext.errors import DataError
from gaitcrafter_ext.recognition.bootstrap import Estimate

__all__ = ["HELPS", "NONE", "QUESTIONS", "SCHEMA", "IdentityCard", "Measure", "Row", "Unmeasured", "row", "take"]

SCHEMA = 1

#: No such number.
NONE = float("nan")

#: The questions of a card, in order.
QUESTIONS = {
    "person": "Is it the person asked for?",
    "asked": "Is it the view, the condition asked for?",
    "different": "Are novel people different people?",
    "one": "Is each of them one person?",
    "vary": "Do they vary as real people do?",
    "nobody": "Are they nobody in particular?",
    "copied": "Was training data copied?",
    "looks": "Does it look like gait?",
    "moves": "Does it move like gait?",
    "mask": "Is it a valid mask?",
    "helps": "Does it help a recogniser?",
}


@dataclass(frozen=True)
class Row:
    """One figure.

    Attributes:
        question: Key of ``QUESTIONS``.
        measure: Stable name, e.g. ``"rank1"``.
        features: What it was measured on, e.g. ``"pixel GEI"`` or a recogniser's folder name.
        unit: ``"share"`` (0..1), ``"frames"``, ``"z"`` or ``"number"``.
        value: The figure.
        low: Lower end of its 95 % interval; of trained recognisers the lowest seed.
        high: Upper end of it; of trained recognisers the highest seed.
        count: On how many clips, people or seeds it was counted.
        floor: What real clips score where less is better, or nearness to real clips is asked for.
        ceiling: What real clips score where more is better.
        chance: What guessing, or a spoilt control, scores.
        note: What else must be known to read it.
    """

    question: str
    measure: str
    features: str
    unit: str
    value: float
    low: float
    high: float
    count: int
    floor: float = NONE
    ceiling: float = NONE
    chance: float = NONE
    note: str = ""


@dataclass(frozen=True)
class Unmeasured:
    """A figure that could not be had.

    Attributes:
        question: Key of ``QUESTIONS``.
        measure: As in :class:`Row`.
        features: As in :class:`Row`.
        why: One sentence.
    """

    question: str
    measure: str
    features: str
    why: str


@dataclass(frozen=True)
class Measure:
    """Something to measure.

    Attributes:
        question: Key of ``QUESTIONS``.
        name: Name of the measure, also of its result.
        features: What it is measured on.
        find: Computes the result; a ``DataError`` means that it cannot be had.
        rows: Turns the result into rows.
    """

    question: str
    name: str
    features: str
    find: Callable[[], Any]
    rows: Callable[[Any], Sequence[Row]]


@dataclass(frozen=True)
class IdentityCard:
    """All of ``report.json``.

    Attributes:
        rows: The figures, in the order of the questions.
        unmeasured: What could not be measured, and why.
        caveats: What limits the whole card.
        groups: How many people and clips of each kind.
        asked: The options.
        schema: Version of the meaning of these fields.
        results: Result of each measure by (name, features), for the pictures; not part of the JSON.
    """

    rows: tuple[Row, ...]
    unmeasured: tuple[Unmeasured, ...]
    caveats: tuple[str, ...] = ()
    groups: dict[str, Any] = field(default_factory=dict)
    asked: dict[str, Any] = field(default_factory=dict)
    schema: int = SCHEMA
    results: dict[tuple[str, str], Any] = field(default_factory=dict)

    def to_json(self) -> str:
        """The text of ``report.json``."""
        names = ("schema", "asked", "groups", "caveats", "rows", "unmeasured")
        return json.dumps({name: _plain(getattr(self, name)) for name in names}, indent=1, allow_nan=False) + "\n"


#: What a card leaves to ``experiment``.
HELPS = Unmeasured(
    "helps",
    "rank1_gain",
    "trained recognisers",
    "takes trainings of its own: run 'experiment', then name its folder by --experiments",
)


def row(question: str, measure: str, features: str, estimate: Estimate, unit: str = "share", **others: Any) -> Row:
    """A row of an estimate."""
    return Row(question, measure, features, unit, estimate.value, estimate.low, estimate.high, estimate.count, **others)


def take(
    measures: Sequence[Measure], progress: Callable[[Sequence[Measure]], Iterable[Measure]] = iter
) -> IdentityCard:
    """Take every measure; what cannot be had is told, and the rest goes on."""
    rows: list[Row] = []
    missing: list[Unmeasured] = []
    results: dict[tuple[str, str], Any] = {}
    for measure in progress(measures):
        try:
            result = measure.find()
        except DataError as error:
            missing.append(Unmeasured(measure.question, measure.name, measure.features, str(error)))
            continue
        results[measure.name, measure.features] = result
        rows += measure.rows(result)
    order = list(QUESTIONS)
    rows.sort(key=lambda each: order.index(each.question))
    return IdentityCard(tuple(rows), tuple(missing), results=results)


def _plain(value: Any) -> Any:
    """Dataclasses and tuples as what JSON knows; numbers that do not exist as None."""
    if dataclasses.is_dataclass(value) and not isinstance(value, type):
        return {each.name: _plain(getattr(value, each.name)) for each in dataclasses.fields(value)}
    if isinstance(value, dict):
        return {str(name): _plain(item) for name, item in value.items()}
    if isinstance(value, float):
        return value if math.isfinite(value) else None
    return [_plain(item) for item in value] if isinstance(value, list | tuple) else value
