"""Our denoiser, to be measured."""

from __future__ import annotations

from dataclasses import asdict

import torch
from torch import Tensor
from torch.nn import functional as F

from gaitcrafter_ext.benchmarks.denoisers import HEIGHT, WIDTH, denoiser
from gaitcrafter_ext.benchmarks.results import OURS
from gaitcrafter_ext.benchmarks.timing import Stopwatch
from gaitcrafter_ext.generator.config import ModelConfig, TrainingConfig
from gaitcrafter_ext.generator.network import GaitUNet
from gaitcrafter_ext.generator.shape import FRAMES, TILE

__all__ = ["gait_unet"]

IDENTITIES, CONDITIONS = 50, 3


def gait_unet(batch: int = TrainingConfig.batch_size, tile: int = TILE) -> Stopwatch:
    """Ours, with its default sizes."""
    network = GaitUNet(IDENTITIES, CONDITIONS, frames=FRAMES, height=HEIGHT, width=WIDTH, **asdict(ModelConfig()))

    def denoise(clips: Tensor) -> Tensor:
        b = len(clips)
        people = F.one_hot(torch.arange(b) % IDENTITIES, IDENTITIES).float()
        clean: Tensor = network(clips, torch.full((b,), 0.5), people, torch.arange(b) % CONDITIONS, torch.zeros(b))
        return clean

    return denoiser(OURS, "GaitUNet (ours)", network, denoise, {"training": batch, "sampling": tile})
