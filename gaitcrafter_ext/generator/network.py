"""The denoiser: a factorised (2+1)D U-Net over patches of pixels that predicts the clean clip.

Patchifying (space-to-depth, 2 frames x 4 x 4 pixels into 32 channels) comes first and is undone last. It loses and
learns nothing, so the model still works in pixel space, but every layer sees 32 times fewer positions; that is
where the speed comes from. Predicting the clean clip rather than the noise is what keeps such large patches
workable (JiT, arXiv 2511.13720).

All activations are stored channels-last, ``[b, t, h, w, c]``. A spatial convolution sees them as ``b*t`` images and a
temporal one as ``b`` images of ``t x (h*w)``; both are views of the same memory, so no layout is ever changed.
"""

from __future__ import annotations

import itertools

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from gaitcrafter_ext.generator.conditioning import Conditioner, NoiseLevelEmbedding, PhaseEmbedding
from gaitcrafter_ext.generator.config import HEAD_CHANNELS
from gaitcrafter_ext.generator.framework import ConfigMixin, ModelMixin, register_to_config

__all__ = ["GaitUNet"]

PATCH_FRAMES, PATCH_PIXELS = 2, 4

#: Longest lag, in patches of frames, that attention tells apart from still longer ones: that of a clip of 30 frames.
MAX_LAG = 14


def patchify(clips: Tensor) -> Tensor:
    """Pixels into channels: ``[b, t, h, w]`` -> ``[b, t/2, h/4, w/4, 32]``."""
    b, t, h, w = clips.shape
    size = PATCH_PIXELS
    blocks = clips.reshape(b, t // PATCH_FRAMES, PATCH_FRAMES, h // size, size, w // size, size)
    return blocks.permute(0, 1, 3, 5, 2, 4, 6).flatten(4)


def unpatchify(tokens: Tensor) -> Tensor:
    """Inverse of :func:`patchify`: ``[b, t/2, h/4, w/4, 32]`` -> ``[b, t, h, w]``."""
    b, t, h, w, _ = tokens.shape
    blocks = tokens.reshape(b, t, h, w, PATCH_FRAMES, PATCH_PIXELS, PATCH_PIXELS).permute(0, 1, 4, 2, 5, 3, 6)
    return blocks.reshape(b, t * PATCH_FRAMES, h * PATCH_PIXELS, w * PATCH_PIXELS)


class SpatialConv(nn.Conv2d):
    """3x3 convolution within each frame of ``[b, t, h, w, c]``; stride 2 halves the frame."""

    def __init__(self, channels_in: int, channels_out: int, stride: int = 1) -> None:
        super().__init__(channels_in, channels_out, 3, stride, padding=1)

    def forward(self, x: Tensor) -> Tensor:
        b, t = x.shape[:2]
        y = super().forward(x.flatten(0, 1).permute(0, 3, 1, 2))
        return y.permute(0, 2, 3, 1).unflatten(0, (b, t))


class TemporalConv(nn.Conv2d):
    """Convolution of width 3 along time at each position of ``[b, t, h, w, c]``."""

    def __init__(self, channels: int) -> None:
        super().__init__(channels, channels, (3, 1), padding=(1, 0))

    def forward(self, x: Tensor) -> Tensor:
        h, w = x.shape[2:4]
        y = super().forward(x.flatten(2, 3).permute(0, 3, 1, 2))
        return y.permute(0, 2, 3, 1).unflatten(2, (h, w))


class AdaLN(nn.Module):
    """Layer norm whose scale and shift come from the conditioning, frame by frame (FiLM, arXiv 1709.07871)."""

    def __init__(self, channels: int, embedding: int) -> None:
        super().__init__()
        self.channels = channels
        self.project = nn.Linear(embedding, 2 * channels)
        nn.init.normal_(self.project.weight, std=0.02)
        nn.init.zeros_(self.project.bias)

    def forward(self, x: Tensor, embedding: Tensor) -> Tensor:
        """Modulate ``x`` [b, t, h, w, c] by ``embedding`` [b, t, e]."""
        scale, shift = self.project(embedding)[:, :, None, None].chunk(2, dim=-1)
        return torch.addcmul(shift, F.layer_norm(x, (self.channels,)), 1 + scale)


class Block(nn.Module):
    """Residual block: AdaLN, a convolution within frames, one along time (zero-initialised)."""

    def __init__(self, channels: int, embedding: int) -> None:
        super().__init__()
        self.norm = AdaLN(channels, embedding)
        self.spatial = SpatialConv(channels, channels)
        self.temporal = TemporalConv(channels)
        for parameter in self.temporal.parameters():
            nn.init.zeros_(parameter)

    def forward(self, x: Tensor, embedding: Tensor) -> Tensor:
        return x + self.temporal(F.silu(self.spatial(self.norm(x, embedding))))


class GlobalAttention(nn.Module):
    """Self-attention over every position of every frame, for the coarsest level only: it ties the frames together.

    Each head has a bias for each lag of time, taken from the conditioning: how far apart frames look alike is a matter
    of cadence, a person's own.
    """

    def __init__(self, channels: int, embedding: int) -> None:
        super().__init__()
        self.heads = channels // HEAD_CHANNELS
        self.norm = AdaLN(channels, embedding)
        self.lags = nn.Linear(embedding, self.heads * (MAX_LAG + 1))
        self.qkv = nn.Linear(channels, 3 * channels)
        self.out = nn.Linear(channels, channels)
        for parameter in (*self.lags.parameters(), *self.out.parameters()):
            nn.init.zeros_(parameter)

    def forward(self, x: Tensor, embedding: Tensor) -> Tensor:
        b, t, h, w, c = x.shape
        qkv = self.qkv(self.norm(x, embedding)).reshape(b, t * h * w, 3, self.heads, -1)
        q, k, v = qkv.permute(2, 0, 3, 1, 4).unbind(0)
        bias = self._bias(t, h * w, embedding.mean(1)).to(q.dtype)
        y = F.scaled_dot_product_attention(q, k, v, bias).transpose(1, 2).reshape(b, t, h, w, c)
        return x + self.out(y)

    def _bias(self, frames: int, positions: int, embedding: Tensor) -> Tensor:
        """Attention bias of each lag, the same for all positions: [b, heads, t * h * w, t * h * w]."""
        time = torch.arange(frames, device=embedding.device)
        lag = (time[:, None] - time).abs().clamp(max=MAX_LAG)
        bias = self.lags(embedding).unflatten(1, (self.heads, -1))[:, :, lag]
        return bias[:, :, :, None, :, None].expand(-1, -1, -1, positions, -1, positions).flatten(4).flatten(2, 3)


class Level(nn.Module):
    """The blocks of one resolution on one side of the U, between two attentions where asked for."""

    def __init__(self, channels: int, embedding: int, blocks: int, attention: bool = False) -> None:
        super().__init__()
        self.blocks = nn.ModuleList([Block(channels, embedding) for _ in range(blocks)])
        if attention:
            self.blocks.insert(0, GlobalAttention(channels, embedding))
            self.blocks.append(GlobalAttention(channels, embedding))

    def forward(self, x: Tensor, embedding: Tensor) -> Tensor:
        for block in self.blocks:
            x = block(x, embedding)
        return x


class Upsample(nn.Module):
    """Double the frame by moving channels back into positions, then merge with the skip connection by addition."""

    def __init__(self, channels_in: int, channels_out: int) -> None:
        super().__init__()
        self.expand = nn.Linear(channels_in, 4 * channels_out)
        self.skip = nn.Linear(channels_out, channels_out)

    def forward(self, x: Tensor, skip: Tensor) -> Tensor:
        b, t, h, w, _ = x.shape
        up = self.expand(x).reshape(b, t, h, w, 2, 2, -1).permute(0, 1, 2, 4, 3, 5, 6)
        return up.reshape(b, t, 2 * h, 2 * w, -1) + self.skip(skip)


class Refinement(nn.Module):
    """Two small convolutions on whole pixels: patches know nothing of each other's borders. Zero-initialised."""

    def __init__(self) -> None:
        super().__init__()
        self.expand = nn.Conv2d(1, 8, 3, padding=1)
        self.reduce = nn.Conv2d(8, 1, 3, padding=1)
        for parameter in self.reduce.parameters():
            nn.init.zeros_(parameter)

    def forward(self, clips: Tensor) -> Tensor:
        """Refine ``clips`` [b, t, h, w]."""
        frames = clips.flatten(0, 1)[:, None]
        return clips + self.reduce(F.silu(self.expand(frames)))[:, 0].unflatten(0, clips.shape[:2])


class GaitUNet(ModelMixin, ConfigMixin):
    """Predicts the clean clip from a noisy one, its noise level, and who walks how, seen from where, at what phase.

    ``frames`` is even, ``height`` and ``width`` are multiples of 4 * 2 ** (resolutions - 1); ``channels`` and
    ``blocks`` (on each side of the U) are those of each resolution, finest first.
    """

    @register_to_config
    def __init__(
        self,
        code_dim: int,
        conditions: int,
        frames: int = 30,
        height: int = 64,
        width: int = 48,
        channels: tuple[int, ...] = (64, 160, 320),
        blocks: tuple[int, ...] = (1, 2, 3),
        embedding: int = 256,
        canvas_channels: int = 16,
    ) -> None:
        super().__init__()
        rows, columns = height // PATCH_PIXELS, width // PATCH_PIXELS
        pixels = PATCH_FRAMES * PATCH_PIXELS**2
        self.conditioner = Conditioner(code_dim, conditions, embedding)
        self.noise_level = NoiseLevelEmbedding(embedding)
        self.phase = PhaseEmbedding(embedding, PATCH_FRAMES)
        self.to_canvas = nn.Linear(embedding, rows * columns * canvas_channels)
        self.proj_in = nn.Linear(pixels + canvas_channels, channels[0])
        pairs, sides = list(itertools.pairwise(channels)), list(zip(channels[:-1], blocks[:-1], strict=True))
        self.down_levels = nn.ModuleList([Level(c, embedding, n) for c, n in sides])
        self.downsamples = nn.ModuleList([SpatialConv(fine, coarse, stride=2) for fine, coarse in pairs])
        self.middle = Level(channels[-1], embedding, blocks[-1], attention=True)
        self.upsamples = nn.ModuleList([Upsample(coarse, fine) for fine, coarse in pairs])
        self.up_levels = nn.ModuleList([Level(c, embedding, n) for c, n in sides])
        self.proj_out = nn.Linear(channels[0], pixels)
        self.refine = Refinement()
        self.to(memory_format=torch.channels_last)

    def forward(
        self, x_t: Tensor, t: Tensor, code: Tensor, condition: Tensor, view_deg: Tensor, phase: Tensor
    ) -> Tensor:
        """Denoise ``x_t`` [b, frames, h, w], on the rectified-flow path at ``t`` [b] in [0, 1] (1 = pure noise).

        The others are the parts of a :class:`Conditioning`. Returns the clean clips, nominally in [-1, 1].
        """
        given = self.conditioner(code, condition, view_deg)
        embedding = F.silu((given + self.noise_level(t))[:, None] + self.phase(phase))
        tokens = patchify(x_t)
        canvas = self.to_canvas(F.silu(given)).unflatten(1, (1, *tokens.shape[2:4], -1))
        canvas = canvas.expand(-1, tokens.shape[1], -1, -1, -1)
        x = self.proj_in(torch.cat([tokens, canvas.to(tokens.dtype)], dim=-1))
        skips = []
        for levels, downsample in zip(self.down_levels, self.downsamples, strict=True):
            x = levels(x, embedding)
            skips.append(x)
            x = downsample(x)
        x = self.middle(x, embedding)
        for levels, upsample in zip(reversed(self.up_levels), reversed(self.upsamples), strict=True):
            x = levels(upsample(x, skips.pop()), embedding)
        return self.refine(unpatchify(self.proj_out(F.layer_norm(x, x.shape[-1:]))))
