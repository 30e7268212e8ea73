"""The gait energy images of many clips, and what each is of (Han & Bhanu, TPAMI 2006)."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import Protocol

import numpy as np
import numpy.typing as npt

from gaitcrafter_ext.silhouettes.gei import gei
from gaitcrafter_ext.vocabulary import ClipKey

__all__ = ["ClipSource", "GeiSet", "load_geis"]


class ClipSource(Protocol):
    """What GEIs are read from; a ``SilhouetteStore`` is one."""

    def keys(self) -> list[ClipKey]:
        """Every clip there is."""

    def read(self, key: ClipKey) -> npt.NDArray[np.uint8]:
        """Frames of one clip, uint8 [T, H, W]."""


@dataclass(frozen=True)
class GeiSet:
    """GEIs of many clips and what they are of.

    Attributes:
        images: float32 [N, H * W] in [0, 1], one flattened GEI a clip.
        identity: str [N].
        take: str [N].
        condition: str [N].
        view: str [N].
    """

    images: npt.NDArray[np.float32]
    identity: npt.NDArray[np.str_]
    take: npt.NDArray[np.str_]
    condition: npt.NDArray[np.str_]
    view: npt.NDArray[np.str_]

    def __len__(self) -> int:
        return len(self.images)

    def where(self, mask: npt.NDArray[np.bool_]) -> GeiSet:
        """The clips that a bool [N] mask picks."""
        labels = (self.identity[mask], self.take[mask], self.condition[mask], self.view[mask])
        return GeiSet(self.images[mask], *labels)

    def of(self, takes: Iterable[str] | None = None, views: Iterable[str] | None = None) -> GeiSet:
        """The clips of these takes and views; None means all."""
        mask = np.ones(len(self), dtype=bool)
        if takes is not None:
            mask &= np.isin(self.take, list(takes))
        if views is not None:
            mask &= np.isin(self.view, list(views))
        return self.where(mask)


def load_geis(
    store: ClipSource,
    keys: Sequence[ClipKey] | None = None,
    progress: Callable[[Sequence[ClipKey]], Iterable[ClipKey]] = iter,
) -> GeiSet:
    """GEIs of a store's clips; one clip is in memory at a time.

    Args:
        store: Where the clips are.
        keys: Which clips; None means all.
        progress: Wraps the keys while they are read, e.g. in a progress bar.

    Raises:
        DataError: A clip cannot be read (from the store).
    """
    keys = store.keys() if keys is None else keys
    images = [gei(store.read(key)).ravel() for key in progress(keys)]
    return GeiSet(
        np.stack(images) / np.float32(255) if images else np.zeros((0, 0), np.float32),
        np.array([key.identity for key in keys], dtype=str),
        np.array([key.take for key in keys], dtype=str),
        np.array([key.condition for key in keys], dtype=str),
        np.array([key.view for key in keys], dtype=str),
    )
