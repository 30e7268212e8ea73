"""Are novel people different people (U), and is each of them one person (C_intra)?

Both are DCFace's (Kim et al., CVPR 2023, arXiv 2304.07060). Both need a distance from which on two people pass for two:
the one at which a stated share of pairs of different real people would be taken for one, of the very statistic it is
used on: centroid to centroid for U, clip to centroid for C_intra.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from gaitcrafter_ext.errors import DataError
from gaitcrafter_ext.metrics.centroids import (
    Centroids,
    find_centroids,
    greedily_apart,
    shares_within,
    to_other_centroids,
    to_own_centroid,
)
from gaitcrafter_ext.metrics.distances import cosine_distances, threshold
from gaitcrafter_ext.metrics.features import FeatureSet
from gaitcrafter_ext.metrics.intervals import Estimate, estimate_share

__all__ = [
    "FALSE_MATCH_RATE",
    "Consistency",
    "Threshold",
    "Uniqueness",
    "centroid_threshold",
    "clip_threshold",
    "consistency",
    "independent_share",
    "matched_takes",
    "uniqueness",
]

#: Share of pairs of different real people that the threshold lets pass for one.
FALSE_MATCH_RATE = 0.01


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
    """Greedily kept people, in the order they were asked about.

    Attributes:
        kept: bool [P], whether each is farther than the threshold from every person kept before.
        share: U = kept / all.
        curve: int [P], how many of the first n are kept.
        blocker: The kept person nearest to each dropped one; "" for a kept one.
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
    people = find_centroids(_two_people(real))
    distances = cosine_distances(people.vectors, people.vectors)[np.triu_indices(len(people), 1)]
    return Threshold(threshold(distances, rate), rate, len(distances), len(people))


def clip_threshold(real: FeatureSet, rate: float = FALSE_MATCH_RATE) -> Threshold:
    """The same of real clips and other people's centroids.

    Raises:
        DataError: There are fewer than two people.
    """
    distances = to_other_centroids(_two_people(real))
    return Threshold(threshold(distances, rate), rate, len(distances), len(real.people))


def uniqueness(people: Centroids, distance: float) -> Uniqueness:
    """Keep each person who is farther than ``distance`` from all kept so far.

    Raises:
        DataError: There are fewer than two people.
    """
    if len(people) < 2:
        raise DataError(f"uniqueness: {len(people)} people; at least 2 are needed")
    table = cosine_distances(people.vectors, people.vectors)
    kept = greedily_apart(table, distance)
    nearest = np.where(kept[None], table, np.inf).argmin(axis=1).tolist()
    blocker = tuple("" if kept[row] else people.names[at] for row, at in enumerate(nearest))
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
    most: dict[tuple[str, str], int] = {}
    for (_, *cell), count in Counter(_cells(synthetic)).items():
        most[cell[0], cell[1]] = max(count, most.get((cell[0], cell[1]), 0))
    seen: Counter[tuple[str, str, str]] = Counter()
    cells, mask = _cells(real), np.zeros(len(real), dtype=bool)
    for index in np.lexsort((real.view, real.take, real.identity)).tolist():
        seen[cells[index]] += 1
        mask[index] = seen[cells[index]] <= most.get(cells[index][1:], 0)
    return real.where(mask)


def _cells(clips: FeatureSet) -> list[tuple[str, str, str]]:
    return list(zip(clips.identity.tolist(), clips.view.tolist(), clips.condition.tolist(), strict=True))


def _two_people(real: FeatureSet) -> FeatureSet:
    if len(real.people) < 2:
        raise DataError(
            f"threshold: {len(real.people)} real people to calibrate on; at least 2 whom the recogniser never saw are"
            " needed"
        )
    return real
