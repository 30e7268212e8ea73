"""Distances over all shifts: the fast path against a loop that anyone can check."""

from __future__ import annotations

import numpy as np
import pytest

from gaitcrafter_ext.audit import alignment
from gaitcrafter_ext.audit.alignment import best_shift, clip_distances


def noise(seed: int, frames: int) -> np.ndarray:
    return np.random.default_rng(seed).integers(0, 256, (frames, 6, 5), dtype=np.uint8)


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
            monkeypatch.setattr(alignment, "BATCH_FRAMES", batch)
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
