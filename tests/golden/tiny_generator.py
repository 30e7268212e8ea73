"""Clips of a tiny generator whose numbers come from numpy: ``python -m tests.golden.tiny_generator`` stores them.

``python -m tests.golden.tiny_generator FILE bundled`` stores clips of the bundled weights instead, for comparison.
"""

from __future__ import annotations

import sys
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from gaitcrafter_ext.generator.pipeline import GaitCrafterPipeline, SampleRequest
from gaitcrafter_ext.generator.sampling import SAMPLER_NAMES
from tests.tiny import PEOPLE, tiny_pipeline

STORED = Path(__file__).with_name("tiny_generator.npz")


def sample_all() -> dict[str, NDArray[np.uint8]]:
    """Every tenth frame of two clips with each sampler: a known person, and a blend; of several windows with euler."""
    pipeline = tiny_pipeline()
    first, second = PEOPLE
    requests = [
        SampleRequest({first: 1.0}, "nm", 90.0, seed=1),
        SampleRequest({first: 0.4, second: 0.6}, "cl", 0.0, seed=2, cycle=27.0, start=1.0),
    ]
    clips = {
        name: pipeline(requests, steps=4, sampler=name, identity_scale=1.0).clips[:, ::10] for name in SAMPLER_NAMES
    }
    return {**clips, "long": pipeline(requests[:1], 60, steps=2, identity_scale=1.0).clips[:, ::10]}


def sample_bundled() -> dict[str, NDArray[np.uint8]]:
    """One clip of the bundled weights, sampled as they are by default."""
    pipeline = GaitCrafterPipeline.from_pretrained("bundled")
    first, second, *_ = pipeline.identities
    return {
        "bundled": pipeline([SampleRequest({first: 0.5, second: 0.5}, "nm", 90.0, seed=3)], identity_scale=1.0).clips
    }


def worst_share(clips: dict[str, NDArray[np.uint8]], reference: dict[str, NDArray[np.uint8]], levels: int = 2) -> float:
    """Share of pixels that lie within so many grey levels, of the worst clip."""
    near = [np.abs(clips[name].astype(int) - reference[name]) <= levels for name in reference]
    return float(min(clip.mean() for sampler in near for clip in sampler))


if __name__ == "__main__":
    made = sample_bundled() if "bundled" in sys.argv[2:] else sample_all()
    np.savez_compressed(sys.argv[1] if len(sys.argv) > 1 else STORED, **made)
