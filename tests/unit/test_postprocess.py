"""What is done to a sampler's answer: specks and doubt go, outlines are those of masks."""

from __future__ import annotations

import cv2
import numpy as np
import pytest
import torch

from gaitcrafter_ext.errors import DataError
from gaitcrafter_ext.generator.postprocess import FINE, STEEP, clean_mask, postprocess


def answer(top: int = 0, bottom: int = 64, level: float = 0.9) -> torch.Tensor:
    """A bar of 12 columns on background: float32 [1, 64, 48]."""
    frame = torch.full((1, 64, 48), -level)
    frame[:, top:bottom, 18:30] = level
    return frame


def naive(frame: np.ndarray) -> np.ndarray:
    """Frame by frame with OpenCV: float32 [64, 48] -> float32 in [-1, 1]."""
    person, near = clean_mask((frame > 0).astype(np.uint8)), np.ones((3, 3), np.uint8)
    inside, outside = cv2.erode(person, near) > 0, cv2.dilate(person, near) == 0
    signed = np.where(person > 0, np.abs(frame), -np.abs(frame))
    level_set = np.where(inside, np.float32(1), np.where(outside, np.float32(-1), signed))
    fine = cv2.resize(level_set, (48 * FINE, 64 * FINE), interpolation=cv2.INTER_LINEAR)
    return np.asarray(cv2.resize(np.clip(STEEP * fine, -1, 1), (48, 64), interpolation=cv2.INTER_AREA))


def test_outlines_are_those_of_a_naive_twin_to_a_grey_level() -> None:
    noise = np.random.default_rng(0).standard_normal((6, 64, 48)).astype(np.float32)
    frames = np.stack([cv2.GaussianBlur(frame, (0, 0), 1 + index) for index, frame in enumerate(noise)])
    expected = np.pad(127.5 * (np.stack([naive(frame) for frame in frames]) + 1), ((0, 0), (0, 0), (8, 8)))
    found = postprocess(torch.from_numpy(frames).reshape(2, 3, 64, 48))
    assert (found.shape, found.dtype) == ((2, 3, 64, 64), np.uint8)
    assert np.abs(found.reshape(6, 64, 64).astype(int) - expected).max() <= 1
    assert ((found > 0) & (found < 255)).mean() > 0.05


def test_specks_go_and_large_pieces_and_feet_stay() -> None:
    sample = answer(0, 58)
    sample[0, 6, 5] = 0.8  # a speck
    sample[0, 62, 40] = 0.9  # one below the person
    sample[0, 20:40, 40:46] = 0.9  # a piece of a sixth of the person
    sample[0, 60:64, 18:26] = 0.9  # a foot that is not joined to its leg
    done = postprocess(sample)[0]
    assert not done[:, : 18 + 8].any()
    assert not done[50:, 40:].any()
    assert (done[21:39, 49:53] == 255).all()
    assert (done[61:63, 27:33] == 255).all()


def test_an_empty_frame_leaves_its_neighbours_alone_and_numbers_that_are_not_finite_are_refused() -> None:
    empty = torch.full((1, 64, 48), -1.0)
    done = postprocess(torch.stack([empty, answer()]))
    assert not done[0].any()
    np.testing.assert_array_equal(done[1], postprocess(answer()))
    sample = answer()
    sample[0, 3, 3] = float("nan")
    with pytest.raises(DataError, match="not finite"):
        postprocess(sample)
