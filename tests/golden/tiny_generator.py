"""Clips of a tiny generator whose numbers come from numpy: ``python tests/golden/tiny_generator.py`` stores them anew.

``python tests/golden/tiny_generator.py FILE bundled`` stores clips of the bundled weights instead, for comparison.
"""

from __future__ import annotations

import sys
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray

from gaitcrafter_ext.generator.network import GaitUNet
from gaitcrafter_ext.generator.pipeline import GaitCrafterPipeline, SampleRequest
from gaitcrafter_ext.generator.samplers import SAMPLER_NAMES, make_scheduler

STORED = Path(__file__).with_name("tiny_generator.npz")
PEOPLE = ("sim-001", "sim-002")


def tiny_pipeline() -> GaitCrafterPipeline:
    """Two people, two conditions; the same numbers wherever it is made."""
    from gaitcrafter_ext.generator.weights import Card, SamplingDefaults, TrainedOn, Vocabulary

    denoiser = GaitUNet(
        identities=2, conditions=2, channels=(8, 64), blocks=(1, 1), embedding=16, canvas_channels=2
    ).eval()
    rng = np.random.default_rng(0)
    state = denoiser.state_dict()
    for name in sorted(state):
        state[name] = torch.from_numpy(0.1 * rng.standard_normal(state[name].shape)).to(state[name].dtype)
    denoiser.load_state_dict(state)
    pipeline = GaitCrafterPipeline(denoiser, make_scheduler("euler", 3.0))
    words = Vocabulary(PEOPLE, ("nm", "cl"), {"000": 0.0, "090": 90.0})
    pipeline.card = Card(words, TrainedOn("tiny", "0" * 16, ()), SamplingDefaults(), {}, "0" * 64)
    return pipeline


def sample_all() -> dict[str, NDArray[np.uint8]]:
    """Every tenth frame of two clips with each sampler: a known person, and a blend."""
    pipeline = tiny_pipeline()
    requests = [
        SampleRequest({"sim-001": 1.0}, "nm", 90.0, seed=1),
        SampleRequest({"sim-001": 0.4, "sim-002": 0.6}, "cl", 0.0, seed=2),
    ]
    return {name: pipeline.sample(requests, steps=4, sampler=name)[:, ::10] for name in SAMPLER_NAMES}


def sample_bundled() -> dict[str, NDArray[np.uint8]]:
    """One clip of the bundled weights, sampled as they are by default."""
    pipeline = GaitCrafterPipeline.from_pretrained("bundled")
    first, second, *_ = pipeline.vocabulary.identities
    return {"bundled": pipeline.sample([SampleRequest({first: 0.5, second: 0.5}, "nm", 90.0, seed=3)])}


def worst_share(clips: dict[str, NDArray[np.uint8]], reference: dict[str, NDArray[np.uint8]], levels: int = 2) -> float:
    """Share of pixels that lie within so many grey levels, of the worst clip."""
    near = [np.abs(clips[name].astype(int) - reference[name]) <= levels for name in reference]
    return float(min(clip.mean() for sampler in near for clip in sampler))


if __name__ == "__main__":
    made = sample_bundled() if "bundled" in sys.argv[2:] else sample_all()
    np.savez_compressed(sys.argv[1] if len(sys.argv) > 1 else STORED, **made)
