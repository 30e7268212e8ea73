"""A torchvision that does not fit this torch does no harm."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

RAISES = "raise RuntimeError('operator torchvision::nms does not exist')"

#: Fails until there is the operator that its compiled half would bring.
NEEDS_THE_OPERATOR = "import torch; torch.library.register_fake('torchvision::nms')(lambda *_: None)"


def run_beside(folder: Path, body: str, code: str) -> subprocess.CompletedProcess[str]:
    """Run ``code`` where a torchvision of this ``body`` is installed."""
    for name, file, text in (
        ("torchvision", "__init__.py", body),
        ("torchvision-0.99.0.dist-info", "METADATA", "Metadata-Version: 2.1\nName: torchvision\nVersion: 0.99.0\n"),
    ):
        (folder / name).mkdir()
        (folder / name / file).write_text(text)
    paths = os.pathsep.join([str(folder), *sys.path])
    return subprocess.run(
        [sys.executable, "-c", code],
        env={**os.environ, "PYTHONPATH": paths},
        capture_output=True,
        text=True,
        check=False,
    )


@pytest.mark.slow
def test_the_generator_loads_beside_a_torchvision_that_does_not(tmp_path: Path) -> None:
    done = run_beside(tmp_path, RAISES, "import gaitcrafter_ext.generator.pipeline; print('loaded')")
    assert (done.returncode, done.stdout) == (0, "loaded\n"), done.stderr
    assert "torchvision is installed but does not load with this torch" in done.stderr


def test_a_torchvision_that_lacks_only_its_operators_is_used(tmp_path: Path) -> None:
    code = "from gaitcrafter_ext.torchvision_build import patch_torchvision as patch; print(patch(), patch())"
    done = run_beside(tmp_path, NEEDS_THE_OPERATOR, code)
    assert (done.returncode, done.stdout, done.stderr) == (0, "True True\n", "")
