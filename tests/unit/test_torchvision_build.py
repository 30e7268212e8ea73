"""A torchvision that does not fit this torch does no harm."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

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
