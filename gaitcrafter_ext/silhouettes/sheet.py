"""Contact sheets: clips as rows of frames with their names at the left, one PNG to look at."""

from __future__ import annotations

import os
from collections.abc import Sequence

import cv2
import numpy as np
from numpy.typing import NDArray

from gaitcrafter_ext.errors import DataError
from gaitcrafter_ext.silhouettes.clip import HEIGHT, WIDTH, check_frames
from gaitcrafter_ext.silhouettes.files import atomic_write

__all__ = ["contact_sheet", "spread", "strip", "write_png"]

_FONT, _SCALE, _INK, _LINE, _PADDING = cv2.FONT_HERSHEY_SIMPLEX, 0.42, 220, 60, 6


def spread(length: int, count: int) -> list[int]:
    """Indices of ``count`` frames spread evenly over a clip of ``length``; all of them where it is shorter."""
    return list(range(length)) if length <= count else [int(index) for index in np.linspace(0, length - 1, count)]


def strip(frames: NDArray[np.uint8], count: int = 10) -> NDArray[np.uint8]:
    """``count`` frames side by side with a thin line after each.

    Args:
        frames: uint8 [T, 64, 64].
        count: How many frames, spread evenly; a shorter clip is filled up with black.

    Returns:
        uint8 [64, count * 65].
    """
    row = np.zeros((HEIGHT, count, WIDTH + 1), np.uint8)
    chosen = frames[spread(len(frames), count)]
    row[:, : len(chosen), :WIDTH] = chosen.transpose(1, 0, 2)
    row[:, :, WIDTH] = _LINE
    return row.reshape(HEIGHT, count * (WIDTH + 1))


def contact_sheet(
    rows: Sequence[tuple[str, NDArray[np.uint8]]], path: str | os.PathLike[str], frames: int = 10
) -> None:
    """Write clips as labelled rows, white on black.

    Args:
        rows: (label, uint8 [T, 64, 64]) each, top to bottom; labels in ASCII.
        path: The PNG to write.
        frames: How many frames of each clip, spread evenly over it.

    Raises:
        DataError: There is no row, or a row is not a clip.
        StorageError: The file cannot be written.
    """
    if not rows:
        raise DataError(f"no clip to show in {os.fspath(path)}; give at least one")
    margin = max(_text_width(label) for label, _ in rows) + 2 * _PADDING
    lines = [_row(label, check_frames(clip, label, minimum=1), frames, margin) for label, clip in rows]
    write_png(path, np.concatenate(lines))


def write_png(path: str | os.PathLike[str], image: NDArray[np.uint8]) -> None:
    """Write a grey [H, W] or BGR [H, W, 3] uint8 image as PNG, complete or not at all."""
    _, data = cv2.imencode(".png", image)
    with atomic_write(path) as file:
        file.write(data.tobytes())


def _text_width(label: str) -> int:
    return int(cv2.getTextSize(label, _FONT, _SCALE, 1)[0][0])


def _row(label: str, clip: NDArray[np.uint8], count: int, margin: int) -> NDArray[np.uint8]:
    """One labelled strip, uint8 [65, margin + count * 65], with a line below."""
    name = np.zeros((HEIGHT, margin), np.uint8)
    cv2.putText(name, label, (_PADDING, HEIGHT // 2 + 5), _FONT, _SCALE, _INK, 1, cv2.LINE_AA)
    line = np.concatenate([name, strip(clip, count)], axis=1)
    return np.concatenate([line, np.full((1, line.shape[1]), _LINE, np.uint8)])
