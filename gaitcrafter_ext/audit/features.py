"""What the measures look at: small frames, the gait energy image and the mask's statistics of each clip."""

from __future__ import annotations

import functools
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from gaitcrafter_ext.audit.masks import MaskStatistics, mask_statistics
from gaitcrafter_ext.errors import DataError
from gaitcrafter_ext.silhouettes.clip import window
from gaitcrafter_ext.silhouettes.gei import gei
from gaitcrafter_ext.silhouettes.parallel import map_in_order
from gaitcrafter_ext.silhouettes.store import SilhouetteStore
from gaitcrafter_ext.vocabulary import ClipKey

__all__ = ["ClipFeatures", "common_length", "extract", "load_features", "thumbnails"]


@dataclass(frozen=True)
class ClipFeatures:
    """One clip as the measures see it.

    Attributes:
        key: What the clip is of.
        frames: uint8 [T, 32, 32], 0-255: means of 2 x 2 pixels.
        gei: float32 [64, 64], 0-255, over the whole clip.
        masks: Statistics of its masks; of a real clip in its middle frames, as many as synthetic clips have.
    """

    key: ClipKey
    frames: NDArray[np.uint8]
    gei: NDArray[np.float32]
    masks: MaskStatistics

    @property
    def cell(self) -> tuple[str, str]:
        """View and condition."""
        return self.key.view, self.key.condition


def thumbnails(frames: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """Half the height and width: uint8 [T, H, W] -> uint8 [T, H/2, W/2], rounded means of 2 x 2 pixels."""
    wide = frames.astype(np.uint16)
    total = wide[:, ::2, ::2] + wide[:, 1::2, ::2] + wide[:, ::2, 1::2] + wide[:, 1::2, 1::2]
    return ((total + 2) // 4).astype(np.uint8)


def extract(key: ClipKey, frames: NDArray[np.uint8], length: int | None = None) -> ClipFeatures:
    """Features of one clip, uint8 [T, 64, 64]; with ``length``, masks of its middle ``length`` frames only."""
    chosen = frames if length is None else window(frames, length)
    return ClipFeatures(key, thumbnails(frames), gei(frames), mask_statistics(chosen))


def load_features(
    store: SilhouetteStore,
    keys: Sequence[ClipKey],
    length: int | None = None,
    jobs: int = 1,
    progress: Callable[[Iterable[ClipFeatures]], Iterable[ClipFeatures]] = iter,
) -> list[ClipFeatures]:
    """Features of these clips, in their order; each clip is read once and only its features stay in memory.

    Args:
        store: Where the clips lie.
        keys: Which of them.
        length: Length at which masks are compared, frames; a mean over more frames varies less.
        jobs: Processes.
        progress: Wraps the results while they come, e.g. in a progress bar.

    Raises:
        DataError: A file is no clip (from the store); it is named.
    """
    return list(progress(map_in_order(functools.partial(_read, store, length), keys, jobs)))


def _read(store: SilhouetteStore, length: int | None, key: ClipKey) -> ClipFeatures:
    return extract(key, store.read(key), length)


def common_length(clips: Sequence[ClipFeatures]) -> int:
    """The length most clips have, in frames; the shorter one of equally common lengths.

    Raises:
        DataError: There is no clip.
    """
    if not clips:
        raise DataError("there is no synthetic clip to measure; check the root")
    lengths, counts = np.unique([len(clip.frames) for clip in clips], return_counts=True)
    return int(lengths[counts.argmax()])
