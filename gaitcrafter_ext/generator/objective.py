"""What the denoiser learns: the clean clip at every noise level of the rectified-flow path.

The path is straight, ``x_t = (1 - t) * clean + t * noise`` (arXiv 2209.03003). The network predicts the clean clip; the
loss is that of the velocity it implies, the squared error of the clean clip over ``t`` squared, with ``t`` held above
:data:`T_MIN` so that the last trace of noise does not outweigh everything else.
"""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor

from gaitcrafter_ext.generator.conditioning import Conditioning

T_MIN = 0.15

#: Noise levels between which guidance acts (a limited interval, arXiv 2404.07724).
GUIDED_T = (0.2, 0.98)

#: First row of the lower third of a frame, where legs and feet are.
LOWER_THIRD = 43


def shift_t(uniform: Tensor, shift: float) -> Tensor:
    """Noise levels that lean to high noise: ``s u / (1 + (s - 1) u)`` (arXiv 2403.03206, eq. 23).

    A silhouette is redundant: at low noise everything about it is plain to see, so a network learns more where the
    noise is high. ``shift`` 1 leaves uniform numbers as they are.
    """
    return shift * uniform / (1 + (shift - 1) * uniform)


def add_noise(clean: Tensor, noise: Tensor, t: Tensor) -> Tensor:
    """Point at ``t`` [b] of the straight path from ``clean`` to ``noise``, both [b, frames, h, w]."""
    return torch.lerp(clean, noise, t[:, None, None, None])


def velocity(x_t: Tensor, clean: Tensor, t: Tensor | float) -> Tensor:
    """Velocity ``noise - clean`` of the path through ``x_t`` that starts at ``clean``; ``t`` is a scalar above 0."""
    return (x_t - clean) / t


def guided(
    denoiser: Callable[..., Tensor], x_t: Tensor, t: float, given: Conditioning, guidance: float = 1.0
) -> Tensor:
    """Clean clips float32 [b, frames, h, w], led away from the unconditional ones (arXiv 2207.12598).

    Person, condition and view are left out together: guiding the person alone left the view vague.

    ``x_t`` [b, frames, h, w] are all at noise level ``t``. ``guidance`` 1 is none; it acts between :data:`GUIDED_T`.
    Both predictions are computed as one batch.
    """
    levels = torch.full((len(x_t),), t, device=x_t.device)
    if guidance == 1.0 or not GUIDED_T[0] <= t <= GUIDED_T[1]:
        return denoiser(x_t, levels, *given).float()
    both = map(torch.cat, zip(given, given.unconditional(), strict=True))
    doubled = denoiser(x_t.repeat(2, 1, 1, 1), levels.repeat(2), *both).float()
    conditional, unconditional = doubled.chunk(2)
    return torch.lerp(unconditional, conditional, guidance)


def denoising_loss(predicted: Tensor, clean: Tensor, t: Tensor, feet: float = 1.0) -> Tensor:
    """Velocity-weighted squared error of each clip, [b], of clean clips ``predicted`` [b, frames, h, w] at ``t`` [b].

    ``feet`` is the weight of the lower third of each frame, where errors are small in area and large to the eye.
    """
    error = (predicted.float() - clean.float()).square()
    if feet != 1.0:
        error = error.mean(dim=(1, 3))
        weight = torch.ones(error.shape[1], device=error.device)
        weight[LOWER_THIRD:] = feet
        error = error @ (weight / weight.sum())
    else:
        error = error.flatten(1).mean(dim=1)
    return error / t.clamp(min=T_MIN).square()
