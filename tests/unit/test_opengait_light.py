"""What joins an old OpenGait environment needs torch, numpy, yaml and pydantic, nothing else of ours."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

from tests.opengait_fakes import REPOSITORY, synthetic_set, write_tree

# Every other dependency that the package declares; and what those bring.
BARRED = ("accelerate", "cv2", "diffusers", "huggingface_hub", "safetensors", "tensorboard", "tqdm")
BARRED += ("scipy", "sklearn", "kornia", "matplotlib", "jinja2")

SCRIPT = f"""
import importlib, pkgutil, sys
class Barred:
    def find_spec(self, name, path=None, target=None):
        if name.split(".")[0] in {BARRED!r}:
            raise ModuleNotFoundError(f"barred: {{name}}", name=name)
sys.meta_path.insert(0, Barred())
import gaitcrafter_ext.opengait as host
from gaitcrafter_ext.cli.main import main
for module in pkgutil.iter_modules(host.__path__):
    # dataset derives from OpenGait's own; generate runs where the generator lives.
    if module.name not in ("dataset", "generate"):
        importlib.import_module("gaitcrafter_ext.opengait." + module.name)
assert not set({BARRED!r}) & set(sys.modules)
sys.exit(main(sys.argv[1:]))
"""


def test_opengait_and_the_merge_tool_need_few_packages(tmp_path: Path) -> None:
    write_tree(tmp_path, ("sim-001", "sim-002", "sim-003"), ("nm-01",), test=1)
    synthetic_set(tmp_path / "syn", {"syn-0001": {"sim-001": 0.5, "sim-002": 0.5}})
    arguments = ["merge", "--real", "pkl", "--partition", "partition.json", "--dataset", "simulated"]
    arguments += ["--synthetic", "syn", "--out", "merged"]
    command = [sys.executable, "-c", f"import sys; sys.path.insert(0, {str(REPOSITORY)!r})\n{SCRIPT}", *arguments]
    done = subprocess.run(command, capture_output=True, text=True, cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    assert "class_num: 3  (1 of them novel; 1 people to test, all real)" in done.stdout
