"""The benchmarks' arithmetic, rounds, report, workers and trees; how fast anything is, no test asks."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
import torch
from torch import nn

from gaitcrafter_ext.benchmarks import contenders, scale
from gaitcrafter_ext.benchmarks.contenders import MAKERS, denoiser, measure
from gaitcrafter_ext.benchmarks.speed import RIVALS, Rate, Report, Worker
from gaitcrafter_ext.errors import DataError, MissingError

OURS, UNET3D = "gaitcrafter", RIVALS["gaitcrafter"][0]


def test_the_report_has_each_ratio_beside_its_cause() -> None:
    ours = Rate(OURS, "sampling", "GaitUNet (ours)", 8_000_000, 8, (50.0, 100.0, 400.0), 4.0)
    peer = Rate(UNET3D, "sampling", "Unet3D", 9_000_000, 1, (0.6, 0.5, 0.1), 120.0)
    found = Report({"threads": 2}, (ours, peer), ("diffusers is not there",))
    assert (found.ratios(ours), found.ratios(peer)) == (None, (200, 30))
    assert [rate["work_ratio"] for rate in json.loads(json.dumps(found.to_json()))["rates"]] == [None, 30.0]
    row = next(line.split() for line in str(found).splitlines() if "Unet3D" in line)
    assert row == ["Unet3D", "9.0", "M", "1", "0.5", "0.1-0.6", "120", "speed", "200x,", "GFLOP", "30.0x"]
    for said in ("patches", "is not measured", "threads 2", "note: diffusers"):
        assert said in str(found)


@pytest.mark.parametrize("precision", ["float32", "bfloat16"])
def test_denoisers_train_and_sample_in_the_precision_asked_for(precision: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(contenders, "FRAMES", 2)
    layer, seen = nn.Linear(48, 48), list[tuple[int, torch.dtype, bool]]()

    def denoise(clips: torch.Tensor) -> torch.Tensor:
        answer: torch.Tensor = layer(clips)
        seen.append((len(clips), answer.dtype, answer.requires_grad))
        return answer

    before = layer.weight.detach().clone()
    made = denoiser("a layer", layer, denoise, {"training": 16, "sampling": 8})
    monkeypatch.setitem(MAKERS, f"layer-{precision}", lambda: made)
    (rate, training), (_, sampling) = (measure(f"layer-{precision}", task, precision, 0) for task in made.step)
    assert rate > 0
    assert seen == [(16, getattr(torch, precision), True)] * 2 + [(8, getattr(torch, precision), False)] * 2
    assert not torch.equal(layer.weight, before)
    assert sampling * 1e9 == 2 * 2 * 64 * 48 * 48
    assert training == pytest.approx(2 * sampling)  # a first layer passes no gradient on


@pytest.mark.slow
def test_what_cannot_be_measured_is_reported_with_its_reason(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("OPENGAIT_ROOT", raising=False)
    monkeypatch.setenv("GAITCRAFTER_CACHE", str(tmp_path))
    with pytest.raises(MissingError, match=r"video-diffusion-pytorch is not measured: .*`make bench` brings"):
        Worker(UNET3D, threads=1, folder=tmp_path)
    with pytest.raises(MissingError, match="OpenGait's gaitset is not measured: no OpenGait checkout named"):
        Worker("opengait-gaitset", threads=1)
    with pytest.raises(DataError, match="the measurement of unknown failed: KeyError: 'unknown'"):
        Worker("unknown", threads=1)


def test_every_task_of_the_scale_benchmark_counts_all(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for size, whole_size in (("oumvlp", (10_307, 288_596)), ("grew", (26_345, 128_671))):
        whole, folder = scale.SIZES[size], tmp_path / size
        monkeypatch.setitem(scale.SIZES, size, scale.Size(12, 2, whole.clips, novel=2))
        scale.build(folder, scale.SIZES[size])
        clips = len(list(scale.SIZES[size].keys()))
        for task, count in (("list", clips), ("verify", clips), ("partition", 14)):
            assert scale.TASKS[task](size, folder) == count
        assert scale.TASKS["recognise"](size, folder) == clips + 40
        assert scale.TASKS["plan"](size, folder) == (12 + 2) * (14 if size == "oumvlp" else 1)
        assert (whole.train + whole.test, len(list(whole.keys()))) == whole_size
    assert [cost.count for cost in scale.measure_scale("grew", folder, ("partition",))] == [14]
