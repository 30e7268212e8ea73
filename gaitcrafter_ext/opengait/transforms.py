"""What may be done to real and synthetic clips alike before a recogniser sees them. OpenGait finds it by name."""

from __future__ import annotations

import random
from typing import Any

import numpy as np
from numpy.typing import NDArray

from gaitcrafter_ext.errors import UsageError

__all__ = ["SilhouetteEdgeTransform"]

_MIDDLE = 127.5


class SilhouetteEdgeTransform:
    """Edges of one kind: grey is pushed towards black and white, so that soft edges do not tell who is synthetic.

    Comes before ``BaseSilCuttingTransform``, in training and in testing.

    Args:
        slope: Contrast about the middle grey; 1 leaves a clip as it is, a large one is a threshold.
        jitter: Noise of the edges: the middle grey is moved by up to this share of the range, at random, a clip at a
            time; 0 in testing.

    Raises:
        UsageError: A value is out of its range.
    """

    def __init__(self, slope: float = 4.0, jitter: float = 0.0) -> None:
        for name, value, fits in (("slope", slope, slope >= 1), ("jitter", jitter, 0 <= jitter < 0.5)):
            if not fits:
                raise UsageError(f"SilhouetteEdgeTransform.{name}: {value}; allowed: slope from 1, jitter 0 to 0.5")
        self.slope, self.jitter = slope, jitter

    def __call__(self, frames: NDArray[Any]) -> NDArray[np.float32]:
        """[T, H, W] from 0 to 255, in and out."""
        middle = _MIDDLE + 2 * _MIDDLE * random.uniform(-self.jitter, self.jitter)
        return np.clip((frames.astype(np.float32) - middle) * self.slope + _MIDDLE, 0, 255)
