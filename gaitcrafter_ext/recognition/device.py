"""Where to compute."""

from __future__ import annotations

import torch

from gaitcrafter_ext.errors import UsageError

__all__ = ["pick_device"]


def pick_device(name: str) -> torch.device:
    """The device of a name; ``"auto"`` is a GPU where there is one.

    Raises:
        UsageError: There is no such device here.
    """
    there = ["cpu"] + ["cuda"] * torch.cuda.is_available() + ["mps"] * torch.backends.mps.is_available()
    if name == "auto":
        return torch.device(there[-1])
    try:
        device = torch.device(name)
    except RuntimeError:
        device = None
    if device is None or device.type not in there:
        raise UsageError(f"--device: no '{name}' on this machine; allowed: auto, {', '.join(there)}")
    return device
