"""Which of a launcher's processes this is, which GPU is its own, and how it computes."""

from __future__ import annotations

import os
import subprocess
import sys
from itertools import product
from pathlib import Path

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


#: Of a torchvision, what it says, and what is imported beside it.
BUILDS = {
    "lacks its operators": (  # fails until there is the operator that its compiled half would bring
        "import torch; torch.library.register_fake('torchvision::nms')(lambda *_: None)",
        "from gaitcrafter_ext.torchvision_build import patch_torchvision as patch; print(patch() and patch())",
        "",
    ),
    "does not load": (
        "raise RuntimeError('operator torchvision::nms does not exist')",
        "import gaitcrafter_ext.generator.pipeline; print(True)",
        "torchvision is installed but does not load with this torch",
    ),
}


@pytest.mark.slow
@pytest.mark.parametrize("build", BUILDS)
def test_a_torchvision_that_lacks_only_its_operators_is_used_and_any_other_left_out(tmp_path: Path, build: str) -> None:
    body, code, said = BUILDS[build]
    for name, file, text in (
        ("torchvision", "__init__.py", body),
        ("torchvision-0.99.0.dist-info", "METADATA", "Metadata-Version: 2.1\nName: torchvision\nVersion: 0.99.0\n"),
    ):
        (tmp_path / name).mkdir()
        (tmp_path / name / file).write_text(text)
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join([str(tmp_path), *sys.path])}
    done = subprocess.run([sys.executable, "-c", code], env=environment, capture_output=True, text=True)
    assert (done.returncode, done.stdout) == (0, "True\n"), done.stderr
    assert said in done.stderr
