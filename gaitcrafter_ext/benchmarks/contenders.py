"""The networks that are measured, each in a process of its own: what a peer imports or patches stays there."""

from __future__ import annotations

import functools
import importlib
import importlib.metadata
import math
import sys
import time
from collections.abc import Callable, Mapping
from dataclasses import asdict
from pathlib import Path
from types import ModuleType
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional as F
from torch.utils.flop_counter import FlopCounterMode

from gaitcrafter_ext.benchmarks.speed import OPENGAIT, OURS, PEERS, RECOGNISERS, Contender, peak_memory_gb
from gaitcrafter_ext.errors import GaitCrafterError, MissingError
from gaitcrafter_ext.recognition.config import TrainingConfig, preset

__all__ = ["MAKERS", "Stopwatch", "denoiser", "introduce", "measure", "timed_rate"]

#: Clips of the denoisers; the length of the condition that peers get (ours takes identity, condition, view).
FRAMES, HEIGHT, WIDTH, CONDITION = 30, 64, 48, 64

#: Conditions and classes of the networks.
CONDITIONS, CLASSES = 3, 74

#: Does one piece of work in the given precision and returns how many units that was.
Work = Callable[[str], float]


def timed_rate(work: Callable[[], float], seconds: float, clock: Callable[[], float] = time.perf_counter) -> float:
    """Units a second of work repeated until ``seconds`` have passed, at least once."""
    units, started = 0.0, clock()
    while True:
        units += work()
        passed = clock() - started
        if passed >= seconds:
            return units / passed


class Stopwatch:
    """Measures work, a task each; the first of each kind is a warm-up, in which the operations are counted."""

    def __init__(self, contender: Contender, works: Mapping[str, Work]) -> None:
        self.contender, self._works = contender, works
        self._gflop: dict[tuple[str, str], float] = {}

    def measure(self, task: str, precision: str, seconds: float) -> tuple[float, float]:
        """Units a second over at least so many seconds, and 10^9 operations a unit."""
        work = self._works[task]
        if (task, precision) not in self._gflop:
            with FlopCounterMode(display=False) as counter:
                units = work(precision)
            self._gflop[task, precision] = counter.get_total_flops() / 1e9 / units
        return timed_rate(lambda: work(precision), seconds), self._gflop[task, precision]


def autocast(precision: str) -> torch.autocast:
    """The context of ``fp32`` or ``bf16`` arithmetic."""
    return torch.autocast("cpu", torch.bfloat16, enabled=precision == "bf16")


def denoiser(
    name: str, label: str, network: nn.Module, denoise: Callable[[Tensor], Tensor], batch: dict[str, int]
) -> Stopwatch:
    """A denoiser's training steps and evaluations, the same clips, loss and optimiser for all; the unit is a clip.

    Args:
        name: Short name.
        label: What it is.
        network: Its weights.
        denoise: Noisy clips [b, t, h, w] -> the network's answer, of the same shape.
        batch: Task -> clips computed at once.
    """
    optimizer = torch.optim.AdamW(network.parameters(), 1e-4)

    def noise(task: str) -> Tensor:
        return torch.randn(batch[task], FRAMES, HEIGHT, WIDTH, generator=torch.Generator().manual_seed(0))

    def train(precision: str) -> float:
        clips = noise("training")
        with autocast(precision):
            predicted = denoise(clips)
        F.mse_loss(predicted.float(), clips).backward()
        optimizer.step()
        optimizer.zero_grad()
        return len(clips)

    def sample(precision: str) -> float:
        clips = noise("sampling")
        with torch.no_grad(), autocast(precision):
            denoise(clips)
        return len(clips)

    return Stopwatch(Contender(name, label, _size(network), batch), {"training": train, "sampling": sample})


def gait_unet() -> Stopwatch:
    """Ours, with its default sizes; the one place that knows how it is called."""
    from gaitcrafter_ext.generator.config import ModelConfig
    from gaitcrafter_ext.generator.config import TrainingConfig as GeneratorTraining
    from gaitcrafter_ext.generator.network import GaitUNet
    from gaitcrafter_ext.generator.shape import TILE

    sizes = ModelConfig()
    network = GaitUNet(conditions=CONDITIONS, frames=FRAMES, height=HEIGHT, width=WIDTH, **asdict(sizes))

    def denoise(clips: Tensor) -> Tensor:
        b = len(clips)
        code, phase = torch.ones(b, sizes.code_dim), torch.linspace(0, 2 * math.pi, FRAMES).expand(b, -1)
        condition = torch.arange(b) % CONDITIONS
        clean: Tensor = network(clips, torch.full((b,), 0.5), code, condition, torch.zeros(b), phase)
        return clean

    batch = {"training": GeneratorTraining.batch_size, "sampling": TILE}
    return denoiser(OURS, "GaitUNet (ours)", network, denoise, batch)


def unet3d(dim: int = 28) -> Stopwatch:
    """``Unet3D`` of video-diffusion-pytorch, with its default depth; a clip at a time, as memory is short.

    Raises:
        MissingError: The package is not installed.
    """
    network = _import_video_diffusion().Unet3D(dim, channels=1, cond_dim=CONDITION)

    def denoise(clips: Tensor) -> Tensor:
        b = len(clips)
        noise: Tensor = network(clips[:, None], torch.full((b,), 0.5), cond=torch.zeros(b, CONDITION))
        return noise[:, 0]

    return denoiser(PEERS[0], f"Unet3D, {_versioned(PEERS[0])}", network, denoise, {"training": 1, "sampling": 1})


def diffusers_unet(channels: tuple[int, ...] = (32, 64, 96, 128)) -> Stopwatch:
    """``UNet3DConditionModel`` of diffusers, as small as its group norms allow without starving a level."""
    importlib.import_module("gaitcrafter_ext.generator.framework")  # diffusers then loads whatever torchvision is there
    from diffusers import UNet3DConditionModel

    attended = len(channels) - 1
    network = UNet3DConditionModel(
        sample_size=(HEIGHT, WIDTH),
        in_channels=1,
        out_channels=1,
        down_block_types=("CrossAttnDownBlock3D",) * attended + ("DownBlock3D",),
        up_block_types=("UpBlock3D",) + ("CrossAttnUpBlock3D",) * attended,
        block_out_channels=channels,
        layers_per_block=1,
        cross_attention_dim=CONDITION,
        attention_head_dim=min(channels),  # the widest that each level can have, and the nearest to the default of 64
    )

    def denoise(clips: Tensor) -> Tensor:
        words = torch.zeros(len(clips), 1, CONDITION)
        noise: Tensor = network(clips[:, None], torch.full((len(clips),), 500), words).sample
        return noise[:, 0]

    label = f"UNet3DConditionModel, {_versioned(PEERS[1])}"
    return denoiser(PEERS[1], label, network, denoise, {"training": 1, "sampling": 1})


def recogniser(model: str) -> Stopwatch:
    """Ours as its CPU preset trains it; the unit is an iteration."""
    from gaitcrafter_ext.recognition.losses import cross_entropy_loss, triplet_loss
    from gaitcrafter_ext.recognition.networks import build_network

    config = preset(model, "cpu")
    network, labels = build_network(config.network, CLASSES), _labels(config)
    sils = torch.rand(len(labels) * config.frames, 64, 44)

    def loss(precision: str) -> Tensor:
        with autocast(precision):
            embeddings, logits = network(sils, (config.frames,) * len(labels))
        triplet = triplet_loss(embeddings, labels)
        return triplet if logits is None else triplet + cross_entropy_loss(logits, labels)

    label = f"{model}, {config.people} x {config.clips} clips of {config.frames} frames"
    return _iterations(model, label, network, loss, config)


def opengait_recogniser(model: str) -> Stopwatch:
    """OpenGait's own GaitSet or GaitBase, with the sizes and batch of our CPU preset, its layers and losses.

    Raises:
        MissingError: There is no checkout, or it lacks what the model needs.
    """
    from gaitcrafter_ext.opengait.checkout import Checkout
    from gaitcrafter_ext.opengait.models import build_model, open_models

    config = preset(model, "cpu")
    try:
        checkout = Checkout()
        open_models(checkout)
        network = build_model(model, _opengait_sizes(model, asdict(config.network)))
    except (GaitCrafterError, ImportError) as error:
        raise MissingError(f"{OPENGAIT[model]} is not measured: {error}") from None
    triplet_loss = importlib.import_module("modeling.losses.triplet").TripletLoss(margin=0.2)
    entropy_loss = importlib.import_module("modeling.losses.ce").CrossEntropyLoss(scale=16)
    labels = _labels(config)
    sils = torch.rand(len(labels), config.frames, 64, 44)

    def loss(precision: str) -> Tensor:
        with autocast(precision):
            found = network(([sils], labels, None, None, None))["training_feat"]
        triplet: Tensor = triplet_loss(**_in_float32(found["triplet"]))[0].mean()
        return triplet + entropy_loss(**_in_float32(found["softmax"]))[0] if "softmax" in found else triplet

    return _iterations(OPENGAIT[model], f"the same of OpenGait {checkout.commit}", network, loss, config)


def _iterations(
    name: str, label: str, network: nn.Module, loss: Callable[[str], Tensor], config: TrainingConfig
) -> Stopwatch:
    """Forward, losses, backward, SGD step, whoever wrote the network."""
    network.train()
    optimizer = torch.optim.SGD(network.parameters(), 1e-4, config.momentum)

    def train(precision: str) -> float:
        found = loss(precision)
        optimizer.zero_grad()
        found.backward()
        optimizer.step()
        return 1.0

    batch = {"recognition": config.people * config.clips}
    return Stopwatch(Contender(name, label, _size(network), batch), {"recognition": train})


def _labels(config: TrainingConfig) -> Tensor:
    return torch.arange(config.people).repeat_interleave(config.clips)


def _size(network: nn.Module) -> int:
    return sum(parameter.numel() for parameter in network.parameters())


def _opengait_sizes(model: str, ours: dict[str, Any]) -> dict[str, Any]:
    """OpenGait's ``model_cfg`` for our sizes."""
    channels, embedding, bins = list(ours["channels"]), ours["embedding"], list(ours["bins"])
    parts = sum(bins)
    if model == "gaitset":
        heads = {"in_channels": channels[-1], "out_channels": embedding, "parts_num": 2 * parts}
        return {"in_channels": [1, *channels], "SeparateFCs": heads, "bin_num": bins}
    return {
        "backbone_cfg": {"type": "ResNet9", "block": "BasicBlock", "channels": channels, "layers": [1, 1, 1, 1],
                         "strides": [1, 2, 2, 1], "maxpool": False},
        "SeparateFCs": {"in_channels": channels[-1], "out_channels": embedding, "parts_num": parts},
        "SeparateBNNecks": {"class_num": CLASSES, "in_channels": embedding, "parts_num": parts},
        "bin_num": bins,
    }  # fmt: skip


def _in_float32(inputs: dict[str, Any]) -> dict[str, Any]:
    return {name: value.float() if value.is_floating_point() else value for name, value in inputs.items()}


def _import_video_diffusion() -> Any:
    """The package, without torchvision: it needs that for its own reading of GIF files only."""
    transforms = ModuleType("torchvision.transforms")
    transforms.ToTensor = object  # type: ignore[attr-defined]
    vision = ModuleType("torchvision")
    vision.transforms, vision.utils = transforms, ModuleType("torchvision.utils")  # type: ignore[attr-defined]
    names = {"torchvision": vision, "torchvision.transforms": transforms, "torchvision.utils": vision.utils}
    sys.modules.update({name: module for name, module in names.items() if name not in sys.modules})
    try:
        return importlib.import_module("video_diffusion_pytorch")
    except ImportError as error:
        raise MissingError(f"{PEERS[0]} is not measured: {error}; `make bench` brings what it needs") from None


def _versioned(distribution: str) -> str:
    return f"{distribution} {importlib.metadata.version(distribution)}"


MAKERS: dict[str, Callable[[], Stopwatch]] = {
    OURS: gait_unet,
    PEERS[0]: unet3d,
    PEERS[1]: diffusers_unet,
    **{model: lambda model=model: recogniser(model) for model in RECOGNISERS},  # type: ignore[misc]
    **{theirs: lambda model=model: opengait_recogniser(model) for model, theirs in OPENGAIT.items()},  # type: ignore[misc]
}


@functools.cache
def subject(name: str) -> Stopwatch:
    """The one contender of this process."""
    return MAKERS[name]()


def introduce(name: str, threads: int, folder: Path | None) -> tuple[str, Contender]:
    """Make the contender, whose packages may lie in ``folder``; torch's version, and who it is."""
    if folder is not None:
        sys.path.append(str(folder.resolve()))
    torch.set_num_threads(threads)
    return torch.__version__, subject(name).contender


def measure(name: str, task: str, precision: str, seconds: float) -> dict[str, float]:
    """``rate``, ``gflop`` and ``peak_gb``, see ``speed.Worker``."""
    rate, gflop = subject(name).measure(task, precision, seconds)
    return {"rate": rate, "gflop": gflop, "peak_gb": peak_memory_gb()}
