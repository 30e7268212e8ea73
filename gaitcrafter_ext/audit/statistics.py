"""Is it a valid mask, does it move like gait: statistics of clips beside the range that real clips have.

Ranges are those of the training clips of the same view and condition; held-out real clips are the floor. Frozen,
shuffled and reversed copies of the held-out clips are measured beside them: a statistic of motion that does not tell
these controls from real clips tells nothing.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import astuple, dataclass, fields, replace
from typing import TYPE_CHECKING, Any

import cv2
import numpy as np
from numpy.typing import NDArray

from gaitcrafter_ext.audit.alignment import clip_distances
from gaitcrafter_ext.errors import DataError
from gaitcrafter_ext.metrics.intervals import Estimate, bootstrap_median, estimate_share
from gaitcrafter_ext.silhouettes.clip import window
from gaitcrafter_ext.silhouettes.cycle import cycle_of

if TYPE_CHECKING:
    from gaitcrafter_ext.audit.clips import ClipFeatures, Sides

__all__ = [
    "CONTROLS",
    "Beside",
    "Control",
    "MaskStatistics",
    "Motion",
    "MotionStatistics",
    "RangeCheck",
    "mask_statistics",
    "masks",
    "motion",
    "motion_statistics",
]

Frames = NDArray[np.uint8]
Table = NDArray[np.float64]

#: Grey levels from here on are silhouette; pieces of fewer pixels are specks of a soft edge.
THRESHOLD, SMALLEST_PIECE = 128, 4

#: The range that counts as real, per cent of the training clips of the same view and condition.
QUANTILES = (1.0, 99.0)


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
class MotionStatistics:
    """How one clip moves.

    Attributes:
        iou: Mean overlap of a frame with the next, sum of minima over sum of maxima of grey levels; 1 = frozen.
        flicker: Mean of what a median over three frames takes away, as a share of the silhouette: pixels that come or
            go for one frame only.
        periodicity: Share of the lower body's motion that a steady gait cycle explains; 0 = frozen or no cycle.
    """

    iou: float
    flicker: float
    periodicity: float


@dataclass(frozen=True)
class Beside:
    """One statistic: medians, and the shares outside the 1-99 % range of the training clips of their cell.

    2 % of endlessly many real clips would lie outside.
    """

    name: str
    synthetic: Estimate
    held_out: float
    training: float
    synthetic_outside: Estimate
    held_out_outside: float


@dataclass(frozen=True)
class RangeCheck:
    """Several statistics, and the share of clips outside in at least one; held-out real clips are the floor.

    ``left_out`` counts synthetic clips of a view and condition without training clips.
    """

    statistics: tuple[Beside, ...]
    synthetic_outside: Estimate
    held_out_outside: float
    left_out: int


@dataclass(frozen=True)
class Control:
    """Held-out real clips whose time was spoilt: medians, share outside the real range, share nearer played forward."""

    name: str
    statistics: MotionStatistics
    outside: float
    forward: float


@dataclass(frozen=True)
class Motion(RangeCheck):
    """Statistics of motion, and the share of clips nearer to real clips when played forward (chance is one half)."""

    synthetic_forward: Estimate
    held_out_forward: float
    controls: tuple[Control, ...]


CONTROLS: dict[str, Callable[[Frames, np.random.Generator], Frames]] = {
    "frozen": lambda frames, _: np.repeat(frames[len(frames) // 2][None], len(frames), axis=0),
    "shuffled": lambda frames, rng: rng.permutation(frames),
    "reversed": lambda frames, _: frames[::-1],
}


def mask_statistics(frames: Frames) -> MaskStatistics:
    """Statistics of one clip, uint8 [T, 64, 64], 0-255."""
    rows = np.array([_of_frame(frame) for frame in frames])
    soft = float(((frames > 0) & (frames < 255)).mean())
    area, (largest, pieces, top, bottom, centre, border, empty) = frames.mean() / 255.0, rows.mean(axis=0)
    return MaskStatistics(*map(float, (area, largest, pieces, top, bottom, centre, border, soft, empty)))


def motion_statistics(frames: Frames) -> MotionStatistics:
    """Statistics of one clip, uint8 [T, h, w] with T >= 3."""
    values = frames.astype(np.int16)
    overlap, union = np.minimum(values[1:], values[:-1]), np.maximum(values[1:], values[:-1])
    iou = overlap.sum(axis=(1, 2)) / np.maximum(union.sum(axis=(1, 2)), 1)
    before, now, after = values[:-2], values[1:-1], values[2:]
    middle = np.maximum(np.minimum(before, after), np.minimum(now, np.maximum(before, after)))
    flicker = np.abs(now - middle).sum() / max(1, int(now.sum()))
    return MotionStatistics(float(iou.mean()), float(flicker), cycle_of(frames).strength)


def masks(clips: Sides, rng: np.random.Generator) -> RangeCheck:
    """Compare masks with those of the training clips of the same view and condition; ``rng`` is the bootstrap's.

    Raises:
        DataError: No synthetic clip is of a view and condition that the training clips have.
    """
    ours, theirs, known = (_measured(side, [clip.masks for clip in side]) for side in clips)
    return _check_ranges([field.name for field in fields(MaskStatistics)], ours, theirs, known, rng)


def motion(clips: Sides, rng: np.random.Generator) -> Motion:
    """Compare motion at the synthetic length; ``rng`` shuffles frames too. Otherwise as :func:`masks`."""
    from gaitcrafter_ext.audit.clips import common_length

    length, training = common_length(clips[0]), clips[2]
    ours, theirs, known = ([replace(clip, frames=window(clip.frames, length)) for clip in side] for side in clips)
    reference = _moving(known)
    controls = [
        _control(name, [replace(clip, frames=spoil(clip.frames, rng)) for clip in theirs], reference, training)
        for name, spoil in CONTROLS.items()
    ]
    names = [field.name for field in fields(MotionStatistics)]
    check = _check_ranges(names, _moving(ours), _moving(theirs), reference, rng)
    marks, people = _forward(ours, training)
    return Motion(
        **vars(check),
        synthetic_forward=estimate_share(marks, people),
        held_out_forward=_mean(_forward(theirs, training)[0]),
        controls=tuple(controls),
    )


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


@dataclass(frozen=True)
class _Measured:
    """Statistics float64 [N, S] of clips, with the (view, condition) and the person of each."""

    cells: list[tuple[str, str]]
    people: NDArray[np.str_]
    values: Table

    def where(self, rows: Sequence[int]) -> _Measured:
        return _Measured([self.cells[row] for row in rows], self.people[list(rows)], self.values[list(rows)])


def _measured(clips: Sequence[ClipFeatures], rows: Sequence[MaskStatistics] | Sequence[MotionStatistics]) -> _Measured:
    people = np.array([clip.key.identity for clip in clips], dtype=str)
    values = np.array([astuple(row) for row in rows], dtype=np.float64)
    return _Measured([clip.cell for clip in clips], people, values)


def _moving(clips: Sequence[ClipFeatures]) -> _Measured:
    return _measured(clips, [motion_statistics(clip.frames) for clip in clips])


def _check_ranges(
    names: Sequence[str], synthetic: _Measured, held_out: _Measured, training: _Measured, rng: np.random.Generator
) -> RangeCheck:
    """Compare statistics, one column a name."""
    ours, theirs = (_known(clips, training) for clips in (synthetic, held_out))
    if not ours.cells:
        raise DataError("no synthetic clip is of a view and condition that the training clips have; check the roots")
    marks, real_marks = _outside(ours, training), _outside(theirs, training)
    statistics = tuple(
        Beside(
            name,
            bootstrap_median(ours.values[:, column], ours.people, rng),
            _median(theirs.values, column),
            _median(training.values, column),
            estimate_share(marks[:, column], ours.people),
            _mean(real_marks[:, column]),
        )
        for column, name in enumerate(names)
    )
    anywhere, floor = (np.any(each, axis=1) for each in (marks, real_marks))
    left_out = len(synthetic.cells) - len(ours.cells)
    return RangeCheck(statistics, estimate_share(anywhere, ours.people), _mean(floor), left_out)


def _known(clips: _Measured, training: _Measured) -> _Measured:
    """The clips whose cell has training clips."""
    there = set(training.cells)
    rows = [row for row, cell in enumerate(clips.cells) if cell in there]
    return clips.where(rows) if rows else _Measured([], np.zeros(0, dtype=str), training.values[:0])


def _outside(clips: _Measured, training: _Measured) -> NDArray[np.bool_]:
    """Which values lie outside the training range of their cell, bool [N, S]."""
    if not clips.cells:
        return np.zeros(clips.values.shape, dtype=bool)
    ranges = {cell: _range(training, cell) for cell in set(clips.cells)}
    low, high = (np.stack([ranges[cell][end] for cell in clips.cells]) for end in (0, 1))
    return np.asarray((clips.values < low) | (clips.values > high))


def _range(training: _Measured, cell: tuple[str, str]) -> tuple[Table, Table]:
    """1 % and 99 % quantile of each statistic in one cell; a hair wider, so that rounding puts nothing outside."""
    mine = training.values[[other == cell for other in training.cells]]
    low, high = np.percentile(mine, QUANTILES, axis=0)
    slack = 1e-6 + 1e-6 * np.abs(high)
    return low - slack, high + slack


def _forward(
    clips: Sequence[ClipFeatures], training: Sequence[ClipFeatures]
) -> tuple[NDArray[np.float64], NDArray[np.str_]]:
    """Whether each clip lies nearer to real clips of its cell played forward (1) than backward (0), and whose it is.

    0.5 where both are equally near (frozen clips); clips of other cells are left out.
    """
    marks, people = [np.zeros(0)], []
    for cell in sorted({clip.cell for clip in clips} & {clip.cell for clip in training}):
        mine = [clip for clip in clips if clip.cell == cell]
        real = [clip.frames for clip in training if clip.cell == cell]
        ahead, back = (
            clip_distances([np.ascontiguousarray(clip.frames[::step]) for clip in mine], real).min(axis=1)
            for step in (1, -1)
        )
        marks.append(np.where(ahead == back, 0.5, (ahead < back).astype(np.float64)))
        people += [clip.key.identity for clip in mine]
    return np.concatenate(marks), np.array(people, dtype=str)


def _control(
    name: str, clips: Sequence[ClipFeatures], reference: _Measured, training: Sequence[ClipFeatures]
) -> Control:
    measured = _known(_moving(clips), reference)
    medians = MotionStatistics(*(_median(measured.values, column) for column in range(reference.values.shape[1])))
    return Control(
        name, medians, _mean(np.any(_outside(measured, reference), axis=1)), _mean(_forward(clips, training)[0])
    )


def _median(values: Table, column: int) -> float:
    return float(np.median(values[:, column])) if len(values) else float("nan")


def _mean(values: NDArray[Any]) -> float:
    return float(values.mean()) if len(values) else float("nan")
