"""What the walker is told: who, in what, seen from where; and how noisy the clip is.

Identity enters at full strength: its columns start at standard deviation 1, like those of the condition, and travel
side by side with the view into a small network instead of being added to it. With a weak code (default
initialisation of a linear layer) the model learns motion, view and clothing long before it tells people apart.

A code is brought to length 1 first. Embeddings of different people are nearly orthogonal, so a blend's is then about as
long as a known person's; a plain mean of two is shorter, and nearer to the average walker, the more parents it has.

The view, eight numbers beside two hundred, has a network of its own besides: neighbouring views, and front and back,
were what the first weights mixed up.
"""

from __future__ import annotations

import math

import torch
from torch import Tensor, nn
from torch.nn import functional as F

__all__ = ["Conditioner", "NoiseLevelEmbedding"]

HARMONICS = 4


def view_features(view_deg: Tensor) -> Tensor:
    """Sines and cosines of the view and its multiples, ``[b]`` degrees -> ``[b, 8]``: an angle, not a class."""
    multiples = torch.arange(1, HARMONICS + 1, device=view_deg.device, dtype=torch.float32)
    angle = torch.deg2rad(view_deg.float())[:, None] * multiples
    return torch.cat([angle.cos(), angle.sin()], dim=-1)


class Conditioner(nn.Module):
    """Identity code, condition and view -> one vector.

    Each input may be left out (classifier-free dropout, arXiv 2207.12598) and is then replaced by a learned vector
    of its own, so that any subset can be guided.
    """

    def __init__(self, identities: int, conditions: int, embedding: int) -> None:
        super().__init__()
        self.identities = nn.Parameter(torch.randn(identities, embedding // 2))
        self.no_identity = nn.Parameter(torch.zeros(embedding // 2))
        self.condition = nn.Parameter(torch.randn(conditions + 1, embedding // 4))
        self.no_view = nn.Parameter(torch.zeros(2 * HARMONICS))
        features = embedding // 2 + embedding // 4 + 2 * HARMONICS
        self.mix = nn.Sequential(nn.Linear(features, 2 * embedding), nn.SiLU(), nn.Linear(2 * embedding, embedding))
        self.view = nn.Sequential(nn.Linear(2 * HARMONICS, embedding), nn.SiLU(), nn.Linear(embedding, embedding))

    def forward(self, code: Tensor, condition: Tensor, view_deg: Tensor) -> Tensor:
        """Embed ``code`` [b, identities], ``condition`` [b] (-1: none) and ``view_deg`` [b] (NaN: none) as [b, e]."""
        has_code = (code != 0).any(dim=-1, keepdim=True)
        who = torch.where(has_code, F.normalize(code.float()) @ self.identities.float(), self.no_identity.float())
        what = self.condition[condition].float()
        has_view = torch.isfinite(view_deg)[:, None]
        where = torch.where(has_view, view_features(view_deg.nan_to_num()), self.no_view.float())
        return self.mix(torch.cat([who, what, where], dim=-1)) + self.view(where)


class NoiseLevelEmbedding(nn.Module):
    """Noise level in [0, 1] -> vector, by sinusoids and a small network."""

    def __init__(self, embedding: int, sinusoids: int = 32) -> None:
        super().__init__()
        self.frequencies: Tensor
        self.register_buffer("frequencies", torch.logspace(0, math.log10(200.0), sinusoids), persistent=False)
        self.mix = nn.Sequential(nn.Linear(2 * sinusoids, embedding), nn.SiLU(), nn.Linear(embedding, embedding))

    def forward(self, level: Tensor) -> Tensor:
        """Embed ``level`` [b] as [b, e]."""
        angle = level.float()[:, None] * self.frequencies
        return self.mix(torch.cat([angle.cos(), angle.sin()], dim=-1))
