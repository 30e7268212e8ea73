"""Normal noise that a key decides, whatever else is drawn beside it, and by how many threads."""

from __future__ import annotations

import os
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import torch
from torch import Tensor

#: Threads that draw noise: a CPU's generator is serial, and one alone keeps a fast GPU waiting.
THREADS = min(8, os.cpu_count() or 1)


def keyed(rng: np.random.Generator) -> torch.Generator:
    """A generator of torch's with the next key of numpy's."""
    return torch.Generator().manual_seed(int(rng.integers(2**62)))


def noise_like(shape: tuple[int, ...], device: torch.device, generator: torch.Generator) -> Tensor:
    """Normal noise, drawn where it is needed; on a CPU the generator goes on."""
    if device.type == "cpu":
        return torch.randn(shape, generator=generator)
    own = torch.Generator(device).manual_seed(generator.initial_seed())
    return torch.randn(shape, generator=own, device=device)


def noise_of(seeds: Sequence[int], *shape: int, device: torch.device) -> Tensor:
    """Noise of each seed, float32 [n, *shape], drawn on the CPU: every device gets the same. It is not waited for."""
    noise = torch.empty(len(seeds), *shape, pin_memory=device.type == "cuda")

    def draw(first: int) -> None:
        for out, seed in zip(noise[first::THREADS], seeds[first::THREADS], strict=True):
            torch.randn(shape, generator=torch.Generator().manual_seed(seed), out=out)

    with ThreadPoolExecutor(THREADS) as pool:
        list(pool.map(draw, range(THREADS)))
    return noise.to(device, non_blocking=True)
