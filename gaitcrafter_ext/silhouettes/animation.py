"""Clips as one animated picture or film, for talks, pages and notebooks."""

from __future__ import annotations

import io
import os
import tempfile
from collections.abc import Sequence
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray

from gaitcrafter_ext.errors import StorageError, UsageError
from gaitcrafter_ext.silhouettes.files import atomic_write

__all__ = ["FORMATS", "Animation", "grid", "write_animation"]

#: Endings of the files that can be written, and how Pillow writes them.
FORMATS: dict[str, dict[str, bool]] = {
    ".gif": {"optimize": True},
    ".webp": {"lossless": True},
    ".png": {"optimize": True},
    ".mp4": {},
}

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
    content = _film(frames, fps) if ending == ".mp4" else _picture(frames, fps, ending)
    with atomic_write(path) as file:
        file.write(content)


class Animation:
    """Clips side by side, which a notebook shows walking (as an animated PNG).

    Args:
        clips: uint8 [T, 64, 64] each, at least one.
        columns: Clips in a row.
        scale: Screen pixels in a pixel, each way.
    """

    def __init__(self, clips: Sequence[Frames], columns: int = 8, scale: int = 2) -> None:
        self.frames = grid(clips, columns, scale)

    def _repr_png_(self) -> bytes:
        greys = [255 * level // 7 for level in range(8) for _ in "rgb"]  # eight levels: half the bytes
        return _picture(self.frames // 32, 25.0, ".png", greys)


def _picture(frames: Frames, fps: float, ending: str, palette: Sequence[int] = ()) -> bytes:
    from PIL import Image

    pictures = [Image.fromarray(frame) for frame in frames]
    for picture in pictures if palette else ():
        picture.putpalette(palette)
    options = {"duration": round(1000 / fps), "loop": 0, **FORMATS[ending], **({"bits": 4} if palette else {})}
    file = io.BytesIO()
    pictures[0].save(file, ending[1:], save_all=True, append_images=pictures[1:], **options)
    return file.getvalue()


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
