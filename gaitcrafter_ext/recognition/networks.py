"""GaitSet, GaitBase and what they are made of; the attribute names are those that OpenGait's checkpoints carry.

GaitSet: a walk as an unordered set of silhouettes (Chao, He, Zhang & Feng, AAAI 2019, arXiv 1811.06186).
GaitBase: a plain residual network done well (Fan et al., OpenGait, CVPR 2023, arXiv 2211.06597, section 4).

Frames of all clips are folded into the batch axis from the first layer to the last, and ``lengths`` says how many
belong to each clip, so that clips of different lengths share a batch and nothing is copied in between.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Sequence
from typing import NamedTuple

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from gaitcrafter_ext.recognition.config import GaitBaseConfig, GaitSetConfig, NetworkConfig

__all__ = ["GaitBase", "GaitSet", "Recognised", "build_network"]

SLOPE = 0.01


def build_network(config: NetworkConfig, classes: int, seed: int = 0) -> nn.Module:
    """A network with fresh weights, in the memory order that is fastest; GaitSet has no use for ``classes``."""
    network: nn.Module = GaitSet(config) if isinstance(config, GaitSetConfig) else GaitBase(config, classes)
    initialise(network, torch.Generator().manual_seed(seed))
    return network.to(memory_format=torch.channels_last)  # type: ignore[call-overload]


class GaitSet(nn.Module):
    """Set of frames -> embeddings of horizontal parts, by a frame path and a global path (figure 2 of the paper)."""

    def __init__(self, config: GaitSetConfig | None = None) -> None:
        super().__init__()
        self.config = config or GaitSetConfig()
        first, second, third = self.config.channels
        self.set_block1 = named("forward_block", _block(1, first, kernel=5, pool=True))
        self.set_block2 = named("forward_block", _block(first, second, pool=True))
        # The last leaky ReLU waits until the frames are pooled: it is monotonic, so it commutes with the maximum.
        self.set_block3 = named("forward_block", _block(second, third, activate=False))
        self.gl_block2 = _block(first, second, pool=True)
        self.gl_block3 = _block(second, third)
        self.Head = SeparateFCs(2 * sum(self.config.bins), third, self.config.embedding)

    def forward(self, sils: Tensor, lengths: Sequence[int]) -> Recognised:
        """Silhouettes, float [sum(lengths), 64, 44] in [0, 1], clip after clip: [n, embedding, 2 * sum(bins)]."""
        frames = self.set_block1(as_images(sils))
        walk = self.gl_block2(set_max(frames, lengths))
        frames = self.set_block2(frames)
        walk = self.gl_block3(walk + set_max(frames, lengths))
        pooled = F.leaky_relu(set_max(self.set_block3(frames), lengths), SLOPE)
        return Recognised(self._embed(pooled, walk + pooled))

    def _embed(self, pooled: Tensor, walk: Tensor) -> Tensor:
        bins = self.config.bins
        with torch.autocast(pooled.device.type, enabled=False):
            embeddings: Tensor = self.Head(
                torch.cat([horizontal_pyramid(pooled, bins), horizontal_pyramid(walk, bins)], -1)
            )
        return embeddings


def _block(inputs: int, outputs: int, kernel: int = 3, pool: bool = False, activate: bool = True) -> nn.Sequential:
    """Two convolutions with leaky ReLUs; the pool stands before the last one, which then works on a quarter."""
    layers: list[nn.Module] = [convolution(inputs, outputs, kernel), nn.LeakyReLU(SLOPE, inplace=True)]
    layers.append(convolution(outputs, outputs, 3))
    if pool:
        layers.append(nn.MaxPool2d(2))
    if activate:
        layers.append(nn.LeakyReLU(SLOPE))
    return nn.Sequential(*layers)


class GaitBase(nn.Module):
    """Residual features of each frame, set pooling, horizontal parts, BNNecks (figure 6 of the paper)."""

    def __init__(self, config: GaitBaseConfig | None = None, classes: int = 74) -> None:
        super().__init__()
        self.config = config or GaitBaseConfig()
        parts = sum(self.config.bins)
        self.Backbone = named("forward_block", _ResidualFeatures(self.config))
        self.FCs = SeparateFCs(parts, self.config.channels[-1], self.config.embedding)
        self.BNNecks = SeparateBNNecks(parts, self.config.embedding, classes)

    def forward(self, sils: Tensor, lengths: Sequence[int]) -> Recognised:
        """Silhouettes, float [sum(lengths), 64, 44] in [0, 1], clip after clip: [n, embedding or classes, sum(bins)].

        Logits are cosines, in [-1, 1].
        """
        pooled = set_max(self.Backbone(as_images(sils)), lengths)
        with torch.autocast(pooled.device.type, enabled=False):
            embeddings = self.FCs(horizontal_pyramid(pooled, self.config.bins))
            return Recognised(embeddings, self.BNNecks(embeddings))


class _ResidualBlock(nn.Module):
    """Two 3 x 3 convolutions with batch norm beside a shortcut (He et al., CVPR 2016, figure 2)."""

    def __init__(self, inputs: int, outputs: int, stride: int) -> None:
        super().__init__()
        self.conv1 = nn.Conv2d(inputs, outputs, 3, stride, padding=1, bias=False)
        self.bn1 = nn.BatchNorm2d(outputs)
        self.conv2 = nn.Conv2d(outputs, outputs, 3, padding=1, bias=False)
        self.bn2 = nn.BatchNorm2d(outputs)
        same = stride == 1 and inputs == outputs
        projection = (_StridedPointwise(inputs, outputs, stride), nn.BatchNorm2d(outputs))
        self.downsample = None if same else nn.Sequential(*projection)

    def forward(self, x: Tensor) -> Tensor:
        """The block's output, [F, outputs, H / stride, W / stride]."""
        shortcut = x if self.downsample is None else self.downsample(x)
        x = F.relu(self.bn1(self.conv1(x)), inplace=True)
        return F.relu_(self.bn2(self.conv2(x)).add_(shortcut))


class _ResidualFeatures(nn.Module):
    """The backbone: [F, 1, 64, 44] -> [F, channels[-1], 16, 11] with the default strides."""

    def __init__(self, config: GaitBaseConfig) -> None:
        super().__init__()
        self.conv1 = convolution(1, config.channels[0], 3)
        self.bn1 = nn.BatchNorm2d(config.channels[0])
        inputs = config.channels[0]
        for number, (outputs, blocks, stride) in enumerate(
            zip(config.channels, config.layers, config.strides, strict=True), start=1
        ):
            chain = [_ResidualBlock(inputs if block == 0 else outputs, outputs, stride if block == 0 else 1)
                     for block in range(blocks)]  # fmt: skip
            self.add_module(f"layer{number}", nn.Sequential(*chain))
            inputs = outputs

    def forward(self, x: Tensor) -> Tensor:
        """Features of each frame."""
        x = F.relu(self.bn1(self.conv1(x)), inplace=True)
        for number in range(1, 5):
            x = self.get_submodule(f"layer{number}")(x)
        return x


class _StridedPointwise(nn.Conv2d):
    """A 1 x 1 convolution with a stride, as a 1 x 1 convolution of every stride-th pixel.

    The same to the bit, but oneDNN's float32 kernel for the strided form writes past its buffer for channels-last input
    of fewer than 16 channels (seen with torch 2.13 on AVX-512) and corrupts the heap.
    """

    def __init__(self, inputs: int, outputs: int, stride: int) -> None:
        super().__init__(inputs, outputs, 1, bias=False)
        self.every = stride

    def forward(self, x: Tensor) -> Tensor:
        kept = x[..., :: self.every, :: self.every].contiguous(memory_format=torch.channels_last)
        return F.conv2d(kept, self.weight)


class Recognised(NamedTuple):
    """Embeddings, float32 [n, channels, parts]; logits, float32 [n, classes, parts], where there is a classifier."""

    embeddings: Tensor
    logits: Tensor | None = None


def set_max(x: Tensor, lengths: Sequence[int]) -> Tensor:
    """Set pooling: maximum over the frames of each clip, [sum(lengths), ...] -> [n, ...] (GaitSet, section 3.2)."""
    if len(set(lengths)) > 1:
        return torch.cat([set_max(clip, (len(clip),)) for clip in x.split(list(lengths))])
    clips = x.unflatten(0, (len(lengths), lengths[0]))
    # Not amax in training: its gradient is shared among equal frames, OpenGait's goes to one of them.
    return clips.max(1).values if x.requires_grad else clips.amax(1)


def horizontal_pyramid(x: Tensor, bins: Sequence[int]) -> Tensor:
    """Horizontal pyramid pooling, [n, c, h, w] -> float32 [n, c, sum(bins)] (GaitSet, section 3.4).

    Mean plus maximum of each strip; ``bins``: strips at each scale, each divides h.
    """
    rows = x.to(torch.promote_types(x.dtype, torch.float32))
    strips = [rows.unflatten(2, (count, -1)).flatten(3) for count in bins]
    return torch.cat([strip.mean(3) + strip.max(3).values for strip in strips], dim=-1)


def as_images(sils: Tensor) -> Tensor:
    """Silhouettes [F, H, W] as one-channel images [F, 1, H, W] whose strides say channels last, without a copy."""
    return sils.unsqueeze(-1).permute(0, 3, 1, 2)


def named(name: str, module: nn.Module) -> nn.Sequential:
    """A module whose parameters bear a further name, as they do in OpenGait's checkpoints."""
    return nn.Sequential(OrderedDict({name: module}))


def convolution(inputs: int, outputs: int, kernel: int) -> nn.Sequential:
    """A convolution without bias that keeps height and width."""
    return named("conv", nn.Conv2d(inputs, outputs, kernel, padding=kernel // 2, bias=False))


class SeparateFCs(nn.Module):
    """One linear map without bias for each part, [n, inputs, parts] -> [n, outputs, parts]."""

    def __init__(self, parts: int, inputs: int, outputs: int) -> None:
        super().__init__()
        self.fc_bin = nn.Parameter(nn.init.xavier_uniform_(torch.empty(parts, inputs, outputs)))

    def forward(self, x: Tensor) -> Tensor:
        return torch.einsum("ncp,pcd->ndp", x, self.fc_bin)


class SeparateBNNecks(nn.Module):
    """Batch norm, then cosine similarity to one weight vector a class, for each part (BNNeck; Luo et al. 2019)."""

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
