"""Ways to blend, side by side: how many of the people they make are unique, one person, and nobody."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np

from gaitcrafter_ext.generator.card import Card
from gaitcrafter_ext.identities.codes import BlendSettings, novel_identities
from gaitcrafter_ext.identities.selection import KEPT, Criteria, Sieve, parent_retrieval, shares_within, tally
from gaitcrafter_ext.metrics.centroids import (
    Centroids,
    find_centroids,
    greedily_unique,
    to_own_centroid,
)
from gaitcrafter_ext.metrics.distances import cosine_distances
from gaitcrafter_ext.metrics.features import Features
from gaitcrafter_ext.recognition.filter_card import FilterCard
from gaitcrafter_ext.synthesis.filtering import Known, Progress, criteria_of, try_known, try_people
from gaitcrafter_ext.synthesis.frozen import FilterRequest
from gaitcrafter_ext.synthesis.probing import Trier

__all__ = ["WAYS", "Comparison", "Row", "compare_ways", "row_of_real"]

#: Name -> how to blend; the identity seed is the caller's.
WAYS = {
    "two parents": BlendSettings(2, 5.0),
    "two, one may rule": BlendSettings(2, 1.0),
    "three parents": BlendSettings(3, 5.0),
    "five parents": BlendSettings(5, 5.0),
    "beyond one of two": BlendSettings(2, 5.0, strategy="beyond"),
    "beyond one of three": BlendSettings(3, 5.0, strategy="beyond"),
    "two, spread out": BlendSettings(2, 5.0, strategy="spread"),
    "three, spread out": BlendSettings(3, 5.0, strategy="spread"),
}


@dataclass(frozen=True)
class Row:
    """One way to blend, or a group to compare with. Shares are of its people, in [0, 1].

    Attributes:
        name: Which.
        people: How many there are.
        unique: U: greedily kept, each farther than the radius from all kept before it.
        consistent: Share who are one person.
        known: Share whose centre is within the radius of a training person; nan where that cannot be asked.
        kept: Share who would pass the whole filter; nan likewise.
        parent: Share whose nearest training person is a parent of theirs; nan where they have no parents.
        chance: What ``parent`` is by chance.
        spacing: Median distance from a person's centre to the nearest other one of the group.
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
    tries: Trier,
    progress: Progress = lambda done, total: None,
) -> Comparison:
    """Try out as many people of each way to blend.

    Args:
        card: Of the weights.
        judge: Card of the recogniser.
        request: How many people (``settings.wanted``), thresholds, probes; of the blend only its seed is used.
        tries: Makes and embeds clips.
        progress: Called with (done, total) people.
    """
    criteria, subjects, count = (
        criteria_of(judge, request.settings),
        card.vocabulary.identities,
        request.settings.wanted,
    )
    ways = {name: blend for name, blend in WAYS.items() if blend.parents <= len(subjects)}
    total = len(subjects) + len(ways) * count
    known = try_known(card, request, criteria, tries, _later(progress, 0, total))
    rows = [_row_of_known(known, criteria)]
    for number, (name, blend) in enumerate(ways.items()):
        settings = replace(blend, seed=request.blend.seed)
        people = novel_identities(
            count, subjects, settings.seed, settings.parents, settings.concentration, settings.strategy
        )
        recipes = {person.name: person.recipe for person in people}
        shown = _later(progress, len(subjects) + number * count, total)
        clips = try_people(recipes, request, tries, shown)
        parents = [[name for name, weight in recipe.items() if weight > 0] for recipe in recipes.values()]
        rows.append(_row(name, clips, criteria, known.centres, parents))
    return Comparison(tuple(rows), criteria, known)


def row_of_real(clips: Features, comparison: Comparison) -> Row:
    """Real people whom neither network knows: what a perfect generator would reach.

    They are not held against the training people as the weights make them: that real clips differ from synthetic ones
    would pass for a difference of persons. What real people reach among each other stands in the calibration.
    """
    row = _row("real, unseen", clips, comparison.criteria, comparison.known.centres, [])
    return replace(row, known=float("nan"), kept=float("nan"))


def _later(progress: Progress, before: int, total: int) -> Progress:
    """Progress of a part that begins after ``before`` of ``total``."""
    return lambda done, _: progress(before + done, total)


def _row(name: str, clips: Features, criteria: Criteria, known: Centroids, parents: Sequence[Sequence[str]]) -> Row:
    centres = find_centroids(clips)
    shares = shares_within(to_own_centroid(clips), clips.identity, criteria.clip)
    sieve, near = Sieve(criteria, known), cosine_distances(centres.vectors, known.vectors).min(1)
    verdicts = [
        sieve.judge(person, centre, shares[person])
        for person, centre in zip(centres.names, centres.vectors, strict=True)
    ]
    return Row(
        name=name,
        people=len(centres),
        unique=float(greedily_unique(centres.vectors, criteria.unique).mean()),
        consistent=_share(list(shares.values()), criteria),
        known=float((near <= criteria.known).mean()),
        kept=tally(verdicts)[KEPT] / len(centres),
        parent=parent_retrieval(centres, parents, known) if parents else float("nan"),
        chance=len(parents[0]) / len(known) if parents else float("nan"),
        spacing=_spacing(centres),
    )


def _row_of_known(known: Known, criteria: Criteria) -> Row:
    centres, nan = known.centres, float("nan")
    return Row(
        name="training people",
        people=len(centres),
        unique=float(greedily_unique(centres.vectors, criteria.unique).mean()),
        consistent=_share(list(known.consistency.values()), criteria),
        known=nan,
        kept=nan,
        parent=nan,
        chance=nan,
        spacing=_spacing(centres),
    )


def _share(shares: Sequence[float], criteria: Criteria) -> float:
    return float(np.mean([share >= criteria.consistency for share in shares]))


def _spacing(centres: Centroids) -> float:
    between = cosine_distances(centres.vectors, centres.vectors)
    np.fill_diagonal(between, np.inf)
    return float(np.median(between.min(1)))
