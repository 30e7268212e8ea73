"""Does a synthetic set walk as its manifest says, and are its windows joined without a seam? How well phases are read.

Phases are read on simulated walkers, whose own are known. The error of a phase is taken after the mean difference of
its view, since which moment is called zero, and which foot left, is a convention; flipped = off by more than a quarter
of a cycle, the other foot taken for this one.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from gaitcrafter_ext.audit.clips import Progress
from gaitcrafter_ext.errors import DataError
from gaitcrafter_ext.generator.sampling import STRIDE, windows
from gaitcrafter_ext.metrics.intervals import Estimate, bootstrap_mean
from gaitcrafter_ext.silhouettes.cycle import GaitPhases, cycle_of, gait_phases
from gaitcrafter_ext.silhouettes.store import read_clip
from gaitcrafter_ext.simulation.cohort import person, render_take, true_phase
from gaitcrafter_ext.synthesis.folder import OutputFolder
from gaitcrafter_ext.vocabulary import view_deg

Floats = NDArray[np.float64]


@dataclass(frozen=True)
class Control:
    """Mean error of the cycle, frames, and number of clips of each view, and the ``worst`` error of a clip.

    ``seams`` is the mean IoU of successive frames where a window begins or ends, ``elsewhere`` that of others.
    """

    views: dict[str, tuple[float, int]]
    worst: float
    seams: Estimate
    elsewhere: Estimate


def control(folder: OutputFolder, rng: np.random.Generator, progress: Progress = lambda done, total: None) -> Control:
    """Read every clip of a run."""
    every = {record.key: record for record in folder.records()}  # a finished run's are in its parts, too
    records = [record for record in every.values() if record.cycle is not None]
    if not records:
        raise DataError(f"{folder.root}: no clip was asked for with a gait cycle; nothing to compare")
    angles = {} if (plan := folder.plan()) is None else plan.views
    errors, overlaps = defaultdict[str, list[float]](list), list[tuple[Floats, NDArray[np.bool_]]]()
    for number, record in enumerate(records):
        progress(number, len(records))
        clip = read_clip(folder.path(record.key))
        cycle = cycle_of(clip[:, ::2, ::2], angles.get(record.view)).frames
        errors[record.view].append(abs(cycle - (record.cycle or 0.0)))
        starts = windows(record.frames)  # where a window begins, or the one before ends
        borders = {*starts, *(start + 2 * STRIDE for start in starts)}
        mask = clip > 127
        union = np.maximum((mask[1:] | mask[:-1]).sum(axis=(1, 2)), 1)
        iou = (mask[1:] & mask[:-1]).sum(axis=(1, 2)) / union
        overlaps.append((iou, np.isin(np.arange(1, record.frames), list(borders))))
    values, at = (np.concatenate(parts) for parts in zip(*overlaps, strict=True))
    people = np.repeat([record.identity for record in records], [len(values) for values, _ in overlaps])
    return Control(
        {view: (float(np.nanmean(found)), len(found)) for view, found in sorted(errors.items())},
        float(np.nanmax(np.concatenate(list(errors.values())))),
        *(bootstrap_mean(values[side], people[side], rng) for side in (at, ~at)),
    )


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
    people: int, takes: Sequence[str], views: Sequence[str], frames: int, seed: int, progress: Progress
) -> list[PhaseErrors]:
    """Render walkers and read their phases, each view's clips alone and all views of a take together."""
    clips, take, phase, cycle = list[NDArray[np.uint8]](), list[int](), list[Floats](), list[float]()
    for number in range(1, people + 1):
        progress(number - 1, people)
        for name in takes:
            truth, length = true_phase(seed, number, name, frames)
            seen = render_take(seed, person(seed, number), name, views, frames)
            clips += [seen[angle] for angle in views]
            take += [len(phase) // len(views)] * len(views)
            phase += [2 * np.pi * truth] * len(views)
            cycle += [length] * len(views)
    view = np.tile(np.arange(len(views)), len(clips) // len(views))
    degrees = np.array([view_deg(name) for name in views], dtype=np.float32)[view]
    alone, shared = (gait_phases(clips, np.array(take), view, degrees, clock) for clock in (False, True))
    found = []
    for number, name in enumerate(views):
        mine = np.flatnonzero(view == number)
        lengths = np.abs(shared.cycle[mine] - np.array(cycle)[mine])
        errors = (error for each in (alone, shared) for error in _errors(each, mine, phase))
        found.append(PhaseErrors(name, float(np.nanmean(lengths)), *errors))
    return found


def _errors(found: GaitPhases, mine: NDArray[np.intp], phase: Sequence[Floats]) -> tuple[float, float]:
    """Median error, degrees, and share of clips that are off by more than a quarter of a cycle."""
    turns = []
    for index in mine:
        read = 2 * np.pi * np.arange(len(phase[index])) / found.cycle[index] + found.start[index]
        turns.append(np.exp(1j * (read - phase[index])).mean())
    offset = np.angle(np.mean(turns))
    error = np.abs(np.angle(np.array(turns) * np.exp(-1j * offset)))
    return float(np.degrees(np.median(error))), float((error > np.pi / 2).mean())
