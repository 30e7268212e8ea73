"""The identity card: rows of figures, each with what real clips and chance would have scored.

``report.json`` is this, field by field: ``schema`` (grows when a field or name changes its meaning), ``asked`` (the
options), ``groups`` (how many people and clips), ``caveats``, ``rows`` (of :class:`Row`) and ``unmeasured`` (of
:class:`Unmeasured`). Numbers that do not exist are ``null``.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any

from gaitcrafter_ext.audit.clips import Progress
from gaitcrafter_ext.errors import DataError
from gaitcrafter_ext.metrics.intervals import Estimate
from gaitcrafter_ext.records import to_json

#: The files of a report.
JSON_NAME, HTML_NAME = "report.json", "report.html"

SCHEMA = 2

#: No such number.
NONE = float("nan")

#: What is measured on the frames as they are.
FRAMES = "frames"

#: The questions of a card, in order.
QUESTIONS = {
    "identification": "Is it the person asked for?",
    "faithfulness": "Is it the view, the condition asked for?",
    "uniqueness": "Are novel identities different people?",
    "consistency": "Is each of them one person?",
    "variety": "Do they vary as real people do?",
    "leakage": "Do they leak training people?",
    "copies": "Was training data copied?",
    "likeness": "Does it look like gait?",
    "motion": "Does it move like gait?",
    "masks": "Is it a valid mask?",
    "utility": "Does it help a recogniser?",
}

#: What a measure is called in tables; others bear their own name.
LABELS = {
    "rank1": "rank-1",
    "u": "U, share kept",
    "c_intra": "C_intra",
    "parent_retrieval": "leads to a parent",
    "leak": "leaks a training person",
    "d_intra": "D_intra",
    "closer": "nearer than real",
    "three_sample": "three-sample C_T",
    "membership_auc": "membership AUC",
    "kid": "KID",
    "two_sample": "told from real clips",
    "motion_outside": "motion out of range",
    "forward": "runs forward",
    "cadence_error": "cadence error, frames",
    "rank1_gain": "gain in rank-1",
    "mask_outside": "mask out of range",
    "iou": "frame-to-frame overlap",
}


@dataclass(frozen=True)
class Row:
    """One figure of a question, by a stable name such as ``"rank1"``.

    ``features`` is what it was measured on: ``"pixel GEI"``, a recogniser's folder name. ``unit`` is ``"share"``
    (0..1), ``"frames"``, ``"z"`` or ``"number"``. ``low`` and ``high`` end its 95 % interval, or are the lowest and
    highest seed of trained recognisers; ``count`` is the number of clips, people or seeds. ``floor`` is what real clips
    score where less is better or nearness to them is asked for, ``ceiling`` what they score where more is better,
    ``chance`` what guessing or a spoilt control scores.
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
    """A figure that could not be had, and why, in one sentence."""

    question: str
    measure: str
    features: str
    why: str


@dataclass(frozen=True)
class Measure:
    """Something to measure; where ``find`` raises a ``DataError``, it cannot be had."""

    question: str
    name: str
    features: str
    find: Callable[[], Sequence[Row]]


@dataclass(frozen=True)
class IdentityCard:
    """All of ``report.json``."""

    schema: int = SCHEMA
    asked: dict[str, Any] = field(default_factory=dict)
    groups: dict[str, Any] = field(default_factory=dict)
    caveats: Sequence[str] = ()
    rows: Sequence[Row] = ()
    unmeasured: Sequence[Unmeasured] = ()

    def to_json(self) -> str:
        """The text of ``report.json``."""
        return to_json(self, indent=1) + "\n"

    def to_text(self, notes: bool = False) -> str:
        """Caveats and tables for a terminal; the notes stand below their figures where they are asked for."""
        lines = [f"caveat: {each}" for each in self.caveats]
        for question, rows, missing in self.by_question():
            lines += ["", f"{question:<46}{'value':>8}{'95 % interval':>18}{'floor':>8}{'ceiling':>8}{'chance':>8}"]
            for each in rows:
                bounds = "".join(f"{figure(value, each.unit):>8}" for value in (each.floor, each.ceiling, each.chance))
                value = f"{figure(each.value, each.unit):>8}{interval(each):>18}"
                lines.append(f"  {each.measure:<20}{each.features[:23]:<24}{value}{bounds}")
                lines += [f"    {each.note}"] if notes and each.note else []
            lines += [f"  {each.measure} ({each.features}): not measured: {each.why}" for each in missing]
        return "\n".join(lines)

    def by_question(self) -> list[tuple[str, list[Row], list[Unmeasured]]]:
        """The questions that have figures or reasons why not, with both."""
        found = []
        for key, question in QUESTIONS.items():
            rows = [each for each in self.rows if each.question == key]
            missing = [each for each in self.unmeasured if each.question == key]
            found += [(question, rows, missing)] if rows or missing else []
        return found


def row(question: str, measure: str, features: str, estimate: Estimate, unit: str = "share", **others: Any) -> Row:
    """A row of an estimate."""
    return Row(question, measure, features, unit, estimate.value, estimate.low, estimate.high, estimate.count, **others)


def run_measures(measures: Sequence[Measure], progress: Progress, **facts: Any) -> IdentityCard:
    """Run every measure; what cannot be had is listed with its reason. ``facts`` are fields of the card."""
    rows, missing = list[Row](), list[Unmeasured]()
    for number, measure in enumerate(measures):
        progress(number, len(measures))
        try:
            rows += measure.find()
        except DataError as error:
            missing.append(Unmeasured(measure.question, measure.name, measure.features, str(error)))
    rows.sort(key=lambda each: list(QUESTIONS).index(each.question))
    return IdentityCard(rows=rows, unmeasured=missing, **facts)


def figure(value: float, unit: str) -> str:
    """A number as the tables show it: per cent of shares, a dash where there is none."""
    if not math.isfinite(value):
        return "-"
    if unit == "share":
        return f"{100 * value:.1f} %"
    return f"{value:.2f}" if abs(value) >= 0.1 or value == 0 else f"{value:.3f}"


def interval(row: Row) -> str:
    """``[low, high]`` of a row, without its unit; nothing where there is none."""
    low, high = (figure(value, row.unit).removesuffix(" %") for value in (row.low, row.high))
    return "" if "-" in (low, high) else f"[{low}, {high}]"


def label(measure: str) -> str:
    """Name of a measure for readers: ``rank1_nm`` is rank-1 nm."""
    stem, _, part = measure.partition("_")
    return LABELS.get(measure) or f"{LABELS.get(stem, stem)} {part}".strip().replace("_", " ")
