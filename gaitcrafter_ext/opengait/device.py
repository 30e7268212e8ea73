"""OpenGait asks for CUDA by name; on another device its calls are answered by that device, its code unchanged.

On a GPU nothing is touched: only the environment that ``torchrun`` would have set is filled in where it is missing.
"""

from __future__ import annotations

import functools
import os
import socket
import sys
import warnings
from collections.abc import Callable
from typing import Any

from gaitcrafter_ext.errors import MissingError, UsageError
from gaitcrafter_ext.silhouettes.files import atomic_write

__all__ = [
    "DEVICES",
    "VISIBLE_VARIABLE",
    "choose_device",
    "is_first_process",
    "notify",
    "patch_device",
    "patch_saving",
    "prepare_environment",
    "world_size",
]

#: Keeps what ``CUDA_VISIBLE_DEVICES`` was before OpenGait was given one GPU; ``all`` where it was not set.
VISIBLE_VARIABLE = "GAITCRAFTER_VISIBLE_DEVICES"

#: What ``--device`` may say.
DEVICES = ("auto", "cpu", "cuda", "mps")


def world_size() -> int:
    """Number of processes of this run, as ``torchrun`` says; 1 without it."""
    return int(os.environ.get("WORLD_SIZE", "1"))


def is_first_process() -> bool:
    """Whether this is rank 0, or the only process."""
    return os.environ.get("RANK", "0") == "0"


def notify(message: str, every_process: bool = False) -> None:
    """Print ``gaitcrafter: message`` on stderr; unless for ``every_process``, rank 0 alone does."""
    if every_process or is_first_process():
        print(f"gaitcrafter: {' '.join(message.split())}", file=sys.stderr, flush=True)


def prepare_environment(device: str = "auto") -> None:
    """Set what ``torchrun`` sets where it did not; must be called before CUDA is started."""
    if "WORLD_SIZE" not in os.environ and device in ("auto", "cuda"):
        # OpenGait refuses more GPUs than processes.
        visible = os.environ.get("CUDA_VISIBLE_DEVICES")
        if visible is None or "," in visible:
            os.environ[VISIBLE_VARIABLE] = "all" if visible is None else visible
            os.environ["CUDA_VISIBLE_DEVICES"] = (visible or "0").split(",")[0]
    for name, value in (("RANK", "0"), ("LOCAL_RANK", "0"), ("WORLD_SIZE", "1"), ("MASTER_ADDR", "127.0.0.1")):
        os.environ.setdefault(name, value)
    if "MASTER_PORT" not in os.environ:
        os.environ["MASTER_PORT"] = str(_free_port())


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def choose_device(wanted: str) -> str:
    """``"cpu"``, ``"cuda"`` or ``"mps"``; refused where this machine, or this build of torch, lacks it."""
    import torch

    if wanted not in DEVICES:
        raise UsageError(f"--device: unknown '{wanted}'; allowed: {', '.join(DEVICES)}")
    mps = getattr(torch.backends, "mps", None)
    there = {"cpu": True, "cuda": torch.cuda.is_available(), "mps": mps is not None and mps.is_available()}
    if wanted == "auto":
        return next(name for name in ("cuda", "mps", "cpu") if there[name])
    if not there[wanted]:
        raise MissingError(f"--device {wanted}: torch {torch.__version__} finds none here; use --device auto or cpu")
    return wanted


def patch_device(device: str) -> None:
    """Let OpenGait's CUDA calls mean ``device`` from now on; on ``"cuda"`` only what Windows lacks is replaced."""
    import torch

    if device != "cuda" or not torch.distributed.is_nccl_available():
        _replace_backend()
    if device == "cuda":
        return
    target = torch.device(device)
    if device == "mps" and world_size() > 1:
        raise UsageError("--device mps: one process only; start without torchrun")
    warnings.filterwarnings("ignore", message=r".*(GradScaler|autocast).*")
    warnings.filterwarnings("ignore", message=r".*pin_memory.*")
    _replace_queries()
    _replace_moves(target)
    _replace_load(target)
    _replace_parallel(whole=device == "mps")
    if world_size() > 1:
        notify("batch normalisation is not synchronised on the CPU: each process normalises by its own half of a batch")


def _replace_backend() -> None:
    import torch

    original = torch.distributed.init_process_group

    @functools.wraps(original)
    def init_process_group(backend: Any = None, *args: Any, **kwargs: Any) -> Any:
        return original("gloo" if backend == "nccl" else backend, *args, **kwargs)

    torch.distributed.init_process_group = init_process_group


def _replace_queries() -> None:
    import torch

    local_rank = int(os.environ.get("LOCAL_RANK", "0"))
    cuda: Any = torch.cuda
    cuda.device_count = world_size
    cuda.current_device = lambda: local_rank
    cuda.set_device = lambda device: None


def _replace_moves(target: Any) -> None:
    """``.cuda()`` and ``.to("cuda")`` of tensors and modules go to ``target``."""
    import torch

    tensor_to, module_to = torch.Tensor.to, torch.nn.Module.to

    def to_target(tensor: Any) -> Any:
        if target.type == "mps" and tensor.dtype == torch.float64:
            tensor = tensor.float()  # there is no float64 on this device
        moved = tensor_to(tensor, target)
        # CUDA would give a copy; OpenGait changes in place what it moved.
        return moved.clone() if moved is tensor and tensor.requires_grad and tensor.is_leaf else moved

    tensor_class: Any = torch.Tensor
    module_class: Any = torch.nn.Module
    tensor_class.cuda = lambda self, *args, **kwargs: to_target(self)
    module_class.cuda = lambda self, *args, **kwargs: module_to(self, target)
    tensor_class.to = _translated(tensor_to, target)
    module_class.to = _translated(module_to, target)


def _translated(original: Callable[..., Any], target: Any) -> Callable[..., Any]:
    @functools.wraps(original)
    def to(self: Any, *args: Any, **kwargs: Any) -> Any:
        args = tuple(_translate(value, target) for value in args)
        return original(self, *args, **{name: _translate(value, target) for name, value in kwargs.items()})

    return to


def _translate(value: Any, target: Any) -> Any:
    """``target`` where ``value`` names a CUDA device; anything else as it is."""
    import torch

    if isinstance(value, torch.device):
        return target if value.type == "cuda" else value
    return target if isinstance(value, str) and value.split(":")[0] == "cuda" else value


def _replace_load(target: Any) -> None:
    import torch

    original = torch.load

    @functools.wraps(original)
    def load(file: Any, map_location: Any = None, *args: Any, **kwargs: Any) -> Any:
        return original(file, _translate(map_location, target) or target, *args, **kwargs)

    vars(torch)["load"] = load


def _replace_parallel(whole: bool) -> None:
    """DistributedDataParallel without device numbers, or (``whole``) without any of it; no synchronised batch norm."""
    import torch

    torch.nn.SyncBatchNorm.convert_sync_batchnorm = classmethod(  # type: ignore[assignment]
        lambda cls, module, process_group=None: module
    )
    parallel: Any = torch.nn.parallel
    if whole:
        parallel.DistributedDataParallel = parallel.distributed.DistributedDataParallel = _alone()
        return
    original = parallel.DistributedDataParallel.__init__

    @functools.wraps(original)
    def init(self: Any, module: Any, device_ids: Any = None, output_device: Any = None, **kwargs: Any) -> None:
        original(self, module, **kwargs)

    parallel.DistributedDataParallel.__init__ = init


def _alone() -> type:
    """What stands for DistributedDataParallel where there is one process and the backend cannot serve its device."""
    import torch

    class Alone(torch.nn.Module):
        def __init__(self, module: torch.nn.Module, **_: Any) -> None:
            super().__init__()
            self.module = module

        def forward(self, *args: Any, **kwargs: Any) -> Any:
            return self.module(*args, **kwargs)

    return Alone


def patch_saving() -> None:
    """Checkpoints appear whole or not at all; ``numpy.float``, which ``RandomPartBlur`` uses, is there again."""
    import numpy as np
    import torch

    vars(np).setdefault("float", float)
    original = torch.save

    @functools.wraps(original)
    def save(thing: Any, file: Any, *args: Any, **kwargs: Any) -> None:
        if not isinstance(file, (str, os.PathLike)):
            return original(thing, file, *args, **kwargs)
        with atomic_write(file) as handle:
            original(thing, handle, *args, **kwargs)
        return None

    vars(torch)["save"] = save
