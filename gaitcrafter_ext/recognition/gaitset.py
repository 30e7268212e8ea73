"""GaitSet: a walk as an unordered set of silhouettes (Chao, He, Zhang & Feng, AAAI 2019, arXiv 1811.06186)."""

from __future__ import annotations

from collections.abc import Sequence

from torch import Tensor, nn
from torch.nn import functional as F

from gaitcrafter_ext.recognition.config import GaitSetConfig
from gaitcrafter_ext.recognition.layers import (
    Convolution,
    FrameWise,
    MaxPool,
    Recognised,
    SeparateFCs,
    as_images,
    horizontal_pyramid,
    set_max,
)

__all__ = ["GaitSet"]

SLOPE = 0.01


class GaitSet(nn.Module):
    """Set of frames -> embeddings of horizontal parts, by a frame path and a global path (figure 2 of the paper)."""

    def __init__(self, config: GaitSetConfig | None = None) -> None:
        super().__init__()
        self.config = config or GaitSetConfig()
        first, second, third = self.config.channels
        self.set_block1 = FrameWise(_block(1, first, kernel=5, pool=True))
        self.set_block2 = FrameWise(_block(first, second, pool=True))
        # The last leaky ReLU waits until the frames are pooled: it is monotonic, so it commutes with the maximum.
        self.set_block3 = FrameWise(_block(second, third, activate=False))
        self.gl_block2 = _block(first, second, pool=True)
        self.gl_block3 = _block(second, third)
        self.Head = SeparateFCs(2 * sum(self.config.bins), third, self.config.embedding)

    def forward(self, sils: Tensor, lengths: Sequence[int]) -> Recognised:
        """Embed clips.

        Args:
            sils: float [sum(lengths), 64, 44] in [0, 1], frames of all clips one after the other.
            lengths: Frames of each clip.

        Returns:
            Embeddings, float32 [n, embedding, 2 * sum(bins)].
        """
        frames = self.set_block1(as_images(sils))
        walk = self.gl_block2(set_max(frames, lengths))
        frames = self.set_block2(frames)
        walk = self.gl_block3(walk + set_max(frames, lengths))
        pooled = F.leaky_relu(set_max(self.set_block3(frames), lengths), SLOPE)
        return Recognised(self._embed(pooled, walk + pooled))

    def _embed(self, pooled: Tensor, walk: Tensor) -> Tensor:
        from torch import autocast, cat

        bins = self.config.bins
        with autocast(pooled.device.type, enabled=False):
            embeddings: Tensor = self.Head(cat([horizontal_pyramid(pooled, bins), horizontal_pyramid(walk, bins)], -1))
        return embeddings


def _block(inputs: int, outputs: int, kernel: int = 3, pool: bool = False, activate: bool = True) -> nn.Sequential:
    """Two convolutions with leaky ReLUs; the pool stands before the last one, which then works on a quarter."""
    layers: list[nn.Module] = [Convolution(inputs, outputs, kernel), nn.LeakyReLU(SLOPE, inplace=True)]
    layers.append(Convolution(outputs, outputs, 3))
    if pool:
        layers.append(MaxPool())
    if activate:
        layers.append(nn.LeakyReLU(SLOPE))
    return nn.Sequential(*layers)
