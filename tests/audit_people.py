"""People as points: a centre drawn for each, clips scattered around it."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from gaitcrafter_ext.audit.embeddings import Embedded
from gaitcrafter_ext.vocabulary import ClipKey

__all__ = ["draw_people", "renamed"]

#: Dimensions, and how far clips scatter around their person.
SIZE, SCATTER = 8, 0.15


def draw_people(
    people: int, seed: int, takes: int = 4, views: tuple[str, ...] = ("090",), name: str = "{:03d}"
) -> Embedded:
    """Unit vectors of ``people`` x ``takes`` x ``views``; another seed draws other people."""
    rng = np.random.default_rng(seed)
    vectors, keys = [], []
    for person in range(people):
        centre = rng.normal(size=SIZE)
        centre /= np.linalg.norm(centre)
        for take in range(takes):
            for view in views:
                vectors.append(centre + SCATTER * rng.normal(size=SIZE))
                keys.append(ClipKey(name.format(person), f"nm-{take + 1:02d}", view))
    points = np.stack(vectors).astype(np.float32)
    return Embedded(points / np.linalg.norm(points, axis=1, keepdims=True), tuple(keys))


def renamed(key: ClipKey, identity: str) -> ClipKey:
    """The same clip under another person's name."""
    return replace(key, identity=identity)
