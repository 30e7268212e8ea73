"""Trials on disk: what a recogniser made of trial clips, so that a choice that was interrupted goes on."""

from __future__ import annotations

import hashlib
import json
import shutil
from collections.abc import Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from gaitcrafter_ext.silhouettes.files import atomic_write
from gaitcrafter_ext.synthesis.frozen import FilterRequest
from gaitcrafter_ext.synthesis.plan import ClipRequest
from gaitcrafter_ext.synthesis.probing import Trier

__all__ = ["forget", "remembering"]


def remembering(folder: Path, request: FilterRequest, tries: Trier) -> Trier:
    """A trier that keeps each result in a folder, and takes it from there when asked the same again.

    Args:
        folder: Where, made when something is kept; nothing else may lie in it.
        request: Its networks and sampling are part of the question.
        tries: Makes clips and embeds them.

    Returns:
        A function that raises ``StorageError`` if the disk refuses.
    """

    def recall(requests: Sequence[ClipRequest]) -> NDArray[np.float32]:
        path = folder / f"{_name(request, requests)}.npy"
        found = _load(path)
        if found is None or len(found) != len(requests):
            found = tries(requests)
            with atomic_write(path) as file:
                np.save(file, found, allow_pickle=False)
        return found

    return recall


def forget(folder: Path) -> None:
    """Delete what was kept."""
    shutil.rmtree(folder, ignore_errors=True)


def _load(path: Path) -> NDArray[np.float32] | None:
    """What is kept; None where there is nothing whole."""
    try:
        kept: NDArray[np.float32] = np.load(path, allow_pickle=False)
    except (OSError, ValueError, EOFError):
        return None
    return kept if kept.ndim == 3 and kept.dtype == np.float32 else None


def _name(request: FilterRequest, requests: Sequence[ClipRequest]) -> str:
    """Short name of a question: 32 hex digits."""
    asked = [[str(each.key), sorted(each.recipe.items()), each.view_deg, each.seed] for each in requests]
    text = json.dumps([request.weights, request.recogniser, request.sampling.facts(), asked])
    return hashlib.sha256(text.encode()).hexdigest()[:32]
