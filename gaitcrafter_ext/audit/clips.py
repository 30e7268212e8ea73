"""What the measures look at of each clip: small frames, the gait energy image, statistics of masks and of motion."""

from __future__ import annotations

import functools
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import NamedTuple, TypeVar

import cv2
import numpy as np
from numpy.typing import NDArray

from gaitcrafter_ext.errors import DataError, GaitCrafterError, listed
from gaitcrafter_ext.metrics.features import Cell, FeatureSet, Numbers
from gaitcrafter_ext.silhouettes.clip import gei, window
from gaitcrafter_ext.silhouettes.cycle import cycle_of
from gaitcrafter_ext.silhouettes.dataset import UNKNOWN_VIEW, DatasetConfig
from gaitcrafter_ext.silhouettes.parallel import map_in_order
from gaitcrafter_ext.silhouettes.store import SilhouetteStore
from gaitcrafter_ext.vocabulary import ClipKey, condition_of

Frames = NDArray[np.uint8]
Vectors = Sequence[Numbers] | Numbers

#: Called with how many are done, of how many.
Progress = Callable[[int, int], None]

Item = TypeVar("Item")

#: Grey levels from here on are silhouette; pieces of fewer pixels are specks of a soft edge.
THRESHOLD, SMALLEST_PIECE = 128, 4


class MaskStatistics(NamedTuple):
    """Means over the frames of one clip; an empty frame counts with ``largest`` 0, ``top`` 64 and ``bottom`` -1.

    ``area`` (grey levels in proportion), ``grey`` (neither black nor white), ``border`` (touches the left or right
    edge) and ``empty`` are shares of pixels or frames, ``largest`` is the share of the silhouette in its largest piece
    (8-neighbours); ``top`` and ``bottom`` are rows, ``centre`` is the column of the centre of mass, 0..63.
    """

    area: float
    largest: float
    pieces: float
    top: float
    bottom: float
    centre: float
    border: float
    grey: float
    empty: float


class MotionStatistics(NamedTuple):
    """How one clip moves.

    ``iou``: mean overlap of a frame with the next, sum of minima over sum of maxima of grey levels; 1 = frozen.
    ``flicker``: what a median over three frames takes away, as a share of the silhouette: pixels that come or go for
    one frame only. ``periodicity``: share of the lower body's motion that a steady gait cycle explains.
    """

    iou: float
    flicker: float
    periodicity: float


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
    def cell(self) -> Cell:
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


def thumbnails(frames: Frames) -> Frames:
    """Half the height and width: uint8 [T, H, W] -> uint8 [T, H/2, W/2], rounded means of 2 x 2 pixels."""
    wide = frames.astype(np.uint16)
    total = wide[:, ::2, ::2] + wide[:, 1::2, ::2] + wide[:, ::2, 1::2] + wide[:, 1::2, 1::2]
    return ((total + 2) // 4).astype(np.uint8)


def mask_statistics(frames: Frames) -> MaskStatistics:
    """Statistics of one clip, uint8 [T, 64, 64], 0-255."""
    rows = np.array([_of_frame(frame) for frame in frames])
    soft = float(((frames > 0) & (frames < 255)).mean())
    area, (largest, pieces, top, bottom, centre, border, empty) = frames.mean() / 255.0, rows.mean(axis=0)
    return MaskStatistics(*map(float, (area, largest, pieces, top, bottom, centre, border, soft, empty)))


def _of_frame(frame: Frames) -> tuple[float, ...]:
    """(largest, pieces, top, bottom, centre, border, empty) of one frame [H, W]."""
    solid = frame >= THRESHOLD
    if not solid.any():
        return 0.0, 0.0, float(len(frame)), -1.0, 0.0, 0.0, 1.0
    _, _, boxes, _ = cv2.connectedComponentsWithStats(solid.view(np.uint8), connectivity=8)
    sizes = boxes[1:, cv2.CC_STAT_AREA]
    rows, columns = np.flatnonzero(solid.any(1)), solid.sum(0)
    centre = float((columns * np.arange(len(columns))).sum() / columns.sum())
    pieces = float((sizes >= SMALLEST_PIECE).sum())
    touches = float(columns[0] > 0 or columns[-1] > 0)
    return sizes.max() / sizes.sum(), pieces, float(rows[0]), float(rows[-1]), centre, touches, 0.0


def motion_statistics(frames: Frames) -> MotionStatistics:
    """Statistics of one clip, uint8 [T, h, w] with T >= 3."""
    values = frames.astype(np.int16)
    overlap, union = np.minimum(values[1:], values[:-1]), np.maximum(values[1:], values[:-1])
    iou = overlap.sum(axis=(1, 2)) / np.maximum(union.sum(axis=(1, 2)), 1)
    before, now, after = values[:-2], values[1:-1], values[2:]
    middle = np.maximum(np.minimum(before, after), np.minimum(now, np.maximum(before, after)))
    flicker = np.abs(now - middle).sum() / max(1, int(now.sum()))
    return MotionStatistics(float(iou.mean()), float(flicker), cycle_of(frames).strength)


def read_features(
    store: SilhouetteStore,
    keys: Sequence[ClipKey],
    length: int | None,
    skip_broken: bool,
    jobs: int,
    progress: Progress,
) -> tuple[list[ClipFeatures], dict[ClipKey, str]]:
    """Features of the clips that can be read, and the files that cannot with the reason; each clip is read once.

    ``length`` is that at which masks are compared, since a mean over more frames varies less. Raises a ``DataError``
    that names broken files, unless they are to be left out; all were read first.
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
        named = listed([f"{key}: {why}" for key, why in broken.items()])
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
    """The length most clips have, in frames; the shorter one of equally common lengths; ``DataError`` without any."""
    if not lengths:
        raise DataError("there is no synthetic clip to measure; check the root")
    values, counts = np.unique(lengths, return_counts=True)
    return int(values[counts.argmax()])


def length_of(clips: Clips) -> int:
    """:func:`common_length` of clips at hand."""
    return common_length([len(clip.frames) for clip in clips])


def of_known_cells(clips: Sides) -> Sides:
    """The clips of views and conditions that there are training clips of."""
    known = {clip.cell for clip in clips[2]}
    synthetic, held_out = ([clip for clip in side if clip.cell in known] for side in clips[:2])
    for kind, side in (("synthetic", synthetic), ("held-out real", held_out)):
        if not side:
            raise DataError(f"no {kind} clip is of a view and condition that the training clips have; check the roots")
    return synthetic, held_out, clips[2]


def some(clips: Sequence[Item], most: int, rng: np.random.Generator) -> Sequence[Item]:
    """At most so many of them, drawn at random, in their order."""
    return clips if len(clips) <= most else [clips[row] for row in sorted(rng.permutation(len(clips))[:most])]


def load_geis(store: SilhouetteStore, keys: Sequence[ClipKey], progress: Progress) -> FeatureSet:
    """GEIs of a store's clips, in [0, 1]; one clip is in memory at a time."""
    images = []
    for number, key in enumerate(keys, 1):
        images.append(gei(store.read_real(key)).ravel() / np.float32(255))
        progress(number, len(keys))
    return named(store.dataset, images, keys)


def named(dataset: DatasetConfig, vectors: Vectors, keys: Sequence[ClipKey]) -> FeatureSet:
    """Vectors of these clips, in their order, their names read by the dataset's rules."""
    labels = [replace(key, view=dataset.view_name(key.view)) for key in keys]
    return FeatureSet.of(vectors, labels, [condition_in(dataset, key.take) for key in keys])


def labelled(vectors: Vectors, clips: Clips) -> FeatureSet:
    """Vectors of these clips, in their order."""
    return FeatureSet.of(vectors, [clip.label for clip in clips], [clip.condition for clip in clips])


def geis(clips: Clips, half: bool = False) -> FeatureSet:
    """GEIs of whole clips, flattened, in [0, 1]; at ``half`` the height and width, where nearly all of the shape is."""
    images = [clip.gei / np.float32(255) for clip in clips]
    if half:
        images = [image.reshape(32, 2, 32, 2).mean((1, 3)) for image in images]
    return labelled([image.ravel() for image in images], clips)


def small_geis(clips: Clips, length: int | None = None) -> FeatureSet:
    """GEIs at half the height and width; with ``length``, of the middle ``length`` frames only."""
    shown = [clip.frames if length is None else window(clip.frames, length) for clip in clips]
    return labelled([frames.mean(axis=0, dtype=np.float32).ravel() / np.float32(255) for frames in shown], clips)
