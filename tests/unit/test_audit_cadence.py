"""A generator that knows who walks how is told from one that gives everyone the same cadence."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from gaitcrafter_ext.audit.cadence import cadence
from gaitcrafter_ext.audit.clips import ClipFeatures
from gaitcrafter_ext.errors import DataError
from tests.stick_walkers import CYCLES, stick_people


@pytest.fixture(scope="module")
def training() -> list[ClipFeatures]:
    return stick_people(("nm-01", "nm-02"), people=6)


@pytest.fixture(scope="module")
def held_out() -> list[ClipFeatures]:
    return stick_people(("nm-03",), people=6, seed=1)


def synthetic(cycles: tuple[float, ...]) -> list[ClipFeatures]:
    return stick_people(("nm-01", "nm-02"), people=6, frames=30, seed=2, cycles=cycles)


def rng() -> np.random.Generator:
    return np.random.default_rng(0)


def test_people_who_keep_their_cadence_beat_the_median_and_reach_the_floor(
    training: list[ClipFeatures], held_out: list[ClipFeatures]
) -> None:
    result = cadence((synthetic(CYCLES), held_out, training), rng())
    assert result.synthetic.value < 0.5
    assert result.synthetic.value == pytest.approx(result.floor.value, abs=0.2)
    assert result.median.value == pytest.approx(np.mean(np.abs(np.array(CYCLES) - np.median(CYCLES))), abs=0.4)
    assert result.difference.value == pytest.approx(result.synthetic.value - result.median.value)
    assert result.difference.high < 0
    assert [round(each.synthetic) for each in result.people] == [23, 25, 27, 29, 31, 24]


def test_one_cadence_for_all_and_swapped_cadences_do_not_beat_the_median(
    training: list[ClipFeatures], held_out: list[ClipFeatures]
) -> None:
    for cycles in ((26.0,) * 6, CYCLES[3:] + CYCLES[:3]):
        assert cadence((synthetic(cycles), held_out, training), rng()).difference.high > 0


def test_frontal_frozen_and_novel_clips_are_left_out_and_counted(
    training: list[ClipFeatures], held_out: list[ClipFeatures]
) -> None:
    clips = synthetic(CYCLES)
    clips[0] = replace(clips[0], view_deg=0.0)
    clips[1] = replace(clips[1], frames=np.repeat(clips[1].frames[:1], 30, axis=0))
    clips[2] = replace(clips[2], key=replace(clips[2].key, identity="syn-0001"))
    result = cadence((clips, held_out, training), rng())
    assert (result.left_out, result.synthetic.count) == (3, 9)


def test_one_person_or_none_is_refused(training: list[ClipFeatures], held_out: list[ClipFeatures]) -> None:
    with pytest.raises(DataError, match="1 people have both"):
        cadence((synthetic(CYCLES)[:2], held_out, training), rng())
    with pytest.raises(DataError, match="no synthetic clip"):
        cadence(([], held_out, training), rng())
