"""What this machine's convolutions can do at best: the roof over every network here."""

from __future__ import annotations

import torch
from torch.nn import functional as F

from gaitcrafter_ext.benchmarks.results import CONVOLUTION, GIGA, Contender
from gaitcrafter_ext.benchmarks.timing import timed_rate

__all__ = ["SHAPES", "Convolutions", "operations"]

#: Images, channels (in = out), rows, columns of 3x3 convolutions: those of our levels, and rounder ones of classifiers.
SHAPES = (
    (120, 64, 16, 12),
    (120, 160, 8, 6),
    (120, 320, 4, 3),
    (32, 256, 32, 32),
    (64, 128, 32, 24),
    (32, 192, 16, 16),
)


def operations(shape: tuple[int, int, int, int]) -> int:
    """Operations of a 3x3 convolution, a multiply-add counted as two."""
    images, channels, rows, columns = shape
    return 2 * images * rows * columns * channels * channels * 9


class Convolutions:
    """Forward 3x3 convolutions, channels last; the best shape counts. Its unit is 10^9 operations."""

    contender = Contender(CONVOLUTION, f"best of {len(SHAPES)} conv2d shapes", 0, {CONVOLUTION: 1})

    def measure(self, task: str, precision: str, seconds: float) -> tuple[float, float]:
        """10^9 operations a second of the fastest shape (``seconds`` are shared among them), and 1."""
        return max(_rate(shape, precision, seconds / len(SHAPES)) for shape in SHAPES), 1.0


def _rate(shape: tuple[int, int, int, int], precision: str, seconds: float) -> float:
    images, channels, rows, columns = shape
    dtype = torch.bfloat16 if precision == "bf16" else torch.float32
    pixels = torch.randn(images, channels, rows, columns, dtype=dtype).to(memory_format=torch.channels_last)
    weight = torch.randn(channels, channels, 3, 3, dtype=dtype).to(memory_format=torch.channels_last)

    def convolve() -> float:
        F.conv2d(pixels, weight, padding=1)
        return operations(shape) / GIGA

    with torch.no_grad():
        convolve()
        return timed_rate(convolve, seconds)
