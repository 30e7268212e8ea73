"""Distances over all shifts against a loop; copies are found, and honest clips of the same people are not."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from gaitcrafter_ext.audit import copies as module
from gaitcrafter_ext.audit.clips import ClipFeatures
from gaitcrafter_ext.audit.copies import Match, best_shift, clip_distances, copies
from gaitcrafter_ext.errors import DataError
from gaitcrafter_ext.metrics.distances import win_rates
from gaitcrafter_ext.vocabulary import ClipKey
from tests.stick_walkers import stick_people

TRAINING = stick_people(("nm-01", "nm-02", "cl-01", "cl-02"))
HELD_OUT = stick_people(("nm-03", "cl-03"), seed=1)
HONEST = stick_people(("nm-01", "cl-01"), seed=2, frames=30)


def closer(found: tuple[list[Match], list[Match]]) -> float:
    return float(win_rates(*(np.array([match.distance for match in side]) for side in found)).mean())


def share(matches: list[Match]) -> float:
    return float(np.mean([match.copied for match in matches]))


def cut(clip: ClipFeatures, start: int = 11) -> ClipFeatures:
    return replace(clip, frames=clip.frames[start : start + 30])


def test_training_clips_passed_off_as_synthetic_are_all_copies() -> None:
    found = copies(([cut(clip) for clip in TRAINING], HELD_OUT, TRAINING))
    assert [share(side) for side in found] == [1.0, 0.0]
    assert closer(found) == 1.0
    assert all(match.nearest == match.clip and match.shift == 11 for match in found[0])


def test_honest_clips_keep_the_distance_of_held_out_ones() -> None:
    found = copies((HONEST, HELD_OUT, TRAINING))
    assert [share(side) for side in found] == [0.0, 0.0]
    assert 0.25 < closer(found) < 0.75


def test_a_copy_of_two_equal_takes_is_a_copy_and_the_same_take_filmed_twice_is_no_second_opinion() -> None:
    twin = replace(TRAINING[0], key=ClipKey("000", "nm-09", "090"))
    assert share(copies(([cut(TRAINING[0])] * 2, HELD_OUT, [*TRAINING, twin]))[0]) == 1.0
    filmed = [replace(clip, view_deg=None, key=replace(clip.key, view=at)) for clip in TRAINING for at in "ab"]
    asked = [replace(cut(clip), view_deg=None) for clip in TRAINING]
    assert share(copies((asked, HELD_OUT, filmed))[0]) == 1.0


def test_clips_without_two_training_takes_are_left_out_and_none_with_them_is_refused() -> None:
    without = [clip for clip in TRAINING if clip.condition == "nm" or str(clip.key) == "000/cl-01/090"]
    assert {match.cell for match in copies((HONEST, HELD_OUT, without))[0]} == {"090/nm"}
    for known in (0, 1):
        with pytest.raises(DataError, match="two training takes"):
            copies((HONEST, HELD_OUT, TRAINING[:known]))
    with pytest.raises(DataError, match="no synthetic clip"):
        copies(([], HELD_OUT, TRAINING))


def noise(seed: int, length: int) -> np.ndarray:
    return np.random.default_rng(seed).integers(0, 256, (length, 6, 5), dtype=np.uint8)


def distance_naive(clip: np.ndarray, other: np.ndarray) -> float:
    short, long = sorted((clip, other), key=len)
    windows = [long[shift : shift + len(short)] for shift in range(len(long) - len(short) + 1)]
    return min(float(np.sqrt(np.mean((short / 255.0 - window / 255.0) ** 2))) for window in windows)


def test_every_pair_agrees_with_the_loop_whatever_lengths_and_batches(monkeypatch: pytest.MonkeyPatch) -> None:
    clips = [noise(n, length) for n, length in enumerate((7, 7, 4, 11))]
    others = [noise(50 + n, length) for n, length in enumerate((9, 3, 7, 14, 7))]
    wanted = np.array([[distance_naive(clip, other) for other in others] for clip in clips])
    for batch in (2048, 12):
        monkeypatch.setattr(module, "BATCH_FRAMES", batch)
        assert clip_distances(clips, others) == pytest.approx(wanted, abs=1e-5)
    long = noise(0, 20)
    assert clip_distances([long[6:14]], [long])[0, 0] == pytest.approx(0.0, abs=1e-3)
    assert (best_shift(long[6:14], long), best_shift(long, long[6:14])) == (6, -6)
