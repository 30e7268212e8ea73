"""Small things without which OpenGait fails, or loses work, on a machine that is not its authors'."""

from __future__ import annotations

import functools
import os
from typing import Any

from gaitcrafter_ext.silhouettes.files import atomic_write

__all__ = ["mend"]


def mend() -> None:
    """Checkpoints appear whole or not at all; ``numpy.float``, which ``RandomPartBlur`` uses, is there again."""
    import numpy as np
    import torch

    if "float" not in vars(np):
        vars(np)["float"] = float
    original = torch.save

    @functools.wraps(original)
    def save(thing: Any, file: Any, *args: Any, **kwargs: Any) -> None:
        if not isinstance(file, (str, os.PathLike)):
            return original(thing, file, *args, **kwargs)
        with atomic_write(file) as handle:
            original(thing, handle, *args, **kwargs)
        return None

    vars(torch)["save"] = save
