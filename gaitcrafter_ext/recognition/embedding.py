"""Clips to embeddings: all frames of each clip, many clips a batch."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence

import numpy as np
import numpy.typing as npt
import torch
from torch import nn

from gaitcrafter_ext.recognition.clips import ClipRef, cut, to_sils
from gaitcrafter_ext.recognition.precision import autocast
from gaitcrafter_ext.recognition.protocol import Features

__all__ = ["embed"]

#: OpenGait's bound on the frames of a clip in testing.
FRAME_LIMIT = 720

#: Frames of a batch; one GaitSet layer of them takes 90 MB.
BATCH_FRAMES = 256

Progress = Callable[[Sequence[ClipRef]], Iterable[ClipRef]]


@torch.inference_mode()
def embed(
    network: nn.Module,
    clips: Sequence[ClipRef],
    device: torch.device | str = "cpu",
    precision: str = "float32",
    progress: Progress = iter,
) -> Features:
    """Embed whole clips (their first 720 frames).

    Args:
        network: A GaitSet or GaitBase; it is left in evaluation mode.
        clips: Which clips.
        device: Where to compute.
        precision: ``"float32"`` or ``"bfloat16"`` (see :mod:`gaitcrafter_ext.recognition.precision`).
        progress: Wraps the clips while they are read, e.g. in a progress bar.

    Returns:
        float32 embeddings, in the order of ``clips``.
    """
    network.eval().to(device)
    parts = []
    with autocast(precision, device):
        for frames in _batches(progress(clips)):
            lengths = [len(clip) for clip in frames]
            parts.append(network(to_sils(np.concatenate(frames), device), lengths).embeddings.cpu().numpy())
    keys = [clip.key for clip in clips]
    return Features(
        np.concatenate(parts) if parts else np.zeros((0, 0, 0), np.float32),
        np.array([key.identity for key in keys], dtype=str),
        np.array([key.take for key in keys], dtype=str),
        np.array([key.view for key in keys], dtype=str),
    )


def _batches(clips: Iterable[ClipRef]) -> Iterator[list[npt.NDArray[np.uint8]]]:
    """Clips gathered until they hold ``BATCH_FRAMES`` frames; a longer clip is a batch of its own."""
    batch: list[npt.NDArray[np.uint8]] = []
    for clip in clips:
        frames = cut(clip.store.read(clip.key)[:FRAME_LIMIT])
        if batch and sum(map(len, batch)) + len(frames) > BATCH_FRAMES:
            yield batch
            batch = []
        batch.append(frames)
    if batch:
        yield batch
