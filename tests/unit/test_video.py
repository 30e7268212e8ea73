"""Walkers are cut out of a video with noise, flicker and a textured background, each for itself, 25 frames a second."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import cv2
import numpy as np
import pytest

from gaitcrafter_ext.errors import DataError, MissingError
from gaitcrafter_ext.silhouettes.pretreat import AlignOptions, align, align_all
from gaitcrafter_ext.silhouettes.video import Video, read_video

HEIGHT, WIDTH, FRAMES = 180, 320, 40


def blob_walker(frame: float, speed: float = 1.0, start: float = -40.0, size: float = 1.0) -> np.ndarray:
    """A head, a trunk and two swinging legs crossing the picture, uint8 [H, W]; outside of it at both ends."""
    mask = np.zeros((HEIGHT, WIDTH), np.uint8)
    x = int(start + speed * (WIDTH + 80) * frame / (FRAMES - 1))
    swing = int(16 * size * np.sin(frame * 0.9))
    cv2.circle(mask, (x, 150 - int(100 * size)), int(9 * size), 255, -1)
    cv2.ellipse(mask, (x, 150 - int(65 * size)), (int(12 * size), int(30 * size)), 0, 0, 360, 255, -1)
    for side in (-1, 1):
        cv2.line(mask, (x, 150 - int(42 * size)), (x + side * swing, 150), 255, 9)
    return mask


def write_video(path: Path, masks: Sequence[np.ndarray], fps: int = 25) -> Path:
    """People in dark clothes before a textured wall, with noise and flicker."""
    rng = np.random.default_rng(0)
    wall = cv2.resize(rng.integers(110, 200, (12, 20, 3), dtype=np.uint8), (WIDTH, HEIGHT)).astype(np.float32)
    noise = rng.normal(0, 3, (8, HEIGHT, WIDTH, 3)).astype(np.float32)
    writer = cv2.VideoWriter(str(path), cv2.VideoWriter_fourcc(*"MJPG"), fps, (WIDTH, HEIGHT))
    for number, mask in enumerate(masks):
        picture = np.where(mask[..., None] > 0, np.float32([40, 30, 60]), wall) * np.float32(1 + 0.12 * np.sin(number))
        writer.write(np.clip(picture + noise[number % 8], 0, 255).astype(np.uint8))
    writer.release()
    return path


def overlap(first: np.ndarray, second: np.ndarray) -> float:
    return float(((first > 127) & (second > 127)).sum() / ((first > 127) | (second > 127)).sum())


def masks_of(video: Video, walker: int = 0) -> dict[int, np.ndarray]:
    return {int(name): np.asarray(load()) for name, load in video.frames(video.walkers[walker])}


TRUTH = [blob_walker(frame) for frame in range(FRAMES)]


def test_a_walker_is_cut_out_and_aligned_and_a_bird_is_not(tmp_path: Path) -> None:
    shown = [mask if mask.any() else cv2.circle(mask.copy(), (200, 30), 5, 255, -1) for mask in TRUTH]
    video = read_video(write_video(tmp_path / "walk.avi", shown))
    assert (len(video.walkers), video.count, video.walkers[0].direction) == (1, FRAMES, "left to right")
    found = masks_of(video)
    inside = [n for n in range(FRAMES) if TRUTH[n].any() and not TRUTH[n][:, [0, -1]].any()]
    assert len(inside) > 20
    assert min(overlap(found[n], TRUTH[n]) for n in inside) > 0.95
    frames = video.frames(video.walkers[0])
    clip = align_all(frames, AlignOptions(drop_border=True))
    left_out = {name for names in clip.dropped.values() for name in names}
    kept = [int(name) for name, _ in frames if name not in left_out]
    assert len(clip.frames) == len(kept) > 20
    expected = [align(TRUTH[number]) for number in kept]
    assert np.mean([overlap(a, b) for a, b in zip(clip.frames, expected, strict=True) if b is not None]) > 0.95


def test_two_who_cross_each_other_are_kept_apart(tmp_path: Path) -> None:
    other = [blob_walker(frame, speed=-0.8, start=WIDTH + 20, size=0.8) for frame in range(FRAMES)]
    both = [np.maximum(one, two) for one, two in zip(TRUTH, other, strict=True)]
    video = read_video(write_video(tmp_path / "two.avi", both))
    true_masks = {"left to right": TRUTH, "right to left": other}
    assert {walker.direction for walker in video.walkers} == set(true_masks)
    for rank, walker in enumerate(video.walkers):
        true = true_masks[walker.direction]
        shown = {number: mask for number, mask in masks_of(video, rank).items() if mask.any()}
        assert len(shown) > 20
        assert np.mean([overlap(mask, true[number]) for number, mask in shown.items()]) > 0.95


def test_a_faster_camera_gives_the_same_steps(tmp_path: Path) -> None:
    path = write_video(tmp_path / "fast.avi", [blob_walker(frame / 2) for frame in range(2 * FRAMES)], fps=50)
    fast = read_video(path)
    numbers = list(masks_of(fast))
    assert fast.fps == 50
    assert set(np.diff(numbers)) == {2}
    assert abs(len(numbers) - sum(mask.any() for mask in TRUTH)) <= 2
    assert len(masks_of(read_video(path, fps=25))) > 1.8 * len(numbers)


def test_a_video_without_a_walker_is_refused(tmp_path: Path) -> None:
    path = write_video(tmp_path / "still.avi", [np.zeros((HEIGHT, WIDTH), np.uint8)] * 12)
    with pytest.raises(DataError, match=r"still\.avi: nothing moves"):
        read_video(path)
    (tmp_path / "text.mp4").write_text("not a video")
    with pytest.raises(DataError, match=r"text\.mp4: not a video that can be read"):
        read_video(tmp_path / "text.mp4")
    with pytest.raises(MissingError, match=r"nothing\.mp4"):
        read_video(tmp_path / "nothing.mp4")
