"""What the measures look at: small frames, the gait energy image and the mask's statistics of each clip."""

from __future__ import annotations

import functools
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import TypeVar

import numpy as np
from numpy.typing import NDArray

from gaitcrafter_ext.audit.frames import Frames, MaskStatistics, mask_statistics, thumbnails
from gaitcrafter_ext.errors import DataError, GaitCrafterError
from gaitcrafter_ext.metrics.features import FeatureSet
from gaitcrafter_ext.silhouettes.clip import gei, window
from gaitcrafter_ext.silhouettes.dataset import UNKNOWN_VIEW, DatasetConfig
from gaitcrafter_ext.silhouettes.parallel import map_in_order
from gaitcrafter_ext.silhouettes.store import SilhouetteStore
from gaitcrafter_ext.vocabulary import ClipKey, condition_of

#: Called with how many are done, of how many.
Progress = Callable[[int, int], None]

Item = TypeVar("Item")


@dataclass(frozen=True)
class ClipFeatures:
    """One clip as the measures see it.

    Its condition is read by the dataset's rules, and ``view_deg`` is None where they do not know the angle. ``frames``
    are uint8 [T, 32, 32], means of 2 x 2 pixels; ``gei`` is float32 [64, 64], 0-255, over the whole clip. ``masks`` of
    a real clip are those of its middle frames, as many as synthetic clips have.
    """

    key: ClipKey
    condition: str
    view_deg: float | None
    frames: Frames
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

    def shown(self, length: int) -> ClipFeatures:
        """The same clip with its middle ``length`` frames only."""
        return replace(self, frames=window(self.frames, length))


Clips = Sequence[ClipFeatures]

#: Synthetic clips, held-out real clips and training clips, as most measures take them.
Sides = tuple[Clips, Clips, Clips]


def condition_in(dataset: DatasetConfig, take: str) -> str:
    """Condition of a real take by the dataset's rules, and of a synthetic one, which may bear our own name (nm-01)."""
    try:
        return dataset.condition_of(take)
    except DataError:
        return condition_of(take)


def extract(
    key: ClipKey, frames: Frames, length: int | None = None, dataset: DatasetConfig | None = None
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
    progress: Progress = lambda done, total: None,
) -> tuple[list[ClipFeatures], dict[ClipKey, str]]:
    """Features of the clips that can be read, and the files that cannot with the reason; each clip is read once.

    Args:
        store: Where the clips lie.
        keys: Which of them.
        length: Length at which masks are compared, frames; a mean over more frames varies less.
        skip_broken: Leave broken files out instead of refusing them.
        jobs: Processes.
        progress: Called with how many clips are read.

    Raises:
        DataError: There are broken files and they are not to be left out; all were read first, the first are named.
    """
    clips, broken = list[ClipFeatures](), dict[ClipKey, str]()
    found = map_in_order(functools.partial(_try, store, length), keys, jobs)
    for number, (key, each) in enumerate(zip(keys, found, strict=True), 1):
        if isinstance(each, str):
            broken[key] = each
        else:
            clips.append(each)
        progress(number, len(keys))
    if broken and not skip_broken:
        named = "; ".join(f"{key}: {why}" for key, why in list(broken.items())[:3]) + "; ..." * (len(broken) > 3)
        raise DataError(
            f"{store.root}: {len(broken)} broken file(s) ({named}); make them again, or --skip-broken to leave them out"
        )
    return clips, broken


def _try(store: SilhouetteStore, length: int | None, key: ClipKey) -> ClipFeatures | str:
    try:
        return extract(key, store.read(key), length, store.dataset)
    except GaitCrafterError as error:
        return str(error).removeprefix(f"{store.path(key)}: ")


def common_length(lengths: Sequence[int]) -> int:
    """The length most clips have, in frames; the shorter one of equally common lengths.

    Raises:
        DataError: There is no clip.
    """
    if not lengths:
        raise DataError("there is no synthetic clip to measure; check the root")
    values, counts = np.unique(lengths, return_counts=True)
    return int(values[counts.argmax()])


def length_of(clips: Clips) -> int:
    """:func:`common_length` of clips at hand."""
    return common_length([len(clip.frames) for clip in clips])


def some(clips: Sequence[Item], most: int, rng: np.random.Generator) -> Sequence[Item]:
    """At most so many of them, drawn at random, in their order."""
    return clips if len(clips) <= most else [clips[row] for row in sorted(rng.permutation(len(clips))[:most])]


def load_geis(
    store: SilhouetteStore, keys: Sequence[ClipKey], progress: Progress = lambda done, total: None
) -> FeatureSet:
    """GEIs of a store's clips, in [0, 1]; one clip is in memory at a time."""
    images = []
    for number, key in enumerate(keys, 1):
        images.append(gei(store.read_real(key)).ravel() / np.float32(255))
        progress(number, len(keys))
    labels = [replace(key, view=store.dataset.view_name(key.view)) for key in keys]
    return FeatureSet.of(images, labels, [condition_in(store.dataset, key.take) for key in keys])


def labelled(vectors: Sequence[NDArray[np.floating]] | NDArray[np.floating], clips: Clips) -> FeatureSet:
    """Vectors of these clips, in their order."""
    return FeatureSet.of(vectors, [clip.label for clip in clips], [clip.condition for clip in clips])


def geis(clips: Clips) -> FeatureSet:
    """GEIs of whole clips, flattened, in [0, 1]."""
    return labelled([clip.gei.ravel() / np.float32(255) for clip in clips], clips)


def small_geis(clips: Clips, length: int | None = None) -> FeatureSet:
    """GEIs at half the height and width; with ``length``, of the middle ``length`` frames only."""
    shown = [clip.frames if length is None else window(clip.frames, length) for clip in clips]
    return labelled([frames.mean(axis=0, dtype=np.float32).ravel() / np.float32(255) for frames in shown], clips)
