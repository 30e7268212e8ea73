"""Is it the person asked for, in any feature space: rank-1 of synthetic probes against held-out real clips.

Beside it the ceiling, real training takes as probes against the same gallery, and chance as measured: the synthetic
probes with their names dealt to other people.
"""

from __future__ import annotations

import dataclasses
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
        shuffled: Share of synthetic probes matched to the wrong name they were dealt.
    """

    people: int
    synthetic: RankRow
    ceiling: RankRow
    shuffled: float


def persons(synthetic: GeiSet, held_out: GeiSet, training: GeiSet, rng: np.random.Generator) -> Persons:
    """Match within each view.

    Args:
        synthetic: Points of synthetic clips; those of people who are not in the gallery are left out and counted.
        held_out: Points of real clips that the generator was not trained on: the gallery.
        training: Points of real clips that it was.
        rng: Draws the bootstrap's people and deals names.

    Raises:
        DataError: The gallery holds fewer than two people, or no synthetic clip is of one of them at a view they have.
    """
    matched = match(held_out, synthetic)
    if matched.people < 2 or not len(matched.probes):
        raise DataError(
            f"rank-1: held-out real clips of {matched.people} people, {len(matched.probes)} synthetic clips of them at"
            " the same view; at least 2 people and 1 clip are needed"
        )
    dealt = match(held_out, _dealt(synthetic, held_out, rng))
    return Persons(
        matched.people,
        rank_row("synthetic", "held-out takes", matched, rng),
        rank_row("real training takes", "held-out takes", match(held_out, training), rng),
        float(dealt.hits.mean()) if len(dealt.hits) else float("nan"),
    )


def _dealt(clips: GeiSet, gallery: GeiSet, rng: np.random.Generator) -> GeiSet:
    """The same clips, each under the name of another person of the gallery."""
    names = np.unique(gallery.identity)
    known = clips.where(np.isin(clips.identity, names))
    turn = int(rng.integers(1, len(names)))
    wrong = dict(zip(names.tolist(), np.roll(names, turn).tolist(), strict=True))
    return dataclasses.replace(known, identity=np.array([wrong[name] for name in known.identity.tolist()], dtype=str))
