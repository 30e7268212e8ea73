"""OpenGait asks for CUDA by name; on another device its calls are answered by that device, its code unchanged.

On a GPU nothing is touched: only the environment that ``torchrun`` would have set is filled in where it is missing.
"""

from __future__ import annotations

import importlib
import os
import socket
import sys
import warnings
from typing import Any

from gaitcrafter_ext.errors import UsageError
from gaitcrafter_ext.hardware import this_process
from gaitcrafter_ext.silhouettes.files import atomic_write

#: Keeps what ``CUDA_VISIBLE_DEVICES`` was before OpenGait was given one GPU; ``all`` where it was not set.
VISIBLE_VARIABLE = "GAITCRAFTER_VISIBLE_DEVICES"


def notify(message: str, every_process: bool = False) -> None:
    """Print ``gaitcrafter: message`` on stderr; unless for ``every_process``, rank 0 alone does."""
    if every_process or this_process().rank == 0:
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
        with socket.socket() as probe:
            probe.bind(("127.0.0.1", 0))
            os.environ["MASTER_PORT"] = str(probe.getsockname()[1])


def patch_device(device: str) -> None:
    """Let OpenGait's CUDA calls mean ``cpu`` or ``mps`` from now on; on ``cuda`` only what Windows lacks changes."""
    torch: Any = importlib.import_module("torch")  # for mypy, which knows that its attributes are not to be replaced
    if device != "cuda" or not torch.distributed.is_nccl_available():
        initialise = torch.distributed.init_process_group
        torch.distributed.init_process_group = lambda _, *args, **kwargs: initialise("gloo", *args, **kwargs)
    if device == "cuda":
        return
    notify(f"no GPU in use: OpenGait runs on the {device.upper()}")
    processes = this_process().count
    if device == "mps" and processes > 1:
        raise UsageError("--device mps: one process only; start without torchrun")
    if processes > 1:
        notify("batch normalisation is not synchronised on the CPU: each process normalises by its own part of a batch")
    warnings.filterwarnings("ignore", message=r".*(GradScaler|autocast|pin_memory).*")
    torch.cuda.device_count = lambda: processes
    torch.cuda.current_device = lambda: this_process().local_rank
    torch.cuda.set_device = lambda device: None
    _patch_moves(torch, torch.device(device))
    _patch_parallel(torch.nn, single=processes == 1)


def _patch_moves(torch: Any, target: Any) -> None:
    """What OpenGait moves to CUDA, or loads there, goes to ``target``."""
    module_to, load = torch.nn.Module.to, torch.load

    def cuda(tensor: Any, *_: Any) -> Any:
        if target.type == "mps" and tensor.dtype == torch.float64:
            tensor = tensor.float()  # there is no float64 on this device
        moved = tensor.to(target)
        # CUDA would give a copy; OpenGait changes in place what it moved.
        return moved.clone() if moved is tensor and tensor.requires_grad and tensor.is_leaf else moved

    def to(module: Any, *args: Any, **kwargs: Any) -> Any:
        return module_to(module, *args, **kwargs | ({"device": target} if "device" in kwargs else {}))

    torch.Tensor.cuda = cuda
    torch.nn.Module.to = to
    torch.nn.Module.cuda = lambda module, *_: module_to(module, target)
    torch.load = lambda file, map_location=None, **kwargs: load(file, map_location=target, **kwargs)


def _patch_parallel(nn: Any, single: bool) -> None:
    """DistributedDataParallel without device numbers, or without any of it; no synchronised batch normalisation."""
    nn.SyncBatchNorm.convert_sync_batchnorm = staticmethod(lambda module: module)
    original = nn.parallel.DistributedDataParallel.__init__

    class Alone(nn.Module):
        def __init__(self, module: Any, **_: Any) -> None:
            super().__init__()
            self.module = module

        def forward(self, *args: Any, **kwargs: Any) -> Any:
            return self.module(*args, **kwargs)

    def init(self: Any, module: Any, device_ids: Any = None, output_device: Any = None, **kwargs: Any) -> None:
        original(self, module, **kwargs)

    if single:
        nn.parallel.DistributedDataParallel = Alone
    else:
        nn.parallel.DistributedDataParallel.__init__ = init


def patch_saving() -> None:
    """Checkpoints appear whole or not at all; ``numpy.float``, which ``RandomPartBlur`` uses, is there again."""
    vars(importlib.import_module("numpy")).setdefault("float", float)
    torch: Any = importlib.import_module("torch")
    original = torch.save

    def save(thing: Any, file: Any, *args: Any, **kwargs: Any) -> None:
        if isinstance(file, (str, os.PathLike)):
            with atomic_write(file) as handle:
                original(thing, handle, *args, **kwargs)
        else:
            original(thing, file, *args, **kwargs)

    torch.save = save
