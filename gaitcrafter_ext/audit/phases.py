"""How well phases are read: simulated walkers of known phase as the check.

The error of a phase is taken after the mean difference of its view, since which moment is called zero, and which foot
left, is a convention; flipped = off by more than a quarter of a cycle, the other foot taken for this one.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from gaitcrafter_ext.silhouettes.phase import GaitPhases, gait_phases
from gaitcrafter_ext.simulation.cohort import identity_name, person, render_take, true_phase
from gaitcrafter_ext.vocabulary import ClipKey, view_deg

__all__ = ["PhaseErrors", "phase_errors"]

Floats = NDArray[np.float64]


@dataclass(frozen=True)
class PhaseErrors:
    """Errors of one view: cycle, frames (mean); phase, degrees (median), alone and with a shared clock."""

    view: str
    cycle: float
    alone: float
    alone_flipped: float
    shared: float
    shared_flipped: float


def phase_errors(
    people: int,
    takes: Sequence[str],
    views: Sequence[str],
    frames: int,
    seed: int,
    progress: Callable[[int, int], None] = lambda done, total: None,
) -> list[PhaseErrors]:
    """Render walkers and read their phases, each view's clips alone and all views of a take together."""
    keys, clips, phase, cycle = list[ClipKey](), list[NDArray[np.uint8]](), list[Floats](), list[float]()
    for number in range(1, people + 1):
        progress(number - 1, people)
        for name in takes:
            truth, length = true_phase(seed, number, name, frames)
            seen = render_take(seed, person(seed, number), name, views, frames)
            keys += [ClipKey(identity_name(number, seed), name, angle) for angle in views]
            clips += [seen[angle] for angle in views]
            phase += [2 * np.pi * truth] * len(views)
            cycle += [length] * len(views)
    walks = {walk: index for index, walk in enumerate(dict.fromkeys((key.identity, key.take) for key in keys))}
    take = np.array([walks[key.identity, key.take] for key in keys])
    view = np.array([views.index(key.view) for key in keys])
    degrees = np.array([view_deg(key.view) for key in keys], dtype=np.float32)
    alone, shared = (gait_phases(clips, take, view, degrees, clock) for clock in (False, True))
    return [_row(name, np.flatnonzero(view == n), alone, shared, phase, cycle) for n, name in enumerate(views)]


def _row(
    view: str,
    mine: NDArray[np.intp],
    alone: GaitPhases,
    shared: GaitPhases,
    phase: Sequence[Floats],
    cycle: Sequence[float],
) -> PhaseErrors:
    lengths = np.abs(shared.cycle[mine] - np.array(cycle)[mine])
    return PhaseErrors(view, float(np.nanmean(lengths)), *_errors(alone, mine, phase), *_errors(shared, mine, phase))


def _errors(found: GaitPhases, mine: NDArray[np.intp], phase: Sequence[Floats]) -> tuple[float, float]:
    """Median error, degrees, and share of clips that are off by more than a quarter of a cycle."""
    turns = []
    for index in mine:
        read = 2 * np.pi * np.arange(len(phase[index])) / found.cycle[index] + found.start[index]
        turns.append(np.exp(1j * (read - phase[index])).mean())
    offset = np.angle(np.mean(turns))
    error = np.abs(np.angle(np.array(turns) * np.exp(-1j * offset)))
    return float(np.degrees(np.median(error))), float((error > np.pi / 2).mean())
