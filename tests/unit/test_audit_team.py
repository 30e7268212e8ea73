"""Several processes share the embedding of clips: nothing twice, nothing lost, and a missing one is noticed."""

from __future__ import annotations

import threading
from pathlib import Path

import numpy as np
import pytest

from gaitcrafter_ext.audit import team
from gaitcrafter_ext.audit.team import Team
from gaitcrafter_ext.errors import ConflictError
from gaitcrafter_ext.hardware import Process


def squares(rows: range) -> np.ndarray:
    return np.array([[row**2, row] for row in rows], np.float32).reshape(-1, 2)


def test_each_process_computes_its_rows_and_the_first_one_has_them_all(tmp_path: Path) -> None:
    asked, answers = list[int](), list[object]()

    def compute(rows: range) -> np.ndarray:
        asked.extend(rows)
        return squares(rows)

    def work(rank: int, count: int) -> None:
        mine = Team(tmp_path / "shares", Process(rank, 3))
        with mine.working():
            answers.append(mine.gather(f"x{count}", count, compute))

    for count in (7, 2):  # of two rows the third process has none
        threads = [threading.Thread(target=work, args=(rank, count)) for rank in (2, 1, 0)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        (found,) = [each for each in answers if isinstance(each, np.ndarray) and len(each) == count]
        assert found.tolist() == squares(range(count)).tolist()
        assert sorted(asked[-count:]) == list(range(count))
        assert not (tmp_path / "shares").exists()
    alone = Team(tmp_path / "shares", Process())
    with alone.working():
        assert alone.gather("x", 3, squares) is not None
    assert list(tmp_path.iterdir()) == []


def test_a_first_process_whose_clips_are_all_broken_takes_the_others(tmp_path: Path) -> None:
    Team(tmp_path, Process(1, 2)).gather("x", 3, squares)
    found = Team(tmp_path, Process(0, 2)).gather("x", 3, lambda rows: np.zeros((len(rows), 0), np.float32))
    assert found is not None
    np.testing.assert_array_equal(found, [[np.nan] * 2, [1, 1], [np.nan] * 2])


def test_a_process_that_never_comes_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(team, "PATIENCE_S", 0.1)
    first = Team(tmp_path, Process(0, 2))
    with pytest.raises(ConflictError, match="process 1 of 2 ended, or never began"), first.working():
        first.gather("x", 3, squares)
