"""Which of a launcher's processes this is, and which GPU is its own."""

from __future__ import annotations

import pytest
import torch

from gaitcrafter_ext.hardware import Process, pick_device, this_process


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
