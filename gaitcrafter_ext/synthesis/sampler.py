"""The clip sampler of a weights folder; torch is loaded only when it is made."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from gaitcrafter_ext.generator.shape import TILE
from gaitcrafter_ext.hardware import multiplies_bfloat16, pick_device
from gaitcrafter_ext.silhouettes.clip import trim, upsample
from gaitcrafter_ext.synthesis.plan import ClipRequest, ClipSampler, Sampling

if TYPE_CHECKING:
    from numpy.typing import NDArray


#: Where clips can be computed; ``auto`` is the first of cuda, mps and cpu that is there.
DEVICES = ("auto", "cuda", "mps", "cpu")


def pipeline_sampler(weights: Path, sampling: Sampling, device: str = "auto") -> ClipSampler:
    """Load a pipeline and wrap it.

    Args:
        weights: Folder of the weights.
        sampling: How clips are sampled.
        device: Where, one of :data:`DEVICES`.

    Raises:
        MissingError: There are no weights.
        UsageError: This machine has no such device.
        WeightsError: They are truncated, changed, or of another version.
    """
    from gaitcrafter_ext.generator.pipeline import TILES, GaitCrafterPipeline, SampleRequest

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
        return shape_clips(pipeline(wanted, **options).clips, sampling)

    # A GPU computes its whole tile whatever is asked for, and draws clips while it samples the next ones.
    sample.batch = 4 * TILES.get(pipeline.device.type, TILE // 4)  # type: ignore[attr-defined]
    return sample


def shape_clips(clips: NDArray[np.uint8], sampling: Sampling) -> NDArray[np.uint8]:
    """Frames of 64 x 64 as the plan wants them: 44 columns wide, or twice as large."""
    if sampling.size == 128:
        clips = np.stack([upsample(clip) for clip in clips])
    return np.stack([trim(clip) for clip in clips]) if sampling.columns == 44 else clips


def settle_precision(sampling: Sampling, device: str, earlier: str = "") -> Sampling:
    """``auto`` made definite: that of what is there already, else bf16 where the device multiplies it fast, else fp32.

    Args:
        sampling: How clips are sampled.
        device: Where, one of :data:`DEVICES`.
        earlier: Precision of clips that were made before; empty where there are none.
    """
    if sampling.precision != "auto":
        return sampling
    fast = "bf16" if not earlier and multiplies_bfloat16(pick_device(device).type) else "fp32"
    return replace(sampling, precision=earlier or fast)
