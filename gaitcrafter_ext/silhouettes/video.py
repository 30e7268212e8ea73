"""One walker before a static camera: masks by background subtraction.

The background is the per-pixel median over time, so each spot must be free of the walker in more than half of the
video: people who cross the picture, not people who walk towards the camera on the spot. A pixel is foreground where
it differs from the background by more than the camera's noise; the largest connected piece is the walker. A hard
shadow counts as a part of the person.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from pathlib import Path
from statistics import median

import cv2
import numpy as np
from numpy.typing import NDArray

from gaitcrafter_ext.errors import DataError, MissingError

__all__ = ["background_of", "foreground", "largest_piece", "video_masks"]

#: Pictures are reduced to this height, pixels: enough for a silhouette of 64 rows, and quick.
WORK_HEIGHT = 480

#: Frames that the median is taken over, at most.
SAMPLED = 96

#: Least difference from the background, grey levels, however quiet the camera.
LEAST_CONTRAST = 16.0

#: Width of the outline that is looked at anew, pixels.
EDGE = 2

#: Frames whose walker is smaller than this share of the median walker hold none, or only a part.
LEAST_AREA = 0.35


def video_masks(
    path: str | os.PathLike[str], progress: Callable[[int, int], None] | None = None
) -> Iterator[tuple[str, NDArray[np.uint8]]]:
    """Yield the walker's mask of every frame of a video.

    Args:
        path: A video file that OpenCV can read.
        progress: Called with (frames done, frames in all).

    Yields:
        (name, uint8 [H, W], 0 or 255) of every frame, the frame's number being its name; all black where there is no
        walker.

    Raises:
        MissingError: There is no such file.
        DataError: It is no video, or nothing moves in it.
    """
    if not Path(path).is_file():
        raise MissingError(f"there is no video {os.fspath(path)}")
    background, count = background_of(path)
    pieces, areas = [], []
    for number, picture in enumerate(_pictures(path)):
        piece = largest_piece(foreground(picture, background))
        pieces.append(np.packbits(piece > 0, axis=1))  # an eighth of the memory; the least area is not yet known
        areas.append(int(np.count_nonzero(piece)))
        if progress is not None:
            progress(number + 1, count)
    if not any(areas):
        raise DataError(f"{os.fspath(path)}: nothing moves in this video; expected one walker before a static camera")
    least = LEAST_AREA * median(area for area in areas if area)
    for number, (piece, area) in enumerate(zip(pieces, areas, strict=True)):
        mask = np.unpackbits(piece, axis=1, count=background.shape[1]) * np.uint8(255)
        yield f"{number:05d}", mask if area >= least else np.zeros_like(mask)


def background_of(path: str | os.PathLike[str]) -> tuple[NDArray[np.uint8], int]:
    """Per-pixel median over frames spread over the video, uint8 [H, W, 3], and the number of frames."""
    kept: list[NDArray[np.uint8]] = []
    stride, count = 1, 0
    for picture in _pictures(path):
        if count % stride == 0:
            kept.append(picture)
        if len(kept) > SAMPLED:
            kept, stride = kept[::2], stride * 2
        count += 1
    if count < 2:
        raise DataError(f"{os.fspath(path)}: not a video that can be read ({count} frames); expected e.g. MP4 or AVI")
    middle = len(kept) // 2
    return np.partition(np.stack(kept), middle, axis=0)[middle], count


def foreground(picture: NDArray[np.uint8], background: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """What differs from the background.

    Args:
        picture: uint8 [H, W, 3].
        background: uint8 [H, W, 3].

    Returns:
        uint8 [H, W], 0 or 255, specks removed and small gaps closed.
    """
    change = cv2.GaussianBlur(picture, (5, 5), 0).astype(np.float32) - cv2.GaussianBlur(background, (5, 5), 0)
    change -= np.median(change[::4, ::4], axis=(0, 1))  # the whole picture grew lighter or darker
    difference = np.abs(change).max(axis=2)
    noise = 1.4826 * float(np.median(difference))  # the walker covers less than half of the picture
    mask = (difference > max(LEAST_CONTRAST, 5.0 * noise)).astype(np.uint8) * 255
    opened = cv2.morphologyEx(mask, cv2.MORPH_OPEN, _disc(3))
    closed = cv2.morphologyEx(opened, cv2.MORPH_CLOSE, _disc(max(3, len(picture) // 60 | 1)))
    return _sharpen(np.asarray(closed, np.uint8), difference)


def _sharpen(mask: NDArray[np.uint8], difference: NDArray[np.float32]) -> NDArray[np.uint8]:
    """Draw the outline in to where the difference has risen to half of what it is near by.

    Blur spreads the difference beyond the person; only the outermost ``EDGE`` pixels are looked at, so that clothes
    as grey as the background leave no hole.
    """
    near = cv2.dilate(difference, _disc(4 * EDGE + 1))
    core = cv2.erode(mask, _disc(2 * EDGE + 1))
    return np.where((mask > 0) & ((core > 0) | (2 * difference >= near)), np.uint8(255), np.uint8(0))


def largest_piece(mask: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """The largest connected piece (8 neighbours) of a mask, uint8 [H, W]; all black where there is none."""
    count, labels, statistics, _ = cv2.connectedComponentsWithStats(mask, connectivity=8)
    if count < 2:
        return np.zeros_like(mask)
    largest = 1 + int(statistics[1:, cv2.CC_STAT_AREA].argmax())
    return np.where(labels == largest, np.uint8(255), np.uint8(0))


def _disc(size: int) -> NDArray[np.uint8]:
    return np.asarray(cv2.getStructuringElement(cv2.MORPH_ELLIPSE, (size, size)), np.uint8)


def _pictures(path: str | os.PathLike[str]) -> Iterator[NDArray[np.uint8]]:
    """Frames of a video, uint8 [H, W, 3], reduced to ``WORK_HEIGHT``."""
    os.environ.setdefault("OPENCV_FFMPEG_LOGLEVEL", "-8")  # what is wrong is said once, by us
    video = cv2.VideoCapture(os.fspath(path))
    try:
        while True:
            there, picture = video.read()
            if not there:
                return
            scale = WORK_HEIGHT / picture.shape[0]
            if scale < 1:
                picture = cv2.resize(picture, None, fx=scale, fy=scale, interpolation=cv2.INTER_AREA)
            yield np.asarray(picture, np.uint8)
    finally:
        video.release()
