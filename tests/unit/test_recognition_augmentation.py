"""What training does to clips."""

from __future__ import annotations

import numpy as np

from gaitcrafter_ext.recognition.augmentation import augment, erase, rotate

CLIP = np.full((3, 64, 44), 255, np.uint8)


def test_one_rectangle_of_five_to_twenty_percent_is_erased_in_every_frame_alike() -> None:
    for seed in range(50):
        erased = erase(CLIP, np.random.default_rng(seed))
        assert (erased == erased[0]).all()
        holes = erased[0] == 0
        rows, columns = holes.any(1).sum(), holes.any(0).sum()
        assert holes.sum() == rows * columns
        assert 0.045 < holes.mean() < 0.205
    assert (CLIP == 255).all()


def test_rotation_keeps_the_middle_and_turns_counter_clockwise() -> None:
    clip = np.zeros((1, 63, 43), np.uint8)
    clip[:, 31, 21:43] = 255  # from the middle to the right
    turned = rotate(clip, 90.0)
    assert turned[0, 31, 21] == 255
    assert turned[0, 20, 21] == 255  # now it points up
    assert turned[0, 31, 30] == 0
    assert np.array_equal(rotate(clip, 0.0), clip)


def test_about_half_of_all_clips_stay_as_they_are_and_the_rng_decides_which() -> None:
    same = [np.array_equal(augment(CLIP, np.random.default_rng(seed)), CLIP) for seed in range(1000)]
    again = [np.array_equal(augment(CLIP, np.random.default_rng(seed)), CLIP) for seed in range(1000)]
    assert same == again
    assert 0.44 < np.mean(same) < 0.56  # 0.7 * 0.7, and rotations too small to see
