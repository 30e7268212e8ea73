"""Distances over all shifts against a loop; copies are found, and honest clips of the same people are not."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from gaitcrafter_ext.audit import frames
from gaitcrafter_ext.audit.clips import ClipFeatures
from gaitcrafter_ext.audit.copies import Copies, copies
from gaitcrafter_ext.audit.frames import best_shift, clip_distances
from gaitcrafter_ext.errors import DataError
from gaitcrafter_ext.metrics.distances import win_rates
from gaitcrafter_ext.vocabulary import ClipKey
from tests.stick_walkers import stick_people

TAKES = ("nm-01", "nm-02", "cl-01", "cl-02")


@pytest.fixture(scope="module")
def training() -> list[ClipFeatures]:
    return stick_people(TAKES)


@pytest.fixture(scope="module")
def held_out() -> list[ClipFeatures]:
    return stick_people(("nm-03", "cl-03"), seed=1)


@pytest.fixture(scope="module")
def honest() -> list[ClipFeatures]:
    return stick_people(("nm-01", "cl-01"), seed=2, frames=30)


def closer(found: Copies) -> float:
    return float(win_rates(found.synthetic.distances, found.held_out.distances).mean())


def cut(clip: ClipFeatures, start: int = 11) -> ClipFeatures:
    return replace(clip, frames=clip.frames[start : start + 30])


def test_training_clips_passed_off_as_synthetic_are_all_copies(
    training: list[ClipFeatures], held_out: list[ClipFeatures]
) -> None:
    found = copies(([cut(clip) for clip in training], held_out, training))
    assert found.synthetic.share == 1.0
    assert found.held_out.share == 0.0
    assert closer(found) == 1.0
    assert all(match.nearest == match.clip and match.shift == 11 for match in found.synthetic.matches)


def test_honest_clips_keep_the_distance_of_held_out_ones(
    training: list[ClipFeatures], held_out: list[ClipFeatures], honest: list[ClipFeatures]
) -> None:
    found = copies((honest, held_out, training))
    assert found.synthetic.share == found.held_out.share == 0.0
    assert 0.25 < closer(found) < 0.75


def test_a_copy_of_two_equal_takes_is_a_copy(training: list[ClipFeatures], held_out: list[ClipFeatures]) -> None:
    twin = replace(training[0], key=ClipKey("000", "nm-09", "090"))
    assert copies(([cut(training[0])] * 2, held_out, [*training, twin])).synthetic.share == 1.0


def test_the_second_nearest_is_of_another_take(training: list[ClipFeatures], held_out: list[ClipFeatures]) -> None:
    """The same walk filmed by another camera is no second opinion: only another take is."""
    filmed = [replace(clip, key=replace(clip.key, view="072")) for clip in training]
    found = copies(([cut(clip) for clip in training], held_out, [*training, *filmed]), scope="all")
    assert found.synthetic.share == 1.0


def test_a_copy_under_another_condition_is_found_only_among_all(
    training: list[ClipFeatures], held_out: list[ClipFeatures]
) -> None:
    coats = [clip for clip in training if clip.condition == "cl"]
    disguised = [replace(cut(clip), key=replace(clip.key, take="nm-01"), condition="nm") for clip in coats]
    assert copies((disguised, held_out, training)).synthetic.share == 0.0
    assert copies((disguised, held_out, training), scope="all").synthetic.share == 1.0


def test_clips_without_two_training_takes_are_left_out_and_counted(
    training: list[ClipFeatures], held_out: list[ClipFeatures], honest: list[ClipFeatures]
) -> None:
    without = [clip for clip in training if clip.condition == "nm" or str(clip.key) == "000/cl-01/090"]
    assert copies((honest, held_out, without)).synthetic.left_out == 4


def test_empty_or_single_training_sets_are_refused(
    training: list[ClipFeatures], held_out: list[ClipFeatures], honest: list[ClipFeatures]
) -> None:
    for known in (0, 1):
        with pytest.raises(DataError, match="two training takes"):
            copies((honest, held_out, training[:known]))
    with pytest.raises(DataError, match="no synthetic clip"):
        copies(([], held_out, training))


def noise(seed: int, length: int) -> np.ndarray:
    return np.random.default_rng(seed).integers(0, 256, (length, 6, 5), dtype=np.uint8)


def distance_naive(clip: np.ndarray, other: np.ndarray, cyclic: bool) -> float:
    if cyclic:
        windows = [(clip, other[(np.arange(len(clip)) + shift) % len(other)]) for shift in range(len(other))]
    else:
        short, long = sorted((clip, other), key=len)
        windows = [(short, long[shift : shift + len(short)]) for shift in range(len(long) - len(short) + 1)]
    return min(float(np.sqrt(np.mean((a / 255.0 - b / 255.0) ** 2))) for a, b in windows)


def test_every_pair_agrees_with_the_loop_whatever_lengths_and_batches(monkeypatch: pytest.MonkeyPatch) -> None:
    clips = [noise(n, length) for n, length in enumerate((7, 7, 4, 11))]
    others = [noise(50 + n, length) for n, length in enumerate((9, 3, 7, 14, 7))]
    for cyclic in (False, True):
        wanted = np.array([[distance_naive(clip, other, cyclic) for other in others] for clip in clips])
        for batch in (2048, 12):
            monkeypatch.setattr(frames, "BATCH_FRAMES", batch)
            assert clip_distances(clips, others, cyclic) == pytest.approx(wanted, abs=1e-5)


def test_a_window_is_found_in_its_place_and_only_cyclic_shifts_find_one_that_wraps_round() -> None:
    other = noise(0, 20)
    assert clip_distances([other[6:14]], [other])[0, 0] == pytest.approx(0.0, abs=1e-3)
    assert best_shift(other[6:14], other) == 6
    assert best_shift(other, other[6:14]) == -6
    wrapped = np.roll(other, -5, axis=0)
    assert clip_distances([wrapped], [other])[0, 0] > 0.2
    assert clip_distances([wrapped], [other], cyclic=True)[0, 0] == pytest.approx(0.0, abs=1e-3)
    assert best_shift(wrapped, other, cyclic=True) == 5
