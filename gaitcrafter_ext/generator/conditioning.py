"""What the network is conditioned on: identity, condition, view, noise level and the phase of every frame.

- A person is a point in a space of people, entering at full strength: with a weak code the model learns motion, view
  and clothing long before it tells people apart.
- The view has a network of its own besides: the first weights mixed up neighbouring views, and front and back.
- The phase of a frame is where in the gait cycle it lies. Without it cadence comes and goes with the noise.

Every input can be left out (classifier-free dropout, arXiv 2207.12598) and is then replaced by a learned vector.
"""

from __future__ import annotations

import math
from typing import Any, NamedTuple

import torch
from torch import Tensor, nn

VIEW_HARMONICS = 4

#: Gait repeats every cycle and, nearly, every step: phases enter by their first two harmonics.
PHASE_HARMONICS = (1, 2)


class Conditioning(NamedTuple):
    """What each of b clips is conditioned on, as the denoiser takes it.

    ``code`` is float32 [b, d], NaN where left out; ``condition`` long [b], -1 where left out; ``view_deg`` float32 [b]
    and ``phase`` float32 [b, frames], radians, are NaN where unknown or left out.
    """

    code: Tensor
    condition: Tensor
    view_deg: Tensor
    phase: Tensor

    def rows(self, index: Any) -> Conditioning:
        """That of some of the clips."""
        return Conditioning(*(part[index] for part in self))

    def to(self, device: torch.device) -> Conditioning:
        """The same on another device."""
        return Conditioning(*(part.to(device, non_blocking=True) for part in self))

    def unconditional(self) -> Conditioning:
        """Person, condition and view left out; the phase stays, so that guidance leads along a walk in step."""
        code, condition, view_deg, phase = self
        nothing = torch.full_like(code, math.nan), torch.full_like(condition, -1), torch.full_like(view_deg, math.nan)
        return Conditioning(*nothing, phase)


class Conditioner(nn.Module):
    """Identity code, condition and view -> one vector."""

    def __init__(self, code_dim: int, conditions: int, embedding: int) -> None:
        super().__init__()
        self.identity = nn.Linear(code_dim, embedding // 2, bias=False)
        nn.init.orthogonal_(self.identity.weight)
        with torch.no_grad():  # each embedded number has standard deviation 1, as codes are whitened
            self.identity.weight *= math.sqrt(max(1.0, embedding / 2 / code_dim))
        self.no_identity = nn.Parameter(torch.zeros(embedding // 2))
        self.condition = nn.Parameter(torch.randn(conditions + 1, embedding // 4))
        self.no_view = nn.Parameter(torch.zeros(2 * VIEW_HARMONICS))
        features = embedding // 2 + embedding // 4 + 2 * VIEW_HARMONICS
        self.mix = nn.Sequential(nn.Linear(features, 2 * embedding), nn.SiLU(), nn.Linear(2 * embedding, embedding))
        self.view = nn.Sequential(nn.Linear(2 * VIEW_HARMONICS, embedding), nn.SiLU(), nn.Linear(embedding, embedding))

    def forward(self, code: Tensor, condition: Tensor, view_deg: Tensor) -> Tensor:
        """Embed ``code`` [b, d] (NaN: none), ``condition`` [b] (-1: none), ``view_deg`` [b] (NaN: none) as [b, e]."""
        has_code = torch.isfinite(code).all(dim=-1, keepdim=True)
        known = self.identity(code.nan_to_num().to(self.no_identity.dtype))
        who = torch.where(has_code, known.float(), self.no_identity.float())
        what = self.condition[condition].float()
        # Sines and cosines of the view and its multiples: an angle, not a class.
        multiples = torch.arange(1, VIEW_HARMONICS + 1, device=view_deg.device, dtype=torch.float32)
        angle = torch.deg2rad(view_deg.nan_to_num().float())[:, None] * multiples
        view = torch.cat([angle.cos(), angle.sin()], dim=-1)
        where = torch.where(torch.isfinite(view_deg)[:, None], view, self.no_view.float())
        dtype = self.no_view.dtype
        return self.mix(torch.cat([who, what, where], dim=-1).to(dtype)) + self.view(where.to(dtype))


class NoiseLevelEmbedding(nn.Module):
    """Noise level in [0, 1] -> vector, by sinusoids and a small network."""

    def __init__(self, embedding: int, sinusoids: int = 32) -> None:
        super().__init__()
        self.frequencies: Tensor
        self.register_buffer("frequencies", torch.logspace(0, math.log10(200.0), sinusoids), persistent=False)
        self.mix = nn.Sequential(nn.Linear(2 * sinusoids, embedding), nn.SiLU(), nn.Linear(embedding, embedding))

    def forward(self, t: Tensor) -> Tensor:
        """Embed ``t`` [b] as [b, e]."""
        angle = t.float()[:, None] * self.frequencies
        return self.mix(torch.cat([angle.cos(), angle.sin()], dim=-1).to(next(self.mix.parameters()).dtype))


class PhaseEmbedding(nn.Module):
    """Phases of the frames in a patch -> one vector a patch; zero-initialised."""

    def __init__(self, embedding: int, patch_frames: int) -> None:
        super().__init__()
        self.patch_frames = patch_frames
        features = patch_frames * (2 * len(PHASE_HARMONICS) + 2)
        last = nn.Linear(embedding, embedding)
        nn.init.zeros_(last.weight)
        nn.init.zeros_(last.bias)
        self.mix = nn.Sequential(nn.Linear(features, embedding), nn.SiLU(), last)

    def forward(self, phase: Tensor) -> Tensor:
        """Embed ``phase`` [b, frames], radians (NaN: not known), as [b, frames / patch_frames, e]."""
        known = torch.isfinite(phase)
        angle = phase.float().nan_to_num()
        waves = [wave(m * angle) * known for m in PHASE_HARMONICS for wave in (torch.cos, torch.sin)]
        features = torch.stack([*waves, (~known).float(), known.float()], dim=-1)
        features = features.unflatten(1, (-1, self.patch_frames)).flatten(2)
        return self.mix(features.to(next(self.mix.parameters()).dtype))
