"""A denoiser at work, whoever made it: the same clips, loss and optimiser for all."""

from __future__ import annotations

from collections.abc import Callable, Mapping

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from gaitcrafter_ext.benchmarks.results import Contender
from gaitcrafter_ext.benchmarks.timing import Stopwatch, Work
from gaitcrafter_ext.generator.shape import FRAMES

__all__ = ["HEIGHT", "WIDTH", "Denoise", "DenoiserWork", "autocast", "denoiser"]

HEIGHT, WIDTH = 64, 48

#: Noisy clips [b, t, h, w] -> what the network makes of them, of the same shape.
Denoise = Callable[[Tensor], Tensor]


class DenoiserWork:
    """A denoiser at work: training steps, and evaluations as a sampler asks for them; the unit is a clip.

    Args:
        network: The network.
        denoise: Noisy clips [b, t, h, w] -> the network's answer, of the same shape.
        batch: Task -> clips computed at once.
    """

    def __init__(self, network: nn.Module, denoise: Denoise, batch: Mapping[str, int]) -> None:
        self.denoise, self.batch = denoise, batch
        self.optimizer = torch.optim.AdamW(network.parameters(), 1e-4)
        self.works: Mapping[str, Work] = {"training": self.train, "sampling": self.sample}

    def train(self, precision: str) -> float:
        """Forward, backward, AdamW step."""
        clips = _noise(self.batch["training"])
        with autocast(precision):
            predicted = self.denoise(clips)
        F.mse_loss(predicted.float(), clips).backward()
        self.optimizer.step()
        self.optimizer.zero_grad()
        return len(clips)

    def sample(self, precision: str) -> float:
        """One network evaluation."""
        clips = _noise(self.batch["sampling"])
        with torch.no_grad(), autocast(precision):
            self.denoise(clips)
        return len(clips)


def denoiser(name: str, label: str, network: nn.Module, denoise: Denoise, batch: dict[str, int]) -> Stopwatch:
    """A denoiser ready to be measured."""
    parameters = sum(parameter.numel() for parameter in network.parameters())
    return Stopwatch(Contender(name, label, parameters, batch), DenoiserWork(network, denoise, batch).works)


def _noise(batch: int) -> Tensor:
    return torch.randn(batch, FRAMES, HEIGHT, WIDTH, generator=torch.Generator().manual_seed(0))


def autocast(precision: str) -> torch.autocast:
    """The context of ``fp32`` or ``bf16`` arithmetic."""
    return torch.autocast("cpu", torch.bfloat16, enabled=precision == "bf16")
