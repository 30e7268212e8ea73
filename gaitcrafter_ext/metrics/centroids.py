"""One point a person: centroids, distances to one's own and to others', and which of them are unique.

Distances are cosine distances of unit vectors, in [0, 2]. A centroid is the mean over views of the mean over a view's
clips, so that a person with many clips of one view is not drawn towards it.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from gaitcrafter_ext.errors import DataError
from gaitcrafter_ext.metrics.distances import cosine_distances
from gaitcrafter_ext.metrics.features import Labelled, rows_of

__all__ = [
    "Centroids",
    "find_centroids",
    "greedily_apart",
    "greedily_unique",
    "nearest",
    "shares_within",
    "to_other_centroids",
    "to_own_centroid",
]

Floats = NDArray[np.float32]
Labels = NDArray[np.str_]


@dataclass(frozen=True)
class Centroids:
    """Where each person is: unit vectors, float32 [P, D]."""

    names: tuple[str, ...]
    vectors: Floats

    def __len__(self) -> int:
        return len(self.names)


def find_centroids(clips: Labelled) -> Centroids:
    """The centroid of each person, in the order in which they first appear."""
    rows = rows_of(clips.identity)
    found = [_centroid(clips.vectors[mine], clips.view[mine]) for mine in rows.values()]
    return Centroids(tuple(rows), np.stack(found) if found else np.zeros((0, clips.vectors.shape[1]), np.float32))


def to_own_centroid(clips: Labelled) -> Floats:
    """Distance of each clip to the centroid of its person's other clips: float32 [N].

    Raises:
        DataError: A person has one clip only.
    """
    found = np.zeros(len(clips.identity), np.float32)
    for name, mine in rows_of(clips.identity).items():
        if len(mine) < 2:
            raise DataError(f"{name} has one clip only; whether a person is one person needs two or more")
        for number in mine:
            others = mine[mine != number]
            found[number] = 1 - clips.vectors[number] @ _centroid(clips.vectors[others], clips.view[others])
    return found


def to_other_centroids(clips: Labelled) -> Floats:
    """Distance of every clip to the centroid of every other person: float32 [N * (people - 1)]."""
    people = find_centroids(clips)
    strangers = clips.identity[:, None] != np.array(people.names)[None]
    return cosine_distances(clips.vectors, people.vectors)[strangers]


def nearest(vector: Floats, others: Centroids) -> tuple[str, float]:
    """Whose centroid is nearest to a unit vector [D], and how far it is."""
    distances = cosine_distances(vector[None], others.vectors)[0]
    index = int(distances.argmin())
    return others.names[index], float(distances[index])


def shares_within(distances: Floats, identity: Labels, radius: float) -> dict[str, float]:
    """Of each person, the share of clips whose distance [N] to their own centroid is at most ``radius``."""
    return {name: float((distances[mine] <= radius).mean()) for name, mine in rows_of(identity).items()}


def greedily_unique(vectors: Floats, radius: float) -> NDArray[np.bool_]:
    """Which of some unit vectors stay, in order, if each must be farther than ``radius`` from all that stayed."""
    return greedily_apart(cosine_distances(vectors, vectors), radius)


def greedily_apart(distances: Floats, radius: float) -> NDArray[np.bool_]:
    """The same of a table of distances [N, N]: bool [N]."""
    close, stays = distances <= radius, np.zeros(len(distances), bool)
    for number in range(len(distances)):
        stays[number] = not (close[number] & stays).any()
    return stays


def _centroid(vectors: Floats, view: Labels) -> Floats:
    mean = np.stack([vectors[view == name].mean(0) for name in np.unique(view)]).mean(0)
    return np.asarray(mean / max(float(np.linalg.norm(mean)), 1e-12), np.float32)
