"""Walkers before a static camera: masks by background subtraction (a Gaussian mixture, MOG2), one track a walker.

The background is learnt over the whole video, so each spot must be free of walkers most of the time: people who cross
the picture, not people who walk towards the camera on the spot.
"""

from __future__ import annotations

import math
import os
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from statistics import median
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from gaitcrafter_ext.errors import DataError, MissingError
from gaitcrafter_ext.silhouettes.cycle import FPS
from gaitcrafter_ext.silhouettes.masks import Frame, Piece, pieces

#: Pictures are reduced to this height, pixels: enough for a silhouette of 64 rows, and quick.
WORK_HEIGHT = 480

#: A pixel is foreground where it lies more than six standard deviations from the background.
VARIANCES = 36.0

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

    def is_expected(self, piece: Piece, number: int) -> bool:
        """Whether the walker, going on as in the last frames it was seen, is in frame ``number`` in or near a piece."""
        numbers = list(self.seen)[-6:]
        first, last = self.seen[numbers[0]].centre, self.seen[numbers[-1]].centre
        ahead = (number - numbers[-1]) / max(1, numbers[-1] - numbers[0])
        height, width = piece.mask.shape
        reach = np.array([width, height]) / 2 + height / 4
        return bool((np.abs(last + ahead * (last - first) - piece.centre) <= reach).all())

    @property
    def direction(self) -> str:
        """Which way the walker goes, in the picture."""
        start, end = next(iter(self.seen.values())), self.last
        across, tall = end.centre[0] - start.centre[0], start.mask.shape[0]
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
    subtractor, count, stated = _learn_background(path)
    if not fps and not 1.0 <= stated <= 1000.0:
        raise DataError(f"{os.fspath(path)}: it does not say how many frames it shows a second; give them by --fps")
    fps, shape = fps or stated, (0, 0)
    tracks: list[Track] = []
    for number, picture in enumerate(_pictures(cv2.VideoCapture(os.fspath(path)))):
        mask = cv2.morphologyEx(subtractor.apply(picture, learningRate=0), cv2.MORPH_OPEN, _disc(3))
        mask = cv2.morphologyEx(mask, cv2.MORPH_CLOSE, _disc(max(3, len(picture) // 60 | 1)))
        _follow(tracks, number, pieces(mask), PATIENCE_S * fps)
        shape = mask.shape
        if progress is not None:
            progress(number + 1, count)
    largest = max((track.size for track in tracks), default=0.0)
    walkers = [track for track in tracks if track.size >= LEAST_AREA * largest and len(track.seen) > 1]
    if not walkers:
        raise DataError(f"{os.fspath(path)}: nothing moves in this video; expected people before a static camera")
    return Video(shape, count, fps, tuple(sorted(walkers, key=lambda track: -len(track.seen))))


def _learn_background(path: str | os.PathLike[str]) -> tuple[Any, int, float]:
    """A background subtractor that has seen the video, how many frames it has, and says that it shows a second."""
    os.environ.setdefault("OPENCV_FFMPEG_LOGLEVEL", "-8")  # what is wrong is said once, by us
    subtractor = cv2.createBackgroundSubtractorMOG2(varThreshold=VARIANCES, detectShadows=False)
    subtractor.setBackgroundRatio(0.5)  # what fills a pixel for half of the video
    video, count = cv2.VideoCapture(os.fspath(path)), 0
    fps = float(video.get(cv2.CAP_PROP_FPS))
    for count, picture in enumerate(_pictures(video), 1):
        subtractor.apply(picture, learningRate=1 / count)
    if count < 2:
        raise DataError(f"{os.fspath(path)}: not a video that can be read ({count} frames); expected e.g. MP4 or AVI")
    return subtractor, count, fps


def _pictures(video: cv2.VideoCapture) -> Iterator[NDArray[np.uint8]]:
    """Frames, uint8 [H, W, 3], reduced to ``WORK_HEIGHT`` and brought to one brightness: cameras and lights flicker."""
    while (found := video.read())[0]:
        scale = min(1.0, WORK_HEIGHT / found[1].shape[0])
        picture = cv2.resize(found[1], None, fx=scale, fy=scale, interpolation=cv2.INTER_AREA)
        yield np.asarray(cv2.add(picture, (*(128.0 - np.median(picture[::8, ::8], axis=(0, 1))), 0.0)), np.uint8)


def _disc(size: int) -> NDArray[np.uint8]:
    return np.asarray(cv2.getStructuringElement(cv2.MORPH_ELLIPSE, (size, size)), np.uint8)


def _follow(tracks: list[Track], number: int, found: list[Piece], patience: float) -> None:
    """Give the pieces of one frame to the walkers they belong to.

    A piece at the place where one walker is expected is that walker; where two of about its size are, they hide each
    other and it is neither; where none is, a new walker has come.
    """
    live = [track for track in tracks if number - max(track.seen) <= patience]
    for piece in found:
        claims = [track for track in live if track.is_expected(piece, number)]
        rivals = [track for track in claims if track.last.area >= LEAST_AREA * piece.area]
        if not claims:
            tracks.append(Track({number: piece}))
        elif len(rivals) < 2:
            owner = max(claims, key=lambda track: track.last.area)
            owner.seen.setdefault(number, piece)
