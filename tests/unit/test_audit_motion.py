"""Masks, motion and cadence: closed-form statistics, real clips inside the real range, spoilt ones outside."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from gaitcrafter_ext.audit.clips import ClipFeatures, extract, mask_statistics, motion_statistics, thumbnails
from gaitcrafter_ext.audit.motion import CONTROLS, cadence, masks, motion
from gaitcrafter_ext.errors import DataError
from gaitcrafter_ext.vocabulary import ClipKey
from tests.stick_walkers import CYCLES, stick_clip, stick_people

TRAINING = stick_people(("nm-01", "nm-02", "nm-03"), people=6)
HELD_OUT = stick_people(("nm-04",), people=6, seed=1)
WALKING = stick_people(("nm-01",), people=6, frames=30, seed=2)


def rng() -> np.random.Generator:
    return np.random.default_rng(0)


def test_mask_statistics_of_a_block_and_a_speck_are_what_one_counts() -> None:
    frame = np.zeros((64, 64), np.uint8)
    frame[4:60, 28:36] = 255
    frame[10:12, 0:2] = 255
    frame[60, 28:36] = 51
    found = mask_statistics(np.stack([frame, frame]))
    solid = 56 * 8 + 4
    assert found.area == pytest.approx((solid + 8 * 0.2) / 4096)
    assert found.largest == pytest.approx(448 / solid)
    assert (found.pieces, found.top, found.bottom, found.border, found.empty) == (2, 4, 59, 1, 0)
    assert found.centre == pytest.approx((448 * 31.5 + 4 * 0.5) / solid)
    assert found.grey == pytest.approx(8 / 4096)


def test_motion_statistics_of_a_block_that_jumps_are_what_one_counts() -> None:
    frames = np.zeros((30, 32, 32), np.uint8)
    frames[:, 8:24, 8:16] = 255
    frames[10, 8:24, 12:20] = 255
    frames[10, 8:24, 8:12] = 0
    found = motion_statistics(frames)
    assert found.iou == pytest.approx((27 + 2 * (4 / 12)) / 29)
    assert found.flicker == pytest.approx((16 * 8) / (28 * 16 * 8))


def test_features_are_small_frames_and_masks_at_the_synthetic_length() -> None:
    noise = np.random.default_rng(0).integers(0, 256, (3, 64, 64), dtype=np.uint8)
    assert thumbnails(noise) == pytest.approx(noise.reshape(3, 32, 2, 32, 2).mean(axis=(2, 4)), abs=0.51)
    clip, key = stick_clip(0, 26.0, 60), ClipKey("000", "nm-01", "090")
    assert extract(key, clip, 30).masks == mask_statistics(clip[15:45]) != mask_statistics(clip)
    assert len(extract(key, clip, 30).frames) == 60


def spoilt(name: str) -> list[ClipFeatures]:
    """Walkers that are noise, broken in two, shifted, or missing in some frames."""
    clips = []
    for person in range(4):
        clip = stick_clip(person, 26.0, 30)
        if name == "noise":
            clip = rng().integers(0, 256, clip.shape, dtype=np.uint8)
        elif name == "broken":
            clip[:, 28:31] = 0
        elif name == "shifted":
            clip = np.roll(clip, 5, axis=2)
        else:
            clip[::3] = 0
        clips.append(extract(ClipKey(f"{person:03d}", "nm-01", "090"), clip))
    return clips


def test_spoilt_masks_fall_outside_the_real_range_and_real_ones_inside() -> None:
    for name, statistic in (("noise", "pieces"), ("broken", "largest"), ("shifted", "centre"), ("empty", "empty")):
        result = masks((spoilt(name), HELD_OUT, TRAINING), rng())
        assert result.synthetic_outside.value == 1.0
        assert {each.name: each.synthetic_outside for each in result.statistics}[statistic] == 1.0
    result = masks((TRAINING, HELD_OUT, TRAINING), rng())
    assert max(each.synthetic_outside for each in result.statistics) <= 2 / len(TRAINING)
    assert result.held_out_outside < 0.7


def test_clips_of_unknown_cells_are_left_out_and_none_at_all_is_refused() -> None:
    coats = stick_people(("cl-01",), people=2, frames=30)
    assert masks(([*HELD_OUT, *coats], HELD_OUT, TRAINING), rng()).synthetic_outside.count == len(HELD_OUT)
    for made, held, message in (
        (coats, HELD_OUT, "no synthetic clip is of a view and condition"),
        ([], HELD_OUT, "no synthetic clip is of a view and condition"),
        (HELD_OUT, coats, "no held-out real clip is of a view and condition"),
    ):
        with pytest.raises(DataError, match=message):
            masks((made, held, TRAINING), rng())


def test_walking_clips_move_like_held_out_ones_and_the_controls_do_not(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("gaitcrafter_ext.audit.motion.JUDGED", 4)  # of many clips some are played backward
    result = motion((WALKING, HELD_OUT, TRAINING), rng())
    assert result.synthetic_forward.value == result.held_out_forward == 1.0
    assert result.synthetic_forward.count == 4
    for each in result.ranges.statistics:
        assert each.synthetic.value == pytest.approx(each.held_out, rel=0.1, abs=0.01)
    assert result.controls["frozen"] == (1.0, 0.5)
    assert result.controls["shuffled"][0] == 1.0
    assert result.controls["reversed"][1] == 0.0


def test_each_spoilt_set_is_told_by_the_statistic_that_should_tell_it() -> None:
    def values(name: str) -> tuple[float, ...]:
        return tuple(np.mean([motion_statistics(CONTROLS[name](clip.frames, rng())) for clip in WALKING], axis=0))

    assert values("frozen") == (1.0, 0.0, 0.0)
    real, shuffled = np.mean([motion_statistics(clip.frames) for clip in WALKING], axis=0), values("shuffled")
    assert shuffled[0] < real[0]
    assert shuffled[1] > 2 * real[1]
    assert shuffled[2] < real[2] - 0.2


TWO_TAKES = stick_people(("nm-01", "nm-02"), people=6)
THIRD_TAKE = stick_people(("nm-03",), people=6, seed=1)


def synthetic(cycles: tuple[float, ...]) -> list[ClipFeatures]:
    return stick_people(("nm-01", "nm-02"), people=6, frames=30, seed=2, cycles=cycles)


def test_people_who_keep_their_cadence_beat_the_median_and_others_do_not() -> None:
    result = cadence((synthetic(CYCLES), THIRD_TAKE, TWO_TAKES), rng())
    assert result.synthetic.value < 0.5
    assert result.synthetic.value == pytest.approx(result.floor.value, abs=0.2)
    assert result.median.value == pytest.approx(np.mean(np.abs(np.array(CYCLES) - np.median(CYCLES))), abs=0.4)
    assert result.difference.value == pytest.approx(result.synthetic.value - result.median.value)
    assert result.difference.high < 0
    assert result.people == 6
    for cycles in ((26.0,) * 6, CYCLES[3:] + CYCLES[:3]):  # one for all, and swapped
        assert cadence((synthetic(cycles), THIRD_TAKE, TWO_TAKES), rng()).difference.high > 0


def test_frontal_frozen_and_novel_clips_are_left_out_and_one_person_is_refused() -> None:
    clips = synthetic(CYCLES)
    clips[0] = replace(clips[0], view_deg=0.0)
    clips[1] = replace(clips[1], frames=np.repeat(clips[1].frames[:1], 30, axis=0))
    clips[2] = replace(clips[2], key=replace(clips[2].key, identity="syn-0001"))
    result = cadence((clips, THIRD_TAKE, TWO_TAKES), rng())
    assert (result.left_out, result.synthetic.count) == (3, 9)
    with pytest.raises(DataError, match="1 people have both"):
        cadence((clips[4:6], THIRD_TAKE, TWO_TAKES), rng())
