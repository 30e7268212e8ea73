"""Equal seeds give equal clips on another machine: 99.9 % of pixels within 2 grey levels.

The stored clips were made once, by ``python -m tests.golden.test_clips_across_machines FILE``; other processors are
stood in for by allowing torch and oneDNN fewer instructions than this one has.
"""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

from gaitcrafter_ext.generator.pipeline import GaitCrafterPipeline, SampleRequest
from gaitcrafter_ext.generator.sampling import SAMPLER_NAMES
from tests.tiny import PEOPLE, tiny_pipeline

Clips = dict[str, NDArray[np.uint8]]

SHARE = 0.999
ROOT = Path(__file__).parents[2]


def sample_all() -> Clips:
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


def sample_bundled() -> Clips:
    """One clip of the bundled weights, sampled as they are by default."""
    pipeline = GaitCrafterPipeline.from_pretrained("bundled")
    first, second, *_ = pipeline.identities
    request = SampleRequest({first: 0.5, second: 0.5}, "nm", 90.0, seed=3)
    return {"bundled": pipeline([request], identity_scale=1.0).clips}


def worst_share(clips: Clips, reference: Clips) -> float:
    """Share of pixels that lie within 2 grey levels, of the worst clip."""
    near = [np.abs(clips[name].astype(int) - reference[name]) <= 2 for name in reference]
    return float(min(clip.mean() for sampler in near for clip in sampler))


def load(path: Path) -> Clips:
    with np.load(path) as stored:
        return dict(stored)


STORED = load(Path(__file__).with_name("tiny_generator.npz"))


def test_clips_are_those_stored_from_another_machine() -> None:
    assert worst_share(sample_all(), STORED) >= SHARE
    wrong = {name: clips.copy() for name, clips in STORED.items()}
    wrong["unipc"][1, :, 10, 10:15] ^= 128  # 5 of 4096 pixels of each frame
    assert worst_share(wrong, STORED) < SHARE, "the measure overlooks a few wrong pixels"


MACHINES = {
    "no vectors": {"ATEN_CPU_CAPABILITY": "default", "ONEDNN_MAX_CPU_ISA": "SSE41"},
    "AVX2": {"ATEN_CPU_CAPABILITY": "avx2", "ONEDNN_MAX_CPU_ISA": "AVX2"},
    "two threads": {"OMP_NUM_THREADS": "2"},
}


def sample_on(machine: dict[str, str], out: Path, *what: str) -> Clips:
    command = [sys.executable, "-m", "tests.golden.test_clips_across_machines", str(out), *what]
    subprocess.run(command, env={**os.environ, **machine}, check=True, cwd=ROOT)
    return load(out)


@pytest.mark.slow
@pytest.mark.parametrize("machine", MACHINES)
def test_clips_are_the_same_on_another_processor(machine: str, tmp_path: Path) -> None:
    assert worst_share(sample_on(MACHINES[machine], tmp_path / "clips.npz"), STORED) >= SHARE


@pytest.mark.slow
def test_clips_of_the_bundled_weights_are_the_same_on_another_processor(tmp_path: Path) -> None:
    here = sample_on({"OMP_NUM_THREADS": "1"}, tmp_path / "here.npz", "bundled")
    for machine in ("AVX2", "two threads"):
        assert worst_share(sample_on(MACHINES[machine], tmp_path / "there.npz", "bundled"), here) >= SHARE


if __name__ == "__main__":
    np.savez_compressed(sys.argv[1], **(sample_bundled() if "bundled" in sys.argv[2:] else sample_all()))
