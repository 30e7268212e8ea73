"""The clip sampler of a weights folder; torch is loaded only when it is made."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from gaitcrafter_ext.errors import UsageError
from gaitcrafter_ext.synthesis.plan import ClipRequest, Sampling
from gaitcrafter_ext.synthesis.redrawing import ClipSampler

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

__all__ = ["DEVICES", "pipeline_sampler"]


#: Where clips can be computed; ``auto`` is the first of cuda, mps and cpu that is there.
DEVICES = ("auto", "cuda", "mps", "cpu")


def pipeline_sampler(weights: Path, sampling: Sampling, device: str = "auto") -> ClipSampler:
    """Load a pipeline and wrap it; each call draws once (:func:`redrawing.draw` draws again).

    Args:
        weights: Folder of the weights.
        sampling: How clips are sampled.
        device: Where, one of :data:`DEVICES`.

    Raises:
        MissingError: There are no weights.
        UsageError: This machine has no such device.
        WeightsError: They are truncated, changed, or of another version.
    """
    from gaitcrafter_ext.generator.pipeline import GaitCrafterPipeline, SampleRequest

    pipeline = GaitCrafterPipeline.from_pretrained(weights).to(_device(device))
    options = {name: value for name, value in vars(sampling).items() if name not in ("seed", "redraws")}

    def sample(requests: Sequence[ClipRequest]) -> NDArray[np.uint8]:
        wanted = [SampleRequest(each.recipe, each.key.condition, each.view_deg, each.seed) for each in requests]
        return pipeline.sample(wanted, **options)

    return sample


def _device(name: str) -> str:
    import torch

    there = {"cuda": torch.cuda.is_available(), "mps": torch.backends.mps.is_available(), "cpu": True}
    usable = [device for device, found in there.items() if found]
    if name == "auto":
        return usable[0]
    if name not in usable:
        raise UsageError(f"--device: this machine has no '{name}'; allowed here: auto, {', '.join(usable)}")
    return name
