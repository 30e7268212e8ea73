"""What the denoiser learns: the clean clip at every noise level of the rectified-flow path.

The path is straight, ``noisy = (1 - level) * clean + level * noise`` (arXiv 2209.03003). The network predicts the clean
clip; the loss is that of the velocity it implies, i.e. the squared error of the clean clip over ``level`` squared,
with the level held above :data:`LEAST_LEVEL` there so that the last whiff of noise does not outweigh everything.
"""

from __future__ import annotations

import torch
from torch import Tensor

__all__ = ["LEAST_LEVEL", "add_noise", "denoising_loss", "shifted_levels", "velocity"]

LEAST_LEVEL = 0.15


def shifted_levels(uniform: Tensor, shift: float) -> Tensor:
    """Noise levels that lean to high noise: ``s u / (1 + (s - 1) u)`` (arXiv 2403.03206, eq. 23).

    A silhouette is redundant: at low noise everything about it is already plain to see, so a network learns more
    where the noise is high.

    Args:
        uniform: Uniform numbers in [0, 1].
        shift: 1 leaves them as they are, more leans to 1.
    """
    return shift * uniform / (1 + (shift - 1) * uniform)


def add_noise(clean: Tensor, noise: Tensor, level: Tensor) -> Tensor:
    """Point at ``level`` [b] of the straight path from ``clean`` to ``noise``, both [b, t, h, w]."""
    weight = level[:, None, None, None]
    return torch.lerp(clean, noise, weight)


def velocity(noisy: Tensor, clean: Tensor, level: Tensor) -> Tensor:
    """Velocity ``noise - clean`` of the path through ``noisy`` that starts at ``clean``; ``level`` is a scalar > 0."""
    return (noisy - clean) / level


def denoising_loss(predicted: Tensor, clean: Tensor, level: Tensor) -> Tensor:
    """Velocity-weighted squared error of each clip, [b].

    Args:
        predicted: [b, t, h, w], the denoiser's clean clip.
        clean: The same, the truth.
        level: [b], noise levels in [0, 1].
    """
    error = (predicted.float() - clean.float()).square().flatten(1).mean(dim=1)
    return error / level.clamp(min=LEAST_LEVEL).square()
