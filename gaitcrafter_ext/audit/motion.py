"""Does it move like gait? Frame-to-frame overlap, flicker, periodicity and the arrow of time, beside real clips.

Frozen, shuffled and reversed copies of the held-out real clips are measured beside them: a statistic that does not tell
these controls from real clips tells nothing.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, fields, replace

import numpy as np
from numpy.typing import NDArray

from gaitcrafter_ext.audit.alignment import clip_distances
from gaitcrafter_ext.audit.features import ClipFeatures, common_length
from gaitcrafter_ext.audit.ranges import Beside, Measured, check_ranges, mean_of, outside
from gaitcrafter_ext.recognition.bootstrap import Estimate, bootstrap_mean
from gaitcrafter_ext.silhouettes.clip import window
from gaitcrafter_ext.silhouettes.cycle import cycle_of

__all__ = ["CONTROLS", "Control", "Motion", "MotionStatistics", "arrow", "motion", "motion_statistics"]

Frames = NDArray[np.uint8]


@dataclass(frozen=True)
class MotionStatistics:
    """How one clip moves.

    Attributes:
        iou: Mean overlap of a frame with the next, sum of minima over sum of maxima of grey levels; 1 = frozen.
        flicker: Mean of what a median over three frames takes away, as a share of the silhouette: pixels that come or
            go for one frame only.
        periodicity: Share of the lower body's motion that a steady gait cycle explains
            (:class:`gaitcrafter_ext.silhouettes.cycle.Cycle`); 0 = frozen or no cycle.
    """

    iou: float
    flicker: float
    periodicity: float


@dataclass(frozen=True)
class Control:
    """Held-out real clips whose time was spoilt.

    Attributes:
        name: ``frozen``, ``shuffled`` or ``reversed``.
        statistics: Median of each of ``MotionStatistics``.
        outside: Share of these clips outside the real range in at least one statistic.
        forward: Share of them that fit real clips better forward than backward.
    """

    name: str
    statistics: MotionStatistics
    outside: float
    forward: float


@dataclass(frozen=True)
class Motion:
    """Motion of synthetic clips beside held-out real ones of the same length, and controls.

    Attributes:
        statistics: One entry a statistic of ``MotionStatistics``.
        synthetic_outside: Share of synthetic clips outside the real range in at least one statistic, with an interval
            over people.
        held_out_outside: The floor: the same share of held-out real clips.
        synthetic_forward: Share of synthetic clips nearer to real clips when played forward than backward, likewise.
        held_out_forward: The ceiling: the same share of held-out real clips; chance is one half.
        controls: Spoilt held-out real clips.
        left_out: Synthetic clips of a view and condition without training clips.
    """

    statistics: tuple[Beside, ...]
    synthetic_outside: Estimate
    held_out_outside: float
    synthetic_forward: Estimate
    held_out_forward: float
    controls: tuple[Control, ...]
    left_out: int


def motion_statistics(frames: Frames) -> MotionStatistics:
    """Statistics of one clip, uint8 [T, h, w] with T >= 3."""
    values = frames.astype(np.int16)
    overlap, union = np.minimum(values[1:], values[:-1]), np.maximum(values[1:], values[:-1])
    iou = overlap.sum(axis=(1, 2)) / np.maximum(union.sum(axis=(1, 2)), 1)
    before, now, after = values[:-2], values[1:-1], values[2:]
    middle = np.maximum(np.minimum(before, after), np.minimum(now, np.maximum(before, after)))
    flicker = np.abs(now - middle).sum() / max(1, int(now.sum()))
    return MotionStatistics(float(iou.mean()), float(flicker), cycle_of(frames).strength)


def frozen(frames: Frames, rng: np.random.Generator) -> Frames:
    """The middle frame throughout."""
    return np.repeat(frames[len(frames) // 2][None], len(frames), axis=0)


def shuffled(frames: Frames, rng: np.random.Generator) -> Frames:
    """The frames in random order."""
    return rng.permutation(frames)


def backward(frames: Frames, rng: np.random.Generator) -> Frames:
    """The frames in reverse order."""
    return frames[::-1]


CONTROLS: dict[str, Callable[[Frames, np.random.Generator], Frames]] = {
    "frozen": frozen,
    "shuffled": shuffled,
    "reversed": backward,
}


@dataclass(frozen=True)
class _Set:
    """Clips of one kind: their cells, whose they are, and their frames at the common length."""

    cells: list[tuple[str, str]]
    people: list[str]
    frames: list[Frames]

    def measured(self) -> Measured:
        """Their statistics."""
        rows = [motion_statistics(frames) for frames in self.frames]
        names = [field.name for field in fields(MotionStatistics)]
        values = np.array([[getattr(row, name) for name in names] for row in rows]).reshape(-1, len(names))
        return Measured(self.cells, self.people, values)


def motion(
    synthetic: Sequence[ClipFeatures],
    held_out: Sequence[ClipFeatures],
    training: Sequence[ClipFeatures],
    rng: np.random.Generator,
) -> Motion:
    """Compare motion with that of the training clips of the same view and condition.

    Args:
        synthetic: Synthetic clips.
        held_out: Real clips that were not trained on; cut to the synthetic length.
        training: Real clips that were; their statistics are of the same length too.
        rng: Shuffles the frames of one control, and draws the bootstrap's people.

    Raises:
        DataError: No synthetic clip is of a view and condition that the training clips have.
    """
    length = common_length(synthetic)
    ours, theirs, known = (_cut(clips, length) for clips in (synthetic, held_out, training))
    reference = known.measured()
    names = [field.name for field in fields(MotionStatistics)]
    controls = [
        _control(name, replace(theirs, frames=[spoil(frames, rng) for frames in theirs.frames]), reference, training)
        for name, spoil in CONTROLS.items()
    ]
    check = check_ranges(names, ours.measured(), theirs.measured(), reference, rng)
    return Motion(
        check.statistics,
        check.synthetic_outside,
        check.held_out_outside,
        bootstrap_mean(*_forward(ours, training), rng),
        mean_of(_forward(theirs, training)[0]),
        tuple(controls),
        check.left_out,
    )


def arrow(clips: Sequence[Frames], training: Sequence[Frames]) -> NDArray[np.float64]:
    """Whether each clip lies nearer to real clips played forward than played backward.

    Args:
        clips: uint8 [T, h, w] each.
        training: Real clips of the same view and condition.

    Returns:
        float64 [N]: 1 forward, 0 backward, 0.5 where both are equally near (frozen clips).
    """
    ahead = clip_distances(clips, training).min(axis=1)
    back = clip_distances([np.ascontiguousarray(frames[::-1]) for frames in clips], training).min(axis=1)
    return np.where(ahead == back, 0.5, (ahead < back).astype(np.float64))


def _cut(clips: Sequence[ClipFeatures], length: int) -> _Set:
    frames = [window(clip.frames, length) for clip in clips]
    return _Set([clip.cell for clip in clips], [clip.key.identity for clip in clips], frames)


def _forward(clips: _Set, training: Sequence[ClipFeatures]) -> tuple[NDArray[np.float64], NDArray[np.str_]]:
    """``arrow`` of the clips whose cell has training clips, and whose they are."""
    there = {cell: [clip.frames for clip in training if clip.cell == cell] for cell in set(clips.cells)}
    told, people = [np.zeros(0)], []
    for cell, real in sorted(there.items()):
        rows = [row for row, own in enumerate(clips.cells) if own == cell and real]
        if rows:
            told.append(arrow([clips.frames[row] for row in rows], real))
            people += [clips.people[row] for row in rows]
    return np.concatenate(told), np.array(people, dtype=str)


def _control(name: str, clips: _Set, reference: Measured, training: Sequence[ClipFeatures]) -> Control:
    measured = clips.measured()
    marks, _ = outside(measured, reference)
    values = measured.values
    medians = np.median(values, axis=0) if len(values) else np.full(values.shape[1], np.nan)
    told, _ = _forward(clips, training)
    return Control(name, MotionStatistics(*map(float, medians)), mean_of(np.any(marks, axis=1)), mean_of(told))
