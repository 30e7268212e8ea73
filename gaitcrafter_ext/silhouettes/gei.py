"""The gait energy image: the mean silhouette of a clip (Han and Bhanu 2006)."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

__all__ = ["gei"]


def gei(frames: NDArray[np.uint8]) -> NDArray[np.float32]:
    """Mean over time of aligned silhouettes.

    Args:
        frames: uint8 [T, 64, 64], 0-255.

    Returns:
        float32 [64, 64], 0-255.
    """
    return np.asarray(frames.mean(axis=0, dtype=np.float32))
