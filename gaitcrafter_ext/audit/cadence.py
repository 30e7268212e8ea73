"""Does each person keep their own cadence? Synthetic clips against the person's held-out real clips.

Two yardsticks stand beside the error: that of giving everyone the training clips' median (a generator that does not
know people's cadence), and that of the person's own training takes (the floor: people vary from take to take).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from gaitcrafter_ext.audit.clips import ClipFeatures, Sides, common_length
from gaitcrafter_ext.errors import DataError
from gaitcrafter_ext.metrics.intervals import Estimate, bootstrap_mean
from gaitcrafter_ext.silhouettes.clip import window
from gaitcrafter_ext.silhouettes.cycle import FPS, cycle_of, is_reliable_deg

__all__ = ["Cadence", "PersonCadence", "cadence"]

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

    Attributes:
        fps: Frames a second that the clips are taken to have.
        synthetic: Synthetic clips against the person's held-out clips of the condition.
        median: Everyone given the median cycle of the training clips of the condition, on the same clips.
        floor: The person's training clips, cut to the synthetic length, against the same held-out clips.
        difference: ``synthetic`` - ``median``, paired; below 0 where the generator knows something of who walks how.
        people: One entry a person and condition.
        left_out: Synthetic clips of frontal views, without a cycle, or of people without a held-out clip.
    """

    fps: int
    synthetic: Estimate
    median: Estimate
    floor: Estimate
    difference: Estimate
    people: tuple[PersonCadence, ...]
    left_out: int


def cadence(clips: Sides, rng: np.random.Generator) -> Cadence:
    """Compare gait cycles; held-out clips are taken whole, ``rng`` draws the bootstrap's people.

    Raises:
        DataError: Fewer than two people have both synthetic and held-out clips of a condition and a view that tells.
    """
    synthetic, held_out, training = clips
    length = common_length(synthetic)
    truth, ours = _cycles(held_out), _cycles(synthetic)
    known, typical = _cycles(training, length), _typical(_cycles(training))
    shared = {who: cycles for who, cycles in ours.items() if who in truth and who[1] in typical}
    if (people := len({identity for identity, _ in shared})) < 2:
        raise DataError(
            f"cadence: {people} people have both synthetic and held-out real clips of a condition and of a view that is"
            " not frontal; at least 2 are needed"
        )
    target = {who: float(np.median(cycles)) for who, cycles in truth.items()}
    errors = [(who[0], abs(cycle - target[who])) for who, cycles in shared.items() for cycle in cycles]
    plain = [(who[0], abs(typical[who[1]] - target[who])) for who, cycles in shared.items() for _ in cycles]
    floor = [(who[0], abs(cycle - target[who])) for who in shared for cycle in known.get(who, [])]
    gained = [(name, error - base) for (name, error), (_, base) in zip(errors, plain, strict=True)]
    return Cadence(
        FPS,
        _estimate(errors, rng),
        _estimate(plain, rng),
        _estimate(floor, rng),
        _estimate(gained, rng),
        tuple(_person(who, shared[who], target[who], known.get(who, [])) for who in sorted(shared)),
        len(synthetic) - len(errors),
    )


def _cycles(clips: Sequence[ClipFeatures], length: int | None = None) -> dict[Who, list[float]]:
    """Cycles of each person in each condition, of views that tell; clips cut to ``length`` where given."""
    found: dict[Who, list[float]] = {}
    for clip in clips:
        if is_reliable_deg(clip.view_deg):
            cycle = cycle_of(clip.frames if length is None else window(clip.frames, length)).frames
            if np.isfinite(cycle):
                found.setdefault((clip.key.identity, clip.condition), []).append(cycle)
    return found


def _typical(cycles: dict[Who, list[float]]) -> dict[str, float]:
    """Median cycle of each condition: of each person first, then over people."""
    conditions = sorted({condition for _, condition in cycles})
    return {
        name: float(np.median([np.median(values) for (_, condition), values in cycles.items() if condition == name]))
        for name in conditions
    }


def _estimate(errors: Sequence[tuple[str, float]], rng: np.random.Generator) -> Estimate:
    names = np.array([name for name, _ in errors], dtype=str)
    return bootstrap_mean(np.array([error for _, error in errors], dtype=np.float64), names, rng)


def _person(who: Who, synthetic: list[float], held_out: float, training: list[float]) -> PersonCadence:
    return PersonCadence(*who, float(np.median(synthetic)), held_out, float(np.median(training or [np.nan])))
