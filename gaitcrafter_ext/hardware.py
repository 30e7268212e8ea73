"""Where to compute, and in which arithmetic."""

from __future__ import annotations

import contextlib
import os
from dataclasses import dataclass
from typing import TYPE_CHECKING

from gaitcrafter_ext.errors import UsageError

if TYPE_CHECKING:
    import torch


@dataclass(frozen=True)
class Process:
    """One of several processes of a launcher, counted from 0, and its place on its machine."""

    rank: int = 0
    count: int = 1
    local_rank: int = 0


def this_process() -> Process:
    """Which process this is under ``torchrun``, ``accelerate launch`` or ``srun``; the only one without a launcher.

    A Slurm batch script has most of the variables of ``srun``, too, but is a single process.
    """
    for names in (("RANK", "WORLD_SIZE", "LOCAL_RANK"), ("SLURM_PROCID", "SLURM_STEP_NUM_TASKS", "SLURM_LOCALID")):
        values = [os.environ.get(name, "") for name in names]
        if all(value.isdecimal() for value in values) and int(values[0]) < int(values[1]):
            return Process(*map(int, values))
    return Process()


def pick_device(name: str) -> torch.device:
    """The device of a name; ``"auto"`` is a GPU where there is one, each process of a launcher on its own.

    Raises:
        UsageError: There is no such device here.
    """
    import torch

    there = ["cpu"] + ["cuda"] * torch.cuda.is_available() + ["mps"] * torch.backends.mps.is_available()
    if name == "auto" and there[-1] == "cuda":
        return torch.device("cuda", this_process().local_rank % torch.cuda.device_count())
    if name == "auto":
        return torch.device(there[-1])
    with contextlib.suppress(RuntimeError):
        if (device := torch.device(name)).type in there:
            return device
    raise UsageError(f"--device: no '{name}' on this machine; allowed: auto, {', '.join(there)}")


def multiplies_bfloat16(device_type: str) -> bool:
    """Whether matrix products in bfloat16 are faster than in float32 on this machine's ``"cpu"`` or ``"cuda"``.

    A CPU has instructions for it (AVX512-BF16, AMX) or imitates it: on one with AVX2 only, a product in bfloat16 took
    80 times as long as in float32.
    """
    import torch

    if device_type == "cuda":
        return torch.cuda.is_bf16_supported()
    probes = ("_is_avx512_bf16_supported", "_is_amx_tile_supported")
    return device_type == "cpu" and any(bool(getattr(torch.cpu, name, lambda: False)()) for name in probes)


def resolve_precision(precision: str, device: torch.device) -> str:
    """``"auto"`` becomes ``"bfloat16"`` where the device multiplies it fast, else ``"float32"``."""
    if precision != "auto":
        return precision
    return "bfloat16" if multiplies_bfloat16(device.type) else "float32"


def autocast(precision: str, device: torch.device) -> contextlib.AbstractContextManager[object]:
    """Matrix products and convolutions in ``"float32"`` or ``"bfloat16"``; weights stay float32."""
    import torch

    if precision == "float32":
        return contextlib.nullcontext()
    return torch.autocast(device.type, dtype=torch.bfloat16)
