"""People as points: a place drawn for each, clips scattered around it."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from gaitcrafter_ext.metrics.features import FeatureSet
from gaitcrafter_ext.vocabulary import ClipKey

#: Dimensions, and how far clips scatter around their person.
SIZE, SCATTER = 8, 0.15


def draw_people(
    people: int, seed: int, takes: int = 4, views: tuple[str, ...] = ("090",), name: str = "{:03d}"
) -> FeatureSet:
    """Unit vectors of ``people`` x ``takes`` x ``views``; another seed draws other people."""
    rng = np.random.default_rng(seed)
    vectors, keys = [], []
    for person in range(people):
        place = rng.normal(size=SIZE)
        place /= np.linalg.norm(place)
        for take in range(takes):
            for view in views:
                vectors.append(place + SCATTER * rng.normal(size=SIZE))
                keys.append(ClipKey(name.format(person), f"nm-{take + 1:02d}", view))
    points = np.stack(vectors)
    return FeatureSet.of(points / np.linalg.norm(points, axis=1, keepdims=True), keys, ["nm"] * len(keys))


def renamed(clips: FeatureSet, names: list[str]) -> FeatureSet:
    """The same clips under other people's names."""
    return replace(clips, identity=np.array(names, dtype=str))
