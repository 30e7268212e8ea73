"""Was training data copied? The phase-aligned nearest training clip of every clip.

A clip counts as a copy where its nearest training clip is less than a third as far as the second nearest (Yoon et al.,
"Diffusion Probabilistic Models Generalize when They Fail to Memorize", 2023), the second being the nearest clip of
another take. Held-out real clips, cut to the synthetic length, say how near an honest new clip of the same people lies.

For clips s of T and r of L >= T frames, d(s, r)^2 = min over k of mean_t |s_t - r_(k+t)|^2, the mean over pixels too:
the shorter clip slides along the longer one. The distances of all pairs of frames come from one matrix product; those
of a shift lie on its diagonals.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from gaitcrafter_ext.audit.clips import Clips, Frames, Sides, length_of
from gaitcrafter_ext.errors import DataError
from gaitcrafter_ext.vocabulary import ClipKey

#: Nearest over second nearest below this is a copy.
COPY_RATIO = 1 / 3

#: Clips nearer than half a grey level are the same clip, also where the second nearest is just as near.
SAME = 0.5 / 255

#: Frames of clips that are multiplied at once; bounds the memory.
BATCH_FRAMES = 2048


@dataclass(frozen=True)
class Match:
    """A clip of a cell ``view/condition`` and its nearest training clip.

    ``shift`` is the frame of ``nearest`` that the clip's first frame matches, negative where ``nearest`` begins later.
    ``distance`` is the root of the mean squared difference of grey levels in [0, 1] over aligned frames, ``ratio`` that
    over the distance of the nearest clip of another take.
    """

    clip: ClipKey
    cell: str
    nearest: ClipKey
    shift: int
    distance: float
    ratio: float

    @property
    def copied(self) -> bool:
        """Whether the clip counts as a copy."""
        return self.ratio < COPY_RATIO


def copies(clips: Sides, trained_on: Clips | None = None) -> tuple[list[Match], list[Match]]:
    """The nearest training clip of the same view and condition, of every synthetic clip and of held-out real ones.

    Clips without two training takes to be compared with are left out. ``trained_on`` are the clips that may have been
    copied; the training clips where not given.
    """
    synthetic, held_out, training = clips
    length = length_of(synthetic)
    ours = _nearest(synthetic, training if trained_on is None else trained_on)
    if not ours:
        raise DataError(
            f"copies: none of {len(synthetic)} synthetic clips has two training takes of its view and condition;"
            " check the roots"
        )
    return ours, _nearest([clip.shown(length) for clip in held_out], training)


def _nearest(clips: Clips, training: Clips) -> list[Match]:
    """The match of each clip whose view and condition has two training takes or more, in the order of the clips."""
    found: dict[int, Match] = {}
    for cell in {clip.cell for clip in clips}:
        places = [place for place, clip in enumerate(clips) if clip.cell == cell]
        there = [clip for clip in training if clip.cell == cell]
        takes = np.array([f"{clip.key.identity}/{clip.key.take}" for clip in there])
        if len(np.unique(takes)) < 2:
            continue
        table = clip_distances([clips[place].frames for place in places], [clip.frames for clip in there])
        for place, distances in zip(places, table, strict=True):
            first, clip = int(distances.argmin()), clips[place]
            nearest, distance = there[first], float(distances[first])
            ratio = distance / float(distances[takes != takes[first]].min()) if distance > SAME else 0.0
            shift = best_shift(clip.frames, nearest.frames)
            found[place] = Match(clip.key, "/".join(cell), nearest.key, shift, distance, ratio)
    return [found[place] for place in sorted(found)]


def clip_distances(clips: Sequence[Frames], others: Sequence[Frames]) -> NDArray[np.float64]:
    """Root of the least mean squared difference over shifts, grey levels in [0, 1], of every pair: float64 [N, M].

    Clips are uint8 [T_i, h, w] and [L_j, h, w].
    """
    result, flat = np.zeros((len(clips), len(others))), [_flat(other) for other in others]
    for length in sorted({len(clip) for clip in clips}):
        rows = [row for row, clip in enumerate(clips) if len(clip) == length]
        step = max(1, BATCH_FRAMES // length)
        for some in (rows[at : at + step] for at in range(0, len(rows), step)):
            batch = _flat(np.stack([clips[row] for row in some]))
            norms = (batch**2).sum(axis=2)
            for column, other in enumerate(flat):
                result[some, column] = _over_shifts(batch, norms, other).min(axis=1)
    return np.sqrt(result)


def best_shift(clip: Frames, other: Frames) -> int:
    """The frame of ``other`` that the first frame of ``clip`` matches best; negative where ``other`` begins later."""
    flat = _flat(clip)[None]
    best = int(_over_shifts(flat, (flat**2).sum(axis=2), _flat(other))[0].argmin())
    return best if len(clip) <= len(other) else -best


def _flat(frames: Frames) -> NDArray[np.float32]:
    """uint8 [..., T, h, w] -> float32 [..., T, h * w] in [0, 1]."""
    return frames.reshape(*frames.shape[:-2], -1).astype(np.float32) / np.float32(255)


def _over_shifts(
    clips: NDArray[np.float32], norms: NDArray[np.float32], other: NDArray[np.float32]
) -> NDArray[np.float64]:
    """Mean squared difference of clips [n, T, D], of squared lengths [n, T], and one other [L, D] at each shift."""
    count, length, size = clips.shape
    table = clips.reshape(-1, size) @ (-2 * other.T)
    table += norms.reshape(-1, 1)
    table += (other**2).sum(1)
    table = np.maximum(table, 0, out=table).reshape(count, length, len(other))
    if length > len(other):
        table = table.transpose(0, 2, 1)
    short = table.shape[1]
    shifts = table.shape[2] - short + 1
    total = np.zeros((count, shifts))
    for frame in range(short):
        total += table[:, frame, frame : frame + shifts]
    return total / (short * size)
