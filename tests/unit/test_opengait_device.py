"""OpenGait's CUDA calls without CUDA, checkpoints that appear whole, few packages: in processes of their own."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from gaitcrafter_ext.opengait.device import prepare_environment
from tests.opengait_fakes import REPOSITORY, run_python, synthetic_set, write_tree

SCRIPT = """
import os, sys
import torch
from gaitcrafter_ext.opengait.device import patch_device, patch_saving, prepare_environment

places = [(torch.distributed, "init_process_group"), (torch, "load"), (torch.cuda, "device_count")]
places += [(torch.cuda, "set_device"), (torch.nn.parallel, "DistributedDataParallel")]
places += [(kind, name) for kind in (torch.Tensor, torch.nn.Module) for name in ("cuda", "to")]
before = [getattr(*place) for place in places]
torch.distributed.is_nccl_available = lambda: True
patch_device("cuda")
assert [getattr(*place) for place in places] == before
torch.distributed.is_nccl_available = lambda: False  # Windows
patch_device("cuda")
assert [getattr(*place) for place in places[1:]] == before[1:]
assert torch.distributed.init_process_group is not before[0]

prepare_environment("cpu")
patch_device("cpu")
patch_saving()
torch.distributed.init_process_group("nccl", init_method="env://")
assert torch.distributed.get_backend() == "gloo"
assert torch.cuda.device_count() == torch.distributed.get_world_size() == 1
assert torch.cuda.current_device() == 0
torch.cuda.set_device(0)
cuda = torch.device("cuda", 0)
leaf = torch.ones(2, requires_grad=True)
moved = leaf.cuda()
moved[0] = 3.0  # OpenGait changes what it moved in place
moved.sum().backward()
assert leaf.grad.tolist() == [0.0, 1.0]
plain = torch.ones(2)
assert plain.cuda() is plain
layer = torch.nn.Linear(2, 2)
assert layer.cuda() is layer and layer.to(device=cuda) is layer

class Passthrough(torch.nn.parallel.DistributedDataParallel):  # as OpenGait's
    def __getattr__(self, name):
        try:
            return super().__getattr__(name)
        except AttributeError:
            return getattr(self.module, name)

wrapped = Passthrough(layer, device_ids=[0], output_device=0, find_unused_parameters=True)
wrapped(plain).sum().backward()
assert layer.weight.grad is not None and wrapped.in_features == 2
norm = torch.nn.BatchNorm1d(2)
assert torch.nn.SyncBatchNorm.convert_sync_batchnorm(norm) is norm

path = sys.argv[1] + "/deep/model.pt"
torch.save({"model": layer.state_dict()}, path)
assert os.listdir(sys.argv[1] + "/deep") == ["model.pt"]
back = torch.load(path, map_location=cuda)
assert torch.equal(back["model"]["weight"], layer.weight)
class Broken:
    def __reduce__(self):
        raise RuntimeError("no")
try:
    torch.save(Broken(), path)
except RuntimeError:
    pass
assert torch.load(path)["model"].keys() == back["model"].keys()
import numpy
assert numpy.float is float
torch.distributed.destroy_process_group()
"""


def test_cuda_calls_are_answered_by_the_cpu_and_left_alone_on_cuda(tmp_path: Path) -> None:
    run_python("-W", "ignore", "-c", SCRIPT, tmp_path)


def test_one_gpu_is_chosen_where_torchrun_is_not(monkeypatch: pytest.MonkeyPatch) -> None:
    alone, launched = {"CUDA_VISIBLE_DEVICES": "3,4"}, {"CUDA_VISIBLE_DEVICES": "3,4", "WORLD_SIZE": "2"}
    for variables in (alone, launched):
        monkeypatch.setattr(os, "environ", variables)
        prepare_environment("auto")
    process = {"RANK": "0", "LOCAL_RANK": "0", "WORLD_SIZE": "1", "MASTER_ADDR": "127.0.0.1"}
    devices = {"CUDA_VISIBLE_DEVICES": "3", "GAITCRAFTER_VISIBLE_DEVICES": "3,4"}  # all, for clips on demand
    assert alone == {**process, **devices, "MASTER_PORT": alone["MASTER_PORT"]}
    assert launched["CUDA_VISIBLE_DEVICES"] == "3,4"


# Every other dependency that the package declares; and what those bring.
BARRED = ("accelerate", "cv2", "diffusers", "huggingface_hub", "safetensors", "tensorboard", "tqdm")
BARRED += ("scipy", "sklearn", "kornia", "matplotlib", "jinja2")

LIGHT = f"""
import importlib, pkgutil, sys
class Barred:
    def find_spec(self, name, path=None, target=None):
        if name.split(".")[0] in {BARRED!r}:
            raise ModuleNotFoundError(f"barred: {{name}}", name=name)
sys.meta_path.insert(0, Barred())
import gaitcrafter_ext.opengait as host
from gaitcrafter_ext.cli.main import main
for module in pkgutil.iter_modules(host.__path__):
    if module.name != "dataset":  # which derives from OpenGait's own
        importlib.import_module("gaitcrafter_ext.opengait." + module.name)
assert not set({BARRED!r}) & set(sys.modules)
sys.exit(main(sys.argv[1:]))
"""


def test_opengait_and_the_merge_tool_need_few_packages(tmp_path: Path) -> None:
    write_tree(tmp_path, ("sim-001", "sim-002", "sim-003"), ("nm-01",), test=1)
    synthetic_set(tmp_path / "syn", {"syn-0001": {"sim-001": 0.5, "sim-002": 0.5}})
    arguments = ["merge", "--real", "pkl", "--partition", "partition.json", "--dataset", "simulated"]
    arguments += ["--synthetic", "syn", "--out", "merged"]
    script = f"import sys; sys.path.insert(0, {str(REPOSITORY)!r})\n{LIGHT}"
    done = run_python("-c", script, *arguments, cwd=tmp_path)
    assert "class_num: 3  (1 of them novel; 1 people to test, all real)" in done.stdout
