"""Motion: frozen, shuffled and reversed clips score worse than walking ones."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from gaitcrafter_ext.audit.features import ClipFeatures
from gaitcrafter_ext.audit.motion import CONTROLS, Motion, motion, motion_statistics
from gaitcrafter_ext.errors import DataError
from tests.stick_walkers import stick_people


@pytest.fixture(scope="module")
def training() -> list[ClipFeatures]:
    return stick_people(("nm-01", "nm-02", "nm-03"), people=6)


@pytest.fixture(scope="module")
def held_out() -> list[ClipFeatures]:
    return stick_people(("nm-04",), people=6, seed=1)


@pytest.fixture(scope="module")
def walking() -> list[ClipFeatures]:
    return stick_people(("nm-01",), people=6, frames=30, seed=2)


def measured(clips: list[ClipFeatures], held_out: list[ClipFeatures], training: list[ClipFeatures]) -> Motion:
    return motion(clips, held_out, training, np.random.default_rng(0))


def test_statistics_of_a_block_that_jumps_are_what_one_counts() -> None:
    frames = np.zeros((30, 32, 32), np.uint8)
    frames[:, 8:24, 8:16] = 255
    frames[10, 8:24, 12:20] = 255
    frames[10, 8:24, 8:12] = 0
    found = motion_statistics(frames)
    assert found.iou == pytest.approx((27 + 2 * (4 / 12)) / 29)
    assert found.flicker == pytest.approx((16 * 8) / (28 * 16 * 8))


def test_walking_clips_move_like_held_out_ones(
    walking: list[ClipFeatures], held_out: list[ClipFeatures], training: list[ClipFeatures]
) -> None:
    result = measured(walking, held_out, training)
    assert result.synthetic_forward.value == result.held_out_forward == 1.0
    assert all(each.synthetic.value == pytest.approx(each.held_out, rel=0.1, abs=0.01) for each in result.statistics)


def test_each_control_is_told_by_the_statistic_that_should_tell_it(
    walking: list[ClipFeatures], held_out: list[ClipFeatures], training: list[ClipFeatures]
) -> None:
    for name, spoil in CONTROLS.items():
        rng = np.random.default_rng(1)
        result = measured([replace(each, frames=spoil(each.frames, rng)) for each in walking], held_out, training)
        iou, flicker, periodicity = result.statistics
        if name == "frozen":
            assert (iou.synthetic.value, flicker.synthetic.value, periodicity.synthetic.value) == (1.0, 0.0, 0.0)
            assert (result.synthetic_outside.value, result.synthetic_forward.value) == (1.0, 0.5)
        elif name == "shuffled":
            assert iou.synthetic.value < iou.held_out
            assert flicker.synthetic.value > 2 * flicker.held_out
            assert periodicity.synthetic.value < periodicity.held_out - 0.2
            assert result.synthetic_outside.value == 1.0
        else:
            assert result.synthetic_forward.value == 0.0


def test_the_controls_of_the_held_out_clips_are_given_beside(
    walking: list[ClipFeatures], held_out: list[ClipFeatures], training: list[ClipFeatures]
) -> None:
    controls = {control.name: control for control in measured(walking, held_out, training).controls}
    assert controls["frozen"].outside == controls["shuffled"].outside == 1.0
    assert (controls["frozen"].forward, controls["reversed"].forward) == (0.5, 0.0)


def test_an_empty_set_is_refused(held_out: list[ClipFeatures], training: list[ClipFeatures]) -> None:
    with pytest.raises(DataError, match="no synthetic clip"):
        measured([], held_out, training)
