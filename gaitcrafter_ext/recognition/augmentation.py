"""What OpenGait's GaitBase for CASIA-B does to a clip in training: now and then turn it a little, or erase a patch.

All frames of a clip are changed alike, so that the clip stays one walk.
"""

from __future__ import annotations

import math

import cv2
import numpy as np
import numpy.typing as npt

__all__ = ["augment", "erase", "rotate"]

Frames = npt.NDArray[np.uint8]

#: How often each change is made.
PROBABILITY = 0.3

#: Largest rotation to either side.
MAX_ROTATION_DEG = 10.0

#: Share of the frame that is erased (Zhong et al., "Random Erasing", AAAI 2020), and the least height over width.
ERASED_SHARE = (0.05, 0.2)
LEAST_ASPECT = 0.3


def augment(frames: Frames, rng: np.random.Generator) -> Frames:
    """Rotate with probability 0.3, then erase with probability 0.3.

    Args:
        frames: uint8 [L, H, W], one clip; it is not changed.
        rng: Decides.

    Returns:
        uint8 [L, H, W].
    """
    if rng.random() < PROBABILITY:
        frames = rotate(frames, rng.uniform(-MAX_ROTATION_DEG, MAX_ROTATION_DEG))
    if rng.random() < PROBABILITY:
        frames = erase(frames, rng)
    return frames


def rotate(frames: Frames, degrees: float) -> Frames:
    """Turn every frame about its middle, counter-clockwise; what comes in from outside is background."""
    height, width = frames.shape[1:]
    matrix = cv2.getRotationMatrix2D(((width - 1) / 2, (height - 1) / 2), degrees, 1.0)
    return np.stack([cv2.warpAffine(frame, matrix, (width, height)) for frame in frames]).astype(np.uint8)


def erase(frames: Frames, rng: np.random.Generator) -> Frames:
    """Make one rectangle background in every frame; a rectangle that does not fit is drawn anew."""
    height, width = frames.shape[1:]
    while True:
        area = rng.uniform(*ERASED_SHARE) * height * width
        aspect = rng.uniform(LEAST_ASPECT, 1 / LEAST_ASPECT)
        rows, columns = round(math.sqrt(area * aspect)), round(math.sqrt(area / aspect))
        if rows < height and columns < width:
            break
    top, left = rng.integers(height - rows + 1), rng.integers(width - columns + 1)
    erased = frames.copy()
    erased[:, top : top + rows, left : left + columns] = 0
    return erased
