"""A walker is cut out of a video with noise, flicker and a textured background."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import cv2
import numpy as np
import pytest

from gaitcrafter_ext.errors import DataError, MissingError
from gaitcrafter_ext.silhouettes.pretreat import align, align_all
from gaitcrafter_ext.silhouettes.video import largest_piece, video_masks

HEIGHT, WIDTH, FRAMES = 180, 320, 40


def blob_walker(frame: int) -> np.ndarray:
    """A head, a trunk and two swinging legs crossing the picture, uint8 [H, W]; outside of it at both ends."""
    mask = np.zeros((HEIGHT, WIDTH), np.uint8)
    x = int(-40 + (WIDTH + 80) * frame / (FRAMES - 1))
    swing = int(16 * np.sin(frame * 0.9))
    cv2.circle(mask, (x, 50), 9, 255, -1)
    cv2.ellipse(mask, (x, 85), (12, 30), 0, 0, 360, 255, -1)
    for side in (-1, 1):
        cv2.line(mask, (x, 108), (x + side * swing, 150), 255, 9)
    return mask


def write_video(path: Path, masks: Sequence[np.ndarray]) -> Path:
    """People in dark clothes before a textured wall, with noise and flicker."""
    rng = np.random.default_rng(0)
    wall = cv2.resize(rng.integers(110, 200, (12, 20, 3), dtype=np.uint8), (WIDTH, HEIGHT)).astype(float)
    writer = cv2.VideoWriter(str(path), cv2.VideoWriter_fourcc(*"MJPG"), 25, (WIDTH, HEIGHT))
    for number, mask in enumerate(masks):
        picture = np.where(mask[..., None] > 0, [40.0, 30.0, 60.0], wall) * (1 + 0.12 * np.sin(number))
        writer.write(np.clip(picture + rng.normal(0, 3, picture.shape), 0, 255).astype(np.uint8))
    writer.release()
    return path


def overlap(first: np.ndarray, second: np.ndarray) -> float:
    return float(((first > 127) & (second > 127)).sum() / ((first > 127) | (second > 127)).sum())


@pytest.fixture(scope="module")
def truth() -> list[np.ndarray]:
    return [blob_walker(frame) for frame in range(FRAMES)]


def with_a_bird(mask: np.ndarray) -> np.ndarray:
    return mask if mask.any() else cv2.circle(mask.copy(), (200, 30), 5, 255, -1)


@pytest.fixture(scope="module")
def found(tmp_path_factory: pytest.TempPathFactory, truth: list[np.ndarray]) -> list[tuple[str, np.ndarray]]:
    shown = [with_a_bird(mask) for mask in truth]
    return list(video_masks(write_video(tmp_path_factory.mktemp("video") / "walk.avi", shown)))


def test_the_masks_cover_the_walker(found: list[tuple[str, np.ndarray]], truth: list[np.ndarray]) -> None:
    assert [name for name, _ in found] == [f"{number:05d}" for number in range(FRAMES)]
    inside = [n for n in range(FRAMES) if truth[n].any() and not (truth[n][:, 0].any() or truth[n][:, -1].any())]
    assert len(inside) > 20
    assert min(overlap(found[n][1], truth[n]) for n in inside) > 0.85


def test_frames_without_the_walker_are_black_even_if_something_small_moves(found: list[tuple[str, np.ndarray]]) -> None:
    assert found[0][1].max() == 0
    assert found[-1][1].max() == 0


def test_the_aligned_clip_is_that_of_the_true_masks(
    found: list[tuple[str, np.ndarray]], truth: list[np.ndarray]
) -> None:
    clip = align_all(found, drop_border=True)
    kept = [n for n in range(FRAMES) if f"{n:05d}" not in {name for names in clip.dropped.values() for name in names}]
    assert len(clip.frames) == len(kept) > 20
    expected = [align(truth[number]) for number in kept]
    assert np.mean([overlap(a, b) for a, b in zip(clip.frames, expected, strict=True) if b is not None]) > 0.85


def test_a_video_in_which_nothing_moves_is_refused(tmp_path: Path) -> None:
    path = write_video(tmp_path / "still.avi", [np.zeros((HEIGHT, WIDTH), np.uint8)] * 12)
    with pytest.raises(DataError, match=r"still\.avi: nothing moves"):
        list(video_masks(path))


def test_what_is_no_video_is_named(tmp_path: Path) -> None:
    (tmp_path / "text.mp4").write_text("not a video")
    with pytest.raises(DataError, match=r"text\.mp4: not a video that can be read"):
        list(video_masks(tmp_path / "text.mp4"))
    with pytest.raises(MissingError, match=r"nothing\.mp4"):
        list(video_masks(tmp_path / "nothing.mp4"))


def test_only_the_largest_piece_is_kept() -> None:
    mask = np.zeros((40, 40), np.uint8)
    mask[5:10, 5:10] = 255
    mask[20:30, 20:30] = 255
    kept = largest_piece(mask)
    assert kept.sum() == 100 * 255
    assert kept[25, 25] == 255
    assert largest_piece(np.zeros((4, 4), np.uint8)).max() == 0
