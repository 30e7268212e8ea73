"""The recogniser that filters, ready to embed clips."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np
import numpy.typing as npt

from gaitcrafter_ext.errors import DataError
from gaitcrafter_ext.metrics.features import Features
from gaitcrafter_ext.recognition.checkpoint import load_recogniser
from gaitcrafter_ext.recognition.device import pick_device
from gaitcrafter_ext.recognition.embedding import embed_frames
from gaitcrafter_ext.silhouettes.store import SilhouetteStore
from gaitcrafter_ext.vocabulary import ClipKey

__all__ = ["Embed", "embed_keys", "embed_tree", "load_embedder"]

#: Clips, uint8 [N, T, 64, 64], to embeddings, float32 [N, channels, parts].
Embed = Callable[[npt.NDArray[np.uint8]], npt.NDArray[np.float32]]

#: Every how many-th frame is looked at: neighbours differ little, and all of them would take twice the time.
EVERY = 2

#: Takes by which a real person is judged.
TREE_TAKES = ("nm-01", "nm-02")


def load_embedder(folder: Path, device: str = "auto") -> Embed:
    """The recogniser as a function; a clip's embedding does not depend on the clips beside it, but for rounding.

    Args:
        folder: Of the recogniser, see :func:`gaitcrafter_ext.recognition.filter_card.locate_filter`.
        device: Where to compute.

    Raises:
        MissingError: There is no recogniser in the folder.
        WeightsError: It is truncated or of another version.
    """
    network, _ = load_recogniser(folder)
    place = pick_device(device)
    return lambda clips: embed_frames(network, clips[:, ::EVERY], place)


def embed_tree(root: Path, embed: Embed, views: tuple[str, ...], people: int) -> Features:
    """Embed the first clips of the first people of a tree: two takes of plain walking at each view.

    Args:
        root: The tree.
        embed: What ``load_embedder`` gave.
        views: Which views.
        people: How many people, by name.

    Raises:
        DataError: Somebody has no two such takes at every view.
    """
    store = SilhouetteStore(root)
    names = store.identities()[:people]
    keys = [ClipKey(name, take, view) for name in names for take in TREE_TAKES for view in views]
    there = set(store.keys())
    lacking = [key for key in keys if key not in there]
    if lacking or not keys:
        what = f"no clip {lacking[0]}" if lacking else "nobody"
        raise DataError(f"{root}: {what}; each person needs {' and '.join(TREE_TAKES)} at {', '.join(views)}")
    return embed_keys(store, keys, embed)


def embed_keys(store: SilhouetteStore, keys: Sequence[ClipKey], embed: Embed) -> Features:
    """Embed clips of a tree, one or more."""
    return Features(
        np.concatenate([embed(store.read(key)[None]) for key in keys]),
        np.array([key.identity for key in keys], dtype=str),
        np.array([key.take for key in keys], dtype=str),
        np.array([key.view for key in keys], dtype=str),
    )
