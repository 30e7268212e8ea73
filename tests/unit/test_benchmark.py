"""The benchmarks' arithmetic, rounds, report, workers and trees; how fast anything is, no test asks."""

from __future__ import annotations

import json
from itertools import count
from pathlib import Path

import pytest
import torch
from torch import nn

from gaitcrafter_ext.benchmarks import contenders, scale, speed
from gaitcrafter_ext.benchmarks.contenders import MAKERS, denoiser, timed_rate
from gaitcrafter_ext.benchmarks.speed import (
    OPENGAIT,
    OURS,
    PEERS,
    PRECISIONS,
    Contender,
    Rate,
    Report,
    Worker,
    measure_speed,
    rounds,
    usual_precisions,
)
from gaitcrafter_ext.errors import DataError, MissingError
from gaitcrafter_ext.generator.config import TrainingConfig

BATCH = {"training": 16, "sampling": 8}
MACHINE = {"processor": "a processor", "cores": 2, "threads": 2, "torch": "2.0", "load": 0.1}


def a_report() -> Report:
    """Ours at 100 clips/s of 4 GFLOP, a peer at 0.5 of 120."""
    return Report(
        MACHINE,
        (Contender(OURS, "GaitUNet (ours)", 8_000_000, BATCH), Contender(PEERS[0], "Unet3D", 9_000_000, BATCH)),
        (
            Rate(OURS, "sampling", "bf16", (50.0, 100.0, 400.0), 4.0),
            Rate(PEERS[0], "sampling", "bf16", (0.6, 0.5, 0.1), 120.0),
        ),
        {"bf16": 0.85},
        ("diffusers is not there",),
    )


def test_ratios_follow_from_the_medians_where_there_is_something_to_compare_with() -> None:
    found = a_report()
    ours, peer = (found.ratios(rate) for rate in found.rates)
    assert list(ours.values()) == [None, None]
    assert list(peer.values()) == [200, 30]
    gaitset = Rate("gaitset", "recognition", "fp32", (3.0,), 10.0)
    theirs = Rate(OPENGAIT["gaitset"], "recognition", "fp32", (1.0,), 10.0)
    assert Report(MACHINE, (), (gaitset, theirs)).ratios(theirs)["speedup_of_ours"] == 3.0
    assert [rate["work_ratio"] for rate in json.loads(json.dumps(found.to_json()))["rates"]] == [None, 30.0]


def test_the_report_has_each_ratio_beside_its_cause() -> None:
    text = str(a_report())
    row = next(line.split() for line in text.splitlines() if "Unet3D" in line)
    assert row == ["Unet3D", "9.0", "M", "8", "0.5", "0.1-0.6", "120", "200x", "30.0x"]
    for said in ("patches", "is not measured", "batch 16: bf16 0.85 GB", "note: diffusers"):
        assert said in text


def test_rounds_alternate_between_contenders() -> None:
    order = list(rounds(("training", "sampling"), PRECISIONS, 3, [OURS, *PEERS]))
    assert [name for name, _, _ in order[:6]] == [OURS, *PEERS] * 2
    assert order == order[:12] * 3


def test_timed_rate_counts_units_until_the_time_is_over() -> None:
    clock = count()
    assert timed_rate(lambda: 4.0, seconds=3, clock=lambda: float(next(clock))) == pytest.approx(4.0)


@pytest.mark.parametrize("precision", PRECISIONS)
def test_denoisers_train_and_sample_in_the_precision_asked_for(precision: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(contenders, "FRAMES", 2)
    layer, seen = nn.Linear(48, 48), list[tuple[int, torch.dtype, bool]]()

    def denoise(clips: torch.Tensor) -> torch.Tensor:
        answer: torch.Tensor = layer(clips)
        seen.append((len(clips), answer.dtype, answer.requires_grad))
        return answer

    watch = denoiser("layer", "a layer", layer, denoise, BATCH)
    before, dtype = layer.weight.detach().clone(), torch.bfloat16 if precision == "bf16" else torch.float32
    _, gflop_of_training = watch.measure("training", precision, 0)
    _, gflop_of_sampling = watch.measure("sampling", precision, 0)
    assert seen == [(16, dtype, True)] * 2 + [(8, dtype, False)] * 2
    assert not torch.equal(layer.weight, before)
    assert gflop_of_sampling * 1e9 == 2 * 2 * 64 * 48 * 48
    assert gflop_of_training == pytest.approx(2 * gflop_of_sampling)  # a first layer passes no gradient on


@pytest.mark.slow
def test_what_cannot_be_measured_is_reported_with_its_reason(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("OPENGAIT_ROOT", raising=False)
    monkeypatch.setenv("GAITCRAFTER_CACHE", str(tmp_path))
    with pytest.raises(MissingError, match=r"video-diffusion-pytorch is not measured: .*`make bench` brings"):
        Worker(PEERS[0], threads=1, folder=tmp_path)
    with pytest.raises(MissingError, match="opengait-gaitset is not measured: no OpenGait checkout named"):
        Worker(OPENGAIT["gaitset"], threads=1)
    with pytest.raises(DataError, match="the measurement of unknown failed: KeyError: 'unknown'"):
        Worker("unknown", threads=1)


class Scripted:
    """A worker without a process: the peer that is missing, the one that fails, ours."""

    torch = "2.0"

    def __init__(self, name: str, threads: int, folder: Path | None = None) -> None:
        if name == PEERS[0]:
            raise MissingError("not installed")
        self.contender = Contender(name, name, 1, BATCH)

    def measure(self, task: str, precision: str, seconds: float) -> dict[str, float]:
        if self.contender.name == PEERS[1] and precision == "bf16":
            raise DataError("killed")
        return {"rate": 1.0, "gflop": 2.0, "peak_gb": 0.5}

    def __enter__(self) -> Scripted:
        return self

    def __exit__(self, *_: object) -> None:
        return


def test_a_run_goes_on_without_peers_that_are_missing_or_fail(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(speed, "Worker", Scripted)
    found = measure_speed(("training",), PRECISIONS, repeats=2)
    assert found.notes == ("not installed", "killed")
    assert [(rate.contender, rate.precision, len(rate.repetitions)) for rate in found.rates] == [
        (OURS, "fp32", 2),
        (PEERS[1], "fp32", 1),
        (OURS, "bf16", 2),
    ]
    assert found.memory_gb == {"fp32": 0.5, "bf16": 0.5}


def test_bf16_is_left_out_where_the_processor_imitates_it(monkeypatch: pytest.MonkeyPatch) -> None:
    for there, usual in ((True, PRECISIONS), (False, ("fp32",))):
        monkeypatch.setattr(speed, "multiplies_bfloat16", lambda device, there=there: there)
        assert usual_precisions() == usual


def test_our_networks_are_measured_at_their_default_sizes_and_batches() -> None:
    contender = MAKERS[OURS]().contender
    assert 8.0e6 < contender.parameters < 10.0e6
    assert contender.batch["training"] == TrainingConfig().batch_size
    assert MAKERS["gaitset"]().contender.batch == {"recognition": 32}


@pytest.mark.parametrize("size", ["oumvlp", "grew"])
def test_every_task_of_the_scale_benchmark_counts_what_is_there(
    size: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    whole = scale.SIZES[size]
    monkeypatch.setitem(scale.SIZES, size, scale.Size(12, 2, whole.clips, novel=2))
    scale.build(tmp_path, scale.SIZES[size])
    clips = len(list(scale.SIZES[size].keys()))
    assert {name: scale.TASKS[name](size, tmp_path) for name in ("list", "verify", "partition")} == {
        "list": clips,
        "verify": clips,
        "partition": 14,
    }
    assert [cost.count for cost in scale.measure_scale(size, tmp_path, ("partition",))] == [14]
    assert scale.TASKS["recognise"](size, tmp_path) == clips + 40
    assert scale.TASKS["plan"](size, tmp_path) == (12 + 2) * (14 if size == "oumvlp" else 1)
    assert (whole.train + whole.test, len(list(whole.keys()))) in ((10_307, 288_596), (26_345, 128_671))
