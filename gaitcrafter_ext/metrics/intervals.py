"""Figures with 95 % intervals over people.

Clips of one person succeed or fail together, so people are what is counted. Shares have Clopper and Pearson's exact
interval at the effective number of clips (Korn & Graubard, Survey Methodology 24, 1998), which holds near 0 and 1 too;
means and medians the percentile bootstrap over whole people (Davison & Hinkley 1997, section 3.8).
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Marks = NDArray[np.bool_]
Values = NDArray[np.float64]
People = NDArray[np.str_]

#: Rounds of the bootstrap; intervals are steady to about a tenth of a point. Rounds in memory at once.
ROUNDS, CHUNK = 2000, 100

#: Both ends of a 95 % interval.
ENDS = (0.025, 0.975)


@dataclass(frozen=True)
class Estimate:
    """A figure counted on ``count`` clips, with its 95 % interval over people; NaN where there was nothing to count."""

    value: float
    low: float
    high: float
    count: int


NOTHING = Estimate(float("nan"), float("nan"), float("nan"), 0)


def exact_interval(hits: float, trials: float) -> tuple[float, float]:
    """95 % interval of a binomial share (Clopper & Pearson 1934); both numbers may be fractions."""
    from scipy.special import betaincinv

    low = float(betaincinv(hits, trials - hits + 1, ENDS[0])) if hits > 0 else 0.0
    high = float(betaincinv(hits + 1, trials - hits, ENDS[1])) if hits < trials else 1.0
    return low, high


def estimate_share(hits: Marks | Values, people: People) -> Estimate:
    """Share of hits, bool [N] or in [0, 1] (half a hit for a tie), of the clips of ``people``, str [N]."""
    if len(hits) == 0:
        return NOTHING
    value, trials = float(np.mean(hits)), _effective_count(hits, people)
    low, high = exact_interval(value * trials, trials)
    return Estimate(value, min(low, value), max(high, value), len(hits))


def bootstrap_mean(values: Values, people: People, rng: np.random.Generator) -> Estimate:
    """Mean of finite values [N], one a clip."""
    if len(values) == 0:
        return NOTHING
    names, index = np.unique(people, return_inverse=True)
    sums, total, weights = np.bincount(index, values), np.bincount(index), _draws(len(names), rng)
    low, high = np.quantile((weights @ sums) / (weights @ total), ENDS)
    return Estimate(float(np.mean(values)), float(low), float(high), len(values))


def bootstrap_median(values: Values, people: People, rng: np.random.Generator) -> Estimate:
    """Median of finite values [N], one a clip, N > 0."""
    names, index = np.unique(people, return_inverse=True)
    order = np.argsort(values, kind="stable")
    medians = []
    for draws in np.split(_draws(len(names), rng), range(CHUNK, ROUNDS, CHUNK)):
        below = np.cumsum(draws[:, index[order]], axis=1)
        half = below[:, -1:] / 2
        lower, upper = (values[order][past.argmax(axis=1)] for past in (below >= half, below > half))
        medians.append((lower + upper) / 2)
    low, high = np.quantile(np.concatenate(medians), ENDS)
    return Estimate(float(np.median(values)), float(low), float(high), len(values))


def _effective_count(hits: Marks | Values, people: People) -> float:
    """How many independent clips tell as much: N for independent ones, the number of people where each is all or none.

    Where nothing varies, as at a share of 0 or 1, only people are known to be independent.
    """
    from scipy.special import stdtrit

    names, index = np.unique(people, return_inverse=True)
    count, groups, share = len(hits), len(names), float(np.mean(hits))
    if groups == 1 or share in (0.0, 1.0):
        return groups
    variance = float(((np.bincount(index, hits) - share * np.bincount(index)) ** 2).sum()) / count**2
    found = share * (1 - share) / variance if variance > 0 else count
    few_groups = float(stdtrit(count - 1, ENDS[1]) / stdtrit(groups - 1, ENDS[1])) ** 2
    return float(np.clip(found * few_groups, 1, count))


def _draws(people: int, rng: np.random.Generator) -> Values:
    """How often each person is drawn in each round, float64 [ROUNDS, people]."""
    return rng.multinomial(people, np.full(people, 1 / people), size=ROUNDS).astype(np.float64)
