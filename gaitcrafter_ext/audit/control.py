"""Does a synthetic set walk as its manifest says, and are its windows joined without a seam?"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from gaitcrafter_ext.errors import DataError
from gaitcrafter_ext.generator.shape import STRIDE, windows
from gaitcrafter_ext.metrics.intervals import Estimate, bootstrap_mean
from gaitcrafter_ext.silhouettes.cycle import cycle_of
from gaitcrafter_ext.silhouettes.manifest import ManifestRecord
from gaitcrafter_ext.silhouettes.store import read_clip
from gaitcrafter_ext.synthesis.folder import OutputFolder

__all__ = ["Control", "control"]

Floats = NDArray[np.float64]


@dataclass(frozen=True)
class Control:
    """Asked-for cycles beside those that are read, and frame-to-frame overlap.

    Attributes:
        views: View -> mean error of the cycle, frames, and the number of clips.
        worst: Largest error of a clip, frames.
        seams: Mean IoU of successive frames where a window begins or ends.
        elsewhere: The same of all other frames.
    """

    views: dict[str, tuple[float, int]]
    worst: float
    seams: Estimate
    elsewhere: Estimate


def control(
    folder: OutputFolder, rng: np.random.Generator, progress: Callable[[int, int], None] = lambda done, total: None
) -> Control:
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
