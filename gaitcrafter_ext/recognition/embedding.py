"""Clips to embeddings, many clips a batch: whole clips to test a recogniser, every second frame to filter people."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from pathlib import Path

import numpy as np
import numpy.typing as npt
import torch
from torch import nn

from gaitcrafter_ext.errors import DataError
from gaitcrafter_ext.hardware import autocast, pick_device
from gaitcrafter_ext.metrics.features import Features
from gaitcrafter_ext.recognition.checkpoint import load_recogniser
from gaitcrafter_ext.recognition.data import cut, to_sils
from gaitcrafter_ext.silhouettes.store import SilhouetteStore
from gaitcrafter_ext.vocabulary import ClipKey

#: OpenGait's bound on the frames of a clip in testing.
FRAME_LIMIT = 720

#: Frames of a batch; one GaitSet layer of them takes 90 MB.
BATCH_FRAMES = 256

#: Clips, uint8 [N, T, 64, 64], to embeddings, float32 [N, channels, parts]. That of a clip does not depend on the clips
#: beside it, but for rounding.
Embed = Callable[[npt.NDArray[np.uint8]], npt.NDArray[np.float32]]

#: Every how many-th frame is looked at: neighbours differ little, and all of them would take twice the time.
EVERY = 2

#: Takes by which a real person is judged.
TREE_TAKES = ("nm-01", "nm-02")


@torch.inference_mode()
def embed_frames(
    network: nn.Module,
    clips: Iterable[npt.NDArray[np.uint8]],
    device: torch.device | str = "cpu",
    precision: str = "float32",
) -> npt.NDArray[np.float32]:
    """Embed clips, uint8 [T, 64, 64] each, of which 720 frames at most count: float32 [N, channels, parts]."""
    place = torch.device(device)
    network.eval().to(place)
    parts = []
    for frames in _batches(clips):
        sils = to_sils(np.concatenate(frames), place)
        with autocast(precision, place):
            embeddings = network(sils, [len(clip) for clip in frames]).embeddings
        parts.append(embeddings.float().cpu().numpy())
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


def load_embedder(folder: Path, device: str = "auto") -> Embed:
    """The recogniser in a folder as a function of clips; raises as ``load_recogniser``."""
    network, _ = load_recogniser(folder)
    place = pick_device(device)
    return lambda clips: embed_frames(network, clips[:, ::EVERY], place)


def embed_tree(root: Path, embed: Embed, views: tuple[str, ...], people: int) -> Features:
    """Embed the first people of a tree, by name: two takes of plain walking at each view.

    Raises:
        DataError: A person lacks such a take at a view.
    """
    store = SilhouetteStore(root)
    names = store.identities()[:people]
    keys = [ClipKey(name, take, view) for name in names for take in TREE_TAKES for view in views]
    there = set(store.keys())
    lacking = [key for key in keys if key not in there]
    if lacking or not keys:
        what = f"no clip {lacking[0]}" if lacking else "no person"
        raise DataError(f"{root}: {what}; each person needs {' and '.join(TREE_TAKES)} at {', '.join(views)}")
    return embed_keys(store, keys, embed)


def embed_keys(store: SilhouetteStore, keys: Sequence[ClipKey], embed: Embed) -> Features:
    """Embed clips of a tree, one or more."""
    return label(np.concatenate([embed(store.read(key)[None]) for key in keys]), keys)


def label(embeddings: npt.NDArray[np.float32], keys: Sequence[ClipKey]) -> Features:
    """Embeddings with the names of the clips that they are of."""
    names = np.array([(key.identity, key.take, key.view) for key in keys], dtype=str).reshape(-1, 3)
    return Features(embeddings, *names.T)
