"""``synthesize --engine ray``: the shards of a plan as tasks of a Ray cluster whose machines share the output folder.

A task is a shard as ``--shard I/N`` makes it, so the bytes are those of one process, and the last one finishes the run.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from functools import partial
from pathlib import Path

from gaitcrafter_ext.errors import GaitCrafterError, UsageError
from gaitcrafter_ext.synthesis.folder import OutputFolder, Shard
from gaitcrafter_ext.synthesis.plan import Plan
from gaitcrafter_ext.synthesis.run import Outcome, pipeline_sampler, synthesize


def synthesize_on_ray(
    plan: Plan,
    root: Path,
    weights: Path,
    device: str,
    tasks: int | None = None,
    *,
    chunk: int | None = None,
    force: bool = False,
    progress: Callable[[int, int], None] = lambda done, total: None,
) -> Outcome:
    """Make a plan on the cluster that ``RAY_ADDRESS`` names, or on this machine; see :func:`run.synthesize`.

    Every machine sees the output folder ``root`` and the ``weights`` under these paths. There are as many ``tasks`` as
    GPUs, or as machines where the cluster has none, unless it is given. ``UsageError`` where Ray is not installed.
    """
    try:
        import ray
    except ImportError:
        raise UsageError("--engine ray needs Ray; run: pip install 'gaitcrafter-ext[ray]'") from None
    try:
        ray.init(ignore_reinit_error=True, log_to_driver=False, include_dashboard=False, configure_logging=False)
    except Exception as error:  # Ray raises bare ones
        raise GaitCrafterError(f"--engine ray: Ray did not start ({error})") from error
    count, needs = share_out([node["Resources"] for node in ray.nodes() if node["Alive"]], tasks)
    make = ray.remote(scheduling_strategy="SPREAD", **needs)(_shard)
    shards = [Shard(number, count) for number in range(1, count + 1)]
    pending = [make.remote(plan, root.resolve(), weights.resolve(), shard, device, chunk, force) for shard in shards]
    done: list[Outcome] = []
    while pending:
        ended, pending = ray.wait(pending)
        try:
            done += ray.get(ended)
        except ray.exceptions.RayTaskError as failed:
            raise failed.cause from None
        except ray.exceptions.RayError as lost:  # a machine or its memory
            raise GaitCrafterError(
                f"--engine ray: a task was lost ({type(lost).__name__}); the same command goes on"
            ) from lost
        made, kept = (sum(getattr(each, name) for each in done) for name in ("made", "kept"))
        progress(made + kept, len(plan.clips))
    return Outcome(len(plan.clips), made, kept, max(each.there for each in done))


def share_out(machines: Sequence[Mapping[str, float]], tasks: int | None) -> tuple[int, dict[str, int]]:
    """How many tasks, and what each needs, so that it fits on every machine that can work.

    ``machines`` are resources of those that are alive; a head node may have no CPU for tasks.
    """
    gpus = int(sum(each.get("GPU", 0) for each in machines))
    if gpus:
        return tasks or gpus, {"num_gpus": 1}
    cpus = [int(each["CPU"]) for each in machines if each.get("CPU", 0) >= 1] or [1]
    count = tasks or len(cpus)
    return count, {"num_cpus": max(1, min(sum(cpus) // count, *cpus))}


def _shard(plan: Plan, root: Path, weights: Path, shard: Shard, device: str, chunk: int | None, force: bool) -> Outcome:
    sampler = partial(pipeline_sampler, weights, plan.sampling, device)
    return synthesize(plan, OutputFolder(root), sampler, shard, chunk=chunk, force=force)
