"""From requests to clips: the sampler around the denoiser.

Same seed, same sample: each request carries its own seed for its noise, and requests are computed in tiles of a
fixed size (``shape.TILE``), the last one padded, because a matrix product may round differently at another batch size.
"""

from __future__ import annotations

import contextlib
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from gaitcrafter_ext.errors import UsageError, WeightsError
from gaitcrafter_ext.generator.card import Card, Vocabulary, check_weights, read_card
from gaitcrafter_ext.generator.finishing import finish
from gaitcrafter_ext.generator.framework import DiffusionPipeline, diffusers_logging
from gaitcrafter_ext.generator.network import GaitUNet
from gaitcrafter_ext.generator.objective import velocity
from gaitcrafter_ext.generator.samplers import PRECISIONS, make_scheduler
from gaitcrafter_ext.generator.shape import TILE
from gaitcrafter_ext.generator.weights import locate
from gaitcrafter_ext.recipes import code_matrix
from gaitcrafter_ext.vocabulary import suggest

__all__ = ["GaitCrafterPipeline", "SampleRequest"]

#: Noise levels between which guidance acts (a limited interval, arXiv 2404.07724).
GUIDED_LEVELS = (0.2, 0.98)


@dataclass(frozen=True)
class SampleRequest:
    """One clip to make.

    Attributes:
        recipe: Identity code: training person -> weight, summing to 1. One entry = that person.
        condition: Walking condition, one of the weights' vocabulary.
        view_deg: View in degrees; ``None`` = whatever view the model likes.
        seed: Key of the clip's noise, 0 <= seed < 2**63.
    """

    recipe: Mapping[str, float]
    condition: str
    view_deg: float | None
    seed: int


class GaitCrafterPipeline(DiffusionPipeline):
    """Samples silhouette clips of known or blended people.

    Args:
        denoiser: The trained network.
        scheduler: A ``diffusers`` scheduler for rectified flow; its shift is reused for every sampler.
    """

    card: Card

    def __init__(self, denoiser: GaitUNet, scheduler: Any) -> None:
        super().__init__()
        self.register_modules(denoiser=denoiser, scheduler=scheduler)

    @classmethod
    def from_pretrained(cls, folder: str | Path, **options: Any) -> GaitCrafterPipeline:
        """Load weights, checked against their card.

        Args:
            folder: ``"bundled"`` or a folder that ``train --out`` wrote.
            options: Passed on to ``diffusers``.

        Raises:
            MissingError: No weights are there.
            WeightsError: They are truncated, changed, or of another version.
        """
        path = locate(folder)
        card = read_card(path)
        check_weights(path, card)
        diffusers_logging.disable_progress_bar()
        try:
            pipeline = super().from_pretrained(str(path), dtype=torch.float32, **options)
        except (OSError, ValueError, KeyError, RuntimeError, AttributeError) as error:
            reason = " ".join(str(error).split())[:200]
            raise WeightsError(f"{path}: the weights do not load ({reason}); copy the folder again") from None
        pipeline.card = card
        pipeline.denoiser.eval()
        return pipeline

    @property
    def vocabulary(self) -> Vocabulary:
        """What may be asked for."""
        return self.card.vocabulary

    @torch.no_grad()
    def __call__(
        self,
        requests: Sequence[SampleRequest],
        steps: int | None = None,
        sampler: str | None = None,
        guidance: float | None = None,
        frames: int | None = None,
        precision: str = "fp32",
    ) -> NDArray[np.uint8]:
        """Make one clip a request.

        Args:
            requests: What to make; the order has no influence on a clip's content.
            steps: Steps of the sampler; ``None`` = the card's.
            sampler: One of ``samplers.SAMPLER_NAMES``; ``None`` = the card's.
            guidance: Weight of the guidance towards what is asked for, 1 = none; ``None`` = the card's.
            frames: Length of each clip; only the length trained on is possible.
            precision: One of ``samplers.PRECISIONS``.

        Returns:
            uint8 [len(requests), frames, 64, 64].

        Raises:
            UsageError: A request or option is not one that the weights allow.
        """
        defaults, trained = self.card.sampling, self.denoiser.config.frames
        if precision not in PRECISIONS:
            raise UsageError(f"precision: unknown '{precision}'; {suggest(precision, PRECISIONS)}")
        if frames not in (None, trained):
            raise UsageError(f"frames: {frames} asked for; these weights make clips of {trained} frames only")
        run = _Run(
            self.denoiser,
            make_scheduler(
                sampler or defaults.sampler, self.scheduler.config.get("flow_shift") or self.scheduler.config.shift
            ),
            _at_least(1, defaults.steps if steps is None else steps, "steps"),
            _at_least(0.0, defaults.guidance if guidance is None else guidance, "guidance"),
            precision,
        )
        told = [self._tell(request) for request in requests]
        tiles = [told[start : start + TILE] for start in range(0, len(told), TILE)]
        clips = [run.tile(tile + tile[-1:] * (TILE - len(tile)))[: len(tile)] for tile in tiles]
        return np.concatenate(clips) if clips else np.zeros((0, trained, 64, 64), np.uint8)

    sample = __call__

    def _tell(self, request: SampleRequest) -> _Told:
        """Translate a request into the network's inputs."""
        words = self.vocabulary
        code = torch.from_numpy(code_matrix([request.recipe], words.identities)[0])
        if request.condition not in words.conditions:
            known = suggest(request.condition, words.conditions)
            raise UsageError(f"condition '{request.condition}' is unknown to these weights; {known}")
        angle = math.nan if request.view_deg is None else float(request.view_deg)
        return _Told(code, words.conditions.index(request.condition), angle, request.seed)


@dataclass(frozen=True)
class _Told:
    """A request in the network's terms."""

    code: Tensor
    condition: int
    view_deg: float
    seed: int


@dataclass(frozen=True)
class _Run:
    """One choice of sampler, applied tile by tile."""

    denoiser: GaitUNet
    scheduler: Any
    steps: int
    guidance: float
    precision: str

    def tile(self, told: Sequence[_Told]) -> NDArray[np.uint8]:
        """Sample exactly :data:`TILE` clips: uint8 [TILE, t, 64, 64]."""
        device = self.denoiser.device
        code = torch.stack([one.code for one in told]).to(device)
        condition = torch.tensor([one.condition for one in told], device=device)
        view_deg = torch.tensor([one.view_deg for one in told], device=device)
        sample = torch.stack([self._noise(one.seed) for one in told]).to(device)
        self.scheduler.set_timesteps(self.steps, device=device)
        clean = sample
        # The scheduler's own noise levels, not its timesteps: some schedulers round those to whole numbers.
        for timestep, sigma in zip(self.scheduler.timesteps, self.scheduler.sigmas, strict=False):
            level = sigma.to(device, torch.float32).expand(len(told))
            clean = self._denoise(sample, level, code, condition, view_deg)
            sample = self.scheduler.step(velocity(sample, clean, level[0]), timestep, sample).prev_sample
        return finish(sample)

    def _noise(self, seed: int) -> Tensor:
        """Noise of one clip, made on the CPU so that every device starts from the same."""
        shape = (self.denoiser.config.frames, self.denoiser.config.height, self.denoiser.config.width)
        return torch.randn(shape, generator=torch.Generator().manual_seed(seed))

    def _denoise(self, noisy: Tensor, level: Tensor, code: Tensor, condition: Tensor, view_deg: Tensor) -> Tensor:
        """Predicted clean clips, led away from a walk of nobody in particular (arXiv 2207.12598).

        Person, condition and view are left out together: guiding the person alone left the view vague.
        """
        with self._autocast(noisy.device):
            clean = self.denoiser(noisy, level, code, condition, view_deg).float()
            low, high = GUIDED_LEVELS
            if self.guidance == 1.0 or not low <= float(level[0]) <= high:
                return clean
            nobody, anyhow = torch.zeros_like(code), torch.full_like(condition, -1)
            any_walk = self.denoiser(noisy, level, nobody, anyhow, torch.full_like(view_deg, math.nan)).float()
        return torch.lerp(any_walk, clean, self.guidance)

    def _autocast(self, device: torch.device) -> contextlib.AbstractContextManager[Any]:
        return torch.autocast(device.type, torch.bfloat16, enabled=self.precision == "bf16")


def _at_least(least: Any, value: Any, option: str) -> Any:
    """``value``, if it is no less than ``least``."""
    if value < least:
        raise UsageError(f"{option}: {value} asked for; allowed: {least} or more")
    return value
