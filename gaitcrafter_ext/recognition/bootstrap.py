"""Shares with their uncertainty: the bootstrap over people.

Clips of one person succeed or fail together, so whole people are drawn with replacement, not clips
(the cluster bootstrap; Davison & Hinkley 1997, section 3.8).
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

__all__ = ["Estimate", "bootstrap_mean", "bootstrap_median", "bootstrap_ratio", "bootstrap_share"]

#: How many times people are drawn anew; intervals are steady to about a tenth of a point at this number.
ROUNDS = 2000

#: Rounds whose weights of all clips are in memory at once.
CHUNK = 100


@dataclass(frozen=True)
class Estimate:
    """A figure and where it would lie had other people been drawn.

    Attributes:
        value: The figure itself (a share in [0, 1], a mean, a ratio of shares); NaN where there was nothing to count.
        low: Lower end of the 95 % percentile interval.
        high: Upper end of it.
        count: How many clips the figure was counted on.
    """

    value: float
    low: float
    high: float
    count: int


#: What is told of no clips.
NOTHING = Estimate(float("nan"), float("nan"), float("nan"), 0)


def bootstrap_share(hits: npt.NDArray[np.bool_], people: npt.NDArray[np.str_], rng: np.random.Generator) -> Estimate:
    """Share of hits with a 95 % percentile interval over people.

    Args:
        hits: bool [N], whether each clip was got right.
        people: str [N], whose clip it is.
        rng: Draws the people.

    Returns:
        The share of hits in [0, 1]; NaN with a NaN interval for N = 0.
    """
    return bootstrap_mean(hits.astype(np.float64), people, rng)


def bootstrap_mean(values: npt.NDArray[np.float64], people: npt.NDArray[np.str_], rng: np.random.Generator) -> Estimate:
    """Mean of finite values with a 95 % percentile interval over people.

    Args:
        values: float64 [N], one a clip.
        people: str [N], whose clip it is.
        rng: Draws the people.

    Returns:
        The mean; NaN with a NaN interval for N = 0.
    """
    if len(values) == 0:
        return NOTHING
    names, index = np.unique(people, return_inverse=True)
    sums, total = _totals(values, index, len(names))
    weights = _draws(len(names), rng)
    low, high = np.quantile((weights @ sums) / (weights @ total), (0.025, 0.975))
    return Estimate(float(np.mean(values)), float(low), float(high), len(values))


def bootstrap_median(
    values: npt.NDArray[np.float64], people: npt.NDArray[np.str_], rng: np.random.Generator
) -> Estimate:
    """Median of finite values with a 95 % percentile interval over people.

    Args:
        values: float64 [N], one a clip.
        people: str [N], whose clip it is.
        rng: Draws the people.

    Returns:
        The median; NaN with a NaN interval for N = 0.
    """
    if len(values) == 0:
        return NOTHING
    names, index = np.unique(people, return_inverse=True)
    order = np.argsort(values, kind="stable")
    medians = []
    for draws in np.split(_draws(len(names), rng), range(CHUNK, ROUNDS, CHUNK)):
        below = np.cumsum(draws[:, index[order]], axis=1)
        half = below[:, -1:] / 2
        lower, upper = (values[order][(past).argmax(axis=1)] for past in (below >= half, below > half))
        medians.append((lower + upper) / 2)
    low, high = np.quantile(np.concatenate(medians), (0.025, 0.975))
    return Estimate(float(np.median(values)), float(low), float(high), len(values))


def bootstrap_ratio(
    hits: npt.NDArray[np.bool_],
    people: npt.NDArray[np.str_],
    base_hits: npt.NDArray[np.bool_],
    base_people: npt.NDArray[np.str_],
    rng: np.random.Generator,
) -> Estimate:
    """Ratio of two shares of hits, both counted on the same drawn people in every round.

    Args:
        hits: bool [N], the share above the line.
        people: str [N], whose clips they are.
        base_hits: bool [M], the share below the line.
        base_people: str [M], whose clips they are.
        rng: Draws the people.

    Returns:
        The ratio; NaN where either side is empty or the base share is zero. Rounds without a base hit are left out.
    """
    if len(hits) == 0 or len(base_hits) == 0 or not base_hits.any():
        return Estimate(float("nan"), float("nan"), float("nan"), len(hits))
    names, index = np.unique(np.concatenate([people, base_people]), return_inverse=True)
    above = _totals(hits, index[: len(people)], len(names))
    below = _totals(base_hits, index[len(people) :], len(names))
    weights = _draws(len(names), rng)
    with np.errstate(divide="ignore", invalid="ignore"):
        ratios = (weights @ above[0]) / (weights @ above[1]) * (weights @ below[1]) / (weights @ below[0])
    low, high = np.quantile(ratios[np.isfinite(ratios)], (0.025, 0.975))
    return Estimate(float(np.mean(hits) / np.mean(base_hits)), float(low), float(high), len(hits))


def _totals(
    values: npt.NDArray[np.bool_] | npt.NDArray[np.float64], index: npt.NDArray[np.intp], people: int
) -> tuple[npt.NDArray[np.float64], npt.NDArray[np.float64]]:
    """Sum of values (hits) and number of clips of each person."""
    right = np.bincount(index, weights=values.astype(np.float64), minlength=people)
    total = np.bincount(index, minlength=people).astype(np.float64)
    return right.astype(np.float64), total


def _draws(people: int, rng: np.random.Generator) -> npt.NDArray[np.float64]:
    """How often each person is drawn in each round, float64 [ROUNDS, people]."""
    return rng.multinomial(people, np.full(people, 1 / people), size=ROUNDS).astype(np.float64)
