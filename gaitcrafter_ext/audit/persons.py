"""Is it the person asked for, in any feature space: rank-1 of synthetic probes against held-out real clips.

Beside it the ceiling, real training takes as probes against the same gallery, and chance, one over the number of
people: the mean over all ways to permute the probes' names.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from gaitcrafter_ext.audit.ranks import RankRow, rank_row
from gaitcrafter_ext.errors import DataError
from gaitcrafter_ext.recognition.gei import GeiSet
from gaitcrafter_ext.recognition.nearest import match

__all__ = ["Persons", "persons"]


@dataclass(frozen=True)
class Persons:
    """Rank-1 with its ceiling and chance.

    Attributes:
        people: People in the gallery.
        synthetic: Synthetic probes: the figure.
        ceiling: Real training takes as probes.
        chance: 1 / people.
    """

    people: int
    synthetic: RankRow
    ceiling: RankRow
    chance: float


def persons(synthetic: GeiSet, held_out: GeiSet, training: GeiSet, rng: np.random.Generator) -> Persons:
    """Match within each view.

    Args:
        synthetic: Points of synthetic clips; those of people who are not in the gallery are left out and counted.
        held_out: Points of real clips that the generator was not trained on: the gallery.
        training: Points of real clips that it was.
        rng: Draws the bootstrap's people.

    Raises:
        DataError: The gallery holds fewer than two people, or no synthetic clip is of one of them at a view they have.
    """
    matched = match(held_out, synthetic)
    if matched.people < 2 or not len(matched.probes):
        raise DataError(
            f"rank-1: held-out real clips of {matched.people} people, {len(matched.probes)} synthetic clips of them at"
            " the same view; at least 2 people and 1 clip are needed"
        )
    return Persons(
        matched.people,
        rank_row("synthetic", "held-out takes", matched, rng),
        rank_row("real training takes", "held-out takes", match(held_out, training), rng),
        1 / matched.people,
    )
