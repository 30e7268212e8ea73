"""Two published video U-Nets of about as many parameters as ours, to be measured."""

from __future__ import annotations

import importlib
import importlib.metadata
import sys
from types import ModuleType
from typing import Any

import torch
from torch import Tensor

from gaitcrafter_ext.benchmarks.denoisers import HEIGHT, WIDTH, denoiser
from gaitcrafter_ext.benchmarks.results import PEERS
from gaitcrafter_ext.benchmarks.timing import Stopwatch
from gaitcrafter_ext.errors import MissingError

__all__ = ["diffusers_unet", "unet3d"]

#: Length of the conditioning vector that they get; ours takes identity, condition and view.
CONDITION = 64

#: Clips at once. A processor computes these networks no faster in batches, and memory is short.
BATCH = {"training": 1, "sampling": 1}


def unet3d(dim: int = 28) -> Stopwatch:
    """``Unet3D`` of video-diffusion-pytorch, with its default depth.

    Raises:
        MissingError: The package is not installed.
    """
    network = _import_video_diffusion().Unet3D(dim, channels=1, cond_dim=CONDITION)

    def denoise(clips: Tensor) -> Tensor:
        b = len(clips)
        noise: Tensor = network(clips[:, None], torch.full((b,), 0.5), cond=torch.zeros(b, CONDITION))
        return noise[:, 0]

    return denoiser(PEERS[0], f"Unet3D, {_versioned(PEERS[0])}", network, denoise, BATCH)


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

    return denoiser(PEERS[1], f"UNet3DConditionModel, {_versioned(PEERS[1])}", network, denoise, BATCH)


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
