"""The networks that are measured, each in a process of its own: what a peer imports or patches stays there."""

from __future__ import annotations

import functools
import importlib
import importlib.metadata
import importlib.util
import math
import sys
import time
from collections.abc import Callable
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional as F
from torch.utils.flop_counter import FlopCounterMode

from gaitcrafter_ext.errors import GaitCrafterError, MissingError
from gaitcrafter_ext.hardware import autocast
from gaitcrafter_ext.opengait.checkout import Checkout
from gaitcrafter_ext.opengait.stubs import install_stubs
from gaitcrafter_ext.recognition.config import TrainingConfig, preset

#: Clips of the denoisers; the length of the condition that peers get (ours takes identity, condition, view).
FRAMES, HEIGHT, WIDTH, CONDITION = 30, 64, 48, 64

#: Conditions and classes of the networks.
CONDITIONS, CLASSES = 3, 74


@dataclass(frozen=True)
class Contender:
    """A network; by task the clips of a batch, and what computes one in ``float32`` or ``bfloat16``."""

    label: str
    network: nn.Module
    batch: dict[str, int]
    step: dict[str, Callable[[str], object]]


def denoiser(label: str, network: nn.Module, denoise: Callable[[Tensor], Tensor], batch: dict[str, int]) -> Contender:
    """Training steps and evaluations of a denoiser, the same clips, loss and optimiser for all.

    ``denoise`` answers noisy clips [b, t, h, w] in their shape.
    """
    optimizer = torch.optim.AdamW(network.parameters(), 1e-4)

    def noise(task: str) -> Tensor:
        return torch.randn(batch[task], FRAMES, HEIGHT, WIDTH, generator=torch.Generator().manual_seed(0))

    def train(precision: str) -> None:
        clips = noise("training")
        with autocast(precision, torch.device("cpu")):
            predicted = denoise(clips)
        F.mse_loss(predicted.float(), clips).backward()
        optimizer.step()
        optimizer.zero_grad()

    def sample(precision: str) -> None:
        with torch.no_grad(), autocast(precision, torch.device("cpu")):
            denoise(noise("sampling"))

    return Contender(label, network, batch, {"training": train, "sampling": sample})


def gait_unet() -> Contender:
    """Ours, with its default sizes; the one place that knows how it is called."""
    from gaitcrafter_ext.generator.config import ModelConfig
    from gaitcrafter_ext.generator.config import TrainingConfig as GeneratorTraining
    from gaitcrafter_ext.generator.network import GaitUNet
    from gaitcrafter_ext.generator.sampling import TILE

    sizes = ModelConfig()
    network = GaitUNet(conditions=CONDITIONS, frames=FRAMES, height=HEIGHT, width=WIDTH, **asdict(sizes))

    def denoise(clips: Tensor) -> Tensor:
        b = len(clips)
        code, phase = torch.ones(b, sizes.code_dim), torch.linspace(0, 2 * math.pi, FRAMES).expand(b, -1)
        condition = torch.arange(b) % CONDITIONS
        clean: Tensor = network(clips, torch.full((b,), 0.5), code, condition, torch.zeros(b), phase)
        return clean

    batch = {"training": GeneratorTraining.batch_size, "sampling": TILE}
    return denoiser("GaitUNet (ours)", network, denoise, batch)


def unet3d(dim: int = 28) -> Contender:
    """``Unet3D`` of video-diffusion-pytorch, with its default depth; a clip at a time, as memory is short.

    Raises:
        MissingError: The package is not installed.
    """
    if importlib.util.find_spec("video_diffusion_pytorch") is None:
        raise MissingError("video-diffusion-pytorch is not measured: it is not installed; `make bench` brings it")
    install_stubs()  # it needs torchvision for its own reading of GIF files only
    network = importlib.import_module("video_diffusion_pytorch").Unet3D(dim, channels=1, cond_dim=CONDITION)

    def denoise(clips: Tensor) -> Tensor:
        b = len(clips)
        noise: Tensor = network(clips[:, None], torch.full((b,), 0.5), cond=torch.zeros(b, CONDITION))
        return noise[:, 0]

    label = f"Unet3D, video-diffusion-pytorch {importlib.metadata.version('video-diffusion-pytorch')}"
    return denoiser(label, network, denoise, {"training": 1, "sampling": 1})


def diffusers_unet(channels: tuple[int, ...] = (32, 64, 96, 128)) -> Contender:
    """``UNet3DConditionModel`` of diffusers, as small as its group norms allow without starving a level."""
    importlib.import_module("gaitcrafter_ext.generator.framework")  # diffusers then loads whatever torchvision is there
    from diffusers import UNet3DConditionModel, __version__

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

    label = f"UNet3DConditionModel, diffusers {__version__}"
    return denoiser(label, network, denoise, {"training": 1, "sampling": 1})


def recogniser(model: str) -> Contender:
    """Ours as its CPU preset trains it."""
    from gaitcrafter_ext.recognition.losses import cross_entropy_loss, triplet_loss
    from gaitcrafter_ext.recognition.networks import build_network

    config = preset(model, "cpu")
    network, labels = build_network(config.network, CLASSES), _labels(config)
    sils = torch.rand(len(labels) * config.frames, 64, 44)

    def loss(precision: str) -> Tensor:
        with autocast(precision, torch.device("cpu")):
            embeddings, logits = network(sils, (config.frames,) * len(labels))
        triplet = triplet_loss(embeddings, labels)
        return triplet if logits is None else triplet + cross_entropy_loss(logits, labels)

    return _iterations(f"{model} (ours), {config.people} x {config.clips} x {config.frames}", network, loss, config)


def opengait_recogniser(model: str) -> Contender:
    """OpenGait's own GaitSet or GaitBase, with the sizes and batch of our CPU preset, its layers and losses.

    Raises:
        MissingError: There is no checkout, or it lacks what the model needs.
    """
    config = preset(model, "cpu")
    try:
        checkout = Checkout()
        open_opengait(checkout)
        network = build_opengait(model, opengait_sizes(model, asdict(config.network), CLASSES))
    except (GaitCrafterError, ImportError) as error:
        raise MissingError(f"OpenGait's {model} is not measured: {error}") from None
    triplet_loss = importlib.import_module("modeling.losses.triplet").TripletLoss(margin=0.2)
    entropy_loss = importlib.import_module("modeling.losses.ce").CrossEntropyLoss(scale=16)
    labels = _labels(config)
    sils = torch.rand(len(labels), config.frames, 64, 44)

    def loss(precision: str) -> Tensor:
        with autocast(precision, torch.device("cpu")):
            found = network(([sils], labels, None, None, None))["training_feat"]
        triplet: Tensor = triplet_loss(**_in_float32(found["triplet"]))[0].mean()
        return triplet + entropy_loss(**_in_float32(found["softmax"]))[0] if "softmax" in found else triplet

    return _iterations(f"the same of OpenGait {checkout.commit}", network, loss, config)


def open_opengait(checkout: Checkout) -> None:
    """Make a checkout's modules importable, in a process that does nothing else with it.

    Packages that some models need may be missing. A process group of one is made, which OpenGait's losses ask for.
    """
    sys.path.insert(0, str(checkout.package))
    install_stubs()
    store = torch.distributed.HashStore()  # type: ignore[attr-defined]  # there, but not in its __all__
    torch.distributed.init_process_group("gloo", store=store, rank=0, world_size=1)


def build_opengait(model: str, model_cfg: dict[str, Any]) -> nn.Module:
    """An untrained ``"gaitset"`` or ``"gaitbase"``, without the data, optimiser and GPU that OpenGait makes it with.

    Raises:
        MissingError: GaitBase without torchvision, whose blocks its backbone is made of.
    """
    kind = getattr(importlib.import_module("modeling.models"), {"gaitset": "GaitSet", "gaitbase": "Baseline"}[model])
    network: Any = kind.__new__(kind)
    nn.Module.__init__(network)
    network.build_network(model_cfg)
    network.init_parameters()
    built: nn.Module = network
    return built


def opengait_sizes(model: str, ours: dict[str, Any], classes: int) -> dict[str, Any]:
    """OpenGait's ``model_cfg`` for a network configuration of ours."""
    channels, embedding, bins = list(ours["channels"]), ours["embedding"], list(ours["bins"])
    parts = sum(bins)
    if model == "gaitset":
        heads = {"in_channels": channels[-1], "out_channels": embedding, "parts_num": 2 * parts}
        return {"in_channels": [1, *channels], "SeparateFCs": heads, "bin_num": bins}
    return {
        "backbone_cfg": {"type": "ResNet9", "block": "BasicBlock", "channels": channels, "layers": [1, 1, 1, 1],
                         "strides": [1, 2, 2, 1], "maxpool": False},
        "SeparateFCs": {"in_channels": channels[-1], "out_channels": embedding, "parts_num": parts},
        "SeparateBNNecks": {"class_num": classes, "in_channels": embedding, "parts_num": parts},
        "bin_num": bins,
    }  # fmt: skip


def _iterations(label: str, network: nn.Module, loss: Callable[[str], Tensor], config: TrainingConfig) -> Contender:
    """Forward, losses, backward, SGD step, whoever wrote the network."""
    network.train()
    optimizer = torch.optim.SGD(network.parameters(), 1e-4, config.momentum)

    def train(precision: str) -> None:
        found = loss(precision)
        optimizer.zero_grad()
        found.backward()
        optimizer.step()

    return Contender(label, network, {"recognition": config.people * config.clips}, {"recognition": train})


def _labels(config: TrainingConfig) -> Tensor:
    return torch.arange(config.people).repeat_interleave(config.clips)


def _in_float32(inputs: dict[str, Any]) -> dict[str, Any]:
    return {name: value.float() if value.is_floating_point() else value for name, value in inputs.items()}


MAKERS: dict[str, Callable[[], Contender]] = {
    "gaitcrafter": gait_unet,
    "video-diffusion-pytorch": unet3d,
    "diffusers": diffusers_unet,
    "gaitset": lambda: recogniser("gaitset"),
    "gaitbase": lambda: recogniser("gaitbase"),
    "opengait-gaitset": lambda: opengait_recogniser("gaitset"),
    "opengait-gaitbase": lambda: opengait_recogniser("gaitbase"),
}


@functools.cache
def subject(name: str) -> Contender:
    """The one contender of this process."""
    return MAKERS[name]()


@functools.cache
def count_gflop(name: str, task: str, precision: str) -> float:
    """10^9 operations a clip, counted in a first step that warms up, too."""
    with FlopCounterMode(display=False) as counter:
        subject(name).step[task](precision)
    return counter.get_total_flops() / 1e9 / subject(name).batch[task]


def introduce(name: str, threads: int, folder: Path | None) -> dict[str, Any]:
    """Make the contender, whose packages may lie in ``folder``, and say who it is."""
    if folder is not None:
        sys.path.append(str(folder.resolve()))
    torch.set_num_threads(threads)
    made = subject(name)
    size = sum(parameter.numel() for parameter in made.network.parameters())
    return {"label": made.label, "parameters": size, "batch": made.batch}


def measure(name: str, task: str, precision: str, seconds: float) -> tuple[float, float]:
    """Clips a second over at least so many seconds, and 10^9 operations a clip."""
    gflop = count_gflop(name, task, precision)
    clips, started, passed = 0, time.perf_counter(), 0.0
    while not clips or passed < seconds:
        subject(name).step[task](precision)
        clips += subject(name).batch[task]
        passed = time.perf_counter() - started
    return clips / passed, gflop
