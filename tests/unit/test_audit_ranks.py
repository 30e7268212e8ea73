"""Rank-1 of synthetic probes: copies of real takes reach the ceiling, permuted labels chance."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from gaitcrafter_ext.audit.features import ClipFeatures
from gaitcrafter_ext.audit.ranks import Ranks, ranks
from gaitcrafter_ext.errors import DataError
from tests.stick_walkers import CYCLES, stick_people

PEOPLE = len(CYCLES)


@pytest.fixture(scope="module")
def training() -> list[ClipFeatures]:
    return stick_people(("nm-01", "nm-02", "cl-01"), people=PEOPLE)


@pytest.fixture(scope="module")
def held_out() -> list[ClipFeatures]:
    return stick_people(("nm-03", "cl-02"), people=PEOPLE, seed=1)


def measured(clips: list[ClipFeatures], held_out: list[ClipFeatures], training: list[ClipFeatures]) -> Ranks:
    return ranks(clips, held_out, training, np.random.default_rng(0))


def test_real_takes_passed_off_as_synthetic_reach_the_ceiling_of_the_same_gallery(
    held_out: list[ClipFeatures], training: list[ClipFeatures]
) -> None:
    result = measured(training, held_out, training)
    assert result.synthetic.share.value == result.same_gallery.share.value > 2 * result.chance
    assert result.of_same_gallery.value == 1.0
    assert result.seen.share.value == 1.0
    assert (result.people, result.chance) == (PEOPLE, pytest.approx(1 / PEOPLE))
    assert [rank.condition for rank in result.synthetic.conditions] == ["nm", "cl"]


def test_labels_passed_on_to_the_next_person_are_never_right(
    held_out: list[ClipFeatures], training: list[ClipFeatures]
) -> None:
    names = {f"{person:03d}": f"{(person + 1) % PEOPLE:03d}" for person in range(PEOPLE)}
    permuted = [replace(clip, key=replace(clip.key, identity=names[clip.key.identity])) for clip in training]
    result = measured(permuted, held_out, training)
    assert result.synthetic.share.value <= result.chance
    assert result.seen.share.value == 0.0


def test_leave_one_out_asks_every_real_clip(held_out: list[ClipFeatures], training: list[ClipFeatures]) -> None:
    result = measured(training, held_out, training)
    assert result.leave_one_out.share.count == len(training) + len(held_out)


def test_novel_people_are_left_out_and_a_set_without_known_ones_is_refused(
    held_out: list[ClipFeatures], training: list[ClipFeatures]
) -> None:
    novel = [replace(clip, key=replace(clip.key, identity="syn-0001")) for clip in training[:2]]
    assert measured([*training, *novel], held_out, training).synthetic.left_out == 2
    with pytest.raises(DataError, match="0 synthetic clips of them"):
        measured(novel, held_out, training)


def test_a_gallery_of_one_person_is_refused(held_out: list[ClipFeatures], training: list[ClipFeatures]) -> None:
    with pytest.raises(DataError, match="held-out real clips of 1 people"):
        measured(training, held_out[:2], training)
