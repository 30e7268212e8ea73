"""GaitBase: a plain residual network done well (Fan et al., OpenGait, CVPR 2023, arXiv 2211.06597, section 4)."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from gaitcrafter_ext.recognition.config import GaitBaseConfig
from gaitcrafter_ext.recognition.layers import (
    Convolution,
    FrameWise,
    Recognised,
    SeparateBNNecks,
    SeparateFCs,
    as_images,
    horizontal_pyramid,
    set_max,
)

__all__ = ["GaitBase"]


class GaitBase(nn.Module):
    """Residual features of each frame, set pooling, horizontal parts, BNNecks (figure 6 of the paper)."""

    def __init__(self, config: GaitBaseConfig | None = None, classes: int = 74) -> None:
        super().__init__()
        self.config = config or GaitBaseConfig()
        parts = sum(self.config.bins)
        self.Backbone = FrameWise(_ResidualFeatures(self.config))
        self.FCs = SeparateFCs(parts, self.config.channels[-1], self.config.embedding)
        self.BNNecks = SeparateBNNecks(parts, self.config.embedding, classes)

    def forward(self, sils: Tensor, lengths: Sequence[int]) -> Recognised:
        """Embed clips and, for training, compare them to the classes.

        Args:
            sils: float [sum(lengths), 64, 44] in [0, 1], frames of all clips one after the other.
            lengths: Frames of each clip.

        Returns:
            Embeddings, float32 [n, embedding, sum(bins)], and logits, float32 [n, classes, sum(bins)], in [-1, 1].
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
        self.downsample = _shortcut(inputs, outputs, stride)

    def forward(self, x: Tensor) -> Tensor:
        """The block's output, [F, outputs, H / stride, W / stride]."""
        shortcut = x if self.downsample is None else self.downsample(x)
        x = F.relu(self.bn1(self.conv1(x)), inplace=True)
        return F.relu_(self.bn2(self.conv2(x)).add_(shortcut))


class _ResidualFeatures(nn.Module):
    """The backbone: [F, 1, 64, 44] -> [F, channels[-1], 16, 11] with the default strides."""

    def __init__(self, config: GaitBaseConfig) -> None:
        super().__init__()
        self.conv1 = Convolution(1, config.channels[0], 3)
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


def _shortcut(inputs: int, outputs: int, stride: int) -> nn.Sequential | None:
    """A 1 x 1 convolution with batch norm where shapes differ, otherwise nothing."""
    if stride == 1 and inputs == outputs:
        return None
    return nn.Sequential(_StridedPointwise(inputs, outputs, stride), nn.BatchNorm2d(outputs))
