"""Lengths of clips and windows. Torch-free, for those who plan before torch is loaded."""

from __future__ import annotations

__all__ = ["FRAMES", "LONGEST", "SHORTEST", "STRIDE", "TILE", "windows"]

#: Frames of a window, and of a clip unless asked otherwise: a complete walking cycle at 25 frames a second.
FRAMES = 30

#: Shortest and longest clip.
SHORTEST, LONGEST = 20, 600

#: Frames between the starts of two windows of a longer clip.
STRIDE = 15

#: Windows computed together on a CPU, always: a matrix product may round differently at another batch size.
TILE = 8


def windows(frames: int) -> list[int]:
    """First frame of each window of a clip; clips shorter than a window are cut from one.

    The last window ends with the clip, if that takes a shorter stride.
    """
    last = max(0, frames - FRAMES)
    return [*range(0, last, STRIDE), last]
