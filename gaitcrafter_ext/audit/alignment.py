"""How far two clips are apart once their phases are brought together: the least distance over all shifts.

For clips s of T and r of L >= T frames, d(s, r)^2 = min over k of mean_t |s_t - r_(k+t)|^2, the mean over pixels too:
the shorter clip slides along the longer one. With ``cyclic`` the training clip goes round: r_((k+t) mod L).
All shifts of all pairs come from matrix products of frames, whose diagonals are summed.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

__all__ = ["best_shift", "clip_distances"]

Frames = NDArray[np.uint8]

#: Training frames and clips' frames that are multiplied at once; bounds the memory (about 200 MB).
BANK_FRAMES, BATCH_FRAMES = 20_000, 480


def clip_distances(clips: Sequence[Frames], others: Sequence[Frames], cyclic: bool = False) -> NDArray[np.float64]:
    """Least distance over shifts of every pair.

    Args:
        clips: uint8 [T_i, h, w] each, 0-255.
        others: uint8 [L_j, h, w] each.
        cyclic: Let ``others`` go round instead of ending.

    Returns:
        float64 [N, M], root of the mean squared difference of grey levels in [0, 1]: 0 for a copy.
    """
    result = np.zeros((len(clips), len(others)))
    for length in sorted({len(clip) for clip in clips}):
        rows = [row for row, clip in enumerate(clips) if len(clip) == length]
        for columns in _blocks(others, length):
            bank = _bank([others[column] for column in columns], length, cyclic)
            step = max(1, BATCH_FRAMES // length)
            for at in range(0, len(rows), step):
                some = rows[at : at + step]
                result[np.ix_(some, columns)] = _least(np.stack([clips[row] for row in some]), bank)
    return result


def best_shift(clip: Frames, other: Frames, cyclic: bool = False) -> int:
    """The frame of ``other`` that the first frame of ``clip`` matches best; negative where ``other`` begins later."""
    bank = _bank([other], len(clip), cyclic)
    squared = _over_shifts(_products(_flat(clip), bank), bank)
    return int(squared[: bank.shifts[0]].argmin()) - int(bank.padding[0])


@dataclass(frozen=True)
class _Bank:
    """Training clips end to end: frames float32 [F, D] in [0, 1] and their weight [F], 0 for padding; of each clip,
    [M], its start, how many shifts it allows, over how many frames it is compared, and the padding before it.
    """

    frames: NDArray[np.float32]
    weight: NDArray[np.float32]
    first: NDArray[np.int64]
    shifts: NDArray[np.int64]
    overlap: NDArray[np.int64]
    padding: NDArray[np.int64]


def _blocks(others: Sequence[Frames], length: int) -> list[list[int]]:
    """Numbers of the clips, in runs of about ``BANK_FRAMES`` frames."""
    ends = np.cumsum([len(other) + 2 * length for other in others]) // BANK_FRAMES
    return [np.flatnonzero(ends == block).tolist() for block in np.unique(ends)]


def _bank(others: Sequence[Frames], length: int, cyclic: bool) -> _Bank:
    """Lay clips out for windows of ``length``: gone round where cyclic, else padded where they are shorter."""
    parts, padding = [], []
    for other in others:
        short = 0 if cyclic else max(0, length - len(other))
        turns = np.arange(len(other) + (length - 1 if cyclic else 0)) % len(other)
        parts.append(np.pad(_flat(other)[turns], ((short, short), (0, 0))))
        padding.append(short)
    sizes = np.array([len(part) for part in parts])
    weight = [np.pad(np.ones(len(part) - 2 * short), short) for part, short in zip(parts, padding, strict=True)]
    overlap = [min(length, int(mask.sum())) for mask in weight]
    return _Bank(
        np.concatenate(parts),
        np.concatenate(weight).astype(np.float32),
        np.concatenate([[0], np.cumsum(sizes)[:-1]]),
        sizes - length + 1,
        np.array(overlap),
        np.array(padding),
    )


def _flat(frames: Frames) -> NDArray[np.float32]:
    """uint8 [..., T, h, w] -> float32 [..., T, h * w] in [0, 1]."""
    return frames.reshape(*frames.shape[:-2], -1).astype(np.float32) / np.float32(255)


def _least(clips: Frames, bank: _Bank) -> NDArray[np.float64]:
    """Distances float64 [n, M] of clips uint8 [n, T, h, w] to the bank's clips."""
    count, length = clips.shape[:2]
    flat = _flat(clips)
    products = _products(flat.reshape(count * length, -1), bank).reshape(count, length, -1)
    last = bank.first + bank.shifts
    # reduceat takes [first, last) pairs; every second result lies between two clips and is dropped.
    edges = np.stack([bank.first, last], axis=1).ravel()
    rows = [np.minimum.reduceat(np.append(_over_shifts(each, bank), np.inf), edges)[::2] for each in products]
    mean = np.array(rows) / (bank.overlap * flat.shape[-1])
    return np.asarray(np.sqrt(np.maximum(mean, 0.0)))


def _products(frames: NDArray[np.float32], bank: _Bank) -> NDArray[np.float32]:
    """Squared distance of each frame [n, D] to each frame of the bank, float32 [n, F]; 0 to padding."""
    squared = -2.0 * (frames @ bank.frames.T)
    squared += (frames**2).sum(1)[:, None] * bank.weight
    squared += (bank.frames**2).sum(1)
    return squared


def _over_shifts(squared: NDArray[np.float32], bank: _Bank) -> NDArray[np.float64]:
    """Sums along the diagonals of [T, F]: entry j compares frame t with the bank's frame j + t, [F - T + 1]."""
    length, total = squared.shape
    item = squared.itemsize
    squared = np.ascontiguousarray(squared)
    diagonals = np.lib.stride_tricks.as_strided(
        squared, (length, total - length + 1), ((total + 1) * item, item), writeable=False
    )
    return diagonals.sum(axis=0, dtype=np.float64)
