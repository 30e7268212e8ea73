"""Child process: make the clips of a plan. ``python -m gaitcrafter_ext.opengait.generate PLAN WEIGHTS OUT DEVICE``.

Progress goes to stderr; why it failed is one line on stdout, for the process that started this one. It ends when its
stdin closes, that is, when its parent ends. With several GPUs it starts a process for each, which makes a shard.
"""

from __future__ import annotations

import os
import sys
import threading
from pathlib import Path
from typing import Any

from gaitcrafter_ext.errors import GaitCrafterError
from gaitcrafter_ext.generator.weights import read_card
from gaitcrafter_ext.opengait.on_demand import run_generators
from gaitcrafter_ext.synthesis.folder import OutputFolder, Shard
from gaitcrafter_ext.synthesis.plan import Plan
from gaitcrafter_ext.synthesis.run import pipeline_sampler, synthesize


def main(arguments: list[str]) -> int:
    """Make the plan's clips in the output folder, or the shard ``I/N`` of them that a fifth argument names."""
    plan, weights, out, device, *shard = arguments
    try:
        gpus = [] if shard or device not in ("auto", "cuda") else visible_gpus()
        if len(gpus) > 1:
            shards = [f"{number}/{len(gpus)}" for number in range(1, len(gpus) + 1)]
            run_generators(sys.executable, [((*arguments, one), gpu) for one, gpu in zip(shards, gpus, strict=True)])
        else:
            make(Path(plan), Path(weights), Path(out), device, Shard.parse(shard[0]) if shard else Shard())
    except ImportError as error:
        advice = "name an interpreter that has it by 'python:' or GAITCRAFTER_PYTHON, or make the clips before"
        print(f"the generator needs a package that {sys.executable} lacks ({error}); {advice}")
        return 1
    except (GaitCrafterError, OSError) as error:
        print(" ".join(str(error).split()))
        return 1
    return 0


def make(plan_file: Path, weights: Path, out: Path, device: str, shard: Shard) -> None:
    """Make a shard's clips, with a bar on stderr."""
    from tqdm import tqdm

    plan = Plan.from_json(plan_file.read_text(encoding="utf-8"))
    read_card(weights)  # refused before torch loads
    quiet = shard.index > 1
    with tqdm(desc="synthesizing", unit="clip", file=sys.stderr, leave=False, mininterval=0.5, disable=quiet) as bar:

        def show(done: int, total: int) -> None:
            bar.total = total
            bar.update(done - bar.n)

        def load() -> Any:
            return pipeline_sampler(weights, plan.sampling, device)

        synthesize(plan, OutputFolder(out), load, shard, progress=show)


def visible_gpus() -> list[str]:
    """Names of the CUDA devices this process may use, as ``CUDA_VISIBLE_DEVICES`` takes them."""
    import torch

    numbers = [str(number) for number in range(torch.cuda.device_count())]
    named = [name for name in os.environ.get("CUDA_VISIBLE_DEVICES", "").split(",") if name]
    return named[: len(numbers)] or numbers


def _end_with_parent() -> None:
    while os.read(0, 4096):
        pass
    os._exit(143)


if __name__ == "__main__":
    threading.Thread(target=_end_with_parent, daemon=True).start()
    sys.exit(main(sys.argv[1:]))
