"""Copies are found with their share, and honest clips of the same people are not taken for copies."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from gaitcrafter_ext.audit.clips import ClipFeatures
from gaitcrafter_ext.audit.copies import Copies, copies
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


def test_half_of_the_set_copied_is_found_with_its_share(
    training: list[ClipFeatures], held_out: list[ClipFeatures], honest: list[ClipFeatures]
) -> None:
    mixed = [cut(clip) for clip in training if clip.key.take in ("nm-02", "cl-01")] + honest
    found = copies((mixed, held_out, training))
    assert found.synthetic.share == pytest.approx(0.5)
    assert [match.copied for match in found.synthetic.matches] == [True] * 8 + [False] * 8


def test_copies_with_noise_are_still_copies(training: list[ClipFeatures], held_out: list[ClipFeatures]) -> None:
    rng = np.random.default_rng(0)
    noisy = [
        replace(clip, frames=np.clip(clip.frames + rng.normal(0, 3, clip.frames.shape), 0, 255).astype(np.uint8))
        for clip in map(cut, training)
    ]
    assert copies((noisy, held_out, training)).synthetic.share == 1.0


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
