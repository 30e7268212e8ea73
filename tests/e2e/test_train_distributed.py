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


@pytest.mark.slow
def test_two_processes_train_one_model_and_stop_together(tmp_path: Path) -> None:
    tree = tiny_tree(tmp_path)
    (tree / "config.yaml").write_text(CONFIG)
    launcher = [sys.executable, "-m", "torch.distributed.run", "--standalone", "--nproc_per_node=2"]
    options = ["--data", "pkl", "--partition", "partition.json", "--config", "config.yaml", "--out", "weights"]
    done = subprocess.run(
        [*launcher, str(ROOT / "tools" / "train.py"), *options, "--max-minutes", "0.05", "--max-clips", "1000000"],
        cwd=tree,
        env={**os.environ, "OMP_NUM_THREADS": "1", "ACCELERATE_USE_CPU": "true"},
        capture_output=True,
        text=True,
        timeout=300,
    )
    assert done.returncode == 0, done.stderr[-2000:]
    assert done.stdout.count("fingerprint") == 1
    card = read_card(tree / "weights")
    assert card.training["clips"] > 0
    assert card.training["clips"] % 8 == 0
