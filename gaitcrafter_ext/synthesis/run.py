"""Making what a plan asks for: resumable, in shards that may share a folder; and what it would cost."""

from __future__ import annotations

import math
import shutil
import time
from collections.abc import Callable, Sequence
from concurrent.futures import Executor, Future, ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from gaitcrafter_ext.generator.shape import TILE
from gaitcrafter_ext.silhouettes import manifest
from gaitcrafter_ext.silhouettes.clip import HEIGHT, WIDTH
from gaitcrafter_ext.silhouettes.manifest import ManifestRecord, pixels_sha256
from gaitcrafter_ext.silhouettes.store import write_clip
from gaitcrafter_ext.synthesis.folder import OutputFolder, Shard
from gaitcrafter_ext.synthesis.output import outputs_there, write_outputs
from gaitcrafter_ext.synthesis.plan import ClipRequest, ClipSampler, Plan

#: Threads that write clips, which mostly wait until the disk has them.
DISK_THREADS = 8

# A clip's file has this much beside its pixels, and a file system gives out whole blocks; its folder takes one more.
_HEADER, _BLOCK = 200, 4096


@dataclass(frozen=True)
class Outcome:
    """What a run did.

    Attributes:
        planned: Clips of the whole plan.
        made: Clips that this run made.
        kept: Clips of this shard that were there before.
        there: Clips of the plan that are there now.
    """

    planned: int
    made: int
    kept: int
    there: int

    @property
    def complete(self) -> bool:
        """Whether the plan is done, by whomever."""
        return self.there == self.planned


def missing(plan: Plan, folder: OutputFolder, shard: Shard) -> list[ClipRequest]:
    """The clips of a shard that are not there yet, in the plan's order; every N-th clip is a shard's."""
    mine = plan.requests()[shard.index - 1 :: shard.count]
    return [request for request in mine if not folder.path(request.key).is_file()]


def synthesize(
    plan: Plan,
    folder: OutputFolder,
    load: Callable[[], ClipSampler],
    shard: Shard | None = None,
    *,
    chunk: int | None = None,
    force: bool = False,
    progress: Callable[[int, int], None] = lambda done, total: None,
) -> Outcome:
    """Make a shard of a plan, and what stands beside the clips once the whole plan is there.

    Args:
        plan: What to make.
        folder: Where; it is claimed first, see ``OutputFolder.claim``.
        load: Gives the sampler; called only when there is something to make.
        shard: Which part to make; everything where not given.
        chunk: Clips made at once; a kill loses at most so many. By default what fills the device: a tile of a CPU,
            several of a GPU.
        force: Delete what another plan made here.
        progress: Called with (done, total) clips of the shard.

    Raises:
        ConflictError: The folder belongs to another plan, or the shard is being worked on.
        StorageError: The disk refused; what was made stays, and the same call goes on.
    """
    shard = shard or Shard()
    with folder.claim(plan, shard, force):
        todo = missing(plan, folder, shard)
        total = len(range(shard.index - 1, len(plan.clips), shard.count))
        kept = total - len(todo)
        progress(kept, total)
        sample = load() if todo else None
        size = _at_once(sample, chunk)
        with ThreadPoolExecutor(DISK_THREADS) as disk, ThreadPoolExecutor(1) as writer:
            saved: Future[None] | None = None
            for start in range(0, len(todo), size):  # clips are saved while the next ones are sampled
                batch = todo[start : start + size]
                clips = list(sample(batch)) if sample else []
                if saved:
                    saved.result()
                    progress(kept + start, total)
                saved = writer.submit(_save, plan, folder, shard, batch, clips, disk)
            if saved:
                saved.result()
                progress(total, total)
        there = sum(folder.path(key).is_file() for key in plan.keys)
        if there == len(plan.clips) and (todo or not outputs_there(folder)):
            with folder.waiting_lock("finish"):
                write_outputs(plan, folder)
                shutil.rmtree(folder.trials, ignore_errors=True)
    return Outcome(len(plan.clips), len(todo), kept, there)


def _save(
    plan: Plan,
    folder: OutputFolder,
    shard: Shard,
    batch: Sequence[ClipRequest],
    clips: Sequence[NDArray[np.uint8]],
    disk: Executor,
) -> None:
    """Write clips, named in the shard's manifest part before they appear."""
    records = [_record(plan, request, frames) for request, frames in zip(batch, clips, strict=True)]
    manifest.append(folder.part(shard), *records)
    paths, staging = [folder.path(request.key) for request in batch], folder.staging(shard)
    for _ in disk.map(lambda path, frames: write_clip(path, frames, staging=staging), paths, clips):
        pass


def _record(plan: Plan, request: ClipRequest, frames: NDArray[np.uint8]) -> ManifestRecord:
    return ManifestRecord(
        identity=request.key.identity,
        take=request.key.take,
        view=request.key.view,
        seed=plan.sampling.seed,
        weights=plan.weights,
        sampler=plan.sampling.sampler,
        steps=plan.sampling.steps,
        guidance=plan.sampling.guidance,
        frames=len(frames),
        sha256=pixels_sha256(frames),
        mix=dict(request.identity.mix),
        cycle=request.cycle,
        start=request.start,
        identity_scale=plan.sampling.identity_scale,
    )


@dataclass(frozen=True)
class Estimate:
    """What a run would cost: clips of the plan, clips of the shard to make, their disk, and their time by one chunk."""

    planned: int
    to_make: int
    disk_bytes: int
    free_bytes: int
    seconds: float


def estimate(
    plan: Plan, folder: OutputFolder, load: Callable[[], ClipSampler], shard: Shard, chunk: int | None
) -> Estimate:
    """Count clips and bytes, and time one chunk of the shard's clips; raises as the sampler does."""
    todo = missing(plan, folder, shard)
    size = plan.sampling.size // HEIGHT
    pixels = plan.sampling.frames * HEIGHT * WIDTH * size**2
    clip_bytes = (math.ceil((pixels + _HEADER) / _BLOCK) + 1) * _BLOCK
    seconds = 0.0
    if todo:
        sample = load()
        started = time.perf_counter()
        chunk = _at_once(sample, chunk)
        sample(todo[:chunk])
        seconds = (time.perf_counter() - started) * math.ceil(len(todo) / chunk)
    free = shutil.disk_usage(_nearest_folder(folder.root)).free
    return Estimate(len(plan.clips), len(todo), len(todo) * clip_bytes, free, seconds)


def _at_once(sample: ClipSampler | None, chunk: int | None) -> int:
    """Clips to ask a sampler for at once: what was asked for, or what fills its device."""
    return chunk or int(getattr(sample, "batch", TILE))


def _nearest_folder(path: Path) -> Path:
    """The folder itself, or the first above it that is there."""
    path = path.resolve()
    return next(folder for folder in (path, *path.parents) if folder.is_dir())
