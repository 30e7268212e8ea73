"""A torchvision that does not fit this torch stands in nobody's way."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path


def test_the_generator_loads_beside_a_torchvision_of_another_build(tmp_path: Path) -> None:
    (tmp_path / "torchvision").mkdir()
    (tmp_path / "torchvision" / "__init__.py").write_text(
        "raise RuntimeError('operator torchvision::nms does not exist')"
    )
    done = subprocess.run(
        [sys.executable, "-c", "import gaitcrafter_ext.generator.pipeline, sys; print('torchvision' in sys.modules)"],
        env={**os.environ, "PYTHONPATH": os.pathsep.join([str(tmp_path), *sys.path])},
        capture_output=True,
        text=True,
        check=False,
    )
    assert (done.returncode, done.stdout.strip()) == (0, "False"), done.stderr
    assert "torchvision is installed but does not load with this torch" in done.stderr
