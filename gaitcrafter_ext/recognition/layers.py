"""What GaitSet and GaitBase are made of; the attribute names are those that OpenGait's checkpoints carry.

Frames of all clips are folded into the batch axis from the first layer to the last, and ``lengths`` says how many
belong to each clip, so that clips of different lengths share a batch and nothing is copied in between.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple

import torch
from torch import Tensor, nn
from torch.nn import functional as F

__all__ = [
    "Convolution",
    "FirstMax",
    "FrameWise",
    "MaxPool",
    "Recognised",
    "SeparateBNNecks",
    "SeparateFCs",
    "as_images",
    "horizontal_pyramid",
    "initialise",
    "set_max",
]


class Recognised(NamedTuple):
    """What a recogniser makes of clips.

    Attributes:
        embeddings: float32 [n, channels, parts].
        logits: float32 [n, classes, parts], or None where the network has no classifier.
    """

    embeddings: Tensor
    logits: Tensor | None = None


class FirstMax(torch.autograd.Function):
    """Maximum over the second axis, [n, s, ...] -> [n, ...]; the gradient goes to the first slice that holds it.

    A quarter of the time of ``max(1)`` on a CPU: it reads whole slices in the memory's own order and stores no index.
    """

    @staticmethod
    def forward(ctx: Any, x: Tensor) -> Tensor:
        """Maximum over the slices ``x[:, i]``."""
        # Not a clone: of a slice it would be in another memory order, of a maximum it is in the slices' own.
        best = torch.maximum(x[:, 0], x[:, -1])
        for number in range(1, x.shape[1] - 1):
            torch.maximum(best, x[:, number], out=best)
        ctx.save_for_backward(x, best)
        return best

    @staticmethod
    def backward(ctx: Any, *grads: Tensor) -> Tensor:
        """Give each gradient to the first slice that attains the maximum."""
        x, best = ctx.saved_tensors
        given, left, part = torch.empty_like(x), grads[0].clone(), torch.empty_like(best)
        for number in range(x.shape[1]):
            torch.eq(x[:, number], best, out=part)  # a mask of ones and zeros: products with booleans are slow
            part *= left
            left -= part
            given[:, number] = part
        return given


class MaxPool(nn.Module):
    """2 x 2 maximum of every plane, [..., H, W] -> [..., H / 2, W / 2]; H and W must be even."""

    def forward(self, x: Tensor) -> Tensor:  # noqa: D102
        if x.requires_grad or x.is_cuda:
            return F.max_pool2d(x, 2)
        rows = torch.maximum(x[..., ::2, :], x[..., 1::2, :])  # a third of the time of max_pool2d on a CPU
        return torch.maximum(rows[..., ::2], rows[..., 1::2])


def set_max(x: Tensor, lengths: Sequence[int]) -> Tensor:
    """Set pooling: maximum over the frames of each clip (GaitSet, AAAI 2019, section 3.2).

    Args:
        x: [sum(lengths), ...], frames of all clips one after the other.
        lengths: Frames of each clip.

    Returns:
        [len(lengths), ...].
    """
    if len(set(lengths)) > 1:
        return torch.cat([set_max(clip, (len(clip),)) for clip in x.split(list(lengths))])
    clips = x.unflatten(0, (len(lengths), lengths[0]))
    if not x.requires_grad:
        return clips.amax(1)
    if x.is_cuda:
        return clips.max(1).values
    pooled: Tensor = FirstMax.apply(clips)
    return pooled


def horizontal_pyramid(x: Tensor, bins: Sequence[int]) -> Tensor:
    """Horizontal pyramid pooling: mean plus maximum of each horizontal strip (GaitSet, section 3.4).

    Args:
        x: [n, c, h, w].
        bins: Strips at each scale; each divides h.

    Returns:
        float32 [n, c, sum(bins)].
    """
    rows = x.to(torch.promote_types(x.dtype, torch.float32))
    strips = [rows.unflatten(2, (count, -1)).flatten(3) for count in bins]
    return torch.cat([strip.mean(3) + strip.max(3).values for strip in strips], dim=-1)


def as_images(sils: Tensor) -> Tensor:
    """Silhouettes [F, H, W] as one-channel images [F, 1, H, W] whose strides say channels last, without a copy."""
    return sils.unsqueeze(-1).permute(0, 3, 1, 2)


class Convolution(nn.Module):
    """A convolution without bias that keeps height and width."""

    def __init__(self, inputs: int, outputs: int, kernel: int) -> None:
        super().__init__()
        self.conv = nn.Conv2d(inputs, outputs, kernel, padding=kernel // 2, bias=False)

    def forward(self, x: Tensor) -> Tensor:  # noqa: D102
        convolved: Tensor = self.conv(x)
        return convolved


class FrameWise(nn.Module):
    """A block applied to every frame; it gives the block's parameters the name they have in OpenGait."""

    def __init__(self, block: nn.Module) -> None:
        super().__init__()
        self.forward_block = block

    def forward(self, x: Tensor) -> Tensor:  # noqa: D102
        frames: Tensor = self.forward_block(x)
        return frames


class SeparateFCs(nn.Module):
    """One linear map without bias for each part, [n, inputs, parts] -> [n, outputs, parts]."""

    def __init__(self, parts: int, inputs: int, outputs: int) -> None:
        super().__init__()
        self.fc_bin = nn.Parameter(nn.init.xavier_uniform_(torch.empty(parts, inputs, outputs)))

    def forward(self, x: Tensor) -> Tensor:  # noqa: D102
        return torch.einsum("ncp,pcd->ndp", x, self.fc_bin)


class SeparateBNNecks(nn.Module):
    """Batch norm, then cosine similarity to one weight vector a class, for each part (BNNeck; Luo et al. 2019).

    Args:
        parts: Number of parts.
        inputs: Channels of a part's embedding.
        classes: How many people are told apart in training.
    """

    def __init__(self, parts: int, inputs: int, classes: int) -> None:
        super().__init__()
        self.fc_bin = nn.Parameter(nn.init.xavier_uniform_(torch.empty(parts, inputs, classes)))
        self.bn1d = nn.BatchNorm1d(inputs * parts)

    def forward(self, x: Tensor) -> Tensor:
        """Logits [n, classes, parts] in [-1, 1] of embeddings [n, inputs, parts]."""
        normed = self.bn1d(x.flatten(1)).view_as(x)
        return torch.einsum("ncp,pcd->ndp", F.normalize(normed, dim=1), F.normalize(self.fc_bin, dim=1))


def initialise(network: nn.Module, generator: torch.Generator) -> None:
    """OpenGait's initial weights: Xavier for convolutions and maps, N(1, 0.02) for batch norms' scales."""
    for module in network.modules():
        if isinstance(module, nn.Conv2d):
            nn.init.xavier_uniform_(module.weight, generator=generator)
        elif isinstance(module, SeparateFCs | SeparateBNNecks):
            nn.init.xavier_uniform_(module.fc_bin, generator=generator)
        elif isinstance(module, nn.BatchNorm1d | nn.BatchNorm2d):
            nn.init.normal_(module.weight, 1.0, 0.02, generator=generator)
            nn.init.zeros_(module.bias)
