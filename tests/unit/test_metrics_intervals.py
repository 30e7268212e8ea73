"""Shares, means and medians with intervals over people."""

from __future__ import annotations

import math

import numpy as np
import pytest

from gaitcrafter_ext.metrics.intervals import bootstrap_mean, bootstrap_median, estimate_share, exact_interval


def rng() -> np.random.Generator:
    return np.random.default_rng(0)


def people(count: int, clips: int = 1) -> np.ndarray:
    return np.repeat([f"{number:03d}" for number in range(count)], clips)


def test_the_exact_interval_is_that_of_the_binomial_tails() -> None:
    low, high = exact_interval(7, 12)
    tails = [
        sum(math.comb(12, k) * share**k * (1 - share) ** (12 - k) for k in hits)
        for share, hits in ((low, range(7, 13)), (high, range(8)))
    ]
    assert tails == pytest.approx([0.025, 0.025])
    assert exact_interval(0, 12) == (0.0, pytest.approx(1 - 0.025 ** (1 / 12)))
    assert exact_interval(12, 12) == (pytest.approx(0.025 ** (1 / 12)), 1.0)


def test_a_share_of_one_clip_a_person_has_the_exact_interval() -> None:
    for hits in (0, 1, 13, 25):
        found = estimate_share(np.arange(25) < hits, people(25))
        assert (found.value, found.count) == (hits / 25, 25)
        assert (found.low, found.high) == pytest.approx(exact_interval(hits, 25))


def test_clips_of_one_person_count_together() -> None:
    """20 people, each all right or all wrong: the interval is nearly that of 20 trials, not of 2000."""
    who = people(20, 100)
    share = estimate_share(np.isin(who, who[:1000]), who)
    low, high = exact_interval(10, 20)
    assert (share.low, share.high) == pytest.approx((low, high), abs=0.02)
    sure = estimate_share(np.zeros(2000, bool), who)
    assert (sure.low, sure.high) == (0.0, pytest.approx(exact_interval(0, 20)[1]))


def test_intervals_near_zero_and_one_cover_as_often_as_they_say() -> None:
    draws = rng()
    for share in (0.05, 0.95):
        found = [estimate_share(draws.random(25) < share, people(25)) for _ in range(400)]
        assert np.mean([each.low <= share <= each.high for each in found]) >= 0.95


def test_the_interval_of_a_mean_of_independent_values_is_the_normal_one() -> None:
    values = np.random.default_rng(1).normal(3.0, 2.0, 400)
    mean = bootstrap_mean(values, people(400), rng())
    assert mean.value == pytest.approx(values.mean())
    assert mean.high - mean.low == pytest.approx(2 * 1.96 * values.std() / 20, rel=0.1)


def test_the_interval_of_a_median_is_that_of_the_order_statistics() -> None:
    median = bootstrap_median(np.random.default_rng(1).permutation(401).astype(float), people(401), rng())
    assert (median.value, median.count) == (200.0, 401)
    assert (median.low, median.high) == pytest.approx((200 - 0.98 * 401**0.5, 200 + 0.98 * 401**0.5), abs=2)
    who = people(2, 50)
    together = bootstrap_median((who == who[-1]).astype(float), who, rng())
    assert (together.low, together.high) == (0.0, 1.0)
    even = bootstrap_median(np.arange(30.0), people(1, 30), rng())
    assert (even.value, even.low, even.high) == (14.5, 14.5, 14.5)


def test_nothing_to_count_is_nan() -> None:
    none = np.zeros(0)
    found = [estimate_share(none.astype(bool), people(0))]
    found += [estimate(none, people(0), rng()) for estimate in (bootstrap_mean, bootstrap_median)]
    assert all(math.isnan(each.value) for each in found)
