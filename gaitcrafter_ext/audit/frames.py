"""What frames alone tell: masks, motion, and how far two clips are apart once their phases are brought together.

For clips s of T and r of L >= T frames, d(s, r)^2 = min over k of mean_t |s_t - r_(k+t)|^2, the mean over pixels too:
the shorter clip slides along the longer one. With ``cyclic`` the training clip goes round: r_((k+t) mod L).
The distances of all pairs of frames come from one matrix product; those of a shift lie on its diagonals.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from gaitcrafter_ext.silhouettes.cycle import cycle_of

Frames = NDArray[np.uint8]

#: Grey levels from here on are silhouette; pieces of fewer pixels are specks of a soft edge.
THRESHOLD, SMALLEST_PIECE = 128, 4

#: Frames of clips that are multiplied at once; bounds the memory.
BATCH_FRAMES = 2048

#: How time is spoilt: a statistic of motion that does not tell these from real clips tells nothing.
CONTROLS: dict[str, Callable[[Frames, np.random.Generator], Frames]] = {
    "frozen": lambda frames, _: np.repeat(frames[len(frames) // 2][None], len(frames), axis=0),
    "shuffled": lambda frames, rng: rng.permutation(frames),
    "reversed": lambda frames, _: frames[::-1],
}


@dataclass(frozen=True)
class MaskStatistics:
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


@dataclass(frozen=True)
class MotionStatistics:
    """How one clip moves.

    ``iou``: mean overlap of a frame with the next, sum of minima over sum of maxima of grey levels; 1 = frozen.
    ``flicker``: what a median over three frames takes away, as a share of the silhouette: pixels that come or go for
    one frame only. ``periodicity``: share of the lower body's motion that a steady gait cycle explains.
    """

    iou: float
    flicker: float
    periodicity: float


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


def clip_distances(clips: Sequence[Frames], others: Sequence[Frames], cyclic: bool = False) -> NDArray[np.float64]:
    """Least distance over shifts of every pair, uint8 [T_i, h, w] and [L_j, h, w]: float64 [N, M].

    It is the root of the mean squared difference of grey levels in [0, 1]: 0 for a copy.
    """
    result, flat = np.zeros((len(clips), len(others))), [_flat(other) for other in others]
    for length in sorted({len(clip) for clip in clips}):
        rows = [row for row, clip in enumerate(clips) if len(clip) == length]
        step = max(1, BATCH_FRAMES // length)
        for some in (rows[at : at + step] for at in range(0, len(rows), step)):
            batch = _flat(np.stack([clips[row] for row in some]))
            norms = (batch**2).sum(axis=2)
            for column, other in enumerate(flat):
                result[some, column] = _over_shifts(batch, norms, other, cyclic).min(axis=1)
    return np.sqrt(result)


def best_shift(clip: Frames, other: Frames, cyclic: bool = False) -> int:
    """The frame of ``other`` that the first frame of ``clip`` matches best; negative where ``other`` begins later."""
    flat = _flat(clip)[None]
    best = int(_over_shifts(flat, (flat**2).sum(axis=2), _flat(other), cyclic)[0].argmin())
    return best if cyclic or len(clip) <= len(other) else -best


def _flat(frames: Frames) -> NDArray[np.float32]:
    """uint8 [..., T, h, w] -> float32 [..., T, h * w] in [0, 1]."""
    return frames.reshape(*frames.shape[:-2], -1).astype(np.float32) / np.float32(255)


def _over_shifts(
    clips: NDArray[np.float32], norms: NDArray[np.float32], other: NDArray[np.float32], cyclic: bool
) -> NDArray[np.float64]:
    """Mean squared difference of clips [n, T, D], of squared lengths [n, T], and one other [L, D] at each shift."""
    count, length, size = clips.shape
    if cyclic:
        other = other[np.arange(len(other) + length - 1) % len(other)]
    table = clips.reshape(-1, size) @ (-2 * other.T)
    table += norms.reshape(-1, 1)
    table += (other**2).sum(1)
    table = np.maximum(table, 0, out=table).reshape(count, length, len(other))
    if length > len(other):
        table = table.transpose(0, 2, 1)
    table = np.ascontiguousarray(table)
    (clip, row, column), short = table.strides, table.shape[1]
    shifts = table.shape[2] - short + 1
    diagonals = np.lib.stride_tricks.as_strided(
        table, (count, short, shifts), (clip, row + column, column), writeable=False
    )
    return np.asarray(diagonals.sum(axis=1, dtype=np.float64) / (short * size))
