"""The same on a CUDA GPU; skipped where there is none."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
import torch

from gaitcrafter_ext.cli.main import main
from gaitcrafter_ext.generator.pipeline import GaitCrafterPipeline, SampleRequest
from gaitcrafter_ext.generator.postprocess import postprocess
from tests.tiny import tiny_tree

pytestmark = [
    pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a CUDA GPU"),
    pytest.mark.filterwarnings("ignore"),
]


def _requests(pipeline: GaitCrafterPipeline, count: int) -> list[SampleRequest]:
    names, conditions = pipeline.identities, ("nm", "bg", "cl")
    return [SampleRequest({names[n]: 1.0}, conditions[n % 3], 18.0 * (n % 11), seed=n) for n in range(count)]


@pytest.mark.parametrize("precision", ["fp32", "bf16"])
def test_a_clip_is_the_same_alone_and_among_others_and_nearly_that_of_a_cpu(precision: str) -> None:
    pipeline = GaitCrafterPipeline.from_pretrained("bundled")
    requests = _requests(pipeline, 200)
    on_cpu = pipeline(requests[:4], frames=50).clips
    pipeline.to("cuda")
    together = pipeline(requests, frames=50, precision=precision).clips
    alone = pipeline(requests[3:4], frames=50, precision=precision).clips
    np.testing.assert_array_equal(alone[0], together[3])
    np.testing.assert_array_equal(pipeline(requests, frames=50, precision=precision, batch_size=7).clips, together)
    assert (np.abs(together[:4].astype(int) - on_cpu) > 64).mean() < 0.01


def test_outlines_are_drawn_with_the_bytes_of_a_cpu() -> None:
    sample = torch.nn.functional.avg_pool2d(torch.randn(8, 30, 64, 48), 5, 1, 2) * 4
    np.testing.assert_array_equal(postprocess(sample.cuda()), postprocess(sample))


def test_training_synthesis_and_recognition_by_command(tmp_path: Path) -> None:
    tree = tiny_tree(tmp_path / "real")
    given = ["--data", str(tree / "pkl"), "--partition", str(tree / "partition.json")]
    weights, made = tmp_path / "weights", tmp_path / "made"
    for clips in ("320", "640"):  # the second call goes on
        assert main(["train", *given, "--out", str(weights), "--max-clips", clips]) == 0
    assert main(["synthesize", "--weights", str(weights), "--novel", "2", "--takes", "1", "--out", str(made)]) == 0
    assert json.loads((made / "plan.json").read_text())["sampling"]["precision"] == "bf16"
    student = tmp_path / "student"
    assert main(["train", "--distill", str(weights), "--out", str(student), "--max-clips", "64"]) == 0
    schedule = ["--model", "gaitset", "--preset", "small", "--iterations", "3", "--no-test"]
    assert main(["recognise", "train", *given, "--out", str(tmp_path / "recogniser"), *schedule]) == 0
