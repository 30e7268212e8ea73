"""Clips to look at: contact sheets (rows of frames, a PNG), and one animated picture or film of several clips."""

from __future__ import annotations

import io
import os
import tempfile
from collections.abc import Sequence
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray

from gaitcrafter_ext.errors import DataError, StorageError, UsageError
from gaitcrafter_ext.silhouettes.clip import HEIGHT, WIDTH, check_frames
from gaitcrafter_ext.silhouettes.files import atomic_write
from gaitcrafter_ext.silhouettes.store import SilhouetteStore
from gaitcrafter_ext.vocabulary import ClipKey

_FONT, _SCALE, _INK, _LINE, _PADDING = cv2.FONT_HERSHEY_SIMPLEX, 0.42, 220, 60, 6

#: Endings of the files that can be written, and how Pillow writes them.
FORMATS: dict[str, dict[str, bool]] = {
    ".gif": {"optimize": True},
    ".webp": {"lossless": True},
    ".png": {"optimize": True},
    ".mp4": {},
}

#: Pixels between two clips.
GAP = 2


def spread(length: int, count: int) -> list[int]:
    """Indices of ``count`` frames spread evenly over a clip of ``length``; all of them where it is shorter."""
    return list(range(length)) if length <= count else [int(index) for index in np.linspace(0, length - 1, count)]


def strip(frames: NDArray[np.uint8], count: int = 10) -> NDArray[np.uint8]:
    """``count`` frames of uint8 [T, 64, 64], spread evenly, side by side with a thin line after each.

    Returns:
        uint8 [64, count * 65]; a shorter clip is filled up with black.
    """
    row = np.zeros((HEIGHT, count, WIDTH + 1), np.uint8)
    chosen = frames[spread(len(frames), count)]
    row[:, : len(chosen), :WIDTH] = chosen.transpose(1, 0, 2)
    row[:, :, WIDTH] = _LINE
    return row.reshape(HEIGHT, count * (WIDTH + 1))


def contact_sheet(
    rows: Sequence[tuple[str, NDArray[np.uint8]]], path: str | os.PathLike[str], frames: int = 10
) -> None:
    """Write a PNG of rows (label in ASCII, uint8 [T, 64, 64]), of each clip so many frames, spread evenly over it.

    Raises:
        DataError: There is no row, or a row is not a clip.
        StorageError: The file cannot be written.
    """
    if not rows:
        raise DataError(f"no clip to show in {os.fspath(path)}; give at least one")
    margin = max(int(cv2.getTextSize(label, _FONT, _SCALE, 1)[0][0]) for label, _ in rows) + 2 * _PADDING
    lines = [_row(label, check_frames(clip, label, minimum=1), frames, margin) for label, clip in rows]
    with atomic_write(path) as file:
        file.write(cv2.imencode(".png", np.concatenate(lines))[1].tobytes())


def sheet_of_store(store: SilhouetteStore, keys: Sequence[ClipKey], path: str | os.PathLike[str], rows: int) -> None:
    """Write a contact sheet of so many clips, spread evenly over ``keys``."""
    shown = [keys[index] for index in spread(len(keys), rows)]
    contact_sheet([(str(key), store.read(key)) for key in shown], path)


def _row(label: str, clip: NDArray[np.uint8], count: int, margin: int) -> NDArray[np.uint8]:
    """One labelled strip, uint8 [65, margin + count * 65], with a line below."""
    name = np.zeros((HEIGHT, margin), np.uint8)
    cv2.putText(name, label, (_PADDING, HEIGHT // 2 + 5), _FONT, _SCALE, _INK, 1, cv2.LINE_AA)
    line = np.concatenate([name, strip(clip, count)], axis=1)
    return np.concatenate([line, np.full((1, line.shape[1]), _LINE, np.uint8)])


def grid(clips: Sequence[NDArray[np.uint8]], columns: int, scale: int) -> NDArray[np.uint8]:
    """Clips, uint8 [T, 64, 64] each, side by side, row by row, enlarged ``scale`` times; shorter ones begin again.

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


def write_animation(path: str | os.PathLike[str], frames: NDArray[np.uint8], fps: float = 25.0) -> None:
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
    """Clips side by side, see :func:`grid`, which a notebook shows walking (as an animated PNG)."""

    def __init__(self, clips: Sequence[NDArray[np.uint8]], columns: int = 8, scale: int = 2) -> None:
        self.frames = grid(clips, columns, scale)

    def _repr_png_(self) -> bytes:
        greys = [255 * level // 7 for level in range(8) for _ in "rgb"]  # eight levels: half the bytes
        return _picture(self.frames // 32, 25.0, ".png", greys)


def _picture(frames: NDArray[np.uint8], fps: float, ending: str, palette: Sequence[int] = ()) -> bytes:
    from PIL import Image

    pictures = [Image.fromarray(frame) for frame in frames]
    for picture in pictures if palette else ():
        picture.putpalette(palette)
    options = {"duration": round(1000 / fps), "loop": 0, **FORMATS[ending], **({"bits": 4} if palette else {})}
    file = io.BytesIO()
    pictures[0].save(file, ending[1:], save_all=True, append_images=pictures[1:], **options)
    return file.getvalue()


def _film(frames: NDArray[np.uint8], fps: float) -> bytes:
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
