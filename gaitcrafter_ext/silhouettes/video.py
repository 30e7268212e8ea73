"""Walkers before a static camera: masks by background subtraction, one track a walker.

The background is the per-pixel median over time, so each spot must be free of walkers in more than half of the
video: people who cross the picture, not people who walk towards the camera on the spot. A pixel is foreground where
it differs from the background by more than the camera's noise. A hard shadow counts as a part of the person.
"""

from __future__ import annotations

import math
import os
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from statistics import median

import cv2
import numpy as np
from numpy.typing import NDArray

from gaitcrafter_ext.errors import DataError, MissingError
from gaitcrafter_ext.silhouettes.cycle import FPS
from gaitcrafter_ext.silhouettes.masks import Frame, Piece, pieces

#: Pictures are reduced to this height, pixels: enough for a silhouette of 64 rows, and quick.
WORK_HEIGHT = 480

#: Frames that the median is taken over, at most.
SAMPLED = 96

#: Least difference from the background, grey levels, however quiet the camera.
LEAST_CONTRAST = 16.0

#: Width of the outline that is looked at again, pixels.
EDGE = 2

#: Frames in which a walker is smaller than this share of its median size show a part of it only; things smaller than
#: this share of the largest walker are no walkers.
LEAST_AREA = 0.35

#: A walker who has not been seen for so many seconds has gone.
PATIENCE_S = 0.5


@dataclass
class Track:
    """One walker: frame number -> what was seen of it."""

    seen: dict[int, Piece] = field(default_factory=dict)

    @property
    def size(self) -> float:
        """Median area, pixels."""
        return median(piece.area for piece in self.seen.values())

    @property
    def last(self) -> Piece:
        """What was seen of it last."""
        return self.seen[max(self.seen)]

    def centre(self, number: int) -> tuple[float, float]:
        """Where the walker is expected in a frame, x and y, if it goes on as in the last frames it was seen."""
        numbers = list(self.seen)[-6:]
        first, last = _centre(self.seen[numbers[0]]), _centre(self.seen[numbers[-1]])
        ahead = (number - numbers[-1]) / max(1, numbers[-1] - numbers[0])
        return last[0] + ahead * (last[0] - first[0]), last[1] + ahead * (last[1] - first[1])

    @property
    def direction(self) -> str:
        """Which way the walker goes, in the picture."""
        start, end = next(iter(self.seen.values())), self.last
        across, tall = _centre(end)[0] - _centre(start)[0], start.mask.shape[0]
        if abs(across) > tall / 2:
            return "left to right" if across > 0 else "right to left"
        return "towards the camera" if end.mask.shape[0] > tall else "away from the camera"


@dataclass(frozen=True)
class Video:
    """What moves in a video of ``count`` frames."""

    #: Height and width of the masks.
    shape: tuple[int, int]
    count: int
    fps: float
    #: Most frames first.
    walkers: tuple[Track, ...]

    def frames(self, walker: Track) -> list[Frame]:
        """The walker's masks, uint8 [H, W], 25 a second, from its first frame to its last; black where it is hidden."""
        least, empty = LEAST_AREA * walker.size, np.zeros(self.shape, np.uint8)
        first, last = min(walker.seen), max(walker.seen)
        step = self.fps / FPS
        wanted = [min(last, round(first + step * index)) for index in range(math.floor((last - first) / step) + 1)]
        shown = {number: piece for number, piece in walker.seen.items() if piece.area >= least}
        return [
            (f"{number:05d}", partial(shown[number].on, self.shape) if number in shown else empty.copy)
            for number in wanted
        ]


def read_video(
    path: str | os.PathLike[str], fps: float | None = None, progress: Callable[[int, int], None] | None = None
) -> Video:
    """Cut the walkers out of a video; without ``fps`` the file says how many frames a second it shows.

    Raises:
        MissingError: There is no such file.
        DataError: It is no video, does not say how many frames it shows a second, or nothing moves in it.
    """
    if not Path(path).is_file():
        raise MissingError(f"there is no video {os.fspath(path)}")
    background, count = background_of(path)
    fps = fps or _stated_fps(path)
    tracks: list[Track] = []
    for number, picture in enumerate(_pictures(path)):
        _follow(tracks, number, pieces(foreground(picture, background)), PATIENCE_S * fps)
        if progress is not None:
            progress(number + 1, count)
    largest = max((track.size for track in tracks), default=0.0)
    walkers = [track for track in tracks if track.size >= LEAST_AREA * largest and len(track.seen) > 1]
    if not walkers:
        raise DataError(f"{os.fspath(path)}: nothing moves in this video; expected people before a static camera")
    ordered = sorted(walkers, key=lambda track: -len(track.seen))
    return Video(background.shape[:2], count, fps, tuple(ordered))


def _stated_fps(path: str | os.PathLike[str]) -> float:
    video = cv2.VideoCapture(os.fspath(path))
    fps = float(video.get(cv2.CAP_PROP_FPS))
    video.release()
    if not 1.0 <= fps <= 1000.0:
        raise DataError(f"{os.fspath(path)}: it does not say how many frames it shows a second; give them by --fps")
    return fps


def _follow(tracks: list[Track], number: int, found: list[Piece], patience: float) -> None:
    """Give the pieces of one frame to the walkers they belong to.

    A piece at the place where one walker is expected is that walker; where two of about its size are, they hide each
    other and it is neither; where none is, a new walker has come.
    """
    live = [track for track in tracks if number - max(track.seen) <= patience]
    for piece in found:
        claims = [track for track in live if _holds(piece, track.centre(number))]
        rivals = [track for track in claims if track.last.area >= LEAST_AREA * piece.area]
        if not claims:
            tracks.append(Track({number: piece}))
        elif len(rivals) < 2:
            owner = max(claims, key=lambda track: track.last.area)
            owner.seen.setdefault(number, piece)


def _holds(piece: Piece, point: tuple[float, float]) -> bool:
    """Whether a point lies in a piece's box, or within a quarter of its height beside it."""
    height, width = piece.mask.shape
    margin = height / 4
    x, y = point[0] - piece.left, point[1] - piece.top
    return -margin <= x <= width + margin and -margin <= y <= height + margin


def _centre(piece: Piece) -> tuple[float, float]:
    height, width = piece.mask.shape
    return piece.left + width / 2, piece.top + height / 2


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
    """What differs from the background, both uint8 [H, W, 3]: a mask [H, W], specks removed and small gaps closed."""
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
