"""Equal seeds give equal clips on another machine: 99.9 % of pixels within 2 grey levels.

The stored clips were made once, by ``tiny_generator.py``; other processors are stood in for by telling torch and oneDNN
to use fewer instructions than this one has.
"""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

import gaitcrafter_ext
from gaitcrafter_ext.generator.weights import CARD_NAME
from tests.golden.tiny_generator import STORED, sample_all, worst_share

SHARE = 0.999
PACKAGED = Path(gaitcrafter_ext.__file__).parent / "generator" / "bundled"
SCRIPT = Path(__file__).with_name("tiny_generator.py")


def load(path: Path) -> dict[str, NDArray[np.uint8]]:
    with np.load(path) as stored:
        return {name: stored[name] for name in stored.files}


def test_clips_are_those_stored_from_another_machine() -> None:
    assert worst_share(sample_all(), load(STORED)) >= SHARE


def test_the_measure_sees_a_few_wrong_pixels() -> None:
    stored = load(STORED)
    wrong = {name: clips.copy() for name, clips in stored.items()}
    wrong["unipc"][1, :, 10, 10:15] ^= 128  # 5 of 4096 pixels of each frame
    assert worst_share(stored, stored) == 1.0
    assert worst_share(wrong, stored) < SHARE


MACHINES = {
    "no vectors": {"ATEN_CPU_CAPABILITY": "default", "ONEDNN_MAX_CPU_ISA": "SSE41"},
    "AVX2": {"ATEN_CPU_CAPABILITY": "avx2", "ONEDNN_MAX_CPU_ISA": "AVX2"},
    "two threads": {"OMP_NUM_THREADS": "2"},
}


def sample_on(machine: dict[str, str], out: Path, *what: str) -> dict[str, NDArray[np.uint8]]:
    environment = {**os.environ, "PYTHONPATH": str(SCRIPT.parents[2]), **machine}
    subprocess.run([sys.executable, str(SCRIPT), str(out), *what], env=environment, check=True)
    return load(out)


@pytest.mark.slow
@pytest.mark.parametrize("machine", MACHINES)
def test_clips_are_the_same_on_another_processor(machine: str, tmp_path: Path) -> None:
    assert worst_share(sample_on(MACHINES[machine], tmp_path / "clips.npz"), load(STORED)) >= SHARE


@pytest.mark.slow
@pytest.mark.skipif(not (PACKAGED / CARD_NAME).is_file(), reason="no weights are bundled")
@pytest.mark.parametrize("machine", ["AVX2", "two threads"])
def test_clips_of_the_bundled_weights_are_the_same_on_another_processor(machine: str, tmp_path: Path) -> None:
    here = sample_on({"OMP_NUM_THREADS": "1"}, tmp_path / "here.npz", "bundled")
    there = sample_on(MACHINES[machine], tmp_path / "there.npz", "bundled")
    assert worst_share(there, here) >= SHARE
