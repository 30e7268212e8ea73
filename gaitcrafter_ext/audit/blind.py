"""Can somebody who is not told tell synthetic from real? A mixed sheet, its key, and the score of the answers."""

from __future__ import annotations

import json
import math
from collections import defaultdict
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np

from gaitcrafter_ext.errors import ConflictError, DataError, MissingError
from gaitcrafter_ext.silhouettes.clip import window
from gaitcrafter_ext.silhouettes.files import atomic_write_text
from gaitcrafter_ext.silhouettes.sheet import contact_sheet
from gaitcrafter_ext.silhouettes.store import SilhouetteStore
from gaitcrafter_ext.vocabulary import ClipKey

__all__ = ["FRAMES", "KINDS", "BlindScore", "Row", "draw_rows", "read_json", "score", "write_sheet"]

KINDS = ("real", "synthetic")

#: Rows show the middle so many frames of a clip, so that its length tells nothing, and every third of them.
FRAMES = 30

SHEET, KEY, ANSWERS = "sheet.png", "key.json", "answers.json"


@dataclass(frozen=True)
class Row:
    """What one row of the sheet shows.

    Attributes:
        label: ``row 01`` and so on.
        kind: ``real`` or ``synthetic``.
        clip: The clip, as ``identity/take/view``.
    """

    label: str
    kind: str
    clip: str


@dataclass(frozen=True)
class BlindScore:
    """How well somebody told the rows apart.

    Attributes:
        hits: Rows told right.
        rows: Rows answered.
        share: ``hits / rows``; 0.5 is chance.
        low: Lower end of the 95 % interval (Clopper & Pearson 1934).
        high: Upper end of it.
        p_value: Chance of telling at least so many rows by coin.
        synthetic_as_real: Share of synthetic rows taken for real; NaN where there was none.
        real_as_real: Share of real rows taken for real; NaN where there was none.
    """

    hits: int
    rows: int
    share: float
    low: float
    high: float
    p_value: float
    synthetic_as_real: float
    real_as_real: float


def draw_rows(
    real: Sequence[ClipKey], synthetic: Sequence[ClipKey], rows: int, rng: np.random.Generator
) -> list[tuple[str, ClipKey]]:
    """Draw as many real as synthetic clips, the same number of each view and condition, in random order.

    Args:
        real: Clips to draw from.
        synthetic: The same.
        rows: How many rows, an even number.
        rng: Draws clips and order.

    Returns:
        (kind, clip) of each row.

    Raises:
        DataError: There are too few clips of common views and conditions.
    """
    pairs = [pair for cell in _cells(real, synthetic) for pair in _pairs(*cell, rng)]
    if len(pairs) < rows // 2 or not pairs:
        raise DataError(
            f"{rows} rows need {rows // 2} real and as many synthetic clips of the same views and conditions, and there"
            f" are {len(pairs)}; ask for fewer --rows or more clips"
        )
    chosen = [pairs[index] for index in rng.permutation(len(pairs))[: rows // 2]]
    mixed = [(kind, key) for pair in chosen for kind, key in zip(KINDS, pair, strict=True)]
    return [mixed[index] for index in rng.permutation(len(mixed))]


def write_sheet(
    folder: Path, real: SilhouetteStore, synthetic: SilhouetteStore, drawn: Sequence[tuple[str, ClipKey]]
) -> list[Row]:
    """Write ``sheet.png`` to show, ``answers.json`` to fill in and ``key.json`` to keep back.

    Raises:
        ConflictError: The folder holds one of these files.
        StorageError: The disk refused.
    """
    there = [name for name in (SHEET, KEY, ANSWERS) if (folder / name).exists()]
    if there:
        raise ConflictError(f"{folder / there[0]} is there already; name another --out")
    stores = dict(zip(KINDS, (real, synthetic), strict=True))
    rows = [Row(f"row {number:02d}", kind, str(key)) for number, (kind, key) in enumerate(drawn, 1)]
    clips = [window(stores[kind].read(key), FRAMES) for kind, key in drawn]
    shown = min(len(clip) for clip in clips)
    strips = [(row.label, window(clip, shown)[::3]) for row, clip in zip(rows, clips, strict=True)]
    contact_sheet(strips, folder / SHEET, frames=len(strips[0][1]))
    atomic_write_text(folder / ANSWERS, json.dumps({row.label: "" for row in rows}, indent=1) + "\n")
    atomic_write_text(folder / KEY, json.dumps([asdict(row) for row in rows], indent=1) + "\n")
    return rows


def score(key: Sequence[Row], answers: Mapping[str, str]) -> BlindScore:
    """Count hits.

    Args:
        key: The rows as ``write_sheet`` returned them.
        answers: Label -> ``real`` or ``synthetic``; every row must be answered.

    Raises:
        DataError: A row has no answer, an answer no row, or an answer is another word.
    """
    truth = {row.label: row.kind for row in key}
    for label in [*truth, *answers]:
        if label not in truth:
            raise DataError(f"the answers name '{label}', which the key does not; take the key of the same sheet")
        if answers.get(label) not in KINDS:
            raise DataError(f"'{label}' is answered '{answers.get(label, '')}'; write real or synthetic for every row")
    right = [answers[label] == kind for label, kind in truth.items()]
    low, high = exact_interval(sum(right), len(right))
    return BlindScore(
        sum(right),
        len(right),
        sum(right) / len(right),
        low,
        high,
        at_least(sum(right), len(right), 0.5),
        *(_taken_for_real(truth, answers, kind) for kind in ("synthetic", "real")),
    )


def at_least(hits: int, rows: int, share: float) -> float:
    """Probability of ``hits`` or more successes in ``rows`` trials that succeed with probability ``share``."""
    return sum(math.comb(rows, k) * share**k * (1 - share) ** (rows - k) for k in range(hits, rows + 1))


def exact_interval(hits: int, rows: int) -> tuple[float, float]:
    """95 % interval of a binomial share (Clopper & Pearson 1934)."""
    low = _solve(lambda share: at_least(hits, rows, share) - 0.025) if hits else 0.0
    high = _solve(lambda share: at_least(hits + 1, rows, share) - 0.975) if hits < rows else 1.0
    return low, high


def _solve(rising: Callable[[float], float]) -> float:
    """Root in [0, 1] of a rising function, by bisection."""
    low, high = 0.0, 1.0
    for _ in range(50):
        middle = (low + high) / 2
        low, high = (middle, high) if rising(middle) < 0 else (low, middle)
    return (low + high) / 2


def read_json(path: str) -> Any:
    """Content of a key or answers file.

    Raises:
        MissingError: There is no such file.
        DataError: It is not JSON.
    """
    try:
        return json.loads(Path(path).read_text(encoding="utf-8"))
    except OSError as error:
        raise MissingError(f"cannot read {path}: {error.strerror}") from None
    except ValueError:
        raise DataError(f"{path} is not JSON; give the file that 'evaluate blind --out' wrote") from None


def _taken_for_real(truth: Mapping[str, str], answers: Mapping[str, str], kind: str) -> float:
    said = [answers[label] == "real" for label, true in truth.items() if true == kind]
    return float(np.mean(said)) if said else float("nan")


def _cells(real: Sequence[ClipKey], synthetic: Sequence[ClipKey]) -> list[tuple[list[ClipKey], list[ClipKey]]]:
    """Real and synthetic clips of each view and condition that both have."""
    cells: dict[tuple[str, str], tuple[list[ClipKey], list[ClipKey]]] = defaultdict(lambda: ([], []))
    for side, keys in enumerate((real, synthetic)):
        for key in keys:
            cells[key.view, key.condition][side].append(key)
    return [cells[name] for name in sorted(cells)]


def _pairs(
    real: Sequence[ClipKey], synthetic: Sequence[ClipKey], rng: np.random.Generator
) -> list[tuple[ClipKey, ClipKey]]:
    """As many random pairs as the smaller side allows, each clip once."""
    count = min(len(real), len(synthetic))
    left, right = (rng.permutation(len(keys))[:count] for keys in (real, synthetic))
    return [(real[a], synthetic[b]) for a, b in zip(left.tolist(), right.tolist(), strict=True)]
