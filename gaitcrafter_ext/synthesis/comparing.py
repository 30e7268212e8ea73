"""Ways to make novel people, side by side: how many of them are unique, one person, and new."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np

from gaitcrafter_ext.metrics.centroids import nearest
from gaitcrafter_ext.metrics.features import cosine_distances
from gaitcrafter_ext.synthesis.identities import BlendSettings, novel_identities
from gaitcrafter_ext.synthesis.selection import Criteria, IdentityFilter, Progress, Screening, Tried

#: Name -> how to blend; the identity seed is the caller's.
WAYS = {
    "two parents": BlendSettings(2, 5.0),
    "five parents": BlendSettings(5, 5.0),
    "ten parents": BlendSettings(10, 5.0),
    "ten, one may rule": BlendSettings(10, 0.5),
    "drawn from the space": BlendSettings(strategy="draw"),
}


@dataclass(frozen=True)
class Row:
    """One way to make people, or the training people; shares, and nan what cannot be asked of it.

    ``unique`` is U: greedily kept, each farther than the radius from all kept before it; ``spacing`` the median
    distance from a person's centroid to the nearest other one; ``known`` are within the radius of a training person;
    ``kept`` would pass the whole filter; of ``parent`` the nearest training person is a parent, by ``chance`` so often.
    """

    name: str
    people: int
    unique: float
    consistent: float
    spacing: float
    known: float = math.nan
    kept: float = math.nan
    parent: float = math.nan
    chance: float = math.nan


def compare_ways(
    screening: Screening, known: Tried, progress: Progress = lambda done, total: None
) -> tuple[Criteria, list[Row]]:
    """Try out as many people of each way; a row for the training people, then one a way.

    Of the request's blend only the seed is used. What real people reach among each other stands in the calibration.
    """
    card, request, criteria, trials = screening.card, screening.request, screening.criteria, screening.trials()
    subjects, count = card.vocabulary.identities, request.settings.wanted
    ways = {name: blend for name, blend in WAYS.items() if blend.strategy == "draw" or blend.parents <= len(subjects)}
    rows = [_row("training people", known, criteria)]
    for number, (name, blend) in enumerate(ways.items()):
        settings = replace(blend, seed=request.blend.seed)
        people = novel_identities(count, subjects, settings, card.cadence, card.code_dim)
        tried = trials.tried(people, lambda done, _: progress(number * count + done, len(ways) * count))  # noqa: B023
        rows.append(_row(name, tried, criteria, known, [who.mix for who in people.values() if who.mix]))
    return criteria, rows


def _row(
    name: str, people: Tried, criteria: Criteria, known: Tried | None = None, mixes: Sequence[Mapping[str, float]] = ()
) -> Row:
    """What novel people, of these ``mixes`` or of none, share among each other and with the training people."""
    vectors = people.centroids.vectors
    between = cosine_distances(vectors, vectors)
    np.fill_diagonal(between, np.inf)
    found = people.control(criteria)
    unique, consistent = (found[what] / len(vectors) for what in ("unique", "consistent"))
    row = Row(name, len(vectors), unique, consistent, float(np.median(between.min(1))))
    if known is None:
        return row
    near = [nearest(vector, known.centroids) for vector in vectors]
    sieve = IdentityFilter(criteria, known.centroids)
    sieve.decide_all(people)
    share = float(np.mean([distance <= criteria.known for _, distance in near]))
    row = replace(row, known=share, kept=len(sieve.kept) / len(near))
    if not mixes:
        return row
    hits = [name in mix for (name, _), mix in zip(near, mixes, strict=True)]
    return replace(row, parent=float(np.mean(hits)), chance=len(mixes[0]) / len(known.own))
