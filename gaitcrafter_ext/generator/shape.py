"""How long a clip is, and how many are computed at once. Torch-free, for those who plan before torch is loaded."""

from __future__ import annotations

__all__ = ["FRAMES", "TILE"]

#: Frames of a clip: a complete walking cycle at 25 frames a second.
FRAMES = 30

#: Clips computed together, always: a matrix product may round differently at another batch size.
TILE = 8
