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
from gaitcrafter_ext.metrics.features import FeatureSet, in_order
from gaitcrafter_ext.metrics.intervals import Estimate, bootstrap_ratio, estimate_share


@dataclass(frozen=True)
class RankOne:
    """Rank-1 of the probes of one condition, over all views and at each."""

    condition: str
    share: Estimate
    per_view: dict[str, Estimate]


@dataclass(frozen=True)
class Matches:
    """Probes whose person is in the gallery at their view, whether each found them (bool [N]), and ``dropped`` others.

    ``people`` counts those of the gallery.
    """

    probes: FeatureSet
    hits: NDArray[np.bool_]
    people: int
    dropped: int

    def where(self, mask: NDArray[np.bool_]) -> Matches:
        """Those of the probes that a bool [N] mask picks."""
        return Matches(self.probes.where(mask), self.hits[mask], self.people, self.dropped)

    @property
    def share(self) -> Estimate:
        """Rank-1 over all probes."""
        return estimate_share(self.hits, self.probes.identity)

    def rank_one(self) -> tuple[RankOne, ...]:
        """Rank-1 of each condition among the probes, nm, bg and cl first."""
        found = []
        for condition in in_order(self.probes.condition):
            mine = self.where(self.probes.condition == condition)
            views = np.unique(mine.probes.view).tolist()
            shares = {view: mine.where(mine.probes.view == view).share for view in views}
            found.append(RankOne(condition, mine.share, shares))
        return tuple(found)


def identification(synthetic: FeatureSet, held_out: FeatureSet, training: FeatureSet) -> tuple[Matches, Matches]:
    """Find the person of each synthetic clip, and of each training clip (the ceiling), among held-out real clips.

    Raises:
        DataError: The gallery holds fewer than two people, or no synthetic clip is of one of them at a view they have.
    """
    matched = match(held_out, synthetic)
    if matched.people < 2 or not len(matched.probes):
        raise DataError(
            f"rank-1: held-out real clips of {matched.people} people, {len(matched.probes)} synthetic clips of them at"
            " the same view; at least 2 people and 1 clip are needed: check the roots and what was held out"
        )
    return matched, match(held_out, training)


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


def share_ratios(ours: Matches, ceiling: Matches, rng: np.random.Generator) -> dict[str, Estimate]:
    """Rank-1 over that of the ceiling, of each condition that both have; ``rng`` draws the bootstrap's people."""
    common = set(ceiling.probes.condition.tolist())
    sides = {
        name: [each.where(each.probes.condition == name) for each in (ours, ceiling)]
        for name in in_order(ours.probes.condition)
        if name in common
    }
    return {
        name: bootstrap_ratio(mine.hits, mine.probes.identity, theirs.hits, theirs.probes.identity, rng)
        for name, (mine, theirs) in sides.items()
    }
