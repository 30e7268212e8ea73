"""How good the denoiser is on clips it was not trained on, and what its clips look like."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from gaitcrafter_ext.generator.data import Batch, ClipLibrary
from gaitcrafter_ext.generator.network import GaitUNet
from gaitcrafter_ext.generator.objective import add_noise, denoising_loss, shifted_levels
from gaitcrafter_ext.generator.pipeline import GaitCrafterPipeline, SampleRequest
from gaitcrafter_ext.generator.shape import TILE
from gaitcrafter_ext.silhouettes.sheet import strip

__all__ = ["HeldOutLoss", "Validation", "preview"]

#: Held-out windows on which the validation loss is taken, and how many are computed at once.
WINDOWS, BATCH = 64, 16


@dataclass(frozen=True)
class Validation:
    """One validation of the averaged weights on held-out clips; NaN where no clips are held out.

    Attributes:
        loss: Mean denoising loss.
        identity_gain: Share by which the loss is lower when the true identity is told instead of another one's;
            0 = the model does not know people apart.
    """

    loss: float = float("nan")
    identity_gain: float = float("nan")


class HeldOutLoss:
    """Denoising loss on the same windows, noise and noise levels at every call.

    Args:
        library: Held-out clips.
        noise_shift: As in training.
        seed: Of the windows and the noise.
    """

    def __init__(self, library: ClipLibrary, noise_shift: float, seed: int) -> None:
        chosen = np.sort(np.random.default_rng([seed, 1]).permutation(len(library))[:WINDOWS])
        generator = torch.Generator().manual_seed(seed)
        self.batch = library.batch(chosen, [0] * len(chosen))
        evenly = (torch.randperm(len(chosen), generator=generator) + 0.5) / len(chosen)
        self.level = shifted_levels(evenly, noise_shift)
        self.noise = torch.randn(self.batch.clean.shape, generator=generator)

    def __call__(self, denoiser: GaitUNet) -> Validation:
        """Loss with the true identities, and what they are worth against everyone taken for somebody else."""
        true = self._loss(denoiser, self.batch.code)
        swapped = self._loss(denoiser, self.batch.code.roll(1, dims=1))
        return Validation(true, 1.0 - true / swapped)

    @torch.no_grad()
    def _loss(self, denoiser: GaitUNet, code: Tensor) -> float:
        losses = []
        for part in torch.arange(len(self.level)).split(BATCH):
            told = Batch(self.batch.clean[part], code[part], self.batch.condition[part], self.batch.view_deg[part])
            noisy = add_noise(told.clean, self.noise[part], self.level[part])
            told, level = told.to(denoiser.device), self.level[part].to(denoiser.device)
            predicted = denoiser(noisy.to(denoiser.device), level, told.code, told.condition, told.view_deg)
            losses.append(denoising_loss(predicted, told.clean, level))
        return float(torch.cat(losses).mean())


def preview(pipeline: GaitCrafterPipeline) -> NDArray[np.uint8]:
    """One tile of clips, people, conditions and views mixed: uint8 image [TILE * 64, columns]."""
    words = pipeline.vocabulary
    views = list(words.views.values())
    requests = [
        SampleRequest(
            recipe={words.identities[index // 2 % len(words.identities)]: 1.0},
            condition=words.conditions[index % len(words.conditions)],
            view_deg=views[index * len(views) // TILE],
            seed=index,
        )
        for index in range(TILE)
    ]
    return np.concatenate([strip(clip) for clip in pipeline(requests)])
