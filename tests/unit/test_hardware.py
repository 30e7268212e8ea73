"""Which of a launcher's processes this is, which GPU is its own, and how it computes."""

from __future__ import annotations

from itertools import product

import pytest
import torch

from gaitcrafter_ext.hardware import Process, multiplies_bfloat16, pick_device, resolve_precision, this_process


def test_the_place_among_a_launchers_processes_picks_the_gpu(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("RANK", "WORLD_SIZE", "LOCAL_RANK", "SLURM_STEP_NUM_TASKS"):
        monkeypatch.delenv(name, raising=False)
    for name, value in {"SLURM_PROCID": "5", "SLURM_NTASKS": "8", "SLURM_LOCALID": "1"}.items():
        monkeypatch.setenv(name, value)
    assert this_process() == Process(0, 1, 0)  # a batch script, which is one process
    monkeypatch.setenv("SLURM_STEP_NUM_TASKS", "8")  # srun
    assert this_process() == Process(5, 8, 1)
    for name, value in {"RANK": "3", "WORLD_SIZE": "4", "LOCAL_RANK": "3"}.items():
        monkeypatch.setenv(name, value)
    assert this_process() == Process(3, 4, 3)  # torchrun within srun
    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    monkeypatch.setattr(torch.cuda, "device_count", lambda: 2)
    monkeypatch.setattr(torch.backends.mps, "is_available", lambda: False)
    assert pick_device("auto") == torch.device("cuda", 1)


def test_bfloat16_is_chosen_where_the_processor_multiplies_it(monkeypatch: pytest.MonkeyPatch) -> None:
    cpu = torch.device("cpu")
    for avx512, amx in product((True, False), repeat=2):
        monkeypatch.setattr(torch.cpu, "_is_avx512_bf16_supported", lambda found=avx512: found, raising=False)
        monkeypatch.setattr(torch.cpu, "_is_amx_tile_supported", lambda found=amx: found, raising=False)
        assert multiplies_bfloat16("cpu") is (avx512 or amx)
        assert resolve_precision("auto", cpu) == ("bfloat16" if avx512 or amx else "float32")
    assert not multiplies_bfloat16("mps")
    assert resolve_precision("bfloat16", cpu) == "bfloat16"
