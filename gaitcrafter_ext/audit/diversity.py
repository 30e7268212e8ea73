"""Do synthetic clips vary as real ones do? Improved recall in style features, within each condition.

D_intra of DCFace (arXiv 2304.07060), by the improved recall of Kynkaanniemi et al. (NeurIPS 2019, arXiv 1904.06991):
the share of real clips that lie in the ball around some synthetic clip of the same condition, a ball's radius being the
distance to its clip's k-th nearest neighbour among the synthetic clips of that condition.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from gaitcrafter_ext.errors import DataError
from gaitcrafter_ext.recognition.bootstrap import Estimate, bootstrap_share
from gaitcrafter_ext.recognition.nearest import in_order, squared_distances

__all__ = ["NEIGHBOURS", "Recall", "recall", "within_balls"]

#: k of the balls, as in the paper.
NEIGHBOURS = 3

Floats = NDArray[np.floating]
Words = NDArray[np.str_]


@dataclass(frozen=True)
class Recall:
    """How much of the real variety is there.

    Attributes:
        share: Share of real clips in some ball, over all conditions, with an interval over people.
        conditions: The same of each condition.
        neighbours: k.
        balls: How many synthetic clips each condition had.
        left_out: Real clips of a condition with no more than k synthetic clips.
    """

    share: Estimate
    conditions: dict[str, float]
    neighbours: int
    balls: dict[str, int]
    left_out: int


def within_balls(real: Floats, synthetic: Floats, neighbours: int = NEIGHBOURS) -> NDArray[np.bool_]:
    """Whether each real point lies in the ball of some synthetic one.

    Args:
        real: float [N, S].
        synthetic: float [M, S], M > ``neighbours``.
        neighbours: The radius is the distance to this nearest other synthetic point.

    Returns:
        bool [N].

    Raises:
        DataError: There are too few synthetic points.
    """
    if len(synthetic) <= neighbours:
        raise DataError(f"recall: {len(synthetic)} clips, balls of k = {neighbours} neighbours need {neighbours + 1}")
    own = np.maximum(squared_distances(synthetic, synthetic), 0)
    np.fill_diagonal(own, 0)
    radius = np.sort(own, axis=1)[:, neighbours]
    return np.asarray((squared_distances(real, synthetic) <= radius[None]).any(axis=1))


def recall(
    real: tuple[Floats, Words, Words],
    synthetic: tuple[Floats, Words],
    rng: np.random.Generator,
    neighbours: int = NEIGHBOURS,
) -> Recall:
    """Class-conditional improved recall.

    Args:
        real: Style features float [N, S], condition str [N] and person str [N] of held-out real clips.
        synthetic: Style features float [M, S] and condition str [M].
        rng: Draws the bootstrap's people.
        neighbours: k.

    Raises:
        DataError: No condition has more than k synthetic clips and a real one.
    """
    points, conditions, people = real
    made, labels = synthetic
    hits, asked = np.zeros(len(points), dtype=bool), np.zeros(len(points), dtype=bool)
    for name in in_order(conditions):
        ours, theirs = conditions == name, labels == name
        if theirs.sum() > neighbours:
            hits[ours] = within_balls(points[ours], made[theirs], neighbours)
            asked |= ours
    if not asked.any():
        raise DataError(
            f"recall: {len(points)} real and {len(made)} synthetic clips; a condition with more than {neighbours}"
            " synthetic clips and a real one is needed"
        )
    told = in_order(conditions[asked])
    return Recall(
        bootstrap_share(hits[asked], people[asked], rng),
        {name: float(hits[conditions == name].mean()) for name in told},
        neighbours,
        {name: int((labels == name).sum()) for name in told},
        int((~asked).sum()),
    )
