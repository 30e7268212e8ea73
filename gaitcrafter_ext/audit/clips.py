"""What the measures look at: small frames, the gait energy image and the mask's statistics of each clip."""

from __future__ import annotations

import functools
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from gaitcrafter_ext.audit.statistics import MaskStatistics, mask_statistics
from gaitcrafter_ext.errors import DataError, GaitCrafterError
from gaitcrafter_ext.metrics.features import FeatureSet
from gaitcrafter_ext.silhouettes.clip import window
from gaitcrafter_ext.silhouettes.dataset import UNKNOWN_VIEW, DatasetConfig
from gaitcrafter_ext.silhouettes.gei import gei
from gaitcrafter_ext.silhouettes.parallel import map_in_order
from gaitcrafter_ext.silhouettes.store import SilhouetteStore
from gaitcrafter_ext.vocabulary import ClipKey, condition_of

__all__ = [
    "Broken",
    "ClipFeatures",
    "Progress",
    "Sides",
    "common_length",
    "condition_in",
    "extract",
    "geis",
    "load_geis",
    "read_features",
    "small_geis",
    "thumbnails",
]

#: Called with how many are done, of how many.
Progress = Callable[[int, int], None]


def _silent(done: int, total: int) -> None:
    """No progress shown."""


@dataclass(frozen=True)
class ClipFeatures:
    """One clip as the measures see it.

    Attributes:
        condition: Of the take, by the dataset's reading rules.
        view_deg: Angle of the view; None where the dataset does not know it.
        frames: uint8 [T, 32, 32], 0-255: means of 2 x 2 pixels.
        gei: float32 [64, 64], 0-255, over the whole clip.
        masks: Statistics of its masks; of a real clip in its middle frames, as many as synthetic clips have.
    """

    key: ClipKey
    condition: str
    view_deg: float | None
    frames: NDArray[np.uint8]
    gei: NDArray[np.float32]
    masks: MaskStatistics

    @property
    def label(self) -> ClipKey:
        """Its name, where all views of unknown angle are one view."""
        return self.key if self.view_deg is not None else replace(self.key, view=UNKNOWN_VIEW)

    @property
    def cell(self) -> tuple[str, str]:
        """View and condition."""
        return self.label.view, self.condition


#: Synthetic clips, held-out real clips and training clips, as most measures take them.
Sides = tuple[Sequence[ClipFeatures], Sequence[ClipFeatures], Sequence[ClipFeatures]]


@dataclass(frozen=True)
class Broken:
    """A file that is no clip, and why."""

    key: ClipKey
    why: str


def condition_in(dataset: DatasetConfig, take: str) -> str:
    """Condition of a real take by the dataset's rules, and of a synthetic one, which may bear our own name (nm-01)."""
    try:
        return dataset.condition_of(take)
    except DataError:
        return condition_of(take)


def thumbnails(frames: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """Half the height and width: uint8 [T, H, W] -> uint8 [T, H/2, W/2], rounded means of 2 x 2 pixels."""
    wide = frames.astype(np.uint16)
    total = wide[:, ::2, ::2] + wide[:, 1::2, ::2] + wide[:, ::2, 1::2] + wide[:, 1::2, 1::2]
    return ((total + 2) // 4).astype(np.uint8)


def extract(
    key: ClipKey, frames: NDArray[np.uint8], length: int | None = None, dataset: DatasetConfig | None = None
) -> ClipFeatures:
    """Features of one clip, uint8 [T, 64, 64]; with ``length``, masks of its middle ``length`` frames only."""
    rules = dataset or DatasetConfig()
    masks = mask_statistics(frames if length is None else window(frames, length))
    condition = condition_in(rules, key.take)
    return ClipFeatures(key, condition, rules.view_deg(key.view), thumbnails(frames), gei(frames), masks)


def read_features(
    store: SilhouetteStore,
    keys: Sequence[ClipKey],
    length: int | None = None,
    skip_broken: bool = False,
    jobs: int = 1,
    progress: Progress = _silent,
) -> tuple[list[ClipFeatures], list[Broken]]:
    """Features of the clips that can be read, and the files that cannot; each clip is read once.

    Args:
        store: Where the clips lie.
        keys: Which of them.
        length: Length at which masks are compared, frames; a mean over more frames varies less.
        skip_broken: Leave broken files out instead of refusing them.
        jobs: Processes.
        progress: Told how many clips are read.

    Raises:
        DataError: There are broken files and they are not to be left out; all were read first, the first are named.
    """
    clips, broken = [], []
    found = map_in_order(functools.partial(_try, store, length), keys, jobs)
    for number, (key, each) in enumerate(zip(keys, found, strict=True), 1):
        if isinstance(each, str):
            broken.append(Broken(key, each))
        else:
            clips.append(each)
        progress(number, len(keys))
    if broken and not skip_broken:
        named = "; ".join(f"{each.key}: {each.why}" for each in broken[:3]) + ("; ..." if len(broken) > 3 else "")
        raise DataError(
            f"{store.root}: {len(broken)} broken file(s) ({named}); make them again, or --skip-broken to leave them out"
        )
    return clips, broken


def common_length(clips: Sequence[ClipFeatures]) -> int:
    """The length most clips have, in frames; the shorter one of equally common lengths.

    Raises:
        DataError: There is no clip.
    """
    if not clips:
        raise DataError("there is no synthetic clip to measure; check the root")
    lengths, counts = np.unique([len(clip.frames) for clip in clips], return_counts=True)
    return int(lengths[counts.argmax()])


def load_geis(store: SilhouetteStore, keys: Sequence[ClipKey], progress: Progress = _silent) -> FeatureSet:
    """GEIs of a store's clips, in [0, 1]; one clip is in memory at a time."""
    images = []
    for number, key in enumerate(keys, 1):
        images.append(gei(store.read(key)).ravel() / np.float32(255))
        progress(number, len(keys))
    labels = [replace(key, view=store.dataset.view_name(key.view)) for key in keys]
    return FeatureSet.of(images, labels, [condition_in(store.dataset, key.take) for key in keys])


def geis(clips: Sequence[ClipFeatures]) -> FeatureSet:
    """GEIs of whole clips, flattened, in [0, 1]."""
    return _features([clip.gei.ravel() / np.float32(255) for clip in clips], clips)


def small_geis(clips: Sequence[ClipFeatures], length: int | None = None) -> FeatureSet:
    """GEIs at half the height and width; with ``length``, of the middle ``length`` frames only."""
    shown = [clip.frames if length is None else window(clip.frames, length) for clip in clips]
    return _features([frames.mean(axis=0, dtype=np.float32).ravel() / np.float32(255) for frames in shown], clips)


def _features(vectors: Sequence[NDArray[np.float32]], clips: Sequence[ClipFeatures]) -> FeatureSet:
    return FeatureSet.of(vectors, [clip.label for clip in clips], [clip.condition for clip in clips])


def _try(store: SilhouetteStore, length: int | None, key: ClipKey) -> ClipFeatures | str:
    try:
        return extract(key, store.read(key), length, store.dataset)
    except GaitCrafterError as error:
        return str(error).removeprefix(f"{store.path(key)}: ")
