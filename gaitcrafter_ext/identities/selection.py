"""Which candidates may stay: pure functions of distances, and a sieve that judges candidates one after the other.

A candidate stays if it is

- *consistent*: enough of its clips lie within ``clip`` of the centre of its other clips (C of DCFace, 2304.07060);
- *nobody*: its centre is farther than ``known`` from the centre of every person the generator was trained on;
- *unique*: its centre is farther than ``unique`` from that of every candidate that stayed before it (U, greedy).

They are asked in this order, and the first that fails is why the candidate fell: of somebody who is not one person
there is no centre to compare.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from gaitcrafter_ext.metrics.centroids import Centroids, nearest, shares_within
from gaitcrafter_ext.metrics.distances import cosine_distances

__all__ = ["REASONS", "Criteria", "Sieve", "Verdict", "parent_retrieval", "shares_within", "tally"]

KEPT, INCONSISTENT, KNOWN, DUPLICATE = "kept", "inconsistent", "known", "duplicate"

#: What becomes of a candidate, in the order in which it is asked.
REASONS = (KEPT, INCONSISTENT, KNOWN, DUPLICATE)

Floats = NDArray[np.float32]


@dataclass(frozen=True)
class Criteria:
    """Thresholds.

    Attributes:
        clip: Distance within which a clip belongs to a centre.
        consistency: Least share of a person's clips that must, in [0, 1].
        known: Distance between centres within which a candidate is a training person.
        unique: Distance between centres within which two candidates are one.
    """

    clip: float
    consistency: float
    known: float
    unique: float


@dataclass(frozen=True)
class Verdict:
    """What became of a candidate.

    Attributes:
        name: The candidate.
        outcome: One of :data:`REASONS`.
        consistency: Share of its clips near its centre.
        nearest: Who was nearest to it: of the training people if it fell as known, else of those that stayed before it
            (of the training people again where nobody had stayed).
        distance: How near.
    """

    name: str
    outcome: str
    consistency: float
    nearest: str
    distance: float


class Sieve:
    """Judges candidates in order; what it keeps decides on those that come after.

    Args:
        criteria: Thresholds.
        known: Centroids of the training people.
    """

    def __init__(self, criteria: Criteria, known: Centroids) -> None:
        self.criteria = criteria
        self.known = known
        self._kept: list[tuple[str, Floats]] = []

    @property
    def kept(self) -> tuple[str, ...]:
        """Names of those that stayed, in order."""
        return tuple(name for name, _ in self._kept)

    def judge(self, name: str, centre: Floats, consistency: float) -> Verdict:
        """Keep a candidate, or say why not.

        Args:
            name: Whose.
            centre: Unit vector, float32 [D].
            consistency: Share of the candidate's clips within ``criteria.clip`` of its centre.
        """
        known, to_known = nearest(centre, self.known)
        if consistency < self.criteria.consistency:
            return Verdict(name, INCONSISTENT, consistency, known, to_known)
        if to_known <= self.criteria.known:
            return Verdict(name, KNOWN, consistency, known, to_known)
        other, distance = (known, to_known)
        if self._kept:
            other, distance = nearest(centre, Centroids(self.kept, np.stack([vector for _, vector in self._kept])))
            if distance <= self.criteria.unique:
                return Verdict(name, DUPLICATE, consistency, other, distance)
        self._kept.append((name, centre))
        return Verdict(name, KEPT, consistency, other, distance)


def tally(verdicts: Sequence[Verdict]) -> dict[str, int]:
    """How many of each outcome there are, all of :data:`REASONS` included."""
    counts = Counter(verdict.outcome for verdict in verdicts)
    return {reason: counts[reason] for reason in REASONS}


def parent_retrieval(centres: Centroids, parents: Sequence[Sequence[str]], known: Centroids) -> float:
    """Share of people whose nearest training person is one of those whom they are a blend of.

    Args:
        centres: Of the novel people.
        parents: Each one's parents.
        known: Centroids of the training people.
    """
    found = cosine_distances(centres.vectors, known.vectors).argmin(1)
    hits = [known.names[index] in names for index, names in zip(found, parents, strict=True)]
    return float(np.mean(hits)) if hits else float("nan")
