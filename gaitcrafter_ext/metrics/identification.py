"""Identification: rank-1 by the nearest gallery clip of the same view, Euclidean distance between features.

Yu, Tan & Tan, "A Framework for Evaluating the Effect of View Angle, Clothing and Carrying Condition on Gait
Recognition", ICPR 2006, gallery and probe of one view. The gallery of a synthetic set holds held-out real takes only,
so that a generator that copies gains nothing.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from gaitcrafter_ext.errors import DataError
from gaitcrafter_ext.metrics.distances import squared_distances
from gaitcrafter_ext.metrics.features import FeatureSet, in_order, joined
from gaitcrafter_ext.metrics.intervals import Estimate, bootstrap_ratio, estimate_share

__all__ = [
    "Identification",
    "Matches",
    "RankOne",
    "RankRow",
    "Ranks",
    "identification",
    "match",
    "match_other_takes",
    "rank_one",
    "ranks",
    "share_ratio",
]


@dataclass(frozen=True)
class Matches:
    """What became of each probe.

    Attributes:
        probes: The probes that could be matched: their person has a gallery clip at their view.
        hits: bool [N], whether the nearest gallery clip is of the probe's person.
        people: How many people the gallery holds.
        dropped: How many probes had no gallery clip of their person at their view.
    """

    probes: FeatureSet
    hits: NDArray[np.bool_]
    people: int
    dropped: int

    @property
    def share(self) -> Estimate:
        """Rank-1 over all probes."""
        return estimate_share(self.hits, self.probes.identity)


@dataclass(frozen=True)
class RankOne:
    """Rank-1 of the probes of one condition, over all views and at each."""

    condition: str
    share: Estimate
    per_view: dict[str, Estimate]


@dataclass(frozen=True)
class Identification:
    """Rank-1 of synthetic probes, beside real training takes against the same gallery (the ceiling) and chance."""

    people: int
    synthetic: Matches
    ceiling: Matches
    chance: float


@dataclass(frozen=True)
class RankRow:
    """Probes of one kind against one gallery."""

    probes: str
    gallery: str
    share: Estimate
    conditions: tuple[RankOne, ...]
    left_out: int


@dataclass(frozen=True)
class Ranks:
    """Rank-1 of synthetic probes with every ceiling.

    Attributes:
        synthetic: Synthetic probes, held-out gallery: the figure.
        same_gallery: Ceiling: real training takes as probes, the same gallery.
        leave_one_out: Ceiling: each real take against all other takes.
        of_same_gallery: ``synthetic`` / ``same_gallery``.
        of_leave_one_out: ``synthetic`` / ``leave_one_out``.
        seen: Synthetic probes against the training takes, which the generator saw: no proof of anything new.
        seen_ceiling: Held-out real probes against the training takes.
    """

    people: int
    chance: float
    synthetic: RankRow
    same_gallery: RankRow
    leave_one_out: RankRow
    of_same_gallery: Estimate
    of_leave_one_out: Estimate
    seen: RankRow
    seen_ceiling: RankRow


def identification(synthetic: FeatureSet, held_out: FeatureSet, training: FeatureSet) -> Identification:
    """Find the person of each synthetic clip among held-out real clips.

    Args:
        synthetic: Probes; those of people who are not in the gallery are left out and counted.
        held_out: The gallery: real clips that the generator was not trained on.
        training: Probes of the ceiling: real clips that it was.

    Raises:
        DataError: The gallery holds fewer than two people, or no synthetic clip is of one of them at a view they have.
    """
    matched = match(held_out, synthetic)
    if matched.people < 2 or not len(matched.probes):
        raise DataError(
            f"rank-1: held-out real clips of {matched.people} people, {len(matched.probes)} synthetic clips of them at"
            " the same view; at least 2 people and 1 clip are needed: check the roots and what was held out"
        )
    return Identification(matched.people, matched, match(held_out, training), 1 / matched.people)


def ranks(synthetic: FeatureSet, held_out: FeatureSet, training: FeatureSet, rng: np.random.Generator) -> Ranks:
    """:func:`identification`, and the same with other galleries; ``rng`` draws the bootstrap's people."""
    found = identification(synthetic, held_out, training)
    others = match_other_takes(joined(held_out, training))
    return Ranks(
        found.people,
        found.chance,
        _row("synthetic", "held-out takes", found.synthetic),
        _row("real training takes", "held-out takes", found.ceiling),
        _row("real, leave one take out", "all other takes", others),
        share_ratio(found.synthetic, found.ceiling, rng),
        share_ratio(found.synthetic, others, rng),
        _row("synthetic", "training takes", match(training, synthetic)),
        _row("held-out real", "training takes", match(training, held_out)),
    )


def match(gallery: FeatureSet, probes: FeatureSet) -> Matches:
    """Find each probe's nearest gallery clip of the same view."""
    known = {*zip(gallery.identity.tolist(), gallery.view.tolist(), strict=True)}
    cells = zip(probes.identity.tolist(), probes.view.tolist(), strict=True)
    kept = probes.where(np.array([cell in known for cell in cells], dtype=bool))
    hits = np.zeros(len(kept), dtype=bool)
    for view in np.unique(kept.view):
        theirs, ours = gallery.view == view, kept.view == view
        nearest = squared_distances(kept.vectors[ours], gallery.vectors[theirs]).argmin(axis=1)
        hits[ours] = gallery.identity[theirs][nearest] == kept.identity[ours]
    return Matches(kept, hits, len(gallery.people), len(probes) - len(kept))


def match_other_takes(clips: FeatureSet) -> Matches:
    """Find each clip's nearest clip of the same view among all other takes (leave one take out)."""
    hits, known = np.zeros(len(clips), dtype=bool), np.zeros(len(clips), dtype=bool)
    takes = np.char.add(np.char.add(clips.identity, "/"), clips.take)
    for view in np.unique(clips.view):
        here = np.flatnonzero(clips.view == view)
        other = takes[here][:, None] != takes[here][None]
        same = clips.identity[here][:, None] == clips.identity[here][None]
        distances = np.where(other, squared_distances(clips.vectors[here], clips.vectors[here]), np.inf)
        hits[here] = same[np.arange(len(here)), distances.argmin(axis=1)]
        known[here] = (same & other).any(axis=1)
    return Matches(clips.where(known), hits[known], len(clips.people), int((~known).sum()))


def rank_one(matches: Matches) -> tuple[RankOne, ...]:
    """Rank-1 of each condition among the probes, nm, bg and cl first."""
    probes = matches.probes
    found = []
    for condition in in_order(probes.condition):
        mine = probes.condition == condition
        views = {view: mine & (probes.view == view) for view in np.unique(probes.view[mine]).tolist()}
        shares = {view: estimate_share(matches.hits[mask], probes.identity[mask]) for view, mask in views.items()}
        found.append(RankOne(condition, estimate_share(matches.hits[mine], probes.identity[mine]), shares))
    return tuple(found)


def share_ratio(ours: Matches, ceiling: Matches, rng: np.random.Generator) -> Estimate:
    """Rank-1 over that of the ceiling."""
    return bootstrap_ratio(ours.hits, ours.probes.identity, ceiling.hits, ceiling.probes.identity, rng)


def _row(probes: str, gallery: str, matches: Matches) -> RankRow:
    return RankRow(probes, gallery, matches.share, rank_one(matches), matches.dropped)
