"""Does a synthetic set walk as its manifest says, and are its windows joined without a seam? How well phases are read.

Phases are read on simulated walkers, whose own are known. The error of a phase is taken after the mean difference of
its view, since which moment is called zero, and which foot left, is a convention; flipped = off by more than a quarter
of a cycle, the other foot taken for this one.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from gaitcrafter_ext.audit.clips import Progress
from gaitcrafter_ext.errors import DataError
from gaitcrafter_ext.generator.sampling import STRIDE, windows
from gaitcrafter_ext.metrics.intervals import Estimate, bootstrap_mean
from gaitcrafter_ext.silhouettes.cycle import GaitPhases, cycle_of, gait_phases
from gaitcrafter_ext.silhouettes.manifest import ManifestRecord
from gaitcrafter_ext.silhouettes.store import read_clip
from gaitcrafter_ext.simulation.cohort import identity_name, person, render_take, true_phase
from gaitcrafter_ext.synthesis.folder import OutputFolder
from gaitcrafter_ext.vocabulary import ClipKey, view_deg

Floats = NDArray[np.float64]


@dataclass(frozen=True)
class Control:
    """Asked-for cycles beside those that are read, and frame-to-frame overlap.

    ``views`` gives the mean error of the cycle, frames, and the number of clips of each view, ``worst`` the largest of
    a clip; ``seams`` is the mean IoU of successive frames where a window begins or ends, ``elsewhere`` that of others.
    """

    views: dict[str, tuple[float, int]]
    worst: float
    seams: Estimate
    elsewhere: Estimate


def control(folder: OutputFolder, rng: np.random.Generator, progress: Progress = lambda done, total: None) -> Control:
    """Read every clip of a run.

    Raises:
        DataError: The run asked for no cycles.
    """
    records = [record for record in folder.records() if record.cycle is not None]
    if not records:
        raise DataError(f"{folder.root}: no clip was asked for with a gait cycle; nothing to compare")
    errors: dict[str, list[float]] = {}
    at, off, who = list[float](), list[float](), list[list[str]]([[], []])
    for number, record in enumerate(records):
        progress(number, len(records))
        clip = read_clip(folder.path(record.key))
        errors.setdefault(record.view, []).append(abs(cycle_of(clip[:, ::2, ::2]).frames - (record.cycle or 0.0)))
        seam, rest = _overlaps(clip, record)
        at, off = at + seam, off + rest
        who[0] += [record.identity] * len(seam)
        who[1] += [record.identity] * len(rest)
    views = {view: (float(np.nanmean(found)), len(found)) for view, found in sorted(errors.items())}
    worst = float(np.nanmax(np.concatenate(list(errors.values()))))
    seams = bootstrap_mean(np.array(at), np.array(who[0], dtype=str), rng)
    return Control(views, worst, seams, bootstrap_mean(np.array(off), np.array(who[1], dtype=str), rng))


def _overlaps(clip: NDArray[np.uint8], record: ManifestRecord) -> tuple[list[float], list[float]]:
    """IoU of successive frames at the borders of windows, and elsewhere."""
    mask = clip > 127
    both = (mask[1:] & mask[:-1]).sum(axis=(1, 2))
    either = np.maximum((mask[1:] | mask[:-1]).sum(axis=(1, 2)), 1)
    overlap = (both / either).tolist()
    borders = _borders(record.frames)
    return [overlap[f - 1] for f in borders], [value for f, value in enumerate(overlap, 1) if f not in borders]


def _borders(frames: int) -> Sequence[int]:
    """Frames at which a window begins or the one before ends."""
    inner = set(windows(frames)) | {start + 2 * STRIDE for start in windows(frames)}
    return sorted(frame for frame in inner if 0 < frame < frames)


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
    progress: Progress = lambda done, total: None,
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
