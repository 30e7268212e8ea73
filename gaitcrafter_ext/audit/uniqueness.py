"""Are novel people different people, and is each of them one person?

U and C_intra of DCFace (Kim et al., CVPR 2023, arXiv 2304.07060). Both need a distance r from which on two people pass
for two: the one at which a stated share of pairs of different real people would be taken for one (the false match
rate), of the very statistic it is used on: centre to centre for U, clip to centre for C_intra.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from gaitcrafter_ext.audit.embeddings import Centres, Embedded, centres
from gaitcrafter_ext.errors import DataError
from gaitcrafter_ext.recognition.bootstrap import Estimate, bootstrap_mean
from gaitcrafter_ext.recognition.separation import greedily_apart

__all__ = [
    "FALSE_MATCH_RATE",
    "Consistency",
    "Threshold",
    "Uniqueness",
    "centre_threshold",
    "clip_threshold",
    "consistency",
    "independent_share",
    "matched_takes",
    "uniqueness",
]

#: Share of pairs of different real people that r lets pass for one.
FALSE_MATCH_RATE = 0.01


@dataclass(frozen=True)
class Threshold:
    """A distance calibrated on real people.

    Attributes:
        distance: r: pairs nearer than this pass for one person.
        rate: The false match rate that was asked for.
        pairs: How many pairs of different people it was taken from.
        people: How many people.
    """

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
    """Greedily kept people.

    Attributes:
        people: The names, in the order they were taken.
        kept: bool [P], whether each was kept: farther than r from everyone kept before.
        share: U = kept / all, with a jackknife interval over people.
        curve: int [P], how many of the first n are kept.
        blocker: The kept person whom each fallen one is nearest to; "" for a kept one.
    """

    people: tuple[str, ...]
    kept: NDArray[np.bool_]
    share: Estimate
    curve: NDArray[np.int64]
    blocker: tuple[str, ...]


@dataclass(frozen=True)
class Consistency:
    """How far each person's clips keep together.

    Attributes:
        share: C_intra, mean over people of the share of clips nearer than r to the centre of the person's other clips.
        people: Share of each person.
        left_out: People with a single clip.
    """

    share: Estimate
    people: dict[str, float]
    left_out: int


def centre_threshold(real: Embedded, rate: float = FALSE_MATCH_RATE) -> Threshold:
    """r between centres: the ``rate`` quantile of distances between different real people.

    Raises:
        DataError: There are fewer than two people.
    """
    people = centres(_two_people(real))
    upper = np.triu_indices(len(people), 1)
    return _threshold((1 - people.vectors @ people.vectors.T)[upper], rate, len(people))


def clip_threshold(real: Embedded, rate: float = FALSE_MATCH_RATE) -> Threshold:
    """r from clip to centre: the ``rate`` quantile of distances of real clips to other people's centres.

    Raises:
        DataError: There are fewer than two people.
    """
    people = centres(_two_people(real))
    others = real.identity[:, None] != np.array(people.people)[None]
    return _threshold((1 - real.vectors @ people.vectors.T)[others], rate, len(people))


def uniqueness(people: Centres, distance: float) -> Uniqueness:
    """Keep whoever is farther than ``distance`` from everyone kept so far.

    Raises:
        DataError: There are fewer than two people.
    """
    if len(people) < 2:
        raise DataError(f"uniqueness: {len(people)} people; at least 2 are needed")
    table = 1 - people.vectors @ people.vectors.T
    kept = greedily_apart(table, distance)
    fewer = np.array(
        [greedily_apart(np.delete(np.delete(table, k, 0), k, 1), distance).mean() for k in range(len(people))]
    )
    nearest = np.where(kept[None], table, np.inf).argmin(axis=1)
    return Uniqueness(
        people.people,
        kept,
        _jackknife(float(kept.mean()), fewer),
        np.cumsum(kept),
        tuple("" if kept[row] else people.people[at] for row, at in enumerate(nearest.tolist())),
    )


def independent_share(count: int, rate: float = FALSE_MATCH_RATE) -> float:
    """U to be expected of ``count`` people whose pairs collide independently at ``rate``."""
    kept = 0.0
    for _ in range(count):
        kept += (1 - rate) ** kept
    return kept / count


def consistency(clips: Embedded, distance: float, rng: np.random.Generator) -> Consistency:
    """Share of clips that lie nearer than ``distance`` to the centre of their person's other clips.

    Raises:
        DataError: Nobody has two clips.
    """
    found = {name: _near_own(clips.of([name]), distance) for name in clips.people}
    asked = {name: marks for name, marks in found.items() if len(marks) > 1}
    if not asked:
        raise DataError(f"consistency: none of {len(found)} people has two clips; make more takes or views")
    shares = {name: float(marks.mean()) for name, marks in asked.items()}
    estimate = bootstrap_mean(np.array(list(shares.values())), np.array(list(shares)), rng)
    return Consistency(estimate, shares, len(found) - len(asked))


def matched_takes(real: Embedded, synthetic: Embedded) -> Embedded:
    """Real clips of the cells (view, condition) that synthetic people have, no more takes a cell than those have.

    A centre of more clips is steadier: thresholds hold only among centres of as many clips.
    """
    most = _most_takes(synthetic)
    seen: dict[tuple[str, str, str], int] = {}
    mask = np.zeros(len(real), dtype=bool)
    for index in sorted(range(len(real)), key=lambda index: real.keys[index]):
        key = real.keys[index]
        cell = (key.identity, key.view, key.condition)
        seen[cell] = seen.get(cell, 0) + 1
        mask[index] = seen[cell] <= most.get(cell[1:], 0)
    return real.where(mask)


def _most_takes(clips: Embedded) -> dict[tuple[str, str], int]:
    """The largest number of takes that somebody has in each cell."""
    counts: dict[tuple[str, str, str], int] = {}
    for key in clips.keys:
        cell = (key.identity, key.view, key.condition)
        counts[cell] = counts.get(cell, 0) + 1
    most: dict[tuple[str, str], int] = {}
    for (_, view, condition), count in counts.items():
        most[view, condition] = max(count, most.get((view, condition), 0))
    return most


def _two_people(real: Embedded) -> Embedded:
    if len(real.people) < 2:
        raise DataError(
            f"threshold: {len(real.people)} real people to calibrate on; at least 2 whom the recogniser never saw are"
            " needed"
        )
    return real


def _threshold(distances: NDArray[np.float32], rate: float, people: int) -> Threshold:
    return Threshold(float(np.quantile(distances, rate)), rate, len(distances), people)


def _jackknife(value: float, fewer: NDArray[np.float64]) -> Estimate:
    """95 % interval of the delete-one jackknife (Efron & Tibshirani 1993, eq. 11.5), within [0, 1]."""
    count = len(fewer)
    error = float(np.sqrt((count - 1) / count * ((fewer - fewer.mean()) ** 2).sum()))
    return Estimate(value, max(0.0, value - 1.96 * error), min(1.0, value + 1.96 * error), count)


def _near_own(clips: Embedded, distance: float) -> NDArray[np.bool_]:
    """Whether each clip of one person lies near the centre of the others, bool [N]; empty for a single clip."""
    if len(clips) < 2:
        return np.zeros(0, dtype=bool)
    rest = [clips.where(np.arange(len(clips)) != row) for row in range(len(clips))]
    own = np.stack([centres(others).vectors[0] for others in rest])
    return np.asarray(1 - (own * clips.vectors).sum(axis=1) < distance)
