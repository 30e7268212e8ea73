"""Is it a valid mask, does it move like gait, does each person keep their own cadence?

Statistics of masks and motion stand beside the range of the training clips of the same view and condition; held-out
real clips are the floor. Frozen, shuffled and reversed copies of these are measured too. Cadence is compared with the
person's held-out clips, beside two yardsticks: everyone given the training clips' median (a generator that does not
know people's cadence), and the person's own training takes (people vary from take to take).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import astuple, dataclass, fields, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from gaitcrafter_ext.audit.clips import Clips, Sides, length_of, some
from gaitcrafter_ext.audit.frames import (
    CONTROLS,
    MaskStatistics,
    MotionStatistics,
    clip_distances,
    motion_statistics,
)
from gaitcrafter_ext.errors import DataError
from gaitcrafter_ext.metrics.intervals import Estimate, bootstrap_mean, bootstrap_median, estimate_share
from gaitcrafter_ext.silhouettes.cycle import FPS, cycle_of, is_reliable_deg

Table = NDArray[np.float64]
Rng = np.random.Generator

#: The range that counts as real, per cent of the training clips of the same view and condition.
QUANTILES = (1.0, 99.0)

#: Every clip that is played forward and backward is held against each real one, so at most so many are judged, and at
#: most so many real ones of a cell are looked at.
JUDGED, REFERENCE = 500, 50


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


@dataclass(frozen=True)
class _Measured:
    """Statistics float64 [N, S] of clips, with the (view, condition) and the person of each."""

    cells: list[tuple[str, str]]
    people: NDArray[np.str_]
    values: Table

    @classmethod
    def of(cls, clips: Clips, rows: Sequence[MaskStatistics] | Sequence[MotionStatistics]) -> _Measured:
        values = np.array([astuple(row) for row in rows], dtype=np.float64)
        return cls([clip.cell for clip in clips], _people(clips), values)

    def known(self, training: _Measured) -> _Measured:
        """The clips whose cell has training clips."""
        there = set(training.cells)
        rows = [row for row, cell in enumerate(self.cells) if cell in there]
        values = self.values[rows] if rows else training.values[:0]
        return _Measured([self.cells[row] for row in rows], self.people[rows], values)

    def outside(self, training: _Measured) -> NDArray[np.bool_]:
        """Which values lie outside the training range of their cell, bool [N, S]; a hair of rounding does not count."""
        marks = np.zeros(self.values.shape, dtype=bool)
        ours, theirs = (np.array(["/".join(cell) for cell in each.cells], dtype=str) for each in (self, training))
        for cell in np.unique(ours):
            low, high = np.percentile(training.values[theirs == cell], QUANTILES, axis=0)
            slack, mine = 1e-6 + 1e-6 * np.abs(high), self.values[ours == cell]
            marks[ours == cell] = (mine < low - slack) | (mine > high + slack)
        return marks

    def medians(self) -> list[float]:
        return [float(np.median(column)) if len(column) else float("nan") for column in self.values.T]


def masks(clips: Sides, rng: Rng) -> RangeCheck:
    """Compare masks with those of the training clips of the same view and condition; ``rng`` is the bootstrap's.

    Raises:
        DataError: No synthetic clip is of a view and condition that the training clips have.
    """
    ours, theirs, known = (_Measured.of(side, [clip.masks for clip in side]) for side in clips)
    return _check_ranges(MaskStatistics, ours, theirs, known, rng)


def motion(clips: Sides, rng: Rng) -> Motion:
    """Compare motion at the synthetic length; ``rng`` shuffles frames and draws clips too. Otherwise as :func:`masks`.

    At most :data:`JUDGED` clips of a kind are played forward and backward.
    """
    length, training = length_of(clips[0]), clips[2]
    ours, theirs, known = ([clip.shown(length) for clip in side] for side in clips)
    reference, few = _moving(known), some(theirs, JUDGED, rng)
    controls = []
    for name, spoil in CONTROLS.items():
        spoilt = [replace(clip, frames=spoil(clip.frames, rng)) for clip in few]
        moving = _moving(spoilt).known(reference)
        outside = _mean(_anywhere(moving.outside(reference)))
        controls.append(
            Control(name, MotionStatistics(*moving.medians()), outside, _mean(_forward(spoilt, training, rng)[0]))
        )
    check = _check_ranges(MotionStatistics, _moving(ours), _moving(theirs), reference, rng)
    return Motion(
        **vars(check),
        synthetic_forward=estimate_share(*_forward(some(ours, JUDGED, rng), training, rng)),
        held_out_forward=_mean(_forward(few, training, rng)[0]),
        controls=tuple(controls),
    )


def _moving(clips: Clips) -> _Measured:
    return _Measured.of(clips, [motion_statistics(clip.frames) for clip in clips])


def _check_ranges(
    kind: type[MaskStatistics] | type[MotionStatistics],
    synthetic: _Measured,
    held_out: _Measured,
    training: _Measured,
    rng: Rng,
) -> RangeCheck:
    ours, theirs = (clips.known(training) for clips in (synthetic, held_out))
    if not ours.cells:
        raise DataError("no synthetic clip is of a view and condition that the training clips have; check the roots")
    marks, real_marks = ours.outside(training), theirs.outside(training)
    statistics = tuple(
        Beside(
            field.name,
            bootstrap_median(ours.values[:, column], ours.people, rng),
            theirs.medians()[column],
            training.medians()[column],
            estimate_share(marks[:, column], ours.people),
            _mean(real_marks[:, column]),
        )
        for column, field in enumerate(fields(kind))
    )
    anywhere = estimate_share(_anywhere(marks), ours.people)
    return RangeCheck(statistics, anywhere, _mean(_anywhere(real_marks)), len(synthetic.cells) - len(ours.cells))


def _forward(clips: Clips, training: Clips, rng: Rng) -> tuple[Table, NDArray[np.str_]]:
    """Whether each clip lies nearer to real clips of its cell played forward (1) than backward (0), and whose it is.

    0.5 where both are equally near (frozen clips); clips of other cells are left out.
    """
    marks, judged = [np.zeros(0)], list[Any]()
    for cell in sorted({clip.cell for clip in clips} & {clip.cell for clip in training}):
        mine = [clip for clip in clips if clip.cell == cell]
        real = [clip.frames for clip in some([clip for clip in training if clip.cell == cell], REFERENCE, rng)]
        ahead, back = (
            clip_distances([np.ascontiguousarray(clip.frames[::step]) for clip in mine], real).min(axis=1)
            for step in (1, -1)
        )
        marks.append(np.where(ahead == back, 0.5, (ahead < back).astype(np.float64)))
        judged += mine
    return np.concatenate(marks), _people(judged)


def _people(clips: Clips) -> NDArray[np.str_]:
    return np.array([clip.key.identity for clip in clips], dtype=str)


def _anywhere(marks: NDArray[np.bool_]) -> NDArray[np.bool_]:
    return np.asarray(np.any(marks, axis=1))


def _mean(values: NDArray[Any]) -> float:
    return float(values.mean()) if len(values) else float("nan")


#: A person in one condition.
Who = tuple[str, str]


@dataclass(frozen=True)
class PersonCadence:
    """Gait cycles of one person in one condition, median over clips, frames; NaN where no clip tells."""

    identity: str
    condition: str
    synthetic: float
    held_out: float
    training: float


@dataclass(frozen=True)
class Cadence:
    """Mean absolute error of the gait cycle, frames, with 95 % intervals over people.

    ``median`` gives everyone the median cycle of the training clips of the condition, ``floor`` is that of the person's
    training clips cut to the synthetic length; ``difference`` is ``synthetic`` - ``median``, paired: below 0 where the
    generator knows something of who walks how. ``left_out`` counts synthetic clips of frontal views, without a cycle,
    or of people without a held-out clip.
    """

    fps: int
    synthetic: Estimate
    median: Estimate
    floor: Estimate
    difference: Estimate
    people: tuple[PersonCadence, ...]
    left_out: int


def cadence(clips: Sides, rng: Rng) -> Cadence:
    """Compare gait cycles; held-out clips are taken whole, ``rng`` draws the bootstrap's people.

    Raises:
        DataError: Fewer than two people have both synthetic and held-out clips of a condition and a view that tells.
    """
    synthetic, held_out, training = clips
    length = length_of(synthetic)
    truth, ours = _cycles(held_out), _cycles(synthetic)
    known, typical = _cycles([clip.shown(length) for clip in training]), _typical(_cycles(training))
    shared = {who: cycles for who, cycles in ours.items() if who in truth and who[1] in typical}
    if (people := len({identity for identity, _ in shared})) < 2:
        raise DataError(
            f"cadence: {people} people have both synthetic and held-out real clips of a condition and of a view that is"
            " not frontal; at least 2 are needed"
        )
    target = {who: float(np.median(truth[who])) for who in shared}
    errors = [(who[0], abs(cycle - target[who])) for who, cycles in shared.items() for cycle in cycles]
    plain = [(who[0], abs(typical[who[1]] - target[who])) for who, cycles in shared.items() for _ in cycles]
    floor = [(who[0], abs(cycle - target[who])) for who in shared for cycle in known.get(who, [])]
    gained = [(name, error - base) for (name, error), (_, base) in zip(errors, plain, strict=True)]
    middles = (
        PersonCadence(*who, float(np.median(shared[who])), target[who], float(np.median(known.get(who, [np.nan]))))
        for who in sorted(shared)
    )
    error, by_median, least, gain = (_estimate(each, rng) for each in (errors, plain, floor, gained))
    return Cadence(FPS, error, by_median, least, gain, tuple(middles), len(synthetic) - len(errors))


def _cycles(clips: Clips) -> dict[Who, list[float]]:
    """Cycles of each person in each condition, of views that tell."""
    found: dict[Who, list[float]] = {}
    for clip in clips:
        if is_reliable_deg(clip.view_deg) and np.isfinite(cycle := cycle_of(clip.frames).frames):
            found.setdefault((clip.key.identity, clip.condition), []).append(cycle)
    return found


def _typical(cycles: dict[Who, list[float]]) -> dict[str, float]:
    """Median cycle of each condition: of each person first, then over people."""
    medians: dict[str, list[float]] = {}
    for (_, condition), values in cycles.items():
        medians.setdefault(condition, []).append(float(np.median(values)))
    return {condition: float(np.median(values)) for condition, values in medians.items()}


def _estimate(errors: Sequence[tuple[str, float]], rng: Rng) -> Estimate:
    names = np.array([name for name, _ in errors], dtype=str)
    return bootstrap_mean(np.array([error for _, error in errors], dtype=np.float64), names, rng)
