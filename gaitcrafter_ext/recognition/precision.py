"""Which arithmetic to train in: bfloat16 where the machine multiplies it faster than float32."""

from __future__ import annotations

import contextlib

import torch

from gaitcrafter_ext.errors import UsageError
from gaitcrafter_ext.hardware import multiplies_bfloat16

__all__ = ["PRECISIONS", "autocast", "resolve"]

PRECISIONS = ("auto", "float32", "bfloat16")


def resolve(precision: str, device: torch.device | str) -> str:
    """``"auto"`` made definite: bfloat16 on CPUs with AVX512-BF16 or AMX and on GPUs that have it, else float32.

    Raises:
        UsageError: There is no such precision.
    """
    if precision not in PRECISIONS:
        raise UsageError(f"unknown precision '{precision}'; allowed: {', '.join(PRECISIONS)}")
    if precision != "auto":
        return precision
    return "bfloat16" if multiplies_bfloat16(torch.device(device).type) else "float32"


def autocast(precision: str, device: torch.device | str) -> contextlib.AbstractContextManager[object]:
    """The context in which matrix products and convolutions run in a definite precision; weights stay float32."""
    if precision == "float32":
        return contextlib.nullcontext()
    return torch.autocast(torch.device(device).type, dtype=torch.bfloat16)
