"""Is it the person asked for? Rank-1 by pixel GEIs, against takes that the generator never saw.

The gallery holds held-out takes only, so that a generator that copies gains nothing. Two ceilings: real training takes
as probes against the very same gallery, and every real take against all other takes of everybody (leave one take out).
Against the training takes, which the generator saw, the figure is given too, labelled, beside held-out real probes.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from gaitcrafter_ext.audit.features import ClipFeatures
from gaitcrafter_ext.errors import DataError
from gaitcrafter_ext.recognition.bootstrap import Estimate, bootstrap_ratio, bootstrap_share
from gaitcrafter_ext.recognition.gei import GeiSet
from gaitcrafter_ext.recognition.nearest import Matches, RankOne, match, match_other_takes, rank_one

__all__ = ["RankRow", "Ranks", "geis_of", "rank_row", "ranks"]


@dataclass(frozen=True)
class RankRow:
    """Probes of one kind against one gallery.

    Attributes:
        probes: What the probes are.
        gallery: What the gallery holds.
        share: Rank-1 over all probes, with an interval over people.
        conditions: Rank-1 of each condition.
        left_out: Probes without a gallery clip of their person at their view.
    """

    probes: str
    gallery: str
    share: Estimate
    conditions: tuple[RankOne, ...]
    left_out: int


@dataclass(frozen=True)
class Ranks:
    """Rank-1 of synthetic probes with its ceilings and chance.

    Attributes:
        people: People in the gallery.
        chance: 1 / people.
        synthetic: Synthetic probes, held-out gallery: the figure.
        same_gallery: Ceiling: real training takes as probes, the same gallery.
        leave_one_out: Ceiling: each real take against all other takes of everybody.
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


def ranks(
    synthetic: Sequence[ClipFeatures],
    held_out: Sequence[ClipFeatures],
    training: Sequence[ClipFeatures],
    rng: np.random.Generator,
) -> Ranks:
    """Match GEIs within each view.

    Args:
        synthetic: Synthetic clips of people among the real ones; others are left out and counted.
        held_out: Real clips that the generator was not trained on.
        training: Real clips that it was.
        rng: Draws the bootstrap's people.

    Raises:
        DataError: The held-out clips are of fewer than two people, or no synthetic clip is of one of them at a view
            that they have.
    """
    probes, new, seen = (geis_of(clips) for clips in (synthetic, held_out, training))
    matched = match(new, probes)
    if matched.people < 2 or not len(matched.probes):
        raise DataError(
            f"rank-1: held-out real clips of {matched.people} people, {len(matched.probes)} synthetic clips of them at"
            " the same view; at least 2 people and 1 clip are needed: check the roots and what was held out"
        )
    same, others = match(new, seen), match_other_takes(geis_of([*held_out, *training]))
    return Ranks(
        matched.people,
        1 / matched.people,
        rank_row("synthetic", "held-out takes", matched, rng),
        rank_row("real training takes", "held-out takes", same, rng),
        rank_row("real, leave one take out", "all other takes", others, rng),
        _ratio(matched, same, rng),
        _ratio(matched, others, rng),
        rank_row("synthetic", "training takes", match(seen, probes), rng),
        rank_row("held-out real", "training takes", match(seen, new), rng),
    )


def geis_of(clips: Sequence[ClipFeatures]) -> GeiSet:
    """GEIs of clips, flattened, in [0, 1]."""
    labels = np.array([(key.identity, key.take, key.condition, key.view) for key in (clip.key for clip in clips)])
    columns = labels.reshape(-1, 4).astype(str).T
    images = np.stack([clip.gei.ravel() for clip in clips]) / np.float32(255) if clips else np.zeros((0, 0), np.float32)
    return GeiSet(images, *columns)


def rank_row(probes: str, gallery: str, matches: Matches, rng: np.random.Generator) -> RankRow:
    """Rank-1 of matched probes, with its interval."""
    share = bootstrap_share(matches.hits, matches.probes.identity, rng)
    return RankRow(probes, gallery, share, rank_one(matches, rng), matches.dropped)


def _ratio(ours: Matches, ceiling: Matches, rng: np.random.Generator) -> Estimate:
    return bootstrap_ratio(ours.hits, ours.probes.identity, ceiling.hits, ceiling.probes.identity, rng)
