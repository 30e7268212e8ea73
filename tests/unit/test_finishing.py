"""What is done to a sampler's answer: specks and doubt go, outlines are those of masks."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from gaitcrafter_ext.errors import DataError
from gaitcrafter_ext.generator.finishing import finish


def answer(top: int = 0, bottom: int = 64, level: float = 0.9) -> torch.Tensor:
    """A bar of 12 columns on background: float32 [1, 64, 48]."""
    frame = torch.full((1, 64, 48), -level)
    frame[:, top:bottom, 18:30] = level
    return frame


def test_a_frame_that_needs_nothing_is_only_drawn_black_and_white() -> None:
    done = finish(answer())
    assert (done.shape, done.dtype) == ((1, 64, 64), np.uint8)
    assert (done[0, :, 26:38] == 255).all()
    assert int((done > 0).sum()) == 64 * 12


def test_doubt_inside_and_outside_a_person_becomes_black_or_white_and_edges_stay_grey() -> None:
    sample = answer()
    sample[0, 30:34, 22:26] = 0.05
    sample[0, 30:34, 4:9] = -0.05
    sample[0, :, 30] = -0.3
    done = finish(sample)[0]
    assert (done[:, 28:37] == 255).all()
    assert not done[:, :25].any()
    assert (done[4:-4, 38] > 0).all()
    assert (done[4:-4, 38] < 128).all()


def test_specks_go_and_large_pieces_stay() -> None:
    sample = answer()
    sample[0, 5:8, 4:7] = -0.5
    sample[0, 6, 5] = 0.8
    sample[0, 20:40, 40:46] = 0.9
    done = finish(sample)[0]
    assert not done[:, : 18 + 8].any()
    assert (done[21:39, 49:53] == 255).all()


def test_a_foot_that_is_not_joined_to_its_leg_stays() -> None:
    sample = answer(0, 58)
    sample[0, 60:64, 18:26] = 0.9
    sample[0, 62, 40] = 0.9
    done = finish(sample)[0]
    assert (done[61:63, 27:33] == 255).all()
    assert not done[:, 40:].any()


def test_an_empty_frame_stays_empty() -> None:
    assert not finish(torch.full((2, 3, 64, 48), -1.0)).any()


def test_each_frame_is_finished_by_itself() -> None:
    both = torch.stack([answer(2, 64), answer()])
    np.testing.assert_array_equal(finish(both), np.stack([finish(answer(2, 64)), finish(answer())]))


def test_numbers_that_are_not_finite_are_refused() -> None:
    sample = answer()
    sample[0, 3, 3] = float("nan")
    with pytest.raises(DataError, match="not finite"):
        finish(sample)
