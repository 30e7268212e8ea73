"""Is it a valid mask, does it move like gait, does each person keep their own cadence?

Statistics of masks and motion stand beside the range of the training clips of the same view and condition; held-out
real clips are the floor. Frozen, shuffled and reversed copies of these are measured too. Cadence is compared with the
person's held-out clips, beside two yardsticks: everyone given the training clips' median (a generator that does not
know people's cadence), and the person's own training takes (people vary from take to take).
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from gaitcrafter_ext.audit.card import FRAMES, Row, row
from gaitcrafter_ext.audit.clips import (
    ClipFeatures,
    Clips,
    Frames,
    MaskStatistics,
    MotionStatistics,
    Sides,
    length_of,
    motion_statistics,
    of_known_cells,
    some,
)
from gaitcrafter_ext.audit.copies import clip_distances
from gaitcrafter_ext.errors import DataError
from gaitcrafter_ext.metrics.intervals import Estimate, bootstrap_mean, bootstrap_median, estimate_share
from gaitcrafter_ext.silhouettes.cycle import cycle_of, is_reliable_deg

Rng = np.random.Generator

#: The range that counts as real, per cent of the training clips of the same view and condition.
QUANTILES = (1.0, 99.0)

#: Every clip that is played forward and backward is held against each real one, so at most so many are judged, and at
#: most so many real ones of a cell are looked at.
JUDGED, REFERENCE = 500, 50

#: How time is spoilt: a statistic of motion that does not tell these from real clips tells nothing.
CONTROLS: dict[str, Callable[[Frames, Rng], Frames]] = {
    "frozen": lambda frames, _: np.repeat(frames[len(frames) // 2][None], len(frames), axis=0),
    "shuffled": lambda frames, rng: rng.permutation(frames),
    "reversed": lambda frames, _: frames[::-1],
}


def masks(clips: Sides, rng: Rng) -> list[Row]:
    """Compare masks with those of the training clips of the same view and condition; ``rng`` is the bootstrap's."""
    sides = [_Side(side, np.array([clip.masks for clip in side])) for side in of_known_cells(clips)]
    note = "outside the real 1-99 % range in at least one of the following"
    return _ranges("masks", "mask_outside", MaskStatistics._fields, rng, *sides, note=note)


def motion(clips: Sides, rng: Rng) -> list[Row]:
    """Compare motion at the synthetic length, as :func:`masks`; ``rng`` shuffles frames and draws clips too."""
    length, training = length_of(clips[0]), clips[2]
    ours, theirs, known = ([clip.shown(length) for clip in side] for side in of_known_cells(clips))
    reference, few = _moving(known), some(theirs, JUDGED, rng)
    outside, forward = dict[str, float](), dict[str, float]()
    for name, spoil in CONTROLS.items():
        spoilt = [replace(clip, frames=spoil(clip.frames, rng)) for clip in few]
        outside[name] = float(_moving(spoilt).outside(reference).any(axis=1).mean())
        forward[name] = float(_forward(spoilt, training, rng)[0].mean())
    wide, wrong = (
        ", ".join(f"{name} {100 * share:.0f} %" for name, share in shares.items()) for shares in (outside, forward)
    )
    worst, *medians = _ranges(
        "motion", "motion_outside", MotionStatistics._fields, rng, _moving(ours), _moving(theirs), reference,
        chance=outside["shuffled"],
        note=f"overlap, flicker or periodicity outside the real 1-99 % range; controls: {wide}",
    )  # fmt: skip
    ahead = estimate_share(*_forward(some(ours, JUDGED, rng), training, rng))
    note = f"{ahead.count} clips, nearer to real ones played forward than backward; controls: {wrong}"
    real = float(_forward(few, training, rng)[0].mean())
    return [worst, row("motion", "forward", FRAMES, ahead, ceiling=real, chance=0.5, note=note), *medians]


class _Side:
    """Statistics float64 [N, S] of clips, with the cell and the person of each."""

    def __init__(self, clips: Clips, values: NDArray[np.float64]) -> None:
        self.cells, self.people = np.array(["/".join(clip.cell) for clip in clips], dtype=str), _people(clips)
        self.values = values

    def outside(self, training: _Side) -> NDArray[np.bool_]:
        """Which values lie outside the training range of their cell, bool [N, S]; a hair of rounding does not count."""
        marks = np.zeros(self.values.shape, dtype=bool)
        for cell in np.unique(self.cells):
            low, high = np.percentile(training.values[training.cells == cell], QUANTILES, axis=0)
            slack, mine = 1e-6 + 1e-6 * np.abs(high), self.values[self.cells == cell]
            marks[self.cells == cell] = (mine < low - slack) | (mine > high + slack)
        return marks


def _moving(clips: Clips) -> _Side:
    return _Side(clips, np.array([motion_statistics(clip.frames) for clip in clips]))


def _ranges(
    question: str, worst: str, names: Sequence[str], rng: Rng, made: _Side, held_out: _Side, known: _Side, **others: Any
) -> list[Row]:
    """The share of clips outside the 1-99 % range of training clips of their cell in a statistic; medians of each.

    Held-out real clips are the floor: of endlessly many, 2 % would lie outside in each statistic.
    """
    marks, real = made.outside(known), held_out.outside(known)
    ours, theirs = (np.asarray(side.any(axis=1)) for side in (marks, real))
    rows = [row(question, worst, FRAMES, estimate_share(ours, made.people), floor=float(theirs.mean()), **others)]
    for column, name in enumerate(names):
        share, floor = (100 * side[:, column].mean() for side in (marks, real))
        note = f"median; {share:.0f} % outside the real range, real {floor:.0f} %"
        median = bootstrap_median(made.values[:, column], made.people, rng)
        beside = float(np.median(held_out.values[:, column]))
        rows.append(row(question, name, FRAMES, median, "number", floor=beside, note=note))
    return rows


def _forward(clips: Clips, training: Clips, rng: Rng) -> tuple[NDArray[np.float64], NDArray[np.str_]]:
    """Whether each clip is nearer to real ones of its cell forward (1) than backward (0; 0.5: neither); whose it is."""
    marks, judged = list[NDArray[np.float64]](), list[ClipFeatures]()
    for cell in sorted({clip.cell for clip in clips}):
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


def cadence(clips: Sides, rng: Rng) -> list[Row]:
    """Mean absolute error of the gait cycle beside that of the training takes, cut as short, and that of the median.

    The difference to the latter is paired: below 0 where the generator knows something of who walks how. Clips of
    frontal views, without a cycle, or of people without a held-out clip (taken whole) are left out.
    """
    synthetic, held_out, training = clips
    length = length_of(synthetic)
    truth, ours, known = map(_cycles, (held_out, synthetic, [clip.shown(length) for clip in training]))
    medians = {who: np.median(cycles) for who, cycles in _cycles(training).items()}
    typical = {
        condition: float(np.median([median for who, median in medians.items() if who[1] == condition]))
        for condition in {condition for _, condition in medians}
    }
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
    error, median, least, gain = (_estimate(each, rng) for each in (errors, plain, floor, gained))
    note = (
        f"mean error of the gait cycle of {people} people; floor: the person's"
        f" training takes; chance: everyone given the median; difference to that {gain.value:.2f} [{gain.low:.2f},"
        f" {gain.high:.2f}]; {len(synthetic) - len(errors)} clips left out"
    )
    return [row("motion", "cadence_error", FRAMES, error, "frames", floor=least.value, chance=median.value, note=note)]


def _cycles(clips: Clips) -> dict[tuple[str, str], list[float]]:
    """Cycles of each person in each condition, of views that tell."""
    found = defaultdict[tuple[str, str], list[float]](list)
    for clip in clips:
        if is_reliable_deg(clip.view_deg) and np.isfinite(cycle := cycle_of(clip.frames, clip.view_deg).frames):
            found[clip.key.identity, clip.condition].append(cycle)
    return found


def _estimate(errors: Sequence[tuple[str, float]], rng: Rng) -> Estimate:
    names, values = zip(*errors, strict=True) if errors else ((), ())
    return bootstrap_mean(np.array(values, dtype=np.float64), np.array(names, dtype=str), rng)
