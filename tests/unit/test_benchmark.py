"""The benchmark's arithmetic, order of turns, report and workers; how fast anything is, no test asks."""

from __future__ import annotations

import importlib
import io
import json
from itertools import count
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import nn
from torch.utils.flop_counter import FlopCounterMode

from gaitcrafter_ext.benchmarks import denoisers
from gaitcrafter_ext.benchmarks.child import Child
from gaitcrafter_ext.benchmarks.convolutions import SHAPES, Convolutions, operations
from gaitcrafter_ext.benchmarks.denoisers import DenoiserWork
from gaitcrafter_ext.benchmarks.race import PRECISIONS, Race, run_race, turns, usual_precisions
from gaitcrafter_ext.benchmarks.report import describe
from gaitcrafter_ext.benchmarks.results import CONVOLUTION, OPENGAIT, OURS, PEERS, Benchmark, Contender, Machine, Rate
from gaitcrafter_ext.benchmarks.timing import Stopwatch, timed_rate
from gaitcrafter_ext.benchmarks.worker import MAKERS, make_subject, serve
from gaitcrafter_ext.errors import DataError, MissingError
from gaitcrafter_ext.generator.config import TrainingConfig
from gaitcrafter_ext.generator.shape import TILE

BATCH = {"training": 16, "sampling": 8}


def a_benchmark() -> Benchmark:
    """Ours at 100 clips/s of 4 GFLOP, a peer at 0.5 of 120, on a machine of 1000 GFLOP/s."""
    return Benchmark(
        Machine("a processor", 2, 2, "2.0", 0.1),
        (Contender(OURS, "GaitUNet (ours)", 8_000_000, BATCH), Contender(PEERS[0], "Unet3D", 9_000_000, BATCH)),
        (
            Rate(CONVOLUTION, CONVOLUTION, "bf16", (900.0, 1000.0, 1100.0), 1.0),
            Rate(OURS, "sampling", "bf16", (50.0, 100.0, 400.0), 4.0),
            Rate(PEERS[0], "sampling", "bf16", (0.6, 0.5, 0.1), 120.0),
        ),
        {"bf16": 0.85},
        ("diffusers is not there",),
    )


def test_ratios_and_shares_follow_from_the_medians() -> None:
    found = a_benchmark()
    ours, peer = found.rates[1:]
    assert found.speedup(peer) == pytest.approx(200)
    assert found.work_ratio(peer) == pytest.approx(30)
    assert found.share_of_machine(ours) == pytest.approx(0.4)
    assert found.share_of_machine(peer) == pytest.approx(0.06)


def test_without_ours_or_the_roof_there_is_no_ratio() -> None:
    peer = a_benchmark().rates[2]
    alone = Benchmark(a_benchmark().machine, (), (peer,))
    assert (alone.speedup(peer), alone.work_ratio(peer), alone.share_of_machine(peer)) == (None, None, None)


def test_opengaits_recognisers_are_set_beside_ours_of_the_same_name() -> None:
    ours, other = (
        Rate(name, "recognition", "fp32", (rate,), 10.0) for name, rate in (("gaitset", 3.0), ("gaitbase", 7))
    )
    theirs = Rate(OPENGAIT["gaitset"], "recognition", "fp32", (1.0,), 20.0)
    found = Benchmark(a_benchmark().machine, (), (ours, other, theirs))
    assert (found.speedup(theirs), found.work_ratio(theirs)) == (3.0, 2.0)
    assert found.speedup(ours) is None


def test_the_report_has_each_ratio_beside_its_cause() -> None:
    text = describe(a_benchmark())
    row = next(line.split() for line in text.splitlines() if "Unet3D" in line)
    assert row == ["Unet3D", "9.0", "M", "8", "0.5", "0.1-0.6", "120", "60", "6%", "200x", "30.0x"]
    for said in ("pixel folding", "is not measured", "bf16 1000 GFLOP/s", "batch 16: bf16 0.85 GB", "note: diffusers"):
        assert said in text


def test_json_carries_the_derived_figures() -> None:
    rates = json.loads(json.dumps(a_benchmark().to_json()))["rates"]
    assert [rate["speedup_of_ours"] for rate in rates] == [None, None, pytest.approx(200)]
    assert rates[1]["share_of_machine"] == pytest.approx(0.4)


def test_turns_alternate_between_contenders() -> None:
    names = [CONVOLUTION, OURS, *PEERS]
    order = list(turns(Race(("training", "sampling"), repeats=3), names))
    assert len(order) == 3 * len(PRECISIONS) * (1 + 2 * 3)
    first = order[:7]
    assert first[0] == (CONVOLUTION, CONVOLUTION, "fp32")
    assert [name for name, _, _ in first[1:]] == [OURS, *PEERS] * 2
    assert order == first + order[7:14] + (first + order[7:14]) * 2


def test_timed_rate_counts_units_until_the_time_is_over() -> None:
    clock = count()
    assert timed_rate(lambda: 4.0, seconds=3, clock=lambda: float(next(clock))) == pytest.approx(4.0)


def test_operations_are_those_that_torch_counts() -> None:
    images, channels, rows, columns = SHAPES[0]
    layer = nn.Conv2d(channels, channels, 3, padding=1, bias=False, device="meta")
    with FlopCounterMode(display=False) as counter:
        layer(torch.empty(images, channels, rows, columns, device="meta"))
    assert counter.get_total_flops() == operations(SHAPES[0])


@pytest.mark.parametrize("precision", PRECISIONS)
def test_work_trains_and_samples_in_the_precision_asked_for(precision: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(denoisers, "FRAMES", 2)
    layer, seen = nn.Linear(48, 48), list[tuple[int, torch.dtype, bool]]()

    def denoise(clips: torch.Tensor) -> torch.Tensor:
        answer: torch.Tensor = layer(clips)
        seen.append((len(clips), answer.dtype, answer.requires_grad))
        return answer

    watch = Stopwatch(Contender("layer", "a layer", 0, BATCH), DenoiserWork(layer, denoise, BATCH).works)
    before, dtype = layer.weight.detach().clone(), torch.bfloat16 if precision == "bf16" else torch.float32
    _, gflop_of_training = watch.measure("training", precision, 0)
    _, gflop_of_sampling = watch.measure("sampling", precision, 0)
    assert seen == [(16, dtype, True)] * 2 + [(8, dtype, False)] * 2
    assert not torch.equal(layer.weight, before)
    assert gflop_of_sampling * 1e9 == 2 * 2 * 64 * 48 * 48
    assert gflop_of_training == pytest.approx(2 * gflop_of_sampling)  # a first layer passes no gradient on


def test_a_worker_answers_a_request_a_line(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("gaitcrafter_ext.benchmarks.convolutions.SHAPES", ((1, 8, 4, 4),))
    answers: list[dict[str, Any]] = []
    request = json.dumps({"task": CONVOLUTION, "precision": "fp32", "seconds": 0.0})
    serve(Convolutions, io.StringIO(f"{request}\n"), answers.append)
    assert answers[0]["name"] == CONVOLUTION
    assert answers[1]["rate"] > 0
    assert answers[1]["peak_gb"] > 0.01


def test_a_peer_that_is_not_installed_says_how_to_get_it(tmp_path: Path) -> None:
    with pytest.raises(MissingError, match=r"video-diffusion-pytorch is not measured: .*`make bench` brings"):
        Child(PEERS[0], threads=1, folder=tmp_path)


def test_without_a_checkout_opengaits_recognisers_are_left_out(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("OPENGAIT_ROOT", raising=False)
    monkeypatch.setenv("GAITCRAFTER_CACHE", str(tmp_path))
    with pytest.raises(MissingError, match="opengait-gaitset is not measured: no OpenGait checkout named"):
        Child(OPENGAIT["gaitset"], threads=1)


def test_a_worker_that_dies_is_reported_with_its_last_words() -> None:
    with pytest.raises(DataError, match="KeyError: 'nobody'"):
        Child("nobody", threads=1)


class Scripted:
    """A child without a process: the peer that is missing, the one that fails, ours."""

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


def test_a_race_goes_on_without_peers_that_are_missing_or_fail(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("gaitcrafter_ext.benchmarks.race.Child", Scripted)
    found = run_race(Race(("training",), repeats=2))
    assert found.notes == ("not installed", "killed")
    assert [(rate.contender, rate.precision, len(rate.repetitions)) for rate in found.rates] == [
        (CONVOLUTION, "fp32", 2),
        (OURS, "fp32", 2),
        (PEERS[1], "fp32", 1),
        (CONVOLUTION, "bf16", 2),
        (OURS, "bf16", 2),
    ]
    assert found.memory_gb == {"fp32": 0.5, "bf16": 0.5}


def test_bf16_is_left_out_where_the_processor_imitates_it(monkeypatch: pytest.MonkeyPatch) -> None:
    for there, usual in ((True, PRECISIONS), (False, ("fp32",))):
        monkeypatch.setattr("gaitcrafter_ext.benchmarks.race.multiplies_bfloat16", lambda device, there=there: there)
        assert usual_precisions() == usual


@pytest.mark.parametrize("name", MAKERS)
def test_every_contender_has_a_maker(name: str) -> None:
    module, maker = MAKERS[name]
    assert callable(getattr(importlib.import_module(f"gaitcrafter_ext.benchmarks.{module}"), maker))


def test_our_denoiser_is_measured_at_its_default_size_and_batches() -> None:
    contender = make_subject(OURS, torch.get_num_threads()).contender
    assert 8.0e6 < contender.parameters < 10.0e6
    assert contender.batch == {"training": TrainingConfig().batch_size, "sampling": TILE}
