"""The blind sheet: half and half, in random order, labels that tell nothing; hits with their interval."""

from __future__ import annotations

import json
from collections import Counter
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from gaitcrafter_ext.audit.blind import Row, draw_rows, matching_pairs, score, write_sheet
from gaitcrafter_ext.audit.data import Trees
from gaitcrafter_ext.errors import ConflictError, DataError
from gaitcrafter_ext.silhouettes.store import SilhouetteStore
from gaitcrafter_ext.vocabulary import ClipKey
from tests.stick_walkers import stick_clip

REAL = [ClipKey(f"{i:03d}", take, view) for i in range(6) for take in ("nm-01", "cl-01") for view in ("054", "090")]
MADE = [ClipKey(f"syn-{i:04d}", take, "090") for i in range(6) for take in ("nm-01", "bg-01", "cl-01")]


def trees(root: Path, made: list[ClipKey] = MADE) -> Trees:
    stores = [SilhouetteStore(root / name, create=True) for name in ("real", "made")]
    return Trees(*stores, REAL, made)


def drawn(root: Path, seed: int = 0, rows: int = 12) -> list[tuple[str, ClipKey]]:
    return draw_rows(trees(root), rows, np.random.default_rng(seed))


def test_half_the_rows_are_real_and_views_and_conditions_do_not_tell(tmp_path: Path) -> None:
    rows = drawn(tmp_path)
    kinds = {kind: Counter((key.view, key.take[:2]) for which, key in rows if which == kind) for kind, _ in rows}
    assert kinds["real"] == kinds["synthetic"]
    assert sum(kinds["real"].values()) == 6
    assert len({key for _, key in rows}) == 12
    assert drawn(tmp_path) == rows
    assert [kind for kind, _ in rows] != [kind for kind, _ in drawn(tmp_path, seed=1)]
    with pytest.raises(DataError, match="there are 12"):
        drawn(tmp_path, rows=26)
    with pytest.raises(DataError, match="there are 0"):
        draw_rows(trees(tmp_path, []), 2, np.random.default_rng(0))


def test_the_sheet_comes_with_a_key_of_its_own_and_overwrites_nothing(tmp_path: Path) -> None:
    both, chosen = trees(tmp_path), drawn(tmp_path, rows=4)
    for kind, key in chosen:
        (both.real if kind == "real" else both.synthetic).write(key, stick_clip(0, 26.0, 45 if kind == "real" else 30))
    rows = write_sheet(tmp_path / "out", both, chosen)
    assert [Row(**each) for each in json.loads((tmp_path / "out" / "key.json").read_text())] == rows
    assert [row.label for row in rows] == ["row 01", "row 02", "row 03", "row 04"]
    assert list(json.loads((tmp_path / "out" / "answers.json").read_text())) == [row.label for row in rows]
    assert (tmp_path / "out" / "sheet.png").stat().st_size > 1000
    with pytest.raises(ConflictError, match="is there already"):
        write_sheet(tmp_path / "out", both, chosen)


def test_hits_are_counted_with_the_exact_interval_and_answers_must_fit_the_key() -> None:
    key = [Row(f"row {n:02d}", "real" if n % 2 else "synthetic", "x") for n in range(1, 21)]
    answers: dict[str, str] = {row.label: row.kind for row in key}
    for label in ("row 01", "row 02", "row 03", "row 04", "row 06"):
        answers[label] = "real" if answers[label] == "synthetic" else "synthetic"
    found = score(key, answers)
    assert (found.hits, found.rows) == (15, 20)
    assert (found.low, found.high) == pytest.approx((0.509, 0.913), abs=1e-3)
    assert found.p_value == pytest.approx(0.0207, abs=1e-4)
    assert (found.synthetic_as_real, found.real_as_real) == (pytest.approx(0.3), pytest.approx(0.8))
    for wrong, words in (
        ({"row 20": ""}, "'row 20' is answered ''"),
        ({"row 20": "fake"}, "'row 20' is answered 'fake'"),
        ({"row 21": "real"}, "name 'row 21', which the key does not"),
    ):
        with pytest.raises(DataError, match=words):
            score(key, answers | wrong)


def test_pairs_share_person_condition_and_view(tmp_path: Path) -> None:
    real = [ClipKey("a", "nm-01", "090"), ClipKey("a", "nm-02", "090"), ClipKey("b", "cl-01", "090")]
    made = [ClipKey("a", "nm-05", "090"), ClipKey("a", "cl-01", "090"), ClipKey("b", "cl-02", "000")]
    assert matching_pairs(replace(trees(tmp_path, made), real_keys=real)) == [(real[0], made[0])]
