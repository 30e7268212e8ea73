"""Clips as one animated picture or film, for talks and pages."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Sequence
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray

from gaitcrafter_ext.errors import StorageError, UsageError
from gaitcrafter_ext.silhouettes.files import atomic_write

__all__ = ["FORMATS", "grid", "write_animation"]

#: File endings that can be written.
FORMATS = (".gif", ".webp", ".mp4")

GAP = 2

Frames = NDArray[np.uint8]


def grid(clips: Sequence[Frames], columns: int, scale: int) -> Frames:
    """Clips side by side, row by row; shorter ones begin again.

    Args:
        clips: uint8 [T, 64, 64] each, at least one.
        columns: Clips in a row.
        scale: Screen pixels in a pixel, each way.

    Returns:
        uint8 [T of the longest, h, w], both even, as films must be.
    """
    rows = -(-len(clips) // columns)
    side = 64 * scale + GAP
    picture = np.zeros((max(map(len, clips)), rows * side, min(columns, len(clips)) * side), np.uint8)
    for index, clip in enumerate(clips):
        top, left = (place * side for place in divmod(index, columns))
        looped = clip[np.arange(len(picture)) % len(clip)]
        picture[:, top : top + side - GAP, left : left + side - GAP] = looped.repeat(scale, axis=1).repeat(
            scale, axis=2
        )
    return picture


def write_animation(path: str | os.PathLike[str], frames: Frames, fps: float = 25.0) -> None:
    """Write frames, uint8 [T, h, w], complete or not at all; the ending says how.

    Raises:
        UsageError: The ending is none of :data:`FORMATS`.
        StorageError: The file cannot be written.
    """
    ending = Path(path).suffix.lower()
    if ending not in FORMATS:
        raise UsageError(f"{os.fspath(path)}: an animation ends in {', '.join(FORMATS)}")
    with atomic_write(path) as file:
        if ending == ".mp4":
            file.write(_film(frames, fps))
        else:
            from PIL import Image

            first, *others = map(Image.fromarray, frames)
            options = {"lossless": True} if ending == ".webp" else {"optimize": True}
            first.save(
                file, ending[1:], save_all=True, append_images=others, duration=round(1000 / fps), loop=0, **options
            )


def _film(frames: Frames, fps: float) -> bytes:
    """An MPEG-4 film; OpenCV writes only to a path."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder, "film.mp4")
        film = cv2.VideoWriter(str(path), cv2.VideoWriter.fourcc(*"mp4v"), fps, frames.shape[:0:-1], isColor=False)
        for frame in frames:
            film.write(frame)
        film.release()
        if not path.is_file() or not path.stat().st_size:
            raise StorageError("this OpenCV writes no MPEG-4 films; choose .gif or .webp")
        return path.read_bytes()
