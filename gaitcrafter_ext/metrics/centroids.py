"""One point a person: how far apart people are, which of them are unique (U), and is each of them one (C_intra)?

Distances are cosine distances of unit vectors, in [0, 2]. A centroid is the mean over views of the mean over a view's
clips, so that a person with many clips of one view is not drawn towards it. U and C_intra are DCFace's (Kim et al.,
CVPR 2023, arXiv 2304.07060). Both need a distance from which on two people pass for two: the one at which a stated
share of pairs of different real people would be taken for one, of the very statistic it is used on: centroid to
centroid for U, clip to centroid for C_intra.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from gaitcrafter_ext.errors import DataError
from gaitcrafter_ext.metrics.distances import cosine_distances, threshold
from gaitcrafter_ext.metrics.features import FeatureSet, Labelled, rows_of
from gaitcrafter_ext.metrics.intervals import Estimate, estimate_share

Floats = NDArray[np.float32]
Labels = NDArray[np.str_]

#: Share of pairs of different real people that a threshold lets pass for one, and how many people tell it at most.
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
    people, (_, index) = find_centroids(clips), np.unique(clips.identity, return_inverse=True)
    place = {name: row for row, name in enumerate(np.unique(clips.identity).tolist())}
    other = index[:, None] != np.array([place[name] for name in people.names])[None]
    return cosine_distances(clips.vectors, people.vectors)[other]


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
    return _greedily_apart(cosine_distances(vectors, vectors), radius)


def _greedily_apart(distances: Floats, radius: float) -> NDArray[np.bool_]:
    close, stays = distances <= radius, np.zeros(len(distances), bool)
    for number in range(len(distances)):
        stays[number] = not (close[number] & stays).any()
    return stays


def _centroid(vectors: Floats, view: Labels) -> Floats:
    mean = np.stack([vectors[view == name].mean(0) for name in np.unique(view)]).mean(0)
    return np.asarray(mean / max(float(np.linalg.norm(mean)), 1e-12), np.float32)


@dataclass(frozen=True)
class Threshold:
    """A distance at a false match ``rate``, from so many ``pairs`` of different real ``people``."""

    distance: float
    rate: float
    pairs: int
    people: int

    @property
    def resolved(self) -> bool:
        """Whether there are pairs enough for at least one false match at the rate."""
        return self.pairs * self.rate >= 1


@dataclass(frozen=True)
class Uniqueness:
    """Greedily kept people, in the order they were asked about; ``share`` of them is U.

    ``curve`` [P] counts how many of the first n are kept; ``blocker`` is the kept person nearest to each dropped one.
    """

    people: tuple[str, ...]
    kept: NDArray[np.bool_]
    share: Estimate
    curve: NDArray[np.int64]
    blocker: tuple[str, ...]


@dataclass(frozen=True)
class Consistency:
    """Intra-class consistency C_intra: mean over people of the share of their clips near their other clips' centroid.

    People with a single clip are left out.
    """

    share: Estimate
    people: dict[str, float]
    left_out: int


def centroid_threshold(real: FeatureSet, rate: float = FALSE_MATCH_RATE) -> Threshold:
    """The distance between centroids that ``rate`` of the pairs of different real people are nearer than.

    Raises:
        DataError: There are fewer than two people.
    """
    people = find_centroids(_some_people(real))
    distances = cosine_distances(people.vectors, people.vectors)[np.triu_indices(len(people), 1)]
    return Threshold(threshold(distances, rate), rate, len(distances), len(people))


def clip_threshold(real: FeatureSet, rate: float = FALSE_MATCH_RATE) -> Threshold:
    """The same of real clips and other people's centroids.

    Raises:
        DataError: There are fewer than two people.
    """
    clips = _some_people(real)
    distances = to_other_centroids(clips)
    return Threshold(threshold(distances, rate), rate, len(distances), len(clips.people))


def _some_people(real: FeatureSet) -> FeatureSet:
    """All of them, or a few hundred: pairs grow with the square of people."""
    if len(people := real.people) < 2:
        raise DataError(
            f"threshold: {len(people)} real people to calibrate on; at least 2 whom the recogniser never saw are needed"
        )
    if len(people) <= MOST_PEOPLE:
        return real
    return real.only(people=np.random.default_rng(0).permutation(people)[:MOST_PEOPLE].tolist())


def uniqueness(people: Centroids, distance: float) -> Uniqueness:
    """Keep each person who is farther than ``distance`` from all kept so far.

    Raises:
        DataError: There are fewer than two people.
    """
    if len(people) < 2:
        raise DataError(f"uniqueness: {len(people)} people; at least 2 are needed")
    table = cosine_distances(people.vectors, people.vectors)
    kept = _greedily_apart(table, distance)
    closest = np.where(kept[None], table, np.inf).argmin(axis=1).tolist()
    blocker = tuple("" if kept[row] else people.names[at] for row, at in enumerate(closest))
    share = estimate_share(kept, np.array(people.names, dtype=str))
    return Uniqueness(people.names, kept, share, np.cumsum(kept), blocker)


def independent_share(count: int, rate: float = FALSE_MATCH_RATE) -> float:
    """U to be expected of ``count`` people whose pairs collide independently at ``rate``."""
    kept = 0.0
    for _ in range(count):
        kept += (1 - rate) ** kept
    return kept / count


def consistency(clips: FeatureSet, distance: float) -> Consistency:
    """Share of clips that lie within ``distance`` of the centroid of their person's other clips.

    Raises:
        DataError: No person has two clips.
    """
    counts = Counter(clips.identity.tolist())
    asked = clips.only(people=[name for name, count in counts.items() if count > 1])
    if not len(asked):
        raise DataError(f"consistency: none of {len(counts)} people has two clips; make more takes or views")
    distances = to_own_centroid(asked)
    shares = shares_within(distances, asked.identity, distance)
    value, over_clips = float(np.mean(list(shares.values()))), estimate_share(distances <= distance, asked.identity)
    estimate = replace(over_clips, value=value, low=min(value, over_clips.low), high=max(value, over_clips.high))
    return Consistency(estimate, shares, len(counts) - len(shares))


def matched_takes(real: FeatureSet, synthetic: FeatureSet) -> FeatureSet:
    """Real clips of the cells (view, condition) that synthetic people have, no more takes a cell than those have.

    A centroid of more clips is steadier: thresholds hold only among centroids of as many clips.
    """
    most, seen = Counter[tuple[str, ...]](), Counter[tuple[str, ...]]()
    for (_, *cell), count in Counter(_cells(synthetic)).items():
        most[tuple(cell)] = max(count, most[tuple(cell)])
    cells, mask = _cells(real), np.zeros(len(real), dtype=bool)
    for index in np.lexsort((real.view, real.take, real.identity)).tolist():
        seen[cells[index]] += 1
        mask[index] = seen[cells[index]] <= most[cells[index][1:]]
    return real.where(mask)


def _cells(clips: FeatureSet) -> list[tuple[str, str, str]]:
    return list(zip(clips.identity.tolist(), clips.view.tolist(), clips.condition.tolist(), strict=True))
