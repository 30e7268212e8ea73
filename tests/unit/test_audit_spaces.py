"""The spaces that clips are compared in: views taken off, style, order of frames, and vectors made by several."""

from __future__ import annotations

import threading
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from gaitcrafter_ext.audit.clips import ClipFeatures, small_geis
from gaitcrafter_ext.audit.motion import CONTROLS
from gaitcrafter_ext.audit.spaces import centred, fit_ordered, fit_style, gather, principal_components
from gaitcrafter_ext.errors import DataError
from gaitcrafter_ext.hardware import Process
from gaitcrafter_ext.metrics.variety import kid
from gaitcrafter_ext.silhouettes.parallel import Shared
from tests.stick_walkers import stick_people

TAKES = ("nm-01", "nm-02", "cl-01", "cl-02")
TRAINING, FRESH = stick_people(TAKES, people=6), stick_people(TAKES, people=6, seed=1)
SPACE = fit_ordered(TRAINING, stick_people(("nm-01",), people=2, frames=45, seed=3))


def test_the_views_mean_is_taken_off_and_the_rest_is_of_unit_length() -> None:
    clips = small_geis(TRAINING)
    found = centred(clips, clips).vectors
    np.testing.assert_allclose(np.linalg.norm(found, axis=1), 1, rtol=1e-5)
    rest = clips.vectors[0] - clips.vectors.mean(axis=0)
    np.testing.assert_allclose(found[0], rest / np.linalg.norm(rest), atol=1e-5)
    with pytest.raises(DataError, match="no real clip of view 090"):
        centred(clips.where(np.zeros(len(clips), bool)), clips)


def test_style_tells_conditions_apart_and_not_people() -> None:
    takes = tuple(f"{condition}-{number:02d}" for condition in ("nm", "cl") for number in range(1, 6))
    style = fit_style(small_geis(stick_people(takes, people=6, frames=30)))(small_geis(FRESH))
    assert style.vectors.shape == (len(FRESH), 1)
    nm, cl = (style.vectors[style.condition == name] for name in ("nm", "cl"))
    assert abs(nm.mean() - cl.mean()) > 2 * max(nm.std(), cl.std())
    with pytest.raises(DataError, match="6 training clips of 1 view"):
        fit_style(small_geis([clip for clip in TRAINING if clip.key.take == "nm-01"]))


def test_components_end_with_the_spread() -> None:
    flat = np.concatenate([np.random.default_rng(0).normal(size=(40, 2)), np.zeros((40, 3))], axis=1)
    mean, basis, spread = principal_components(flat, 4)
    assert basis.shape == (5, 2)
    np.testing.assert_allclose(((flat - mean) @ basis).std(axis=0, ddof=1), spread, rtol=1e-6)


def test_spoilt_time_scores_worse_than_new_real_clips() -> None:
    def distance(clips: list[ClipFeatures]) -> float:
        return kid(SPACE(clips).vectors, SPACE(TRAINING).vectors, np.random.default_rng(1)).value

    floor, rng = distance(FRESH), np.random.default_rng(0)
    for name, spoil in CONTROLS.items():
        spoilt = [replace(clip, frames=spoil(clip.frames, rng)) for clip in FRESH]
        assert distance(spoilt) > floor + 0.1, name


def test_the_phase_a_clip_begins_with_tells_nothing() -> None:
    clips = stick_people(("nm-01",), people=6, frames=90)
    early, late = (SPACE([replace(c, frames=c.frames[at : at + 45]) for c in clips]).vectors for at in (20, 30))
    assert np.linalg.norm(early - late) < 0.5 * np.linalg.norm(early - np.roll(early, 1, axis=0))


def test_too_few_clips_are_refused() -> None:
    with pytest.raises(DataError, match="no synthetic clip"):
        fit_ordered(TRAINING, [])
    with pytest.raises(DataError, match="2 training clips"):
        fit_ordered(TRAINING[:2], TRAINING[:2])


def squares(rows: range) -> np.ndarray:
    return np.array([[row**2, row] for row in rows], np.float32).reshape(-1, 2)


def test_each_process_embeds_its_rows_and_the_first_one_has_them_all(tmp_path: Path) -> None:
    for count in (7, 2):  # of two rows the third process has none
        asked, answers = list[int](), dict[int, np.ndarray | None]()

        def embed(rows: range, asked: list[int] = asked) -> np.ndarray:
            asked.extend(rows)
            return squares(rows)

        def work(rank: int, answers: dict[int, np.ndarray | None] = answers, count: int = count) -> None:
            answers[rank] = gather(Shared(tmp_path, Process(rank, 3)), f"x{count}", count, embed)

        threads = [threading.Thread(target=work, args=(rank,)) for rank in (2, 1, 0)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert answers[1] is answers[2] is None
        assert answers[0] is not None
        assert answers[0].tolist() == squares(range(count)).tolist()
        assert sorted(asked) == list(range(count))


def test_the_first_process_embeds_what_another_left_undone_and_its_own_files_may_all_be_broken(tmp_path: Path) -> None:
    found = gather(Shared(tmp_path, Process(0, 2)), "x", 3, squares)
    assert found is not None
    assert found.tolist() == squares(range(3)).tolist()
    gather(Shared(tmp_path, Process(1, 2)), "y", 3, squares)
    found = gather(Shared(tmp_path, Process(0, 2)), "y", 3, lambda rows: np.zeros((len(rows), 0), np.float32))
    assert found is not None
    np.testing.assert_array_equal(found, [[np.nan] * 2, [1, 1], [np.nan] * 2])
