"""Two processes under torchrun train one model; slow, since each process loads torch."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from gaitcrafter_ext.generator.weights import read_card
from tests.e2e.test_train_command import CONFIG
from tests.tiny import tiny_tree

ROOT = Path(__file__).parents[2]

#: Runs the command line, then writes each process's own averaged weights beside the tree, and which clips it packed.
PROBE = """
import os, sys, torch
from pathlib import Path
from gaitcrafter_ext.cli.main import main
from gaitcrafter_ext.generator import data
from gaitcrafter_ext.generator.training import Trainer

run, pack = Trainer.run, data._pack

def packed(*args):
    Path(f"packed-{os.environ['RANK']}-{args[-1].name}").touch()
    return pack(*args)

def ran(trainer, *args):
    yield from run(trainer, *args)
    raw = trainer.accelerator.unwrap_model(trainer.denoiser)
    own = {"ema": trainer.averaged().state_dict(), "raw": raw.state_dict()}
    torch.save(own, f"rank-{os.environ['RANK']}.pt")

Trainer.run, data._pack = ran, packed
sys.exit(main(["train", *sys.argv[1:]]))
"""


@pytest.mark.slow
def test_two_processes_train_one_model_and_stop_together(tmp_path: Path) -> None:
    import torch

    tree = tiny_tree(tmp_path)
    (tree / "config.yaml").write_text(CONFIG)
    (tree / "probe.py").write_text(PROBE)
    launcher = [sys.executable, "-m", "torch.distributed.run", "--standalone", "--nproc_per_node=2", "probe.py"]
    options = ["--data", "pkl", "--partition", "partition.json", "--config", "config.yaml", "--out", "weights"]
    done = subprocess.run(
        [*launcher, *options, "--max-minutes", "0.05", "--max-clips", "1000000"],
        cwd=tree,
        env={**os.environ, "PYTHONPATH": str(ROOT), "OMP_NUM_THREADS": "1", "ACCELERATE_USE_CPU": "true"},
        capture_output=True,
        text=True,
        timeout=300,
    )
    assert done.returncode == 0, done.stderr[-2000:]
    assert done.stdout.count("fingerprint") == 1
    packed = [path.name.split("-", 2)[2] for path in tree.glob("packed-*")]
    assert len(packed) == len(set(packed)) == 2  # clips to train on, and held-out ones
    assert [path.name for path in (tree / "weights" / "training").glob("clips-*")] == ["clips-0.lock"]
    first, second = (torch.load(tree / f"rank-{rank}.pt", weights_only=True) for rank in range(2))
    for kind in ("ema", "raw"):
        assert all(torch.equal(second[kind][name], value) for name, value in first[kind].items())
    assert not all(torch.equal(first["ema"][name], value) for name, value in first["raw"].items())
    clips = read_card(tree / "weights").training["clips"]
    assert clips > 0
    assert clips % 4 == 0
