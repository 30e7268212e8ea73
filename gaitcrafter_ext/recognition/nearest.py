"""Pixel-GEI nearest neighbour within each view: the baseline every gait set is first held against.

Yu, Tan & Tan, "A Framework for Evaluating the Effect of View Angle, Clothing and Carrying Condition on Gait
Recognition", ICPR 2006: GEIs, Euclidean distance, gallery and probe of one view.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from gaitcrafter_ext.recognition.bootstrap import Estimate, bootstrap_share
from gaitcrafter_ext.recognition.gei import GeiSet

__all__ = ["Matches", "RankOne", "match", "match_other_takes", "rank_one"]


@dataclass(frozen=True)
class Matches:
    """What became of each probe.

    Attributes:
        probes: The probes that could be matched: their person has a gallery clip at their view.
        hits: bool [N], whether the nearest gallery clip is of the probe's person.
        people: How many people the gallery holds.
        dropped: How many probes had no gallery clip of their person at their view.
    """

    probes: GeiSet
    hits: npt.NDArray[np.bool_]
    people: int
    dropped: int


@dataclass(frozen=True)
class RankOne:
    """Rank-1 of one condition.

    Attributes:
        condition: ``"nm"``, ``"bg"``, ``"cl"``.
        share: Rank-1 over all views, in [0, 1].
        per_view: Rank-1 at each view.
    """

    condition: str
    share: Estimate
    per_view: dict[str, Estimate]


def match(gallery: GeiSet, probes: GeiSet) -> Matches:
    """Find each probe's nearest gallery clip of the same view, by Euclidean distance between GEIs."""
    known = {*zip(gallery.identity.tolist(), gallery.view.tolist(), strict=True)}
    mask = np.array([cell in known for cell in zip(probes.identity.tolist(), probes.view.tolist(), strict=True)], bool)
    kept = probes.where(mask) if len(probes) else probes
    hits = np.zeros(len(kept), dtype=bool)
    for view in np.unique(kept.view):
        theirs, ours = gallery.view == view, kept.view == view
        nearest = squared_distances(kept.images[ours], gallery.images[theirs]).argmin(axis=1)
        hits[ours] = gallery.identity[theirs][nearest] == kept.identity[ours]
    return Matches(kept, hits, len(np.unique(gallery.identity)), len(probes) - len(kept))


def match_other_takes(clips: GeiSet) -> Matches:
    """Find each clip's nearest clip of the same view among all other takes of everybody (leave one take out)."""
    hits, known = np.zeros(len(clips), dtype=bool), np.zeros(len(clips), dtype=bool)
    takes = np.char.add(np.char.add(clips.identity, "/"), clips.take)
    for view in np.unique(clips.view):
        here = np.flatnonzero(clips.view == view)
        other = takes[here][:, None] != takes[here][None]
        same = clips.identity[here][:, None] == clips.identity[here][None]
        distances = np.where(other, squared_distances(clips.images[here], clips.images[here]), np.inf)
        hits[here] = same[np.arange(len(here)), distances.argmin(axis=1)]
        known[here] = (same & other).any(axis=1)
    return Matches(clips.where(known), hits[known], len(np.unique(clips.identity)), int((~known).sum()))


def rank_one(matches: Matches, rng: np.random.Generator) -> tuple[RankOne, ...]:
    """Rank-1 of each condition among the probes, nm, bg and cl first."""
    return tuple(_of_condition(matches, condition, rng) for condition in in_order(matches.probes.condition))


def in_order(conditions: npt.NDArray[np.str_]) -> list[str]:
    """The conditions that occur: nm, bg, cl first, any others after them by name."""
    usual = ("nm", "bg", "cl")
    return sorted(set(conditions.tolist()), key=lambda name: (usual.index(name) if name in usual else 3, name))


def squared_distances(left: npt.NDArray[np.floating], right: npt.NDArray[np.floating]) -> npt.NDArray[np.floating]:
    """Squared Euclidean distances of every pair, [N, M], by ||a||^2 - 2 a.b + ||b||^2."""
    return (left**2).sum(1)[:, None] - 2 * left @ right.T + (right**2).sum(1)[None]


def _of_condition(matches: Matches, condition: str, rng: np.random.Generator) -> RankOne:
    mask = matches.probes.condition == condition
    views = np.unique(matches.probes.view[mask])
    return RankOne(
        condition,
        bootstrap_share(matches.hits[mask], matches.probes.identity[mask], rng),
        {view: _at_view(matches, mask & (matches.probes.view == view), rng) for view in views.tolist()},
    )


def _at_view(matches: Matches, mask: npt.NDArray[np.bool_], rng: np.random.Generator) -> Estimate:
    return bootstrap_share(matches.hits[mask], matches.probes.identity[mask], rng)
