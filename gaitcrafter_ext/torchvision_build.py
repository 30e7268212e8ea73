"""A torchvision that was built for another torch: other packages import it and fail, though no one asked for it."""

from __future__ import annotations

import importlib
import logging
import sys

logger = logging.getLogger(__name__)


def patch_torchvision() -> bool:
    """Import torchvision, or only its Python half where its build does not fit this torch; whether that worked."""
    try:
        importlib.import_module("torchvision")
        return True
    except ModuleNotFoundError:
        return False
    except (ImportError, RuntimeError, OSError) as error:
        reason = " ".join(str(error).split())
    _forget("torchvision")
    try:
        import torch

        for operator in ("nms", "qnms"):
            torch.library.define(f"torchvision::{operator}", "(Tensor boxes, Tensor scores, float least) -> Tensor")
        importlib.import_module("torchvision")
        return True
    except (ImportError, RuntimeError, OSError, AttributeError):
        _forget("torchvision")
    logger.warning(
        "torchvision is installed but does not load with this torch (%s); going on as if it were missing", reason
    )
    return False


def _forget(package: str) -> None:
    for name in [name for name in sys.modules if name.split(".")[0] == package]:
        del sys.modules[name]
