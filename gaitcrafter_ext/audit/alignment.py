"""How far two clips are apart once their phases are brought together: the least distance over all shifts.

For clips s of T and r of L >= T frames, d(s, r)^2 = min over k of mean_t |s_t - r_(k+t)|^2, the mean over pixels too:
the shorter clip slides along the longer one. With ``cyclic`` the training clip goes round: r_((k+t) mod L).
The distances of all pairs of frames come from one matrix product; those of a shift lie on its diagonals.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

__all__ = ["best_shift", "clip_distances"]

Frames = NDArray[np.uint8]

#: Frames of clips that are multiplied at once; bounds the memory.
BATCH_FRAMES = 2048


def clip_distances(clips: Sequence[Frames], others: Sequence[Frames], cyclic: bool = False) -> NDArray[np.float64]:
    """Least distance over shifts of every pair.

    Args:
        clips: uint8 [T_i, h, w] each, 0-255.
        others: uint8 [L_j, h, w] each.
        cyclic: Let ``others`` go round instead of ending.

    Returns:
        float64 [N, M], root of the mean squared difference of grey levels in [0, 1]: 0 for a copy.
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
