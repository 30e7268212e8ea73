"""Clips as recognisers see them: the middle 44 columns, and kept in memory as far as memory allows."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt

from gaitcrafter_ext.silhouettes.store import SilhouetteStore
from gaitcrafter_ext.vocabulary import ClipKey

if TYPE_CHECKING:
    import torch

__all__ = ["ClipCache", "ClipRef", "cut", "to_sils"]

#: Columns that OpenGait's ``BaseSilCuttingTransform`` takes off each side of a 64-column frame.
MARGIN = 10


@dataclass(frozen=True)
class ClipRef:
    """A clip and where it is kept.

    Attributes:
        store: The tree that holds it.
        key: Its name there.
    """

    store: SilhouetteStore
    key: ClipKey


def cut(frames: npt.NDArray[np.uint8]) -> npt.NDArray[np.uint8]:
    """The middle of each frame: uint8 [T, 64, 64] -> [T, 64, 44]."""
    return np.ascontiguousarray(frames[..., MARGIN:-MARGIN])


def to_sils(frames: npt.NDArray[np.uint8], device: torch.device | str = "cpu") -> torch.Tensor:
    """What the networks take: uint8 [F, 64, 44] -> float32 [F, 64, 44] in [0, 1]."""
    import torch

    return torch.from_numpy(frames).to(device).float().div_(255)


class ClipCache:
    """Reads clips, cut to 44 columns, and keeps them until a budget of bytes is full.

    Args:
        clips: The clips, by number.
        budget_gib: How much to keep; what does not fit is read anew each time.
    """

    def __init__(self, clips: Sequence[ClipRef], budget_gib: float = 4.0) -> None:
        self.clips = tuple(clips)
        self._left = int(budget_gib * 2**30)
        self._kept: dict[int, npt.NDArray[np.uint8]] = {}

    def __getitem__(self, number: int) -> npt.NDArray[np.uint8]:
        kept = self._kept.get(number)
        if kept is not None:
            return kept
        clip = self.clips[number]
        frames = cut(clip.store.read(clip.key))
        if frames.nbytes <= self._left:
            self._kept[number] = frames
            self._left -= frames.nbytes
        return frames

    def __len__(self) -> int:
        return len(self.clips)

    def __iter__(self) -> Iterator[npt.NDArray[np.uint8]]:
        return (self[number] for number in range(len(self)))
