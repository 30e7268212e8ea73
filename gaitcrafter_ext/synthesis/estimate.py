"""What a run would cost, before it is started; writes nothing."""

from __future__ import annotations

import math
import shutil
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from gaitcrafter_ext.silhouettes.clip import HEIGHT, WIDTH
from gaitcrafter_ext.synthesis.folder import OutputFolder, Shard
from gaitcrafter_ext.synthesis.plan import ClipSampler, Plan
from gaitcrafter_ext.synthesis.run import missing

__all__ = ["Estimate", "estimate"]

# A clip's file has this much beside its pixels, and a file system gives out whole blocks; its folder takes one more.
_HEADER, _BLOCK = 200, 4096


@dataclass(frozen=True)
class Estimate:
    """The cost of what is still to be made.

    Attributes:
        planned: Clips of the whole plan.
        to_make: Clips of the shard that are not there yet.
        disk_bytes: Disk that they will take.
        free_bytes: Disk that is free.
        seconds: Time that they will take on this machine, judged by one chunk; 0 where there is
            nothing to make.
    """

    planned: int
    to_make: int
    disk_bytes: int
    free_bytes: int
    seconds: float


def estimate(plan: Plan, folder: OutputFolder, load: Callable[[], ClipSampler], shard: Shard, chunk: int) -> Estimate:
    """Count clips and bytes, and time one chunk of the shard's clips; raises as the sampler does."""
    todo = missing(plan, folder, shard)
    size = plan.sampling.size // HEIGHT
    pixels = plan.sampling.frames * HEIGHT * WIDTH * size**2
    clip_bytes = (math.ceil((pixels + _HEADER) / _BLOCK) + 1) * _BLOCK
    seconds = 0.0
    if todo:
        sample = load()
        started = time.perf_counter()
        sample(todo[:chunk])
        seconds = (time.perf_counter() - started) * math.ceil(len(todo) / chunk)
    free = shutil.disk_usage(_nearest_folder(folder.root)).free
    return Estimate(len(plan.clips), len(todo), len(todo) * clip_bytes, free, seconds)


def _nearest_folder(path: Path) -> Path:
    """The folder itself, or the first above it that is there."""
    path = path.resolve()
    return next(folder for folder in (path, *path.parents) if folder.is_dir())
