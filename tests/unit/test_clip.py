"""Clips in memory: what is one, and its other sizes."""

from __future__ import annotations

import numpy as np
import pytest

from gaitcrafter_ext.silhouettes.clip import gei, normalise, upsample, window


def test_the_mean_over_time_and_the_middle() -> None:
    clip = np.broadcast_to(np.arange(1, 6, dtype=np.uint8)[:, None, None], (5, 64, 64))
    assert (gei(clip) == 3).all()
    assert (gei(clip).dtype, gei(clip).shape) == (np.float32, (64, 64))
    assert window(clip, 3)[:, 0, 0].tolist() == [2, 3, 4]
    assert len(window(clip, 9)) == 5


def disc(size: int) -> np.ndarray:
    """A walker-sized ellipse of ``size`` rows with an edge of one pixel."""
    rows, columns = (np.arange(size)[:, None] + 0.5) / size - 0.5, (np.arange(size)[None] + 0.5) / size - 0.5
    radius = np.hypot(rows / 0.47, columns / 0.2)
    slope = np.hypot(rows / 0.47**2, columns / 0.2**2) / np.maximum(radius, 1e-6)
    return np.rint(255 * np.clip(0.5 + (1 - radius) / np.maximum(slope, 1e-6) * size, 0, 1)).astype(np.uint8)[None]


def test_an_enlarged_clip_is_as_sharp_as_one_drawn_large() -> None:
    enlarged, drawn, blurred = upsample(disc(64)), disc(128), disc(64).repeat(2, axis=1).repeat(2, axis=2)
    grey = [((frames > 0) & (frames < 255)).sum() for frames in (enlarged, drawn, blurred)]
    assert grey[0] == pytest.approx(grey[1], rel=0.25)
    assert grey[2] > 1.5 * grey[1]
    error, coarse = (np.abs(frames.astype(int) - drawn).mean() for frames in (enlarged, blurred))
    assert error < 0.5 * coarse
    assert np.abs(normalise(enlarged).astype(int) - disc(64)).mean() < 0.5
    assert not upsample(np.zeros((2, 64, 64), np.uint8)).any()
