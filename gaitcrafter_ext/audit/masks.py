"""Is it a valid mask? Area, pieces, alignment, border contact and soft edges, beside those of real clips."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, fields
from typing import TYPE_CHECKING

import cv2
import numpy as np
from numpy.typing import NDArray

from gaitcrafter_ext.audit.ranges import Beside, Measured, check_ranges
from gaitcrafter_ext.recognition.bootstrap import Estimate

if TYPE_CHECKING:
    from gaitcrafter_ext.audit.features import ClipFeatures

__all__ = ["MaskStatistics", "Masks", "mask_statistics", "masks"]

#: Grey levels from here on are silhouette.
THRESHOLD = 128

#: Pieces of fewer pixels are specks of a soft edge, not pieces.
SMALLEST_PIECE = 4


@dataclass(frozen=True)
class MaskStatistics:
    """Means over the frames of one clip; an empty frame counts with ``largest`` 0, ``top`` 64 and ``bottom`` -1.

    Attributes:
        area: Share of the frame that is silhouette, grey levels counted in proportion, 0..1.
        largest: Share of the silhouette's pixels that lies in its largest connected piece (8-neighbours), 0..1.
        pieces: Number of connected pieces of at least 4 pixels.
        top: First row with silhouette, 0..63.
        bottom: Last row with silhouette, 0..63.
        centre: Column of the centre of mass, 0..63.
        border: Share of frames whose silhouette touches the left or right edge, 0..1.
        grey: Share of pixels that are neither black nor white, 0..1.
        empty: Share of frames without silhouette, 0..1.
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


@dataclass(frozen=True)
class Masks:
    """Mask statistics of synthetic clips beside real ones.

    Attributes:
        statistics: One entry a statistic.
        synthetic_outside: Share of synthetic clips outside the real range in at least one statistic, with an interval
            over people.
        held_out_outside: The floor: the same share of held-out real clips.
        left_out: Synthetic clips of a view and condition without training clips.
    """

    statistics: tuple[Beside, ...]
    synthetic_outside: Estimate
    held_out_outside: float
    left_out: int


def mask_statistics(frames: NDArray[np.uint8]) -> MaskStatistics:
    """Statistics of one clip.

    Args:
        frames: uint8 [T, 64, 64], 0-255.
    """
    rows = np.array([_of_frame(frame) for frame in frames])
    soft = float(((frames > 0) & (frames < 255)).mean())
    area, (largest, pieces, top, bottom, centre, border, empty) = frames.mean() / 255.0, rows.mean(axis=0)
    return MaskStatistics(*map(float, (area, largest, pieces, top, bottom, centre, border, soft, empty)))


def masks(
    synthetic: Sequence[ClipFeatures],
    held_out: Sequence[ClipFeatures],
    training: Sequence[ClipFeatures],
    rng: np.random.Generator,
) -> Masks:
    """Compare masks with those of the training clips of the same view and condition; held-out clips are the floor.

    Args:
        synthetic: Synthetic clips.
        held_out: Real clips that were not trained on.
        training: Real clips that were.
        rng: Draws the bootstrap's people.

    Raises:
        DataError: No synthetic clip is of a view and condition that the training clips have.
    """
    names = [field.name for field in fields(MaskStatistics)]
    check = check_ranges(names, _measured(synthetic), _measured(held_out), _measured(training), rng)
    return Masks(check.statistics, check.synthetic_outside, check.held_out_outside, check.left_out)


def _measured(clips: Sequence[ClipFeatures]) -> Measured:
    names = [field.name for field in fields(MaskStatistics)]
    values = np.array([[getattr(clip.masks, name) for name in names] for clip in clips]).reshape(-1, len(names))
    return Measured([clip.cell for clip in clips], [clip.key.identity for clip in clips], values)


def _of_frame(frame: NDArray[np.uint8]) -> tuple[float, ...]:
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
