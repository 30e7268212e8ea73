"""Can a viewer tell synthetic from real? Sheets to look at: pairs side by side, and a mixed one with key and score."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Literal

import numpy as np

from gaitcrafter_ext.audit.data import Trees
from gaitcrafter_ext.errors import ConflictError, DataError
from gaitcrafter_ext.metrics.features import Cell
from gaitcrafter_ext.metrics.intervals import exact_interval
from gaitcrafter_ext.metrics.variety import balanced
from gaitcrafter_ext.records import record
from gaitcrafter_ext.silhouettes.clip import window
from gaitcrafter_ext.silhouettes.files import atomic_write_text
from gaitcrafter_ext.silhouettes.pictures import contact_sheet
from gaitcrafter_ext.vocabulary import ClipKey

KINDS = ("real", "synthetic")

#: Rows show the middle so many frames of a clip, so that its length tells nothing, and every third of them.
FRAMES = 30

SHEET, KEY, ANSWERS = "sheet.png", "key.json", "answers.json"


@record
class Row:
    """What one row of the sheet shows: its label (``row 01``), and the clip as ``identity/take/view``."""

    label: str
    kind: Literal["real", "synthetic"]
    clip: str


def matching_pairs(trees: Trees) -> list[tuple[ClipKey, ClipKey]]:
    """Each synthetic clip with the first real one of its person, condition and view, where there is one."""
    first: dict[tuple[str, Cell], ClipKey] = {}
    for key in trees.real_keys:
        first.setdefault((key.identity, trees.cell(key)), key)
    pairs = ((first.get((key.identity, trees.cell(key))), key) for key in trees.synthetic_keys)
    return [(theirs, ours) for theirs, ours in pairs if theirs]


def draw_rows(trees: Trees, rows: int, rng: np.random.Generator) -> list[tuple[str, ClipKey]]:
    """As many real as synthetic clips, the same number of each view and condition, in random order: (kind, clip)."""
    real, made = (sorted(keys, key=trees.cell) for keys in (trees.real_keys, trees.synthetic_keys))
    ours, theirs = balanced([trees.cell(key) for key in real], [trees.cell(key) for key in made], rng)
    pairs = [(real[left], made[right]) for left, right in zip(ours, theirs, strict=True)]
    if len(pairs) < rows // 2:
        raise DataError(
            f"{rows} rows need {rows // 2} real and as many synthetic clips of the same views and conditions, and there"
            f" are {len(pairs)}; ask for fewer --rows or more clips"
        )
    chosen = [pairs[index] for index in rng.permutation(len(pairs))[: rows // 2]]
    mixed = [(kind, key) for pair in chosen for kind, key in zip(KINDS, pair, strict=True)]
    return [mixed[index] for index in rng.permutation(len(mixed))]


def write_sheet(folder: Path, trees: Trees, drawn: Sequence[tuple[str, ClipKey]]) -> list[Row]:
    """Write ``sheet.png`` to show, ``answers.json`` to fill in and ``key.json`` to keep back.

    Raises ``ConflictError`` where the folder holds one of these, ``StorageError`` where the disk refuses.
    """
    there = [name for name in (SHEET, KEY, ANSWERS) if (folder / name).exists()]
    if there:
        raise ConflictError(f"{folder / there[0]} is there already; name another --out")
    stores = dict(zip(KINDS, (trees.real, trees.synthetic), strict=True))
    rows = [Row(f"row {number:02d}", kind, str(key)) for number, (kind, key) in enumerate(drawn, 1)]  # type: ignore[arg-type]
    clips = [window(stores[kind].read(key), FRAMES) for kind, key in drawn]
    shown = min(len(clip) for clip in clips)
    strips = [(row.label, window(clip, shown)[::3]) for row, clip in zip(rows, clips, strict=True)]
    contact_sheet(strips, folder / SHEET, frames=len(strips[0][1]))
    atomic_write_text(folder / ANSWERS, json.dumps({row.label: "" for row in rows}, indent=1) + "\n")
    atomic_write_text(folder / KEY, json.dumps([asdict(row) for row in rows], indent=1) + "\n")
    return rows


def score(key: Sequence[Row], answers: Mapping[str, str]) -> dict[str, float]:
    """How well ``answers``, label -> ``real`` or ``synthetic``, tell the rows apart.

    ``share`` of hits: 0.5 is chance; ``low`` and ``high`` end its 95 % interval (Clopper & Pearson 1934), ``p_value``
    is the chance of at least so many hits by coin. The shares taken for real are NaN without such rows.
    """
    from scipy.stats import binom

    truth = {row.label: row.kind for row in key}
    for label in [*truth, *answers]:
        if label not in truth:
            raise DataError(f"the answers name '{label}', which the key does not; take the key of the same sheet")
        if answers.get(label) not in KINDS:
            raise DataError(f"'{label}' is answered '{answers.get(label, '')}'; write real or synthetic for every row")
    said = np.array([answers[label] == "real" for label in truth])
    real = np.array([kind == "real" for kind in truth.values()])
    hits, rows = int((said == real).sum()), len(real)
    low, high = exact_interval(hits, rows)
    made, known = (float(said[mask].mean()) if mask.any() else float("nan") for mask in (~real, real))
    return {
        "hits": hits, "rows": rows, "share": hits / rows, "low": low, "high": high,
        "p_value": float(binom.sf(hits - 1, rows, 0.5)), "synthetic_as_real": made, "real_as_real": known,
    }  # fmt: skip
