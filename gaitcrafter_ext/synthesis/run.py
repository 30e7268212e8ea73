"""Making what a plan asks for: resumable, in shards that may share a folder; and what it would cost."""

from __future__ import annotations

import math
import shutil
import time
from collections.abc import Callable, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import asdict, dataclass, replace
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from gaitcrafter_ext.generator.sampling import TILE, scale_of
from gaitcrafter_ext.hardware import multiplies_bfloat16, pick_device
from gaitcrafter_ext.silhouettes import manifest
from gaitcrafter_ext.silhouettes.clip import HEIGHT, WIDTH, trim, upsample
from gaitcrafter_ext.silhouettes.manifest import ManifestRecord, pixels_sha256
from gaitcrafter_ext.silhouettes.store import write_clip
from gaitcrafter_ext.synthesis.folder import OUTPUTS, OutputFolder, Shard
from gaitcrafter_ext.synthesis.output import write_outputs
from gaitcrafter_ext.synthesis.plan import ClipRequest, ClipSampler, Plan, Sampling

if TYPE_CHECKING:
    from numpy.typing import NDArray

#: Where clips can be computed; ``auto`` is the first of cuda, mps and cpu that is there.
DEVICES = ("auto", "cuda", "mps", "cpu")

#: Threads that write clips, which mostly wait until the disk has them.
DISK_THREADS = 8

# A clip's file has this much beside its pixels, and a file system gives out whole blocks; its folder takes one more.
_HEADER, _BLOCK = 200, 4096


@dataclass(frozen=True)
class Outcome:
    """What a run did: clips of the plan, made now, of this shard there before, and of the plan there now."""

    planned: int
    made: int
    kept: int
    there: int

    @property
    def complete(self) -> bool:
        """Whether the plan is done, by whichever shards."""
        return self.there == self.planned


def synthesize(
    plan: Plan,
    folder: OutputFolder,
    load: Callable[[], ClipSampler],
    shard: Shard = Shard(),  # noqa: B008
    *,
    chunk: int | None = None,
    force: bool = False,
    progress: Callable[[int, int], None] = lambda done, total: None,
) -> Outcome:
    """Make a shard of a plan, and what stands beside the clips once the whole plan is there.

    ``load`` gives the sampler, and is called only when there is something to make; ``chunk`` clips are made at once, by
    default what fills the device. ``progress`` is called with (done, total) clips of the shard. ``ConflictError`` where
    the folder belongs to another plan, or the shard is being worked on. After ``StorageError`` what was made stays, and
    the same call goes on.
    """
    with folder.claim(plan, shard, force):
        todo = _missing(plan, folder, shard)
        total = len(range(shard.index - 1, len(plan.clips), shard.count))
        kept = total - len(todo)
        progress(kept, total)
        if todo:
            _make(plan, folder, shard, todo, load(), chunk, lambda made: progress(kept + made, total))
        there = sum(folder.path(key).is_file() for key in plan.keys)
        finished = all((folder.root / name).is_file() for name in OUTPUTS)
        if there == len(plan.clips) and (todo or not finished):
            with folder.waiting_lock("finish"):
                write_outputs(plan, folder)
                shutil.rmtree(folder.trials, ignore_errors=True)
    return Outcome(len(plan.clips), len(todo), kept, there)


def _missing(plan: Plan, folder: OutputFolder, shard: Shard) -> list[ClipRequest]:
    """The clips of a shard that are not there yet, in the plan's order."""
    mine = plan.keys[shard.index - 1 :: shard.count]
    return [plan.request(key) for key in mine if not folder.path(key).is_file()]


def _at_once(sample: ClipSampler) -> int:
    """Clips that fill a sampler's device."""
    return int(getattr(sample, "batch", TILE))


def _make(
    plan: Plan,
    folder: OutputFolder,
    shard: Shard,
    todo: list[ClipRequest],
    sample: ClipSampler,
    chunk: int | None,
    progress: Callable[[int], None],
) -> None:
    """Sample and save clips; a batch is saved while the next one is sampled."""
    staging, size = folder.staging(shard), chunk or _at_once(sample)

    def save(batch: list[ClipRequest], clips: NDArray[np.uint8]) -> None:
        # Named in the shard's manifest part before they appear.
        manifest.append(folder.part(shard), *disk.map(partial(_record, plan), batch, clips))
        paths = [folder.path(request.key) for request in batch]
        list(disk.map(lambda path, frames: write_clip(path, frames, staging=staging), paths, clips))

    with ThreadPoolExecutor(DISK_THREADS) as disk, ThreadPoolExecutor(1) as writer:
        saved: Future[None] | None = None
        for start in range(0, len(todo), size):
            batch = todo[start : start + size]
            clips = sample(batch)
            if saved:
                saved.result()
                progress(start)
            saved = writer.submit(save, batch, clips)
        if saved:
            saved.result()
    progress(len(todo))


def _record(plan: Plan, request: ClipRequest, frames: NDArray[np.uint8]) -> ManifestRecord:
    return ManifestRecord(
        **asdict(request.key),
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
        identity_scale=scale_of(plan.sampling.identity_scale, request.condition),
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
    todo, seconds = _missing(plan, folder, shard), 0.0
    pixels = plan.sampling.frames * HEIGHT * WIDTH * (plan.sampling.size // HEIGHT) ** 2
    clip_bytes = (math.ceil((pixels + _HEADER) / _BLOCK) + 1) * _BLOCK
    if todo:
        sample = load()
        started, chunk = time.perf_counter(), chunk or _at_once(sample)
        sample(todo[:chunk])
        seconds = (time.perf_counter() - started) * math.ceil(len(todo) / chunk)
    root = folder.root.resolve()
    nearest = next(path for path in (root, *root.parents) if path.is_dir())
    return Estimate(len(plan.clips), len(todo), len(todo) * clip_bytes, shutil.disk_usage(nearest).free, seconds)


def pipeline_sampler(weights: Path, sampling: Sampling, device: str = "auto") -> ClipSampler:
    """Load the pipeline of a weights folder onto one of :data:`DEVICES` and wrap it; torch loads only now."""
    from gaitcrafter_ext.generator.pipeline import GaitCrafterPipeline, SampleRequest

    pipeline = GaitCrafterPipeline.from_pretrained(weights).to(pick_device(device))
    names = ("frames", "steps", "sampler", "guidance", "identity_scale", "precision")
    options = {name: getattr(sampling, name) for name in names}

    def sample(requests: Sequence[ClipRequest]) -> NDArray[np.uint8]:
        wanted = [
            SampleRequest(
                weights=each.identity.mix,
                condition=each.condition,
                view_deg=each.view_deg,
                seed=each.seed,
                cycle=float("nan") if each.cycle is None else each.cycle,
                start=each.start,
                code=each.identity.code,
            )
            for each in requests
        ]
        clips = pipeline(wanted, **options).clips
        if sampling.size == 128:
            clips = np.stack([upsample(clip) for clip in clips])
        return np.stack([trim(clip) for clip in clips]) if sampling.columns == 44 else clips

    sample.batch = pipeline.at_once(sampling.frames)  # type: ignore[attr-defined]
    return sample


def settle_precision(sampling: Sampling, device: str, earlier: str = "") -> Sampling:
    """``auto`` made definite: ``earlier``, that of clips made before, else bf16 where the device is fast at it."""
    if sampling.precision != "auto":
        return sampling
    fast = "bf16" if not earlier and multiplies_bfloat16(pick_device(device).type) else "fp32"
    return replace(sampling, precision=earlier or fast)
