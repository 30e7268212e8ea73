"""Shares and ratios with intervals over people."""

from __future__ import annotations

import math

import numpy as np
import pytest

from gaitcrafter_ext.recognition.bootstrap import bootstrap_mean, bootstrap_median, bootstrap_ratio, bootstrap_share


def people(count: int, clips: int) -> np.ndarray:
    return np.repeat([f"{number:03d}" for number in range(count)], clips)


def test_the_interval_of_independent_clips_is_the_binomial_one() -> None:
    hits = np.arange(400) % 4 != 0
    share = bootstrap_share(hits, people(400, 1), np.random.default_rng(0))
    half_width = 1.96 * math.sqrt(0.75 * 0.25 / 400)
    assert (share.value, share.count) == (0.75, 400)
    assert share.low == pytest.approx(0.75 - half_width, abs=0.01)
    assert share.high == pytest.approx(0.75 + half_width, abs=0.01)


def test_clips_of_one_person_count_together() -> None:
    """20 people, each all right or all wrong: the interval is that of 20 trials, not of 2000."""
    who = people(20, 100)
    hits = np.isin(who, who[:1000])
    share = bootstrap_share(hits, who, np.random.default_rng(0))
    assert share.high - share.low == pytest.approx(2 * 1.96 * math.sqrt(0.25 / 20), abs=0.08)


def test_the_interval_of_a_median_is_that_of_the_order_statistics() -> None:
    values = np.random.default_rng(1).permutation(401).astype(float)
    median = bootstrap_median(values, people(401, 1), np.random.default_rng(0))
    assert (median.value, median.count) == (200.0, 401)
    assert (median.low, median.high) == pytest.approx(
        (200 - 1.96 * math.sqrt(401) / 2, 200 + 1.96 * math.sqrt(401) / 2), abs=2
    )


def test_clips_of_one_person_move_a_median_together() -> None:
    who = people(2, 50)
    median = bootstrap_median((who == who[-1]).astype(float), who, np.random.default_rng(0))
    assert (median.low, median.high) == (0.0, 1.0)


def test_the_median_of_an_even_number_of_clips_lies_in_its_own_interval() -> None:
    median = bootstrap_median(np.arange(30.0), people(1, 30), np.random.default_rng(0))
    assert (median.value, median.low, median.high) == (14.5, 14.5, 14.5)


def test_no_clips_no_median() -> None:
    assert math.isnan(bootstrap_median(np.zeros(0), people(0, 1), np.random.default_rng(0)).value)


def test_equal_shares_of_equal_people_have_ratio_one_without_spread() -> None:
    hits, who = np.arange(60) % 3 > 0, people(20, 3)
    ratio = bootstrap_ratio(hits, who, hits, who, np.random.default_rng(0))
    assert (ratio.value, ratio.low, ratio.high) == pytest.approx((1.0, 1.0, 1.0))


def test_ratio_is_share_over_share() -> None:
    hits, base = np.arange(40) % 4 == 0, np.arange(40) % 2 == 0
    ratio = bootstrap_ratio(hits, people(10, 4), base, people(10, 4), np.random.default_rng(0))
    assert ratio.value == pytest.approx(0.5)


@pytest.mark.parametrize("base", [np.zeros(0, bool), np.zeros(4, bool)])
def test_nothing_to_count_is_nan_not_a_number_made_up(base: np.ndarray) -> None:
    empty = bootstrap_share(np.zeros(0, bool), people(0, 0), np.random.default_rng(0))
    ratio = bootstrap_ratio(np.ones(4, bool), people(4, 1), base, people(len(base), 1), np.random.default_rng(0))
    assert math.isnan(empty.value)
    assert math.isnan(ratio.value)


def test_the_interval_of_a_mean_of_independent_values_is_the_normal_one() -> None:
    values = np.random.default_rng(1).normal(3.0, 2.0, 400)
    mean = bootstrap_mean(values, people(400, 1), np.random.default_rng(0))
    assert mean.value == pytest.approx(values.mean())
    assert mean.high - mean.low == pytest.approx(2 * 1.96 * values.std() / 20, rel=0.1)
