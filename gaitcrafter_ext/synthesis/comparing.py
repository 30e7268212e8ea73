"""Ways to make novel people, side by side: how many of them are unique, one person, and new."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np

from gaitcrafter_ext.generator.weights import Card
from gaitcrafter_ext.metrics.centroids import Centroids, find_centroids, greedily_unique, shares_within, to_own_centroid
from gaitcrafter_ext.metrics.distances import cosine_distances
from gaitcrafter_ext.metrics.features import Features
from gaitcrafter_ext.recognition.filter_card import FilterCard
from gaitcrafter_ext.synthesis.identities import BlendSettings, novel_identities
from gaitcrafter_ext.synthesis.selection import (
    Criteria,
    Embedder,
    FilterRequest,
    IdentityFilter,
    Known,
    Progress,
    criteria_of,
    embed_known,
    embed_people,
    parent_retrieval,
    tally,
)

__all__ = ["WAYS", "Comparison", "Row", "compare_ways", "row_of_real"]

#: Name -> how to blend; the identity seed is the caller's.
WAYS = {
    "two parents": BlendSettings(2, 5.0),
    "five parents": BlendSettings(5, 5.0),
    "ten parents": BlendSettings(10, 5.0),
    "ten, one may rule": BlendSettings(10, 0.5),
    "beyond one of three": BlendSettings(3, 5.0, strategy="beyond"),
    "three, spread out": BlendSettings(3, 5.0, strategy="spread"),
    "drawn from the space": BlendSettings(strategy="draw"),
}


@dataclass(frozen=True)
class Row:
    """One way to make people, or a group to compare with. Shares are of its people, in [0, 1].

    Attributes:
        name: Which.
        people: How many there are.
        unique: U: greedily kept, each farther than the radius from all kept before it.
        consistent: Share who are one person.
        known: Share whose centroid is within the radius of a training person; nan where that cannot be asked.
        kept: Share who would pass the whole filter; nan likewise.
        parent: Share whose nearest training person is a parent of theirs; nan where they have no parents.
        chance: What ``parent`` is by chance.
        spacing: Median distance from a person's centroid to the nearest other one of the group.
    """

    name: str
    people: int
    unique: float
    consistent: float
    known: float
    kept: float
    parent: float
    chance: float
    spacing: float


@dataclass(frozen=True)
class Comparison:
    """The table.

    Attributes:
        rows: The training people as the weights make them, then one row a way.
        criteria: The thresholds.
        known: The training people.
    """

    rows: tuple[Row, ...]
    criteria: Criteria
    known: Known


def compare_ways(
    card: Card,
    judge: FilterCard,
    request: FilterRequest,
    embed: Embedder,
    progress: Progress = lambda done, total: None,
) -> Comparison:
    """Try out as many people of each way.

    Args:
        card: Of the weights.
        judge: Card of the recogniser.
        request: How many people (``settings.wanted``), thresholds, probes; of the blend only its seed is used.
        embed: Makes and embeds clips.
        progress: Called with (done, total) people.
    """
    subjects, count = card.vocabulary.identities, request.settings.wanted
    criteria = criteria_of(judge, request.settings, len(subjects))
    ways = {name: blend for name, blend in WAYS.items() if blend.strategy == "draw" or blend.parents <= len(subjects)}
    total = len(subjects) + len(ways) * count
    known = embed_known(card, request, criteria, embed, _later(progress, 0, total))
    rows = [_row_of_known(known, criteria)]
    for number, (name, blend) in enumerate(ways.items()):
        settings = replace(blend, seed=request.blend.seed)
        people = novel_identities(count, subjects, settings, card.cadence, card.code_dim)
        clips = embed_people(people, request, embed, _later(progress, len(subjects) + number * count, total))
        parents = [[parent for parent, weight in who.mix.items() if weight > 0] for who in people.values() if who.mix]
        rows.append(_row(name, clips, criteria, known.centroids, parents))
    return Comparison(tuple(rows), criteria, known)


def row_of_real(clips: Features, comparison: Comparison) -> Row:
    """Real people whom neither network knows: what a perfect generator would reach.

    They are not held against the training people as the weights make them: that real clips differ from synthetic ones
    would pass for a difference of persons. What real people reach among each other stands in the calibration.
    """
    row = _row("real, unseen", clips, comparison.criteria, comparison.known.centroids, [])
    return replace(row, known=float("nan"), kept=float("nan"))


def _later(progress: Progress, before: int, total: int) -> Progress:
    """Progress of a part that begins after ``before`` of ``total``."""
    return lambda done, _: progress(before + done, total)


def _row(name: str, clips: Features, criteria: Criteria, known: Centroids, parents: Sequence[Sequence[str]]) -> Row:
    centroids = find_centroids(clips)
    shares = shares_within(to_own_centroid(clips), clips.identity, criteria.clip)
    sieve, near = IdentityFilter(criteria, known), cosine_distances(centroids.vectors, known.vectors).min(1)
    decisions = [
        sieve.decide(person, centroid, shares[person])
        for person, centroid in zip(centroids.names, centroids.vectors, strict=True)
    ]
    return Row(
        name=name,
        people=len(centroids),
        unique=float(greedily_unique(centroids.vectors, criteria.unique).mean()),
        consistent=_share(list(shares.values()), criteria),
        known=float((near <= criteria.known).mean()),
        kept=tally(decisions)["kept"] / len(centroids),
        parent=parent_retrieval(centroids, parents, known) if parents else float("nan"),
        chance=len(parents[0]) / len(known) if parents else float("nan"),
        spacing=_spacing(centroids),
    )


def _row_of_known(known: Known, criteria: Criteria) -> Row:
    centroids, nan = known.centroids, float("nan")
    return Row(
        name="training people",
        people=len(centroids),
        unique=float(greedily_unique(centroids.vectors, criteria.unique).mean()),
        consistent=_share(list(known.consistency.values()), criteria),
        known=nan,
        kept=nan,
        parent=nan,
        chance=nan,
        spacing=_spacing(centroids),
    )


def _share(shares: Sequence[float], criteria: Criteria) -> float:
    return float(np.mean([share >= criteria.consistency for share in shares]))


def _spacing(centroids: Centroids) -> float:
    between = cosine_distances(centroids.vectors, centroids.vectors)
    np.fill_diagonal(between, np.inf)
    return float(np.median(between.min(1)))
