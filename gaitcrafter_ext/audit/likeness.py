"""Does it look like gait? KID, density and coverage between sets of features.

KID: unbiased squared MMD with the kernel (<x, y> / d + 1)^3 on random subsets (Binkowski et al., ICLR 2018,
arXiv 1801.01401). Density and coverage: Naeem et al., ICML 2020, arXiv 2002.09797. No Frechet distance: under some
thousand clips it measures the number of clips.
"""

from __future__ import annotations

from collections.abc import Hashable, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from gaitcrafter_ext.errors import DataError
from gaitcrafter_ext.recognition.bootstrap import Estimate, bootstrap_mean
from gaitcrafter_ext.recognition.nearest import squared_distances

__all__ = ["NEIGHBOURS", "SUBSETS", "Prdc", "density_coverage", "kid", "matched"]

Floats = NDArray[np.floating]
Words = NDArray[np.str_]

#: KID: clips a subset at most, and how many subsets.
SUBSET, SUBSETS = 100, 100

#: k of density and coverage, as in the paper.
NEIGHBOURS = 5


@dataclass(frozen=True)
class Prdc:
    """Density and coverage.

    Attributes:
        density: Mean over synthetic clips of the number of real balls each lies in, over k: about 1 for real clips.
        coverage: Share of real clips whose ball holds a synthetic clip.
        neighbours: k.
    """

    density: Estimate
    coverage: Estimate
    neighbours: int


def kid(
    left: Floats, right: Floats, rng: np.random.Generator, subset: int | None = None, subsets: int = SUBSETS
) -> Estimate:
    """Kernel distance of two sets.

    Args:
        left: float [N, D].
        right: float [M, D].
        rng: Draws the subsets.
        subset: Clips of each kind in a subset; where not given 100, or half of the smaller set.
        subsets: How many are drawn.

    Returns:
        Mean over subsets, about 0 for equal distributions; the interval is where 95 % of the subsets lie, and the count
        is the size of a subset.

    Raises:
        DataError: A set has fewer than two clips.
    """
    least = min(len(left), len(right))
    size = min(least, max(2, min(SUBSET, least // 2)) if subset is None else subset)
    if size < 2:
        raise DataError(f"KID: {len(left)} and {len(right)} clips; at least 2 of each kind are needed")
    found = [_squared_mmd(_draw(left, size, rng), _draw(right, size, rng)) for _ in range(subsets)]
    low, high = np.quantile(found, (0.025, 0.975))
    return Estimate(float(np.mean(found)), float(low), float(high), size)


def density_coverage(
    real: tuple[Floats, Words], synthetic: tuple[Floats, Words], rng: np.random.Generator, neighbours: int = NEIGHBOURS
) -> Prdc:
    """Balls around real clips, reaching to their k-th nearest real neighbour.

    Args:
        real: Features float [N, D] and whose clips they are, str [N].
        synthetic: The same, [M, D] and [M].
        rng: Draws the bootstrap's people.
        neighbours: k.

    Raises:
        DataError: There are no more than k real clips, or no synthetic one.
    """
    (points, people), (made, makers) = real, synthetic
    if len(points) <= neighbours or not len(made):
        raise DataError(
            f"density and coverage: {len(points)} real and {len(made)} synthetic clips; at least {neighbours + 1} and 1"
            " are needed"
        )
    own = np.maximum(squared_distances(points, points), 0)
    np.fill_diagonal(own, 0)
    radius = np.sort(own, axis=1)[:, neighbours]
    inside = squared_distances(made, points) < radius[None]
    return Prdc(
        bootstrap_mean(inside.sum(axis=1) / neighbours, makers, rng),
        bootstrap_mean(np.asarray(inside.any(axis=0), np.float64), people, rng),
        neighbours,
    )


def matched(
    left: Sequence[Hashable], right: Sequence[Hashable], rng: np.random.Generator
) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Indices that leave as many clips of each cell on both sides: what is compared then is not how cells are mixed."""
    picked: tuple[list[int], list[int]] = ([], [])
    for cell in sorted(set(left) & set(right), key=str):
        places = [[index for index, name in enumerate(side) if name == cell] for side in (left, right)]
        count = min(map(len, places))
        for into, there in zip(picked, places, strict=True):
            into += rng.permutation(there)[:count].tolist()
    return np.array(sorted(picked[0]), dtype=np.int64), np.array(sorted(picked[1]), dtype=np.int64)


def _draw(points: Floats, size: int, rng: np.random.Generator) -> Floats:
    return points[rng.choice(len(points), size, replace=False)]


def _squared_mmd(left: Floats, right: Floats) -> float:
    """Unbiased estimate (Gretton et al. 2012, eq. 3)."""
    size = len(left)
    own = sum(float(table.sum() - np.trace(table)) for table in (_kernel(left, left), _kernel(right, right)))
    return own / (size * (size - 1)) - 2 * float(_kernel(left, right).mean())


def _kernel(left: Floats, right: Floats) -> Floats:
    return np.asarray((left @ right.T / left.shape[1] + 1.0) ** 3)
