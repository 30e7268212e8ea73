"""Clips to embeddings: all frames of each clip, many clips a batch."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence

import numpy as np
import numpy.typing as npt
import torch
from torch import nn

from gaitcrafter_ext.metrics.features import Features
from gaitcrafter_ext.recognition.clips import ClipRef, cut, to_sils
from gaitcrafter_ext.recognition.precision import autocast

__all__ = ["embed", "embed_frames"]

#: OpenGait's bound on the frames of a clip in testing.
FRAME_LIMIT = 720

#: Frames of a batch; one GaitSet layer of them takes 90 MB.
BATCH_FRAMES = 256

Progress = Callable[[Sequence[ClipRef]], Iterable[ClipRef]]


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
    read = (clip.store.read(clip.key) for clip in progress(clips))
    embeddings = embed_frames(network, read, device, precision)
    keys = [clip.key for clip in clips]
    return Features(
        embeddings,
        np.array([key.identity for key in keys], dtype=str),
        np.array([key.take for key in keys], dtype=str),
        np.array([key.view for key in keys], dtype=str),
    )


@torch.inference_mode()
def embed_frames(
    network: nn.Module,
    clips: Iterable[npt.NDArray[np.uint8]],
    device: torch.device | str = "cpu",
    precision: str = "float32",
) -> npt.NDArray[np.float32]:
    """Embed clips that are at hand, uint8 [T, 64, 64] each: float32 [N, channels, parts]."""
    network.eval().to(device)
    parts = []
    with autocast(precision, device):
        for frames in _batches(clips):
            lengths = [len(clip) for clip in frames]
            parts.append(network(to_sils(np.concatenate(frames), device), lengths).embeddings.cpu().numpy())
    return np.concatenate(parts) if parts else np.zeros((0, 0, 0), np.float32)


def _batches(clips: Iterable[npt.NDArray[np.uint8]]) -> Iterator[list[npt.NDArray[np.uint8]]]:
    """Clips gathered until they hold ``BATCH_FRAMES`` frames; a longer clip is a batch of its own."""
    batch: list[npt.NDArray[np.uint8]] = []
    for clip in clips:
        frames = cut(clip[:FRAME_LIMIT])
        if batch and sum(map(len, batch)) + len(frames) > BATCH_FRAMES:
            yield batch
            batch = []
        batch.append(frames)
    if batch:
        yield batch
