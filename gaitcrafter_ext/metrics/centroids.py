"""One point a person: how far apart people are, which of them are unique (U), and is each of them one (C_intra)?

Distances are cosine distances of unit vectors, in [0, 2]. A centroid is the mean over views of the mean over a view's
clips, so that a person with many clips of one view is not drawn towards it. U and C_intra are DCFace's (Kim et al.,
CVPR 2023, arXiv 2304.07060). Both need a distance from which on two people pass for two: the one at which a stated
share of pairs of different real people would be taken for one, of the very statistic it is used on: centroid to
centroid for U, clip to centroid for C_intra.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from gaitcrafter_ext.errors import DataError
from gaitcrafter_ext.metrics.features import FeatureSet, Labelled, Labels, as_many_takes, cosine_distances, rows_of
from gaitcrafter_ext.metrics.intervals import Estimate, estimate_share

Floats = NDArray[np.float32]

#: Share of pairs of different real people that a threshold takes for one, and how many people set it at most.
FALSE_MATCH_RATE, MOST_PEOPLE = 0.01, 500


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


def _centroid(vectors: Floats, view: Labels) -> Floats:
    mean = np.stack([vectors[view == name].mean(0) for name in np.unique(view)]).mean(0)
    return np.asarray(mean / max(float(np.linalg.norm(mean)), 1e-12), np.float32)


def to_own_centroid(clips: Labelled) -> Floats:
    """Distance of each clip to the centroid of its person's other clips: float32 [N]."""
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
    other = clips.identity[:, None] != np.array(people.names)[None]
    return cosine_distances(clips.vectors, people.vectors)[other]


def between_centroids(clips: Labelled) -> Floats:
    """Distance of every two people's centroids: float32 [people * (people - 1) / 2]."""
    vectors = find_centroids(clips).vectors
    return cosine_distances(vectors, vectors)[np.triu_indices(len(vectors), 1)]


def nearest(vector: Floats, others: Centroids) -> tuple[str, float]:
    """Whose centroid is nearest to a unit vector [D], and how far it is."""
    distances = cosine_distances(vector[None], others.vectors)[0]
    index = int(distances.argmin())
    return others.names[index], float(distances[index])


def greedily_unique(vectors: Floats, radius: float) -> NDArray[np.bool_]:
    """Which unit vectors stay if each must be farther than ``radius`` from all that stayed before; their share is U."""
    close, stays = cosine_distances(vectors, vectors) <= radius, np.zeros(len(vectors), bool)
    for number in range(len(vectors)):
        stays[number] = not (close[number] & stays).any()
    return stays


class Threshold(NamedTuple):
    """A distance at :data:`FALSE_MATCH_RATE`, from so many ``pairs`` of different real ``people``."""

    distance: float
    pairs: int
    people: int


def find_threshold(real: FeatureSet, statistic: Callable[[Labelled], Floats]) -> Threshold:
    """The threshold of :func:`between_centroids` or :func:`to_other_centroids`, of some hundred real people at most."""
    if len(people := real.people) < 2:
        raise DataError(
            f"threshold: {len(people)} real people to calibrate on; at least 2 whom the recogniser never saw are needed"
        )
    if len(people) > MOST_PEOPLE:  # pairs grow with the square of people
        people = np.random.default_rng(0).permutation(people)[:MOST_PEOPLE].tolist()
    distances = statistic(real.only(people))
    return Threshold(float(np.quantile(distances, FALSE_MATCH_RATE)), len(distances), len(people))


def consistency(clips: FeatureSet, distance: float) -> Estimate:
    """C_intra: mean over people of the share of their clips within ``distance`` of their other clips' centroid.

    People with a single clip are left out.
    """
    rows = rows_of(clips.identity)
    asked = clips.only(name for name, mine in rows.items() if len(mine) > 1)
    if not len(asked):
        raise DataError(f"consistency: none of {len(rows)} people has two clips; make more takes or views")
    near = to_own_centroid(asked) <= distance
    value = float(np.mean([near[mine].mean() for mine in rows_of(asked.identity).values()]))
    over_clips = estimate_share(near, asked.identity)
    return replace(over_clips, value=value, low=min(value, over_clips.low), high=max(value, over_clips.high))


def matched_takes(real: FeatureSet, synthetic: FeatureSet) -> FeatureSet:
    """Real clips of the cells that synthetic people have, no more takes a cell than those have."""
    made = zip(synthetic.identity.tolist(), synthetic.cells, strict=True)
    return real.where(as_many_takes(real.keys, real.cells, made))
